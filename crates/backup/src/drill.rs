//! Proves a backup: restores it into the scratch folder, reads it back from the disk, removes it.

use crate::control::Control;
use crate::control::Phase;
use crate::control::Progress;
use crate::key::hex;
use crate::manifest;
use crate::manifest::Line;
use crate::repository::OpenError;
use crate::repository::Owner;
use crate::repository::Site;
use crate::restore::RestoreError;
use crate::restore::Restoring;
use crate::restore::restore;
use crate::scratch::Scratch;
use crate::sealed::ArchiveKey;
use crate::sealed::SealedFolder;
use crate::sealed::SealedFolderError;
use crate::sealed::UnsealError;
use crate::series::Series;
use crate::snapshot;
use crate::snapshot::Snapshot;
use crate::targets::Target;
use crate::tree::Blobs;
use crate::tree::TreeError;
use rustic_core::repofile::SnapshotFile;
use sha2::Digest;
use sha2::Sha256;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

/// Which snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The newest.
    Newest,
    /// By its id.
    Id(String),
    /// Any; the caller gives a random number.
    Random(u64),
}

impl Pick {
    /// Snapshots come oldest first.
    pub(crate) fn choose<'a>(&self, snapshots: &'a [SnapshotFile]) -> Option<&'a SnapshotFile> {
        match self {
            Self::Newest => snapshots.last(),
            Self::Id(id) => snapshots.iter().find(|file| file.id.to_hex().as_str() == id),
            Self::Random(number) => {
                let index = number.checked_rem(snapshots.len() as u64)?;
                snapshots.get(usize::try_from(index).ok()?)
            }
        }
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest | Self::Random(_) => f.write_str("at all"),
            Self::Id(id) => f.write_str(id),
        }
    }
}

/// What a drill proves.
#[derive(Clone, Debug)]
pub struct Drilling {
    /// Of which series.
    pub series: Series,
    /// Which snapshot.
    pub snapshot: Pick,
    /// Opens sealed files, where it is at hand: then they are opened too. Without it they are proved to be what was sealed.
    pub key: Option<ArchiveKey>,
}

/// A drill that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillReport {
    /// What was restored.
    pub snapshot: Snapshot,
    /// When, in seconds since 1970.
    pub held: u64,
    /// Files whose SHA-256 on the disk is that of the manifest.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// Why a drill failed.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The restore was refused.
    #[error("the drill failed: the backup cannot be restored")]
    Restore(#[source] RestoreError),
    /// What was restored is not what the manifest says.
    #[error("the drill failed: {path} was restored differently")]
    Differs {
        /// Which file.
        path: PathBuf,
    },
    /// The list of sealed files does not open.
    #[error("the drill failed: sealed files cannot be opened")]
    Sealed(#[source] SealedFolderError),
    /// A sealed file does not open.
    #[error("the drill failed: a sealed file cannot be opened")]
    Unseal(#[source] UnsealError),
    /// The scratch folder fails.
    #[error("the drill failed: the scratch folder cannot be used")]
    Scratch(#[source] io::Error),
    /// The manifest cannot be read a second time.
    #[error("the drill failed: the manifest cannot be read again")]
    Manifest(#[source] TreeError),
}

/// Holds a drill.
///
/// # Errors
/// When the snapshot cannot be restored, or not as it was saved. The scratch folder is emptied either way.
pub fn drill(
    owner: &Owner,
    target: &Target,
    drilling: &Drilling,
    scratch: &Scratch,
    now: u64,
    control: &Control,
) -> Result<DrillReport, DrillError> {
    let begun = Instant::now();
    let into = scratch.at("drill");
    fs::create_dir(&into).map_err(DrillError::Scratch)?;
    let result = run(owner, target, drilling, &into, control);
    fs::remove_dir_all(&into).map_err(DrillError::Scratch)?;
    let (snapshot, progress) = result?;
    let (files, bytes) = (progress.files, progress.bytes);
    Ok(DrillReport { snapshot, held: now, files, bytes, took: begun.elapsed() })
}

fn run(
    owner: &Owner,
    target: &Target,
    drilling: &Drilling,
    into: &Path,
    control: &Control,
) -> Result<(Snapshot, Progress), DrillError> {
    let restoring = Restoring {
        series: drilling.series.clone(),
        snapshot: drilling.snapshot.clone(),
        into: into.to_owned(),
        owners: false,
    };
    let restored = restore(owner, target, &restoring, control).map_err(DrillError::Restore)?;
    let opened = |error: OpenError| DrillError::Restore(RestoreError::Repository(error));
    let site = Site::new(target, control.cancel.clone()).map_err(opened)?;
    let repository = site.open(owner).map_err(opened)?;
    let found = snapshot::find(&site, &repository, owner, &drilling.series).map_err(opened)?;
    let pick = Pick::Id(restored.snapshot.id.clone());
    let Some(file) = pick.choose(&found.files) else {
        return Err(DrillError::Restore(RestoreError::NoSnapshot { id: restored.snapshot.id }));
    };
    let repository = site.engine(|| repository.to_indexed()).map_err(opened)?;
    let stream =
        Blobs { site: &site, repository: &repository }.manifest(file.tree).map_err(DrillError::Manifest)?;
    let mut progress = Progress::begin(Phase::Comparing);
    (progress.files_total, progress.bytes_total) = (restored.files, restored.bytes);
    let damaged = |error: manifest::ManifestError| {
        DrillError::Manifest(TreeError::Manifest { problem: error.to_string() })
    };
    let (mut lines, _) = manifest::Reader::new(BufReader::new(stream)).map_err(damaged)?;
    while let Some(line) = lines.entry().map_err(damaged)? {
        let Line::File { path, size, sha256 } = line else { continue };
        let differs = || DrillError::Differs { path: PathBuf::from(&path) };
        let file = into.join(manifest::path_from_text(&path).ok_or_else(differs)?);
        let mut hash = Sha256::new();
        let mut opened = File::open(&file).map_err(|_missing| differs())?;
        let length = io::copy(&mut opened, &mut hash).map_err(DrillError::Scratch)?;
        if length != size || hex(&hash.finalize()) != sha256 {
            return Err(differs());
        }
        progress.files += 1;
        progress.bytes += length;
        control.tell(&progress);
    }
    if let Some(key) = &drilling.key {
        unseal_all(&into.join(manifest::FILES), key)?;
    }
    Ok((restored.snapshot, progress))
}

/// Opens everything and keeps nothing of it.
fn unseal_all(files: &Path, key: &ArchiveKey) -> Result<(), DrillError> {
    for source in fs::read_dir(files).map_err(DrillError::Scratch)? {
        let source = source.map_err(DrillError::Scratch)?;
        let folder = SealedFolder::open(&source.path(), key).map_err(DrillError::Sealed)?;
        for file in folder.files() {
            folder.unseal(file, &mut io::sink()).map_err(DrillError::Unseal)?;
        }
    }
    Ok(())
}
