//! The HTTP API: one table of routes, one place that decides, one shape of error.
//!
//! ```text
//! request ─ route ─ authorise ─ read body (bounded) ─ handler ─ reply
//!             └────────┴──────────────┴──────────────────┴──── ApiError ─ reply
//! ```
//!
//! A route cannot be written down without saying who may use it ([`Access`]), and a path that is neither in [`ROUTES`] nor in
//! [`OUTSIDE`] is 404: what nobody allowed is denied. Handlers that change something run to their end even when the client hangs up.

pub mod authorise;
pub mod body;
pub mod document;
pub mod error;
mod factory_reset;
mod network;
pub mod query;
mod session;
mod setup;
mod status;
mod storage;
mod system;

use crate::accounts::session::Session;
use crate::accounts::session::Token;
use crate::app::App;
use crate::server::Visitor;
use crate::web::Reply;
use crate::web::reply;
use authorise::Access;
use body::decode;
use error::ApiError;
use futures_util::future::BoxFuture;
use hyper::HeaderMap;
use hyper::Method;
use hyper::Request;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::header::CACHE_CONTROL;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

/// Where the API lives.
pub const BASE: &str = "/api/v1";

/// One entry of the table.
#[derive(Debug)]
pub struct Route {
    /// Method; a GET route answers HEAD as well.
    pub method: Method,
    /// Path below [`BASE`]; the whole path for those in [`OUTSIDE`].
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// What it takes.
    pub input: Input,
    handler: Handler,
}

/// What a route takes besides its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing; a body is ignored.
    Nothing,
    /// A JSON body.
    Json,
    /// A DNS message as body.
    DnsMessage,
}

impl Input {
    /// The media type that a body must have.
    const fn media_type(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Json => Some("application/json"),
            Self::DnsMessage => Some(network::dns::MEDIA_TYPE),
        }
    }
}

type Handler = fn(Call) -> BoxFuture<'static, Result<Reply, ApiError>>;

