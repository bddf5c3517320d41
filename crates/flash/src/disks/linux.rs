//! What Linux shows of disks: `/sys/block` (Documentation/ABI/stable/sysfs-block), `/proc/self/mountinfo` (proc_pid_mountinfo(5)),
//! `/proc/swaps`.

use super::Bus;
use super::Mount;
use super::Node;
use super::Snapshot;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The kernel counts in these, whatever the disk's own sectors are.
const SECTOR: u64 = 512;

/// Looks at the computer.
///
/// # Errors
/// When disks cannot be listed, or nobody knows what is mounted: then no disk is known to be free.
pub fn look() -> io::Result<Snapshot> {
    look_at(Path::new("/sys"), Path::new("/proc"))
}

/// The same where `/sys` and `/proc` are elsewhere.
///
/// # Errors
/// As [`look`].
pub fn look_at(sys: &Path, proc: &Path) -> io::Result<Snapshot> {
    let mut nodes = Vec::new();
    for entry in fs::read_dir(sys.join("block"))? {
        let folder = entry?.path();
        // Where the disk hangs in the tree of devices tells how it is attached.
        let place = fs::read_link(&folder).unwrap_or_else(|_not_linked| folder.clone());
        let disk = node(&folder, None, bus(&folder, &place));
        for part in fs::read_dir(&folder)?.filter_map(Result::ok) {
            if part.path().join("partition").exists() {
                nodes.push(node(&part.path(), Some(&disk.name), disk.bus));
            }
        }
        nodes.push(disk);
    }
    let mounts = fs::read_to_string(proc.join("self/mountinfo"))?.lines().filter_map(mount).collect();
    // A kernel without swap has no such file.
    let swaps = fs::read_to_string(proc.join("swaps")).unwrap_or_default();
    let swaps = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    Ok(Snapshot { nodes, mounts, swaps: swaps.map(|path| PathBuf::from(unescaped(path))).collect() })
}

/// The kernel's number of a device file, as `/sys` writes it; none for other files.
///
/// # Errors
/// When the file cannot be looked at.
pub fn number(path: &Path) -> io::Result<Option<String>> {
    let facts = rustix::fs::stat(path)?;
    let is_block = rustix::fs::FileType::from_raw_mode(facts.st_mode) == rustix::fs::FileType::BlockDevice;
    let (major, minor) = (rustix::fs::major(facts.st_rdev), rustix::fs::minor(facts.st_rdev));
    Ok(is_block.then(|| format!("{major}:{minor}")))
}

fn node(folder: &Path, partition_of: Option<&str>, bus: Bus) -> Node {
    let text = |name: &str| {
        fs::read_to_string(folder.join(name)).map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    let words = |names: &[&str]| {
        let words: Vec<String> =
            names.iter().map(|name| text(name)).filter(|word| !word.is_empty()).collect();
        words.join(" ")
    };
    let holders = fs::read_dir(folder.join("holders")).into_iter().flatten().filter_map(Result::ok);
    let label = Some(text("dm/name")).filter(|label| !label.is_empty());
    let model = match bus {
        Bus::SdCard | Bus::Emmc => words(&["device/name"]),
        Bus::Loop => words(&["loop/backing_file"]),
        // Virtio's vendor is a number.
        Bus::Virtual => String::new(),
        Bus::Usb | Bus::Nvme | Bus::Scsi | Bus::Other => words(&["device/vendor", "device/model"]),
    };
    Node {
        name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        number: text("dev"),
        partition_of: partition_of.map(str::to_owned),
        holders: holders.map(|holder| holder.file_name().to_string_lossy().into_owned()).collect(),
        label,
        size: text("size").parse::<u64>().unwrap_or(0).saturating_mul(SECTOR),
        sector: text("queue/logical_block_size").parse().unwrap_or(SECTOR),
        removable: text("removable") == "1",
        read_only: text("ro") == "1",
        bus,
        model: printable(&model),
    }
}

fn bus(folder: &Path, place: &Path) -> Bus {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let place = place.to_string_lossy();
    if place.contains("/usb") {
        return Bus::Usb;
    }
    match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "mmcblk" => match fs::read_to_string(folder.join("device/type")) {
            Ok(kind) if kind.trim() == "SD" => Bus::SdCard,
            Ok(_) | Err(_) => Bus::Emmc,
        },
        "loop" => Bus::Loop,
        name if name.starts_with("nvme") => Bus::Nvme,
        name if name.starts_with("vd") || name.starts_with("xvd") => Bus::Virtual,
        name if name.starts_with("sd") || name.starts_with("hd") => Bus::Scsi,
        _ => Bus::Other,
    }
}

