//! Takes up what an owner decided before the first start (`hearth-preset.json`, docs/flashing.md).
//!
//! The file lies on the boot partition, which everybody who has the disk can read. Its parts go to the daemons' folders on the encrypted
//! data partition, each daemon its own; only when they are there for good the file is overwritten and removed. A cut anywhere has
//! it done once more. What it says is for the daemons to judge: hostd heeds it only while the box has no owner.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::fchown;
use std::path::Path;
use std::path::PathBuf;

use model::paths;
use model::preset::FILE;
use model::preset::MAX_BYTES;
use model::preset::Preset;

use crate::console;
use crate::disk::bring_up::reset;

/// Where a part goes, and whose it is.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    owner: u32,
}

/// Where the parts go.
#[derive(Debug)]
pub struct Places {
    host: Place,
    network: Place,
}

/// Why the file was not taken up.
#[derive(Debug, thiserror::Error)]
enum TakeError {
    /// It cannot be read.
    #[error("reading {FILE} on the boot partition")]
    Read(#[source] io::Error),
    /// It is not what it should be. Its content is in no message: it has secrets.
    #[error("{0}; nothing of it is used")]
    Content(String),
    /// A part cannot be kept.
    #[error("keeping {}", path.display())]
    Keep {
        /// The part.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// It stays where it was.
    #[error("removing {FILE} from the boot partition, where everybody who has the disk can read it")]
    Remove(#[source] io::Error),
}

impl Places {
    /// Those of the box.
    #[must_use]
    pub fn of_box() -> Self {
        Self {
            host: Place { path: paths::HOSTD_PRESET.into(), owner: paths::HOSTD_UID },
            network: Place { path: paths::NETD_PRESET.into(), owner: paths::NETD_UID },
        }
    }
}

/// Gives each daemon its part and removes the file; `writable` makes the boot partition writable and read-only. Returns what went wrong.
#[must_use]
pub fn take_up(boot: &Path, places: &Places, writable: &dyn Fn(bool) -> io::Result<()>) -> Vec<String> {
    match take(boot, places, writable) {
        Ok(()) => Vec::new(),
        Err(error) => vec![console::chain(&error)],
    }
}

fn take(boot: &Path, places: &Places, writable: &dyn Fn(bool) -> io::Result<()>) -> Result<(), TakeError> {
    let path = boot.join(FILE);
    let Some(bytes) = read(&path).map_err(TakeError::Read)? else { return Ok(()) };
    // Zeros: a cut came between overwriting and removing.
    if bytes.iter().any(|byte| *byte != 0) {
        let preset = Preset::parse(&bytes).map_err(|error| TakeError::Content(error.place()))?;
        keep(&places.host, &preset.of_host())?;
        keep(&places.network, &preset.of_network())?;
    }
    let removed = writable(true).and_then(|()| remove(boot, &path, bytes.len()));
    let read_only = writable(false);
    removed.and(read_only).map_err(TakeError::Remove)
}

/// At most one byte more than what is understood.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Writes a part aside and renames it. The folder is the daemon's, who may have put anything there: nothing that exists is opened.
fn keep(place: &Place, part: &Preset) -> Result<(), TakeError> {
    if part.is_empty() {
        return Ok(());
    }
    let aside = place.path.with_extension("new");
    let write = || {
        let content = part.encode().ok_or(io::ErrorKind::InvalidData)?;
        if let Err(error) = fs::remove_file(&aside)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(&content)?;
        fchown(&file, Some(place.owner), Some(place.owner))?;
        file.sync_all()?;
        fs::rename(&aside, &place.path)?;
        File::open(place.path.parent().unwrap_or_else(|| Path::new("/")))?.sync_all()
    };
    write().map_err(|source| TakeError::Keep { path: place.path.clone(), source })
}

/// Overwrites the file first: what FAT removes stays readable until its blocks are used again.
fn remove(boot: &Path, path: &Path, length: usize) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    drop(file);
    fs::remove_file(path)?;
    reset::sync(boot)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    const WHOLE: &str = r#"{"version":1,"claim_code":"01AB-2CDE-3FGH","host_name":"attic",
        "wifi":{"ssid":"home","passphrase":"correct horse","country":"DE"}}"#;

    struct World {
        boot: TempDir,
        data: TempDir,
        places: Places,
        remounts: RefCell<Vec<bool>>,
    }

    impl World {
        fn new(content: &str) -> Self {
            let (boot, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            fs::write(boot.path().join(FILE), content).unwrap();
            let owner = fs::metadata(data.path()).unwrap().uid();
            let place = |name: &str| Place { path: data.path().join(name), owner };
            let places = Places { host: place("host.json"), network: place("network.json") };
            Self { boot, data, places, remounts: RefCell::default() }
        }

        fn take_up(&self) -> Vec<String> {
            take_up(self.boot.path(), &self.places, &|is_writable| {
                self.remounts.borrow_mut().push(is_writable);
                Ok(())
            })
        }

        fn has_file(&self) -> bool {
            self.boot.path().join(FILE).exists()
        }

        fn kept(&self, name: &str) -> Option<Preset> {
            Preset::parse(&fs::read(self.data.path().join(name)).ok()?).ok()
        }
    }

    #[test]
    fn each_daemon_has_its_part_and_the_file_is_gone() {
        let world = World::new(WHOLE);
        assert_eq!(world.take_up(), Vec::<String>::new());
        let whole = Preset::parse(WHOLE.as_bytes()).unwrap();
        assert_eq!(world.kept("host.json"), Some(whole.of_host()));
        assert_eq!(world.kept("network.json"), Some(whole.of_network()));
        for name in ["host.json", "network.json"] {
            assert_eq!(fs::metadata(world.data.path().join(name)).unwrap().mode() & 0o777, 0o600);
        }
        assert!(!world.has_file());
        assert_eq!(*world.remounts.borrow(), [true, false]);
        assert_eq!(world.take_up(), Vec::<String>::new(), "nothing more to take up");
        assert_eq!(world.remounts.borrow().len(), 2, "and no reason to write to the boot partition");
    }

    #[test]
    fn a_mistake_is_told_without_its_content_and_stays_to_be_mended() {
        for content in ["{\"version\":1,\n\"host_name\":\"My Secret\"}", &" ".repeat(MAX_BYTES + 1)] {
            let world = World::new(content);
            let told = world.take_up().join("");
            assert!(told.contains(FILE) && !told.contains("Secret"), "{told}");
            assert!(world.has_file() && world.remounts.borrow().is_empty());
            assert_eq!(fs::read_dir(world.data.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_file_that_cannot_be_removed_is_taken_up_and_told() {
        let world = World::new(WHOLE);
        let told = take_up(world.boot.path(), &world.places, &|_writable| {
            Err(io::ErrorKind::ReadOnlyFilesystem.into())
        });
        assert!(told[0].contains("everybody who has the disk"), "{told:?}");
        assert!(world.has_file() && world.kept("host.json").is_some());
    }

    #[test]
    fn what_a_cut_left_overwritten_is_only_removed() {
        let world = World::new(&"\0".repeat(200));
        assert_eq!(world.take_up(), Vec::<String>::new());
        assert!(!world.has_file());
        assert_eq!(fs::read_dir(world.data.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_written_through_what_a_daemon_left_there() {
        let world = World::new(WHOLE);
        let other = world.data.path().join("precious");
        fs::write(&other, "as it was").unwrap();
        symlink(&other, world.data.path().join("host.new")).unwrap();
        symlink(&other, world.data.path().join("host.json")).unwrap();
        assert_eq!(world.take_up(), Vec::<String>::new());
        assert_eq!(fs::read_to_string(&other).unwrap(), "as it was");
        assert!(world.kept("host.json").is_some());
    }

    #[test]
    fn parts_that_say_nothing_are_not_written() {
        let world = World::new("{\"version\":1,\"host_name\":\"attic\"}");
        assert_eq!(world.take_up(), Vec::<String>::new());
        assert!(world.kept("host.json").is_some() && world.kept("network.json").is_none());
    }
}
