//! The store: what lies where, and in which order it gets there.
//!
//! ```text
//!  blobs/sha256/<hex>   manifests and configurations, by their digest
//!  layers/<hex>/        unpacked layers, by the digest of their archive (diff id): one for all images that have it
//!  images/<hex>.json    one record for each name; written last
//!  ingest/<hex>         layers on their way, perhaps half: no part of the store
//!  staging/             whatever is not finished; emptied when the store is opened
//! ```
//!
//! One change at a time; readers need no lock, as everything that a record names was there before it.

mod collect;
mod disk;
pub(crate) mod record;
#[cfg(test)]
mod tests;

use crate::image::Digest;
use crate::image::Limits;
use crate::image::Platform;
use crate::image::Reference;
use crate::image::unpack::OPAQUE;
use crate::image::unpack::Unpack;
pub use collect::Collected;
pub use disk::Disk;
pub use record::Record;
use std::fs;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// Longest record that is read: a name and some digests for each layer.
const MAX_RECORD: u64 = 64 << 10;

/// Images of apps, in a folder that nobody else writes to.
pub struct Store {
    root: PathBuf,
    pub(crate) limits: Limits,
    pub(crate) board: Platform,
    pub(crate) unpacker: Box<dyn Unpack>,
    pub(crate) disk: Disk,
    changing: Mutex<()>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("root", &self.root).finish_non_exhaustive()
    }
}

/// Why the store does not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk does not.
    #[error("{doing} {path}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A record that this version does not understand. Nothing is collected while there is one.
    #[error("understand the record {path}")]
    Record {
        /// Where it lies.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A document that is not what its name says: the disk changed it.
    #[error("{digest} was changed on the disk")]
    Changed {
        /// Its name.
        digest: Digest,
    },
}

/// The folders of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Blobs,
    Layers,
    Images,
    Ingest,
    Staging,
}

impl Place {
    const ALL: [Self; 5] = [Self::Blobs, Self::Layers, Self::Images, Self::Ingest, Self::Staging];

    fn name(self) -> &'static str {
        match self {
            Self::Blobs => "blobs/sha256",
            Self::Layers => "layers",
            Self::Images => "images",
            Self::Ingest => "ingest",
            Self::Staging => "staging",
        }
    }
}

