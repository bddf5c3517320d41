//! Apps: what is there, what something would ask for, installing it, and all that is done to it.
//!
//! Whoever is logged in has apps of their own and sees the household's, which the owner of the box manages. An app that somebody does
//! not see is, for them, not there. What takes long is begun here and told by [`events`].

pub(super) mod events;
pub(super) mod images;
mod refused;

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::error::sentence;
use super::json_reply;
use super::query::Query;
use crate::apps::Inspection;
use crate::apps::Run;
use crate::apps::Who;
use crate::apps::Wish;
use crate::apps::error::AppsError;
use crate::apps::flow::Data;
use crate::apps::permission::Permission;
use crate::apps::record::AppRecord;
use crate::apps::record::Owner;
use crate::apps::source::Remark;
use crate::apps::source::Source;
use crate::apps::view;
use crate::apps::view::AppScope;
use crate::apps::view::AppSummary;
use crate::apps::view::AppView;
use crate::apps::view::AskView;
use crate::apps::view::EndingView;
use crate::web::Reply;
use crate::web::empty_reply;
use app_manifest::Scope;
use hyper::StatusCode;
use model::apps::AppId;
use model::containers::LogStream;
use model::containers::MAX_LOG_LINES;
use model::containers::PartName;
use model::network::names::AppKey;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeSet;
use std::error::Error;

/// Apps at a glance.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AppList {
    /// Why apps can be neither changed nor seen as they are now, in plain words.
    problem: Option<String>,
    /// By their IDs; also those of which only data is left.
    apps: Vec<AppSummary>,
    /// How operations ended of whose app nothing is left, the newest first; since the last start.
    ended: Vec<EndingView>,
}

/// What somebody wants to know before they install something.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InspectRequest {
    /// What; nothing, with `update`, for what the app was made of before, with what its images are called now.
    #[serde(default)]
    source: Option<Source>,
    /// Key of the app whose place it takes.
    #[serde(default)]
    update: Option<String>,
    /// Key of a removed app whose data it takes up.
    #[serde(default)]
    data_of: Option<String>,
    /// ID that it gets; without, the one that it would like.
    #[serde(default)]
    id: Option<String>,
    /// For whom it is, where it is made of an image or of a Compose file, which do not say; without, for who asks alone.
    #[serde(default)]
    scope: Option<AppScope>,
}

/// What is installed: exactly what was shown.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstallRequest {
    /// As it was inspected.
    source: Source,
    /// As it was inspected.
    #[serde(default)]
    data_of: Option<String>,
    /// As it was inspected.
    #[serde(default)]
    id: Option<String>,
    /// As it was inspected.
    #[serde(default)]
    scope: Option<AppScope>,
    /// `shown` of the inspection.
    shown: String,
    /// Names of the permissions that it gets; without, all that it asks for.
    #[serde(default)]
    granted: Option<Vec<String>>,
}

/// What takes the place of an app's version: exactly what was shown.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateRequest {
    /// As it was inspected.
    #[serde(default)]
    source: Option<Source>,
    /// `shown` of the inspection.
    shown: String,
}

/// Another ID for an app.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppIdRequest {
    /// 1 to 63 of a-z, 0-9 and -, a letter first, no - at the end, and no name of the box.
    #[schema(min_length = 1, max_length = 63)]
    id: String,
}

/// The permissions of an app.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppPermissionsRequest {
    /// Names of all that it has from now on.
    granted: Vec<String>,
}

/// What something asks for. Nothing has changed.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct InspectionView {
    /// What it is called.
    title: String,
    /// What it is for, in its own words.
    description: Option<String>,
    /// Who makes it.
    author: Option<String>,
    /// Its licence.
    license: Option<String>,
    /// Which version.
    version: String,
    /// ID that it gets.
    id: String,
    /// For whom it is.
    scope: AppScope,
    /// Names of its images.
    images: Vec<String>,
    /// What it asks for, the weightiest first; of an update, what it asks for beyond what it has.
    asks: Vec<AskView>,
    /// What is left out or done otherwise.
    notes: Vec<Remark>,
    /// Why it cannot be installed; empty when it can be.
    refusals: Vec<Remark>,
    /// To be sent when it is installed: stands for all that is above.
    shown: String,
}

/// Lines of a container's log.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AppLog {
    /// In order.
    lines: Vec<AppLogLine>,
    /// Number from which to ask on.
    next: u64,
}

