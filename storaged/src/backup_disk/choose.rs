//! Which disk is the one for backups: a pure decision.

use super::file_system::Content;
use model::storage::backup_disk::DiskFileSystem;

/// The boot partition of a disk that this system was written to: of another box, or to set one up with.
const BOOT_PARTITION: &str = "hearth-esp";

/// A block device, as the kernel lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what the kernel says of it, each independent of the others"
)]
pub(super) struct Partition {
    /// Its name in `/dev`.
    pub(super) name: String,
    /// Its place among the devices, as a relative path that ends in its name.
    pub(super) whereabouts: String,
    /// Whether it is a partition, and not a whole disk.
    pub(super) is_partition: bool,
    /// Whether the kernel says that its medium can be taken out.
    pub(super) is_removable: bool,
    /// Whether it takes no writes.
    pub(super) is_read_only: bool,
    /// Whether the box keeps its data on it.
    pub(super) is_data: bool,
    /// Its name in the partition table.
    pub(super) entry: Option<String>,
    /// What is on it, where that can be mounted.
    pub(super) content: Option<Content>,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoDisk {
    /// Nothing is plugged in.
    #[error("no disk with a file system that the box knows (FAT, exFAT, ext4) is plugged in")]
    NonePluggedIn,
    /// None has this name.
    #[error("no disk that is plugged in has the name {0:?}")]
    NoneOfThatName(String),
    /// Several have.
    #[error("several disks have the name {0:?}; give them different names, or unplug all but one")]
    SeveralOfThatName(String),
    /// It takes no writes.
    #[error("the disk {0} cannot be written to; does it have a switch?")]
    ReadOnly(String),
}

impl NoDisk {
    /// Whether a disk that comes up in a moment would change it.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::NonePluggedIn | Self::NoneOfThatName(_) => true,
            Self::SeveralOfThatName(_) | Self::ReadOnly(_) => false,
        }
    }
}

impl Partition {
    /// Neither in memory nor made of others.
    pub(super) fn is_real(&self) -> bool {
        !self.whereabouts.contains("/virtual/")
    }

    /// The whole disk's whereabouts.
    fn disk(&self) -> &str {
        if self.is_partition {
            self.whereabouts.rsplit_once('/').map_or("", |(above, _)| above)
        } else {
            &self.whereabouts
        }
    }

    /// Hard disks in a box of their own do not say that they can be removed; that they hang on USB does.
    fn can_be_pulled_out(&self) -> bool {
        self.is_removable || self.whereabouts.split('/').any(|part| part.starts_with("usb"))
    }
}

/// Chooses by name, or the first that can be pulled out. Never one on the disk that the box itself is on.
pub(super) fn choose<'a>(
    partitions: &'a [Partition],
    label: Option<&str>,
) -> Result<(&'a Partition, DiskFileSystem), NoDisk> {
    let own = partitions.iter().find(|partition| partition.is_data).map(Partition::disk);
    let usable = partitions.iter().filter(|partition| partition.is_real() && Some(partition.disk()) != own);
    let mut known = usable.filter_map(|partition| Some((partition, partition.content.as_ref()?)));
    let (partition, content) = match label {
        Some(label) => {
            let of_that_name: Vec<_> =
                known.filter(|(_, content)| content.label.as_deref() == Some(label)).collect();
            match of_that_name[..] {
                [one] => one,
                [] => return Err(NoDisk::NoneOfThatName(label.to_owned())),
                _ => return Err(NoDisk::SeveralOfThatName(label.to_owned())),
            }
        }
        None => known
            .find(|(partition, _)| {
                partition.can_be_pulled_out() && partition.entry.as_deref() != Some(BOOT_PARTITION)
            })
            .ok_or(NoDisk::NonePluggedIn)?,
    };
    if partition.is_read_only {
        return Err(NoDisk::ReadOnly(partition.name.clone()));
    }
    Ok((partition, content.file_system))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, bus: &str, label: Option<&str>) -> Partition {
        let disk = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let content = Content { file_system: DiskFileSystem::Vfat, label: label.map(str::to_owned) };
        Partition {
            name: name.to_owned(),
            whereabouts: format!("../../devices/{bus}/block/{disk}/{name}"),
            is_partition: true,
            content: Some(content),
            ..Partition::default()
        }
    }

    fn own(name: &str) -> Partition {
        Partition { is_data: name.ends_with('2'), ..part(name, "pci0/usb1", Some("attic")) }
    }

    fn chosen(partitions: &[Partition], label: Option<&str>) -> Result<String, NoDisk> {
        choose(partitions, label).map(|(partition, _)| partition.name.clone())
    }

    #[test]
    fn a_name_decides_and_the_own_disk_never_counts() {
        let inside = part("sdb1", "pci0/ata1", Some("attic"));
        let all = [own("sda1"), own("sda2"), inside.clone(), part("sdc1", "pci0/usb1", Some("cellar"))];
        assert_eq!(chosen(&all, Some("attic")).unwrap(), "sdb1");
        assert_eq!(chosen(&all, None).unwrap(), "sdc1");
        assert_eq!(chosen(&all, Some("loft")), Err(NoDisk::NoneOfThatName("loft".to_owned())));
        assert_eq!(chosen(&all[..2], None), Err(NoDisk::NonePluggedIn));
        let twice = [inside.clone(), part("sdd1", "pci0/ata2", Some("attic"))];
        assert_eq!(chosen(&twice, Some("attic")), Err(NoDisk::SeveralOfThatName("attic".to_owned())));
    }

    #[test]
    fn without_a_name_only_what_can_be_pulled_out_counts() {
        let inside = part("sdb1", "pci0/ata1", None);
        assert_eq!(chosen(std::slice::from_ref(&inside), None), Err(NoDisk::NonePluggedIn));
        let card = Partition { is_removable: true, ..inside };
        assert_eq!(chosen(&[card], None).unwrap(), "sdb1");
        let stick = Partition { entry: Some(BOOT_PARTITION.to_owned()), ..part("sdc1", "usb1", None) };
        assert_eq!(chosen(&[stick], None), Err(NoDisk::NonePluggedIn));
        let empty = Partition { content: None, ..part("sdd1", "usb1", None) };
        assert_eq!(chosen(&[empty], None), Err(NoDisk::NonePluggedIn));
    }

    #[test]
    fn what_takes_no_writes_is_named_and_what_is_not_real_is_passed_over() {
        let switch = Partition { is_read_only: true, ..part("sdb1", "usb1", None) };
        assert_eq!(chosen(&[switch], None), Err(NoDisk::ReadOnly("sdb1".to_owned())));
        assert_eq!(
            chosen(&[part("loop0", "virtual", Some("x"))], Some("x")).unwrap_err(),
            NoDisk::NoneOfThatName("x".to_owned())
        );
    }
}
