//! Copies a folder with all in it: contents with their holes, owners, modes, attributes, times, hard links, links as they are.
//!
//! What is copied is an app's: names are opened beneath the folder that was opened before, and no link is followed. Where the file system can
//! share blocks between files, it does. Sockets and devices are left out: whoever makes the first makes it anew, and nobody in an app makes
//! the second.

use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::SeekFrom;
use rustix::fs::Stat;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::path::PathBuf;

/// Deepest folder: each level holds two descriptors.
pub const MAX_DEPTH: usize = 400;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
const BUFFER: usize = 256 << 10;
/// Longest list of names of attributes, and longest attribute (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MAX_ATTRIBUTE: usize = 64 << 10;

/// Why a folder could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A step.
    #[error("{doing} {path}")]
    Step {
        /// What was being done.
        doing: &'static str,
        /// To what, beneath the folder.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Too deep.
    #[error("{0} is deeper than {MAX_DEPTH} folders")]
    TooDeep(PathBuf),
    /// No room.
    #[error("there is no room on the disk: {free} bytes are free, of which {reserve} stay free")]
    NoRoom {
        /// What is free.
        free: u64,
        /// What stays free.
        reserve: u64,
    },
}

/// Copies a folder to a place where nothing is. So many bytes stay free on the disk.
///
/// # Errors
/// With the first step that fails; what is there then is for the caller to remove.
pub fn copy_tree(from: &Path, to: &Path, reserve: u64) -> Result<(), CopyError> {
    let root = PathBuf::from(".");
    let source = rustix::fs::open(from, FOLDER, Mode::empty()).map_err(step("open", &root))?;
    copy_folder(&source, to, reserve)
}

/// Copies an open folder to a place where nothing is. So many bytes stay free on the disk.
///
/// # Errors
/// With the first step that fails; what is there then is for the caller to remove.
pub fn copy_folder(source: &OwnedFd, to: &Path, reserve: u64) -> Result<(), CopyError> {
    let root = PathBuf::from(".");
    let failed = |doing| step(doing, &root);
    rustix::fs::mkdir(to, Mode::from_raw_mode(0o700)).map_err(failed("make"))?;
    let target = rustix::fs::open(to, FOLDER, Mode::empty()).map_err(failed("open"))?;
    let root_of_target =
        target.try_clone().map_err(|source| CopyError::Step { doing: "open", path: root.clone(), source })?;
    let mut copy = Copy {
        root: root_of_target,
        linked: HashMap::new(),
        buffer: vec![0; BUFFER],
        reserve,
        may_share: true,
    };
    copy.folder(source, &target, &root, 0)
}

struct Copy {
    root: OwnedFd,
    /// Files with several names, by device and number: the first name.
    linked: HashMap<(u64, u64), PathBuf>,
    buffer: Vec<u8>,
    reserve: u64,
    may_share: bool,
}

fn step(doing: &'static str, path: &Path) -> impl FnOnce(Errno) -> CopyError {
    move |errno| CopyError::Step { doing, path: path.to_owned(), source: errno.into() }
}

impl Copy {
    fn folder(&mut self, from: &OwnedFd, to: &OwnedFd, path: &Path, depth: usize) -> Result<(), CopyError> {
        if depth > MAX_DEPTH {
            return Err(CopyError::TooDeep(path.to_owned()));
        }
        let entries = Dir::read_from(from).map_err(step("list", path))?;
        for entry in entries {
            let entry = entry.map_err(step("list", path))?;
            let name = entry.file_name();
            if name.to_bytes() == b"." || name.to_bytes() == b".." {
                continue;
            }
            let path = path.join(std::ffi::OsStr::from_bytes(name.to_bytes()));
            let stat =
                rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(step("look at", &path))?;
            self.entry((from, to), name, &stat, (&path, depth))?;
        }
        let stat = rustix::fs::fstat(from).map_err(step("look at", path))?;
        dress(from, to, &stat, path)
    }

