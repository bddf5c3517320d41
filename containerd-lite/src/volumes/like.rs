//! Whom a new volume belongs to: whoever owns the folder that it is mounted on, as images expect it. One that runs as a user of its own
//! could write nowhere otherwise.

use crate::runtime::IMAGE_IDS;
use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::fstat;
use rustix::fs::openat;
use rustix::fs::openat2;
use std::path::Path;
use std::path::PathBuf;

/// Users of an image, on the disk.
const IDS: std::ops::Range<u32> = IMAGE_IDS..IMAGE_IDS + 65_536;
/// All but setuid, which says nothing on a folder.
const MODES: u32 = 0o3777;

/// Owner, group and mode of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Like {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

impl Default for Like {
    /// Root of the image.
    fn default() -> Self {
        Self { uid: IMAGE_IDS, gid: IMAGE_IDS, mode: 0o755 }
    }
}

impl Like {
    /// The folder of an image at this path, in the highest of its layers (the lowest first) that has it. The usual one where there is none,
    /// or where a link is on the way: it leads elsewhere in each layer.
    #[must_use]
    pub fn of_image(layers: &[PathBuf], path: &str) -> Self {
        layers.iter().rev().find_map(|layer| Self::of_layer(layer, path)).unwrap_or_default()
    }

    fn of_layer(layer: &Path, path: &str) -> Option<Self> {
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = openat(CWD, layer, folder, Mode::empty()).ok()?;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let found = openat2(top, path.trim_matches('/'), folder, Mode::empty(), beneath).ok()?;
        let facts = fstat(found).ok()?;
        let is_known = IDS.contains(&facts.st_uid) && IDS.contains(&facts.st_gid);
        is_known.then_some(Self { uid: facts.st_uid, gid: facts.st_gid, mode: facts.st_mode & MODES })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Root only: owners are what this is about.
    #[cfg(feature = "rooted")]
    mod rooted {
        use super::*;
        use std::os::unix::fs::PermissionsExt as _;
        use std::os::unix::fs::chown;

        #[test]
        fn a_volume_belongs_to_whoever_owns_the_folder_of_the_highest_layer() {
            let place = tempfile::tempdir().unwrap();
            let layers = ["low", "high"].map(|name| place.path().join(name));
            for (layer, owner) in layers.iter().zip([33, 70]) {
                fs::create_dir_all(layer.join("var/cache/bind")).unwrap();
                chown(layer.join("var/cache/bind"), Some(IMAGE_IDS + owner), Some(IMAGE_IDS)).unwrap();
            }
            fs::create_dir(layers[0].join("data")).unwrap();
            chown(layers[0].join("data"), Some(IMAGE_IDS + 33), Some(IMAGE_IDS + 33)).unwrap();
            fs::set_permissions(layers[0].join("data"), fs::Permissions::from_mode(0o6770)).unwrap();
            let like = |path: &str| Like::of_image(&layers, path);
            assert_eq!((like("/var/cache/bind").uid, like("/var/cache/bind").mode), (IMAGE_IDS + 70, 0o755));
            assert_eq!(like("/data/"), Like { uid: IMAGE_IDS + 33, gid: IMAGE_IDS + 33, mode: 0o2770 });
        }
    }

    #[test]
    fn what_leads_elsewhere_or_is_owned_by_somebody_else_counts_for_nothing() {
        let place = tempfile::tempdir().unwrap();
        let layer = place.path().join("layer");
        fs::create_dir_all(layer.join("data")).unwrap();
        symlink("/etc", layer.join("link")).unwrap();
        fs::write(layer.join("file"), "").unwrap();
        for path in ["/data", "/link", "/link/ssl", "/file", "/none", "/../data", "/"] {
            assert_eq!(Like::of_image(std::slice::from_ref(&layer), path), Like::default(), "{path}");
        }
        assert_eq!(Like::of_image(&[], "/data"), Like::default());
    }
}
