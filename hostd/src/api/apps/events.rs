//! What changes about apps, as server-sent events (HTML Living Standard, section 9.2).
//!
//! First each app that its reader sees comes as it is, then what changes. A reader that falls behind is told everything anew. The
//! stream ends with its session.

use crate::accounts::session::Session;
use crate::api::Call;
use crate::api::error::ApiError;
use crate::api::error::ErrorBody;
use crate::api::stream;
use crate::api::stream::Gone;
use crate::api::stream::Stream;
use crate::app::App;
use crate::apps::News;
use crate::apps::Who;
use crate::apps::view;
use crate::apps::view::EndingView;
use crate::web::Reply;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

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
    let (stream, reply) = Stream::open(&call)?;
    let session = call.logged_in()?.1.clone();
    let reader = Reader { app: Arc::clone(&call.app), session, stream };
    tokio::spawn(reader.tell(call.app.apps.news()));
    Ok(reply)
}

struct Reader {
    app: Arc<App>,
    session: Session,
    stream: Stream,
}

impl Reader {
    async fn tell(self, mut news: broadcast::Receiver<News>) {
        let mut beat = stream::beat();
        let mut told = self.tell_all().await;
        while told.is_ok() {
            // Both are cancel safe: a broadcast keeps what was not taken.
            let came = tokio::select! {
                came = news.recv() => Some(came),
                _ = beat.tick() => None,
                () = self.stream.closed() => return,
            };
            if !self.stream.may_go_on() {
                return;
            }
            told = match came {
                None => self.stream.beat().await,
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
            News::Service => self.stream.send("service", &AppService { problem: apps.problem() }).await,
            News::Changed(key) => match apps.one(self.who(), key) {
                Ok(record) => self.stream.send("app", &view::summary(apps, &record)).await,
                Err(_not_theirs) => Ok(()),
            },
            News::Gone(ending) if self.who().sees(&ending.record) => {
                self.stream.send("gone", &EndingView::from(&**ending)).await
            }
            News::Gone(_) => Ok(()),
        }
    }

    fn who(&self) -> Who<'_> {
        Who { user: &self.session.user, role: self.session.role }
    }
}
