//! What a new volume begins with: what the image has at the place where it is mounted, with its owners, as images expect it.

use super::VolumeError;
use crate::run::overlay;
use crate::runtime::IMAGE_IDS;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::fstat;
use rustix::fs::open;
use rustix::fs::openat2;
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

/// Users of an image, on the disk.
const IDS: std::ops::Range<u32> = IMAGE_IDS..IMAGE_IDS + 65_536;

/// The folder at a path of an image, whose layers lie in these folders, the lowest first; its links are followed within the image. None when
/// there is none, or nobody of the image owns it.
///
/// # Errors
/// When the layers cannot be laid over each other, which takes root's rights where there are several.
pub fn folder(layers: &[PathBuf], path: &str) -> Result<Option<OwnedFd>, VolumeError> {
    find(layers, path).map_err(|source| VolumeError::Disk {
        doing: "look into the image at",
        path: path.into(),
        source,
    })
}

fn find(layers: &[PathBuf], path: &str) -> io::Result<Option<OwnedFd>> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = match layers {
        [] => return Ok(None),
        [only] => open(only, folder | OFlags::NOFOLLOW, Mode::empty())?,
        several => overlay::read_only(several).map_err(io::Error::other)?,
    };
    let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let relative = Path::new(".").join(path.trim_matches('/'));
    match openat2(&root, relative, folder, Mode::empty(), within) {
        Ok(found) => {
            let facts = fstat(&found)?;
            Ok((IDS.contains(&facts.st_uid) && IDS.contains(&facts.st_gid)).then_some(found))
        }
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
