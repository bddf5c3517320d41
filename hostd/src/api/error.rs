//! Errors as clients see them: a code for programs, a sentence for people that says what to do.

use crate::accounts::Refusal;
use crate::accounts::members::MAX_USERS;
use crate::accounts::password::HashError;
use crate::apps::source::Remark;
use crate::net::AskError;
use crate::storaged::KeysError;
use crate::web::Reply;
use crate::web::reply;
use crate::web::set_header;
use hostapi::net1::Net1Error;
use hostapi::storage1::Storage1Error;
use hyper::StatusCode;
use hyper::header::ALLOW;
use hyper::header::RETRY_AFTER;
use serde::Serialize;
use std::error::Error;
use std::time::Duration;

/// An error answer.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    // Errors are small to hand on.
    detail: Box<ErrorDetail>,
    retry_after: Option<Duration>,
    allow: Option<String>,
}

/// Body of every error answer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorDetail {
    /// For programs; never changes.
    code: &'static str,
    /// For people: what is wrong and what to do.
    message: String,
    /// The member of the request at fault, such as `owner.password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Claim codes that may still be tried before a new one is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    tries_left: Option<u8>,
    /// Everything for which an app is refused, each with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    refusals: Vec<Remark>,
}

impl ApiError {
    /// An error with a code and a sentence.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let detail =
            ErrorDetail { code, message: message.into(), field: None, tries_left: None, refusals: vec![] };
        Self { status, detail: Box::new(detail), retry_after: None, allow: None }
    }

    /// A member of the request is at fault.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", message);
        error.detail.field = Some(field.into());
        error
    }

    /// An app cannot be had as it is; everything for which not.
    #[must_use]
    pub fn app_refused(status: StatusCode, refusals: Vec<Remark>) -> Self {
        let message = match refusals.as_slice() {
            [only] => sentence(&only.words),
            several => format!("The app cannot be taken as it is, for {} reasons.", several.len()),
        };
        let mut error = Self::new(status, "app_refused", message);
        error.detail.refusals = refusals;
        error
    }

    /// There is no such address.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.")
    }

    /// The address does not take this method.
    #[must_use]
    pub fn method_not_allowed(allowed: &[&str]) -> Self {
        let allow = allowed.join(", ");
        let message = format!("This address only takes {allow}.");
        let mut error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
        error.allow = Some(allow);
        error
    }

    /// Nobody is logged in.
    #[must_use]
    pub fn not_logged_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_logged_in", "Log in first.")
    }

    /// Something is wrong with the box itself; the log says what.
    #[must_use]
    pub fn internal() -> Self {
        let message = "Something went wrong inside the box. Its log says what.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// The box is set up.
    #[must_use]
    pub fn already_set_up() -> Self {
        Self::new(StatusCode::CONFLICT, "already_set_up", "This box already has an owner. Log in instead.")
    }

    /// Nothing can be kept.
    #[must_use]
    pub fn storage_unavailable(reason: &str) -> Self {
        let message = format!("The box cannot save anything: {reason}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message)
    }

    /// The disk has no room.
    #[must_use]
    pub fn storage_full() -> Self {
        let message = "The box's disk is full, so nothing was changed. Delete something that is not needed, then try again.";
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "storage_full", message)
    }

    /// netd does not answer.
    #[must_use]
    pub fn network_unavailable() -> Self {
        let message = "The box's network service does not answer just now. It is started again by itself; try again in a moment.";
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "network_unavailable", message);
        error.retry_after = Some(Duration::from_secs(5));
        error
    }

    /// storaged does not answer.
    #[must_use]
    pub fn keys_unavailable() -> Self {
        let message = "The box's service for encrypted data does not answer just now. Try again in a moment.";
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", message);
        error.retry_after = Some(Duration::from_secs(5));
        error
    }

    /// containerd-lite does not answer.
    #[must_use]
    pub fn apps_unavailable() -> Self {
        let message = "The box's app service does not answer just now. It is started again by itself, and apps that run go on; try again in a moment.";
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "apps_unavailable", message);
        error.retry_after = Some(Duration::from_secs(5));
        error
    }

    /// The data is open.
    #[must_use]
    pub fn not_locked() -> Self {
        Self::new(StatusCode::CONFLICT, "not_locked", "The data is not locked.")
    }

    /// The store is no older copy, or another one than was shown.
    #[must_use]
    pub fn no_such_rollback() -> Self {
        let message = "That is not what the box found. Load the page again and look once more.";
        Self::new(StatusCode::CONFLICT, "no_such_rollback", message)
    }

    /// Whether the connection cannot be used any further, because the request was not read to its end.
    #[must_use]
    pub fn closes(&self) -> bool {
        matches!(self.status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE)
    }

    /// The answer.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        let body = serde_json::to_vec(&ErrorBody { error: *self.detail }).unwrap_or_default();
        let mut reply = reply(self.status, "application/json", body);
        if let Some(wait) = self.retry_after {
            // Rounded up: who comes back a moment early is refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            set_header(&mut reply, RETRY_AFTER, &seconds.to_string());
        }
        if let Some(allow) = self.allow {
            set_header(&mut reply, ALLOW, &allow);
        }
        reply
    }

    fn too_many_tries(wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let message = format!("Too many wrong tries. Wait {seconds} seconds and try again.");
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", message);
        error.retry_after = Some(wait);
        error
    }

    fn wrong_claim_code(tries_left: u8) -> Self {
        let message = match tries_left {
            0 => {
                "That was not the claim code, for the fifth time. The box now shows a new one on its screen."
            }
            _ => "That is not the claim code the box shows on its screen. Compare it and try again.",
        };
        let mut error = Self::new(StatusCode::FORBIDDEN, "wrong_claim_code", message);
        error.detail.tries_left = Some(tries_left);
        error
    }

    /// Others wait for their passwords to be checked.
    #[must_use]
    pub fn busy() -> Self {
        let message = "The box checks other passwords right now. Try again in a moment.";
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
        error.retry_after = Some(Duration::from_secs(5));
        error
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AlreadySetUp => Self::already_set_up(),
            Refusal::WrongClaimCode { tries_left } => Self::wrong_claim_code(tries_left),
            Refusal::WrongCredentials => {
                Self::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "Name or password is wrong.")
            }
            Refusal::TooManyTries { source } => Self::too_many_tries(source.retry_after),
            Refusal::StorageUnavailable { reason } => Self::storage_unavailable(&reason),
            Refusal::Hash { source: HashError::Busy } => Self::busy(),
            Refusal::NoSuchUser => {
                Self::new(StatusCode::NOT_FOUND, "no_such_user", "There is nobody of that name.")
            }
            Refusal::UserExists => {
                let message = "There is somebody of that name already. Choose another one.";
                Self::new(StatusCode::CONFLICT, "user_exists", message)
            }
            Refusal::TooManyUsers => {
                let message =
                    format!("There are {MAX_USERS} users, the most there can be. Remove one first.");
                Self::new(StatusCode::CONFLICT, "too_many_users", message)
            }
            Refusal::LastOwner => {
                let message = "This is the owner of the box, whom nobody else can let go. The owner's password is changed on their own account page.";
                Self::new(StatusCode::CONFLICT, "last_owner", message)
            }
            refusal @ Refusal::Keep { .. } => refused_by_store(&refusal),
            refusal @ (Refusal::Hash { .. }
            | Refusal::Token { .. }
            | Refusal::Claim { .. }
            | Refusal::Vault { .. }) => {
                tracing::error!(error = &refusal as &dyn Error, "an account request failed");
                Self::internal()
            }
        }
    }
}

