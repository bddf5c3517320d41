//! An older copy in the place of the store, and accepting it (docs/adr/0019).
//!
//! Nobody can log in: passwords and sessions of the copy may be some that were changed since. What proves the owner is the recovery key of
//! the data, and what is accepted is the rollback that was shown, by its numbers.

use crate::api::Call;
use crate::api::error::ApiError;
use crate::api::error::ErrorBody;
use crate::storage::acceptance;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;
use store::Rollback;
use zeroize::Zeroizing;

/// An older copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OlderCopy {
    /// Number of the start that it is of; nothing for an empty one, or one from before starts were counted.
    #[schema(required = true)]
    store: Option<u64>,
    /// Number of the last start.
    last: u64,
}

/// The older copy that somebody accepts.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptRequest {
    /// The recovery key, in any case and with any dashes.
    #[schema(format = Password)]
    key: String,
    /// What the box has shown.
    rollback: OlderCopy,
}

impl From<Rollback> for OlderCopy {
    fn from(Rollback { store, anchor }: Rollback) -> Self {
        Self { store, last: anchor }
    }
}

/// Accepts the older copy that was shown: everything since is lost. The box starts its service anew with it.
#[utoipa::path(
    post,
    path = "/storage/rollback/confirm",
    request_body = AcceptRequest,
    responses(
        (status = 202, description = "accepted; the box answers again in a moment"),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 403, body = ErrorBody, description = "`wrong_key`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`no_such_rollback`, `data_locked` or `keys_refused`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`keys_unavailable` or `init_unavailable`", headers(("retry-after" = u64))),
    )
)]
pub(crate) async fn confirm(call: Call) -> Result<Reply, ApiError> {
    let request: AcceptRequest = call.json()?;
    let key = Zeroizing::new(request.key);
    let rollback = call.app.rollback.filter(|found| OlderCopy::from(*found) == request.rollback);
    let rollback = rollback.ok_or_else(ApiError::no_such_rollback)?;
    let checked = call.app.storaged.check_recovery_key(&key).await;
    if let Err(error) = &checked {
        tracing::warn!(from = %call.from, error = error as &dyn Error, "somebody failed to accept an older copy");
    }
    checked?;
    acceptance::note(&call.app.run, rollback).map_err(|error| {
        tracing::error!(
            error = &error as &dyn Error,
            "an older copy was accepted and that was not written down"
        );
        ApiError::internal()
    })?;
    tracing::warn!(from = %call.from, "somebody with the recovery key accepted an older copy: {rollback}");
    let again = ControlRequest::Restart { unit: "hostd".to_owned() };
    match crate::api::system::ask(&call.app, again).await? {
        ControlAnswer::Accepted => Ok(empty_reply(StatusCode::ACCEPTED)),
        ControlAnswer::Refused { .. } | ControlAnswer::Logs { .. } => Err(ApiError::internal()),
    }
}
