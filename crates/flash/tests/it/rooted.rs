//! Needs root, loop devices, tmpfs and `mke2fs`.

#![expect(clippy::cast_possible_truncation, reason = "the numbers of these tests are small")]

use flash::block_map::BLOCK;
use flash::block_map::BlockMap;
use flash::block_map::Range;
use flash::device::Device;
use flash::device::Sharing;
use flash::digest::Digest;
use flash::disks;
use flash::disks::Disk;
use flash::disks::Objection;
use flash::disks::linux;
use flash::write::Progress;
use flash::write::Step;
use flash::write::Wish;
use flash::write::WriteError;
use flash::write::Written;
use flash::write::write;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const MIB: usize = 1 << 20;

struct Nobody;

impl Progress for Nobody {
    fn at(&mut self, _step: Step, _done: u64, _total: u64) {}
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A folder in memory; unmounted when dropped.
struct Memory(TempDir);

impl Memory {
    fn new(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().to_str().unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", at]);
        Self(folder)
    }

    fn resize(&self, size: &str) {
        run("mount", &["-o", &format!("remount,size={size}"), self.0.path().to_str().unwrap()]);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

/// A loop device; detached when dropped.
struct Loop(PathBuf);

impl Loop {
    fn new(folder: &Path, bytes: usize) -> Self {
        let file = folder.join("disk");
        File::create(&file).unwrap().set_len(bytes as u64).unwrap();
        Self(run("losetup", &["--find", "--show", file.to_str().unwrap()]).into())
    }

    fn seen(&self) -> Disk {
        let name = self.0.file_name().unwrap().to_str().unwrap();
        let disks = disks::disks(&linux::look().unwrap());
        disks.into_iter().find(|disk| disk.name == name).unwrap()
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        drop(Command::new("losetup").arg("--detach").arg(&self.0).status());
    }
}

/// 16 MiB, of which the second half of the middle is not used.
fn image() -> (Vec<u8>, BlockMap) {
    let image: Vec<u8> = (0..16 * MIB).map(|at| (at * 31 % 251) as u8).collect();
    let range = |first: usize, last: usize| Range {
        first: (first as u64) / BLOCK,
        last: (last as u64) / BLOCK - 1,
        digest: Digest::of(&image[first..last]),
    };
    let ranges = vec![range(0, 9 * MIB), range(15 * MIB, 16 * MIB)];
    let map = BlockMap::new(image.len() as u64, BLOCK, ranges).unwrap();
    (image, map)
}

fn flash(disk: &Loop) -> Result<Written, WriteError> {
    let (image, map) = image();
    let wish =
        Wish { size: image.len() as u64, map: Some(&map), whole: Some(Digest::of(&image)), preset: None };
    let mut device = Device::open(&disk.0, Sharing::Alone).unwrap();
    write(&wish, &mut image.as_slice(), &mut device, &mut Nobody)
}

#[test]
fn an_image_is_on_a_disk_and_what_it_does_not_use_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Loop::new(folder.path(), 24 * MIB);
    let file = File::options().write(true).open(&disk.0).unwrap();
    file.write_all_at(&vec![0xe5; 24 * MIB], 0).unwrap();
    file.sync_all().unwrap();
    assert_eq!(flash(&disk).unwrap(), Written { bytes: 10 * MIB as u64, skipped: 6 * MIB as u64 });
    drop(file);
    let (image, _map) = image();
    let found = fs::read(folder.path().join("disk")).unwrap();
    assert!(found[..9 * MIB] == image[..9 * MIB] && found[15 * MIB..16 * MIB] == image[15 * MIB..]);
    assert!(found[9 * MIB..15 * MIB].iter().chain(&found[16 * MIB..23 * MIB]).all(|byte| *byte == 0xe5));
    assert!(found[23 * MIB..].iter().all(|byte| *byte == 0), "a copy of an old table would be there");
}

#[test]
fn a_disk_that_fails_on_the_way_has_no_table() {
    let memory = Memory::new("7m");
    let disk = Loop::new(memory.0.path(), 24 * MIB);
    let failure = flash(&disk).unwrap_err();
    assert!(matches!(failure, WriteError::Disk { .. }), "{failure}");
    memory.resize("64m");
    let found = fs::read(memory.0.path().join("disk")).unwrap();
    assert!(found[..MIB].iter().chain(&found[23 * MIB..]).all(|byte| *byte == 0));
    // The same disk, mended.
    flash(&disk).unwrap();
}

#[test]
fn a_disk_that_is_mounted_is_seen_and_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Loop::new(folder.path(), 24 * MIB);
    assert_eq!(disk.seen().objections, [Objection::Internal]);
    run("mke2fs", &["-q", "-F", disk.path()]);
    let place = folder.path().join("a place");
    fs::create_dir(&place).unwrap();
    run("mount", &["-t", "ext2", disk.path(), place.to_str().unwrap()]);
    let (seen, opened) = (disk.seen(), Device::open(&disk.0, Sharing::Alone));
    let shared = Device::open(&disk.0, Sharing::Shared).map(drop);
    run("umount", &[place.to_str().unwrap()]);
    assert_eq!(seen.objections, [Objection::InUse, Objection::Internal]);
    assert_eq!(seen.uses[0].to_string(), format!("mounted on {}", place.display()));
    assert_eq!(opened.unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    shared.unwrap();
    assert_eq!(disk.seen().objections, [Objection::Internal]);
}
