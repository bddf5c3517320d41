use super::*;
use std::os::unix::fs::MetadataExt;

fn plan(folder: &Path) -> DiskPlan {
    let write = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let slot = |name: &str, content: &[u8]| SlotFile { name: name.to_owned(), file: write(name, content) };
    DiskPlan {
        loader: Loader {
            file: write("loader", b"LOADER"),
            removable_name: "BOOTX64.EFI".to_owned(),
            installed_name: "systemd-bootx64.efi".to_owned(),
        },
        slots: vec![slot("hearth_0.1.0.efi", &vec![1; 3_000_000]), slot("hearth_9.9.9+1.efi", b"DAMAGED")],
        esp_mib: 64,
        data_mib: 1,
    }
}

#[test]
fn equal_content_gives_equal_disks_with_holes() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let (one, two) = (folder.path().join("1.img"), folder.path().join("2.img"));
    write(&plan, &one).unwrap();
    write(&plan, &two).unwrap();
    assert_eq!(Sha256::of_file(&one).unwrap(), Sha256::of_file(&two).unwrap());
    let status = fs::metadata(&one).unwrap();
    assert_eq!(status.len(), 67 << 20);
    assert!(status.blocks() * 512 < 8 << 20, "{} blocks", status.blocks());
    fs::write(&plan.slots[1].file, b"OTHER").unwrap();
    write(&plan, &two).unwrap();
    let guid = |path: &Path| *gpt::GptConfig::new().open(path).unwrap().guid();
    assert_ne!(guid(&one), guid(&two));
}

#[test]
fn the_table_names_the_partitions_of_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    write(&plan(folder.path()), &path).unwrap();
    let disk = gpt::GptConfig::new().only_valid_headers(true).open(&path).unwrap();
    let found: Vec<(String, partition_types::Type, u64)> = disk
        .partitions()
        .values()
        .map(|entry| {
            (
                entry.name.clone(),
                entry.part_type_guid.clone(),
                entry.bytes_len(LogicalBlockSize::Lb512).unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("hearth-esp".to_owned(), partition_types::EFI, 64 << 20),
            ("hearth-new".to_owned(), partition_types::LINUX_FS, 1 << 20),
        ]
    );
}

#[test]
fn the_esp_has_loader_and_slots_with_their_long_names() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let path = folder.path().join("disk.img");
    write(&plan, &path).unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let extent = Extent { start: MIB, length: 64 * MIB };
    let system = FileSystem::new(Window { file: &mut file, extent, position: 0 }, FsOptions::new()).unwrap();
    assert_eq!(system.fat_type(), FatType::Fat32);
    for (name, expected) in [
        ("EFI/BOOT/BOOTX64.EFI", b"LOADER".to_vec()),
        ("EFI/systemd/systemd-bootx64.efi", b"LOADER".to_vec()),
        ("loader/loader.conf", LOADER_CONF.as_bytes().to_vec()),
        ("EFI/Linux/hearth_0.1.0.efi", vec![1; 3_000_000]),
        ("EFI/Linux/hearth_9.9.9+1.efi", b"DAMAGED".to_vec()),
    ] {
        let mut content = Vec::new();
        system.root_dir().open_file(name).unwrap().read_to_end(&mut content).unwrap();
        assert!(content == expected, "{name}");
    }
}

/// Firmware refuses to rename a file with a date that is none, and boot counting is renaming.
#[test]
fn every_file_has_a_date_that_exists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    write(&plan(folder.path()), &path).unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let extent = Extent { start: MIB, length: 64 * MIB };
    let system = FileSystem::new(Window { file: &mut file, extent, position: 0 }, FsOptions::new()).unwrap();
    let slots = system.root_dir().open_dir("EFI/Linux").unwrap();
    let dates: Vec<_> = slots
        .iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.is_file())
        .flat_map(|entry| [entry.created().date, entry.modified().date, entry.accessed()])
        .collect();
    assert!(!dates.is_empty());
    for date in dates {
        assert_eq!((date.year, date.month, date.day), (1980, 1, 1));
    }
}

#[test]
fn a_partition_that_is_too_small_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(folder.path());
    fs::write(&plan.slots[0].file, vec![1; 65 << 20]).unwrap();
    plan.slots.truncate(1);
    let error = write(&plan, &folder.path().join("disk.img")).unwrap_err();
    assert!(matches!(&error, DiskError::Esp { name, .. } if name.contains("hearth_0.1.0")), "{error}");
}

/// The judge is the checker that machines run on their boot partition.
#[test]
fn the_file_system_checker_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    write(&plan(folder.path()), &path).unwrap();
    let mut bytes = vec![0; 64 << 20];
    let mut disk = File::open(&path).unwrap();
    disk.seek(SeekFrom::Start(MIB)).unwrap();
    disk.read_exact(&mut bytes).unwrap();
    let esp = folder.path().join("esp.img");
    fs::write(&esp, &bytes).unwrap();
    let checked = std::process::Command::new("fsck.vfat").args(["-n", "-v"]).arg(&esp).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && !said.contains("uninitialized"), "{said}");
}
