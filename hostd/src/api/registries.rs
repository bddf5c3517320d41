//! What the owner says of registries of images: plain HTTP, logins, mirrors. Of all others nothing need be said.

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::error::sentence;
use super::json_reply;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use model::containers::InvalidRegistryName;
use model::containers::Registry;
use model::containers::RegistryLogin;
use model::containers::RegistryMirror;
use model::containers::RegistryName;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

/// All registries that something was said about.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RegistryList {
    /// By their names.
    registries: Vec<RegistryView>,
}

/// What was said of one. Its password is never told.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RegistryView {
    /// The host in the names of images, with a port perhaps.
    #[schema(example = "192.168.1.9:5000")]
    name: String,
    /// It is spoken to without encryption.
    plain_http: bool,
    /// The user that the box logs in as; nothing where it does not log in.
    user: Option<String>,
    /// Who is asked before it, in this order.
    mirrors: Vec<Mirror>,
}

/// Who is asked before a registry.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegistryMirror)]
pub(crate) struct Mirror {
    /// A host, with a port perhaps.
    host: String,
    /// It is spoken to without encryption.
    #[serde(default)]
    plain_http: bool,
}

/// What is to be said of a registry, in the place of what was said before.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistryWish {
    /// Speak to it without encryption: whoever is on the way sees and may change what is pulled by a tag. Never with a login.
    #[serde(default)]
    plain_http: bool,
    /// How the box logs in; nothing where it does not.
    #[serde(default)]
    login: Option<Login>,
    /// Who is asked before it, in this order; at most 8. A mirror that wants a login has an entry of its own.
    #[serde(default)]
    mirrors: Vec<Mirror>,
}

/// How the box logs in to a registry.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegistryLogin)]
pub(crate) struct Login {
    /// The user: no colon.
    #[schema(min_length = 1, max_length = 256)]
    user: String,
    /// The password, or a token in its place. When it is left out, the one of the same user from before stays.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Zeroizing<String>>,
}

/// Lists the registries that something was said about. Of all others: HTTPS, public certificates, no mirror, no login.
#[utoipa::path(
    get,
    path = "/registries",
    responses(
        (status = 200, body = RegistryList),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn list(call: Call) -> Result<Reply, ApiError> {
    let registries = call.app.apps.registries().0.into_iter();
    let registries = registries.map(|(name, registry)| view(name, registry)).collect();
    json_reply(StatusCode::OK, &RegistryList { registries })
}

/// Says something about a registry. It counts from the next pull on.
#[utoipa::path(
    put,
    path = "/registries/{name}",
    params(("name" = String, Path, description = "as the names of images have it, percent-encoded: `host[:port]`")),
    request_body = RegistryWish,
    responses(
        (status = 200, body = RegistryView),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn set(call: Call) -> Result<Reply, ApiError> {
    let name = name(&call)?;
    let wish: RegistryWish = call.json()?;
    let before = call.app.apps.registries().0.remove(&name).and_then(|registry| registry.login);
    let registry = Registry {
        plain_http: wish.plain_http,
        login: wish.login.map(|login| completed(login, before)).transpose()?,
        mirrors: wish.mirrors.iter().map(mirror).collect::<Result<_, _>>()?,
    };
    call.app.apps.set_registry(name.clone(), registry.clone()).await?;
    tracing::info!(from = %call.from, registry = %name, "something was said about a registry");
    json_reply(StatusCode::OK, &view(name, registry))
}

/// Forgets what was said about a registry.
#[utoipa::path(
    delete,
    path = "/registries/{name}",
    params(("name" = String, Path, description = "as the names of images have it, percent-encoded: `host[:port]`")),
    responses(
        (status = 204),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_registry`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn forget(call: Call) -> Result<Reply, ApiError> {
    let name = name(&call)?;
    if !call.app.apps.forget_registry(&name).await? {
        let message = "Nothing was said about this registry. Load the list again.";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "no_such_registry", message));
    }
    tracing::info!(from = %call.from, registry = %name, "what was said about a registry is forgotten");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

fn view(name: RegistryName, registry: Registry) -> RegistryView {
    let mirrors = registry.mirrors.into_iter();
    let mirrors = mirrors.map(|mirror| Mirror { host: mirror.host.into(), plain_http: mirror.plain_http });
    RegistryView {
        name: name.into(),
        plain_http: registry.plain_http,
        user: registry.login.map(|login| login.user),
        mirrors: mirrors.collect(),
    }
}

fn name(call: &Call) -> Result<RegistryName, ApiError> {
    let name = call.name.as_deref().unwrap_or_default();
    name.parse().map_err(|error| invalid_name("name", error))
}

fn mirror(mirror: &Mirror) -> Result<RegistryMirror, ApiError> {
    let host = mirror.host.parse().map_err(|error| invalid_name("mirrors", error))?;
    Ok(RegistryMirror { host, plain_http: mirror.plain_http })
}

fn invalid_name(field: &'static str, error: InvalidRegistryName) -> ApiError {
    ApiError::field(field, sentence(&error.to_string()))
}

fn completed(login: Login, before: Option<RegistryLogin>) -> Result<RegistryLogin, ApiError> {
    let user = login.user;
    let kept = || before.filter(|before| before.user == user).map(|before| before.password);
    match login.password.or_else(kept) {
        Some(password) => Ok(RegistryLogin { user, password }),
        None => Err(ApiError::field("login.password", "The password of this user is missing.")),
    }
}
