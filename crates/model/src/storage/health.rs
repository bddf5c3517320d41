//! How the disk is and how much room is left, as storaged tells it.

use serde::Deserialize;
use serde::Serialize;

/// The disk, the file system on the data partition, and what an owner has to know of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// The disk that carries the data partition; none when no partition was found.
    pub disk: Option<DiskHealth>,
    /// The file system; none while it is not mounted.
    pub file_system: Option<FileSystemHealth>,
    /// Giving free blocks back to the disk.
    pub trim: TrimReport,
    /// What matters of all this, the gravest first.
    pub findings: Vec<Finding>,
}

/// A disk, as far as it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskHealth {
    /// Kernel name, such as `nvme0n1`.
    pub name: String,
    /// What its maker calls it.
    pub model: String,
    /// Which language it speaks.
    pub kind: DiskKind,
    /// Its size.
    pub size_bytes: u64,
    /// Whether it says itself that it is failing.
    pub is_failing: Option<bool>,
    /// How much of the life that its maker expects is used; may exceed 100.
    pub life_used_percent: Option<u8>,
    /// How many of its spare blocks are left.
    pub spare_percent: Option<u8>,
    /// Its temperature.
    pub temperature_celsius: Option<i16>,
    /// How long it has been switched on in its life.
    pub power_on_hours: Option<u64>,
    /// Sectors that went bad and were replaced.
    pub replaced_sectors: Option<u64>,
    /// Sectors, or pieces of data, that it could not read.
    pub unreadable: Option<u64>,
    /// What was written to it.
    pub written: Written,
    /// Why it does not say how it is, in plain words.
    pub silent: Option<String>,
}

/// Which language a disk speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskKind {
    /// Soldered flash memory.
    Emmc,
    /// A memory card.
    SdCard,
    /// NVM Express.
    Nvme,
    /// ATA, also behind a bridge that passes its commands on.
    Ata,
    /// Another, such as a virtual machine's.
    Other,
}

/// What was written to a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Since the box was started.
    pub since_boot_bytes: u64,
    /// How long ago that was.
    pub uptime_seconds: u64,
    /// The same scaled to a day; only after an hour, before which it says nothing.
    pub per_day_bytes: Option<u64>,
    /// What a cheap disk of this size bears for some years.
    pub budget_per_day_bytes: u64,
    /// In the disk's whole life, where it counts.
    pub ever_bytes: Option<u64>,
}

/// A mounted file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystemHealth {
    /// Room in all.
    pub total_bytes: u64,
    /// Room that is left to whoever is not root.
    pub available_bytes: u64,
    /// How full it is, rounded up.
    pub used_percent: u8,
    /// Whether nothing can be written: after an error the kernel allows reading only.
    pub is_read_only: bool,
    /// Errors that the kernel found and nobody has repaired.
    pub errors: u64,
}

/// Giving free blocks back to the disk, so that it can wear evenly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimReport {
    /// The last time since storaged started.
    pub last: Option<Trimmed>,
    /// Why it could not be done, in plain words.
    pub problem: Option<String>,
}

/// One time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trimmed {
    /// How long ago.
    pub seconds_ago: u64,
    /// How much was given back.
    pub bytes: u64,
}

/// Something that an owner has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// For programs.
    pub kind: FindingKind,
    /// Whether the box does not work as it should because of it; else it is advice.
    pub is_grave: bool,
    /// For people: what is the matter, and what to do.
    pub words: String,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Nothing can be written any more, because the file system or the disk broke.
    ReadOnly,
    /// Nothing can be written any more, because there is no room.
    Full,
    /// The disk says that it is about to fail.
    Failing,
    /// The disk cannot read some of what was written to it.
    Unreadable,
    /// The file system has errors.
    FileSystemErrors,
    /// The disk has lived its life.
    WornOut,
    /// Room runs out.
    AlmostFull,
    /// The disk nears the end of its life.
    Wearing,
    /// More is written than the disk bears for long.
    WrittenTooMuch,
}
