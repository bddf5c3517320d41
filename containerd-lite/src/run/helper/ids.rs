//! A user namespace as a table of ids for mounts (mount_setattr(2), `MOUNT_ATTR_IDMAP`): what is an image's on the disk is the app's through
//! the mount.

use crate::run::spec::IDS;
use crate::runtime::IMAGE_IDS;
use anyhow::Context as _;
use ioctls::namespace::UserNamespace;
use std::fs;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The namespace that maps ids of images on the disk to those of an app.
pub(super) fn table(first_id: u32) -> anyhow::Result<OwnedFd> {
    let namespace = UserNamespace::new().context("make a user namespace")?;
    let folder = Path::new("/proc").join(namespace.process().as_raw_nonzero().to_string());
    for name in ["uid_map", "gid_map"] {
        fs::write(folder.join(name), format!("{IMAGE_IDS} {first_id} {IDS}\n"))
            .with_context(|| format!("write {name}"))?;
    }
    Ok(File::open(folder.join("ns/user")).context("open the namespace")?.into())
}
