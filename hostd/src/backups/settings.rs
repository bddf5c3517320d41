//! What the owner chooses for backups: where they go, how often, how many are kept.

use backup::schedule::Policy;
use serde::Deserialize;
use serde::Serialize;
use std::path::PathBuf;

/// Longest name of a disk's file system that any of them takes (exFAT 15, ext4 16, FAT 11), with room to spare.
const MAX_LABEL: usize = 64;

/// Settings of backups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupSettings {
    /// Where backups go; nothing: none are made.
    pub target: Option<BackupTarget>,
    /// When they are made.
    #[serde(default)]
    pub schedule: BackupSchedule,
    /// How many stay.
    #[serde(default)]
    pub keep: BackupKeep,
}

/// Where backups go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BackupTarget {
    /// A disk that is plugged in.
    UsbDisk(UsbDisk),
    /// A bucket of an object store.
    S3(S3Bucket),
}

/// A disk that is plugged in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsbDisk {
    /// The name of its file system; without, the first partition of a removable disk.
    #[serde(default)]
    pub label: Option<String>,
}

/// A bucket of an object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Bucket {
    /// `https://host[:port]`; plain `http://` only in the home network.
    #[schema(example = "https://s3.example.net")]
    pub endpoint: String,
    /// The bucket, which must exist.
    pub bucket: String,
    /// The region; `us-east-1` for stores that know none.
    pub region: String,
    /// Access key.
    pub access_key: String,
    /// Its secret. Never told; when it is left out in a change, the one from before stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Password)]
    pub secret_key: Option<backup::Secret>,
    /// What all names in the bucket begin with.
    #[serde(default)]
    pub path: String,
}

/// When backups are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupSchedule {
    /// Hours between two, 1 to 744.
    #[schema(minimum = 1, maximum = 744)]
    pub every_hours: u16,
    /// Minutes after midnight, UTC.
    #[schema(maximum = 1439)]
    pub at_minute: u16,
    /// They begin up to this many minutes later, so that not all boxes begin at once.
    #[schema(maximum = 720)]
    pub jitter_minutes: u16,
}

/// How many backups stay: the newest, and the newest of each of the last days, weeks and months that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupKeep {
    /// The newest ones, at least one.
    #[schema(minimum = 1, maximum = 1000)]
    pub last: u16,
    /// Days.
    #[schema(maximum = 1000)]
    pub daily: u16,
    /// Weeks.
    #[schema(maximum = 1000)]
    pub weekly: u16,
    /// Months.
    #[schema(maximum = 1000)]
    pub monthly: u16,
}

/// A setting that cannot work.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadSetting {
    /// The member at fault, such as `target.endpoint`.
    pub field: String,
    /// What is wrong with it, as a sentence.
    pub problem: String,
}

/// Where a task works, once it is clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A disk that has to be mounted first.
    Disk(UsbDisk),
    /// Anything else.
    There(backup::Target),
}

impl Default for BackupSchedule {
    fn default() -> Self {
        let Policy { every_hours, at_minute, jitter_minutes } = Policy::default();
        Self { every_hours, at_minute, jitter_minutes }
    }
}

impl Default for BackupKeep {
    fn default() -> Self {
        let backup::Keep { last, daily, weekly, monthly } = backup::Keep::default();
        Self { last, daily, weekly, monthly }
    }
}

impl From<BackupSchedule> for Policy {
    fn from(BackupSchedule { every_hours, at_minute, jitter_minutes }: BackupSchedule) -> Self {
        Self { every_hours, at_minute, jitter_minutes }
    }
}

impl From<BackupKeep> for backup::Keep {
    fn from(BackupKeep { last, daily, weekly, monthly }: BackupKeep) -> Self {
        Self { last, daily, weekly, monthly }
    }
}

impl BackupSettings {
    /// The settings to keep: checked, with the secret from before where the same access is meant.
    ///
    /// # Errors
    ///
    /// The first member that cannot work.
    pub fn checked(mut self, before: &Self) -> Result<Self, BadSetting> {
        let BackupSchedule { every_hours, at_minute, jitter_minutes } = self.schedule;
        require((1..=744).contains(&every_hours), "schedule.every_hours", "That must be 1 to 744 hours.")?;
        require(at_minute < 24 * 60, "schedule.at_minute", "A day has 1440 minutes.")?;
        require(jitter_minutes <= 720, "schedule.jitter_minutes", "At most 720 minutes make sense.")?;
        let BackupKeep { last, daily, weekly, monthly } = self.keep;
        require(last >= 1, "keep.last", "At least the newest one has to stay.")?;
        let most = last.max(daily).max(weekly).max(monthly);
        require(most <= 1000, "keep", "At most 1000 of each can be kept.")?;
        if let Some(target) = &mut self.target {
            if let (BackupTarget::S3(new), Some(BackupTarget::S3(old))) = (&mut *target, &before.target) {
                new.take_secret_of(old);
            }
            target.place()?;
        }
        Ok(self)
    }

    /// Without secrets, to be shown.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut shown = self.clone();
        if let Some(BackupTarget::S3(bucket)) = &mut shown.target {
            bucket.secret_key = None;
        }
        shown
    }
}

