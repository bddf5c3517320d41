//! Offline bundles: one file with the metadata and the full slot file, to be carried by hand or uploaded.
//!
//! An uncompressed tar (ustar, regular files only), in this order: `metadata/<version>.root.json` from version 2 on, `metadata/timestamp.json`,
//! `metadata/<version>.snapshot.json`, `metadata/<version>.targets.json`, then the slot file as the last. It is read once, from front to end;
//! the metadata is kept in memory, the slot file never is. Tar's extensions, which could name files of any length, are not read.

use crate::catalog::Catalog;
use crate::catalog::LoadError;
use crate::catalog::Release;
use crate::clock::Asker;
use crate::clock::Clock;
use crate::clock::Origin;
use crate::clock::Permit;
use crate::digest::Hasher;
use crate::name::Name;
use crate::source::MAX_SLOT;
use crate::source::Range;
use crate::source::Source;
use crate::source::SourceError;
use crate::store::Store;
use crate::store::StoreError;
use std::collections::BTreeMap;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use tar::EntryType;
use tar::Header;

/// How much metadata a bundle may have, in bytes.
pub const MAX_BUNDLE_METADATA: u64 = 4 << 20;
/// How many metadata files a bundle may have: the longest chain of roots and three more.
const MAX_FILES: usize = 131;
/// Tar's unit.
const BLOCK: u64 = 512;

/// A bundle of which the metadata was read, and the slot file comes next.
#[derive(Debug)]
pub struct Bundle<R> {
    reader: R,
    metadata: BTreeMap<Name, Vec<u8>>,
    slot: (String, u64),
}

/// A bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It cannot be read.
    #[error("cannot read the update file")]
    Read(#[source] io::Error),
    /// The slot file cannot be written.
    #[error("cannot write the new system")]
    Write(#[source] io::Error),
    /// It is no bundle.
    #[error("this is no update file: {why}")]
    Format {
        /// What is wrong.
        why: &'static str,
    },
    /// It ends too early.
    #[error("the update file is cut off")]
    Truncated,
    /// It has more than allowed.
    #[error("the update file has more metadata than {MAX_BUNDLE_METADATA} bytes")]
    TooLarge,
    /// It has another slot file than its metadata says.
    #[error("the system in the update file is not the one that was signed")]
    OtherSlot,
}

impl<R: Read> Bundle<R> {
    /// Reads the metadata; nothing of it is believed yet.
    ///
    /// # Errors
    /// It is no bundle.
    pub fn open(mut reader: R) -> Result<Self, BundleError> {
        let mut metadata = BTreeMap::new();
        let mut total = 0_u64;
        loop {
            let (path, length) = entry(&mut reader)?;
            let Some(file) = path.strip_prefix("metadata/") else {
                if length > MAX_SLOT {
                    return Err(BundleError::Format { why: "the system in it is too large" });
                }
                return Ok(Self { reader, metadata, slot: (path, length) });
            };
            let name =
                Name::metadata(file).ok_or(BundleError::Format { why: "it has a file of another name" })?;
            total = total.saturating_add(length);
            if total > MAX_BUNDLE_METADATA || metadata.len() >= MAX_FILES {
                return Err(BundleError::TooLarge);
            }
            let mut bytes = Vec::new();
            reader.by_ref().take(length).read_to_end(&mut bytes).map_err(BundleError::Read)?;
            if u64::try_from(bytes.len()).unwrap_or(u64::MAX) != length {
                return Err(BundleError::Truncated);
            }
            skip(&mut reader, padding(length))?;
            if metadata.insert(name, bytes).is_some() {
                return Err(BundleError::Format { why: "it has a file twice" });
            }
        }
    }

    /// Checks the metadata as if a server had sent it.
    ///
    /// # Errors
    /// As [`Catalog::load`].
    pub fn catalog(
        &self,
        root: &[u8],
        store: &Store,
        clock: &Clock,
        asker: Asker,
    ) -> Result<Catalog, LoadError> {
        Catalog::load(&Files(&self.metadata), root, store, clock, Permit { asker, origin: Origin::Bundle })
    }

    /// The release whose slot file the bundle has, if the metadata names it.
    ///
    /// # Errors
    /// It does not.
    pub fn release<'a>(&self, catalog: &'a Catalog) -> Result<&'a Release, BundleError> {
        let (path, length) = &self.slot;
        let fits = |release: &&Release| release.slot().path() == *path && release.length == *length;
        catalog.releases().iter().find(fits).ok_or(BundleError::OtherSlot)
    }

    /// Writes the metadata to a folder `metadata` below `folder`, as a repository has it: for whoever checks it again.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_metadata(&self, folder: &Path) -> Result<(), StoreError> {
        let store = Store::open(folder.join("metadata"))?;
        let newest = |wanted: fn(&Name) -> bool| self.metadata.keys().rfind(|name| wanted(name));
        // The timestamp sorts before the files that it stands for: it is written last.
        for (name, bytes) in self.metadata.iter().filter(|(name, _bytes)| **name != Name::Timestamp) {
            store.keep(name, bytes)?;
        }
        if let Some(timestamp) = self.metadata.get(&Name::Timestamp) {
            store.keep(&Name::Timestamp, timestamp)?;
        }
        match (
            newest(|name| matches!(name, Name::Snapshot(_))),
            newest(|name| matches!(name, Name::Targets(_))),
        ) {
            (Some(snapshot), Some(targets)) => store.keep_only(snapshot, targets),
            (Some(_), None) | (None, Some(_) | None) => Ok(()),
        }
    }

    /// Copies the slot file; what was written is good only when this ends well. `progress` is told how many bytes are written.
    ///
    /// # Errors
    /// It is not the one that was signed.
    pub fn copy_slot(
        mut self,
        release: &Release,
        output: &mut dyn Write,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), BundleError> {
        let (path, length) = &self.slot;
        if release.slot().path() != *path || release.length != *length {
            return Err(BundleError::OtherSlot);
        }
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 64 << 10];
        let mut left = *length;
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..room).unwrap_or_default();
            let got = match self.reader.read(part) {
                Ok(0) => return Err(BundleError::Truncated),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(BundleError::Read(error)),
            };
            let bytes = part.get(..got).unwrap_or_default();
            hasher.update(bytes);
            output.write_all(bytes).map_err(BundleError::Write)?;
            left = left.saturating_sub(u64::try_from(got).unwrap_or(u64::MAX));
            progress(hasher.length());
        }
        release.is_file(hasher).map_err(|_other| BundleError::OtherSlot)
    }
}

