//! The netd program: takes the bus socket that PID 1 opened and runs the daemon on one thread.

use anyhow::Context as _;
use hostapi::activation::Sockets;
use netd::config::Settings;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    // First of all: it takes variables out of the environment, which is only sound with one thread.
    let bus_socket = Sockets::from_env().take_unix("net1").context("take the bus socket from PID 1")?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        // PID 1 puts the time in front of every line, and the wall clock stands at 1970 for now.
        .without_time()
        .with_ansi(false)
        .init();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let mut settings = Settings::default();
    if let Some(folder) = std::env::var_os("STATE_DIRECTORY") {
        settings = Settings::in_folders(folder.as_ref(), &settings.run);
    }
    runtime.block_on(netd::run(settings, bus_socket))?;
    Ok(())
}
