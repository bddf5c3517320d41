//! Where everything lies; other places in tests.

use std::path::PathBuf;

use model::paths;
use serde::Deserialize;
use serde::Serialize;
use slots::pi::Side;

/// Where everything lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// The boot partition, mounted.
    pub esp: PathBuf,
    /// The loader's variables.
    pub efivars: PathBuf,
    /// What the kernel kept of a boot that ended in it.
    pub pstore: PathBuf,
    /// Where hostd puts downloads together.
    pub updates: PathBuf,
    /// What the root image has for updates.
    pub trust: PathBuf,
    /// Notes on the data partition; not there while the data is locked.
    pub state: PathBuf,
    /// Folder at run time: lock, report, last lines of the log.
    pub run: PathBuf,
    /// PID 1's report of this boot, which names the board.
    pub boot_report: PathBuf,
    /// What the firmware of a Raspberry Pi says of this boot; not there elsewhere.
    pub device_tree: PathBuf,
    /// Where the two partitions with a system of a Raspberry Pi are mounted.
    pub sides: PathBuf,
    /// There when the kernel can pass the flag on that has the firmware of a Raspberry Pi try the other side.
    pub tryboot: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            esp: "/boot".into(),
            efivars: "/sys/firmware/efi/efivars".into(),
            pstore: "/sys/fs/pstore".into(),
            updates: paths::UPDATES.into(),
            trust: paths::UPDATE_TRUST.into(),
            state: paths::INSTALLER_STATE.into(),
            run: paths::UPDATE_RUN.into(),
            boot_report: paths::BOOT_REPORT.into(),
            device_tree: paths::PI_BOOTLOADER.into(),
            sides: "/run/hearth/sides".into(),
            tryboot: "/sys/module/hearth_tryboot".into(),
        }
    }
}

impl Places {
    /// The folder of slots.
    #[must_use]
    pub fn slots(&self) -> PathBuf {
        self.esp.join(slots::uefi::FOLDER)
    }

    /// Whether the firmware is that of a Raspberry Pi.
    #[must_use]
    pub fn is_pi(&self) -> bool {
        self.device_tree.join("partition").exists()
    }

    /// Where a side of a Raspberry Pi is mounted.
    #[must_use]
    pub fn side(&self, side: Side) -> PathBuf {
        self.sides.join(side.name())
    }

    /// The slot file that was downloaded; on a Raspberry Pi the archive of a side.
    #[must_use]
    pub fn download(&self) -> PathBuf {
        self.updates.join("slot.efi")
    }

    /// The report.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.run.join("slots.json")
    }

    /// The lock of whoever is at work.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.run.join("lock")
    }

    /// There when this boot began an installation.
    #[must_use]
    pub fn installed(&self) -> PathBuf {
        self.run.join("installed")
    }

    /// There when this boot replaced the loader.
    #[must_use]
    pub fn new_loader(&self) -> PathBuf {
        self.run.join("new-loader")
    }

    /// Last lines of PID 1's log, for a failure.
    #[must_use]
    pub fn log_tail(&self) -> PathBuf {
        self.run.join("log-tail")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_name_lies_where_they_look() {
        let places = Places::default();
        assert_eq!(places.download(), PathBuf::from(paths::UPDATE_SLOT));
        assert_eq!(places.report(), PathBuf::from(paths::SLOTS_REPORT));
        assert_eq!(places.log_tail(), PathBuf::from(paths::LOG_TAIL));
    }
}
