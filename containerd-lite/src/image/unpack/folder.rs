//! Places entries in a folder. Every step goes through a descriptor of the folder above, opened beneath the layer's and without
//! following a link (`openat2`, since Linux 5.6), so that neither a name nor a race leads out of it.

use crate::image::Limits;
use crate::image::Refused;
use crate::image::refused::clip_bytes;
use crate::image::tar::Entry;
use crate::image::tar::Kind;
use crate::image::unpack::OPAQUE;
use crate::image::unpack::UnpackError;
use crate::image::unpack::content;
use crate::image::unpack::name;
use crate::image::unpack::name::Name;
use crate::image::unpack::name::Parts;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::XattrFlags;
use rustix::fs::{self as sys};
use rustix::io::Errno;
use rustix::process::Gid;
use rustix::process::Uid;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

/// Bytes of names of folders that are kept until the end.
const MAX_KEPT: usize = 64 << 20;
/// Users and groups of an app.
const OWNERS: u64 = 65_536;

const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

pub(super) struct Folder<'a> {
    root: BorrowedFd<'a>,
    limits: &'a Limits,
    set_owners: bool,
    /// Folders get their permissions and times at the end: what is placed in them would change the times. By path, the root's being
    /// empty; of a folder that is there twice the last word counts.
    later: BTreeMap<Vec<u8>, (u32, i64)>,
    kept: usize,
    left_out: u64,
}

impl<'a> Folder<'a> {
    pub(super) fn new(root: BorrowedFd<'a>, limits: &'a Limits, set_owners: bool) -> Self {
        Self { root, limits, set_owners, later: BTreeMap::new(), kept: 0, left_out: 0 }
    }

    /// Places an entry; its bytes come from the reader.
    pub(super) fn place(&mut self, entry: &Entry, bytes: &mut impl Read) -> Result<(), UnpackError> {
        if entry.kind == Kind::Device {
            return Err(Refused::Device { path: clip_bytes(&entry.path) }.into());
        }
        if let Some(id) = [entry.uid, entry.gid].into_iter().find(|id| *id >= OWNERS) {
            return Err(Refused::Owner { path: clip_bytes(&entry.path), id }.into());
        }
        match name::parse(&entry.path, self.limits)? {
            Name::Ignored => Ok(()),
            Name::Root => match entry.kind {
                Kind::Folder => self.folder(entry, &[]),
                Kind::File { .. }
                | Kind::Symlink { .. }
                | Kind::HardLink { .. }
                | Kind::Pipe
                | Kind::Device => Err(Refused::Path { path: clip_bytes(&entry.path) }.into()),
            },
            Name::Opaque(parts) => self.opaque(entry, &parts),
            Name::Whiteout(parts) => self.whiteout(entry, &parts),
            Name::Plain(parts) => match &entry.kind {
                Kind::Folder => self.folder(entry, &parts),
                Kind::File { .. }
                | Kind::Symlink { .. }
                | Kind::HardLink { .. }
                | Kind::Pipe
                | Kind::Device => self.other(entry, &parts, bytes),
            },
        }
    }

    /// Gives folders their permissions and times, the deepest first, and says how many attributes were left out.
    pub(super) fn finish(mut self) -> Result<u64, UnpackError> {
        for (path, (mode, mtime)) in std::mem::take(&mut self.later).into_iter().rev() {
            let parts: Parts<'_> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
            let opened = self.open(&path, &parts, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let failed = failed(&path);
            sys::futimens(&opened, &times(mtime)).map_err(&failed)?;
            sys::fchmod(&opened, Mode::from_raw_mode(mode)).map_err(&failed)?;
        }
        Ok(self.left_out)
    }

    fn folder(&mut self, entry: &Entry, parts: &[&[u8]]) -> Result<(), UnpackError> {
        let failed = failed(&entry.path);
        if let Some((name, above)) = parts.split_last() {
            let above = self.above(&entry.path, above)?;
            match kind_of(&above, name).map_err(&failed)? {
                Some(FileType::Directory) => {}
                there => self.new_folder(&above, name, there).map_err(&failed)?,
            }
        }
        let opened = self.open(&entry.path, parts, OFlags::RDONLY | OFlags::DIRECTORY)?;
        self.own(entry, opened.as_fd()).map_err(&failed)?;
        self.attributes(entry, opened.as_fd())?;
        let path = parts.join(&b'/');
        self.kept += path.len() + size_of::<(Vec<u8>, (u32, i64))>();
        if self.kept > MAX_KEPT {
            return Err(Refused::Entries { limit: self.limits.entries }.into());
        }
        self.later.insert(path, (entry.mode, entry.mtime));
        Ok(())
    }

    /// Makes a folder, in the place of what is no folder. One that takes the place of a whiteout stays hidden below.
    fn new_folder(&self, above: &OwnedFd, name: &[u8], there: Option<FileType>) -> Result<(), Errno> {
        if there.is_some() {
            sys::unlinkat(above, name, AtFlags::empty())?;
        }
        sys::mkdirat(above, name, Mode::from_raw_mode(0o755))?;
        if there == Some(FileType::CharacterDevice) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            hide_below(&sys::openat2(above, name, flags, Mode::empty(), BENEATH)?)?;
        }
        Ok(())
    }