/// A line of mountinfo: `36 35 98:0 /root /place options optional… - type source options`.
fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ');
    let (number, place) = (before.nth(2)?, before.nth(1)?);
    let source = after.split(' ').nth(1)?;
    Some(Mount { number: number.to_owned(), source: unescaped(source), place: unescaped(place) })
}

/// Spaces, tabs, line breaks and backslashes are written as `\` and three octal digits.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = (*first == b'\\').then(|| behind.first_chunk::<3>()).flatten();
        let digits = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a device says of itself goes to a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::disks;
    use std::os::unix::fs::symlink;

    struct Computer(tempfile::TempDir);

    impl Computer {
        fn put(&self, path: &str, content: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    #[test]
    fn a_stick_and_a_card_are_seen_as_what_they_are() {
        let computer = Computer(tempfile::tempdir().unwrap());
        let stick =
            "sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host0/target0:0:0/0:0:0:0/block/sda";
        for (name, content) in [
            ("dev", "8:0\n"),
            ("size", "62333952\n"),
            ("removable", "1\n"),
            ("ro", "0\n"),
            ("queue/logical_block_size", "512\n"),
            ("device/vendor", "SanDisk \n"),
            ("device/model", "Ultra\u{1b}[2J Fit\n"),
            ("sda1/partition", "1\n"),
            ("sda1/dev", "8:1\n"),
            ("sda1/size", "100\n"),
        ] {
            computer.put(&format!("{stick}/{name}"), content);
        }
        let card = "sys/devices/platform/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0";
        for (name, content) in
            [("dev", "179:0"), ("size", "1000"), ("device/type", "SD\n"), ("device/name", "SC32G\n")]
        {
            computer.put(&format!("{card}/{name}"), content);
        }
        fs::create_dir_all(computer.0.path().join("sys/block")).unwrap();
        for (name, place) in [("sda", stick), ("mmcblk0", card)] {
            let to = format!("../{}", place.strip_prefix("sys/").unwrap());
            symlink(to, computer.0.path().join("sys/block").join(name)).unwrap();
        }
        computer.put(
            "proc/self/mountinfo",
            "30 1 8:1 / /media/My\\040Stick rw - vfat /dev/sda1 rw\nnot a line\n",
        );
        let look = || look_at(&computer.0.path().join("sys"), &computer.0.path().join("proc")).unwrap();
        let found = disks(&look());
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((found[0].bus, found[0].model.as_str(), found[0].size), (Bus::SdCard, "SC32G", 512_000));
        assert_eq!((found[1].bus, found[1].model.as_str()), (Bus::Usb, "SanDisk Ultra[2J Fit"));
        assert_eq!(found[1].uses[0].to_string(), "mounted on /media/My Stick");
        computer.put("proc/swaps", "Filename\t\tType\n/dev/sda1   partition 1 0 -2\n");
        assert_eq!(look().swaps, [PathBuf::from("/dev/sda1")]);
    }

    #[test]
    fn where_nobody_knows_what_is_mounted_nothing_is_listed() {
        let computer = Computer(tempfile::tempdir().unwrap());
        fs::create_dir_all(computer.0.path().join("sys/block")).unwrap();
        look_at(&computer.0.path().join("sys"), &computer.0.path().join("proc")).unwrap_err();
    }

    #[test]
    fn this_computer_is_seen() {
        assert!(!look().unwrap().mounts.is_empty());
        assert_eq!(number(Path::new("/dev/null")).unwrap(), None);
    }
}
