//! Plain HTTP: the welcome page before set-up, the authority's certificate, and the way to HTTPS. Nothing secret passes here.

use super::Reply;
use super::empty_reply;
use super::reply;
use super::set_header;
use super::welcome;
use crate::app::App;
use crate::household::authority::Authority;
use crate::state::BoxState;
use hyper::Method;
use hyper::Request;
use hyper::StatusCode;
use hyper::header::ALLOW;
use hyper::header::CACHE_CONTROL;
use hyper::header::CONTENT_DISPOSITION;
use hyper::header::CONTENT_SECURITY_POLICY;
use hyper::header::HOST;
use hyper::header::HeaderValue;
use hyper::header::LOCATION;

/// Answers one request.
#[must_use]
pub fn answer<B>(app: &App, request: &Request<B>) -> Reply {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/ca.crt" => certificate(request.method(), &app.authority),
        "/" if reads => {
            let summary = app.summary();
            if summary.state != BoxState::Setup {
                return redirect(app, request);
            }
            let asked = host_of(request).and_then(|host| app.names().ours(host));
            let host = asked.unwrap_or_else(|| summary.host_name.local());
            let page =
                welcome::page(&format!("https://{host}{}/", app.port_suffix()), &app.authority.fingerprint());
            let mut reply = reply(StatusCode::OK, "text/html; charset=utf-8", page);
            set_header(&mut reply, CONTENT_SECURITY_POLICY, &welcome::policy());
            // The same address is a redirect after set-up.
            reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            reply
        }
        _ if reads && app.summary().state == BoxState::Setup && is_lost(app, request) => to_welcome(app),
        _ => redirect(app, request),
    }
}

/// The authority's certificate as a file that phones and computers offer to install.
#[must_use]
pub fn certificate(method: &Method, authority: &Authority) -> Reply {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut reply = empty_reply(StatusCode::METHOD_NOT_ALLOWED);
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return reply;
    }
    let mut reply = reply(StatusCode::OK, "application/x-x509-ca-cert", authority.pem());
    let name = HeaderValue::from_static("attachment; filename=\"hearth-ca.crt\"");
    reply.headers_mut().insert(CONTENT_DISPOSITION, name);
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Somebody looks for another site and is here: the box's own network for set-up, where every name is the box (docs/spec/wifi.md). Phones open
/// a page by themselves when a site that they know leads elsewhere. Not to HTTPS: that page would begin with a warning.
fn to_welcome(app: &App) -> Reply {
    let mut reply = empty_reply(StatusCode::FOUND);
    set_header(&mut reply, LOCATION, &format!("http://{}/", app.summary().host_name.local()));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// 308 keeps the method, so that nothing is turned into a GET behind a program's back.
fn redirect<B>(app: &App, request: &Request<B>) -> Reply {
    let names = app.names();
    let host =
        host_of(request).and_then(|host| names.ours(host)).unwrap_or_else(|| app.summary().host_name.local());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path } else { "/" };
    let mut reply = empty_reply(StatusCode::PERMANENT_REDIRECT);
    set_header(&mut reply, LOCATION, &format!("https://{host}{}{path}", app.port_suffix()));
    // The name and the port may change; a redirect that a browser remembers for ever could not be taken back.
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Whether a request names another host than this box.
fn is_lost<B>(app: &App, request: &Request<B>) -> bool {
    host_of(request).is_some_and(|host| app.names().ours(host).is_none())
}

fn host_of<B>(request: &Request<B>) -> Option<&str> {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    request.uri().authority().map(hyper::http::uri::Authority::as_str).or(header)
}
