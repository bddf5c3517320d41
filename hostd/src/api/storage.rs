//! The encrypted data: how it was opened, unlocking it, and other keys for it. storaged does it; this decides who may ask.

mod health;
pub(crate) mod rollback;
mod schema;

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json_reply;
use crate::accounts::Refusal;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;
use zeroize::Zeroizing;

pub(crate) use schema::KeyKind;

/// What opens the locked data.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnlockRequest {
    /// The recovery key, in any case and with any dashes, or the passphrase.
    #[schema(format = Password)]
    key: String,
}

/// The owner's password once more: a screen that was left alone must not give a key away.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnerAgain {
    /// Of whoever is logged in.
    #[schema(format = Password)]
    password: String,
}

/// Which key is changed.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rotated {
    /// The system key, under which the box keeps the keys of its stores.
    System,
    /// The volume key, under which everything on the disk is encrypted.
    Data,
}

/// A key that is to be changed.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateRequest {
    /// Which one.
    what: Rotated,
    /// Of whoever is logged in.
    #[schema(format = Password)]
    password: String,
    /// For `data` alone: it is carried over to the new volume key.
    #[serde(default)]
    #[schema(format = Password)]
    recovery_key: Option<String>,
}

/// What the box is to ask for at each start.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PassphraseRequest {
    /// Of whoever is logged in.
    #[schema(format = Password)]
    password: String,
    /// At least twelve letters.
    #[schema(format = Password)]
    passphrase: String,
}

/// The end of a key on paper.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmRequest {
    /// Its last two groups, in any case and with any dashes.
    #[schema(example = "T4GK-1VSX")]
    end: String,
}

/// A new recovery key.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct NewRecoveryKey<'a> {
    /// In groups, to be written down; it is told only here.
    #[schema(example = "7Q2M-XVD9-FTHK-3WPZ-80RC-N5JE-B6YA-T4GK-1VSX")]
    recovery_key: &'a str,
}

/// How the data was opened, and what opens it.
#[utoipa::path(
    get,
    path = "/storage",
    responses(
        (status = 200, body = schema::StorageReport),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 503, body = ErrorBody, description = "`keys_unavailable`", headers(("retry-after" = u64))),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_storage(call: Call) -> Result<Reply, ApiError> {
    json_reply(StatusCode::OK, &call.app.storaged.report().await?)
}

/// How the disk is, how much room is left, and what of that matters.
#[utoipa::path(
    get,
    path = "/storage/health",
    responses(
        (status = 200, body = health::HealthReport),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 503, body = ErrorBody, description = "`keys_unavailable`", headers(("retry-after" = u64))),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_health(call: Call) -> Result<Reply, ApiError> {
    json_reply(StatusCode::OK, &call.app.storaged.health().await?)
}

/// Opens the locked data with a key that somebody typed.
///
/// With the right one the box stops its services, mounts the data and starts them again; it does not answer meanwhile.
#[utoipa::path(
    post,
    path = "/storage/unlock",
    request_body = UnlockRequest,
    responses(
        (status = 202, description = "it is open; the box answers again in a moment"),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 403, body = ErrorBody, description = "`wrong_key`: nothing was changed, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`not_locked`, or `keys_refused`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`keys_unavailable`", headers(("retry-after" = u64))),
    )
)]
pub(crate) async fn unlock(call: Call) -> Result<Reply, ApiError> {
    let request: UnlockRequest = call.json()?;
    let key = Zeroizing::new(request.key);
    let opened = call.app.storaged.unlock(&key).await;
    match &opened {
        Ok(()) => tracing::info!(from = %call.from, "somebody unlocked the data with a key they typed"),
        Err(error) => {
            tracing::warn!(from = %call.from, error = error as &dyn Error, "somebody failed to unlock the data");
        }
    }
    opened?;
    Ok(empty_reply(StatusCode::ACCEPTED))
}

/// Makes a new recovery key. Those before stay in force until its end was typed back.
#[utoipa::path(
    post,
    path = "/storage/recovery-key",
    request_body = OwnerAgain,
    responses(
        (status = 200, body = NewRecoveryKey<'_>),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`data_locked`, or `keys_refused`: nothing was changed"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`keys_unavailable` or `busy`", headers(("retry-after" = u64))),
    ),
    security(("session" = []))
)]
pub(crate) async fn make_recovery_key(call: Call) -> Result<Reply, ApiError> {
    check_password(&call, call.json::<OwnerAgain>()?.password).await?;
    let key = call.app.storaged.new_recovery_key().await?;
    tracing::info!(from = %call.from, "the owner had a new recovery key made");
    json_reply(StatusCode::OK, &NewRecoveryKey { recovery_key: &key })
}

