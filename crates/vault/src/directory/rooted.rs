//! Against the kernel: an ext4 file system in a file. Needs root, loop devices, `mkfs.ext4` and `mount`.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::process::Command;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::UserId;
use crate::VaultDocument;
use crate::password::Password;
use crate::password::PasswordCost;

const MARKER: &str = "the-cat-sleeps-on-the-blue-sofa";
const NAME: &str = "diary-of-a-quiet-summer.txt";
const IMAGE_BYTES: u64 = 32 << 20;

/// A mounted file system; unmounted when dropped.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new(options: &[&str]) -> Self {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        File::create(disk.image()).unwrap().set_len(IMAGE_BYTES).unwrap();
        fs::create_dir(disk.root()).unwrap();
        run(Command::new("mkfs.ext4").arg("-q").args(options).arg(disk.image()));
        disk.mount();
        disk
    }

    fn with_encryption() -> Self {
        Self::new(&["-O", "encrypt"])
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn mount(&self) {
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(self.image()).arg(self.root()));
    }

    fn unmount(&self) {
        run(Command::new("umount").arg(self.root()));
    }

    fn folder(&self, name: &str) -> PathBuf {
        let path = self.root().join(name);
        fs::create_dir(&path).unwrap();
        path
    }

    /// Says whether the bytes of a text are anywhere in the file that the file system lies in.
    fn holds(&self, text: &str) -> bool {
        let bytes = fs::read(self.image()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    fn status(&self, key: &DirectoryKey) -> KeyStatus {
        fscrypt::key_status(File::open(self.root()).unwrap(), key.identifier()).unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Not there when the test unmounted it itself, or failed before.
        let mounted = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        if mounted.contains(self.root().to_str().unwrap_or("no path")) {
            self.unmount();
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn key(byte: u8) -> DirectoryKey {
    DirectoryKey::derive(&VaultKey::from_bytes(Zeroizing::new([byte; 32])), "home")
}

fn names_in(path: &Path) -> Vec<String> {
    let name = |name: &OsStr| name.to_str().unwrap().to_owned();
    fs::read_dir(path).unwrap().map(|entry| name(&entry.unwrap().file_name())).collect()
}

#[test]
fn the_kernel_names_a_key_as_we_do() {
    let disk = Disk::with_encryption();
    for byte in 0..4 {
        let named = fscrypt::add_key(File::open(disk.root()).unwrap(), &key(byte).0).unwrap();
        assert_eq!(named, key(byte).identifier());
    }
}

#[test]
fn a_locked_directory_shows_neither_names_nor_contents() {
    let disk = Disk::with_encryption();
    let home = disk.folder("home");
    assert_eq!(state(&home).unwrap(), State::Plain);
    assert_eq!(protect(&home, &key(1)).unwrap(), Outcome::Changed);
    assert_eq!(state(&home).unwrap(), State::Unlocked);
    fs::create_dir(home.join("inner")).unwrap();
    fs::write(home.join(NAME), MARKER).unwrap();
    fs::write(home.join("inner").join(NAME), MARKER).unwrap();

    assert_eq!(lock(&home).unwrap(), Locking::Locked);
    assert_eq!(state(&home).unwrap(), State::Locked);
    assert_eq!(lock(&home).unwrap(), Locking::Locked, "twice is once");
    let names = names_in(&home);
    assert_eq!(names.len(), 2);
    for name in names {
        assert!(!NAME.contains(&name) && name != "inner", "{name} is shown");
        if home.join(&name).is_file() {
            let refused = File::open(home.join(&name)).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(Errno::NOKEY.raw_os_error()));
        }
    }
    File::open(home.join(NAME)).unwrap_err();
    fs::write(home.join("new"), "x").unwrap_err();

    unlock(&home, &key(1)).unwrap();
    assert_eq!(fs::read_to_string(home.join(NAME)).unwrap(), MARKER);
    assert_eq!(fs::read_to_string(home.join("inner").join(NAME)).unwrap(), MARKER);
    unlock(&home, &key(1)).unwrap();
}

#[test]
fn the_disk_holds_neither_names_nor_contents() {
    let disk = Disk::with_encryption();
    let home = disk.folder("home");
    protect(&home, &key(1)).unwrap();
    fs::write(home.join(NAME), MARKER.repeat(1000)).unwrap();
    fs::write(home.join("small"), MARKER).unwrap();
    // What lies beside it is there, so that this would find the rest.
    fs::write(disk.root().join("plain-name-beside-it"), "plain contents beside it").unwrap();
    disk.unmount();
    assert!(!disk.holds(MARKER));
    assert!(!disk.holds(NAME));
    assert!(disk.holds("plain-name-beside-it"));
    assert!(disk.holds("plain contents beside it"));

    disk.mount();
    assert_eq!(state(&home).unwrap(), State::Locked, "a mounted file system begins without keys");
    unlock(&home, &key(1)).unwrap();
    assert_eq!(fs::read_to_string(home.join(NAME)).unwrap(), MARKER.repeat(1000));
}

#[test]
fn a_wrong_key_changes_nothing() {
    let disk = Disk::with_encryption();
    let home = disk.folder("home");
    protect(&home, &key(1)).unwrap();
    fs::write(home.join(NAME), MARKER).unwrap();
    lock(&home).unwrap();
    let locked = names_in(&home);

    assert!(matches!(unlock(&home, &key(2)).unwrap_err(), DirectoryError::OtherKey { .. }));
    assert!(matches!(protect(&home, &key(2)).unwrap_err(), DirectoryError::OtherKey { .. }));
    assert_eq!(state(&home).unwrap(), State::Locked);
    assert_eq!(names_in(&home), locked);
    assert_eq!(disk.status(&key(2)), KeyStatus::Absent);

    // Also when the kernel has the other key.
    let other = disk.folder("other");
    protect(&other, &key(2)).unwrap();
    assert!(matches!(unlock(&home, &key(2)).unwrap_err(), DirectoryError::OtherKey { .. }));
    assert_eq!(names_in(&home), locked);
    unlock(&home, &key(1)).unwrap();
    assert_eq!(lock(&other).unwrap(), Locking::Locked);
    assert_eq!(fs::read_to_string(home.join(NAME)).unwrap(), MARKER, "only the other is locked");
}

#[test]
fn a_policy_is_for_good_and_for_empty_directories() {
    let disk = Disk::with_encryption();
    let home = disk.folder("home");
    protect(&home, &key(1)).unwrap();
    assert_eq!(protect(&home, &key(1)).unwrap(), Outcome::Unchanged);
    assert!(matches!(protect(&home, &key(2)).unwrap_err(), DirectoryError::OtherKey { .. }));
    let directory = File::open(&home).unwrap();
    assert_eq!(fscrypt::set_policy(&directory, key(2).identifier()), Err(Errno::EXIST));
    assert_eq!(fscrypt::policy(&directory), Ok(Some(Policy::Ours(key(1).identifier()))));

    let full = disk.folder("full");
    fs::write(full.join("file"), "x").unwrap();
    assert!(matches!(protect(&full, &key(3)).unwrap_err(), DirectoryError::NotEmpty { .. }));
    assert_eq!(disk.status(&key(3)), KeyStatus::Absent, "the key does not stay behind");
    assert!(matches!(unlock(&full, &key(3)).unwrap_err(), DirectoryError::Plain { .. }));
    assert!(matches!(lock(&full).unwrap_err(), DirectoryError::Plain { .. }));
    assert!(matches!(state(&disk.root().join("none")).unwrap_err(), DirectoryError::Open { .. }));
    // A plain directory cannot take in what lies in an encrypted one by its name only.
    fs::write(home.join(NAME), MARKER).unwrap();
    fs::hard_link(full.join("file"), home.join("link")).unwrap_err();
}

#[test]
fn an_open_file_keeps_the_directory_busy() {
    let disk = Disk::with_encryption();
    let home = disk.folder("home");
    protect(&home, &key(1)).unwrap();
    fs::write(home.join(NAME), MARKER).unwrap();
    fs::write(home.join("other"), MARKER).unwrap();
    let mut held = File::open(home.join(NAME)).unwrap();

    assert_eq!(lock(&home).unwrap(), Locking::Busy);
    assert_eq!(state(&home).unwrap(), State::Busy);
    let mut text = String::new();
    held.read_to_string(&mut text).unwrap();
    assert_eq!(text, MARKER, "it is told because it is so");
    File::open(home.join("other")).unwrap_err();

    drop(held);
    assert_eq!(lock(&home).unwrap(), Locking::Locked);
    assert_eq!(state(&home).unwrap(), State::Locked);
    File::open(home.join(NAME)).unwrap_err();
}

#[test]
fn a_busy_directory_can_be_unlocked_again() {
    let disk = Disk::with_encryption();
    let home = disk.folder("home");
    protect(&home, &key(1)).unwrap();
    fs::write(home.join(NAME), MARKER).unwrap();
    let held = File::open(home.join(NAME)).unwrap();
    assert_eq!(lock(&home).unwrap(), Locking::Busy);
    unlock(&home, &key(1)).unwrap();
    assert_eq!(state(&home).unwrap(), State::Unlocked);
    drop(held);
    assert_eq!(lock(&home).unwrap(), Locking::Locked);
}

#[test]
fn a_file_system_without_encryption_is_told() {
    let disk = Disk::new(&[]);
    let home = disk.folder("home");
    assert!(matches!(protect(&home, &key(1)).unwrap_err(), DirectoryError::Unsupported { .. }));
    assert!(matches!(unlock(&home, &key(1)).unwrap_err(), DirectoryError::Unsupported { .. }));
    assert_eq!(state(&home).unwrap(), State::Plain);
    fs::write(home.join("still-of-use"), "x").unwrap();
}

#[test]
fn claims_of_one_user_are_taken_back_one_by_one() {
    let disk = Disk::with_encryption();
    let root = File::open(disk.root()).unwrap();
    let identifier = fscrypt::add_key(&root, &key(1).0).unwrap();
    assert_eq!(fscrypt::add_key(&root, &key(1).0).unwrap(), identifier);
    assert_eq!(fscrypt::remove_key(&root, identifier), Ok(Removal::Complete));
    assert_eq!(fscrypt::remove_key(&root, identifier), Err(Errno::NOKEY));
    assert_eq!(fscrypt::key_status(&root, identifier), Ok(KeyStatus::Absent));
}

#[test]
fn during_a_rotation_both_keys_find_their_directories() {
    let disk = Disk::with_encryption();
    let user: UserId = "ada".parse().unwrap();
    let password = Password::with_cost("horse", PasswordCost::new(8, 1, 1).unwrap());
    let (document, vault) = VaultDocument::create(user, &password).unwrap();
    let (old, new, plain) = (disk.folder("old"), disk.folder("new"), disk.folder("plain"));
    protect(&old, &DirectoryKey::derive(vault.current(), "home")).unwrap();
    fs::write(old.join(NAME), MARKER).unwrap();
    lock(&old).unwrap();

    let (document, _vault) = document.begin_rotation(&vault).unwrap();
    let vault = document.open(&password).unwrap();
    protect(&new, &DirectoryKey::derive(vault.current(), "home")).unwrap();
    assert!(vault.directory_key(&plain, "home").unwrap().is_none());
    let key = vault.directory_key(&old, "home").unwrap().unwrap();
    unlock(&old, &key).unwrap();
    fs::copy(old.join(NAME), new.join(NAME)).unwrap();
    fs::remove_file(old.join(NAME)).unwrap();
    lock(&old).unwrap();

    let (_document, vault) = document.finish_rotation(&vault).unwrap();
    assert!(matches!(vault.directory_key(&old, "home").unwrap_err(), DirectoryError::OtherKey { .. }));
    let key = vault.directory_key(&new, "home").unwrap().unwrap();
    unlock(&new, &key).unwrap();
    assert_eq!(fs::read_to_string(new.join(NAME)).unwrap(), MARKER);
}