/// Everything there is.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/status",
        access: Access::Public,
        input: Input::Nothing,
        handler: |call| Box::pin(status::show_status(call)),
    },
    Route {
        method: Method::GET,
        path: "/openapi.json",
        access: Access::Public,
        input: Input::Nothing,
        handler: |call| Box::pin(document::show_document(call)),
    },
    Route {
        method: Method::GET,
        path: "/ca.crt",
        access: Access::Public,
        input: Input::Nothing,
        handler: |call| Box::pin(status::show_certificate(call)),
    },
    Route {
        method: Method::POST,
        path: "/setup",
        access: Access::SetUpOnly,
        input: Input::Json,
        handler: |call| Box::pin(setup::set_up(call)),
    },
    Route {
        method: Method::POST,
        path: "/session",
        access: Access::Public,
        input: Input::Json,
        handler: |call| Box::pin(session::log_in(call)),
    },
    Route {
        method: Method::GET,
        path: "/session",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(session::show_session(call)),
    },
    Route {
        method: Method::DELETE,
        path: "/session",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(session::log_out(call)),
    },
    Route {
        method: Method::GET,
        path: "/system",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(system::show_system(call)),
    },
    Route {
        method: Method::GET,
        path: "/network",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(network::show_network(call)),
    },
    Route {
        method: Method::GET,
        path: "/network/settings",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(network::settings::show_settings(call)),
    },
    Route {
        method: Method::PUT,
        path: "/network/settings",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(network::settings::change_settings(call)),
    },
    Route {
        method: Method::POST,
        path: "/network/settings/confirm",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(network::settings::confirm_settings(call)),
    },
    Route {
        method: Method::GET,
        path: "/network/policy",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(network::show_policy(call)),
    },
    Route {
        method: Method::GET,
        path: "/network/explain",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(network::explain(call)),
    },
    Route {
        method: Method::GET,
        path: "/network/dns.mobileconfig",
        access: Access::HomeNetwork,
        input: Input::Nothing,
        handler: |call| Box::pin(network::profile::show_profile(call)),
    },
    Route {
        method: Method::GET,
        path: "/storage",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(storage::show_storage(call)),
    },
    Route {
        method: Method::GET,
        path: "/storage/health",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(storage::show_health(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/unlock",
        access: Access::LockedOnly,
        input: Input::Json,
        handler: |call| Box::pin(storage::unlock(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/recovery-key",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(storage::make_recovery_key(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/recovery-key/confirm",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(storage::confirm_recovery_key(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/seal",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(storage::seal(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/rotate",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(storage::rotate(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/rollback/confirm",
        access: Access::OlderCopyOnly,
        input: Input::Json,
        handler: |call| Box::pin(storage::rollback::confirm(call)),
    },
    Route {
        method: Method::GET,
        path: "/logs",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(system::show_logs(call)),
    },
    Route {
        method: Method::POST,
        path: "/system/reboot",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(system::reboot(call)),
    },
    Route {
        method: Method::POST,
        path: "/system/poweroff",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(system::power_off(call)),
    },
    Route {
        method: Method::POST,
        path: "/system/factory-reset",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(factory_reset::reset(call)),
    },
];

/// Addresses that other standards fix, outside of [`BASE`].
pub static OUTSIDE: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/dns-query",
        access: Access::HomeNetwork,
        input: Input::Nothing,
        handler: |call| Box::pin(network::dns::answer_get(call)),
    },
    Route {
        method: Method::POST,
        path: "/dns-query",
        access: Access::HomeNetwork,
        input: Input::DnsMessage,
        handler: |call| Box::pin(network::dns::answer_post(call)),
    },
];

/// Whether a path is for [`answer`].
#[must_use]
pub fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/") || OUTSIDE.iter().any(|route| route.path == path)
}

/// A request that was let in.
#[derive(Debug)]
pub struct Call {
    /// What all share.
    pub app: Arc<App>,
    /// Where it came from.
    pub from: IpAddr,
    /// Who asks, on routes that need a login.
    pub login: Option<(Token, Session)>,
    query: String,
    body: Bytes,
}

impl Call {
    /// The body as a value.
    fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        decode(&self.body)
    }

    /// Who asks. The authorisation let nobody else reach a handler that calls this.
    fn logged_in(&self) -> Result<&(Token, Session), ApiError> {
        self.login.as_ref().ok_or_else(ApiError::not_logged_in)
    }
}

/// Answers one request for which [`is_api`] holds.
pub async fn answer<B>(app: &Arc<App>, request: Request<B>, visitor: &Visitor) -> Reply
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Error + Send + Sync + 'static,
{
    let (parts, incoming) = request.into_parts();
    let let_in = admit(app, &parts, visitor.address());
    // The body is read even when the answer is known: closing a connection on a client that still sends loses the answer.
    let takes_body = matches!(&let_in, Ok((route, _)) if route.input != Input::Nothing);
    let kept = if takes_body { body::MAX_BYTES } else { 0 };
    let read = body::read(incoming, kept).await;
    let close = matches!(read, Err(ref error) if error.closes());
    let result = match (let_in, read) {
        (Err(error), _) => Err(error),
        (Ok(_), Err(error)) if takes_body || error.closes() => Err(error),
        (Ok((route, login)), read) => {
            let call = Call {
                app: Arc::clone(app),
                from: visitor.address(),
                login,
                query: parts.uri.query().unwrap_or_default().to_owned(),
                body: read.unwrap_or_default(),
            };
            let _busy = visitor.busy();
            run(route, call, &parts.headers).await
        }
    };
    let mut reply = result.unwrap_or_else(|error| error.into_reply());
    if close {
        reply.headers_mut().insert(hyper::header::CONNECTION, HeaderValue::from_static("close"));
    }
    reply.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    reply
}

async fn run(route: &'static Route, call: Call, headers: &HeaderMap) -> Result<Reply, ApiError> {
    if let Some(wanted) = route.input.media_type() {
        body::require_type(headers, wanted)?;
    }
    if route.method == Method::GET {
        return (route.handler)(call).await;
    }
    tokio::spawn((route.handler)(call)).await.unwrap_or_else(|error| {
        tracing::error!(route = route.path, error = &error as &dyn Error, "a request handler panicked");
        Err(ApiError::internal())
    })
}

/// Who asks, where that is known.
type Login = Option<(Token, Session)>;

/// Finds the route and decides; this is the only way to a handler.
fn admit(app: &App, parts: &Parts, from: IpAddr) -> Result<(&'static Route, Login), ApiError> {
    let route = find(&parts.method, parts.uri.path())?;
    let login = authorise::authorise(app, route.access, parts, from)?;
    Ok((route, login))
}

fn find(method: &Method, path: &str) -> Result<&'static Route, ApiError> {
    let (table, path) = path.strip_prefix(BASE).map_or((OUTSIDE, path), |below| (ROUTES, below));
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = Vec::new();
    for route in table.iter().filter(|route| route.path == path) {
        if route.method == *wanted {
            return Ok(route);
        }
        allowed.push(route.method.as_str());
    }
    if allowed.is_empty() { Err(ApiError::not_found()) } else { Err(ApiError::method_not_allowed(&allowed)) }
}

fn json_reply(status: StatusCode, value: &impl Serialize) -> Result<Reply, ApiError> {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(reply(status, "application/json", body)),
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "an answer cannot be written as JSON");
            Err(ApiError::internal())
        }
    }
}
