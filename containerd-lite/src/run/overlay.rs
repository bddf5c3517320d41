//! Layers of an image over each other.

use super::helper::tree;
use anyhow::Context as _;
use rustix::mount::MountAttrFlags;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// At least two layers, the lowest first, as a mount that is nowhere and that nobody can write to.
pub(crate) fn read_only(layers: &[PathBuf]) -> anyhow::Result<OwnedFd> {
    let layers: Vec<_> = layers.iter().map(|layer| layer.to_string_lossy()).collect();
    let mut options = vec![("userxattr", None)];
    // The highest comes first.
    options.extend(layers.iter().rev().map(|layer| ("lowerdir+", Some(layer.as_ref()))));
    let flags = tree::PLAIN | MountAttrFlags::MOUNT_ATTR_RDONLY;
    tree::fresh("overlay", &options, flags).context("lay the layers over each other")
}
