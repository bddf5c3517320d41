//! Which disks there are, and which of them nobody means: pure decisions over what was seen of the computer.

pub mod linux;

use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

/// What was seen of the computer at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Disks, their partitions, and what is built of them.
    pub nodes: Vec<Node>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// Device files and files that memory is swapped to.
    pub swaps: Vec<PathBuf>,
}

/// A block device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The kernel's name, such as `sdb1`.
    pub name: String,
    /// Its number, such as `8:17`.
    pub number: String,
    /// The disk that it is a partition of.
    pub partition_of: Option<String>,
    /// Names of devices that are built of it: volumes, encryption, arrays.
    pub holders: Vec<String>,
    /// What such a device calls itself.
    pub label: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Bytes of a sector.
    pub sector: u64,
    /// Whether its medium can be taken out.
    pub removable: bool,
    /// Whether it takes no writes.
    pub read_only: bool,
    /// How it is attached.
    pub bus: Bus,
    /// Its maker and model.
    pub model: String,
}

/// How a disk is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bus {
    /// USB.
    Usb,
    /// A slot for SD cards.
    SdCard,
    /// Memory that is soldered in.
    Emmc,
    /// NVMe.
    Nvme,
    /// SATA, SAS, IDE.
    Scsi,
    /// A virtual machine's.
    Virtual,
    /// A file that the kernel shows as a disk.
    Loop,
    /// Something else.
    #[default]
    Other,
}

/// Something that is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Number of the device, such as `8:17`; some file systems have a number of their own.
    pub number: String,
    /// What was mounted, such as `/dev/sdb1`.
    pub source: String,
    /// Where.
    pub place: String,
}

/// A disk as its user knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Its device file.
    pub path: PathBuf,
    /// The kernel's name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Maker and model, perhaps empty.
    pub model: String,
    /// How it is attached.
    pub bus: Bus,
    /// Whether it is made to be taken out: a card, a stick, anything at USB.
    pub removable: bool,
    /// What it is used for now.
    pub uses: Vec<Use>,
    /// Why it is not written just so.
    pub objections: Vec<Objection>,
}

/// Something that a disk is used for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Use {
    /// Mounted.
    Mounted {
        /// Where.
        place: String,
    },
    /// Memory is swapped to it.
    Swap,
    /// Another device is built of it.
    Holder {
        /// What that is called.
        name: String,
    },
}

/// Why a disk is not written just so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Objection {
    /// This computer runs from it.
    System,
    /// It is mounted, swapped to, or a part of a volume.
    InUse,
    /// It is built in.
    Internal,
    /// It takes no writes.
    ReadOnly,
    /// Its sectors have another size than those of images.
    Sectors,
}

impl Objection {
    /// Whether no wish of the user helps against it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::System | Self::InUse | Self::Internal => false,
            Self::ReadOnly | Self::Sectors => true,
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "this computer runs from it",
            Self::InUse => "it is in use",
            Self::Internal => "it is built in",
            Self::ReadOnly => "it is write-protected",
            Self::Sectors => "its sectors have not 512 bytes, and no image starts from such a disk",
        })
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { place } => write!(f, "mounted on {place}"),
            Self::Swap => f.write_str("swap"),
            Self::Holder { name } => write!(f, "part of {name}"),
        }
    }
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usb => "USB",
            Self::SdCard => "SD card",
            Self::Emmc => "eMMC",
            Self::Nvme => "NVMe",
            Self::Scsi => "SATA",
            Self::Virtual => "virtual",
            Self::Loop => "loop",
            Self::Other => "other",
        })
    }
}

/// Without these no computer goes on running.
const SYSTEM: [&str; 9] = ["/", "/usr", "/boot", "/boot/efi", "/efi", "/var", "/home", "/nix", "/gnu"];
/// Devices that are no disks of their own.
const BUILT: [&str; 7] = ["dm-", "md", "ram", "zram", "sr", "fd", "nbd"];

