//! Server-sent events (HTML Living Standard, section 9.2) for pages that look on. A stream ends with its session.

use super::Call;
use super::error::ApiError;
use crate::accounts::session::TokenHash;
use crate::app::App;
use crate::web::Reply;
use crate::web::body::ReplyBody;
use crate::web::set_header;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use serde::Serialize;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;

/// Streams at once: a household has a handful of open pages.
const MAX_STREAMS: usize = 64;
/// Events that wait for a slow reader.
const WAITING: usize = 16;
/// A comment this often keeps the connection (the server ends one that stands still), and the session is looked at.
const BEAT: Duration = Duration::from_secs(10);

static STREAMS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MAX_STREAMS)));

/// One page's stream.
pub(super) struct Stream {
    app: Arc<App>,
    token: TokenHash,
    sender: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
}

/// The reader is gone.
pub(super) struct Gone;

/// When to call [`Stream::beat`].
pub(super) fn beat() -> Interval {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

impl Stream {
    /// Begins one, for whoever asks.
    pub(super) fn open(call: &Call) -> Result<(Self, Reply), ApiError> {
        let (token, _session) = call.logged_in()?;
        let place = Arc::clone(&STREAMS).try_acquire_owned().map_err(|_full| too_many())?;
        let (sender, pieces) = mpsc::channel(WAITING);
        let stream = Self { app: Arc::clone(&call.app), token: token.hash(), sender, _place: place };
        let mut reply = Response::new(ReplyBody::Open(pieces));
        set_header(&mut reply, CONTENT_TYPE, "text/event-stream");
        Ok((stream, reply))
    }

    /// Whether its reader is still logged in.
    pub(super) fn may_go_on(&self) -> bool {
        self.app.accounts.has_session(&self.token)
    }

    /// Ends when the reader is gone.
    pub(super) async fn closed(&self) {
        self.sender.closed().await;
    }

    pub(super) async fn beat(&self) -> Result<(), Gone> {
        self.sender.send(Bytes::from_static(b": beat\n\n")).await.map_err(|_closed| Gone)
    }

    /// JSON has no line ends, so it is one line of data.
    pub(super) async fn send(&self, event: &str, data: &impl Serialize) -> Result<(), Gone> {
        let Ok(data) = serde_json::to_string(data) else { return Ok(()) };
        let text = format!("event: {event}\ndata: {data}\n\n");
        self.sender.send(text.into()).await.map_err(|_closed| Gone)
    }
}

fn too_many() -> ApiError {
    let message = "Too many pages look on at the box. Close some, then load this one again.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message)
}
