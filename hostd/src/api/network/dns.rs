//! DNS over HTTPS for devices in the home network (RFC 8484), when the owner turned it on. netd's resolver answers; this only
//! carries messages to it.

use crate::api::Call;
use crate::api::error::ApiError;
use crate::api::error::ErrorBody;
use crate::api::query::Query;
use crate::web::Reply;
use crate::web::reply;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;

/// Media type of DNS messages (RFC 8484 section 6).
pub(crate) const MEDIA_TYPE: &str = "application/dns-message";

/// Answers a DNS message in the query.
#[utoipa::path(
    get,
    path = "/dns-query",
    params(("dns" = String, Query, description = "the message, base64url without padding (RFC 8484 section 4.1)")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/dns-message"),
        (status = 400, body = ErrorBody, description = "`malformed_dns`"),
        (status = 403, body = ErrorBody, description = "`dns_not_served` or `not_at_home`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    )
)]
pub(crate) async fn answer_get(call: Call) -> Result<Reply, ApiError> {
    let query = Query::parse(&call.query, &["dns"])?;
    let text = query.require("dns")?;
    let message = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_error| ApiError::field("dns", "dns must be base64url without padding."))?;
    answer(&call, &message).await
}

/// Answers a DNS message in the body.
#[utoipa::path(
    post,
    path = "/dns-query",
    request_body(content = Vec<u8>, content_type = "application/dns-message"),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/dns-message"),
        (status = 400, body = ErrorBody, description = "`malformed_dns`"),
        (status = 403, body = ErrorBody, description = "`dns_not_served`, `not_at_home` or `foreign_origin`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    )
)]
pub(crate) async fn answer_post(call: Call) -> Result<Reply, ApiError> {
    answer(&call, &call.body).await
}

async fn answer(call: &Call, message: &[u8]) -> Result<Reply, ApiError> {
    let answer = call.app.netd.answer_dns(message, call.from).await?;
    if answer.is_empty() {
        let message = "This is no DNS question that can be answered.";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "malformed_dns", message));
    }
    Ok(reply(StatusCode::OK, MEDIA_TYPE, answer))
}
