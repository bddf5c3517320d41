//! What is remembered between two calls: which box, by which certificate it is known, and the session.
//!
//! One file, `$XDG_CONFIG_HOME/hearth/hearthctl.json`, readable by its owner only and replaced as a whole.

use crate::client::SessionToken;
use model::network::app_policy::Version;
use serde::Deserialize;
use serde::Serialize;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

const NAME: &str = "hearthctl.json";
/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// A box that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownBox {
    /// Version of this document; 1.
    version: Version,
    /// `https://hearth.local`, with a port where it is not 443.
    pub url: String,
    /// Where to connect to instead of looking the name up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The household's certificate, PEM.
    pub certificate: String,
    /// The session, while logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionToken>,
}

impl KnownBox {
    /// A box with nobody logged in.
    #[must_use]
    pub const fn new(url: String, address: Option<IpAddr>, certificate: String) -> Self {
        Self { version: Version, url, address, certificate, session: None }
    }
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub struct Store {
    folder: Option<PathBuf>,
}

/// Why nothing can be remembered.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither `XDG_CONFIG_HOME` nor `HOME` is set.
    #[error("find the folder for settings: neither XDG_CONFIG_HOME nor HOME is set")]
    NoFolder,
    /// The file could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The file is none of ours.
    #[error("understand {}", path.display())]
    Strange {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The file could not be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

impl Store {
    /// The user's own (XDG Base Directory Specification: a relative path is ignored).
    #[must_use]
    pub fn of_user() -> Self {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
        Self { folder: base.map(|base| base.join("hearth")) }
    }

    /// In this folder, which need not be there.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// The box of last time, if there is one.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read or understood.
    pub fn load(&self) -> Result<Option<KnownBox>, StoreError> {
        let path = self.folder()?.join(NAME);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
        match read {
            Ok(_) => {
                serde_json::from_str(&text).map(Some).map_err(|source| StoreError::Strange { path, source })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }

    /// Remembers this box instead of any other.
    ///
    /// # Errors
    ///
    /// When it cannot be written; the file from before then still stands.
    pub fn save(&self, known: &KnownBox) -> Result<(), StoreError> {
        let folder = self.folder()?;
        let (path, new) = (folder.join(NAME), folder.join(format!("{NAME}.new")));
        let written = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).and_then(|()| {
            // A leftover of a call that was cut short may have another mode.
            remove(&new)?;
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(known)?)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)
        });
        written.map_err(|source| StoreError::Write { path, source })
    }

    /// Forgets the box.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn forget(&self) -> Result<(), StoreError> {
        let path = self.folder()?.join(NAME);
        remove(&path).map_err(|source| StoreError::Write { path, source })
    }

    fn folder(&self) -> Result<&Path, StoreError> {
        self.folder.as_deref().ok_or(StoreError::NoFolder)
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_kept_is_read_back_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(&folder.path().join("deep/hearth"));
        assert_eq!(store.load().unwrap(), None);
        let mut known = KnownBox::new("https://hearth.local".to_owned(), None, "PEM".to_owned());
        known.session = Some(SessionToken::new("very-secret"));
        store.save(&known).unwrap();
        store.save(&known).unwrap();
        assert_eq!(store.load().unwrap(), Some(known.clone()));
        let mode =
            |path: &str| std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("deep/hearth"), 0o700);
        assert_eq!(mode("deep/hearth/hearthctl.json"), 0o600);
        assert!(!format!("{known:?}").contains("secret"), "{known:?}");
        store.forget().unwrap();
        store.forget().unwrap();
        assert_eq!(store.load().unwrap(), None);
    }

    #[test]
    fn a_strange_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "{\"version\": 1}").unwrap();
        let error = Store::at(folder.path()).load().unwrap_err();
        assert!(error.to_string().ends_with("hearthctl.json"), "{error}");
    }

    #[test]
    fn a_file_of_another_version_is_not_guessed_at() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        store.save(&KnownBox::new("https://hearth.local".to_owned(), None, "PEM".to_owned())).unwrap();
        let file = folder.path().join(NAME);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
        let error = store.load().unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("version 2"), "{cause}");
    }
}
