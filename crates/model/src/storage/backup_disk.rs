//! The disk that backups go to.

use serde::Deserialize;
use serde::Serialize;

/// A file system that such a disk may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskFileSystem {
    /// FAT.
    Vfat,
    /// exFAT.
    Exfat,
    /// ext4.
    Ext4,
}

impl DiskFileSystem {
    /// The kernel's name of it, which its module has too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vfat => "vfat",
            Self::Exfat => "exfat",
            Self::Ext4 => "ext4",
        }
    }
}

/// A disk that is mounted for backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupDisk {
    /// The folder that backups go to.
    pub folder: String,
    /// Where the disk is mounted; nothing where the folder is no disk's.
    pub mounted_at: Option<String>,
}

/// How an order to mount or unmount it ended, in [`crate::paths::BACKUP_DISK_REPORT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupDiskReport {
    /// The number that the order had.
    pub order: u64,
    /// Why it was not done, in plain words.
    pub problem: Option<String>,
}