    fn entry(
        &mut self,
        (from, to): (&OwnedFd, &OwnedFd),
        name: &CStr,
        stat: &Stat,
        (path, depth): (&Path, usize),
    ) -> Result<(), CopyError> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                let source =
                    rustix::fs::openat(from, name, flags, Mode::empty()).map_err(step("open", path))?;
                rustix::fs::mkdirat(to, name, Mode::from_raw_mode(0o700)).map_err(step("make", path))?;
                let target =
                    rustix::fs::openat(to, name, flags, Mode::empty()).map_err(step("open", path))?;
                return self.folder(&source, &target, path, depth + 1);
            }
            FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => {
                return Ok(());
            }
            FileType::RegularFile | FileType::Symlink | FileType::Fifo => {}
        }
        if stat.st_nlink > 1 {
            if let Some(first) = self.linked.get(&(stat.st_dev, stat.st_ino)) {
                return rustix::fs::linkat(&self.root, first, to, name, AtFlags::empty())
                    .map_err(step("link", path));
            }
            self.linked.insert((stat.st_dev, stat.st_ino), path.to_owned());
        }
        if kind == FileType::RegularFile {
            return self.file((from, to), name, path);
        }
        let failed = || step("make", path);
        if kind == FileType::Fifo {
            rustix::fs::mknodat(to, name, FileType::Fifo, Mode::from_raw_mode(0o600), 0).map_err(failed())?;
        } else {
            let target = rustix::fs::readlinkat(from, name, Vec::new()).map_err(step("read", path))?;
            rustix::fs::symlinkat(&target, to, name).map_err(failed())?;
        }
        // Neither is opened: the first would wait for a writer, the second lead elsewhere.
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        let (uid, gid) = owner(stat);
        rustix::fs::chownat(to, name, Some(uid), Some(gid), nofollow).map_err(step("give away", path))?;
        if kind == FileType::Fifo {
            rustix::fs::chmodat(to, name, Mode::from_raw_mode(stat.st_mode), AtFlags::empty())
                .map_err(step("set the mode of", path))?;
        }
        rustix::fs::utimensat(to, name, &times(stat), nofollow).map_err(step("set the times of", path))
    }

    fn file(&mut self, (from, to): (&OwnedFd, &OwnedFd), name: &CStr, path: &Path) -> Result<(), CopyError> {
        // Should it have become a pipe meanwhile, nobody waits.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let source = rustix::fs::openat(from, name, flags, Mode::empty()).map_err(step("open", path))?;
        let stat = rustix::fs::fstat(&source).map_err(step("look at", path))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(0o600);
        let target = rustix::fs::openat(to, name, flags, mode).map_err(step("make", path))?;
        let (source, target) = (File::from(source), File::from(target));
        if !self.share(&source, &target) {
            self.check_room(&stat, path)?;
            self.content(&source, &target, &stat).map_err(|source| CopyError::Step {
                doing: "copy",
                path: path.to_owned(),
                source,
            })?;
        }
        dress(&source, &target, &stat, path)
    }

    /// Has both files share their blocks, when the file system can (`FICLONE`).
    fn share(&mut self, source: &File, target: &File) -> bool {
        if !self.may_share {
            return false;
        }
        match rustix::fs::ioctl_ficlone(target, source) {
            Ok(()) => true,
            Err(error) => {
                self.may_share = !matches!(error, Errno::OPNOTSUPP | Errno::NOTTY | Errno::NOSYS);
                false
            }
        }
    }

    fn check_room(&self, stat: &Stat, path: &Path) -> Result<(), CopyError> {
        let disk = rustix::fs::fstatvfs(&self.root).map_err(step("see what is free beside", path))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        // Blocks of 512 bytes, whatever the file system's are (inode(7)).
        let needed = u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(512);
        if self.reserve > 0 && free < needed.saturating_add(self.reserve) {
            return Err(CopyError::NoRoom { free, reserve: self.reserve });
        }
        Ok(())
    }

    /// Copies what lies between the holes.
    fn content(&mut self, source: &File, target: &File, stat: &Stat) -> io::Result<()> {
        let length = u64::try_from(stat.st_size).unwrap_or_default();
        target.set_len(length)?;
        let mut at = 0;
        while at < length {
            let begin = match rustix::fs::seek(source, SeekFrom::Data(at)) {
                Ok(begin) => begin,
                // Nothing but a hole up to the end.
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            let end = rustix::fs::seek(source, SeekFrom::Hole(begin))?.min(length);
            at = begin;
            while at < end {
                let room = usize::try_from(end - at).unwrap_or(BUFFER).min(BUFFER);
                let buffer = self.buffer.get_mut(..room).unwrap_or_default();
                let read = source.read_at(buffer, at)?;
                if read == 0 {
                    return Ok(());
                }
                target.write_all_at(buffer.get(..read).unwrap_or_default(), at)?;
                at += u64::try_from(read).map_err(io::Error::other)?;
            }
        }
        Ok(())
    }
}

/// Owner, mode, attributes and times, in this order: a new owner takes setuid bits and file capabilities away.
fn dress(from: &impl AsFd, to: &impl AsFd, stat: &Stat, path: &Path) -> Result<(), CopyError> {
    let (uid, gid) = owner(stat);
    rustix::fs::fchown(to, Some(uid), Some(gid)).map_err(step("give away", path))?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode)).map_err(step("set the mode of", path))?;
    attributes(from, to).map_err(step("copy the attributes of", path))?;
    rustix::fs::futimens(to, &times(stat)).map_err(step("set the times of", path))
}

fn attributes(from: &impl AsFd, to: &impl AsFd) -> Result<(), Errno> {
    let mut names = vec![0; MAX_ATTRIBUTE];
    let length = match rustix::fs::flistxattr(from, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        length => length?,
    };
    names.truncate(length);
    for name in names.split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        let mut value = vec![0; MAX_ATTRIBUTE];
        let length = rustix::fs::fgetxattr(from, name, &mut value[..])?;
        rustix::fs::fsetxattr(to, name, value.get(..length).unwrap_or_default(), XattrFlags::empty())?;
    }
    Ok(())
}

fn owner(stat: &Stat) -> (rustix::fs::Uid, rustix::fs::Gid) {
    (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid))
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.try_into().unwrap_or_default(),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}
