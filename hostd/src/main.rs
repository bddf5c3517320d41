//! hostd, the host daemon of Hearth.

use anyhow::Context;
use hostd::settings::Settings;
use tracing_subscriber::EnvFilter;

/// Password hashing, store commits and opening the store; more threads would only hold memory.
const BLOCKING_THREADS: usize = 4;

fn main() -> anyhow::Result<()> {
    // init puts the uptime before every line.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .init();
    let mut settings = Settings::parse(std::env::args_os().skip(1)).context("read the command line")?;
    settings.updates.running_system = hostd::updates::running_system();
    // One thread: the work is waiting, and each further one costs memory on a small box.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .context("make the runtime")?
        .block_on(hostd::run(settings))
        .context("run hostd")
}
