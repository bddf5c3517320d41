//! The kernel's encryption as hostd meets it: a user without any power, on an ext4 file system in a file.

use super::Directories;
use super::Fscrypt;
use crate::vaults::files::FileError;
use crate::vaults::files::copying;
use crate::vaults::files::copying::Copied;
use rustix::mount::MountFlags;
use rustix::mount::UnmountFlags;
use rustix::process::Uid;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use std::fs;
use std::fs::File;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use vault::OpenVault;
use vault::Password;
use vault::PasswordCost;
use vault::VaultDocument;
use vault::directory::DirectoryError;
use vault::directory::Locking;
use vault::directory::Outcome;
use vault::directory::State;
use vault::directory::state;

const MARKER: &[u8] = b"marker 83b1f0c2 of a private file";
const NAME: &str = "marker-name-6d2c";
const NOBODY: u32 = 65534;

/// A file system that `nobody` may write to.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Reached by a user who is not its owner.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let disk = Self { folder };
        File::create(disk.image()).unwrap().set_len(32 << 20).unwrap();
        fs::create_dir(disk.root()).unwrap();
        run(Command::new("/usr/sbin/mke2fs").args(["-q", "-t", "ext4", "-O", "encrypt"]).arg(disk.image()));
        run(Command::new("/bin/mount").args(["-o", "loop"]).args([disk.image(), disk.root()]));
        fs::create_dir(disk.users()).unwrap();
        chown(disk.users(), Some(NOBODY), Some(NOBODY)).unwrap();
        disk
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn users(&self) -> PathBuf {
        self.root().join("users")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        rustix::mount::unmount(self.root(), UnmountFlags::DETACH).unwrap();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Does something as hostd would: as a user of its own, without capabilities. The calls bind this thread only.
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let nobody = Uid::from_raw(NOBODY);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            let none = CapabilitySet::empty();
            let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
            rustix::thread::set_capabilities(None, none).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

fn open_vault(user: &str) -> OpenVault {
    let password = Password::with_cost("correct horse", PasswordCost::new(8, 1, 1).unwrap());
    VaultDocument::create(user.parse().unwrap(), &password).unwrap().1
}

fn contains(path: &Path, wanted: &[u8]) -> bool {
    fs::read(path).unwrap().windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn a_user_without_powers_shows_and_hides_a_directory_also_from_root() {
    let disk = Disk::new();
    let path = disk.users().join("anna").join("1");
    let anna = open_vault("anna");
    as_nobody(|| {
        Fscrypt.open(&path, anna.current()).unwrap();
        fs::write(path.join(NAME), MARKER).unwrap();
    });
    assert_eq!(state(&path).unwrap(), State::Unlocked);

    assert_eq!(as_nobody(|| Fscrypt.close(&path)).unwrap(), Locking::Locked);
    assert_eq!(state(&path).unwrap(), State::Locked);
    let shown: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(shown.len(), 1, "root sees how many there are");
    assert!(!shown[0].ends_with(NAME));
    fs::read(&shown[0]).unwrap_err();
    rustix::fs::syncfs(File::open(disk.root()).unwrap()).unwrap();
    assert!(!contains(&disk.image(), MARKER) && !contains(&disk.image(), NAME.as_bytes()));

    let other = as_nobody(|| Fscrypt.open(&path, open_vault("anna").current())).unwrap_err();
    assert!(matches!(other, DirectoryError::OtherKey { .. }));
    assert_eq!(state(&path).unwrap(), State::Locked, "a wrong key never reaches the kernel");
    as_nobody(|| {
        Fscrypt.open(&path, anna.current()).unwrap();
        assert_eq!(fs::read(path.join(NAME)).unwrap(), MARKER);
    });
}

#[test]
fn files_in_use_are_told_and_locked_later() {
    let disk = Disk::new();
    let path = disk.users().join("anna").join("1");
    let anna = open_vault("anna");
    as_nobody(|| {
        Fscrypt.open(&path, anna.current()).unwrap();
        fs::write(path.join(NAME), MARKER).unwrap();
        let in_use = File::open(path.join(NAME)).unwrap();
        assert_eq!(Fscrypt.close(&path).unwrap(), Locking::Busy);
        drop(in_use);
        assert_eq!(Fscrypt.close(&path).unwrap(), Locking::Locked);
        assert_eq!(Fscrypt.close(&path).unwrap(), Locking::Locked, "twice is once");
    });
}

#[test]
fn a_directory_that_was_being_made_when_the_power_went_is_finished() {
    let disk = Disk::new();
    let path = disk.users().join("anna").join("1");
    let anna = open_vault("anna");
    as_nobody(|| {
        fs::create_dir_all(&path).unwrap();
        assert!(matches!(Fscrypt.close(&path), Err(DirectoryError::Plain { .. })));
        Fscrypt.open(&path, anna.current()).unwrap();
    });
    assert_eq!(state(&path).unwrap(), State::Unlocked);
}

#[test]
fn without_encryption_nothing_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::create_dir(&plain).unwrap();
    let none: Option<&std::ffi::CStr> = None;
    rustix::mount::mount("none", &plain, "tmpfs", MountFlags::empty(), none).unwrap();
    let refused = Fscrypt.open(&plain.join("anna").join("1"), open_vault("anna").current());
    rustix::mount::unmount(&plain, UnmountFlags::DETACH).unwrap();
    assert!(matches!(refused, Err(DirectoryError::Unsupported { .. })), "{refused:?}");
}

#[test]
fn another_key_gets_another_directory_and_the_old_one_goes_shown_or_hidden() {
    let disk = Disk::new();
    let (old, new) = (disk.users().join("anna").join("1"), disk.users().join("anna").join("2"));
    let (before, after) = (open_vault("anna"), open_vault("anna"));
    as_nobody(|| {
        assert_eq!(Fscrypt.open(&old, before.current()).unwrap(), Outcome::Changed);
        fs::write(old.join(NAME), MARKER).unwrap();
        assert_eq!(Fscrypt.open(&new, after.current()).unwrap(), Outcome::Changed);
        for file in copying::inventory(&old).unwrap() {
            assert_eq!(Fscrypt.copy(&old, &new, &file, &mut |_bytes| true).unwrap(), Copied::Whole);
        }
        Fscrypt.settle(&new).unwrap();
        assert!(Fscrypt.room(&new).unwrap() > 0);
        Fscrypt.destroy(&old).unwrap();
        assert_eq!(fs::read(new.join(NAME)).unwrap(), MARKER);
    });
    assert!(!old.exists());
    assert_eq!(as_nobody(|| Fscrypt.close(&new)).unwrap(), Locking::Locked);
    rustix::fs::syncfs(File::open(disk.root()).unwrap()).unwrap();
    assert!(!contains(&disk.image(), MARKER) && !contains(&disk.image(), NAME.as_bytes()));
    as_nobody(|| {
        let wrong = Fscrypt.open(&new, before.current()).unwrap_err();
        assert!(matches!(wrong, DirectoryError::OtherKey { .. }), "the old key opens nothing");
        Fscrypt.destroy(&new).unwrap();
        Fscrypt.destroy(&new).unwrap();
    });
    assert!(!new.exists(), "what is hidden can be destroyed");
}

#[test]
fn a_full_disk_breaks_a_copy_off() {
    let disk = Disk::new();
    let (old, new) = (disk.users().join("anna").join("1"), disk.users().join("anna").join("2"));
    let (before, after) = (open_vault("anna"), open_vault("anna"));
    as_nobody(|| {
        Fscrypt.open(&old, before.current()).unwrap();
        fs::write(old.join(NAME), vec![7; 16 << 20]).unwrap();
        Fscrypt.open(&new, after.current()).unwrap();
        let file = copying::inventory(&old).unwrap().remove(0);
        let full = Fscrypt.copy(&old, &new, &file, &mut |_bytes| true).unwrap_err();
        assert!(matches!(full, FileError::Full), "{full:?}");
        Fscrypt.destroy(&new).unwrap();
        assert_eq!(fs::read(old.join(NAME)).unwrap(), vec![7; 16 << 20]);
    });
}
