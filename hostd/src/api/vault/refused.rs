//! Errors of vaults as clients see them.

use crate::accounts::Refusal;
use crate::accounts::password::HashError;
use crate::api::error::ApiError;
use crate::vaults::VaultError;
use crate::vaults::files::FileError;
use crate::vaults::files::MAX_FILES;
use hyper::StatusCode;
use std::error::Error;
use vault::directory::DirectoryError;

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        let conflict = |code, message: &str| Self::new(StatusCode::CONFLICT, code, message);
        let forbidden = |code, message: &str| Self::new(StatusCode::FORBIDDEN, code, message);
        match error {
            VaultError::None => {
                conflict("no_vault", "You have no vault yet. Log out and in again: then there is one.")
            }
            VaultError::Locked => {
                conflict("vault_locked", "Your vault is locked. Open it with your password.")
            }
            VaultError::Rotating => conflict(
                "vault_busy",
                "Your files are being encrypted with another key. Try again when that is done.",
            ),
            VaultError::InUse => {
                conflict("vault_busy", "Files are being sent or received. Try again when that is over.")
            }
            VaultError::WrongKey { kind } => {
                forbidden("wrong_key", &format!("This {kind} does not open the vault. Nothing was changed."))
            }
            VaultError::NothingToConfirm => conflict(
                "nothing_to_confirm",
                "There is no new recovery code to confirm: it was confirmed before, or is to be made anew.",
            ),
            VaultError::NotItsEnd => forbidden(
                "not_its_end",
                "That is not the end of the new recovery code. Compare it with the paper.",
            ),
            VaultError::StorageUnavailable { reason } => Self::storage_unavailable(&reason),
            // 401 would say that the session has ended.
            VaultError::Account(Refusal::WrongCredentials) => {
                forbidden("wrong_password", "That is not your password.")
            }
            VaultError::Account(refusal) => refusal.into(),
            VaultError::Hash(HashError::Busy) => Self::busy(),
            VaultError::File(error) => error.into(),
            error @ VaultError::Keep(_) => {
                tracing::error!(error = &error as &dyn Error, "a change of a vault could not be kept");
                Self::storage_unavailable("its disk did not take the change. Is it full or broken?")
            }
            VaultError::Directory(error) => unavailable(&error),
            error @ (VaultError::Open { .. }
            | VaultError::BrokenOff
            | VaultError::Changed
            | VaultError::Random { .. }
            | VaultError::Archive(_)
            | VaultError::Record(_)
            | VaultError::Restored(_)
            | VaultError::Load(_)
            | VaultError::Hash(_)
            | VaultError::Thread(_)) => {
                tracing::error!(error = &error as &dyn Error, "a request for a vault failed");
                Self::internal()
            }
        }
    }
}

impl From<FileError> for ApiError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::NotFound => Self::new(StatusCode::NOT_FOUND, "no_such_file", "There is no such file."),
            FileError::Full => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "disk_full",
                "The box's disk is full. Remove something and try again; nothing was changed.",
            ),
            FileError::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The file is larger than 16 MiB, the most a private file can have.",
            ),
            FileError::TooMany => Self::new(
                StatusCode::CONFLICT,
                "too_many_files",
                format!("There are {MAX_FILES} private files, the most there can be. Remove one first."),
            ),
            error @ FileError::Io { .. } if error.is_of_the_disk() => {
                tracing::error!(error = &error as &dyn Error, "the disk did not take a private file");
                Self::storage_unavailable("its disk did not take the change. Is it broken?")
            }
            error @ (FileError::Foreign | FileError::Io { .. }) => {
                tracing::error!(error = &error as &dyn Error, "a private file was not read or written");
                Self::internal()
            }
        }
    }
}

fn unavailable(error: &DirectoryError) -> ApiError {
    tracing::error!(error = error as &dyn Error, "the files of a vault cannot be shown");
    let message = "The key is right, but the box cannot show the files. Its log says why.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "vault_unavailable", message)
}
