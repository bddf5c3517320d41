//! The daemon: runs apps as hostd wants them, until SIGTERM; apps go on without it.
//!
//! ```text
//!  bus ──▶ keeper (one owner of all apps) ──▶ a worker for each app ──▶ runtime, netd, disk
//!   ├────▶ images: pulls, imports, collection
//!   └────▶ logs ◀── a reader for each pipe of a container
//! ```
//!
//! Whatever blocks does so on threads of its own; the one that serves never does, but for `/run`.

pub(crate) mod images;
pub(crate) mod keeper;
mod network;
mod notes;
mod output;
mod probe;
pub(crate) mod work;

use crate::bus;
use crate::bus::Backend;
use crate::image::Store;
use crate::logs::Logs;
use crate::logs::Moment;
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::StateError;
use crate::volumes::Volumes;
use hostapi::activation;
use hostapi::peer::AllowedUids;
use images::Images;
use keeper::Keeper;
use notes::Notes;
use rustix::time::ClockId;
use std::error::Error;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::watch;

/// Requests that may wait for the keeper, and outcomes.
const QUEUE: usize = 64;
/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(10);
/// Between two writings of logs.
const FLUSH: Duration = Duration::from_secs(3);
/// Checks of health by programs that may run at a time.
const PROBES: usize = 8;
/// How long the last lines of containers are waited for when the daemon stops.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How long the end of a killed container of no app is waited for.
const STRAY_PATIENCE: Duration = Duration::from_secs(60);

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The bus socket is not usable.
    #[error("listen on the bus socket")]
    Bus(#[source] io::Error),
    /// Signals cannot be received.
    #[error("listen for signals")]
    Signals(#[source] io::Error),
    /// What was noted of running apps.
    #[error("make the folder {0}")]
    Notes(PathBuf, #[source] io::Error),
    /// What is wanted of apps.
    #[error(transparent)]
    State(#[from] StateError),
    /// A bug while it was read.
    #[error("read what is wanted of apps")]
    Broke(#[source] tokio::task::JoinError),
}

/// What one run works with.
#[derive(Debug)]
pub struct Settings {
    /// Who may use the bus interface.
    pub allowed: AllowedUids,
    /// netd's socket.
    pub net_socket: PathBuf,
    /// Folder of what is wanted of apps, for ever.
    pub state: PathBuf,
    /// Folder of what the next run must know, until the box is restarted.
    pub notes: PathBuf,
    /// Folders of apps.
    pub volumes: Volumes,
    /// Images.
    pub store: Store,
}

/// What all parts of the daemon use.
pub(crate) struct Shared {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) images: Arc<Images>,
    pub(crate) volumes: Volumes,
    pub(crate) logs: Logs,
    net_socket: PathBuf,
    probes: Semaphore,
    /// Closed when nobody reads any more what a container prints.
    readers: watch::Sender<()>,
}

/// The number of changes, for whoever waits for the next.
#[derive(Clone, Debug)]
pub(crate) struct Changes(watch::Sender<u64>);

impl Changes {
    pub(crate) fn bump(&self) {
        self.0.send_modify(|number| *number = number.wrapping_add(1));
    }
}

/// Runs inside a runtime until SIGTERM or SIGINT. Apps go on running.
///
/// # Errors
/// When it cannot start.
pub async fn run(
    runtime: impl Runtime,
    settings: Settings,
    bus_socket: UnixListener,
) -> Result<(), DaemonError> {
    let Settings { allowed, net_socket, state, notes, volumes, store } = settings;
    let listener = tokio::net::UnixListener::from_std(bus_socket).map_err(DaemonError::Bus)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
    let notes = Notes::open(&notes).map_err(|error| DaemonError::Notes(notes, error))?;
    // Numbers of an earlier run must not look like those of this one.
    let (changed, changes) = watch::channel(moment().unix_ms);
    let changed = Changes(changed);
    let shared = Arc::new(Shared {
        runtime: Arc::new(runtime),
        images: Arc::new(Images::new(store, changed.clone())),
        logs: Logs::new(volumes.root()),
        volumes,
        net_socket,
        probes: Semaphore::new(PROBES),
        readers: watch::Sender::new(()),
    });
    let (outcomes, outcome) = mpsc::channel(QUEUE);
    let (asks, asked) = mpsc::channel(QUEUE);
    let (state, loaded) = tokio::task::spawn_blocking(move || {
        let state = State::open(&state)?;
        let loaded = state.load()?;
        Ok::<_, StateError>((state, loaded))
    })
    .await
    .map_err(DaemonError::Broke)??;
    let keeper = Keeper::begin(Arc::clone(&shared), (state, notes), loaded, changed, outcomes).await;
    let backend = Backend { shared: Arc::clone(&shared), keeper: asks, changes };
    let served = tokio::spawn(bus::serve_all(listener, backend, allowed));
    let flushed = tokio::spawn(output::flush_all(Arc::clone(&shared)));
    // Whichever ends first ends the daemon.
    tokio::select! {
        () = work(keeper, asked, outcome) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell(&["STOPPING=1"]);
    served.abort();
    flushed.abort();
    shared.images.cancel_all();
    end_logs(shared).await;
    Ok(())
}

/// The keeper is gone, and with it what readers of containers wait for: they read what is there, and then it is written.
async fn end_logs(shared: Arc<Shared>) {
    if tokio::time::timeout(LAST_LINES, shared.readers.closed()).await.is_err() {
        tracing::warn!("the last lines of some containers are read by the next run");
    }
    if tokio::task::spawn_blocking(move || shared.logs.flush(moment())).await.is_err() {
        tracing::error!("writing logs broke off");
    }
}

/// Does one thing after another, and shows in between that it lives.
async fn work(
    mut keeper: Keeper,
    mut asked: mpsc::Receiver<keeper::Ask>,
    mut outcome: mpsc::Receiver<(model::network::names::AppKey, keeper::Outcome)>,
) {
    let mut beat = tokio::time::interval(BEAT);
    tell(&["READY=1"]);
    loop {
        let wait = keeper.due().map_or(BEAT, |due| due.saturating_sub(uptime()));
        // All are cancel safe: what was sent stays in its queue, and a missed beat is made up for.
        tokio::select! {
            outcome = outcome.recv() => {
                if let Some((app, outcome)) = outcome {
                    keeper.take(app, outcome).await;
                }
            }
            ask = asked.recv() => match ask {
                Some(ask) => keeper.ask(ask).await,
                None => return,
            },
            () = tokio::time::sleep(wait) => keeper.look().await,
            _ = beat.tick() => tell(&["WATCHDOG=1"]),
        }
    }
}

/// What is served while the data partition is not there: nothing. Who asks is told by the end of the connection, and PID 1 starts the
/// daemon anew when the partition is up.
///
/// # Errors
/// When it cannot listen.
pub async fn idle(bus_socket: UnixListener) -> Result<(), DaemonError> {
    let listener = tokio::net::UnixListener::from_std(bus_socket).map_err(DaemonError::Bus)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
    let mut beat = tokio::time::interval(BEAT);
    tell(&["READY=1", "STATUS=the data partition is not there, and no app runs"]);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if accepted.is_err() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            _ = beat.tick() => tell(&["WATCHDOG=1"]),
            _ = terminate.recv() => return Ok(()),
        }
    }
}

/// Time since boot.
pub(crate) fn uptime() -> Duration {
    rustix::time::clock_gettime(ClockId::Boottime).try_into().unwrap_or_default()
}

/// Now, by both clocks.
pub(crate) fn moment() -> Moment {
    let unix: Duration = rustix::time::clock_gettime(ClockId::Realtime).try_into().unwrap_or_default();
    Moment { uptime: uptime(), unix_ms: u64::try_from(unix.as_millis()).unwrap_or_default() }
}

fn tell(assignments: &[&str]) {
    if let Err(error) = activation::notify(assignments) {
        tracing::warn!(error = &error as &dyn Error, "PID 1 was not told");
    }
}
