//! A folder of this machine, usually on a USB disk.

use super::Place;
use super::PlaceError;
use super::layout;
use crate::targets::FolderTarget;
use bytes::Bytes;
use rustix::io::Errno;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

/// What files have behind their name while they are written. No id has it, so leftovers are never read.
const UNFINISHED: &str = ".unfinished";

pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn open(target: &FolderTarget) -> Result<Self, PlaceError> {
        if let Some(mount) = &target.mounted_at {
            let above = mount.parent().unwrap_or(mount);
            let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev());
            let mounted = matches!((device(mount), device(above)), (Ok(inner), Ok(outer)) if inner != outer);
            if !mounted {
                return Err(PlaceError::NotMounted { mount: mount.display().to_string() });
            }
        }
        Ok(Self { path: target.path.clone() })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(layout(name))
    }

    fn failed(&self, doing: &'static str, name: &str, source: io::Error) -> PlaceError {
        let place = self.describe();
        let kind = source.kind();
        if kind == io::ErrorKind::NotFound {
            PlaceError::Missing { name: name.to_owned() }
        } else if kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded {
            PlaceError::Full { place }
        } else if kind == io::ErrorKind::PermissionDenied || kind == io::ErrorKind::ReadOnlyFilesystem {
            PlaceError::Refused { place, source: source.into() }
        } else {
            PlaceError::Failed { doing, name: name.to_owned(), source: source.into() }
        }
    }

    /// FAT writes a new name with the length 0, and the length with the file (`fs/fat/namei_vfat.c`, `vfat_rename`): the file is synced
    /// once more under its name.
    fn write_aside_and_rename(&self, aside: &Path, path: &Path, content: &[Bytes]) -> io::Result<()> {
        let mut file = File::create(aside)?;
        for part in content {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(aside, path)?;
        file.sync_all()
    }

    fn list_into(&self, folder: &Path, found: &mut Vec<(String, u64)>, depth: u8) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(other) => return Err(other),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            if kind.is_dir() && depth > 0 {
                self.list_into(&entry.path(), found, depth - 1)?;
            } else if kind.is_file() {
                match entry.metadata() {
                    Ok(meta) => found.push((name, meta.len())),
                    Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                    Err(other) => return Err(other),
                }
            }
        }
        Ok(())
    }
}

/// Makes a change of a folder lasting. Some file systems of USB disks cannot; there is nothing better then.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
        result => result,
    }
}

impl Place for Folder {
    fn describe(&self) -> String {
        format!("folder {}", self.path.display())
    }

    fn create(&self) -> Result<(), PlaceError> {
        let folders = ["keys", "snapshots", "index", "data"].map(str::to_owned).into_iter();
        for folder in folders.chain((0..=255).map(|byte: u8| format!("data/{byte:02x}"))) {
            let path = self.path.join(&folder);
            fs::create_dir_all(&path).map_err(|error| self.failed("make the folder", &folder, error))?;
        }
        for folder in ["data", "."] {
            sync_folder(&self.path.join(folder))
                .map_err(|error| self.failed("sync the folder", folder, error))?;
        }
        Ok(())
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, PlaceError> {
        let mut found = Vec::new();
        let depth = u8::from(folder == "data");
        self.list_into(&self.path.join(folder), &mut found, depth)
            .map_err(|error| self.failed("list", folder, error))?;
        Ok(found)
    }

    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, PlaceError> {
        let mut content = Vec::new();
        let file = File::open(self.at(name)).map_err(|error| self.failed("open", name, error))?;
        file.take(limit + 1).read_to_end(&mut content).map_err(|error| self.failed("read", name, error))?;
        if content.len() as u64 > limit {
            return Err(PlaceError::TooLarge { name: name.to_owned() });
        }
        Ok(content)
    }

    fn read_part(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, PlaceError> {
        let read = || {
            let mut file = File::open(self.at(name))?;
            file.seek(SeekFrom::Start(offset))?;
            let mut content = Vec::new();
            file.take(length as u64).read_to_end(&mut content)?;
            Ok(content)
        };
        read().map_err(|error| self.failed("read", name, error))
    }

    fn write(&self, name: &str, content: &[Bytes]) -> Result<(), PlaceError> {
        let path = self.at(name);
        let aside = PathBuf::from(format!("{}{UNFINISHED}", path.display()));
        let folder = path.parent().unwrap_or(&self.path);
        let written = self.write_aside_and_rename(&aside, &path, content).and_then(|()| sync_folder(folder));
        written.map_err(|error| {
            // Only tidying up: the next write of this name would replace it.
            let _gone = fs::remove_file(&aside);
            self.failed("write", name, error)
        })
    }

    fn remove(&self, name: &str) -> Result<(), PlaceError> {
        match fs::remove_file(self.at(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("remove", name, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn is_remote(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Folder {
        Folder::open(&FolderTarget { path: folder.join("repository"), mounted_at: None }).unwrap()
    }

    #[test]
    fn what_is_written_is_listed_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        place.create().unwrap();
        let name = format!("data/{}", "ab".repeat(32));
        place.write(&name, &[Bytes::from_static(b"one"), Bytes::from_static(b"two")]).unwrap();
        assert_eq!(place.list("data").unwrap(), [("ab".repeat(32), 6)]);
        assert_eq!(place.read(&name, 6).unwrap(), b"onetwo");
        assert!(matches!(place.read(&name, 5).unwrap_err(), PlaceError::TooLarge { .. }));
        assert_eq!(place.read_part(&name, 4, 10).unwrap(), b"wo");
        place.remove(&name).unwrap();
        place.remove(&name).unwrap();
        assert!(matches!(place.read(&name, 6).unwrap_err(), PlaceError::Missing { .. }));
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(place(folder.path()).list("snapshots").unwrap(), []);
    }

    #[test]
    fn a_disk_that_is_away_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let target =
            FolderTarget { path: folder.path().join("x"), mounted_at: Some(folder.path().to_owned()) };
        assert!(matches!(Folder::open(&target).err().unwrap(), PlaceError::NotMounted { .. }));
        let root = FolderTarget { path: "/proc/x".into(), mounted_at: Some("/proc".into()) };
        Folder::open(&root).unwrap();
    }
}
