//! The vault of whoever is logged in: what it shows, opening and locking it, its recovery code.

pub(super) mod files;
mod refused;

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json_reply;
use super::session::bounded_password;
use super::session::typed_new_password;
use crate::accounts::credentials::UserName;
use crate::vaults::Summary;
use crate::vaults::VaultState;
use crate::vaults::restored::Progress;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use vault::RecoveryCode;
use vault::directory::Locking;
use zeroize::Zeroizing;

/// How long locking waits for the user's apps to end; what takes longer is hidden when it has ended.
const APPS_END: Duration = Duration::from_secs(30);
/// Longest recovery code that is looked at, in bytes.
const MAX_CODE: usize = 256;

/// A vault.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct VaultView {
    /// What it shows: everything, nothing, only files that were in use when it was locked, or nothing while its key is
    /// being changed; or there is none before the next login.
    state: State,
    /// Whether somebody has shown to have the recovery code on paper.
    has_recovery_code: bool,
    /// Whether a new code was made whose end nobody has typed back yet.
    is_waiting_for_confirmation: bool,
    /// Why its files could not be shown, or its key not be changed, though the password was right, or which files from a backup could not be
    /// opened, in plain words.
    problem: Option<String>,
    /// How far the opening of files from a backup is; the state is `busy` while that runs, and `open` afterwards.
    opening: Option<OpeningView>,
    /// Seconds without a request after which it is locked.
    idle_seconds: u64,
    /// The change of its key that is under way.
    rotation: Option<RotationView>,
}

/// How far a change of a vault's key is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = VaultRotation)]
pub(crate) struct RotationView {
    /// How much is encrypted with the new key.
    #[schema(maximum = 100)]
    percent: u8,
}

/// How far the opening of files from a backup is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct OpeningView {
    /// Files done.
    files: u64,
    /// Files in all; 0 while that is not known.
    files_total: u64,
    /// Bytes done.
    bytes: u64,
    /// Bytes in all; 0 while that is not known.
    bytes_total: u64,
}

/// What a vault shows.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = VaultState)]
pub(crate) enum State {
    /// Everything.
    Open,
    /// Nothing.
    Locked,
    /// Files from a backup are being opened (`opening`), or its key is being changed (`rotation`); else only files that were in use when it was
    /// locked.
    Busy,
    /// There is none yet.
    None,
}

/// What opens a vault: a password or a recovery code, or both.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnlockVaultRequest {
    /// The password. Beside a recovery code: the account's, which the vault is to have from now on.
    #[schema(format = Password)]
    password: Option<String>,
    /// The recovery code, in any case and with any dashes.
    #[schema(format = Password)]
    recovery_code: Option<String>,
}

/// The user's password once more.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordAgain {
    /// Of whoever is logged in.
    #[schema(format = Password)]
    password: String,
}

/// The end of a code on paper.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmCodeRequest {
    /// Its last two groups, in any case and with any dashes.
    #[schema(example = "T4GK-1VSX")]
    end: String,
}

/// A new recovery code.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct NewRecoveryCode<'a> {
    /// In groups, to be written down; it is told only here.
    #[schema(example = "7Q2M-XVD9-FTHK-3WPZ-80RC-N5JE-B6YA-T4GK-1VSX")]
    recovery_code: &'a str,
}

/// Who wants to begin anew.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewVaultRequest {
    /// Of whoever is logged in.
    #[schema(format = Password)]
    password: String,
    /// Must be true: the files in the vault of now will not be shown any more.
    understood: bool,
}

