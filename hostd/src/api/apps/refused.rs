//! Why something about apps is not done, as clients see it.

use crate::api::error::ApiError;
use crate::api::error::refused_by_store;
use crate::api::error::sentence;
use crate::apps::containerd::ContainerdError;
use crate::apps::error::AppsError;
use hostapi::containers1::Containers1Error;
use hyper::StatusCode;
use model::containers::InvalidRegistries;
use std::error::Error;

impl From<AppsError> for ApiError {
    fn from(error: AppsError) -> Self {
        let conflict = |code, message: String| Self::new(StatusCode::CONFLICT, code, message);
        match error {
            AppsError::NoSuchApp => {
                Self::new(StatusCode::NOT_FOUND, "no_such_app", "There is no such app. Load the list again.")
            }
            AppsError::OwnerOnly => {
                let message = "This app is the household's, and only the owner of the box may do that.";
                Self::new(StatusCode::FORBIDDEN, "owner_only", message)
            }
            AppsError::Busy => {
                let message = "Something is being done to this app already. Wait until it has ended.";
                conflict("app_busy", message.to_owned())
            }
            AppsError::Leftover => {
                let message =
                    "This app was removed, and only its data is left. Install it again to use that.";
                conflict("app_removed", message.to_owned())
            }
            AppsError::IdTaken => {
                conflict("id_taken", "Another app of this box has that ID. Choose another one.".to_owned())
            }
            AppsError::NotWhatWasShown => {
                let message = "This is not what was shown: the app or your other apps have changed since. Look at it once more.";
                conflict("not_what_was_shown", message.to_owned())
            }
            AppsError::Refused(refusals) => Self::app_refused(StatusCode::CONFLICT, refusals),
            error @ AppsError::NotAsked(_) => Self::field("granted", sentence(&error.to_string())),
            AppsError::NoStore { reason } => Self::storage_unavailable(&reason),
            error @ AppsError::Keep(_) => refused_by_store(&error),
            AppsError::Netd(error) => error.into(),
            AppsError::Containerd(error) => error.into(),
            AppsError::InvalidRegistries(error) => {
                let field = match error {
                    InvalidRegistries::Many => "name",
                    InvalidRegistries::Mirrors => "mirrors",
                    InvalidRegistries::User => "login.user",
                    InvalidRegistries::Password => "login.password",
                    InvalidRegistries::PlainLogin(_) => "plain_http",
                };
                Self::field(field, sentence(&error.to_string()))
            }
            error @ (AppsError::Policy(_)
            | AppsError::InvalidPolicy(_)
            | AppsError::Key(_)
            | AppsError::Secret(_)
            | AppsError::Id(_)) => {
                tracing::error!(error = &error as &dyn Error, "a request about apps failed");
                Self::internal()
            }
        }
    }
}

impl From<ContainerdError> for ApiError {
    fn from(error: ContainerdError) -> Self {
        if let ContainerdError::Refused { source: Containers1Error::Locked(_), .. } = &error {
            let message = "The data of this app is locked. Unlock your vault, and the app starts.";
            return Self::new(StatusCode::CONFLICT, "app_locked", message);
        }
        if error.is_absence() {
            tracing::debug!(error = &error as &dyn Error, "containerd-lite did not answer");
            return Self::apps_unavailable();
        }
        let words = error.words();
        match error {
            ContainerdError::Refused { source, .. } => match source {
                Containers1Error::UnknownContainer(_) => {
                    Self::new(StatusCode::NOT_FOUND, "no_such_container", sentence(&words))
                }
                Containers1Error::Invalid(_)
                | Containers1Error::Locked(_)
                | Containers1Error::UnknownApp(_)
                | Containers1Error::UnknownImage(_)
                | Containers1Error::UnknownSnapshot(_)
                | Containers1Error::Running(_)
                | Containers1Error::InUse(_)
                | Containers1Error::Refused(_)
                | Containers1Error::Stopping(_)
                | Containers1Error::ZBus(_) => {
                    Self::new(StatusCode::CONFLICT, "app_refused", sentence(&words))
                }
            },
            ContainerdError::Away => Self::apps_unavailable(),
            error @ ContainerdError::Strange { .. } => {
                tracing::error!(
                    error = &error as &dyn Error,
                    "containerd-lite gave an answer that does not fit"
                );
                Self::internal()
            }
        }
    }
}
