//! The people who may log in: the owner lets them in, gives them another password, lets them go.

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::error::sentence;
use super::json_reply;
use super::session::typed_new_password;
use super::storage::check_password;
use crate::accounts::credentials::UserName;
use crate::records::Role;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;

/// Everybody who may log in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct UserList {
    /// The owner first.
    users: Vec<ListedUser>,
}

/// Somebody who may log in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ListedUser {
    /// Name to log in with.
    name: String,
    /// What they may do.
    role: Role,
}

/// Somebody new.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// 1 to 64 characters, none of them a control character.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Their first password: 10 to 256 characters.
    #[schema(min_length = 10, max_length = 256, format = Password)]
    new: String,
    /// The owner's, once more.
    #[schema(format = Password)]
    password: String,
}

/// Another password for somebody.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPassword {
    /// Theirs from now on: 10 to 256 characters.
    #[schema(min_length = 10, max_length = 256, format = Password)]
    new: String,
    /// The owner's, once more.
    #[schema(format = Password)]
    password: String,
}

/// The owner's password once more.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserRemoval {
    /// The owner's.
    #[schema(format = Password)]
    password: String,
}

/// Lists everybody who may log in.
#[utoipa::path(
    get,
    path = "/users",
    responses(
        (status = 200, body = UserList),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn list(call: Call) -> Result<Reply, ApiError> {
    let users = call.app.accounts.users().into_iter();
    let users = users.map(|(name, role)| ListedUser { name: name.into(), role }).collect();
    json_reply(StatusCode::OK, &UserList { users })
}

/// Lets somebody in as a member, with a vault of their own. They should choose another password, which the owner does not know.
#[utoipa::path(
    post,
    path = "/users",
    request_body = NewUser,
    responses(
        (status = 201, body = ListedUser),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, `owner_only` or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`user_exists` or `too_many_users`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn add(call: Call) -> Result<Reply, ApiError> {
    let request: NewUser = call.json()?;
    let invalid = |why: &dyn Error| ApiError::field("name", sentence(&why.to_string()));
    let name = UserName::try_from(request.name).map_err(|why| invalid(&why))?;
    let new = typed_new_password(request.new, "new")?;
    check_password(&call, request.password).await?;
    call.app.vaults.add_member(&call.app.accounts, &name, &new).await?;
    tracing::info!(from = %call.from, "the owner has let somebody in");
    json_reply(StatusCode::CREATED, &ListedUser { name: name.into(), role: Role::Member })
}

/// Gives a member another password. Their sessions end, and their vault stays locked: this password does not open it, only their
/// recovery code, or the password that they had, does.
#[utoipa::path(
    post,
    path = "/users/{name}/password",
    params(("name" = String, Path, description = "of the member, percent-encoded")),
    request_body = UserPassword,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, `owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_user`"),
        (status = 409, body = ErrorBody, description = "`last_owner`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn reset(call: Call) -> Result<Reply, ApiError> {
    let request: UserPassword = call.json()?;
    let new = typed_new_password(request.new, "new")?;
    check_password(&call, request.password).await?;
    call.app.vaults.reset_member(&call.app.accounts, &member(&call)?, &new).await?;
    tracing::info!(from = %call.from, "the owner gave a member another password");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

/// Lets a member go: their sessions end, their vault is destroyed with everything in it, and their apps go with their data.
#[utoipa::path(
    post,
    path = "/users/{name}/remove",
    params(("name" = String, Path, description = "of the member, percent-encoded")),
    request_body = UserRemoval,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, `owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_user`"),
        (status = 409, body = ErrorBody, description = "`last_owner`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn remove(call: Call) -> Result<Reply, ApiError> {
    let request: UserRemoval = call.json()?;
    check_password(&call, request.password).await?;
    let name = member(&call)?;
    call.app.vaults.remove_member(&call.app.accounts, &name).await?;
    // They have gone all the same: what is left of their apps goes at the next start.
    if let Err(error) = call.app.apps.remove_all_of(&name).await {
        tracing::error!(error = &error as &dyn Error, "the apps of somebody who has gone are left");
    }
    tracing::warn!(from = %call.from, "the owner has let a member go, and their vault is destroyed");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

/// A text that is no name is nobody's.
fn member(call: &Call) -> Result<UserName, ApiError> {
    let name = call.name.clone().and_then(|name| UserName::try_from(name).ok());
    name.ok_or_else(|| crate::accounts::Refusal::NoSuchUser.into())
}