    fn other(&mut self, entry: &Entry, parts: &Parts<'_>, bytes: &mut impl Read) -> Result<(), UnpackError> {
        let Some((name, above)) = parts.split_last() else { return Ok(()) };
        let failed = failed(&entry.path);
        let above = self.above(&entry.path, above)?;
        let first = match &entry.kind {
            Kind::HardLink { target } => Some(self.first_name(entry, target, parts)?),
            Kind::File { .. } | Kind::Folder | Kind::Symlink { .. } | Kind::Pipe | Kind::Device => None,
        };
        match kind_of(&above, name).map_err(&failed)? {
            None => {}
            Some(FileType::Directory) => {
                return Err(Refused::archive("a file takes the place of a folder").into());
            }
            Some(_file) => sys::unlinkat(&above, *name, AtFlags::empty()).map_err(&failed)?,
        }
        match &entry.kind {
            Kind::File { size, extents } => {
                return self.file(entry, &above, name, (*size, extents.as_deref()), bytes);
            }
            Kind::Symlink { target } if target.is_empty() => {
                return Err(Refused::archive("a symbolic link leads nowhere").into());
            }
            Kind::Symlink { target } => sys::symlinkat(target.as_slice(), &above, *name).map_err(&failed)?,
            Kind::Pipe => {
                let mode = Mode::from_raw_mode(entry.mode & 0o777);
                sys::mknodat(&above, *name, FileType::Fifo, mode, 0).map_err(&failed)?;
            }
            Kind::HardLink { .. } | Kind::Folder | Kind::Device => {
                let Some((folder, first)) = first else { return Ok(()) };
                return sys::linkat(&folder, first, &above, *name, AtFlags::empty()).map_err(failed);
            }
        }
        self.left_out += entry.attributes.len() as u64;
        if self.set_owners {
            let (uid, gid) = owners(entry);
            sys::chownat(&above, *name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(&failed)?;
        }
        sys::utimensat(&above, *name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW).map_err(&failed)
    }

    fn file(
        &mut self,
        entry: &Entry,
        above: &OwnedFd,
        name: &[u8],
        (size, extents): (u64, Option<&[crate::image::tar::Extent]>),
        bytes: &mut impl Read,
    ) -> Result<(), UnpackError> {
        let failed = failed(&entry.path);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = sys::openat2(above, name, flags, Mode::from_raw_mode(0o600), BENEATH).map_err(&failed)?;
        content::write(&file, &entry.path, size, extents, bytes)?;
        // A change of the owner takes setuid away; so the permissions come after it.
        self.own(entry, file.as_fd()).map_err(&failed)?;
        self.attributes(entry, file.as_fd())?;
        sys::fchmod(&file, Mode::from_raw_mode(entry.mode)).map_err(&failed)?;
        sys::futimens(&file, &times(entry.mtime)).map_err(&failed)
    }

    /// Where a hard link leads: to something of this layer that is no folder.
    fn first_name<'t>(
        &self,
        entry: &Entry,
        target: &'t [u8],
        own: &Parts<'_>,
    ) -> Result<(OwnedFd, &'t [u8]), UnpackError> {
        let refused = || Refused::HardLink { path: clip_bytes(&entry.path), target: clip_bytes(target) };
        let parts = name::split(target, self.limits).map_err(|_why| refused())?;
        let (name, above) = parts.split_last().filter(|_parts| parts != *own).ok_or_else(refused)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let above = self.open(target, above, flags).map_err(|error| {
            let leads_nowhere =
                matches!(error, UnpackError::Refused(_) | UnpackError::System { source: Errno::NOENT, .. });
            if leads_nowhere { refused().into() } else { error }
        })?;
        match kind_of(&above, name).map_err(failed(target))? {
            None | Some(FileType::Directory | FileType::CharacterDevice) => Err(refused().into()),
            Some(_file) => Ok((above, *name)),
        }
    }

    /// A whiteout is about lower layers: what this layer has under the same name stays, and hides them by itself.
    fn whiteout(&mut self, entry: &Entry, parts: &Parts<'_>) -> Result<(), UnpackError> {
        let Some((name, above)) = parts.split_last() else { return Ok(()) };
        let failed = failed(&entry.path);
        let plain = matches!(entry.kind, Kind::File { size: 0, .. });
        if !plain {
            return Err(Refused::Whiteout { path: clip_bytes(&entry.path) }.into());
        }
        let opened = self.above(&entry.path, above)?;
        match kind_of(&opened, name).map_err(&failed)? {
            None => {
                sys::mknodat(&opened, *name, FileType::CharacterDevice, Mode::empty(), 0).map_err(&failed)
            }
            Some(FileType::Directory) => {
                let folder = self.open(&entry.path, parts, OFlags::RDONLY | OFlags::DIRECTORY)?;
                hide_below(&folder).map_err(&failed)
            }
            Some(_file) => Ok(()),
        }
    }