/// Shows that the new recovery key is on paper; from then on it is the only one.
#[utoipa::path(
    post,
    path = "/storage/recovery-key/confirm",
    request_body = ConfirmRequest,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`not_its_end`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`nothing_to_confirm`, `data_locked` or `keys_refused`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`keys_unavailable`", headers(("retry-after" = u64))),
    ),
    security(("session" = []))
)]
pub(crate) async fn confirm_recovery_key(call: Call) -> Result<Reply, ApiError> {
    let request: ConfirmRequest = call.json()?;
    let end = Zeroizing::new(request.end);
    call.app.storaged.confirm_recovery_key(&end).await?;
    tracing::info!(from = %call.from, "the owner has the new recovery key on paper");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

/// Seals the data to the box as it is now, so that it opens by itself at the next start.
#[utoipa::path(
    post,
    path = "/storage/seal",
    request_body = OwnerAgain,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`data_locked`, or `keys_refused`: nothing was changed"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`keys_unavailable` or `busy`", headers(("retry-after" = u64))),
    ),
    security(("session" = []))
)]
pub(crate) async fn seal(call: Call) -> Result<Reply, ApiError> {
    check_password(&call, call.json::<OwnerAgain>()?.password).await?;
    call.app.storaged.seal_anew().await?;
    tracing::info!(from = %call.from, "the owner had the data sealed to the box as it is now");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

/// Has the box ask for a passphrase at each start, in place of the key on the boot partition, which whoever takes the disk reads.
///
/// It is locked then until somebody types it. Only for boxes without a security chip, and only once there is a recovery key.
#[utoipa::path(
    post,
    path = "/storage/passphrase",
    request_body = PassphraseRequest,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`data_locked`, or `keys_refused`: nothing was changed"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`keys_unavailable` or `busy`", headers(("retry-after" = u64))),
    ),
    security(("session" = []))
)]
pub(crate) async fn set_passphrase(call: Call) -> Result<Reply, ApiError> {
    let request: PassphraseRequest = call.json()?;
    let passphrase = Zeroizing::new(request.passphrase);
    check_password(&call, request.password).await?;
    call.app.storaged.set_passphrase(&passphrase).await?;
    tracing::info!(from = %call.from, "the owner has the box ask for a passphrase at each start");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

/// Puts a new key in the place of one that the box keeps for itself.
///
/// The volume key takes as long as writing the whole disk; `GET /storage` tells how far it is, and no other key changes meanwhile.
#[utoipa::path(
    post,
    path = "/storage/rotate",
    request_body = RotateRequest,
    responses(
        (status = 202, description = "`data`: the change has begun"),
        (status = 204, description = "`system`: it is done"),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, `wrong_key`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`data_locked`, or `keys_refused`: nothing was changed"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`keys_unavailable` or `busy`", headers(("retry-after" = u64))),
    ),
    security(("session" = []))
)]
pub(crate) async fn rotate(call: Call) -> Result<Reply, ApiError> {
    let request: RotateRequest = call.json()?;
    let recovery_key = request.recovery_key.map(Zeroizing::new);
    check_password(&call, request.password).await?;
    let status = match (request.what, recovery_key) {
        (Rotated::System, None) => {
            call.app.storaged.rotate_system_key().await?;
            StatusCode::NO_CONTENT
        }
        (Rotated::Data, Some(recovery_key)) => {
            call.app.storaged.rotate_volume_key(&recovery_key).await?;
            StatusCode::ACCEPTED
        }
        (Rotated::System, Some(_)) => {
            return Err(ApiError::field("recovery_key", "The system key does not take one."));
        }
        (Rotated::Data, None) => {
            return Err(ApiError::field("recovery_key", "The recovery key is needed: it stays what it is."));
        }
    };
    tracing::info!(from = %call.from, what = ?request.what, "the owner had a key changed");
    Ok(empty_reply(status))
}

/// Wrong ones count as at login.
pub(super) async fn check_password(call: &Call, password: String) -> Result<(), ApiError> {
    let password = super::session::bounded_password(password)?;
    let (_, session) = call.logged_in()?;
    match call.app.accounts.check_password(&session.user, password, call.from).await {
        // 401 would say that the session has ended.
        Err(Refusal::WrongCredentials) => {
            tracing::warn!(from = %call.from, "a change of the data was asked for with a wrong password");
            Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_password", "That is not your password."))
        }
        checked => Ok(checked?),
    }
}