/// A line of a log.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AppLogLine {
    /// Counts up by one for each line of the container.
    number: u64,
    /// When it came, in milliseconds since 1970 by the box's clock.
    unix_ms: u64,
    /// From where: the container's output or error output, or the box itself.
    stream: AppLogStream,
    /// The line.
    text: String,
}

/// Where a line came from.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AppLogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The box: starts, ends, lines left out.
    Box,
}

/// Lists one's own apps and the household's.
#[utoipa::path(
    get,
    path = "/apps",
    responses(
        (status = 200, body = AppList),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn list_apps(call: Call) -> Result<Reply, ApiError> {
    let (who, apps) = (who(&call)?, &call.app.apps);
    let list = AppList {
        problem: apps.problem(),
        apps: apps.seen_by(who).iter().map(|record| view::summary(apps, record)).collect(),
        ended: apps.endings(who).iter().map(EndingView::from).collect(),
    };
    json_reply(StatusCode::OK, &list)
}

/// Says what something asks for, and what stands against it; changes nothing.
#[utoipa::path(
    post,
    path = "/apps/inspect",
    request_body = InspectRequest,
    responses(
        (status = 200, body = InspectionView),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`"),
        (status = 409, body = ErrorBody, description = "`id_taken`, `app_busy` or `app_removed`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`app_refused` with `refusals`: what it is made of cannot be taken; `invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn inspect_app(call: Call) -> Result<Reply, ApiError> {
    let request: InspectRequest = call.json()?;
    let wish = Wish {
        source: request.source,
        update: key_in(request.update)?,
        data_of: key_in(request.data_of)?,
        scope: request.scope.map(Scope::from),
        id: id_in(request.id)?,
    };
    match call.app.apps.inspect(who(&call)?, &wish) {
        Ok(inspection) => json_reply(StatusCode::OK, &InspectionView::from(inspection)),
        // It is the document that was sent, and not how things stand.
        Err(AppsError::Refused(refusals)) => {
            Err(ApiError::app_refused(StatusCode::UNPROCESSABLE_ENTITY, refusals))
        }
        Err(error) => Err(error.into()),
    }
}

/// Begins to install exactly what was shown.
#[utoipa::path(
    post,
    path = "/apps",
    request_body = InstallRequest,
    responses(
        (status = 202, body = AppSummary, description = "it has begun; `/apps/events` tells how it goes"),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`: `data_of`"),
        (status = 409, body = ErrorBody, description = "`not_what_was_shown`, `app_refused` or `id_taken`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn install_app(call: Call) -> Result<Reply, ApiError> {
    let request: InstallRequest = call.json()?;
    let granted = request.granted.map(permissions_in).transpose()?;
    let wish = Wish {
        source: Some(request.source),
        update: None,
        data_of: key_in(request.data_of)?,
        scope: request.scope.map(Scope::from),
        id: id_in(request.id)?,
    };
    let record = call.app.apps.install(who(&call)?, &wish, &request.shown, granted).await?;
    tracing::info!(from = %call.from, app = %record.id, "an app is installed");
    begun(&call, &record)
}

/// All about an app.
#[utoipa::path(
    get,
    path = "/apps/{name}",
    params(("name" = String, Path, description = "its key")),
    responses(
        (status = 200, body = AppView),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_app(call: Call) -> Result<Reply, ApiError> {
    let who = who(&call)?;
    let record = call.app.apps.one(who, &key(&call)?)?;
    json_reply(StatusCode::OK, &view::whole(&call.app.apps, &record, who.manages(&record)))
}

/// Starts an app, from now on and after each restart of the box.
#[utoipa::path(
    post,
    path = "/apps/{name}/start",
    params(("name" = String, Path, description = "its key")),
    responses(
        (status = 202, description = "it starts"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`"),
        (status = 409, body = ErrorBody, description = "`app_busy`, `app_removed` or `app_refused`"),
        (status = 503, body = ErrorBody, description = "`apps_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn start_app(call: Call) -> Result<Reply, ApiError> {
    run(&call, Run::Start).await
}

/// Stops an app, which then stays stopped.
#[utoipa::path(
    post,
    path = "/apps/{name}/stop",
    params(("name" = String, Path, description = "its key")),
    responses(
        (status = 202, description = "it stops"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`"),
        (status = 409, body = ErrorBody, description = "`app_busy`, `app_removed` or `app_refused`"),
        (status = 503, body = ErrorBody, description = "`apps_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn stop_app(call: Call) -> Result<Reply, ApiError> {
    run(&call, Run::Stop).await
}

/// Stops an app and starts it again.
#[utoipa::path(
    post,
    path = "/apps/{name}/restart",
    params(("name" = String, Path, description = "its key")),
    responses(
        (status = 202, description = "it restarts"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`"),
        (status = 409, body = ErrorBody, description = "`app_busy`, `app_removed` or `app_refused`"),
        (status = 503, body = ErrorBody, description = "`apps_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn restart_app(call: Call) -> Result<Reply, ApiError> {
    run(&call, Run::Restart).await
}

async fn run(call: &Call, run: Run) -> Result<Reply, ApiError> {
    call.app.apps.run(who(call)?, &key(call)?, run).await?;
    Ok(empty_reply(StatusCode::ACCEPTED))
}

/// Begins to put exactly what was shown in the place of an app's version. Its data is saved before; when the new version does not become
/// healthy, version and data from before are brought back.
#[utoipa::path(
    post,
    path = "/apps/{name}/update",
    params(("name" = String, Path, description = "its key")),
    request_body = UpdateRequest,
    responses(
        (status = 202, body = AppSummary, description = "it has begun; `/apps/events` tells how it goes"),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`"),
        (status = 409, body = ErrorBody, description = "`not_what_was_shown`, `app_refused`, `app_busy` or `app_removed`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `apps_unavailable`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn update_app(call: Call) -> Result<Reply, ApiError> {
    let request: UpdateRequest = call.json()?;
    let wish =
        Wish { source: request.source, update: Some(key(&call)?), data_of: None, scope: None, id: None };
    let record = call.app.apps.update(who(&call)?, &wish, &request.shown).await?;
    tracing::info!(from = %call.from, app = %record.id, "an app is updated");
    begun(&call, &record)
}

/// Gives an app another ID. Its key, data and permissions stay.
#[utoipa::path(
    put,
    path = "/apps/{name}/id",
    params(("name" = String, Path, description = "its key")),
    request_body = AppIdRequest,
    responses(
        (status = 200, body = AppSummary),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`"),
        (status = 409, body = ErrorBody, description = "`id_taken`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn rename_app(call: Call) -> Result<Reply, ApiError> {
    let request: AppIdRequest = call.json()?;
    let id = id_in(Some(request.id))?.ok_or_else(ApiError::internal)?;
    let record = call.app.apps.rename(who(&call)?, &key(&call)?, id).await?;
    json_reply(StatusCode::OK, &view::summary(&call.app.apps, &record))
}

/// Gives an app these permissions of those that it asks for, and no others. What is taken away ends at once.
#[utoipa::path(
    put,
    path = "/apps/{name}/permissions",
    params(("name" = String, Path, description = "its key")),
    request_body = AppPermissionsRequest,
    responses(
        (status = 200, body = AppView),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`"),
        (status = 409, body = ErrorBody, description = "`app_busy`, `app_removed`, `app_refused` or `network_refused`"),
        (status = 422, body = ErrorBody, description = "`invalid_field`: `granted`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`; `network_unavailable`: it is kept, and holds when the network service is back"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn change_permissions(call: Call) -> Result<Reply, ApiError> {
    let request: AppPermissionsRequest = call.json()?;
    let granted = permissions_in(request.granted)?;
    let record = call.app.apps.permit(who(&call)?, &key(&call)?, granted).await?;
    tracing::info!(from = %call.from, app = %record.id, "the permissions of an app were changed");
    json_reply(StatusCode::OK, &view::whole(&call.app.apps, &record, true))
}

/// Begins to remove an app, with or without its data; or calls off its installation.
#[utoipa::path(
    delete,
    path = "/apps/{name}",
    params(
        ("name" = String, Path, description = "its key"),
        ("data" = String, Query, description = "what becomes of its data: `keep` or `delete`")
    ),
    responses(
        (status = 202, description = "it goes"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only` or `foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_app`"),
        (status = 409, body = ErrorBody, description = "`app_busy`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn remove_app(call: Call) -> Result<Reply, ApiError> {
    let query = Query::parse(&call.query, &["data"])?;
    let data = match query.require("data")? {
        "keep" => Data::Keep,
        "delete" => Data::Delete,
        _ => return Err(ApiError::field("data", "data is keep or delete.")),
    };
    call.app.apps.remove(who(&call)?, &key(&call)?, data).await?;
    tracing::info!(from = %call.from, ?data, "an app is removed");
    Ok(empty_reply(StatusCode::ACCEPTED))
}

/// Lines of a container's log: the last ones, or from a number on.
#[utoipa::path(
    get,
    path = "/apps/{name}/logs",
    params(
        ("name" = String, Path, description = "its key"),
        ("container" = Option<String>, Query, description = "which; may be left out where there is only one"),
        ("from" = Option<u64>, Query, description = "the first line's number; without, the last lines")
    ),
    responses(
        (status = 200, body = AppLog),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only`: of an app of the household"),
        (status = 404, body = ErrorBody, description = "`no_such_app` or `no_such_container`"),
        (status = 409, body = ErrorBody, description = "`app_locked`: its data is"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`apps_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_app_log(call: Call) -> Result<Reply, ApiError> {
    let query = Query::parse(&call.query, &["container", "from"])?;
    let record = call.app.apps.managed(who(&call)?, &key(&call)?)?;
    let names: Vec<&str> = record.edition().manifest.containers.keys().map(|name| name.as_str()).collect();
    let container = match (query.get("container"), names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, _) => {
            let known = names.join(", ");
            return Err(ApiError::field(
                "container",
                format!("This app has several containers: {known}. Name one."),
            ));
        }
    };
    let invalid = |error: &dyn Error| ApiError::field("container", sentence(&error.to_string()));
    let container: PartName = container.parse().map_err(|error| invalid(&error))?;
    let from = query.get("from").map_or(Ok(0), str::parse);
    let from = from.map_err(|_digits| ApiError::field("from", "from is the number of a line."))?;
    let limit = u32::try_from(MAX_LOG_LINES).unwrap_or(u32::MAX);
    let page = call.app.apps.containerd().logs(&record.key, &container, from, limit).await;
    let page = page.map_err(AppsError::Containerd)?;
    let lines = page.lines.into_iter().map(|line| AppLogLine {
        number: line.number,
        unix_ms: line.unix_ms,
        stream: match line.stream {
            LogStream::Stdout => AppLogStream::Stdout,
            LogStream::Stderr => AppLogStream::Stderr,
            LogStream::Box => AppLogStream::Box,
        },
        text: line.text,
    });
    json_reply(StatusCode::OK, &AppLog { lines: lines.collect(), next: page.next })
}

fn begun(call: &Call, record: &AppRecord) -> Result<Reply, ApiError> {
    json_reply(StatusCode::ACCEPTED, &view::summary(&call.app.apps, record))
}

fn who(call: &Call) -> Result<Who<'_>, ApiError> {
    let (_, session) = call.logged_in()?;
    Ok(Who { user: &session.user, role: session.role })
}

/// A text that is no key is no app's.
fn key(call: &Call) -> Result<AppKey, ApiError> {
    let key = call.name.as_deref().and_then(|name| name.parse().ok());
    key.ok_or_else(|| AppsError::NoSuchApp.into())
}

fn key_in(text: Option<String>) -> Result<Option<AppKey>, ApiError> {
    text.map(|text| text.parse().map_err(|_strange| AppsError::NoSuchApp.into())).transpose()
}

fn id_in(text: Option<String>) -> Result<Option<AppId>, ApiError> {
    let parse = |text: String| {
        text.parse()
            .map_err(|error: model::apps::InvalidAppId| ApiError::field("id", sentence(&error.to_string())))
    };
    text.map(parse).transpose()
}

fn permissions_in(names: Vec<String>) -> Result<BTreeSet<Permission>, ApiError> {
    let parse = |name: String| {
        name.parse().map_err(|error: crate::apps::permission::InvalidPermission| {
            ApiError::field("granted", sentence(&error.to_string()))
        })
    };
    names.into_iter().map(parse).collect()
}

impl From<Inspection> for InspectionView {
    fn from(inspection: Inspection) -> Self {
        let manifest = inspection.manifest;
        Self {
            title: manifest.title.to_string(),
            description: manifest.description.as_ref().map(ToString::to_string),
            author: manifest.author.as_ref().map(ToString::to_string),
            license: manifest.license.as_ref().map(ToString::to_string),
            version: manifest.version.to_string(),
            id: inspection.id.to_string(),
            scope: match inspection.owner {
                Owner::User(_) => AppScope::User,
                Owner::Household => AppScope::System,
            },
            images: manifest.containers.values().map(|container| container.image.to_string()).collect(),
            asks: inspection.asks.into_iter().map(AskView::from).collect(),
            notes: inspection.notes,
            refusals: inspection.refusals,
            shown: inspection.shown,
        }
    }
}
