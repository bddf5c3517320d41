//! The netd program: takes the bus socket that PID 1 opened and runs the daemon on one thread.

use anyhow::Context as _;
use anyhow::bail;
use hostapi::activation::Sockets;
use netd::config::Settings;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    // Folders for what survives a reboot and for what does not are only given elsewhere than in the image.
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let settings = match folders.as_slice() {
        [] => Settings::default(),
        [state, run] => Settings::in_folders(state, run),
        _ => bail!("usage: netd [<state folder> <run folder>]"),
    };
    // Before anything else runs: it takes variables out of the environment, which is only sound with one thread.
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
    runtime.block_on(netd::run(settings, bus_socket))?;
    Ok(())
}
