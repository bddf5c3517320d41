//! Reading a file back from the disk.
//!
//! With `O_DIRECT` the kernel writes out what it still holds of the file and then reads from the disk into this program's memory (open(2));
//! what `POSIX_FADV_DONTNEED` drops is only what nobody uses at that moment. Whether the disk answers from memory of its own cannot be
//! asked; it was told to write that out before (`fsync`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use sha2::Digest as _;
use sha2::Sha256;

use crate::approve::Hash;

/// What is read at a time, in bytes; a multiple of every disk's sector.
const STEP: usize = 1 << 20;
/// Where the memory begins: a multiple of every disk's sector.
const ALIGNED: usize = 4096;

/// What lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDisk {
    /// How long it is, in bytes.
    pub length: u64,
    /// Its hash.
    pub sha256: Hash,
}

/// Reads at most `most` bytes of a file that was opened with `O_DIRECT`. `tell` hears how many are done.
///
/// # Errors
/// When the disk or its file system cannot, or the file has more.
pub fn hash(file: &File, most: u64, tell: &mut dyn FnMut(u64)) -> io::Result<OnDisk> {
    let mut space = vec![0_u8; STEP + ALIGNED];
    let from = space.as_ptr().align_offset(ALIGNED);
    let window = space.get_mut(from..from.saturating_add(STEP));
    let window = window.ok_or_else(|| io::Error::other("no memory that a disk can write to"))?;
    let mut hasher = Sha256::new();
    let mut done: u64 = 0;
    loop {
        let length = match file.read_at(window, done) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(window.get(..length).unwrap_or_default());
        done = done.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if done > most {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {most} bytes")));
        }
        tell(done);
        // A read that is cut short is the last one: the next would not begin at a sector.
        if length < STEP {
            return Ok(OnDisk { length: done, sha256: Hash(hasher.finalize().into()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    #[test]
    fn files_of_every_length_are_read_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for length in [0, 1, 4095, 4096, STEP - 1, STEP, STEP + 1, 2 * STEP] {
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            file.as_file().set_len(0).unwrap();
            file.reopen().unwrap().write_all(&bytes).unwrap();
            let flags = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).unwrap();
            let direct = File::options().read(true).custom_flags(flags).open(file.path()).unwrap();
            let length = u64::try_from(length).unwrap();
            let found = hash(&direct, length, &mut |_| ()).unwrap();
            assert_eq!(found, OnDisk { length, sha256: Hash::of(&bytes) });
            if length > 0 {
                let error = hash(&direct, length - 1, &mut |_| ()).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            }
        }
    }
}
