//! Making the box new: everything its people keep on it is erased.

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::storage;
use super::system;
use crate::web::Reply;
use model::control::ControlRequest;
use serde::Deserialize;

/// Two things that nobody types by mistake.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactoryReset {
    /// The name of the box.
    #[schema(example = "hearth")]
    hostname: String,
    /// Of whoever is logged in.
    #[schema(format = Password)]
    password: String,
}

/// Erases everything and begins anew. The box restarts for it and then waits to be set up, with another household certificate.
#[utoipa::path(
    post,
    path = "/system/factory-reset",
    request_body = FactoryReset,
    responses(
        (status = 202),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, or `foreign_origin`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`init_unavailable` or `busy`", headers(("retry-after" = u64))),
    ),
    security(("session" = []))
)]
pub(crate) async fn reset(call: Call) -> Result<Reply, ApiError> {
    let request: FactoryReset = call.json()?;
    // The name on the network may be another than the chosen one; whoever typed either means this box.
    let names = [call.app.chosen_name(), call.app.summary().host_name];
    let typed = request.hostname.trim().to_ascii_lowercase();
    if !names.iter().any(|name| typed == name.to_string()) {
        return Err(ApiError::field("hostname", "That is not the name of this box."));
    }
    storage::check_password(&call, request.password).await?;
    tracing::warn!(from = %call.from, "the owner has everything on this box erased");
    system::switch(&call.app, ControlRequest::FactoryReset).await
}
