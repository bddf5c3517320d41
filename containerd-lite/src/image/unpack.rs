//! Unpacks a layer to a folder of its own, as overlayfs wants it.
//!
//! [`layer`] does it in this process; [`Confined`] has it done by the program `containerd-lite-unpack`, which can reach that
//! folder and nothing else. Images are only ever unpacked by the latter.

pub mod child;
mod confine;
mod content;
mod folder;
mod name;
mod parent;
#[cfg(test)]
mod tests;

use crate::image::Digest;
use crate::image::Limits;
use crate::image::Refused;
use crate::image::decompress::Bounds;
use crate::image::decompress::decompress;
use crate::image::digest::Hashing;
use crate::image::tar::Walk;
use crate::image::tar::WalkError;
use folder::Folder;
pub use parent::Confined;
pub use parent::Owners;
use rustix::io::Errno;
use serde::Deserialize;
use serde::Serialize;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::BorrowedFd;

/// The attribute by which overlayfs hides the lower folders, in the form that a user namespace may write (`userxattr`).
pub const OPAQUE: &str = "user.overlay.opaque";

/// What is to be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// How much is taken.
    pub limits: Limits,
    /// Length of the layer as it was sent.
    pub compressed: u64,
    /// What the layer must be, decompressed.
    pub diff_id: Digest,
    /// Bytes that are free on the disk.
    pub free: u64,
    /// Whether owners are set: without the right to, all belongs to whoever unpacks.
    pub set_owners: bool,
}

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// Entries.
    pub entries: u64,
    /// Bytes of the archive.
    pub bytes: u64,
    /// Extended attributes that were left out, as no app has any use for them.
    pub attributes_left_out: u64,
}

/// Why a layer was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// For a reason in the layer.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The layer cannot be read.
    #[error("read the layer")]
    Read(#[source] io::Error),
    /// The system does not do it.
    #[error("unpack {path}")]
    System {
        /// What.
        path: String,
        /// Why.
        #[source]
        source: Errno,
    },
    /// The unpacking program cannot be run.
    #[error("{doing} the unpacking program")]
    Program {
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The unpacking program says that the system does not do it.
    #[error("the unpacking program cannot go on: {what}")]
    Stopped {
        /// What it says.
        what: String,
    },
}

impl From<WalkError> for UnpackError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Refused(refused) => Self::Refused(refused),
            WalkError::Read(source) => Self::Read(source),
        }
    }
}

/// Whoever unpacks layers for the store.
pub trait Unpack: Send + Sync {
    /// Unpacks a layer to an empty folder.
    ///
    /// # Errors
    /// When the layer is refused, or the system does not do it. What is in the folder then is rubbish.
    fn unpack(&self, layer: File, into: BorrowedFd<'_>, order: &Order) -> Result<Unpacked, UnpackError>;
}

/// Unpacks a layer in this process.
///
/// # Errors
/// As [`Unpack::unpack`].
pub fn layer(layer: impl Read, into: BorrowedFd<'_>, order: &Order) -> Result<Unpacked, UnpackError> {
    let limits = &order.limits;
    let bounds = Bounds {
        layer: limits.layer_bytes,
        ratio: limits.unpacked(order.compressed),
        compressed: order.compressed,
        free: order.free,
        reserve: limits.reserve,
    };
    let stream = decompress(layer, bounds).map_err(UnpackError::Read)?;
    let mut walk = Walk::new(Hashing::new(stream), limits.clone());
    let mut folder = Folder::new(into, limits, order.set_owners);
    let mut unpacked = Unpacked::default();
    while let Some(entry) = walk.next_entry()? {
        unpacked.entries += 1;
        if unpacked.entries > limits.entries {
            return Err(Refused::Entries { limit: limits.entries }.into());
        }
        folder.place(&entry, &mut walk)?;
    }
    unpacked.attributes_left_out = folder.finish()?;
    // What stands behind the archive belongs to the digest too.
    let mut rest = walk.into_reader();
    io::copy(&mut rest, &mut io::sink()).map_err(WalkError::from)?;
    unpacked.bytes = rest.hasher.length();
    let found = rest.hasher.finish();
    if found != order.diff_id {
        let what = "a layer, decompressed,".to_owned();
        return Err(Refused::Digest { what, expected: order.diff_id, found }.into());
    }
    Ok(unpacked)
}
