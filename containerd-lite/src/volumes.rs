//! Folders of apps that last, and snapshots of them.
//!
//! Each app's folder is encrypted with a key of its own, which whoever it belongs to gives ([`Volumes::unlock`]) and which is taken from the
//! kernel again ([`Volumes::lock`]). Without it nothing below can be made or read.
//!
//! ```text
//!  <key>/volumes/<name>            belongs to the users of the image, moved up by IMAGE_IDS
//!  <key>/snapshots/<name>/<name>   a copy of all volumes
//!  <key>/staging/                  what is not finished, or not removed yet; emptied before anything is done
//!  <key>/restoring                 a snapshot that is to become the volumes: whatever happens, it will
//!  <key>/logs/<container>/         what its containers print (`logs`)
//! ```
//!
//! What is below a folder may take most of the disk, and no more (`bound`).
//!
//! A snapshot is made in `staging` and renamed when it is on the disk. To restore one, it is renamed to `restoring`; from then on it counts:
//! the volumes are put aside, and it takes their place. [`Volumes::settle`] finishes what a cut left between those steps.

mod bound;
pub mod copy;
mod cover;
pub mod image;

use crate::runtime::IMAGE_IDS;
use copy::CopyError;
use cover::Cover;
use ioctls::quota::Project;
use model::containers::PartName;
use model::containers::Storage;
use model::network::names::AppKey;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::Uid;
use std::collections::BTreeSet;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use vault::directory::DirectoryError;
use vault::directory::DirectoryKey;

