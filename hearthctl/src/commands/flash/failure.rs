//! Why a disk was not written.

use flash::disks::Disk;
use flash::disks::Objection;
use flash::source::SourceError;
use flash::write::WriteError;
use model::preset::InvalidWifi;
use std::fmt::Write;
use std::io;
use std::path::PathBuf;

/// Why a disk was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FlashFailure {
    /// Nobody said which.
    #[error("say which disk: hearthctl flash IMAGE DISK")]
    NoDisk,
    /// The computer does not show its disks.
    #[error("look at the disks of this computer")]
    Look {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The disk cannot be opened.
    #[error("open {}", path.display())]
    Open {
        /// The disk.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It is neither a disk nor a file.
    #[error("{} is no disk that an image can be put on", path.display())]
    NoSuchDisk {
        /// As written.
        path: PathBuf,
    },
    /// It is a part of a disk.
    #[error("{} is a part of a disk, and an image takes a whole one: {disk}", path.display())]
    Partition {
        /// As written.
        path: PathBuf,
        /// The disk.
        disk: String,
    },
    /// Nobody can mean that disk.
    #[error("{}: {}", disk.path.display(), reasons(disk, open))]
    Objections {
        /// The disk.
        disk: Box<Disk>,
        /// What speaks against it.
        open: Vec<Objection>,
    },
    /// Nobody is there to say yes.
    #[error("nobody is here to confirm that everything on the disk is to be erased")]
    NobodyConfirms,
    /// The passphrase is none.
    #[error("use the passphrase")]
    Passphrase(#[source] InvalidWifi),
    /// The kernel gave no random bytes.
    #[error("make a claim code")]
    Random {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The image may not be written.
    #[error(transparent)]
    Source(SourceError),
    /// Writing failed.
    #[error(transparent)]
    Write(WriteError),
}

impl FlashFailure {
    /// What to do about it.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Open { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("Writing disks takes the rights of root: run it with sudo.".to_owned())
            }
            Self::Open { source, .. } if source.kind() == io::ErrorKind::ResourceBusy => {
                Some("Something uses the disk. Unmount it, or say that you know: --even-if in-use".to_owned())
            }
            Self::Objections { open, .. } => advice(open),
            Self::NobodyConfirms => Some("Say that you are sure: --yes".to_owned()),
            Self::Source(_) | Self::Write(WriteError::TooSmall { .. }) => {
                Some("Nothing was written.".to_owned())
            }
            Self::Write(WriteError::Different { .. }) => {
                Some("Nothing starts from this disk now. Take another one.".to_owned())
            }
            Self::Write(_) => Some("Nothing starts from this disk now. Write it once more.".to_owned()),
            Self::NoDisk
            | Self::Look { .. }
            | Self::Open { .. }
            | Self::NoSuchDisk { .. }
            | Self::Partition { .. }
            | Self::Passphrase(_)
            | Self::Random { .. } => None,
        }
    }
}

fn reasons(disk: &Disk, open: &[Objection]) -> String {
    let mut text = String::new();
    for objection in open {
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing to a text cannot fail.
        write!(text, "{separator}{objection}").unwrap_or_default();
        if *objection == Objection::InUse {
            let uses: Vec<String> = disk.uses.iter().map(ToString::to_string).collect();
            write!(text, " ({})", uses.join(", ")).unwrap_or_default();
        }
    }
    text
}

fn advice(open: &[Objection]) -> Option<String> {
    let mut words = Vec::new();
    for objection in open {
        words.push(match objection {
            Objection::System => "system",
            Objection::InUse => "in-use",
            Objection::Internal => "internal",
            Objection::ReadOnly | Objection::Sectors => return None,
        });
    }
    Some(format!("If it is the one you mean all the same: --even-if {}", words.join(",")))
}
