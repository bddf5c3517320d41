//! Backups: what was chosen, how it goes, a recovery kit.

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::error::refused_by_store;
use super::json_reply;
use super::storage::check_password;
use crate::backups::Task;
use crate::backups::Work;
use crate::backups::error::BackupsError;
use crate::backups::settings::BackupSettings;
use crate::records::Ended;
use crate::records::PrivateRecord;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;

/// Backups at a glance. Times are seconds since 1970 by the box's clock.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct BackupsView {
    /// What was chosen; secrets are left out.
    settings: BackupSettings,
    /// The task that runs.
    running: Option<TaskView>,
    /// When the newest backup was made.
    last_success: Option<u64>,
    /// How the last one ended.
    last_backup: Option<Ended>,
    /// How the last drill ended.
    last_drill: Option<Ended>,
    /// When the next one begins; nothing while none is to be made, or the clock is not set.
    next: Option<u64>,
    /// When a recovery kit was made last: without one nobody can restore anything when this box breaks.
    kit_made: Option<u64>,
    /// What the owner has to know, in plain words.
    problems: Vec<String>,
    /// What is not in the backups.
    left_out: Vec<LeftOut>,
    /// Each user's private files. They are saved while their user is logged in, sealed: the recovery kit does not open them.
    private_files: Vec<PrivateFilesView>,
}

/// A user's private files in the backups.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PrivateFilesView {
    /// Whose.
    user: String,
    /// When they were saved, in seconds since 1970 by the box's clock; nothing when they never were.
    at: Option<u64>,
    /// How many they were.
    files: u64,
    /// How long they were together.
    bytes: u64,
    /// Why they were not saved at the last attempt, in plain words.
    problem: Option<String>,
}

/// Something that is not in the backups.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LeftOut {
    /// Private files of somebody whose were never saved.
    PrivateFiles,
    /// Settings of the network.
    NetworkSettings,
}

/// A task that runs.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TaskView {
    /// What for.
    work: Work,
    /// What it is doing.
    phase: Phase,
    /// Files done.
    files: u64,
    /// Files in all; 0 while that is not known.
    files_total: u64,
    /// Bytes done.
    bytes: u64,
    /// Bytes in all; 0 while that is not known.
    bytes_total: u64,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BackupPhase)]
pub(crate) enum Phase {
    /// Reaching the place.
    Reaching,
    /// Counting what there is to save.
    Counting,
    /// Saving.
    Saving,
    /// Removing what is no longer kept.
    Pruning,
    /// Checking what is there.
    Verifying,
    /// Restoring to a private folder.
    Restoring,
    /// Comparing what was restored.
    Comparing,
}

/// Who asks for a recovery kit.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KitRequest {
    /// Of whoever is logged in.
    #[schema(format = Password)]
    password: String,
    /// Whether the access to the object store goes on the paper too: then the paper is enough for everything.
    #[serde(default)]
    with_access: bool,
}

/// A recovery kit, to be printed and kept away from the box. Whoever has it and the backup has everything in it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct KitView<'a> {
    /// The page as text, with numbered lines to type.
    text: &'a str,
    /// The page as HTML, with a QR code.
    html: &'a str,
    /// What the QR code holds.
    code: &'a str,
}

