//! Set-up: somebody with the claim code becomes the owner.

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json_reply;
use super::session::UserView;
use super::session::open_vault;
use super::session::set_cookie;
use crate::accounts::SetUpWish;
use crate::accounts::credentials::Password;
use crate::accounts::credentials::UserName;
use crate::web::Reply;
use hyper::StatusCode;
use model::names::HostName;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

/// What to set up.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUpRequest {
    /// As shown on the box's screen; case, spaces and dashes do not count.
    #[schema(example = "0123-4567-89AB")]
    claim_code: String,
    /// Name for the box: one DNS label, 1 to 63 of `a-z`, `0-9` and `-`, no `-` at an end.
    #[schema(value_type = String, min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    hostname: HostName,
    /// Who is to own it.
    owner: NewOwner,
}

/// Who is to own the box.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOwner {
    /// 1 to 64 characters, none of them a control character.
    #[schema(value_type = String, min_length = 1, max_length = 64)]
    name: UserName,
    /// 10 to 256 characters.
    #[schema(value_type = String, min_length = 10, max_length = 256, format = Password)]
    password: Password,
}

/// What was set up.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SetUpDone {
    /// The owner, who is logged in.
    user: UserView,
    /// The chosen name.
    hostname: String,
    /// Where the box is found from now on.
    url: String,
}

/// Makes the sender the owner and logs them in.
#[utoipa::path(
    post,
    path = "/setup",
    request_body = SetUpRequest,
    responses(
        (status = 201, body = SetUpDone, headers(("set-cookie" = String))),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 403, body = ErrorBody, description = "`wrong_claim_code` with `tries_left`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`already_set_up`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    )
)]
pub(crate) async fn set_up(call: Call) -> Result<Reply, ApiError> {
    let request: SetUpRequest = call.json()?;
    let hostname = request.hostname.clone();
    let wish = SetUpWish {
        claim_code: Zeroizing::new(request.claim_code),
        host_name: request.hostname,
        owner: request.owner.name,
        password: request.owner.password,
    };
    let password = Zeroizing::new(String::from_utf8_lossy(wish.password.as_bytes()).into_owned());
    let (token, session) = call.app.accounts.set_up(wish, call.from).await?;
    open_vault(&call, &session, &password).await;
    tracing::info!(hostname = hostname.as_str(), "the box has an owner");
    let done = SetUpDone {
        user: UserView::of(&session),
        url: call.app.url(&hostname),
        hostname: hostname.to_string(),
    };
    let mut reply = json_reply(StatusCode::CREATED, &done)?;
    set_cookie(&mut reply, &token);
    Ok(reply)
}
