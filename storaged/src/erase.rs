//! `storaged erase DEVICE`: nobody opens the partition again, with whatever key.
//!
//! ```text
//! slots destroyed (cryptsetup) → key file destroyed → header overwritten → looked at → everything given up to the disk
//! ```
//! Each step alone makes the data unreadable; a cut between them leaves less to open it than there was, and init begins anew at the
//! next boot. What the TPM sealed lies in the header and opens a slot that is gone.

use crate::boot_key::BootKey;
use crate::boot_key::BootKeyError;
use crate::luks::HEADER;
use crate::luks::Luks;
use crate::luks::LuksError;
use crate::words::chain;
use ioctls::block;
use ioctls::block::Bytes;
use ioctls::block::Extent;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

/// Written at once.
const PIECE: usize = 1 << 20;

/// Why some of it may be left.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The encrypted partition.
    #[error(transparent)]
    Luks(#[from] LuksError),
    /// The key file.
    #[error(transparent)]
    BootKey(#[from] BootKeyError),
    /// The partition itself.
    #[error("{doing} {}", device.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        device: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It was overwritten, and there it is.
    #[error("{} still reads as an encrypted partition after it was overwritten", .0.display())]
    Stays(PathBuf),
}

/// Erases it. A partition without a header is overwritten all the same: it may be a damaged one.
///
/// # Errors
/// When a step fails that the others do not make up for.
pub fn erase(luks: &Luks, boot_key: &BootKey, device: &Path) -> Result<(), EraseError> {
    if luks.is_there()?
        && let Err(error) = luks.erase()
    {
        // A header that is damaged in one copy; overwriting takes it all.
        tracing::warn!("the slots were not destroyed one by one: {}", chain(&error));
    }
    boot_key.destroy()?;
    let failed = |doing| move |source| EraseError::Io { doing, device: device.to_owned(), source };
    let mut file = File::options().read(true).write(true).open(device).map_err(failed("open"))?;
    let length = file.seek(SeekFrom::End(0)).map_err(failed("measure"))?;
    let header = Extent { start: Bytes(0), length: Bytes(HEADER.min(length)) };
    overwrite(&file, header.length).map_err(failed("overwrite the header of"))?;
    if is_anything_left(&mut file, header.length).map_err(failed("read"))? || luks.is_there()? {
        return Err(EraseError::Stays(device.to_owned()));
    }
    give_up(&file, header, Bytes(length));
    Ok(())
}

fn overwrite(file: &File, length: Bytes) -> io::Result<()> {
    let zeros = vec![0; PIECE];
    let mut place = 0;
    while place < length.0 {
        let left = usize::try_from(length.0 - place).unwrap_or(PIECE).min(PIECE);
        file.write_all_at(zeros.get(..left).unwrap_or_default(), place)?;
        place += left as u64;
    }
    file.sync_all()
}

fn is_anything_left(file: &mut File, length: Bytes) -> io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; PIECE];
    let mut left = file.take(length.0);
    loop {
        let read = left.read(&mut buffer)?;
        if read == 0 {
            return Ok(false);
        }
        if buffer.get(..read).unwrap_or_default().iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
    }
}

/// What an overwritten block leaves in a flash disk, the disk is asked to forget: the header first and in every copy, then everything.
/// Not every disk can, and none is believed: the keys are gone already.
fn give_up(file: &File, header: Extent, length: Bytes) {
    if let Err(error) = block::discard_securely(file, header) {
        tracing::debug!(error = &error as &dyn std::error::Error, "no secure discard");
    }
    if let Err(error) = block::discard(file, Extent { start: Bytes(0), length }) {
        tracing::info!("the disk does not forget what was on it: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::testing::Locked;
    use std::fs;

    fn device(locked: &Locked) -> PathBuf {
        locked.folder.path().join("partition")
    }

    fn recovery(locked: &Locked) -> Key {
        Key::from_bytes(locked.recovery.expose().to_vec())
    }

    fn boot_key(locked: &Locked) -> BootKey {
        BootKey::on(&locked.folder.path().join("boot"))
    }

    #[test]
    fn nothing_that_opened_it_opens_it_afterwards() {
        let locked = Locked::new();
        let key = Key::random().unwrap();
        boot_key(&locked).write(&key).unwrap();
        locked.luks().test(&recovery(&locked)).unwrap();
        erase(&locked.luks(), &boot_key(&locked), &device(&locked)).unwrap();
        assert!(!locked.luks().is_there().unwrap());
        locked.luks().test(&recovery(&locked)).unwrap_err();
        boot_key(&locked).read().unwrap_err();
        let header = usize::try_from(HEADER).unwrap();
        assert!(locked.header()[..header].iter().all(|byte| *byte == 0));
        // As after a cut before its entry was renamed.
        erase(&locked.luks(), &boot_key(&locked), &device(&locked)).unwrap();
    }

    #[test]
    fn the_slots_alone_are_enough() {
        let locked = Locked::new();
        let before = locked.header();
        locked.luks().erase().unwrap();
        assert!(locked.luks().metadata().unwrap().slots.is_empty());
        locked.luks().test(&recovery(&locked)).unwrap_err();
        // The header that is left does not get its slots back from the old description: their key material is gone too.
        let areas = locked.header();
        let header = usize::try_from(HEADER).unwrap();
        let mut mixed = before[..header].to_vec();
        mixed[32 << 10..].copy_from_slice(&areas[32 << 10..header]);
        fs::write(device(&locked), [&mixed, &areas[header..]].concat()).unwrap();
        locked.luks().test(&recovery(&locked)).unwrap_err();
    }

    #[test]
    fn a_damaged_header_goes_too() {
        let locked = Locked::new();
        let file = File::options().write(true).open(device(&locked)).unwrap();
        file.write_all_at(&[7; 4096], 0).unwrap();
        file.write_all_at(&[7; 4096], 16 << 10).unwrap();
        erase(&locked.luks(), &boot_key(&locked), &device(&locked)).unwrap();
        assert!(locked.header()[..PIECE].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_partition_shorter_than_a_header_is_no_reason_to_fail() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("partition");
        fs::write(&device, [7; 5000]).unwrap();
        erase(&Luks::on(&device), &BootKey::on(folder.path()), &device).unwrap();
        assert_eq!(fs::read(&device).unwrap(), [0; 5000]);
    }
}
