//! Logging in and out.

use super::Call;
use super::authorise::COOKIE_NAME;
use super::error::ApiError;
use super::error::ErrorBody;
use super::error::sentence;
use super::json_reply;
use crate::accounts::credentials::Attempt;
use crate::accounts::credentials::Password;
use crate::accounts::session::IDLE_SECONDS;
use crate::accounts::session::Session;
use crate::accounts::session::Token;
use crate::records::Role;
use crate::web::Reply;
use crate::web::empty_reply;
use crate::web::set_header;
use hyper::StatusCode;
use hyper::header::SET_COOKIE;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;
use zeroize::Zeroizing;

/// Longest name and password that are looked at, in bytes; no valid one is longer.
const MAX_NAME: usize = 64 * 4;
const MAX_PASSWORD: usize = 256 * 4;

/// Who wants to log in.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogInRequest {
    /// As chosen at set-up, or by the owner.
    name: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
}

/// A user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct UserView {
    /// Name to log in with.
    name: String,
    /// What they may do.
    role: Role,
}

/// Who is logged in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SessionView {
    /// The user.
    user: UserView,
}

impl UserView {
    pub(crate) fn of(session: &Session) -> Self {
        Self { name: session.user.as_str().to_owned(), role: session.role }
    }
}

/// Logs in.
#[utoipa::path(
    post,
    path = "/session",
    request_body = LogInRequest,
    responses(
        (status = 200, body = SessionView, headers(("set-cookie" = String))),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`wrong_credentials`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    )
)]
pub(crate) async fn log_in(call: Call) -> Result<Reply, ApiError> {
    let request: LogInRequest = call.json()?;
    let password = bounded_password(request.password)?;
    if request.name.len() > MAX_NAME {
        return Err(ApiError::field("name", "name is longer than any name can be."));
    }
    let attempt = Attempt { name: request.name, password: password.clone() };
    let (token, session) = call.app.accounts.log_in(attempt, call.from).await?;
    open_vault(&call, &session, &password).await;
    let mut reply = json_reply(StatusCode::OK, &SessionView { user: UserView::of(&session) })?;
    set_cookie(&mut reply, &token);
    Ok(reply)
}

/// Who is logged in; also renews the cookie.
#[utoipa::path(
    get,
    path = "/session",
    responses((status = 200, body = SessionView), (status = 401, body = ErrorBody, description = "`not_logged_in`")),
    security(("session" = []))
)]
pub(crate) async fn show_session(call: Call) -> Result<Reply, ApiError> {
    let (token, session) = call.logged_in()?;
    let mut reply = json_reply(StatusCode::OK, &SessionView { user: UserView::of(session) })?;
    // The browser forgets a cookie by its own count; the console asks this at every start, which keeps the two together.
    set_cookie(&mut reply, token);
    Ok(reply)
}

/// Logs out.
#[utoipa::path(
    delete,
    path = "/session",
    responses(
        (status = 204),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn log_out(call: Call) -> Result<Reply, ApiError> {
    let (token, session) = call.logged_in()?;
    let ended = call.app.accounts.log_out(token).await;
    if !call.app.accounts.is_present(&session.user, call.app.vault_idle) {
        call.app.vaults.lock_files(&session.user).await?;
    }
    ended?;
    let mut reply = empty_reply(StatusCode::NO_CONTENT);
    set_header(&mut reply, SET_COOKIE, &format!("{COOKIE_NAME}=; {COOKIE_RULES}; Max-Age=0"));
    Ok(reply)
}

/// Who is logged in may do everything else without their vault.
pub(crate) async fn open_vault(call: &Call, session: &Session, password: &str) {
    if let Err(error) = call.app.vaults.admit((&session.user, session.role), password).await {
        tracing::warn!(error = &error as &dyn Error, "a vault stays locked though its user has logged in");
    }
}

/// Checks a new password; wipes what was typed.
pub(crate) fn typed_new_password(typed: String, field: &str) -> Result<Password, ApiError> {
    Password::try_from(typed).map_err(|error| ApiError::field(field, sentence(&error.to_string())))
}

/// Wipes it from memory when it is dropped.
pub(crate) fn bounded_password(password: String) -> Result<Zeroizing<String>, ApiError> {
    let password = Zeroizing::new(password);
    if password.len() > MAX_PASSWORD {
        return Err(ApiError::field("password", "password is longer than any password can be."));
    }
    Ok(password)
}

const COOKIE_RULES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// Hands the token to the browser.
pub(crate) fn set_cookie(reply: &mut Reply, token: &Token) {
    let cookie =
        Zeroizing::new(format!("{COOKIE_NAME}={}; {COOKIE_RULES}; Max-Age={IDLE_SECONDS}", token.as_str()));
    set_header(reply, SET_COOKIE, &cookie);
}