/// The metadata of a bundle as a source.
struct Files<'a>(&'a BTreeMap<Name, Vec<u8>>);

impl Source for Files<'_> {
    fn get(&self, name: &Name, range: Option<Range>, _limit: u64) -> Result<Box<dyn Read + '_>, SourceError> {
        // Metadata is never asked for in parts.
        match (self.0.get(name), range) {
            (Some(bytes), None) => Ok(Box::new(bytes.as_slice())),
            (_, Some(_)) | (None, None) => Err(SourceError::Missing { name: name.clone() }),
        }
    }
}

/// Reads a header: path and length of a regular file.
fn entry(reader: &mut impl Read) -> Result<(String, u64), BundleError> {
    let mut header = Header::new_ustar();
    let mut block = [0; 512];
    reader.read_exact(&mut block).map_err(ended)?;
    header.as_mut_bytes().copy_from_slice(&block);
    if header.as_ustar().is_none() {
        return Err(BundleError::Format { why: "it is no tar file" });
    }
    // The sum counts its own field as spaces (POSIX.1, pax, "ustar Interchange Format").
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    if header.cksum().ok() != Some(sum) {
        return Err(BundleError::Format { why: "a sum in it is wrong" });
    }
    if header.entry_type() != EntryType::Regular {
        return Err(BundleError::Format { why: "it has something else than files" });
    }
    let length =
        header.entry_size().map_err(|_error| BundleError::Format { why: "a length in it is wrong" })?;
    let path = header.path_bytes();
    let path = std::str::from_utf8(&path)
        .map_err(|_error| BundleError::Format { why: "a name in it is no text" })?;
    Ok((path.to_owned(), length))
}

fn padding(length: u64) -> u64 {
    length.next_multiple_of(BLOCK) - length
}

fn skip(reader: &mut impl Read, length: u64) -> Result<(), BundleError> {
    let skipped = io::copy(&mut reader.take(length), &mut io::sink()).map_err(BundleError::Read)?;
    if skipped == length { Ok(()) } else { Err(BundleError::Truncated) }
}

fn ended(error: io::Error) -> BundleError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        BundleError::Truncated
    } else {
        BundleError::Read(error)
    }
}
