//! What everybody on the network may know.

use super::Call;
use super::error::ApiError;
use super::json_reply;
use super::storage::KeyKind;
use super::storage::rollback::OlderCopy;
use crate::state::BoxState;
use crate::web::Reply;
use crate::web::plain::certificate;
use hyper::Method;
use hyper::StatusCode;
use serde::Serialize;

/// State of the box.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Status {
    /// `setup` until an owner exists, then `ready`, or `degraded` with reasons; `locked` until the data is open.
    state: BoxState,
    /// Version of the running slot.
    version: String,
    /// Board the image was made for.
    board: String,
    /// Running slot.
    slot: String,
    /// Name on the home network, without `.local`.
    hostname: String,
    /// What does not work, in plain words.
    reasons: Vec<String>,
    /// What can be typed to unlock the data; nothing unless the state is `locked`.
    #[schema(value_type = Vec<KeyKind>)]
    takes: Vec<model::storage::KeyKind>,
    /// An older copy that stands in the place of what the box had saved; nothing of it is used.
    rollback: Option<OlderCopy>,
}

/// The state of the box.
#[utoipa::path(get, path = "/status", responses((status = 200, body = Status)))]
pub(crate) async fn show_status(call: Call) -> Result<Reply, ApiError> {
    let summary = call.app.summary();
    let release = super::system::Release::of(&call.app);
    let status = Status {
        state: summary.state,
        version: release.version,
        board: release.board,
        slot: release.slot,
        hostname: summary.host_name.to_string(),
        reasons: summary.reasons,
        takes: call.app.takes().to_vec(),
        rollback: call.app.rollback.map(OlderCopy::from),
    };
    json_reply(StatusCode::OK, &status)
}

/// The household authority's certificate, PEM.
#[utoipa::path(
    get,
    path = "/ca.crt",
    responses((status = 200, body = String, content_type = "application/x-x509-ca-cert"))
)]
pub(crate) async fn show_certificate(call: Call) -> Result<Reply, ApiError> {
    Ok(certificate(&Method::GET, &call.app.authority))
}