/// The store did not take a change.
pub(super) fn refused_by_store(error: &(dyn Error + 'static)) -> ApiError {
    if is_for_want_of_room(error) {
        tracing::warn!(error, "the disk is full");
        return ApiError::storage_full();
    }
    tracing::error!(error, "a change could not be kept");
    ApiError::storage_unavailable("its disk did not take the change. Is it full or broken?")
}

/// Whether a full disk is at the bottom of it.
fn is_for_want_of_room(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if matches!(kind, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A clause, as errors are written, as a sentence for people.
#[must_use]
pub fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        let conflict = |code, message: String| Self::new(StatusCode::CONFLICT, code, message);
        match error {
            AskError::Away => Self::network_unavailable(),
            error @ AskError::Strange { .. } => {
                tracing::error!(error = &error as &dyn Error, "netd gave an answer that does not fit");
                Self::internal()
            }
            AskError::Refused { source, what } => match source {
                Net1Error::Refused(why) => conflict(
                    "network_refused",
                    format!("The box did not take it: {why}. Nothing was changed."),
                ),
                Net1Error::NothingOnTrial(_) => {
                    let message = "There is no change to confirm: it was confirmed before, or its time ran out and \
                                   the settings from before are back.";
                    conflict("nothing_on_trial", message.to_owned())
                }
                Net1Error::UnknownApp(why) => Self::new(StatusCode::NOT_FOUND, "unknown_app", sentence(&why)),
                Net1Error::InvalidDocument(why) => Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid_field",
                    format!("The box cannot use it: {why}."),
                ),
                source @ (Net1Error::ZBus(_) | Net1Error::Stopping(_)) => {
                    tracing::warn!(what, error = &source as &dyn Error, "netd did not answer");
                    Self::network_unavailable()
                }
                source @ (Net1Error::InvalidHostName(_) | Net1Error::AlreadyAttached(_)) => {
                    tracing::error!(
                        what,
                        error = &source as &dyn Error,
                        "netd gave an answer that does not fit"
                    );
                    Self::internal()
                }
            },
        }
    }
}