/// Backups at a glance.
#[utoipa::path(
    get,
    path = "/backups",
    responses(
        (status = 200, body = BackupsView),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_backups(call: Call) -> Result<Reply, ApiError> {
    json_reply(StatusCode::OK, &view(&call))
}

/// Changes where backups go, when, and how many are kept.
#[utoipa::path(
    put,
    path = "/backups/settings",
    request_body = BackupSettings,
    responses(
        (status = 200, body = BackupsView),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
        (status = 507, body = ErrorBody, description = "`storage_full`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn change_settings(call: Call) -> Result<Reply, ApiError> {
    call.app.backups.choose(call.json()?).await?;
    tracing::info!(from = %call.from, "the settings of backups were changed");
    json_reply(StatusCode::OK, &view(&call))
}

/// Makes a backup now.
#[utoipa::path(
    post,
    path = "/backups/run",
    responses(
        (status = 202, description = "it runs; see `running`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`backup_running` or `no_backup_target`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn run(call: Call) -> Result<Reply, ApiError> {
    call.app.backups.begin(Work::Backup)?;
    Ok(empty_reply(StatusCode::ACCEPTED))
}

/// Proves the newest backup: restores it to a private folder and compares every byte.
#[utoipa::path(
    post,
    path = "/backups/drill",
    responses(
        (status = 202, description = "it runs; see `running`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`backup_running` or `no_backup_target`"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn drill(call: Call) -> Result<Reply, ApiError> {
    call.app.backups.begin(Work::Drill)?;
    Ok(empty_reply(StatusCode::ACCEPTED))
}

/// Tells the recovery kit. It is always of the same key: kits from before stay good.
#[utoipa::path(
    post,
    path = "/backups/kit",
    request_body = KitRequest,
    responses(
        (status = 200, body = KitView<'_>),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`wrong_password`, or `foreign_origin`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable` or `busy`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn kit(call: Call) -> Result<Reply, ApiError> {
    let request: KitRequest = call.json()?;
    check_password(&call, request.password).await?;
    let name = call.app.chosen_name().to_string();
    let kit = call.app.backups.kit(&name, request.with_access).await?;
    tracing::info!(from = %call.from, "somebody had the recovery kit made");
    json_reply(StatusCode::OK, &KitView { text: &kit.text, html: &kit.html, code: &kit.code })
}

fn view(call: &Call) -> BackupsView {
    let standing = call.app.backups.standing();
    let kept = standing.kept;
    let of_user = |(user, known): (String, PrivateRecord)| {
        let PrivateRecord { at, files, bytes, problem, .. } = known;
        PrivateFilesView { user, at, files, bytes, problem }
    };
    let private_files: Vec<_> = kept.private.into_iter().map(of_user).collect();
    let is_complete = !private_files.is_empty() && private_files.iter().all(|known| known.at.is_some());
    let private = (!is_complete).then_some(LeftOut::PrivateFiles);
    BackupsView {
        settings: kept.settings.redacted(),
        running: standing.task.map(TaskView::from),
        last_success: kept.state.last_success,
        last_backup: kept.last_backup,
        last_drill: kept.last_drill,
        next: standing.next,
        kit_made: kept.kit_told,
        problems: call.app.backups.findings().into_iter().map(|finding| finding.words).collect(),
        left_out: private.into_iter().chain([LeftOut::NetworkSettings]).collect(),
        private_files,
    }
}

impl From<Task> for TaskView {
    fn from(Task { work, progress }: Task) -> Self {
        let Some(progress) = progress else {
            return Self { work, phase: Phase::Reaching, files: 0, files_total: 0, bytes: 0, bytes_total: 0 };
        };
        Self {
            work,
            phase: progress.phase.into(),
            files: progress.files,
            files_total: progress.files_total,
            bytes: progress.bytes,
            bytes_total: progress.bytes_total,
        }
    }
}

impl From<backup::Phase> for Phase {
    fn from(phase: backup::Phase) -> Self {
        match phase {
            backup::Phase::Counting => Self::Counting,
            backup::Phase::Saving => Self::Saving,
            backup::Phase::Pruning => Self::Pruning,
            backup::Phase::Verifying => Self::Verifying,
            backup::Phase::Restoring => Self::Restoring,
            backup::Phase::Comparing => Self::Comparing,
        }
    }
}

impl From<BackupsError> for ApiError {
    fn from(error: BackupsError) -> Self {
        let conflict = |code, message: &str| Self::new(StatusCode::CONFLICT, code, message);
        match error {
            BackupsError::Setting(bad) => Self::field(bad.field, bad.problem),
            BackupsError::Busy => {
                conflict("backup_running", "A backup or a drill runs already. Wait until it has ended.")
            }
            BackupsError::NoTarget => conflict("no_backup_target", "Choose first where backups are to go."),
            BackupsError::NoStore { reason } => Self::storage_unavailable(&reason),
            error @ (BackupsError::Keep(_) | BackupsError::Key(_)) => refused_by_store(&error),
            error @ BackupsError::Kit(_) => {
                tracing::error!(error = &error as &dyn Error, "no recovery kit could be made");
                Self::internal()
            }
        }
    }
}
