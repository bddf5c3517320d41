//! The HTTP API: one table of routes, one place that decides, one shape of error.
//!
//! ```text
//! request ─ route ─ authorise ─ read body (bounded) ─ handler ─ reply
//!             └────────┴──────────────┴──────────────────┴──── ApiError ─ reply
//! ```
//!
//! A route cannot be written down without saying who may use it ([`Access`]), and a path that is neither in [`ROUTES`] nor in
//! [`OUTSIDE`] is 404: what nobody allowed is denied. Handlers that change something run to their end even when the client hangs up.

mod account;
mod apps;
pub mod authorise;
mod backups;
pub mod body;
pub mod document;
pub mod error;
mod factory_reset;
mod network;
pub mod query;
mod registries;
mod restore;
mod routes;
mod session;
mod setup;
mod status;
mod storage;
mod stream;
mod system;
mod updates;
pub mod upload;
mod users;
mod vault;

pub use routes::OUTSIDE;
pub use routes::ROUTES;

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
use upload::Upload;

/// Where the API lives.
pub const BASE: &str = "/api/v1";

/// One entry of the table.
#[derive(Debug)]
pub struct Route {
    /// Method; a GET route answers HEAD as well.
    pub method: Method,
    /// Path below [`BASE`]; the whole path for those in [`OUTSIDE`]. `{name}` stands for one segment.
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
    /// A JSON body that may hold a whole document of somebody else's.
    LongJson,
    /// A DNS message as body.
    DnsMessage,
    /// A file, handed over while it arrives.
    File,
}

impl Input {
    /// The media type that a body must have.
    const fn media_type(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Json | Self::LongJson => Some("application/json"),
            Self::DnsMessage => Some(network::dns::MEDIA_TYPE),
            Self::File => Some(vault::files::MEDIA_TYPE),
        }
    }
}

type Handler = fn(Call) -> BoxFuture<'static, Result<Reply, ApiError>>;

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
    /// What stands for `{name}` in the path, decoded; `None` where it cannot be.
    name: Option<String>,
    query: String,
    body: Bytes,
    upload: Option<Upload>,
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
    let (result, close) = match admit(app, &parts, visitor.address()) {
        // The body is read even when the answer is known: closing a connection on a client that still sends loses the answer.
        Err(error) => (Err(error), body::read(incoming, 0).await.is_err_and(|error| error.closes())),
        Ok(admitted) => {
            let call = Call {
                app: Arc::clone(app),
                from: visitor.address(),
                login: admitted.login,
                name: admitted.name,
                query: parts.uri.query().unwrap_or_default().to_owned(),
                body: Bytes::new(),
                upload: None,
            };
            match admitted.route.input {
                Input::File => run_with_file(admitted.route, call, &parts.headers, incoming, visitor).await,
                Input::Nothing | Input::Json | Input::LongJson | Input::DnsMessage => {
                    run_with_body(admitted.route, call, &parts.headers, incoming, visitor).await
                }
            }
        }
    };
    let mut reply = result.unwrap_or_else(|error| error.into_reply());
    if close {
        reply.headers_mut().insert(hyper::header::CONNECTION, HeaderValue::from_static("close"));
    }
    reply.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    reply
}

/// Reads the body, then has the handler work. Says whether the connection must be closed.
async fn run_with_body<B>(
    route: &'static Route,
    call: Call,
    headers: &HeaderMap,
    incoming: B,
    visitor: &Visitor,
) -> (Result<Reply, ApiError>, bool)
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Error + Send + Sync + 'static,
{
    let most = match route.input {
        Input::Nothing | Input::File => 0,
        Input::Json | Input::DnsMessage => body::MAX_BYTES,
        Input::LongJson => body::MAX_LONG_BYTES,
    };
    let takes_body = most > 0;
    match body::read(incoming, most).await {
        Err(error) if takes_body || error.closes() => {
            let close = error.closes();
            (Err(error), close)
        }
        read => {
            let _busy = visitor.busy();
            (run(route, Call { body: read.unwrap_or_default(), ..call }, headers).await, false)
        }
    }
}

/// Has the handler work while the body arrives. A connection is as little in use by that as by any other request that arrives.
async fn run_with_file<B>(
    route: &'static Route,
    call: Call,
    headers: &HeaderMap,
    incoming: B,
    visitor: &Visitor,
) -> (Result<Reply, ApiError>, bool)
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Error + Send + Sync + 'static,
{
    let (source, upload) = upload::channel();
    let (arrived, result) = tokio::join!(
        async {
            let arrived = source.feed(incoming).await;
            (arrived, visitor.busy())
        },
        run(route, Call { upload: Some(upload), ..call }, headers)
    );
    (result, arrived.0.is_err())
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

/// A request that is let in.
struct Admitted {
    route: &'static Route,
    /// Who asks, where that is known.
    login: Option<(Token, Session)>,
    name: Option<String>,
}

/// Finds the route and decides; this is the only way to a handler.
fn admit(app: &App, parts: &Parts, from: IpAddr) -> Result<Admitted, ApiError> {
    let (route, segment) = find(&parts.method, parts.uri.path())?;
    let login = authorise::authorise(app, route.access, parts, from)?;
    Ok(Admitted { route, login, name: segment.and_then(query::decode_segment) })
}

/// The route, and what stands for the name in it.
fn find<'a>(method: &Method, path: &'a str) -> Result<(&'static Route, Option<&'a str>), ApiError> {
    let (table, path) = path.strip_prefix(BASE).map_or((OUTSIDE, path), |below| (ROUTES, below));
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = Vec::new();
    for route in table {
        let Some(segment) = fit(route.path, path) else { continue };
        if route.method == *wanted {
            return Ok((route, segment));
        }
        allowed.push(route.method.as_str());
    }
    if allowed.is_empty() { Err(ApiError::not_found()) } else { Err(ApiError::method_not_allowed(&allowed)) }
}

/// Whether a path is a route's, and what stands for the name in it.
fn fit<'a>(route: &str, path: &'a str) -> Option<Option<&'a str>> {
    let Some((before, after)) = route.split_once("{name}") else { return (route == path).then_some(None) };
    let segment = path.strip_prefix(before)?.strip_suffix(after)?;
    (!segment.is_empty() && !segment.contains('/')).then_some(Some(segment))
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
