//! What changes about apps, as server-sent events (HTML Living Standard, section 9.2).
//!
//! First each app that its reader sees comes as it is, then what changes. A reader that falls behind is told everything anew. The
//! stream ends with its session.

use crate::accounts::session::Session;
use crate::accounts::session::TokenHash;
use crate::api::Call;
use crate::api::error::ApiError;
use crate::api::error::ErrorBody;
use crate::app::App;
use crate::apps::News;
use crate::apps::Who;
use crate::apps::view;
use crate::apps::view::EndingView;
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
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;

/// Streams at once: a household has a handful of open pages.
const MAX_STREAMS: usize = 64;
/// Events that wait for a slow reader.
const WAITING: usize = 16;
/// A comment this often keeps the connection (the server ends one that stands still), and the session is looked at.
const BEAT: Duration = Duration::from_secs(10);

static STREAMS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MAX_STREAMS)));

/// Whether the box's app service is there.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AppService {
    /// Why not, in plain words.
    problem: Option<String>,
}

/// Tells what changes about apps: `app` with an `AppSummary` (first each app that there is), `gone` with an `AppEnding`, `service` with
/// an `AppService`. What apps use is not told; ask for the app.
#[utoipa::path(
    get,
    path = "/apps/events",
    responses(
        (status = 200, description = "server-sent events, until the session ends", content_type = "text/event-stream"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 503, body = ErrorBody, description = "`too_many_streams`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn watch_apps(call: Call) -> Result<Reply, ApiError> {
    let (token, session) = call.logged_in()?;
    let place = Arc::clone(&STREAMS).try_acquire_owned().map_err(|_full| too_many())?;
    let (sender, pieces) = mpsc::channel(WAITING);
    let reader = Reader { app: Arc::clone(&call.app), token: token.hash(), session: session.clone(), sender };
    tokio::spawn(reader.tell(call.app.apps.news(), place));
    let mut reply = Response::new(ReplyBody::Open(pieces));
    set_header(&mut reply, CONTENT_TYPE, "text/event-stream");
    Ok(reply)
}

fn too_many() -> ApiError {
    let message = "Too many pages watch the box's apps. Close some, then load this one again.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message)
}

struct Reader {
    app: Arc<App>,
    token: TokenHash,
    session: Session,
    sender: mpsc::Sender<Bytes>,
}

/// The reader is gone.
struct Gone;

impl Reader {
    async fn tell(self, mut news: broadcast::Receiver<News>, _place: OwnedSemaphorePermit) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = self.tell_all().await;
        while told.is_ok() {
            // Both are cancel safe: a broadcast keeps what was not taken.
            let came = tokio::select! {
                came = news.recv() => Some(came),
                _ = beat.tick() => None,
                () = self.sender.closed() => return,
            };
            if !self.app.accounts.has_session(&self.token) {
                return;
            }
            told = match came {
                None => self.sender.send(Bytes::from_static(b": beat\n\n")).await.map_err(|_closed| Gone),
                Some(Ok(news)) => self.tell_one(&news).await,
                Some(Err(RecvError::Lagged(_))) => self.tell_all().await,
                Some(Err(RecvError::Closed)) => return,
            };
        }
    }

    async fn tell_all(&self) -> Result<(), Gone> {
        self.tell_one(&News::Service).await?;
        for record in self.app.apps.seen_by(self.who()) {
            self.tell_one(&News::Changed(record.key)).await?;
        }
        Ok(())
    }

    async fn tell_one(&self, news: &News) -> Result<(), Gone> {
        let apps = &self.app.apps;
        match news {
            News::Service => self.send("service", &AppService { problem: apps.problem() }).await,
            News::Changed(key) => match apps.one(self.who(), key) {
                Ok(record) => self.send("app", &view::summary(apps, &record)).await,
                Err(_not_theirs) => Ok(()),
            },
            News::Gone(ending) if self.who().sees(&ending.record) => {
                self.send("gone", &EndingView::from(&**ending)).await
            }
            News::Gone(_) => Ok(()),
        }
    }

    /// JSON has no line ends, so it is one line of data.
    async fn send(&self, event: &str, data: &impl Serialize) -> Result<(), Gone> {
        let Ok(data) = serde_json::to_string(data) else { return Ok(()) };
        let text = format!("event: {event}\ndata: {data}\n\n");
        self.sender.send(text.into()).await.map_err(|_closed| Gone)
    }

    fn who(&self) -> Who<'_> {
        Who { user: &self.session.user, role: self.session.role }
    }
}
