//! What is not the API: the console's files, plain HTTP, and the headers on everything.

pub mod body;
pub mod console;
pub mod headers;
pub mod hosts;
pub mod plain;
pub mod welcome;

use body::ReplyBody;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;

/// An answer.
pub type Reply = Response<ReplyBody>;

/// An answer with a body.
#[must_use]
pub fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(ReplyBody::from(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// An answer without a body.
#[must_use]
pub fn empty_reply(status: StatusCode) -> Reply {
    let mut reply = Response::new(ReplyBody::default());
    *reply.status_mut() = status;
    reply
}

/// Sets a header to a text made here; a text that cannot stand in a header is left out.
pub fn set_header(reply: &mut Reply, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => {
            reply.headers_mut().insert(name, value);
        }
        Err(_control_character) => tracing::error!(header = name.as_str(), "a header value is not printable"),
    }
}
