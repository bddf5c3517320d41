//! Wi-Fi: what the owner wants of it.

use super::schema;
use crate::api::Call;
use crate::api::error::ApiError;
use crate::api::error::ErrorBody;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use model::network::wifi::WifiWish;

/// Looks around, joins or forgets a wireless network, or sets the country.
///
/// To join is tried after the answer; `wifi` of `GET /network` says what came of it. A password that the network does not accept is forgotten.
#[utoipa::path(
    post,
    path = "/network/wifi",
    request_body = schema::WifiWish,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`network_refused`: no wireless device, or no such network"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn wish(call: Call) -> Result<Reply, ApiError> {
    let wish: WifiWish = call.json()?;
    call.app.netd.wifi(&wish).await?;
    tracing::info!(?wish, "the owner wants something of Wi-Fi");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}
