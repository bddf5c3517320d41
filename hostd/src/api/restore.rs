//! Set-up from a backup: a new box becomes the household that it is of.

use super::Call;
use super::backups::Phase;
use super::error::ApiError;
use super::error::ErrorBody;
use super::error::sentence;
use super::json_reply;
use crate::backups::restore::Restored;
use crate::backups::settings::BackupTarget;
use crate::backups::settings::Place;
use crate::backups::settings::UsbDisk;
use crate::web::Reply;
use hyper::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

/// What to restore.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreRequest {
    /// As shown on the box's screen; case, spaces and dashes do not count.
    #[schema(example = "0123-4567-89AB")]
    claim_code: String,
    /// The recovery kit: what its QR code holds, or its numbered lines.
    #[schema(format = Password)]
    kit: String,
    /// Where the backup is. Without, what the kit says, and if it says nothing the first disk that can be pulled out.
    #[serde(default)]
    target: Option<BackupTarget>,
}

/// How a restore is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RestoreView {
    /// How far it is. After `done` the box starts anew, and is set up.
    state: RestoreState,
    /// What it is doing.
    phase: Option<Phase>,
    /// Bytes done.
    bytes: u64,
    /// Bytes in all; 0 while that is not known.
    bytes_total: u64,
    /// Why it was refused, in plain words; nothing was changed.
    problem: Option<String>,
}

/// How far a restore is.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RestoreState {
    /// Nobody has asked for one.
    None,
    /// It runs.
    Running,
    /// It was refused.
    Refused,
    /// Everything is in place.
    Done,
}

/// Restores the newest backup into this new box. All of it is checked before anything is changed.
#[utoipa::path(
    post,
    path = "/setup/restore",
    request_body = RestoreRequest,
    responses(
        (status = 202, body = RestoreView),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 403, body = ErrorBody, description = "`wrong_claim_code` with `tries_left`, or `foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`already_set_up` or `backup_running`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 429, body = ErrorBody, description = "`too_many_tries`", headers(("retry-after" = u64))),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
    )
)]
pub(crate) async fn restore(call: Call) -> Result<Reply, ApiError> {
    let request: RestoreRequest = call.json()?;
    let (code, typed) = (Zeroizing::new(request.claim_code), Zeroizing::new(request.kit));
    call.app.accounts.check_claim(&code, call.from)?;
    let kit = backup::RecoveryKit::parse(&typed)
        .map_err(|error| ApiError::field("kit", sentence(&error.to_string())))?;
    let place = match (&request.target, &kit.target) {
        (Some(target), _) => target.place().map_err(|bad| ApiError::field(bad.field, bad.problem))?,
        (None, Some(target)) => {
            let incomplete = |_error| {
                let message = "The kit does not have the access to the place of the backup. Type it.";
                ApiError::field("target", message)
            };
            target.check().map_err(incomplete)?;
            Place::There(target.clone())
        }
        (None, None) => Place::Disk(UsbDisk::default()),
    };
    let app = std::sync::Arc::clone(&call.app);
    call.app.backups.begin_restore(app, kit, place)?;
    tracing::info!(from = %call.from, "somebody with the claim code has a backup restored");
    json_reply(StatusCode::ACCEPTED, &RestoreView::of(call.app.backups.restored()))
}

/// How the restore is.
#[utoipa::path(
    get,
    path = "/setup/restore",
    responses(
        (status = 200, body = RestoreView),
        (status = 409, body = ErrorBody, description = "`already_set_up`: it is over, or there was none"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`"),
    )
)]
pub(crate) async fn show_restore(call: Call) -> Result<Reply, ApiError> {
    json_reply(StatusCode::OK, &RestoreView::of(call.app.backups.restored()))
}

impl RestoreView {
    fn of(restored: Restored) -> Self {
        let plain = |state| Self { state, phase: None, bytes: 0, bytes_total: 0, problem: None };
        match restored {
            Restored::No => plain(RestoreState::None),
            Restored::Running(None) => Self { phase: Some(Phase::Reaching), ..plain(RestoreState::Running) },
            Restored::Running(Some(progress)) => Self {
                phase: Some(progress.phase.into()),
                bytes: progress.bytes,
                bytes_total: progress.bytes_total,
                ..plain(RestoreState::Running)
            },
            Restored::Refused(why) => Self { problem: Some(sentence(&why)), ..plain(RestoreState::Refused) },
            Restored::Done => plain(RestoreState::Done),
        }
    }
}
