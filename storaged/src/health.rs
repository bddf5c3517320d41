//! How the disk is: what it says of itself, what is written to it, how much room is left, and what of that an owner has to know.
//!
//! ```text
//! nvme, ata, mmc, traffic, file_system (pure: bytes and texts → numbers) ──> findings (pure: numbers → words)
//!          disk (sysfs, ioctls), this page (mountinfo, statvfs) ──┘
//! trim: free blocks back to the disk, weekly
//! ```
//! The daemon reads; nothing of this is written down. A disk is asked now and then, room and errors are looked at each time.

pub mod ata;
pub mod disk;
pub mod file_system;
pub mod findings;
pub mod mmc;
pub mod nvme;
pub mod traffic;
pub mod trim;

use crate::notes::Notes;
use disk::Disk;
use file_system::Blocks;
use model::storage::health::FileSystemHealth;
use model::storage::health::HealthReport;
use model::storage::health::TrimReport;
use model::storage::health::Trimmed;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// How long a disk's word holds: wear changes over weeks, and some disks pause for the question.
const HOLDS: Duration = Duration::from_secs(10 * 60);

/// What a disk says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// It is failing.
    pub is_failing: Option<bool>,
    /// Of the life that its maker expects.
    pub life_used_percent: Option<u8>,
    /// Of its spare blocks.
    pub spare_percent: Option<u8>,
    /// How warm it is.
    pub temperature_celsius: Option<i16>,
    /// In its life.
    pub power_on_hours: Option<u64>,
    /// Sectors that went bad.
    pub replaced_sectors: Option<u64>,
    /// What it could not read.
    pub unreadable: Option<u64>,
    /// What was written to it in its life.
    pub ever_bytes: Option<u64>,
}

/// Where everything is looked up.
#[derive(Clone, Debug)]
pub struct Places {
    /// The kernel's view of devices.
    pub sys: PathBuf,
    /// Device nodes.
    pub dev: PathBuf,
    /// What is mounted.
    pub mountinfo: PathBuf,
    /// Where the data partition is mounted.
    pub data: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        let [sys, dev, mountinfo, data] =
            ["/sys", "/dev", "/proc/self/mountinfo", "/data"].map(PathBuf::from);
        Self { sys, dev, mountinfo, data }
    }
}

/// Looks at the disk and the file system.
#[derive(Debug)]
pub struct Gauge {
    places: Places,
    notes: Notes,
    memory: Mutex<Memory>,
    /// Held while the disk is asked.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Memory {
    asked: Option<(Duration, disk::Answer)>,
    trimmed: Option<(Duration, u64)>,
    problem: Option<String>,
}

impl Gauge {
    /// Of the partition that the notes name.
    #[must_use]
    pub fn new(notes: Notes, places: Places) -> Self {
        Self { places, notes, memory: Mutex::default(), turn: Mutex::default() }
    }

    /// How everything is now; blocks while a disk answers. `now` is the time since the box was started.
    #[must_use]
    pub fn look(&self, now: Duration) -> HealthReport {
        let partition = self.notes.device().ok().flatten();
        let disk = partition.and_then(|partition| Disk::under(&self.places, &partition)).map(|disk| {
            let answer = self.answer_of(&disk, now);
            disk.health(answer, now.as_secs())
        });
        let file_system = self.file_system();
        let findings = findings::findings(disk.as_ref(), file_system.as_ref());
        HealthReport { disk, file_system, trim: self.trim_report(now), findings }
    }

    /// Gives the free blocks of the file system back to the disk; blocks for as long as the disk takes.
    pub fn trim(&self, now: Duration) {
        let Some(room) = self.file_system().filter(|health| !health.is_read_only) else { return };
        let trimmed = trim::trim(&self.places.data, room.total_bytes);
        let mut memory = self.memory();
        match trimmed {
            Ok(bytes) => {
                tracing::info!(bytes, "free blocks were given back to the disk");
                (memory.trimmed, memory.problem) = (Some((now, bytes)), None);
            }
            Err(error) => {
                tracing::info!(
                    error = &error as &dyn std::error::Error,
                    "nothing was given back to the disk"
                );
                memory.problem = Some(trim::words(&error));
            }
        }
    }

    fn answer_of(&self, disk: &Disk, now: Duration) -> disk::Answer {
        let last = self.memory().asked.clone();
        if let Some((asked, answer)) = &last
            && now.saturating_sub(*asked) < HOLDS
        {
            return answer.clone();
        }
        // A disk that hangs takes one thread with it, however often somebody wants to know how it is.
        let Ok(_turn) = self.turn.try_lock() else {
            return last.map_or_else(disk::Answer::not_yet, |(_asked, answer)| answer);
        };
        let answer = disk.ask();
        self.memory().asked = Some((now, answer.clone()));
        answer
    }

    fn file_system(&self) -> Option<FileSystemHealth> {
        let mountinfo = fs::read_to_string(&self.places.mountinfo).ok()?;
        let mount = file_system::mounted_at(&mountinfo, self.places.data.to_str()?)?;
        let blocks = blocks(&self.places.data).ok()?;
        let errors = errors(&self.places.sys, &mount.device).unwrap_or_default();
        Some(file_system::judge(blocks, mount.is_read_only, errors))
    }

    fn trim_report(&self, now: Duration) -> TrimReport {
        let memory = self.memory();
        let last = memory
            .trimmed
            .map(|(then, bytes)| Trimmed { seconds_ago: now.saturating_sub(then).as_secs(), bytes });
        TrimReport { last, problem: memory.problem.clone() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn blocks(folder: &Path) -> io::Result<Blocks> {
    let facts = rustix::fs::statvfs(folder)?;
    Ok(Blocks { size: facts.f_frsize, all: facts.f_blocks, free: facts.f_bfree, available: facts.f_bavail })
}

/// What ext4 counted (Documentation/ABI/testing/sysfs-fs-ext4); it stays in the superblock until e2fsck has repaired it.
fn errors(sys: &Path, device: &str) -> Option<u64> {
    // The link leads to `…/dm-0`.
    let name = fs::read_link(sys.join("dev/block").join(device)).ok()?;
    let count = sys.join("fs/ext4").join(name.file_name()?).join("errors_count");
    fs::read_to_string(count).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
