//! The disk for backups: which one it is, and having init mount it. What lies on it is hostd's business.
//!
//! ```text
//! /sys/class/block → partitions ┐
//! /dev → first bytes → file system, name ┴─> choose ──> init: MountBackupDisk ──> its report
//! ```

mod choose;
mod file_system;

use crate::words::chain;
use choose::Partition;
use choose::choose;
use file_system::HEAD;
use hostapi::control;
use hostapi::storage1::Storage1Error;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::paths;
use model::storage::backup_disk::BackupDisk;
use model::storage::backup_disk::BackupDiskReport;
use model::storage::backup_disk::DiskFileSystem;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A disk that has to spin up, with a journal to replay, takes a while.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a disk that is not there is waited for: one that was plugged in a moment ago, or that the box was started with, comes up slowly.
const APPEARS_WITHIN: Duration = Duration::from_secs(30);

/// Where things are; tests have others.
#[derive(Clone, Debug)]
pub struct Places {
    /// The kernel's list of block devices.
    pub blocks: PathBuf,
    /// Their nodes.
    pub devices: PathBuf,
    /// Which device the data partition is.
    pub data: PathBuf,
    /// What init's helper tells.
    pub report: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            blocks: "/sys/class/block".into(),
            devices: "/dev".into(),
            data: Path::new(paths::STORAGE_RUN).join("device"),
            report: paths::BACKUP_DISK_REPORT.into(),
        }
    }
}

/// Mounts and unmounts it, one order at a time; clones share it.
#[derive(Clone, Debug)]
pub struct BackupDisks {
    control: PathBuf,
    places: Places,
    appears_within: Duration,
    turn: Arc<Mutex<()>>,
}

impl BackupDisks {
    /// Asks init at its control socket.
    #[must_use]
    pub fn new(control: PathBuf, places: Places) -> Self {
        Self { control, places, appears_within: APPEARS_WITHIN, turn: Arc::default() }
    }

    /// Mounts the one whose file system has this name, or the first that can be pulled out; half a minute is waited for one that is not
    /// there.
    ///
    /// # Errors
    /// When there is none, or it cannot be mounted.
    pub async fn mount(&self, label: Option<String>) -> Result<BackupDisk, Storage1Error> {
        let _turn = self.turn.lock().await;
        let (device, file_system) = self.find(label.as_deref()).await?;
        self.order(|order| ControlRequest::MountBackupDisk { order, device, file_system }).await?;
        Ok(BackupDisk {
            folder: paths::BACKUP_FOLDER.to_owned(),
            mounted_at: Some(paths::BACKUP_DISK.to_owned()),
        })
    }

    /// Looks again for a while when it is not there.
    async fn find(&self, label: Option<&str>) -> Result<(String, DiskFileSystem), Storage1Error> {
        let until = Instant::now() + self.appears_within;
        loop {
            let places = self.places.clone();
            // A disk that hangs holds a thread, not the bus.
            let listed = tokio::task::spawn_blocking(move || partitions(&places)).await;
            let listed =
                listed.map_err(|_ended| Storage1Error::Stopping("storaged is stopping".to_owned()))?;
            let partitions = listed
                .map_err(|error| Storage1Error::NoDisk(format!("the disks cannot be listed: {error}")))?;
            match choose(&partitions, label) {
                Ok((chosen, file_system)) => return Ok((chosen.name.clone(), file_system)),
                Err(reason) if reason.may_pass() && Instant::now() < until => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(reason) => return Err(Storage1Error::NoDisk(reason.to_string())),
            }
        }
    }

    /// Unmounts it.
    ///
    /// # Errors
    /// When that fails.
    pub async fn unmount(&self) -> Result<(), Storage1Error> {
        let _turn = self.turn.lock().await;
        self.order(|order| ControlRequest::UnmountBackupDisk { order }).await
    }

    async fn order(&self, request: impl FnOnce(u64) -> ControlRequest) -> Result<(), Storage1Error> {
        // No order before it had this number, also not of the run before this one.
        let number = u64::try_from(crate::bus::uptime().as_nanos()).unwrap_or_default();
        match control::ask(&self.control, request(number)).await {
            Ok(ControlAnswer::Accepted) => {}
            Ok(ControlAnswer::Refused { reason }) => return Err(Storage1Error::Refused(reason)),
            Ok(ControlAnswer::Logs { .. }) => {
                return Err(Storage1Error::Refused("init gave an answer that does not fit".to_owned()));
            }
            Err(error) => return Err(Storage1Error::Refused(chain(&error))),
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match self.told(number) {
                Some(BackupDiskReport { problem: None, .. }) => return Ok(()),
                Some(BackupDiskReport { problem: Some(why), .. }) => return Err(Storage1Error::NoDisk(why)),
                None if Instant::now() >= until => {
                    let why = format!("the disk did not answer within {} s", PATIENCE.as_secs());
                    return Err(Storage1Error::NoDisk(why));
                }
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    fn told(&self, number: u64) -> Option<BackupDiskReport> {
        let text = fs::read(&self.places.report).ok()?;
        let report: BackupDiskReport = serde_json::from_slice(&text).ok()?;
        (report.order == number).then_some(report)
    }
}

/// What there is besides the disk that the box itself is on.
fn partitions(places: &Places) -> io::Result<Vec<Partition>> {
    let data = fs::read_to_string(&places.data).unwrap_or_default();
    let data = data.rsplit('/').next().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir(&places.blocks)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        let link = places.blocks.join(&name);
        let Ok(whereabouts) = fs::read_link(&link) else { continue };
        let text = |file: &str| fs::read_to_string(link.join(file)).unwrap_or_default();
        let removable = text("removable") + &text("../removable");
        let mut partition = Partition {
            is_data: name == data,
            is_partition: link.join("partition").exists(),
            is_removable: removable.lines().any(|line| line == "1"),
            is_read_only: text("ro").trim() == "1",
            whereabouts: whereabouts.to_string_lossy().into_owned(),
            entry: text("uevent").lines().find_map(|line| line.strip_prefix("PARTNAME=")).map(str::to_owned),
            content: None,
            name,
        };
        if partition.is_real() {
            partition.content =
                read_head(&places.devices.join(&partition.name)).as_deref().and_then(file_system::identify);
        }
        found.push(partition);
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

/// A device without medium gives nothing.
fn read_head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    Some(head)
}

#[cfg(test)]
mod tests;
