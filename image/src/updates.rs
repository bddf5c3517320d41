//! Where a box takes its updates from: the keys that it trusts from the start, and the repository's address. Both lie in the root image.
//!
//! Without them the image gets the keys of this folder, made when there are none, and no address: for images that never leave the desk.

use crate::progress::Progress;
use serde::Serialize;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;
use update::publish::Draft;
use update::publish::Key;
use update::publish::KeyError;
use update::publish::Lifetimes;
use update::publish::Online;
use update::publish::PublishError;
use update::publish::Repository;
use update::publish::RolePlan;
use update::publish::RootPlan;
use zeroize::Zeroizing;

/// Channel of development images.
pub const DEVELOPMENT_CHANNEL: &str = "development";
/// Files of the development repository in the cache.
const DEVELOPMENT_KEY: &str = "update-key-development.pem";
const DEVELOPMENT_ROOT: &str = "update-root-development.json";

/// What the root image says of updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateSource {
    root: Vec<u8>,
    address: Address,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Address {
    /// `https://…/`; none where the owner has to name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    channel: String,
}

/// The keys of updates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UpdatesError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The key file.
    #[error("cannot use the key in {path}")]
    Key {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: KeyError,
    },
    /// The list of keys.
    #[error("cannot make the list of trusted keys")]
    Root(#[from] PublishError),
}

impl UpdateSource {
    /// For a release: the first list of trusted keys (`1.root.json` of the repository), and where the repository is.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn load(root: &Path, url: &str, channel: &str) -> Result<Self, UpdatesError> {
        let address = Address { url: Some(url.to_owned()), channel: channel.to_owned() };
        Ok(Self { root: fs::read(root).map_err(at(root))?, address })
    }

    /// With the development key of this folder.
    ///
    /// # Errors
    /// When it cannot be made or kept, or a damaged one is in its place.
    pub fn development(cache: &Path, progress: &dyn Progress) -> Result<Self, UpdatesError> {
        let keys = DevelopmentKeys::open(cache)?;
        progress.step("Trusting updates that are signed by the development key (not for releases)");
        Ok(Self { root: keys.root, address: Address { url: None, channel: DEVELOPMENT_CHANNEL.to_owned() } })
    }

    /// Path in the root image and content.
    pub(crate) fn files(&self) -> Result<[(&'static str, Vec<u8>); 2], serde_json::Error> {
        let address = serde_json::to_vec_pretty(&self.address)?;
        Ok([
            ("usr/share/hearth/update/root.json", self.root.clone()),
            ("usr/share/hearth/update/source.json", address),
        ])
    }
}

/// One key for everything, and the list that names it: for development images and tests.
#[derive(Debug)]
pub struct DevelopmentKeys {
    key: Key,
    root: Vec<u8>,
}

impl DevelopmentKeys {
    /// Those of this folder, made when there are none.
    ///
    /// # Errors
    /// When they cannot be made or kept, or are damaged.
    pub fn open(folder: &Path) -> Result<Self, UpdatesError> {
        let (key_file, root_file) = (folder.join(DEVELOPMENT_KEY), folder.join(DEVELOPMENT_ROOT));
        let bad_key = |source| UpdatesError::Key { path: key_file.clone(), source };
        if !root_file.exists() {
            let (key, pem) = Key::generate().map_err(bad_key)?;
            keep(&key_file, Zeroizing::new(pem).as_bytes()).map_err(at(&key_file))?;
            keep(&root_file, &first_list(folder, &key)?).map_err(at(&root_file))?;
        }
        let pem = Zeroizing::new(fs::read_to_string(&key_file).map_err(at(&key_file))?);
        let key = Key::from_pem(&pem).map_err(bad_key)?;
        Ok(Self { key, root: fs::read(&root_file).map_err(at(&root_file))? })
    }

    /// The list of trusted keys, as it lies in the root image.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A repository in this folder that these keys are trusted in, empty when there was none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn repository(&self, folder: &Path) -> Result<Repository, UpdatesError> {
        let repository = Repository::open(folder.to_owned(), Lifetimes::default(), now())?;
        if repository.newest_root()?.is_none() {
            repository.commit_root(&Draft::decode(&self.root).map_err(PublishError::Draft)?)?;
        }
        Ok(repository)
    }

    /// Who signs what is signed where the repository is made.
    #[must_use]
    pub fn online(&self) -> Online<'_> {
        let keys = std::slice::from_ref(&self.key);
        Online { snapshot: keys, timestamp: keys }
    }
}

/// One key, all roles.
fn first_list(folder: &Path, key: &Key) -> Result<Vec<u8>, UpdatesError> {
    let role = || RolePlan { keys: vec![key.public()], threshold: 1 };
    let plan = RootPlan { root: role(), targets: role(), snapshot: role(), timestamp: role() };
    let repository = Repository::open(folder.join("update-development"), Lifetimes::default(), now())?;
    let mut draft = repository.draft_root(&plan)?;
    draft.sign(key).map_err(PublishError::Draft)?;
    Ok(draft.encode().map_err(PublishError::Draft)?)
}

/// Aside and renamed; nobody else may read it.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let aside = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}

#[expect(clippy::disallowed_methods, reason = "what is signed expires by the clock of whoever signs it")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn at(path: &Path) -> impl Fn(io::Error) -> UpdatesError {
    move |source| UpdatesError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn development_keys_are_made_once_and_fit_their_repository() {
        let cache = tempfile::tempdir().unwrap();
        let first = UpdateSource::development(cache.path(), &Silent).unwrap();
        assert_eq!(UpdateSource::development(cache.path(), &Silent).unwrap(), first);
        let keys = DevelopmentKeys::open(cache.path()).unwrap();
        let [(_, root), (_, address)] = first.files().unwrap();
        assert_eq!(root, keys.root());
        let address: serde_json::Value = serde_json::from_slice(&address).unwrap();
        assert_eq!(address, serde_json::json!({ "channel": "development" }));

        let repository = keys.repository(&cache.path().join("repository")).unwrap();
        let mut list = repository.draft_targets().unwrap();
        list.sign(keys.key()).unwrap();
        repository.commit(Some(&list), &keys.online()).unwrap();
        repository.catalog().unwrap();
    }

    #[test]
    fn a_release_names_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("1.root.json");
        UpdateSource::load(&root, "https://updates.example/", "stable").unwrap_err();
        fs::write(&root, "{}").unwrap();
        let source = UpdateSource::load(&root, "https://updates.example/", "stable").unwrap();
        let [(_, root), (_, address)] = source.files().unwrap();
        assert_eq!(root, b"{}");
        assert!(String::from_utf8(address).unwrap().contains("\"url\": \"https://updates.example/\""));
    }
}
