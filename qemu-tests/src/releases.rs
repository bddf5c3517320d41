//! Releases of the system, as updates of a box: slot files of later versions in a repository that the built image trusts.

use crate::artifacts::Artifacts;
use crate::slots;
use anyhow::Context;
use anyhow::Result;
use image::updates::DEVELOPMENT_CHANNEL;
use image::updates::DevelopmentKeys;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use update::Place;
use update::publish::Addition;
use update::publish::Archive;
use update::publish::DEFAULT_CUT;
use update::publish::Repository;
use update::publish::pack;

/// The loader that the image brings has at least this version.
const LOADER: &str = "250";

/// A repository in a folder, and the keys that sign it.
#[derive(Debug)]
pub struct Releases {
    keys: DevelopmentKeys,
    repository: Repository,
    folder: PathBuf,
}

impl Releases {
    /// An empty repository.
    ///
    /// # Errors
    /// When the image was not built, or was no development image.
    pub fn new(artifacts: &Artifacts, folder: &Path) -> Result<Self> {
        let keys = slots::update_keys(artifacts)?;
        let repository = keys.repository(folder)?;
        Ok(Self { keys, repository, folder: folder.to_owned() })
    }

    /// Adds a slot file as the release of this version.
    ///
    /// # Errors
    /// When a box would refuse the repository with it.
    pub fn add(&self, version: &str, slot: &[u8]) -> Result<()> {
        self.put(version, slot, None)
    }

    /// The same with its chunks, which takes half a minute of a processor.
    ///
    /// # Errors
    /// When a box would refuse the repository with it.
    pub fn add_in_chunks(&self, version: &str, slot: &[u8]) -> Result<()> {
        let archive = pack(slot, DEFAULT_CUT).context("cannot cut the slot into chunks")?;
        self.put(version, slot, Some(&archive))
    }

    /// The same with chunks that were cut already.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_cut(&self, version: &str, slot: &[u8], archive: &Archive) -> Result<()> {
        self.put(version, slot, Some(archive))
    }

    fn put(&self, version: &str, slot: &[u8], archive: Option<&Archive>) -> Result<()> {
        let loader: ::slots::Version = LOADER.parse().context("the loader's version")?;
        let mut list = self.repository.add(&Addition {
            slot,
            archive,
            place: place()?,
            version: version.parse().context("the version")?,
            loader: loader.clone(),
            ships: loader,
            rollout: 100,
            notes: update::Notes::default(),
        })?;
        list.sign(self.keys.key())?;
        Ok(self.repository.commit(Some(&list), &self.keys.online())?)
    }

    /// The folder of the repository, for a web server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bundle of a release: all that is needed to install it, in one file.
    ///
    /// # Errors
    /// When there is no such release.
    pub fn bundle(&self, version: &str) -> Result<Vec<u8>> {
        let catalog = self.repository.catalog()?;
        let release = catalog.releases().iter().find(|release| release.version.as_str() == version);
        let release = release.with_context(|| format!("no release {version}"))?;
        let mut bundle = Vec::new();
        self.repository.bundle(release, &mut bundle)?;
        Ok(bundle)
    }

    /// Its signed files: name and content.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn metadata(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let folder = self.folder.join("metadata");
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?));
        }
        Ok(files)
    }
}

/// Board and channel of the releases.
///
/// # Errors
/// When the board's name is none that repositories know.
pub fn place() -> Result<Place> {
    Ok(Place {
        board: crate::artifacts::board().parse().context("the board")?,
        channel: DEVELOPMENT_CHANNEL.parse().context("the channel")?,
    })
}
