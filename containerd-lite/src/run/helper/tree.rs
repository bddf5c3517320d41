//! Mounts by descriptors: what was opened is what is mounted, whatever happens to its name meanwhile.

use anyhow::Context as _;
use libcontainer::syscall::linux::MountAttr;
use libcontainer::syscall::syscall::create_syscall;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::openat2;
use rustix::mount::FsMountFlags;
use rustix::mount::FsOpenFlags;
use rustix::mount::MountAttrFlags;
use rustix::mount::MoveMountFlags;
use rustix::mount::OpenTreeFlags;
use rustix::mount::fsconfig_create;
use rustix::mount::fsconfig_set_flag;
use rustix::mount::fsconfig_set_string;
use rustix::mount::fsmount;
use rustix::mount::fsopen;
use rustix::mount::move_mount;
use rustix::mount::open_tree;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Nothing on it is a device or gives its owner's rights.
pub(in crate::run) const PLAIN: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);

/// Opens a folder of the box, through no symbolic link.
pub(super) fn open_folder(path: &Path) -> anyhow::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(CWD, path, flags, Mode::empty(), resolve).with_context(|| format!("open {}", path.display()))
}

/// The mount of a folder once more, with ids mapped by a table and these flags, not mounted anywhere yet. Programs on it may be run: the data
/// partition forbids that for the box's own processes.
pub(super) fn mapped(
    folder: BorrowedFd<'_>,
    table: BorrowedFd<'_>,
    flags: MountAttrFlags,
) -> anyhow::Result<OwnedFd> {
    let clone =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(folder, "", clone).context("clone a mount")?;
    let attributes = MountAttr {
        attr_set: u64::from((flags | MountAttrFlags::MOUNT_ATTR_IDMAP).bits()),
        attr_clr: u64::from(MountAttrFlags::MOUNT_ATTR_NOEXEC.bits()),
        propagation: 0,
        userns_fd: u64::from(table.as_raw_fd().cast_unsigned()),
    };
    let empty = AtFlags::EMPTY_PATH.bits();
    create_syscall()
        .mount_setattr(tree.as_fd(), Path::new(""), empty, &attributes, size_of::<MountAttr>())
        .context("map the owners of a mount")?;
    Ok(tree)
}

/// A new file system with these options; a word without a value is a flag.
pub(in crate::run) fn fresh(
    kind: &str,
    options: &[(&str, Option<&str>)],
    flags: MountAttrFlags,
) -> anyhow::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).with_context(|| format!("open {kind}"))?;
    for (name, value) in options {
        match value {
            Some(value) => fsconfig_set_string(&context, *name, *value),
            None => fsconfig_set_flag(&context, *name),
        }
        .with_context(|| format!("set {name} of {kind}"))?;
    }
    fsconfig_create(&context).with_context(|| format!("make {kind}"))?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags).with_context(|| format!("mount {kind}"))
}

/// Mounts it on a folder of the box.
pub(super) fn attach(mount: &OwnedFd, target: &Path) -> anyhow::Result<()> {
    move_mount(mount, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .with_context(|| format!("mount on {}", target.display()))
}
