//! The disk that carries the data partition: found in sysfs, asked in its own language.

use super::Places;
use super::Said;
use super::ata;
use super::mmc;
use super::nvme;
use super::traffic;
use model::storage::health::DiskHealth;
use model::storage::health::DiskKind;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;

/// sysfs counts in sectors of 512 bytes, whatever the disk's own block size (block/genhd.c).
const SECTOR: u64 = 512;

/// What a disk said, or why it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it said.
    pub said: Said,
    /// Why not more, in plain words.
    pub silent: Option<String>,
}

impl Answer {
    /// None came yet.
    #[must_use]
    pub fn not_yet() -> Self {
        Self { said: Said::default(), silent: Some("the disk has not answered yet".to_owned()) }
    }
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its folder in sysfs.
    folder: PathBuf,
    /// Its device node.
    node: PathBuf,
    name: String,
    kind: DiskKind,
}

impl Disk {
    /// The one on which a partition lies.
    #[must_use]
    pub fn under(places: &Places, partition: &Path) -> Option<Self> {
        let class = places.sys.join("class/block");
        let partition = class.join(partition.file_name()?);
        // The link leads to `…/vda/vda2`.
        let target = fs::read_link(&partition).ok()?;
        let target = if partition.join("partition").exists() { target.parent()? } else { &target };
        let name = target.file_name()?.to_str()?.to_owned();
        let folder = class.join(&name);
        Some(Self { node: places.dev.join(&name), kind: kind(&name, &folder), folder, name })
    }

    /// Asks it; blocks until it answers.
    #[must_use]
    pub fn ask(&self) -> Answer {
        let said = match self.kind {
            DiskKind::Nvme => self.ask_nvme(),
            DiskKind::Ata => self.ask_ata(),
            DiskKind::Emmc => {
                Ok(mmc::decode(&self.read("device/life_time"), &self.read("device/pre_eol_info")))
            }
            DiskKind::SdCard => Err("memory cards do not tell how worn they are".to_owned()),
            DiskKind::Other => Err("a disk of this kind does not tell how it is".to_owned()),
        };
        match said {
            Ok(said) => Answer { said, silent: None },
            Err(silent) => Answer { said: Said::default(), silent: Some(silent) },
        }
    }

    fn ask_nvme(&self) -> Result<Said, String> {
        let log = ioctls::nvme::smart_log(self.open()?).map_err(|error| refused(&error.into()))?;
        Ok(nvme::decode(&log))
    }

    fn ask_ata(&self) -> Result<Said, String> {
        let disk = self.open()?;
        let page = ioctls::ata::smart_data(&disk).map_err(|error| refused(&error.into()))?;
        let said = ata::decode(&page).ok_or("the disk's word of how it is was damaged on its way")?;
        // A disk that tells its attributes and no verdict is told without one.
        let verdict = ioctls::ata::smart_status(&disk).ok().and_then(|sense| ata::verdict(&sense));
        Ok(Said { is_failing: verdict, ..said })
    }

    fn open(&self) -> Result<File, String> {
        File::open(&self.node).map_err(|error| refused(&error))
    }

    /// Everything that is known of it.
    #[must_use]
    pub fn health(self, Answer { said, silent }: Answer, uptime_seconds: u64) -> DiskHealth {
        let size_bytes = self.read("size").trim().parse::<u64>().unwrap_or_default().saturating_mul(SECTOR);
        let since_boot = traffic::bytes_written(&self.read("stat")).unwrap_or_default();
        DiskHealth {
            model: self.model(),
            name: self.name,
            kind: self.kind,
            size_bytes,
            is_failing: said.is_failing,
            life_used_percent: said.life_used_percent,
            spare_percent: said.spare_percent,
            temperature_celsius: said.temperature_celsius,
            power_on_hours: said.power_on_hours,
            replaced_sectors: said.replaced_sectors,
            unreadable: said.unreadable,
            written: traffic::judge(since_boot, uptime_seconds, size_bytes, said.ever_bytes),
            silent,
        }
    }

    /// What its maker calls it; `name` is that of memory cards.
    fn model(&self) -> String {
        let names = ["device/model", "device/name"].map(|file| self.read(file).trim().to_owned());
        let model = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        model.chars().filter(|letter| !letter.is_control()).take(64).collect()
    }

    /// An attribute; one that is not there is empty.
    fn read(&self, attribute: &str) -> String {
        fs::read_to_string(self.folder.join(attribute)).unwrap_or_default()
    }
}

/// Commands of ATA go to disks of libata alone, and to bridges that say the same: others have been seen to hang on them.
fn kind(name: &str, folder: &Path) -> DiskKind {
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    if name.starts_with("nvme") {
        DiskKind::Nvme
    } else if name.starts_with("mmcblk") {
        if read("device/type").trim() == "MMC" { DiskKind::Emmc } else { DiskKind::SdCard }
    } else if name.starts_with("sd") && read("device/vendor").trim() == "ATA" {
        DiskKind::Ata
    } else {
        DiskKind::Other
    }
}

fn refused(error: &std::io::Error) -> String {
    format!("the disk does not tell how it is: {error}")
}
