//! On folders that look as sysfs does.

use super::*;
use model::storage::health::DiskKind;
use model::storage::health::FindingKind;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

const NOW: Duration = Duration::from_secs(7200);

/// A machine with one disk, its partition and what is mounted.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// `attributes` are files of the disk.
    fn new(disk: &str, partition: &str, attributes: &[(&str, &str)]) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        let device = format!("sys/devices/pci0/{disk}");
        machine.write(&format!("{device}/{partition}/partition"), "2");
        machine.write(&format!("{device}/size"), "62333952");
        machine.write(&format!("{device}/stat"), "1 0 8 0 5 0 2048 0 0 0 0");
        for (name, text) in attributes {
            machine.write(&format!("{device}/{name}"), text);
        }
        fs::create_dir_all(machine.place("sys/class/block")).unwrap();
        for (name, target) in [(disk, device.clone()), (partition, format!("{device}/{partition}"))] {
            symlink(machine.place(&target), machine.place(&format!("sys/class/block/{name}"))).unwrap();
        }
        fs::create_dir_all(machine.place("data")).unwrap();
        machine.write("mountinfo", "");
        machine.notes().begin(&Path::new("/dev").join(partition)).unwrap();
        machine
    }

    /// The data partition is mounted with these options.
    fn mount(&self, options: &str, errors: &str) {
        let data = self.place("data");
        self.write(
            "mountinfo",
            &format!(
                "40 25 253:0 / {} rw,noatime - ext4 /dev/mapper/hearth-data {options}\n",
                data.display()
            ),
        );
        self.write("sys/devices/virtual/block/dm-0/size", "1");
        fs::create_dir_all(self.place("sys/dev/block")).unwrap();
        symlink(self.place("sys/devices/virtual/block/dm-0"), self.place("sys/dev/block/253:0")).unwrap();
        self.write("sys/fs/ext4/dm-0/errors_count", errors);
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.place(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn place(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn notes(&self) -> Notes {
        Notes::in_folder(&self.place("run"))
    }

    fn gauge(&self) -> Gauge {
        let [sys, dev, mountinfo, data] = ["sys", "dev", "mountinfo", "data"].map(|name| self.place(name));
        Gauge::new(self.notes(), Places { sys, dev, mountinfo, data })
    }
}

#[test]
fn soldered_memory_tells_its_wear_and_its_writes_are_scaled_to_a_day() {
    let machine = Machine::new(
        "mmcblk0",
        "mmcblk0p2",
        &[
            ("device/type", "MMC\n"),
            ("device/name", "DG4032\n"),
            ("device/life_time", "0x0b 0x02\n"),
            ("device/pre_eol_info", "0x01\n"),
        ],
    );
    let report = machine.gauge().look(NOW);
    let disk = report.disk.unwrap();
    assert_eq!((disk.kind, disk.name.as_str(), disk.model.as_str()), (DiskKind::Emmc, "mmcblk0", "DG4032"));
    assert_eq!((disk.life_used_percent, disk.is_failing, disk.silent), (Some(110), Some(false), None));
    assert_eq!(disk.size_bytes, 62_333_952 * 512);
    assert_eq!((disk.written.since_boot_bytes, disk.written.per_day_bytes), (1 << 20, Some(12 << 20)));
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].kind, FindingKind::WornOut);
    assert_eq!(report.file_system, None);
}

#[test]
fn a_disk_that_says_nothing_is_told_with_the_reason() {
    for (disk, partition, attributes, kind) in [
        ("vda", "vda2", vec![], DiskKind::Other),
        ("mmcblk0", "mmcblk0p2", vec![("device/type", "SD\n")], DiskKind::SdCard),
        ("sda", "sda2", vec![("device/vendor", "Example \n"), ("device/model", "Stick\n")], DiskKind::Other),
        ("sda", "sda2", vec![("device/vendor", "ATA     \n")], DiskKind::Ata),
        ("nvme0n1", "nvme0n1p2", vec![], DiskKind::Nvme),
    ] {
        let machine = Machine::new(disk, partition, &attributes);
        let told = machine.gauge().look(NOW).disk.unwrap();
        assert_eq!(told.kind, kind);
        assert!(told.silent.is_some() && told.is_failing.is_none(), "{told:?}");
    }
}

#[test]
fn a_file_system_that_the_kernel_made_read_only_is_told() {
    let machine = Machine::new("vda", "vda2", &[]);
    machine.mount("ro,errors=remount-ro", "3\n");
    let report = machine.gauge().look(NOW);
    let file_system = report.file_system.unwrap();
    assert!(file_system.is_read_only && file_system.total_bytes > 0);
    assert_eq!(file_system.errors, 3);
    assert_eq!(report.findings[0].kind, FindingKind::ReadOnly);
    assert!(report.findings[0].is_grave);
}

#[test]
fn a_box_without_a_partition_has_nothing_to_tell() {
    let folder = tempfile::tempdir().unwrap();
    let gauge = Gauge::new(Notes::in_folder(folder.path()), Places::default());
    assert_eq!(gauge.look(NOW).disk, None);
}

#[test]
fn a_disk_is_asked_now_and_then_and_room_is_looked_at_each_time() {
    let machine =
        Machine::new("mmcblk0", "mmcblk0p2", &[("device/type", "MMC"), ("device/life_time", "0x01 0x01")]);
    let gauge = machine.gauge();
    let used = |now| gauge.look(now).disk.unwrap().life_used_percent;
    assert_eq!(used(NOW), Some(10));
    machine.write("sys/devices/pci0/mmcblk0/device/life_time", "0x02 0x01");
    machine.mount("rw", "0");
    assert_eq!(used(NOW + HOLDS / 2), Some(10));
    assert!(gauge.look(NOW + HOLDS / 2).file_system.is_some());
    assert_eq!(used(NOW + HOLDS), Some(20));
}

#[test]
fn a_disk_that_hangs_is_waited_for_once() {
    let machine =
        Machine::new("mmcblk0", "mmcblk0p2", &[("device/type", "MMC"), ("device/life_time", "0x01 0x01")]);
    let gauge = machine.gauge();
    let hanging = gauge.turn.lock().unwrap();
    let told = gauge.look(NOW).disk.unwrap();
    assert_eq!(
        (told.life_used_percent, told.silent.as_deref()),
        (None, Some("the disk has not answered yet"))
    );
    drop(hanging);
    assert_eq!(gauge.look(NOW).disk.unwrap().life_used_percent, Some(10));
    let hanging = gauge.turn.lock().unwrap();
    assert_eq!(
        gauge.look(NOW + HOLDS).disk.unwrap().life_used_percent,
        Some(10),
        "what it said before holds on"
    );
    drop(hanging);
}
