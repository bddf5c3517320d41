use super::*;
use fatfs::FileSystem;
use fatfs::FsOptions;
use gpt::disk::LogicalBlockSize;
use std::fs;
use std::fs::OpenOptions;
use std::io::Read;
use std::process::Command;

fn files() -> Vec<(String, Vec<u8>)> {
    [
        ("config.txt", b"arm_64bit=1\n".to_vec()),
        ("vmlinuz", vec![7; 3_000_000]),
        ("overlays/a.dtbo", b"A".to_vec()),
    ]
    .map(|(name, content)| (name.to_owned(), content))
    .to_vec()
}

fn disk(files: &[(String, Vec<u8>)]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    write(&PiPlan { files, side_mib: 64, data_mib: 1 }, &path).unwrap();
    (folder, path)
}

fn contents(path: &Path, start_mib: u64, mib: u64) -> (FatType, Vec<(String, Vec<u8>)>) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let extent = Extent { start: start_mib * MIB, length: mib * MIB };
    let system = FileSystem::new(Window { file: &mut file, extent, position: 0 }, FsOptions::new()).unwrap();
    let mut found = Vec::new();
    let mut open = vec![(String::new(), system.root_dir())];
    while let Some((path, folder)) = open.pop() {
        for entry in folder.iter().map(Result::unwrap).filter(|entry| !entry.file_name().starts_with('.')) {
            let name = format!("{path}{}", entry.file_name());
            if entry.is_dir() {
                open.push((format!("{name}/"), entry.to_dir()));
                continue;
            }
            let mut content = Vec::new();
            entry.to_file().read_to_end(&mut content).unwrap();
            found.push((name, content));
        }
    }
    found.sort();
    (system.fat_type(), found)
}

#[test]
fn the_firmware_and_the_system_see_the_same_four_partitions() {
    let (_folder, path) = disk(&files());
    let mut start = [0; 512];
    File::open(&path).unwrap().read_exact(&mut start).unwrap();
    assert_eq!(start[510..], [0x55, 0xaa]);
    let u32_at = |at: usize| u64::from(u32::from_le_bytes(start[at..at + 4].try_into().unwrap()));
    let in_mbr: Vec<(u8, u64, u64)> =
        (0..4).map(|n| 446 + 16 * n).map(|at| (start[at + 4], u32_at(at + 8), u32_at(at + 12))).collect();
    let mib = |n: u64| n * MIB / SECTOR;
    assert_eq!(
        in_mbr,
        [
            (0x0e, mib(1), mib(16)),
            (0x0c, mib(17), mib(64)),
            (0x0c, mib(81), mib(64)),
            (0x83, mib(145), mib(1))
        ]
    );
    let table = gpt::GptConfig::new().only_valid_headers(true).open(&path).unwrap();
    let in_gpt: Vec<(&str, u64, u64)> = table
        .partitions()
        .values()
        .map(|entry| {
            let sectors = entry.bytes_len(LogicalBlockSize::Lb512).unwrap() / SECTOR;
            (entry.name.as_str(), entry.first_lba, sectors)
        })
        .collect();
    let names = ["hearth-esp", "hearth-a", "hearth-b", "hearth-new"];
    let expected: Vec<_> =
        names.into_iter().zip(&in_mbr).map(|(name, (_, start, size))| (name, *start, *size)).collect();
    assert_eq!(in_gpt, expected);
}

#[test]
fn the_first_partition_names_side_a_and_starts_nothing() {
    let (_folder, path) = disk(&files());
    let (kind, first) = contents(&path, 1, 16);
    let autoboot = "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n";
    assert_eq!(
        (kind, first),
        (FatType::Fat16, vec![("autoboot.txt".to_owned(), autoboot.as_bytes().to_vec())])
    );
    let (kind, a) = contents(&path, 17, 64);
    let mut expected = files();
    expected.sort();
    assert!(a == expected, "{:?}", a.iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert_eq!(kind, FatType::Fat32);
    assert_eq!(contents(&path, 81, 64), (FatType::Fat32, Vec::new()));
}

#[test]
fn equal_files_give_equal_disks() {
    let ((_one, first), (_two, second)) = (disk(&files()), disk(&files()));
    assert_eq!(Sha256::of_file(&first).unwrap(), Sha256::of_file(&second).unwrap());
    let (_three, third) = disk(&files()[..2]);
    let guid = |path: &Path| *gpt::GptConfig::new().open(path).unwrap().guid();
    assert_ne!(guid(&first), guid(&third));
}

#[test]
fn a_system_that_does_not_fit_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("vmlinuz".to_owned(), vec![1; 65 << 20])];
    let error =
        write(&PiPlan { files: &files, side_mib: 64, data_mib: 1 }, &folder.path().join("d")).unwrap_err();
    assert!(matches!(&error, DiskError::Esp { name, .. } if name == "vmlinuz"), "{error}");
}

/// The judge is the checker that machines run on such partitions.
#[test]
fn the_file_system_checker_finds_nothing() {
    let (folder, path) = disk(&files());
    let disk = fs::read(&path).unwrap();
    for (start, size) in [(1, 16), (17, 64), (81, 64)] {
        let part = folder.path().join("part.img");
        fs::write(&part, &disk[start << 20..(start + size) << 20]).unwrap();
        let checked = Command::new("fsck.vfat").args(["-n", "-v"]).arg(&part).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success() && !said.contains("uninitialized"), "{start}: {said}");
    }
}
