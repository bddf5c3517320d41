//! A USB disk with FAT on it: made, copied and damaged by tests while no machine has it.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use fatfs::FatType;
use fatfs::FileSystem;
use fatfs::FormatVolumeOptions;
use fatfs::FsOptions;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

const BYTES: u64 = 96 << 20;
/// Of the name in the first sector of FAT32 (Microsoft FAT specification, `BS_VolLab`).
const LABEL: u64 = 71;

/// A disk without partitions, FAT32 from its first sector on unless it was made elsewhere.
#[derive(Debug)]
pub struct UsbDisk {
    path: PathBuf,
}

impl UsbDisk {
    /// Makes an empty one; its name has at most 11 characters.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn make(path: &Path, label: &str) -> Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path);
        let mut file = file.with_context(|| format!("cannot make {}", path.display()))?;
        file.set_len(BYTES).context("cannot make the disk as large as it is to be")?;
        let options = FormatVolumeOptions::new().fat_type(FatType::Fat32).volume_label(padded(label)?);
        fatfs::format_volume(&mut file, options).context("cannot format the disk")?;
        Ok(Self { path: path.to_owned() })
    }

    /// One that another tool made, with whatever is on it.
    #[must_use]
    pub fn made_elsewhere(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Copies it under another name.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub fn copy(&self, path: &Path, label: &str) -> Result<Self> {
        fs::copy(&self.path, path).with_context(|| format!("cannot make {}", path.display()))?;
        let file = File::options().write(true).open(path).context("cannot open the copy")?;
        file.write_all_at(&padded(label)?, LABEL).context("cannot name the copy")?;
        Ok(Self { path: path.to_owned() })
    }

    /// Where it is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Flips a bit in the middle of every file somewhere below a folder; says in how many.
    ///
    /// # Errors
    /// When the file system is not whole.
    pub fn flip_below(&self, folder: &str) -> Result<usize> {
        let disk = File::options().read(true).write(true).open(&self.path).context("cannot open the disk")?;
        let volume = FileSystem::new(disk, FsOptions::new()).context("cannot read the disk")?;
        let mut flipped = 0;
        for entry in volume.root_dir().open_dir(folder).context("cannot open the folder")?.iter() {
            let entry = entry.context("cannot list the folder")?;
            if !entry.is_dir() || entry.file_name().starts_with('.') {
                continue;
            }
            for file in entry.to_dir().iter() {
                let file = file.context("cannot list a folder")?;
                if file.is_file() && file.len() > 0 {
                    let mut open = file.to_file();
                    let middle = SeekFrom::Start(file.len() / 2);
                    let mut byte = [0];
                    open.seek(middle)?;
                    open.read_exact(&mut byte)?;
                    open.seek(middle)?;
                    open.write_all(&[byte[0] ^ 1])?;
                    open.flush()?;
                    flipped += 1;
                }
            }
        }
        volume.unmount().context("cannot close the disk")?;
        Ok(flipped)
    }
}

fn padded(label: &str) -> Result<[u8; 11]> {
    ensure!(label.len() <= 11, "{label} is too long for FAT");
    let mut padded = [b' '; 11];
    for (place, byte) in padded.iter_mut().zip(label.bytes()) {
        *place = byte;
    }
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_its_own_name_and_damage_hits_what_it_should() {
        let folder = tempfile::tempdir().unwrap();
        let disk = UsbDisk::make(&folder.path().join("a"), "ATTIC").unwrap();
        let file = File::options().read(true).write(true).open(disk.path()).unwrap();
        let volume = FileSystem::new(file, FsOptions::new()).unwrap();
        volume.root_dir().create_dir("data").unwrap().create_dir("00").unwrap();
        volume.root_dir().create_file("data/00/x").unwrap().write_all(b"abc").unwrap();
        volume.unmount().unwrap();
        let copy = disk.copy(&folder.path().join("b"), "CELLAR").unwrap();
        assert_eq!(copy.flip_below("data").unwrap(), 1);
        let read = |disk: &UsbDisk| {
            let volume = FileSystem::new(File::open(disk.path()).unwrap(), FsOptions::new());
            // Read-only files take no marks of use, which is all that it would write.
            let volume = volume.unwrap();
            let mut text = Vec::new();
            volume.root_dir().open_file("data/00/x").unwrap().read_to_end(&mut text).unwrap();
            (volume.volume_label(), text)
        };
        assert_eq!(read(&disk), ("ATTIC".to_owned(), b"abc".to_vec()));
        assert_eq!(read(&copy), ("CELLAR".to_owned(), b"acc".to_vec()));
        UsbDisk::make(&folder.path().join("c"), "TWELVELETTER").unwrap_err();
    }
}
