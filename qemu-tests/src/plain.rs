//! The data partition of a machine that is off, decrypted into a file of its own, so that the host's tools can judge the file system.
//! The host's kernel need not know device-mapper: `cryptsetup` gives the volume key, the rest is AES-XTS with `plain64` numbers
//! (Documentation/admin-guide/device-mapper/dm-crypt.rst).

use crate::disk;
use crate::disk::Verdict;
use crate::disk::data_partition;
use crate::esp::Esp;
use aes::Aes256;
use aes::cipher::KeyInit;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use rustix::fs::SeekFrom;
use std::fs;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use xts_mode::Xts128;

/// Where the key is on a boot partition.
pub const BOOT_KEY: &str = "hearth/data.key";
/// Length of the header; the encrypted part begins behind it.
const HEADER: u64 = 16 << 20;
/// Sectors are counted in these units (dm-crypt, without `iv_large_sectors`).
const UNIT: u64 = 512;

/// A decrypted copy.
pub struct Plain {
    disk: PathBuf,
    file: PathBuf,
    encrypted: Range<u64>,
    cipher: Xts128<Aes256>,
    sector: usize,
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plain").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Plain {
    /// Decrypts the data partition of a disk with the key on its boot partition.
    ///
    /// # Errors
    /// When there is no such key or partition, or the key does not open it.
    pub fn of(disk: &Path) -> Result<Self> {
        let key = Esp::open(disk)?.read(BOOT_KEY)?;
        Self::with_key(disk, &key)
    }

    /// The same with a key that somebody has.
    ///
    /// # Errors
    /// As [`Plain::of`].
    pub fn with_key(disk: &Path, key: &[u8]) -> Result<Self> {
        let partition = data_partition(disk)?.bytes;
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let (header, key_file, volume) =
            (folder.path().join("header"), folder.path().join("key"), folder.path().join("volume"));
        let mut bytes = vec![0; usize::try_from(HEADER)?];
        let source = File::open(disk).with_context(|| format!("cannot open {}", disk.display()))?;
        source.read_exact_at(&mut bytes, partition.start).context("cannot read the header")?;
        fs::write(&header, bytes)?;
        fs::write(&key_file, key)?;
        let dumped = cryptsetup(&[
            "luksDump".as_ref(),
            "--batch-mode".as_ref(),
            "--dump-volume-key".as_ref(),
            "--volume-key-file".as_ref(),
            &volume,
            "--key-file".as_ref(),
            &key_file,
            &header,
        ]);
        dumped.context("the key does not open the data partition")?;
        let metadata = cryptsetup(&["luksDump".as_ref(), "--dump-json-metadata".as_ref(), &header])?;
        let metadata: serde_json::Value =
            serde_json::from_slice(&metadata).context("the header's description")?;
        let segment = &metadata["segments"]["0"];
        ensure!(segment["encryption"] == "aes-xts-plain64", "{segment}");
        ensure!(segment["offset"].as_str().and_then(|text| text.parse().ok()) == Some(HEADER), "{segment}");
        let sector = segment["sector_size"].as_u64().context("no sector size")?;
        let volume = fs::read(&volume)?;
        let (first, second) = volume.split_at_checked(32).context("a short volume key")?;
        let aes = |half: &[u8]| Aes256::new_from_slice(half).ok().context("a volume key of another length");
        let plain = Self {
            disk: disk.to_owned(),
            file: disk.with_extension("plain"),
            encrypted: partition.start + HEADER..partition.end,
            cipher: Xts128::new(aes(first)?, aes(second)?),
            sector: usize::try_from(sector)?,
        };
        let copy = File::create(&plain.file).context("cannot make the decrypted copy")?;
        copy.set_len(plain.encrypted.end - plain.encrypted.start)?;
        plain.each(&source, plain.encrypted.clone(), |place, sector| {
            plain.cipher.decrypt_sector(sector, plain.tweak(place));
            Ok(copy.write_all_at(sector, place)?)
        })?;
        Ok(plain)
    }

    /// The decrypted file system.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Lets e2fsprogs judge it: the program, its arguments, then the file system.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn e2fsprogs(&self, program: &str, arguments: &[&str]) -> Result<Verdict> {
        disk::e2fsprogs(&self.file, program, arguments)
    }

    /// Encrypts the copy as it is now back onto the disk.
    ///
    /// # Errors
    /// When the disk cannot be written.
    pub fn write_back(&self) -> Result<()> {
        let copy = File::open(&self.file).context("cannot open the decrypted copy")?;
        let disk = File::options().write(true).open(&self.disk).context("cannot open the disk")?;
        let length = self.encrypted.end - self.encrypted.start;
        self.each(&copy, 0..length, |place, sector| {
            self.cipher.encrypt_sector(sector, self.tweak(place));
            Ok(disk.write_all_at(sector, self.encrypted.start + place)?)
        })
    }

    /// `plain64`: the sector's number, little-endian.
    fn tweak(&self, place: u64) -> [u8; 16] {
        u128::from(place / UNIT).to_le_bytes()
    }

    /// Calls for each sector of the range that holds data, with its place from the range's start.
    fn each(
        &self,
        file: &File,
        range: Range<u64>,
        mut act: impl FnMut(u64, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let step = u64::try_from(self.sector)?;
        let mut buffer = vec![0; self.sector];
        let mut place = range.start;
        while place < range.end {
            // No data behind this place (lseek(2)).
            let Ok(start) = rustix::fs::seek(file, SeekFrom::Data(place)) else { return Ok(()) };
            let end = rustix::fs::seek(file, SeekFrom::Hole(start))?.min(range.end);
            let mut sector = start - (start - range.start) % step;
            while sector + step <= end.next_multiple_of(step).min(range.end) {
                file.read_exact_at(&mut buffer, sector)?;
                act(sector - range.start, &mut buffer)?;
                sector += step;
            }
            place = end.max(place + step);
        }
        Ok(())
    }
}

fn cryptsetup(arguments: &[&Path]) -> Result<Vec<u8>> {
    let output = Command::new("/usr/sbin/cryptsetup")
        .args(arguments)
        .output()
        .context("cannot start cryptsetup; `cargo xtask test` installs it")?;
    ensure!(output.status.success(), "cryptsetup: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
