//! Updates of the whole system: what there is, how far it is, and what became of the last ones.

mod view;

use super::Call;
use super::apps::images::on_disk;
use super::error::ApiError;
use super::error::ErrorBody;
use super::error::refused_by_store;
use super::error::sentence;
use super::json_reply;
use super::query::Query;
use super::stream;
use super::stream::Stream;
use crate::apps::arriving::Arriving;
use crate::updates::When;
use crate::updates::error::StepError;
use crate::updates::error::UpdatesError;
use crate::updates::fetch::MAX_BUNDLE;
use crate::updates::settings::UpdateSettings;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;
use std::fs::File;
use update::Asker;
use update::DownloadError;
use view::UpdatesView;

pub(crate) use view::UpdateProgress;

/// A version that somebody wants.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApplyUpdateRequest)]
pub(crate) struct ApplyRequest {
    /// One of `offers`.
    version: String,
    /// Whether the box restarts as soon as it can; else in the window, or when somebody says so.
    #[serde(default)]
    now: bool,
}

/// An update that was brought as a file.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BroughtUpdate)]
pub(crate) struct BundleView {
    /// Its version.
    version: String,
}

/// The last log lines of a system that failed.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UpdateLog)]
pub(crate) struct LogView {
    /// At most 32 KiB.
    text: String,
}