impl From<KeysError> for ApiError {
    fn from(error: KeysError) -> Self {
        let source = match error {
            KeysError::Away => return Self::keys_unavailable(),
            error @ KeysError::Strange { .. } => {
                tracing::error!(error = &error as &dyn Error, "storaged gave an answer that does not fit");
                return Self::internal();
            }
            KeysError::Refused { source, .. } => source,
        };
        if let Some(seconds) = source.seconds_to_wait() {
            return Self::too_many_tries(Duration::from_secs(seconds));
        }
        let forbidden = |code, message: &str| Self::new(StatusCode::FORBIDDEN, code, message);
        let conflict = |code, message: String| Self::new(StatusCode::CONFLICT, code, message);
        match source {
            Storage1Error::WrongKey(_) => {
                forbidden("wrong_key", "That is not a key of this box. Nothing was changed.")
            }
            Storage1Error::NotItsEnd(_) => forbidden(
                "not_its_end",
                "That is not the end of the new recovery key. Compare it with the paper.",
            ),
            Storage1Error::NotLocked(_) => Self::not_locked(),
            Storage1Error::Locked(_) => {
                conflict("data_locked", "The data is locked. Unlock it first.".to_owned())
            }
            Storage1Error::NothingToConfirm(_) => {
                let message =
                    "There is no new recovery key to confirm: it was confirmed before, or another was made.";
                conflict("nothing_to_confirm", message.to_owned())
            }
            Storage1Error::Refused(why) => {
                conflict("keys_refused", format!("The box did not do it: {why}. Nothing was changed."))
            }
            Storage1Error::NoDisk(why) => conflict("no_disk", sentence(&why)),
            source @ (Storage1Error::ZBus(_) | Storage1Error::Stopping(_)) => {
                tracing::warn!(error = &source as &dyn Error, "storaged did not answer");
                Self::keys_unavailable()
            }
            source @ (Storage1Error::Wait(_) | Storage1Error::NotYours(_) | Storage1Error::NoCounter(_)) => {
                tracing::error!(error = &source as &dyn Error, "storaged gave an answer that does not fit");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_netd_says_wrongly_is_not_the_clients_fault() {
        let source = hostapi::net1::read_answer::<u8>("{}").unwrap_err();
        let error = ApiError::from(AskError::Strange { what: "explain its rules", source });
        assert_eq!((error.status, error.detail.code), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    }
}
