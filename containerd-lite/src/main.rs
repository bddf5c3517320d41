//! The containerd-lite program.

use anyhow::Context as _;
use containerd_lite::daemon;
use containerd_lite::daemon::Settings;
use containerd_lite::image::Limits;
use containerd_lite::image::Platform;
use containerd_lite::image::Store;
use containerd_lite::image::unpack::Confined;
use containerd_lite::image::unpack::Owners;
use containerd_lite::run::Launcher;
use containerd_lite::runtime::IMAGE_IDS;
use containerd_lite::volumes::Volumes;
use hostapi::activation::Sockets;
use hostapi::peer::AllowedUids;
use model::paths;
use model::report::BootReport;
use model::report::DataReport;
use std::path::Path;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// The program that unpacks layers.
const UNPACK: &str = "/usr/lib/hearth/containerd-lite-unpack";
/// Threads for what blocks: starts, stops, checks, a pull.
const BLOCKING: usize = 48;
/// How long what blocks may go on after the daemon has ended: less than init waits. Nothing in it breaks when it is cut.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    // Before anything else runs: it takes variables out of the environment, which is only sound with one thread.
    let mut sockets = Sockets::from_env();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .without_time()
        .with_ansi(false)
        .init();
    let bus_socket = sockets.take_unix("containers1").context("take the bus socket from PID 1")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .build()
        .context("start the runtime")?;
    let ended = if is_data_there() {
        runtime.block_on(daemon::run(Launcher::default(), settings()?, bus_socket))
    } else {
        runtime.block_on(daemon::idle(bus_socket))
    };
    runtime.shutdown_timeout(PATIENCE);
    Ok(ended?)
}

fn settings() -> anyhow::Result<Settings> {
    let limits = Limits::default();
    let reserve = limits.reserve;
    let unpacker = Box::new(Confined::new(Path::new(UNPACK), Owners::Range { first: IMAGE_IDS }));
    let store = Store::open(Path::new(paths::IMAGES), limits, Platform::of_this_board(), unpacker)
        .context("open the store of images")?;
    Ok(Settings {
        allowed: AllowedUids::default(),
        net_socket: paths::NET_BUS_SOCKET.into(),
        state: Path::new(paths::CONTAINERS_STATE).join("apps"),
        // A name that no app has: folders of apps lie beside it.
        notes: Path::new(paths::CONTAINERS_RUN).join(".notes"),
        volumes: Volumes::new(Path::new(paths::APPS), reserve),
        store,
    })
}

/// Whether the data partition is up. When it comes later, PID 1 starts this program anew.
fn is_data_there() -> bool {
    let boot = std::fs::read(paths::BOOT_REPORT).ok();
    let boot = boot.and_then(|text| serde_json::from_slice::<BootReport>(&text).ok());
    boot.is_some_and(|boot| matches!(boot.data, DataReport::Ready { .. }))
}
