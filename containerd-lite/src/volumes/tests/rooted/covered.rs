//! On a file system that encrypts: an ext4 in a file.

use super::super::*;
use std::process::Command;

const MARKER: &str = "the-gardener-keeps-bees-in-the-attic";

struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        let image = disk.0.path().join("image");
        File::create(&image).unwrap().set_len(32 << 20).unwrap();
        fs::create_dir(disk.root()).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-O", "encrypt"]).arg(&image));
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(&image).arg(disk.root()));
        disk
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }

    /// Whether a text is anywhere in the raw file system.
    fn holds(&self, text: &str) -> bool {
        rustix::fs::syncfs(File::open(self.root()).unwrap()).unwrap();
        let bytes = fs::read(self.0.path().join("image")).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg(self.root()));
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Names and contents of all that somebody with all rights sees below a folder.
fn seen(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.push_str(&path.to_string_lossy());
        if path.is_dir() {
            all.push_str(&seen(&path));
        } else {
            all.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
    all
}

#[test]
fn without_its_key_nobody_sees_or_makes_anything_of_an_app() {
    let disk = Disk::new();
    let volumes = Volumes::new(&disk.root().join("apps"), 0);
    let (key, other) = (DirectoryKey::from_bytes(&[1; 64]), DirectoryKey::from_bytes(&[2; 64]));
    assert!(!volumes.is_open(&app()).unwrap());
    volumes.lock(&app()).unwrap();
    volumes.unlock(&app(), &key, 1).unwrap();
    volumes.unlock(&app(), &key, 1).unwrap();
    assert!(volumes.is_open(&app()).unwrap());
    write(&volumes, MARKER);
    volumes.snapshot(&app(), &name("before")).unwrap();
    let file = File::open(volumes.folder(&app()).join("db/rows")).unwrap();
    let busy = volumes.lock(&app()).unwrap_err();
    assert!(matches!(busy, VolumeError::InUse(_)), "{busy:?}");
    drop(file);
    volumes.lock(&app()).unwrap();
    volumes.lock(&app()).unwrap();
    assert!(!volumes.is_open(&app()).unwrap());
    let all = seen(&disk.root());
    assert!(!all.contains(MARKER) && !all.contains("volumes") && all.contains("notes"), "{all}");
    assert!(!disk.holds(MARKER) && !disk.holds("snapshots"));
    volumes.ensure(&app(), &[], [(&name("new"), "/new")]).unwrap_err();
    let wrong = volumes.unlock(&app(), &other, 1).unwrap_err();
    assert!(matches!(wrong, VolumeError::Cover(DirectoryError::OtherKey { .. })), "{wrong:?}");
    volumes.unlock(&app(), &key, 1).unwrap();
    assert!(is(&volumes, MARKER));
    volumes.restore(&app(), &name("before")).unwrap();
    assert!(is(&volumes, MARKER));
    // What is hidden goes as well as what is shown, and its key with it.
    volumes.lock(&app()).unwrap();
    volumes.remove(&app()).unwrap();
    assert!(!disk.root().join("apps/notes").exists());
    volumes.unlock(&app(), &other, 1).unwrap();
    assert_eq!(content(&volumes).len(), 0);
    volumes.remove(&app()).unwrap();
}

#[test]
fn what_was_never_encrypted_is_not_taken_for_an_apps_data() {
    let disk = Disk::new();
    let volumes = Volumes::new(&disk.root().join("apps"), 0);
    fs::create_dir_all(volumes.folder(&app())).unwrap();
    assert!(!volumes.is_open(&app()).unwrap());
    let plain = volumes.unlock(&app(), &DirectoryKey::from_bytes(&[1; 64]), 1).unwrap_err();
    assert!(matches!(plain, VolumeError::Cover(DirectoryError::NotEmpty { .. })), "{plain:?}");
    volumes.lock(&app()).unwrap();
    volumes.remove(&app()).unwrap();
}