/// Updates at a glance. Times are seconds since 1970 by the box's clock.
#[utoipa::path(
    get,
    path = "/updates",
    responses(
        (status = 200, body = UpdatesView),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_updates(call: Call) -> Result<Reply, ApiError> {
    json_reply(StatusCode::OK, &UpdatesView::of(&call.app))
}

/// Tells how far an update is: `progress` with an `UpdateProgress`, now and at each change.
#[utoipa::path(
    get,
    path = "/updates/events",
    responses(
        (status = 200, description = "server-sent events, until the session ends", content_type = "text/event-stream"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only`"),
        (status = 503, body = ErrorBody, description = "`too_many_streams`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn watch_updates(call: Call) -> Result<Reply, ApiError> {
    let (stream, reply) = Stream::open(&call)?;
    tokio::spawn(async move {
        let (mut state, mut beat) = (call.app.updates.state(), stream::beat());
        let mut told = Ok(());
        while told.is_ok() && stream.may_go_on() {
            let progress = UpdateProgress::of(&state.borrow_and_update().clone(), call.app.clock.uptime());
            told = stream.send("progress", &progress).await;
            // All are cancel safe: a watch channel keeps what was not seen.
            loop {
                tokio::select! {
                    changed = state.changed() => if changed.is_ok() { break } else { return },
                    _ = beat.tick() => if !stream.may_go_on() || stream.beat().await.is_err() { return },
                    () = stream.closed() => return,
                }
            }
        }
    });
    Ok(reply)
}

/// Asks the repository now. Where updates come by themselves and it is this box's turn, goes on to fetch.
#[utoipa::path(
    post,
    path = "/updates/check",
    responses(
        (status = 202, description = "it is asked; see `progress`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin` or `owner_only`"),
        (status = 409, body = ErrorBody, description = "`update_running`, `update_on_trial`, `updates_not_set_up` or `updates_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn check(call: Call) -> Result<Reply, ApiError> {
    call.app.updates.begin_check(&call.app, Asker::Owner)?;
    Ok(empty_reply(StatusCode::ACCEPTED))
}

/// Fetches a version that is offered, and writes it beside the running one.
#[utoipa::path(
    post,
    path = "/updates/apply",
    request_body = ApplyRequest,
    responses(
        (status = 202, description = "it is on its way; see `progress`"),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin` or `owner_only`"),
        (status = 409, body = ErrorBody, description = "as for `check`, `update_not_offered` or `update_held_back`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn apply(call: Call) -> Result<Reply, ApiError> {
    let ApplyRequest { version, now } = call.json()?;
    call.app.updates.begin_apply(&call.app, &version, when(now))?;
    tracing::info!(from = %call.from, version, "an update was asked for");
    Ok(empty_reply(StatusCode::ACCEPTED))
}

/// Restarts into the update that is ready.
#[utoipa::path(
    post,
    path = "/updates/restart",
    responses(
        (status = 202),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin` or `owner_only`"),
        (status = 409, body = ErrorBody, description = "as for `check`, or `no_update_ready`"),
        (status = 503, body = ErrorBody, description = "`init_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn restart(call: Call) -> Result<Reply, ApiError> {
    call.app.updates.restart(&call.app).await?;
    tracing::info!(from = %call.from, "the box restarts into an update");
    Ok(empty_reply(StatusCode::ACCEPTED))
}

/// Changes whether updates come by themselves, when the box may restart, and from where they come.
#[utoipa::path(
    put,
    path = "/updates/settings",
    request_body = UpdateSettings,
    responses(
        (status = 200, body = UpdatesView),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin` or `owner_only`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn change_settings(call: Call) -> Result<Reply, ApiError> {
    call.app.updates.choose(call.json()?).await?;
    tracing::info!(from = %call.from, "the settings of updates were changed");
    json_reply(StatusCode::OK, &UpdatesView::of(&call.app))
}

/// Takes an update as a file: checked like one from the repository, then written beside the running system.
#[utoipa::path(
    post,
    path = "/updates/bundle",
    params(("now" = Option<bool>, Query, description = "whether the box restarts as soon as it can")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "`hearth_<board>_<version>.bundle`; at most 256 MiB"),
    responses(
        (status = 202, body = BundleView, description = "it is good and on its way; see `progress`"),
        (status = 400, body = ErrorBody, description = "`malformed_body`: it did not arrive whole"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin` or `owner_only`"),
        (status = 409, body = ErrorBody, description = "as for `check`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`update_refused`: why the file is not taken; or `invalid_field`"),
        (status = 507, body = ErrorBody, description = "`disk_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn take_bundle(mut call: Call) -> Result<Reply, ApiError> {
    let when = asked_when(&call)?;
    let mut upload = call.upload.take().ok_or_else(ApiError::internal)?;
    let turn = call.app.updates.begin_bundle()?;
    let folder = call.app.updates.folder().to_owned();
    let mut arriving = on_disk(move || Arriving::begin_at_most(&folder, MAX_BUNDLE)).await?;
    while let Some(piece) = upload.next().await? {
        arriving = on_disk(move || {
            arriving.write(&piece)?;
            Ok(arriving)
        })
        .await?;
    }
    let file = File::from(on_disk(move || arriving.finish()).await?);
    let version = call.app.updates.take_bundle(&call.app, (turn, file), when).await?;
    tracing::info!(from = %call.from, version, "an update was brought as a file");
    json_reply(StatusCode::ACCEPTED, &BundleView { version })
}

/// Takes an update from the USB stick that is plugged in: `hearth_<board>_<version>.bundle` at its top, the highest version of several. It is
/// checked like one from the repository. The stick may be pulled out when the answer is there.
#[utoipa::path(
    post,
    path = "/updates/stick",
    params(("now" = Option<bool>, Query, description = "whether the box restarts as soon as it can")),
    responses(
        (status = 202, body = BundleView, description = "it is good and on its way; see `progress`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin` or `owner_only`"),
        (status = 409, body = ErrorBody, description = "as for `check`"),
        (status = 422, body = ErrorBody, description = "`update_refused`: why nothing is taken; or `invalid_field`"),
        (status = 507, body = ErrorBody, description = "`disk_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn take_stick(call: Call) -> Result<Reply, ApiError> {
    let when = asked_when(&call)?;
    let turn = call.app.updates.begin_bundle()?;
    let version = call.app.updates.take_stick(&call.app, turn, when).await?;
    tracing::info!(from = %call.from, version, "an update was brought on a stick");
    json_reply(StatusCode::ACCEPTED, &BundleView { version })
}

fn asked_when(call: &Call) -> Result<When, ApiError> {
    match Query::parse(&call.query, &["now"])?.get("now") {
        None | Some("false") => Ok(When::Later),
        Some("true") => Ok(When::Now),
        Some(_) => Err(ApiError::field("now", "now is true or false.".to_owned())),
    }
}

/// The last log lines of a system that was tried and failed.
#[utoipa::path(
    get,
    path = "/updates/log",
    params(("number" = u32, Query, description = "of the update in `history`")),
    responses(
        (status = 200, body = LogView),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`owner_only`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 422, body = ErrorBody, description = "`invalid_field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_log(call: Call) -> Result<Reply, ApiError> {
    let query = Query::parse(&call.query, &["number"])?;
    let number = query.require("number")?.parse();
    let number =
        number.map_err(|_bad| ApiError::field("number", "number is that of an update.".to_owned()))?;
    let text = call.app.updates.log(number).await?.ok_or_else(ApiError::not_found)?;
    json_reply(StatusCode::OK, &LogView { text })
}

const fn when(now: bool) -> When {
    if now { When::Now } else { When::Later }
}

impl From<UpdatesError> for ApiError {
    fn from(error: UpdatesError) -> Self {
        let conflict = |code, message: String| Self::new(StatusCode::CONFLICT, code, message);
        match error {
            UpdatesError::Setting(bad) => Self::field(bad.field, bad.problem),
            UpdatesError::Busy => {
                let message = "Another step of an update is under way. Wait until it has ended.";
                conflict("update_running", message.to_owned())
            }
            UpdatesError::OnTrial => {
                let message = "The box is just trying a new system. Wait until that is over.";
                conflict("update_on_trial", message.to_owned())
            }
            UpdatesError::NotSetUp => {
                conflict("updates_not_set_up", "Updates are not set up in this image.".to_owned())
            }
            UpdatesError::Unable { reason } => conflict("updates_unavailable", sentence(&reason)),
            error @ UpdatesError::NotOffered { .. } => conflict(
                "update_not_offered",
                format!("{} Check for updates first.", sentence(&error.to_string())),
            ),
            error @ UpdatesError::HeldBack { .. } => {
                conflict("update_held_back", sentence(&error.to_string()))
            }
            UpdatesError::NothingReady => {
                conflict("no_update_ready", "There is no update to restart into.".to_owned())
            }
            UpdatesError::NoStore { reason } => Self::storage_unavailable(&reason),
            error @ UpdatesError::Keep(_) => refused_by_store(&error),
            UpdatesError::Step(error) => of_step(&error),
        }
    }
}

fn of_step(error: &StepError) -> ApiError {
    let words = sentence(&error.words());
    match error {
        StepError::Refused { .. } => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "init_unavailable", words)
        }
        StepError::NoRoom { .. } | StepError::Download(DownloadError::Full { .. }) => {
            ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", words)
        }
        StepError::DiskInUse => ApiError::new(StatusCode::CONFLICT, "update_running", words),
        StepError::File { .. } | StepError::Store(_) | StepError::Thread(_) => {
            tracing::error!(error = error as &dyn Error, "an update could not be kept");
            ApiError::internal()
        }
        StepError::Trust(_)
        | StepError::NotSetUp
        | StepError::NoSource
        | StepError::Unknown { .. }
        | StepError::Settings(_)
        | StepError::Load(_)
        | StepError::Unfit(_)
        | StepError::Download(_)
        | StepError::Bundle(_)
        | StepError::Stick(_)
        | StepError::StickFile { .. }
        | StepError::NotOnStick { .. }
        | StepError::Install { .. }
        | StepError::Silent { .. } => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "update_refused", words)
        }
    }
}