/// Asked before each change of the disk; an error stands for the power going away.
type Gate = Box<dyn Fn(&'static str) -> io::Result<()> + Send + Sync>;

/// Why something could not be done with volumes.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The disk.
    #[error("{doing} {path}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A snapshot could not be made.
    #[error("copy the volumes")]
    Copy(#[from] CopyError),
    /// It cannot be shown or hidden.
    #[error("show or hide the data")]
    Cover(#[from] DirectoryError),
    /// Somebody has a file of it open.
    #[error("{0} is hidden, and files of it are still in use")]
    InUse(PathBuf),
    /// There is no such snapshot.
    #[error("there is no snapshot {0}")]
    NoSnapshot(PartName),
}

/// The folders of all apps.
pub struct Volumes {
    root: PathBuf,
    cover: Cover,
    has_owners: bool,
    reserve: u64,
    gate: Option<Gate>,
}

impl std::fmt::Debug for Volumes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Volumes").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Volumes {
    /// In a folder, with volumes of the users of images; so many bytes stay free on the disk when a snapshot is made.
    #[must_use]
    pub fn new(root: &Path, reserve: u64) -> Self {
        Self { root: root.to_owned(), cover: Cover::Kernel, has_owners: true, reserve, gate: None }
    }

    /// With volumes of whoever runs this, which are never encrypted, for tests without rights.
    #[must_use]
    pub fn own(root: &Path) -> Self {
        let cover = Cover::Nothing(Mutex::default());
        Self { root: root.to_owned(), cover, has_owners: false, reserve: 0, gate: None }
    }

    /// On a disk whose every change is asked about before.
    #[must_use]
    pub fn watched(self, gate: impl Fn(&'static str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { gate: Some(Box::new(gate)), ..self }
    }

    /// The folder in which those of all apps are.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether an app's folder shows what is in it.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn is_open(&self, app: &AppKey) -> Result<bool, VolumeError> {
        self.cover.is_open(&self.app(app))
    }

    /// Shows an app's folder, which is made first where there is none, and limits what it may take of the disk. The number is the app's
    /// own, while there is anything of it, and not 0.
    ///
    /// # Errors
    /// When the key is not its own, or the file system encrypts nothing.
    pub fn unlock(&self, app: &AppKey, key: &DirectoryKey, number: u32) -> Result<(), VolumeError> {
        let folder = self.app(app);
        if !folder.is_dir() {
            // Aside: one that is there belongs to its project, whatever happened.
            let aside = folder.with_extension("new");
            self.change("make", &folder, || {
                make_folder(&aside)?;
                bound::give(&aside, Project(number))?;
                fs::rename(&aside, &folder)?;
                sync(&self.root)
            })?;
        }
        self.change("limit", &folder, || Ok(bound::limit(&folder)?))?;
        self.cover.open(&folder, key)
    }

    /// What an app's folder takes of the disk, shown or hidden; none where that is not counted, or there is none.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn storage(&self, app: &AppKey) -> Result<Option<Storage>, VolumeError> {
        let path = self.app(app);
        match bound::storage(&path) {
            Err(rustix::io::Errno::NOENT) => Ok(None),
            told => told.map_err(|error| VolumeError::Disk {
                doing: "see what is taken by",
                path,
                source: error.into(),
            }),
        }
    }

    /// Hides an app's folder. Nothing of the app may run.
    ///
    /// # Errors
    /// [`VolumeError::InUse`], and what the kernel says.
    pub fn lock(&self, app: &AppKey) -> Result<(), VolumeError> {
        self.cover.close(&self.app(app))
    }

    /// The folder with an app's volumes.
    #[must_use]
    pub fn folder(&self, app: &AppKey) -> PathBuf {
        self.app(app).join("volumes")
    }

    /// Makes those of an app's volumes that are missing, each with what the image, whose layers lie in these folders, has at its place.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn ensure<'a>(
        &self,
        app: &AppKey,
        layers: &[PathBuf],
        volumes: impl IntoIterator<Item = (&'a PartName, &'a str)>,
    ) -> Result<(), VolumeError> {
        self.settle(app)?;
        let folder = self.folder(app);
        for (name, place) in volumes {
            let path = folder.join(name.as_str());
            if path.is_dir() {
                continue;
            }
            // Aside, so that a cut leaves none with the wrong owner, or half of what it begins with.
            let aside = self.staging(app)?.join(name.as_str());
            self.change("make", &path, || make_folder(&folder))?;
            match image::folder(layers, place)? {
                Some(content) => copy::copy_folder(&content, &aside, self.reserve)?,
                None => self.change("make", &aside, || self.make_empty(&aside))?,
            }
            self.change("write out", &aside, || Ok(rustix::fs::syncfs(File::open(&aside)?)?))?;
            self.change("put in its place", &path, || {
                fs::rename(&aside, &path)?;
                sync(&folder)
            })?;
        }
        Ok(())
    }

    /// Copies an app's volumes, in place of an earlier snapshot of that name. Nothing may write to them meanwhile.
    ///
    /// # Errors
    /// When there is no room, or the disk fails; then the earlier one is as it was.
    pub fn snapshot(&self, app: &AppKey, name: &PartName) -> Result<(), VolumeError> {
        self.settle(app)?;
        let staging = self.staging(app)?;
        let (from, copied) = (self.folder(app), staging.join("copy"));
        let made = self.change("copy", &from, || make_folder(&from)).and_then(|()| {
            copy::copy_tree(&from, &copied, self.reserve)?;
            self.change("write out", &copied, || Ok(rustix::fs::syncfs(File::open(&copied)?)?))
        });
        if let Err(error) = made {
            // What is left of it takes room that may be what was missing. The next change would clear it, too.
            drop(remove(&staging));
            return Err(error);
        }
        let snapshots = self.app(app).join("snapshots");
        let place = snapshots.join(name.as_str());
        self.change("make", &snapshots, || make_folder(&snapshots))?;
        if place.exists() {
            // Both change their places at once: there is a snapshot of that name at every moment.
            self.change("put in its place", &place, || {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                let here = rustix::fs::CWD;
                Ok(rustix::fs::renameat_with(here, &copied, here, &place, exchange)?)
            })?;
        } else {
            self.change("put in its place", &place, || fs::rename(&copied, &place))?;
        }
        self.change("write out", &snapshots, || sync(&snapshots))?;
        self.change("remove", &staging, || remove(&staging))
    }

    /// Puts a snapshot in the place of an app's volumes; it is used up. Nothing of the app may run.
    ///
    /// # Errors
    /// When there is none, or the disk fails; whatever happens, the volumes are those from before or those of the snapshot.
    pub fn restore(&self, app: &AppKey, name: &PartName) -> Result<(), VolumeError> {
        self.settle(app)?;
        let place = self.app(app).join("snapshots").join(name.as_str());
        if !place.is_dir() {
            return Err(VolumeError::NoSnapshot(name.clone()));
        }
        self.change("put in its place", &place, || {
            fs::rename(&place, self.restoring(app))?;
            sync(&self.app(app))
        })?;
        self.settle(app)
    }

    /// Finishes what a cut left half.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn settle(&self, app: &AppKey) -> Result<(), VolumeError> {
        let (restoring, volumes) = (self.restoring(app), self.folder(app));
        if restoring.exists() {
            if volumes.exists() {
                let aside = self.staging(app)?.join("before");
                self.change("remove", &aside, || remove(&aside))?;
                self.change("put aside", &volumes, || {
                    fs::rename(&volumes, &aside)?;
                    sync(&self.app(app))
                })?;
            }
            self.change("put in its place", &volumes, || {
                fs::rename(&restoring, &volumes)?;
                sync(&self.app(app))
            })?;
        }
        let staging = self.app(app).join("staging");
        if staging.exists() {
            self.change("remove", &staging, || remove(&staging))?;
        }
        Ok(())
    }

    /// Names of an app's snapshots.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn snapshots(&self, app: &AppKey) -> Result<BTreeSet<PartName>, VolumeError> {
        let folder = self.app(app).join("snapshots");
        let failed = |source| VolumeError::Disk { doing: "list", path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().and_then(|name| name.parse::<PartName>().ok()));
        }
        Ok(names)
    }

    /// Removes a snapshot; fine when there is none.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn remove_snapshot(&self, app: &AppKey, name: &PartName) -> Result<(), VolumeError> {
        let place = self.app(app).join("snapshots").join(name.as_str());
        if !place.exists() {
            return Ok(());
        }
        let staging = self.staging(app)?;
        let aside = staging.join("gone");
        // In one step: half of one would be restored as if it were whole.
        self.change("remove", &place, || {
            remove(&aside)?;
            fs::rename(&place, &aside)?;
            remove(&staging)
        })
    }

    /// Removes all that an app has, shown or hidden.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn remove(&self, app: &AppKey) -> Result<(), VolumeError> {
        let folder = self.app(app);
        // The key first: without the folder nobody could name it to the kernel. What is hidden can be removed as well.
        self.cover.give_up(&folder)?;
        self.change("remove", &folder, || {
            remove(&folder)?;
            remove(&folder.with_extension("new"))?;
            if self.root.exists() { sync(&self.root) } else { Ok(()) }
        })
    }

    /// Root's of the image.
    fn make_empty(&self, path: &Path) -> io::Result<()> {
        make_folder(path)?;
        if self.has_owners {
            rustix::fs::chown(path, Some(Uid::from_raw(IMAGE_IDS)), Some(Gid::from_raw(IMAGE_IDS)))?;
        }
        Ok(rustix::fs::chmod(path, Mode::from_raw_mode(0o755))?)
    }

    fn app(&self, app: &AppKey) -> PathBuf {
        self.root.join(app.as_str())
    }

    fn restoring(&self, app: &AppKey) -> PathBuf {
        self.app(app).join("restoring")
    }

    fn staging(&self, app: &AppKey) -> Result<PathBuf, VolumeError> {
        let staging = self.app(app).join("staging");
        self.change("make", &staging, || make_folder(&staging))?;
        Ok(staging)
    }

    fn change(
        &self,
        doing: &'static str,
        path: &Path,
        change: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), VolumeError> {
        self.gate
            .as_ref()
            .map_or(Ok(()), |gate| gate(doing))
            .and_then(|()| change())
            .map_err(|source| VolumeError::Disk { doing, path: path.to_owned(), source })
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