/// What the vault shows.
#[utoipa::path(
    get,
    path = "/vault",
    responses(
        (status = 200, body = VaultView),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_vault(call: Call) -> Result<Reply, ApiError> {
    view(&call).await
}

/// Opens the vault. With recovery code and password, the password becomes the vault's again.
#[utoipa::path(
    post,
    path = "/vault/unlock",
    request_body = UnlockVaultRequest,
    responses(
        (status = 200, body = VaultView),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_key`, `wrong_password` or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`no_vault`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`vault_unavailable`, `storage_unavailable` or `busy`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn unlock(call: Call) -> Result<Reply, ApiError> {
    let request: UnlockVaultRequest = call.json()?;
    let user = user(&call)?;
    let (vaults, accounts) = (&call.app.vaults, &call.app.accounts);
    let password = request.password.map(bounded_password).transpose()?;
    let code = request.recovery_code.map(|typed| read_code(&Zeroizing::new(typed))).transpose()?;
    accounts.count_try(user.as_str(), call.from)?;
    let opened = match (code, password) {
        (Some(code), Some(password)) => {
            vaults.adopt_password(accounts, (&user, call.from), code, &password).await
        }
        (Some(code), None) => vaults.unlock(&user, Box::new(code)).await,
        (None, Some(password)) => vaults.unlock(&user, Box::new(vault::Password::new(&password))).await,
        (None, None) => return Err(ApiError::field("password", "Send the password or the recovery code.")),
    };
    opened.inspect_err(|error| {
        let error: &dyn std::error::Error = error;
        tracing::warn!(from = %call.from, error, "a vault was not opened");
    })?;
    accounts.was_right(user.as_str(), call.from);
    view(&call).await
}

/// Locks the vault and the data of the user's apps, which stop first. `busy`: files are being sent or received; it is tried again each
/// minute.
#[utoipa::path(
    post,
    path = "/vault/lock",
    responses(
        (status = 200, body = VaultView),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 503, body = ErrorBody, description = "`vault_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn lock(call: Call) -> Result<Reply, ApiError> {
    let user = user(&call)?;
    match call.app.vaults.lock(&user).await? {
        Locking::Locked => {}
        Locking::Busy => tracing::warn!("a vault is locked, and files of it are still in use"),
    }
    if tokio::time::timeout(APPS_END, call.app.apps.until_hidden(&user)).await.is_err() {
        tracing::warn!("a vault is locked, and apps of its user have not ended yet");
    }
    view(&call).await
}

/// Begins to encrypt every file of the vault with a new key. Meanwhile it is `busy` and nothing in it can be used; how far that is says
/// `rotation`, and why it ended early `problem`. Locking the vault breaks it off, and nothing has changed then.
#[utoipa::path(
    post,
    path = "/vault/rotate",
    request_body = PasswordAgain,
    responses(
        (status = 202),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_key`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`vault_locked`, or `vault_busy`: it has begun already, or files are being sent or received"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
        (status = 507, body = ErrorBody, description = "`disk_full`: there must be room for all files once more"),
    ),
    security(("session" = []))
)]
pub(crate) async fn rotate(call: Call) -> Result<Reply, ApiError> {
    let request: PasswordAgain = call.json()?;
    let (user, password) = (user(&call)?, bounded_password(request.password)?);
    let rotation = call.app.vaults.begin_rotation(&call.app.accounts, (&user, call.from), &password).await?;
    tracing::info!(from = %call.from, "a user changes the key of their vault");
    let app = Arc::clone(&call.app);
    tokio::spawn(async move { app.vaults.rotate(rotation).await });
    Ok(empty_reply(StatusCode::ACCEPTED))
}

/// Makes a new recovery code. The one before stays in force until the new one's end was typed back.
#[utoipa::path(
    post,
    path = "/vault/recovery-code",
    request_body = PasswordAgain,
    responses(
        (status = 200, body = NewRecoveryCode<'_>),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_key`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`no_vault`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn make_code(call: Call) -> Result<Reply, ApiError> {
    let request: PasswordAgain = call.json()?;
    let (user, password) = (user(&call)?, bounded_password(request.password)?);
    call.app.accounts.count_try(user.as_str(), call.from)?;
    let code = call.app.vaults.new_code(&user, &password).await?;
    call.app.accounts.was_right(user.as_str(), call.from);
    tracing::info!(from = %call.from, "a user had a new recovery code made");
    json_reply(StatusCode::OK, &NewRecoveryCode { recovery_code: &code })
}

/// Shows that the new recovery code is on paper; from then on it is the only one.
#[utoipa::path(
    post,
    path = "/vault/recovery-code/confirm",
    request_body = ConfirmCodeRequest,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`not_its_end`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`nothing_to_confirm`, or `no_vault`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn confirm_code(call: Call) -> Result<Reply, ApiError> {
    let request: ConfirmCodeRequest = call.json()?;
    call.app.vaults.confirm_code(&user(&call)?, &Zeroizing::new(request.end)).await?;
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

/// Gives the user a new, empty vault; the old one is kept, locked, and never shown by this box again.
#[utoipa::path(
    post,
    path = "/vault/new",
    request_body = NewVaultRequest,
    responses(
        (status = 200, body = VaultView),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`no_vault`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`vault_unavailable`, `storage_unavailable` or `busy`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn begin_anew(call: Call) -> Result<Reply, ApiError> {
    let request: NewVaultRequest = call.json()?;
    let password = typed_new_password(request.password, "password")?;
    if !request.understood {
        let message = "The box will not show the files in the vault any more. Say that this is understood.";
        return Err(ApiError::field("understood", message));
    }
    call.app.vaults.begin_anew(&call.app.accounts, (&user(&call)?, call.from), password).await?;
    tracing::info!(from = %call.from, "a user began a new vault; the old one is kept, locked");
    view(&call).await
}

/// Reads a code; a slip is told at once, and is no try.
pub(super) fn read_code(typed: &str) -> Result<RecoveryCode, ApiError> {
    let field = "recovery_code";
    if typed.len() > MAX_CODE {
        return Err(ApiError::field(field, "That is longer than any recovery code."));
    }
    RecoveryCode::parse(typed)
        .map_err(|slip| ApiError::field(field, super::error::sentence(&slip.to_string())))
}

pub(super) fn user(call: &Call) -> Result<UserName, ApiError> {
    call.logged_in().map(|(_, session)| session.user.clone())
}

async fn view(call: &Call) -> Result<Reply, ApiError> {
    let Summary { state, has_code, is_waiting_for_confirmation, problem, opening, rotation } =
        call.app.vaults.summary(&user(call)?).await?;
    let state = match state {
        VaultState::Open => State::Open,
        VaultState::Locked => State::Locked,
        VaultState::Busy => State::Busy,
        VaultState::None => State::None,
    };
    let opening = opening.map(|Progress { files, files_total, bytes, bytes_total }| OpeningView {
        files,
        files_total,
        bytes,
        bytes_total,
    });
    let view = VaultView {
        state,
        has_recovery_code: has_code,
        is_waiting_for_confirmation,
        problem,
        opening,
        idle_seconds: call.app.vault_idle.as_secs(),
        rotation: rotation.map(|percent| RotationView { percent }),
    };
    json_reply(StatusCode::OK, &view)
}
