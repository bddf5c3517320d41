//! `storaged serve`: the keeper behind the bus, until SIGTERM.
//!
//! ```text
//! bus ── jobs ──> keeper (one at a time, on a thread that may block)
//!                   └─ opened ──> init: OpenData, until it has taken it
//! bus, trimming ──> gauge (each on a thread that may block)
//! ```

use crate::backup_disk::BackupDisks;
use crate::backup_disk::Places;
use crate::bus;
use crate::bus::Backend;
use crate::bus::Job;
use crate::counter::Counter;
use crate::health::Gauge;
use crate::health::trim;
use crate::keeper::Keeper;
use crate::sealer::Sealer;
use hostapi::activation;
use hostapi::control;
use hostapi::storage1::Callers;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::report::BootReport;
use model::report::DataReport;
use model::storage::UnlockReport;
use std::error::Error;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::task::JoinError;

/// Requests that may wait for the keeper.
const QUEUE: usize = 8;
/// Between two signs of life. None comes while the keeper works: one that hangs is ended by init (its row of the table).
const BEAT: Duration = Duration::from_secs(10);
/// Between two tries to have the data brought up.
const AGAIN: Duration = Duration::from_secs(5);

/// Why storaged could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The bus socket is not usable.
    #[error("listen on the bus socket")]
    Bus(#[source] io::Error),
    /// Signals cannot be received.
    #[error("listen for signals")]
    Signals(#[source] io::Error),
    /// A bug in the keeper.
    #[error("work for a request")]
    Keeper(#[source] JoinError),
}

/// What one run works with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may use the bus interface.
    pub callers: Callers,
    /// init's control socket.
    pub control: PathBuf,
    /// init's report on the boot.
    pub boot_report: PathBuf,
}

/// Runs inside a runtime until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, or the keeper breaks.
pub async fn run<S: Sealer + Counter + Send + 'static>(
    keeper: Keeper<S>,
    gauge: Gauge,
    settings: Settings,
    bus_socket: UnixListener,
) -> Result<(), DaemonError> {
    let listener = tokio::net::UnixListener::from_std(bus_socket).map_err(DaemonError::Bus)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
    let opened = Arc::new(Notify::new());
    if is_open_but_not_up(&keeper, &settings.boot_report) {
        // A run before this one opened it and did not come to say so.
        opened.notify_one();
    }
    let rotation = keeper.rotation();
    let gauge = Arc::new(gauge);
    let (jobs, queue) = mpsc::channel(QUEUE);
    let disks = BackupDisks::new(settings.control.clone(), Places::default());
    let backend = Backend { jobs, opened: Arc::clone(&opened), gauge: Arc::clone(&gauge), disks };
    let served = tokio::spawn(bus::serve_all(listener, backend, settings.callers));
    let brought_up = tokio::spawn(bring_up(opened, settings.control));
    let trimmed = tokio::spawn(trim_weekly(gauge));
    // Whichever ends first ends storaged. What the keeper is about goes on until the runtime is gone; a header is whole at every moment.
    let ended = tokio::select! {
        ended = work(keeper, queue) => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    tell(&["STOPPING=1"]);
    served.abort();
    brought_up.abort();
    trimmed.abort();
    // What runs beside the keeper must not be killed in the middle of a piece.
    tokio::task::spawn_blocking(move || rotation.stop()).await.map_err(DaemonError::Keeper)?;
    ended.map_err(DaemonError::Keeper)
}

/// Does one job after another, and shows in between that it lives.
async fn work<S: Sealer + Counter + Send + 'static>(
    mut keeper: Keeper<S>,
    mut queue: mpsc::Receiver<Job<S>>,
) -> Result<(), JoinError> {
    let mut beat = tokio::time::interval(BEAT);
    let mut status = String::new();
    tell(&["READY=1"]);
    loop {
        let now = words(&keeper.report().unlock);
        if now != status {
            tell(&[&format!("STATUS={now}")]);
            status = now;
        }
        // Both are cancel safe: a job stays in the queue until it is received, and a missed beat is made up for.
        let job = tokio::select! {
            job = queue.recv() => job,
            _ = beat.tick() => {
                tell(&["WATCHDOG=1"]);
                continue;
            }
        };
        let Some(job) = job else { return Ok(()) };
        keeper = tokio::task::spawn_blocking(move || {
            job(&mut keeper);
            keeper
        })
        .await?;
    }
}

/// Has init mount what was opened; asks again until it has taken it.
async fn bring_up(opened: Arc<Notify>, control: PathBuf) {
    loop {
        opened.notified().await;
        loop {
            match control::ask(&control, ControlRequest::OpenData).await {
                Ok(ControlAnswer::Accepted) => break,
                Ok(ControlAnswer::Refused { reason }) => {
                    tracing::warn!(reason, "the data partition is not brought up");
                }
                Ok(ControlAnswer::Logs { .. }) => tracing::warn!("PID 1 answered something else"),
                Err(error) => tracing::warn!(error = &error as &dyn Error, "PID 1 was not asked"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Gives free blocks back to the disk, now and then.
async fn trim_weekly(gauge: Arc<Gauge>) {
    let mut wait = trim::FIRST;
    loop {
        tokio::time::sleep(wait).await;
        let gauge = Arc::clone(&gauge);
        if let Err(error) = tokio::task::spawn_blocking(move || gauge.trim(bus::uptime())).await {
            tracing::error!(error = &error as &dyn Error, "trimming broke");
        }
        wait = trim::EVERY;
    }
}

fn is_open_but_not_up<S: Sealer + Counter>(keeper: &Keeper<S>, boot_report: &Path) -> bool {
    let boot = std::fs::read(boot_report).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let is_locked = boot.is_some_and(|boot: BootReport| matches!(boot.data, DataReport::Locked { .. }));
    is_locked && matches!(keeper.report().unlock, UnlockReport::Opened { .. })
}

fn words(unlock: &UnlockReport) -> String {
    match unlock {
        UnlockReport::Opened { by, .. } => format!("the data partition was opened by {}", by.words()),
        UnlockReport::Locked { .. } => "the data partition is locked".to_owned(),
        UnlockReport::Failed { reason } => format!("the data partition cannot be opened: {reason}"),
    }
}

fn tell(assignments: &[&str]) {
    if let Err(error) = activation::notify(assignments) {
        tracing::warn!(error = &error as &dyn Error, "PID 1 was not told");
    }
}

#[cfg(test)]
mod tests;
