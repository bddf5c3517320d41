//! Follows a container: what it prints, and that it ends.

use super::Shared;
use super::moment;
use crate::logs::Log;
use crate::logs::Splitter;
use model::containers::LogStream;
use std::error::Error;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::watch;

/// Bytes read from one container in one go; afterwards others have their turn.
const TURN: usize = 64 << 10;
/// Pause after a turn that was used up: whoever floods waits for its pipe, and costs this program little.
const PAUSE: Duration = Duration::from_millis(20);
/// Most that is read after the end: a pipe holds no more.
const LAST: usize = 1 << 20;

/// Reads until the container is no more or the daemon stops, which is when `over` is true or its sender gone. `_alive` is held until all
/// that was read is in the log.
pub(super) async fn follow(
    pipe: OwnedFd,
    stream: LogStream,
    log: Arc<Log>,
    mut over: watch::Receiver<bool>,
    _alive: watch::Receiver<()>,
) {
    let receiver = match pipe::Receiver::from_owned_fd(pipe) {
        Ok(receiver) => receiver,
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "what a container prints cannot be read");
            return;
        }
    };
    let mut splitter = Splitter::default();
    loop {
        // Both are cancel safe: nothing is read here.
        let is_over = tokio::select! {
            ready = receiver.readable() => ready.is_err(),
            ended = over.wait_for(|is_over| *is_over) => {
                drop(ended);
                true
            }
        };
        let outcome = take(&receiver, stream, &log, &mut splitter, if is_over { LAST } else { TURN });
        if is_over || outcome == Taken::End {
            break;
        }
        if outcome == Taken::Much {
            tokio::time::sleep(PAUSE).await;
        }
    }
    if let Some(text) = splitter.finish() {
        log.take(stream, text, moment());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    All,
    Much,
    End,
}

fn take(
    receiver: &pipe::Receiver,
    stream: LogStream,
    log: &Log,
    splitter: &mut Splitter,
    most: usize,
) -> Taken {
    let mut buffer = [0; 8 << 10];
    let mut taken = 0;
    while taken < most {
        match receiver.try_read(&mut buffer) {
            Ok(0) => return Taken::End,
            Ok(length) => {
                taken += length;
                let now = moment();
                splitter.push(buffer.get(..length).unwrap_or_default(), |text| log.take(stream, text, now));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Taken::All,
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "what a container prints cannot be read");
                return Taken::End;
            }
        }
    }
    Taken::Much
}

/// Returns when the descriptor is readable: the container has ended. An error says that nobody will know when it does.
#[expect(
    deprecated,
    reason = "the new function is unsafe; what it wants promised holds of every OwnedFd: always the same open descriptor"
)]
pub(super) async fn ended(descriptor: OwnedFd) -> io::Result<()> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)?.readable().await?.retain_ready();
    Ok(())
}

/// Writes what waits, now and then.
pub(super) async fn flush_all(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(super::FLUSH).await;
        let shared = Arc::clone(&shared);
        if tokio::task::spawn_blocking(move || shared.logs.flush(moment())).await.is_err() {
            tracing::error!("writing logs broke off");
        }
    }
}
