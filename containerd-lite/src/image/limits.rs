//! How much is taken from an image.

use serde::Deserialize;
use serde::Serialize;

/// Bounds; what is over one is refused by its name (docs/spec/images.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of a manifest, an index or a configuration.
    pub document: u64,
    /// Layers of an image. Docker stops at 127; overlayfs takes 500.
    pub layers: usize,
    /// Bytes of all layers of an image, as they are sent.
    pub image_bytes: u64,
    /// Bytes of one layer, unpacked.
    pub layer_bytes: u64,
    /// Entries of one layer.
    pub entries: u64,
    /// Bytes that a layer may always unpack to, whatever it was compressed to.
    pub ratio_free: u64,
    /// Bytes that each further compressed byte may unpack to.
    pub ratio: u64,
    /// Bytes of a path, of the target of a link, and of an extended header: the kernel's `PATH_MAX` and a little.
    pub path: usize,
    /// Folders above a file.
    pub depth: usize,
    /// Bytes of an extended header (PAX), with all extended attributes.
    pub header: u64,
    /// Bytes that stay free on the disk.
    pub reserve: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document: 4 << 20,
            layers: 128,
            image_bytes: 16 << 30,
            layer_bytes: 16 << 30,
            entries: 500_000,
            ratio_free: 512 << 20,
            ratio: 100,
            path: 4095,
            depth: 128,
            header: 256 << 10,
            reserve: 512 << 20,
        }
    }
}

impl Limits {
    /// What a compressed layer of this length may unpack to.
    #[must_use]
    pub fn unpacked(&self, compressed: u64) -> u64 {
        self.ratio_free.saturating_add(compressed.saturating_mul(self.ratio))
    }
}