impl BackupTarget {
    /// Where that is, checked as far as can be without asking it.
    ///
    /// # Errors
    ///
    /// The first member that cannot work.
    pub fn place(&self) -> Result<Place, BadSetting> {
        match self {
            Self::UsbDisk(disk) => {
                let label = disk.label.as_deref().unwrap_or("-");
                let fits = (1..=MAX_LABEL).contains(&label.len()) && !label.chars().any(char::is_control);
                require(fits, "target.label", "That is no name of a disk.")?;
                Ok(Place::Disk(disk.clone()))
            }
            Self::S3(bucket) => {
                let target = bucket.target();
                match target.check() {
                    Ok(()) => Ok(Place::There(target)),
                    Err(backup::TargetError::Field { field, problem }) => Err(BadSetting {
                        field: format!("target.{}", field.replace('-', "_")),
                        problem: format!("The {} {problem}.", field.replace('-', " ")),
                    }),
                    Err(error) => Err(BadSetting {
                        field: "target".to_owned(),
                        problem: format!("That cannot work: {error}."),
                    }),
                }
            }
        }
    }

    /// What a recovery kit says of it; a disk is where somebody put it.
    #[must_use]
    pub fn for_kit(&self) -> Option<backup::Target> {
        match self {
            Self::S3(bucket) => Some(bucket.target()),
            Self::UsbDisk(_) => None,
        }
    }
}

impl S3Bucket {
    fn target(&self) -> backup::Target {
        backup::Target::S3(backup::S3Target {
            endpoint: self.endpoint.clone(),
            bucket: self.bucket.clone(),
            region: self.region.clone(),
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone().unwrap_or_default(),
            path: self.path.clone(),
        })
    }

    /// A secret is only ever sent where it was meant for.
    fn take_secret_of(&mut self, before: &Self) {
        let same = self.endpoint == before.endpoint && self.access_key == before.access_key;
        if self.secret_key.is_none() && same {
            self.secret_key.clone_from(&before.secret_key);
        }
    }
}

/// The folder on a mounted disk, as a target.
#[must_use]
pub fn on_disk(folder: PathBuf, mounted_at: Option<PathBuf>) -> backup::Target {
    backup::Target::Folder(backup::FolderTarget { path: folder, mounted_at })
}

fn require(holds: bool, field: &str, problem: &str) -> Result<(), BadSetting> {
    if holds { Ok(()) } else { Err(BadSetting { field: field.to_owned(), problem: problem.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(secret: Option<&str>) -> S3Bucket {
        S3Bucket {
            endpoint: "https://s3.example.net".to_owned(),
            bucket: "our-box".to_owned(),
            region: "us-east-1".to_owned(),
            access_key: "AK".to_owned(),
            secret_key: secret.map(backup::Secret::new),
            path: String::new(),
        }
    }

    fn to(target: BackupTarget) -> BackupSettings {
        BackupSettings { target: Some(target), ..BackupSettings::default() }
    }

    #[test]
    fn a_secret_stays_for_the_same_access_and_is_never_sent_elsewhere() {
        let before = to(BackupTarget::S3(bucket(Some("hush"))));
        let kept = to(BackupTarget::S3(bucket(None))).checked(&before).unwrap();
        assert_eq!(kept, before);
        assert_eq!(kept.redacted(), to(BackupTarget::S3(bucket(None))));
        let elsewhere = S3Bucket { endpoint: "https://other.example".to_owned(), ..bucket(None) };
        let refused = to(BackupTarget::S3(elsewhere)).checked(&before).unwrap_err();
        assert_eq!(refused.field, "target.secret_key");
    }

    #[test]
    fn what_cannot_work_is_named() {
        let none = BackupSettings::default();
        let schedule = BackupSchedule { every_hours: 0, ..BackupSchedule::default() };
        let keep = BackupKeep { last: 0, ..BackupKeep::default() };
        let label = |label: &str| UsbDisk { label: Some(label.to_owned()) };
        for (bad, field) in [
            (BackupSettings { schedule, ..none.clone() }, "schedule.every_hours"),
            (BackupSettings { keep, ..none.clone() }, "keep.last"),
            (to(BackupTarget::UsbDisk(label(""))), "target.label"),
            (to(BackupTarget::UsbDisk(label("a\nb"))), "target.label"),
            (to(BackupTarget::S3(S3Bucket { bucket: "A".to_owned(), ..bucket(Some("x")) })), "target.bucket"),
        ] {
            assert_eq!(bad.checked(&none).unwrap_err().field, field);
        }
        to(BackupTarget::UsbDisk(UsbDisk::default())).checked(&none).unwrap();
    }

    #[test]
    fn unknown_members_are_refused() {
        for bad in [r#"{"target":{"type":"usb_disk","labels":"x"}}"#, r#"{"target":null,"more":1}"#] {
            serde_json::from_str::<BackupSettings>(bad).unwrap_err();
        }
        let read: BackupSettings = serde_json::from_str(r#"{"target":{"type":"usb_disk"}}"#).unwrap();
        assert_eq!(read, to(BackupTarget::UsbDisk(UsbDisk::default())));
    }
}
