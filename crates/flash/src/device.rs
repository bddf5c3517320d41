//! A disk, or a file in its place, on Linux.

use crate::target::Target;
use rustix::fs::Advice;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::io::Seek;
use std::io::SeekFrom;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What places and lengths of reads past the page cache are multiples of, in bytes: no disk has larger sectors.
const ALIGNMENT: usize = 4096;
/// Read at once.
const PIECE: usize = 1 << 20;

/// An open disk.
#[derive(Debug)]
pub struct Device {
    file: File,
    /// Reads past the page cache, where the file system can do that.
    direct: Option<File>,
    size: u64,
    piece: Vec<u8>,
}

/// Whether somebody else may be using the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody may: opening fails when the kernel knows of a mount, swap or volume on it or on a part of it.
    Alone,
    /// Somebody may.
    Shared,
}

impl Device {
    /// Opens a disk for writing.
    ///
    /// # Errors
    /// What the kernel says: `EBUSY` when it is in use, `EACCES` when that takes another user.
    pub fn open(path: &Path, sharing: Sharing) -> io::Result<Self> {
        let kind = FileType::from_raw_mode(rustix::fs::stat(path)?.st_mode);
        // Without O_CREAT this claims block devices (open(2)) and means nothing elsewhere.
        let alone = match (sharing, kind) {
            (Sharing::Alone, FileType::BlockDevice) => OFlags::EXCL,
            _ => OFlags::empty(),
        };
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(path, flags | alone, Mode::empty())?);
        let direct =
            match rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC, Mode::empty()) {
                Ok(direct) => Some(File::from(direct)),
                Err(Errno::INVAL) => None,
                Err(error) => return Err(error.into()),
            };
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, direct, size, piece: vec![0; PIECE + ALIGNMENT] })
    }

    /// Reads a piece whose ends are multiples of the alignment; returns how many bytes before `offset` it begins.
    fn read_piece(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let alignment = u64::try_from(ALIGNMENT).unwrap_or(1);
        let start = offset - offset % alignment;
        let end = offset
            .saturating_add(u64::try_from(wanted).unwrap_or(0))
            .next_multiple_of(alignment)
            .min(self.size);
        let length = usize::try_from(end.saturating_sub(start)).unwrap_or(PIECE).min(PIECE);
        // The kernel wants the memory aligned too.
        let skip = self.piece.as_ptr().align_offset(ALIGNMENT);
        let piece =
            self.piece.get_mut(skip..skip.saturating_add(length)).ok_or(io::ErrorKind::InvalidInput)?;
        match &self.direct {
            Some(direct) => direct.read_exact_at(piece, start)?,
            None => {
                let length = NonZeroU64::new(u64::try_from(length).unwrap_or(0));
                rustix::fs::fadvise(&self.file, start, length, Advice::DontNeed)?;
                self.file.read_exact_at(piece, start)?;
            }
        }
        let before = usize::try_from(offset - start).unwrap_or(0);
        piece.get(before..).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Target for Device {
    fn size(&self) -> u64 {
        self.size
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn read_back(&mut self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let wanted = buffer.len();
            let piece = self.read_piece(offset, wanted)?;
            let count = piece.len().min(wanted);
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (now, later) = buffer.split_at_mut(count);
            now.copy_from_slice(piece.get(..count).unwrap_or_default());
            buffer = later;
            offset = offset.saturating_add(u64::try_from(count).unwrap_or(0));
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the numbers of these tests are small")]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_wherever_it_lies() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let size = 5 * PIECE as u64 + 512;
        file.as_file().set_len(size).unwrap();
        let mut device = Device::open(file.path(), Sharing::Alone).unwrap();
        assert_eq!(device.size(), size);
        let bytes: Vec<u8> = (0..2 * PIECE + 700).map(|at| (at % 251) as u8).collect();
        for offset in [0, 1, 511, 4096, PIECE as u64 - 3, size - bytes.len() as u64] {
            device.write_at(offset, &bytes).unwrap();
            device.sync().unwrap();
            let mut found = vec![0; bytes.len()];
            device.read_back(offset, &mut found).unwrap();
            assert!(found == bytes, "{offset}");
        }
        assert_eq!(device.read_back(size - 1, &mut [0; 2]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_not_there_cannot_be_opened() {
        let error = Device::open(Path::new("/nonexistent/disk"), Sharing::Alone).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
