//! What hostd keeps of an app: whose it is, what is installed, and what is being done to it, so that a cut is finished or undone.

use super::data::AppSecret;
use super::flow::Phase;
use super::permission::Permission;
use crate::accounts::credentials::UserName;
use app_manifest::ContainerName;
use app_manifest::Manifest;
use model::apps::AppId;
use model::containers::ImageChoice;
use model::network::names::AppKey;
use model::network::names::InvalidKey;
use model::network::names::WorkspaceKey;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::num::NonZeroU16;

/// An app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRecord {
    /// Random; never changes, and no other app ever has it.
    pub key: AppKey,
    /// By which people call it; the owner may change it. No two apps of the box have one.
    pub id: AppId,
    /// Whose it is.
    pub owner: Owner,
    /// How far it is.
    pub phase: Phase,
    /// Why the last thing that was done to it came to nothing, in plain words.
    #[serde(default)]
    pub problem: Option<String>,
    /// Of which the key of its data is made; nothing for a user's, and as long as there is no data.
    #[serde(default)]
    pub secret: Option<AppSecret>,
}

/// Whose an app is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// One user's. Nobody else sees it.
    User(UserName),
    /// Everybody's; the owner of the box manages it.
    Household,
}

/// A version of an app as it runs: what it says of itself, what it was given, and its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    /// What it says of itself.
    pub manifest: Manifest,
    /// What it was given of what it asks for.
    pub granted: BTreeSet<Permission>,
    /// The apps it was shown to reach, by the keys that they had then: another app of the same ID is another app.
    pub links: BTreeMap<AppId, AppKey>,
    /// The port that it is told to serve its APIs at.
    pub assigned_port: NonZeroU16,
    /// Its images; empty until they are pulled.
    pub images: BTreeMap<ContainerName, ImageChoice>,
    /// Whether the manifest was made from the name of an image: page and folders are then as the image says.
    pub is_bare: bool,
}

impl Owner {
    /// The network that its apps share.
    ///
    /// # Errors
    ///
    /// Never; the key is checked by type.
    pub fn workspace(&self) -> Result<WorkspaceKey, InvalidKey> {
        match self {
            Self::Household => "household".parse(),
            Self::User(name) => {
                let digest = Sha256::digest(name.as_str());
                let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
                format!("user-{hex}").parse()
            }
        }
    }
}

impl AppRecord {
    /// The version that is installed, or on its way.
    #[must_use]
    pub const fn edition(&self) -> &Edition {
        self.phase.edition()
    }

    /// Whether the app itself is gone and only its data is left.
    #[must_use]
    pub const fn is_leftover(&self) -> bool {
        matches!(self.phase, Phase::Removed { .. })
    }
}

/// Makes a key.
///
/// # Errors
///
/// When the kernel gives no random bytes.
pub fn new_key() -> Result<AppKey, KeyError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().map_err(KeyError::Shape)
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The kernel gave no random bytes.
    #[error("draw random bytes")]
    Random(#[source] getrandom::Error),
    /// It is none. Never: it is made of digits.
    #[error("make a key of them")]
    Shape(#[source] InvalidKey),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_people_are_called_their_workspace_has_a_key_of_its_own() {
        let key = |name: &str| Owner::User(name.to_owned().try_into().unwrap()).workspace().unwrap();
        assert_ne!(key("anna"), key("Änna"));
        assert_eq!(key("Änna \u{1f333}").as_str().len(), 37);
        assert_eq!(Owner::Household.workspace().unwrap().as_str(), "household");
    }

    #[test]
    fn keys_are_of_128_bits_and_never_the_same() {
        let key = new_key().unwrap();
        assert_eq!(key.as_str().len(), 32);
        assert_ne!(new_key().unwrap(), key);
    }
}
