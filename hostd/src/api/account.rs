//! The account of a user: another password.

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::session::bounded_password;
use super::session::typed_new_password;
use super::vault::read_code;
use super::vault::user;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Longest name that is looked at, in bytes; no valid one is longer.
const MAX_NAME: usize = 64 * 4;

/// A change of password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The password until now.
    #[schema(format = Password)]
    old: String,
    /// The password from now on: 10 to 256 characters.
    #[schema(min_length = 10, max_length = 256, format = Password)]
    new: String,
}

/// A password in the place of a forgotten one.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordReset {
    /// Name to log in with.
    name: String,
    /// The recovery code of the user's vault, in any case and with any dashes.
    #[schema(format = Password)]
    recovery_code: String,
    /// The password from now on: 10 to 256 characters.
    #[schema(min_length = 10, max_length = 256, format = Password)]
    new: String,
}

/// Changes the password, of account and vault in one step. All other sessions of the user end.
#[utoipa::path(
    post,
    path = "/account/password",
    request_body = PasswordChange,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, or `foreign_origin`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn change_password(call: Call) -> Result<Reply, ApiError> {
    let request: PasswordChange = call.json()?;
    let (old, new) = (bounded_password(request.old)?, typed_new_password(request.new, "new")?);
    let (user, kept) = (user(&call)?, call.logged_in()?.0.hash());
    let (vaults, accounts) = (&call.app.vaults, &call.app.accounts);
    vaults.change_password(accounts, (&user, call.from), (&old, &new), Some(&kept)).await?;
    tracing::info!(from = %call.from, "a user changed their password");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

/// Gives a user who forgot their password another one, by the recovery code of their vault. All their sessions end.
#[utoipa::path(
    post,
    path = "/account/reset",
    request_body = PasswordReset,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 403, body = ErrorBody, description = "`wrong_key`: of this name, if there is one, it is not the code; or `foreign_origin`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
    )
)]
pub(crate) async fn reset_password(call: Call) -> Result<Reply, ApiError> {
    let request: PasswordReset = call.json()?;
    let code = read_code(&Zeroizing::new(request.recovery_code))?;
    let new = typed_new_password(request.new, "new")?;
    if request.name.len() > MAX_NAME {
        return Err(ApiError::field("name", "name is longer than any name can be."));
    }
    let (vaults, accounts) = (&call.app.vaults, &call.app.accounts);
    vaults.reset_password(accounts, (&request.name, call.from), code, &new).await?;
    tracing::info!(from = %call.from, "a user has a new password by their recovery code");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}