    fn opaque(&mut self, entry: &Entry, parts: &Parts<'_>) -> Result<(), UnpackError> {
        if !matches!(entry.kind, Kind::File { size: 0, .. }) {
            return Err(Refused::Whiteout { path: clip_bytes(&entry.path) }.into());
        }
        self.above(&entry.path, parts)?;
        let folder = self.open(&entry.path, parts, OFlags::RDONLY | OFlags::DIRECTORY)?;
        hide_below(&folder).map_err(failed(&entry.path))
    }

    /// Opens the folder above something; folders that the layer does not name are made.
    fn above(&self, path: &[u8], parts: &[&[u8]]) -> Result<OwnedFd, UnpackError> {
        match self.open(path, parts, OFlags::PATH | OFlags::DIRECTORY) {
            Err(UnpackError::System { source: Errno::NOENT, .. }) => {}
            // Perhaps a whiteout, for which a folder comes after all.
            Err(UnpackError::Refused(Refused::ThroughFile { .. })) => {}
            opened => return opened,
        }
        for length in 1..=parts.len() {
            let (name, above) = (parts[length - 1], &parts[..length - 1]);
            let opened = self.open(path, above, OFlags::PATH | OFlags::DIRECTORY)?;
            match kind_of(&opened, name).map_err(failed(path))? {
                there @ (None | Some(FileType::CharacterDevice)) => {
                    self.new_folder(&opened, name, there).map_err(failed(path))?;
                }
                Some(_other) => {}
            }
        }
        self.open(path, parts, OFlags::PATH | OFlags::DIRECTORY)
    }

    fn open(&self, path: &[u8], parts: &[&[u8]], flags: OFlags) -> Result<OwnedFd, UnpackError> {
        let within = if parts.is_empty() { b".".to_vec() } else { parts.join(&b'/') };
        let opened =
            sys::openat2(self.root, within.as_slice(), flags | OFlags::CLOEXEC, Mode::empty(), BENEATH);
        opened.map_err(|source| match source {
            Errno::LOOP => Refused::ThroughSymlink { path: clip_bytes(path) }.into(),
            Errno::NOTDIR => Refused::ThroughFile { path: clip_bytes(path) }.into(),
            Errno::XDEV => Refused::Escape { path: clip_bytes(path) }.into(),
            source => UnpackError::System { path: clip_bytes(path), source },
        })
    }

    fn own(&self, entry: &Entry, opened: BorrowedFd<'_>) -> Result<(), Errno> {
        let (uid, gid) = owners(entry);
        if self.set_owners { sys::fchown(opened, Some(uid), Some(gid)) } else { Ok(()) }
    }

    /// Attributes of users are set. Those that overlayfs obeys are refused; others (file capabilities, labels, access lists) have
    /// no effect for an app and are left out.
    fn attributes(&mut self, entry: &Entry, opened: BorrowedFd<'_>) -> Result<(), UnpackError> {
        for (name, value) in &entry.attributes {
            let refused = || Refused::Attribute { path: clip_bytes(&entry.path), name: clip_bytes(name) };
            if name.starts_with(b"trusted.") || name.starts_with(b"user.overlay.") || name.contains(&0) {
                return Err(refused().into());
            }
            if !name.starts_with(b"user.") {
                self.left_out += 1;
                continue;
            }
            match sys::fsetxattr(opened, name.as_slice(), value, XattrFlags::empty()) {
                Ok(()) => {}
                Err(Errno::RANGE | Errno::TOOBIG | Errno::NOSPC | Errno::INVAL) => {
                    return Err(refused().into());
                }
                Err(source) => return Err(failed(&entry.path)(source)),
            }
        }
        Ok(())
    }
}

fn hide_below(folder: &OwnedFd) -> Result<(), Errno> {
    sys::fsetxattr(folder, OPAQUE, b"y", XattrFlags::empty())
}

fn kind_of(above: &OwnedFd, name: &[u8]) -> Result<Option<FileType>, Errno> {
    match sys::statat(above, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn owners(entry: &Entry) -> (Uid, Gid) {
    let id = |id: u64| u32::try_from(id).unwrap_or(u32::MAX - 1);
    (Uid::from_raw(id(entry.uid)), Gid::from_raw(id(entry.gid)))
}

fn times(mtime: i64) -> Timestamps {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn failed(path: &[u8]) -> impl Fn(Errno) -> UnpackError + use<> {
    let path = clip_bytes(path);
    move |source| UnpackError::System { path: path.clone(), source }
}