impl Store {
    /// Opens the store in a folder, which is made when there is none, and clears away what a cut left behind.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn open(
        root: &Path,
        limits: Limits,
        board: Platform,
        unpacker: Box<dyn Unpack>,
    ) -> Result<Self, StoreError> {
        Self::open_on(Disk::default(), root, limits, board, unpacker)
    }

    /// The same, on a disk that somebody watches.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(
        disk: Disk,
        root: &Path,
        limits: Limits,
        board: Platform,
        unpacker: Box<dyn Unpack>,
    ) -> Result<Self, StoreError> {
        let store = Self { root: root.to_owned(), limits, board, unpacker, disk, changing: Mutex::new(()) };
        for place in Place::ALL {
            store.disk.create_folder(&store.folder(place))?;
        }
        store.clear(Place::Staging)?;
        Ok(store)
    }

    /// All images.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub fn images(&self) -> Result<Vec<Record>, StoreError> {
        let paths = self.list(Place::Images)?;
        paths.into_iter().map(|name| self.read_record(&self.folder(Place::Images).join(name))).collect()
    }

    /// The image of this name.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub fn find(&self, name: &Reference) -> Result<Option<Record>, StoreError> {
        let path = self.record_path(name);
        if path.exists() { self.read_record(&path).map(Some) } else { Ok(None) }
    }

    /// The configuration of an image, checked against its digest.
    ///
    /// # Errors
    /// When the disk lost or changed it.
    pub fn config(&self, image: &Record) -> Result<Vec<u8>, StoreError> {
        self.document(image.config)
    }

    /// A manifest or configuration, checked against its digest.
    ///
    /// # Errors
    /// When the disk lost or changed it.
    pub fn document(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        let bytes = read_bounded(&self.blob_path(digest), self.limits.document)?;
        if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(StoreError::Changed { digest }) }
    }

    /// The folders of an image's layers, the lowest first; overlayfs is mounted with `userxattr` over them, the highest first.
    ///
    /// Of a layer that an image has twice (mostly an empty one) only the higher is named: whatever the lower has, it has too, and
    /// overlayfs takes no folder twice (`ELOOP`). Layers below one whose root is opaque are not named: overlayfs obeys that of folders,
    /// and not of the root.
    #[must_use]
    pub fn layers(&self, image: &Record) -> Vec<PathBuf> {
        let mut layers = Vec::new();
        for path in image.layers.iter().rev().map(|diff_id| self.layer_path(*diff_id)) {
            if layers.contains(&path) {
                continue;
            }
            let hides_below = is_opaque(&path);
            layers.push(path);
            if hides_below {
                break;
            }
        }
        layers.reverse();
        layers
    }

    /// Gives an image one more name.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn name_also(&self, image: &Record, name: &Reference) -> Result<Record, StoreError> {
        let _changing = self.change();
        let mut named = image.clone();
        named.name = name.clone();
        self.keep(&named, &[], &[])?;
        Ok(named)
    }

    /// Forgets an image. What only it had stays until the next collection.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn remove(&self, name: &Reference) -> Result<bool, StoreError> {
        let _changing = self.change();
        let path = self.record_path(name);
        if !path.exists() {
            return Ok(false);
        }
        self.disk.remove_file(&path)?;
        self.disk.sync_folder(&self.folder(Place::Images))?;
        Ok(true)
    }

    /// Bytes that are free where the store lies.
    pub(crate) fn free(&self) -> Result<u64, StoreError> {
        let stat = rustix::fs::statvfs(&self.root).map_err(|error| StoreError::Disk {
            doing: "see what is free beside",
            path: self.root.clone(),
            source: error.into(),
        })?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// One change at a time. A change that panicked left nothing that a cut would not.
    pub(crate) fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an image part of the store: its layers, which lie unpacked in `staging`, its documents, and last its record.
    pub(crate) fn keep(
        &self,
        record: &Record,
        fresh: &[Digest],
        documents: &[(Digest, &[u8])],
    ) -> Result<(), StoreError> {
        let staging = self.folder(Place::Staging);
        for diff_id in fresh {
            self.disk.rename(&staging.join(diff_id.hex()), &self.layer_path(*diff_id))?;
        }
        self.disk.sync_folder(&self.folder(Place::Layers))?;
        for (digest, bytes) in documents {
            self.disk.write(&staging.join("document"), bytes)?;
            self.disk.rename(&staging.join("document"), &self.blob_path(*digest))?;
        }
        self.disk.sync_folder(&self.folder(Place::Blobs))?;
        self.disk.write(&staging.join("record"), &record.encode())?;
        self.disk.rename(&staging.join("record"), &self.record_path(&record.name))?;
        self.disk.sync_folder(&self.folder(Place::Images))
    }

    pub(crate) fn has_layer(&self, diff_id: Digest) -> bool {
        self.layer_path(diff_id).exists()
    }

    pub(crate) fn clear(&self, place: Place) -> Result<(), StoreError> {
        for name in self.list(place)? {
            self.disk.remove_all(&self.folder(place).join(name))?;
        }
        Ok(())
    }

    pub(crate) fn list(&self, place: Place) -> Result<Vec<std::ffi::OsString>, StoreError> {
        let folder = self.folder(place);
        let failed = |source| StoreError::Disk { doing: "list", path: folder.clone(), source };
        let mut names: Vec<_> = fs::read_dir(&folder)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.file_name())).collect())
            .map_err(failed)?;
        names.sort();
        Ok(names)
    }

    pub(crate) fn folder(&self, place: Place) -> PathBuf {
        self.root.join(place.name())
    }

    pub(crate) fn layer_path(&self, diff_id: Digest) -> PathBuf {
        self.folder(Place::Layers).join(diff_id.hex())
    }

    fn blob_path(&self, digest: Digest) -> PathBuf {
        self.folder(Place::Blobs).join(digest.hex())
    }

    fn record_path(&self, name: &Reference) -> PathBuf {
        let key = Digest::of(name.to_string().as_bytes()).hex();
        self.folder(Place::Images).join(key + ".json")
    }

    fn read_record(&self, path: &Path) -> Result<Record, StoreError> {
        let bytes = read_bounded(path, MAX_RECORD)?;
        Record::decode(&bytes).map_err(|source| StoreError::Record { path: path.to_owned(), source })
    }
}

fn is_opaque(folder: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::getxattr(folder, OPAQUE, &mut value).is_ok_and(|length| value[..length] == *b"y")
}

fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|source| StoreError::Disk { doing: "read", path: path.to_owned(), source })?;
    Ok(bytes)
}