/// All disks, with what speaks against writing each.
#[must_use]
pub fn disks(snapshot: &Snapshot) -> Vec<Disk> {
    let whole = snapshot.nodes.iter().filter(|node| node.partition_of.is_none() && node.size > 0);
    let disks = whole.filter(|node| !BUILT.iter().any(|built| is_numbered(&node.name, built)));
    let mut disks: Vec<Disk> = disks.map(|node| disk(snapshot, node)).collect();
    disks.sort_by(|one, other| (!one.removable, &one.name).cmp(&(!other.removable, &other.name)));
    disks
}

fn is_numbered(name: &str, kind: &str) -> bool {
    name.strip_prefix(kind).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn disk(snapshot: &Snapshot, node: &Node) -> Disk {
    let (uses, is_system) = uses(snapshot, &node.name);
    let removable = match node.bus {
        Bus::Usb | Bus::SdCard => true,
        // Their drivers call some of these removable, and nobody carries them around.
        Bus::Emmc | Bus::Nvme | Bus::Loop => false,
        Bus::Scsi | Bus::Virtual | Bus::Other => node.removable,
    };
    let objections = [
        (is_system, Objection::System),
        (!uses.is_empty(), Objection::InUse),
        (!removable, Objection::Internal),
        (node.read_only, Objection::ReadOnly),
        (node.sector != 512, Objection::Sectors),
    ];
    Disk {
        path: PathBuf::from(format!("/dev/{}", node.name)),
        name: node.name.clone(),
        size: node.size,
        model: node.model.clone(),
        bus: node.bus,
        removable,
        uses,
        objections: objections
            .into_iter()
            .filter_map(|(holds, objection)| holds.then_some(objection))
            .collect(),
    }
}

/// What a disk, its partitions, and everything that is built of them are used for, and whether the computer runs from one of them.
fn uses(snapshot: &Snapshot, disk: &str) -> (Vec<Use>, bool) {
    let mut uses = BTreeSet::new();
    let mut is_system = false;
    let mut seen = BTreeSet::new();
    let mut open = vec![disk];
    while let Some(name) = open.pop() {
        if !seen.insert(name) {
            continue;
        }
        let parts = snapshot.nodes.iter().filter(|node| node.partition_of.as_deref() == Some(name));
        open.extend(parts.map(|node| node.name.as_str()));
        let Some(node) = snapshot.nodes.iter().find(|node| node.name == name) else { continue };
        open.extend(node.holders.iter().map(String::as_str));
        uses.extend(node.holders.iter().map(|holder| {
            let built = snapshot.nodes.iter().find(|node| node.name == *holder);
            Use::Holder { name: built.and_then(|node| node.label.clone()).unwrap_or_else(|| holder.clone()) }
        }));
        let mut paths = vec![format!("/dev/{name}")];
        paths.extend(node.label.iter().map(|label| format!("/dev/mapper/{label}")));
        for mount in &snapshot.mounts {
            if mount.number == node.number || paths.contains(&mount.source) {
                is_system |= SYSTEM.contains(&mount.place.as_str());
                uses.insert(Use::Mounted { place: mount.place.clone() });
            }
        }
        if snapshot.swaps.iter().any(|swap| paths.iter().any(|path| swap.as_os_str() == path.as_str())) {
            is_system = true;
            uses.insert(Use::Swap);
        }
    }
    (uses.into_iter().collect(), is_system)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, number: &str) -> Node {
        Node {
            name: name.to_owned(),
            number: number.to_owned(),
            size: 32 << 30,
            sector: 512,
            ..Node::default()
        }
    }

    fn part(name: &str, number: &str, of: &str) -> Node {
        Node { partition_of: Some(of.to_owned()), ..node(name, number) }
    }

    fn mount(number: &str, source: &str, place: &str) -> Mount {
        Mount { number: number.to_owned(), source: source.to_owned(), place: place.to_owned() }
    }

    /// A laptop: root on an encrypted volume group, a stick that is mounted, an empty card reader, a card.
    fn laptop() -> Snapshot {
        let crypt = Node {
            holders: vec!["dm-1".to_owned(), "dm-2".to_owned()],
            label: Some("cryptroot".to_owned()),
            ..node("dm-0", "254:0")
        };
        Snapshot {
            nodes: vec![
                Node { bus: Bus::Nvme, model: "Samsung SSD 990".to_owned(), ..node("nvme0n1", "259:0") },
                part("nvme0n1p1", "259:1", "nvme0n1"),
                Node { holders: vec!["dm-0".to_owned()], ..part("nvme0n1p2", "259:2", "nvme0n1") },
                crypt,
                Node { label: Some("vg-root".to_owned()), ..node("dm-1", "254:1") },
                Node { label: Some("vg-swap".to_owned()), ..node("dm-2", "254:2") },
                Node { bus: Bus::Usb, removable: true, ..node("sda", "8:0") },
                part("sda1", "8:1", "sda"),
                Node { bus: Bus::Usb, removable: true, size: 0, ..node("sdb", "8:16") },
                Node { bus: Bus::SdCard, ..node("mmcblk0", "179:0") },
                part("mmcblk0p1", "179:1", "mmcblk0"),
                node("zram0", "253:0"),
                node("sr0", "11:0"),
            ],
            mounts: vec![
                mount("259:1", "/dev/nvme0n1p1", "/boot/efi"),
                mount("0:30", "/dev/mapper/vg-root", "/"),
                mount("8:1", "/dev/sda1", "/media/anna/PHOTOS"),
                mount("0:5", "devtmpfs", "/dev"),
            ],
            swaps: vec!["/dev/dm-2".into()],
        }
    }

    #[test]
    fn a_card_may_be_written_a_mounted_stick_and_the_system_may_not() {
        let found = disks(&laptop());
        let names: Vec<_> = found.iter().map(|disk| disk.name.as_str()).collect();
        assert_eq!(names, ["mmcblk0", "sda", "nvme0n1"], "removable ones first, nothing that is no disk");
        assert_eq!(found[0].objections, []);
        assert_eq!(found[1].objections, [Objection::InUse]);
        assert_eq!(found[1].uses, [Use::Mounted { place: "/media/anna/PHOTOS".to_owned() }]);
        assert_eq!(found[2].objections, [Objection::System, Objection::InUse, Objection::Internal]);
        let uses: Vec<_> = found[2].uses.iter().map(ToString::to_string).collect();
        assert_eq!(
            uses,
            [
                "mounted on /",
                "mounted on /boot/efi",
                "swap",
                "part of cryptroot",
                "part of vg-root",
                "part of vg-swap"
            ]
        );
    }

    #[test]
    fn a_root_is_found_by_number_by_source_and_through_what_is_built_of_it() {
        let base = || vec![Node { bus: Bus::Usb, ..node("sdc", "8:32") }, part("sdc2", "8:34", "sdc")];
        for mounts in [
            vec![mount("8:34", "/dev/root", "/")],
            vec![mount("0:40", "/dev/sdc2", "/home")],
            vec![mount("8:32", "x", "/usr")],
        ] {
            let snapshot = Snapshot { nodes: base(), mounts, swaps: Vec::new() };
            assert!(disks(&snapshot)[0].objections.contains(&Objection::System), "{snapshot:?}");
        }
        let swaps = vec!["/dev/sdc2".into()];
        let swapping = Snapshot { nodes: base(), swaps, ..Snapshot::default() };
        assert!(disks(&swapping)[0].objections.contains(&Objection::System));
        let mut array = base();
        array[1].holders = vec!["md127".to_owned()];
        array.push(Node { holders: vec!["md127".to_owned()], ..node("md127", "9:127") });
        array.push(part("md127p1", "259:9", "md127"));
        let mounts = vec![mount("259:9", "/dev/md127p1", "/")];
        let found = disks(&Snapshot { nodes: array, mounts, swaps: Vec::new() });
        assert_eq!(found.len(), 1, "an array is no disk, and a circle is no endless way");
        assert!(found[0].objections.contains(&Objection::System));
    }

    #[test]
    fn what_cannot_be_written_at_all_stays_so() {
        let locked = Node { bus: Bus::SdCard, read_only: true, sector: 4096, ..node("mmcblk0", "179:0") };
        let found = disks(&Snapshot { nodes: vec![locked], ..Snapshot::default() });
        assert_eq!(found[0].objections, [Objection::ReadOnly, Objection::Sectors]);
        assert!(found[0].objections.iter().all(|objection| objection.is_final()));
        for objection in [Objection::System, Objection::InUse, Objection::Internal] {
            assert!(!objection.is_final());
        }
    }
}
