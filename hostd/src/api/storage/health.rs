//! How the documents of `model::storage::health` look, for the OpenAPI document alone, as in `schema`.
#![expect(dead_code, reason = "these types describe; none of them is ever made")]

use serde::Serialize;
use utoipa::ToSchema;

/// The disk, the room on it, and what an owner has to know of them.
#[derive(Serialize, ToSchema)]
pub(crate) struct HealthReport {
    /// The disk that carries the data; null when none was found.
    disk: Option<DiskHealth>,
    /// The file system of the data; null while it is not mounted.
    file_system: Option<FileSystemHealth>,
    /// Giving free blocks back to the disk.
    trim: TrimReport,
    /// What matters of all this, the gravest first.
    findings: Vec<Finding>,
}

/// A disk. What it does not tell is null.
#[derive(Serialize, ToSchema)]
pub(crate) struct DiskHealth {
    /// Kernel name.
    #[schema(example = "nvme0n1")]
    name: String,
    /// What its maker calls it.
    model: String,
    /// Which language it speaks.
    kind: DiskKind,
    /// Its size.
    size_bytes: u64,
    /// Whether it says itself that it is failing.
    is_failing: Option<bool>,
    /// How much of the life that its maker expects is used; may exceed 100.
    life_used_percent: Option<u8>,
    /// How many of its spare blocks are left.
    spare_percent: Option<u8>,
    /// Its temperature.
    temperature_celsius: Option<i16>,
    /// How long it has been switched on in its life.
    power_on_hours: Option<u64>,
    /// Sectors that went bad and were replaced.
    replaced_sectors: Option<u64>,
    /// Sectors, or pieces of data, that it could not read.
    unreadable: Option<u64>,
    /// What was written to it.
    written: Written,
    /// Why it does not say how it is, in plain words.
    silent: Option<String>,
}

/// Which language a disk speaks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DiskKind {
    /// Soldered flash memory.
    Emmc,
    /// A memory card.
    SdCard,
    /// NVM Express.
    Nvme,
    /// ATA.
    Ata,
    /// Another, such as a virtual machine's.
    Other,
}

/// What was written to a disk.
#[derive(Serialize, ToSchema)]
pub(crate) struct Written {
    /// Since the box was started.
    since_boot_bytes: u64,
    /// How long ago that was.
    uptime_seconds: u64,
    /// The same scaled to a day; null in the first hour.
    per_day_bytes: Option<u64>,
    /// What a cheap disk of this size bears for some years.
    budget_per_day_bytes: u64,
    /// In the disk's whole life.
    ever_bytes: Option<u64>,
}

/// The file system of the data.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileSystemHealth {
    /// Room in all.
    total_bytes: u64,
    /// Room that is left.
    available_bytes: u64,
    /// How full it is, rounded up.
    used_percent: u8,
    /// Whether nothing can be written, because an error was met.
    is_read_only: bool,
    /// Errors that were found and not repaired.
    errors: u64,
}

/// Giving free blocks back to the disk, so that it wears evenly.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrimReport {
    /// The last time since the service started.
    last: Option<Trimmed>,
    /// Why it could not be done, in plain words.
    problem: Option<String>,
}

/// One time.
#[derive(Serialize, ToSchema)]
pub(crate) struct Trimmed {
    /// How long ago.
    seconds_ago: u64,
    /// How much was given back.
    bytes: u64,
}

/// Something that an owner has to know; also among the reasons of the box's state.
#[derive(Serialize, ToSchema)]
pub(crate) struct Finding {
    /// What it is.
    kind: FindingKind,
    /// Whether the box does not work as it should because of it; else it is advice.
    is_grave: bool,
    /// For people: what is the matter, and what to do.
    words: String,
}

/// What was found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FindingKind {
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
