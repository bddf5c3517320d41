//! The file of an image on its way to the box: without a name, so that nothing is left of it whatever happens.

use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::fstatvfs;
use rustix::fs::openat;
use std::fs::File;
use std::io;
use std::io::Seek as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Longest file, in bytes: what is unpacked from it is bounded by the image store.
pub const MAX_BYTES: u64 = 16 << 30;
/// Bytes that stay free for everything else.
const RESERVE: u64 = 512 << 20;
/// Bytes after which the room that is left is looked at again.
const LOOK_EVERY: u64 = 8 << 20;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArrivalError {
    /// Longer than any image.
    #[error("the file is larger than {}, the most the box takes", size(*most))]
    TooLarge {
        /// What is taken, in bytes.
        most: u64,
    },
    /// It would leave no room.
    #[error("the disk has no room for the file")]
    NoRoom,
    /// The disk does not take it.
    #[error("keep the file while it arrives")]
    Disk(#[source] io::Error),
}

/// A file that arrives.
#[derive(Debug)]
pub struct Arriving {
    file: File,
    most: u64,
    written: u64,
    looked_at: u64,
}

impl Arriving {
    /// Begins, in this folder.
    ///
    /// # Errors
    ///
    /// When the disk is full or does not do it.
    pub fn begin(folder: &Path) -> Result<Self, ArrivalError> {
        Self::begin_at_most(folder, MAX_BYTES)
    }

    /// The same for a file of at most so many bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    pub fn begin_at_most(folder: &Path, most: u64) -> Result<Self, ArrivalError> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(file.map_err(|error| ArrivalError::Disk(error.into()))?);
        let arriving = Self { file, most, written: 0, looked_at: 0 };
        arriving.look_for_room()?;
        Ok(arriving)
    }

    /// The next piece.
    ///
    /// # Errors
    ///
    /// When the file is too large, or the disk full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ArrivalError> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > self.most {
            return Err(ArrivalError::TooLarge { most: self.most });
        }
        if self.written - self.looked_at >= LOOK_EVERY {
            self.looked_at = self.written;
            self.look_for_room()?;
        }
        self.file.write_all(bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::StorageFull {
                ArrivalError::NoRoom
            } else {
                ArrivalError::Disk(error)
            }
        })
    }

    /// The whole file, from its beginning.
    ///
    /// # Errors
    ///
    /// When the disk does not do it.
    pub fn finish(mut self) -> Result<OwnedFd, ArrivalError> {
        self.file.rewind().map_err(ArrivalError::Disk)?;
        Ok(self.file.into())
    }

    fn look_for_room(&self) -> Result<(), ArrivalError> {
        let room = fstatvfs(&self.file).map_err(|error| ArrivalError::Disk(error.into()))?;
        let is_enough = room.f_bavail.saturating_mul(room.f_frsize) > RESERVE;
        if is_enough { Ok(()) } else { Err(ArrivalError::NoRoom) }
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 30 { format!("{} GiB", bytes >> 30) } else { format!("{} MiB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_file_arrives_whole_and_leaves_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut arriving = Arriving::begin(folder.path()).unwrap();
        arriving.write(b"lay").unwrap();
        arriving.write(b"er").unwrap();
        let mut text = String::new();
        File::from(arriving.finish().unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "layer");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_endless_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut arriving = Arriving::begin(folder.path()).unwrap();
        arriving.written = MAX_BYTES;
        assert!(matches!(arriving.write(b"x"), Err(ArrivalError::TooLarge { most: MAX_BYTES })));
        assert!(matches!(Arriving::begin(&folder.path().join("none")), Err(ArrivalError::Disk(_))));
    }
}
