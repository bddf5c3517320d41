//! Restores a snapshot into an empty scratch folder; the caller swaps it in.

use crate::control::Control;
use crate::control::Phase;
use crate::control::Progress;
use crate::drill::Pick;
use crate::repository::OpenError;
use crate::repository::Owner;
use crate::repository::Site;
use crate::series::Series;
use crate::snapshot;
use crate::snapshot::Snapshot;
use crate::targets::Target;
use crate::tree;
use crate::tree::Blobs;
use crate::tree::Sink;
use crate::tree::TreeError;
use rustic_core::repofile::Metadata;
use rustic_core::repofile::Node;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::UTIME_OMIT;
use rustix::fs::Uid;
use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

/// What to restore, and where.
#[derive(Clone, Debug)]
pub struct Restoring {
    /// Of which series.
    pub series: Series,
    /// Which snapshot.
    pub snapshot: Pick,
    /// An empty folder. The sources are at `files/<name>` in it afterwards.
    pub into: PathBuf,
    /// Whether files get their owners back, which takes root.
    pub owners: bool,
}

/// A restore that was compared with its manifest to the last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// What was restored.
    pub snapshot: Snapshot,
    /// Files restored.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Why nothing was restored. The folder is empty again.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The repository fails.
    #[error("nothing was restored")]
    Repository(#[source] OpenError),
    /// No such snapshot.
    #[error("there is no snapshot {id}")]
    NoSnapshot {
        /// Which one.
        id: String,
    },
    /// The folder cannot take it.
    #[error("cannot restore into {path}")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something is in the folder already.
    #[error("{path} is not empty")]
    NotEmpty {
        /// Which folder.
        path: PathBuf,
    },
    /// The snapshot is refused.
    #[error("snapshot {id} is refused")]
    Snapshot {
        /// Which one.
        id: String,
        /// Why.
        #[source]
        source: TreeError,
    },
    /// The task was stopped.
    #[error("the restore was cancelled")]
    Cancelled,
}

/// Restores a snapshot: wholly and proved, or not at all.
///
/// Memory: the index, one chunk, and the lists of the folders on the way.
///
/// # Errors
/// When the repository or the snapshot is refused; what was written until then is removed.
pub fn restore(
    owner: &Owner,
    target: &Target,
    restoring: &Restoring,
    control: &Control,
) -> Result<RestoreReport, RestoreError> {
    let path = &restoring.into;
    let failed = |source: io::Error| RestoreError::Folder { path: path.clone(), source };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
    if fs::read_dir(path).map_err(failed)?.next().is_some() {
        return Err(RestoreError::NotEmpty { path: path.clone() });
    }
    let result = run(owner, target, restoring, &folder, control);
    if result.is_err() {
        empty(path).map_err(failed)?;
    }
    match result {
        Err(RestoreError::Snapshot { .. } | RestoreError::Repository(_)) if control.cancel.is_cancelled() => {
            Err(RestoreError::Cancelled)
        }
        result => result,
    }
}

fn run(
    owner: &Owner,
    target: &Target,
    restoring: &Restoring,
    folder: &OwnedFd,
    control: &Control,
) -> Result<RestoreReport, RestoreError> {
    let site = Site::new(target, control.cancel.clone()).map_err(RestoreError::Repository)?;
    let repository = site.open(owner).map_err(RestoreError::Repository)?;
    let found =
        snapshot::find(&site, &repository, owner, &restoring.series).map_err(RestoreError::Repository)?;
    let Some(file) = restoring.snapshot.choose(&found.files) else {
        return Err(RestoreError::NoSnapshot { id: restoring.snapshot.to_string() });
    };
    let snapshot = Snapshot::of(file);
    let repository = site.engine(|| repository.to_indexed()).map_err(RestoreError::Repository)?;
    let top =
        folder.try_clone().map_err(|source| RestoreError::Folder { path: restoring.into.clone(), source })?;
    let mut disk = Disk { folders: vec![top], file: None, owners: restoring.owners };
    let blobs = Blobs { site: &site, repository: &repository };
    let mut progress = Progress::begin(Phase::Restoring);
    (progress.files_total, progress.bytes_total) = (snapshot.files, snapshot.bytes);
    let done = tree::read(blobs, file.tree, owner, &mut disk, control, progress)
        .map_err(|source| RestoreError::Snapshot { id: snapshot.id.clone(), source })?;
    // One sync for all: a folder that is handed out must survive what comes next.
    rustix::fs::syncfs(folder)
        .map_err(|error| RestoreError::Folder { path: restoring.into.clone(), source: error.into() })?;
    Ok(RestoreReport { snapshot, files: done.files, bytes: done.bytes })
}

/// Empties a folder that was empty when it was given to us.
pub(crate) fn empty(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes by descriptors of folders it made itself: nothing that is restored can lead it elsewhere.
struct Disk {
    folders: Vec<OwnedFd>,
    file: Option<File>,
    owners: bool,
}

impl Disk {
    fn folder(&self) -> io::Result<&OwnedFd> {
        self.folders.last().ok_or_else(|| io::ErrorKind::NotADirectory.into())
    }

    fn finish(&self, made: impl AsFd, meta: &Metadata) -> io::Result<()> {
        if self.owners
            && let (Some(uid), Some(gid)) = (meta.uid, meta.gid)
        {
            rustix::fs::fchown(&made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        // Only permissions: no set-user-ID out of a backup.
        rustix::fs::fchmod(&made, Mode::from_raw_mode(meta.mode.unwrap_or(0o600) & 0o777))?;
        let Some(time) = meta.mtime else { return Ok(()) };
        let modified = Timespec { tv_sec: time.as_second(), tv_nsec: time.subsec_nanosecond().into() };
        let untouched = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        Ok(rustix::fs::futimens(&made, &Timestamps { last_access: untouched, last_modification: modified })?)
    }
}

impl Sink for Disk {
    fn wants_contents(&self) -> bool {
        true
    }

    fn enter(&mut self, name: &OsStr) -> io::Result<()> {
        let folder = self.folder()?;
        rustix::fs::mkdirat(folder, name, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        self.folders.push(made);
        Ok(())
    }

    fn leave(&mut self, node: &Node) -> io::Result<()> {
        let made = self.folders.pop().ok_or(io::ErrorKind::NotADirectory)?;
        self.finish(&made, &node.meta)
    }

    fn begin(&mut self, name: &OsStr) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(self.folder()?, name, flags, Mode::RUSR | Mode::WUSR)?;
        self.file = Some(made.into());
        Ok(())
    }

    fn write(&mut self, content: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or_else(|| Err(io::ErrorKind::NotFound.into()), |file| file.write_all(content))
    }

    fn end(&mut self, node: &Node) -> io::Result<()> {
        let file = self.file.take().ok_or(io::ErrorKind::NotFound)?;
        self.finish(&file, &node.meta)
    }

    fn link(&mut self, name: &OsStr, target: &Path) -> io::Result<()> {
        let folder = self.folder()?;
        rustix::fs::symlinkat(target, folder, name)?;
        // The name must be there, and be a link.
        rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }
}
