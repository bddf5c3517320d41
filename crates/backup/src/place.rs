//! Places that keep files by name: what a repository needs of a folder, a bucket.

mod folder;
#[cfg(feature = "s3")]
mod s3;

use crate::targets::Target;
use bytes::Bytes;
use std::error::Error;
use std::sync::Arc;

/// A failure of a place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Nothing by that name.
    #[error("{name} is not there")]
    Missing {
        /// Which name.
        name: String,
    },
    /// No room left.
    #[error("{place} has no room left")]
    Full {
        /// Which place.
        place: String,
    },
    /// The place does not let us.
    #[error("{place} refuses access")]
    Refused {
        /// Which place.
        place: String,
        /// What it said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The place cannot be reached.
    #[error("{place} cannot be reached")]
    Unreachable {
        /// Which place.
        place: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The disk of a folder is not there.
    #[error("nothing is mounted at {mount}")]
    NotMounted {
        /// Where it should be.
        mount: String,
    },
    /// The server is another one than the owner named.
    #[error("{place} shows another host key than the pinned one")]
    OtherHost {
        /// Which place.
        place: String,
    },
    /// A file is larger than any of its kind.
    #[error("{name} is too large to be read")]
    TooLarge {
        /// Which file.
        name: String,
    },
    /// A file's content is not what its name says.
    #[error("{name} is damaged")]
    Damaged {
        /// Which file.
        name: String,
    },
    /// This build cannot speak to such places.
    #[error("this system cannot reach backup targets of type {kind}")]
    Unsupported {
        /// Which type.
        kind: &'static str,
    },
    /// The task was stopped.
    #[error("the task was cancelled")]
    Cancelled,
    /// Anything else.
    #[error("cannot {doing} {name}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// To what.
        name: String,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Keeps files by name. Names are `config` or `folder/id`; where they lie is the place's business.
pub(crate) trait Place: Send + Sync + 'static {
    /// For messages.
    fn describe(&self) -> String;

    /// Makes the folders of a new repository.
    fn create(&self) -> Result<(), PlaceError>;

    /// Names and sizes in a folder; names without the folder. A folder that is not there is empty.
    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, PlaceError>;

    /// A file, refused when longer than `limit`.
    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, PlaceError>;

    /// At most `length` bytes of a file from `offset`; fewer at its end.
    fn read_part(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, PlaceError>;

    /// Writes a file: wholly or not at all, and lastingly.
    fn write(&self, name: &str, content: &[Bytes]) -> Result<(), PlaceError>;

    /// Removes a file; fine when it is not there.
    fn remove(&self, name: &str) -> Result<(), PlaceError>;

    /// Whether each call costs a round trip.
    fn is_remote(&self) -> bool;
}

/// Where restic's layout puts a file: packs lie in 256 folders.
pub(crate) fn layout(name: &str) -> String {
    match name.strip_prefix("data/") {
        Some(id) if id.len() > 2 && id.is_ascii() => format!("data/{}/{id}", &id[..2]),
        Some(_) | None => name.to_owned(),
    }
}

/// Opens the place of a target.
pub(crate) fn open(target: &Target) -> Result<Arc<dyn Place>, PlaceError> {
    match target {
        Target::Folder(folder) => Ok(Arc::new(folder::Folder::open(folder)?)),
        #[cfg(feature = "s3")]
        Target::S3(target) => Ok(Arc::new(s3::S3::open(target)?)),
        #[cfg(not(feature = "s3"))]
        Target::S3(_) => Err(PlaceError::Unsupported { kind: "s3" }),
    }
}
