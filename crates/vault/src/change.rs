//! Changes of a vault: each takes a document and gives the next one, to be written in one commit.
//!
//! Only an [`OpenVault`] changes a document. An administrator who resets a password has none: the account gets its new
//! password, the vault keeps the old wrap and stays locked until another credential of the user opens it.

use crate::credential::Credential;
use crate::credential::CredentialError;
use crate::credential::CredentialKind;
use crate::document::CREDENTIALS_MAX;
use crate::document::DecodeError;
use crate::document::Entry;
use crate::document::Place;
use crate::document::VaultDocument;
use crate::names::CredentialId;
use crate::names::UserId;
use crate::open::CredentialKeys;
use crate::open::OpenVault;
use crate::open::key_of_previous;
use crate::seal::public_of;
use crate::seal::wrap;
use crate::seal::wrap_for;
use crate::secret::RandomError;
use crate::secret::Secret;
use crate::secret::VaultKey;
use crate::secret::random;

/// Why a vault was not changed; the document in hand is still good.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The vault was opened from another document, or before a rotation.
    #[error("the vault has changed since it was opened; open it again")]
    NotOpened,
    /// There is no such credential.
    #[error("the vault has no such credential")]
    NoSuchCredential,
    /// There is one, and one is all there can be.
    #[error("the vault has a {kind} already; replace it instead")]
    OnlyOne {
        /// What it has.
        kind: CredentialKind,
    },
    /// Nothing would be left that opens the vault.
    #[error("nothing would be left that opens the vault")]
    LastCredential,
    /// No more fit.
    #[error("the vault has {CREDENTIALS_MAX} credentials, no more fit")]
    TooMany,
    /// A rotation has begun and not ended.
    #[error("the vault's key is being changed already")]
    Rotating,
    /// No rotation has begun.
    #[error("the vault's key is not being changed")]
    NotRotating,
    /// The credential gave no key.
    #[error("could not make a key of the new credential")]
    Credential {
        /// Why.
        #[source]
        source: CredentialError,
    },
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The next document would be none.
    #[error("the changed document could not be read again")]
    Document {
        /// Why.
        #[source]
        source: DecodeError,
    },
}

impl VaultDocument {
    /// Makes a user's vault with a first credential, which must be one that this version opens.
    ///
    /// # Errors
    /// When the credential gives no key or no random bytes are there.
    pub fn create(user: UserId, first: &dyn Credential) -> Result<(Self, OpenVault), ChangeError> {
        let mut document = Self::blank(user);
        let (anchor, current) = (random()?, VaultKey::random()?);
        let entry = document.entry(first, &anchor, &current)?;
        let credential = entry.id;
        document.credentials.push(entry);
        let document = document.finish(&current)?;
        let user = document.user.clone();
        Ok((document, OpenVault { user, credential, anchor, current, previous: None }))
    }

    /// Adds a credential.
    ///
    /// # Errors
    /// [`ChangeError::OnlyOne`] for a second password or recovery code, [`ChangeError::TooMany`], and what goes wrong with the
    /// credential.
    pub fn add(
        &self,
        vault: &OpenVault,
        credential: &dyn Credential,
    ) -> Result<(Self, CredentialId), ChangeError> {
        let mut next = self.opened_by(vault)?;
        let kind = credential.kind();
        if kind.is_single() && next.credentials.iter().any(|entry| entry.kind == kind) {
            return Err(ChangeError::OnlyOne { kind });
        }
        if next.credentials.len() >= CREDENTIALS_MAX {
            return Err(ChangeError::TooMany);
        }
        let entry = next.entry(credential, &vault.anchor, &vault.current)?;
        let id = entry.id;
        next.credentials.push(entry);
        Ok((next.finish(&vault.current)?, id))
    }

    /// Puts a credential in the place of another: a new password, a new recovery code.
    ///
    /// # Errors
    /// As [`Self::add`] and [`Self::remove`].
    pub fn replace(
        &self,
        vault: &OpenVault,
        old: CredentialId,
        credential: &dyn Credential,
    ) -> Result<(Self, CredentialId), ChangeError> {
        let mut next = self.opened_by(vault)?;
        let place = next.place_of(old)?;
        let kind = credential.kind();
        let has_another = |entry: &Entry| entry.kind == kind && entry.id != old;
        if kind.is_single() && next.credentials.iter().any(has_another) {
            return Err(ChangeError::OnlyOne { kind });
        }
        let entry = next.entry(credential, &vault.anchor, &vault.current)?;
        let id = entry.id;
        next.credentials[place] = entry;
        Ok((next.finish(&vault.current)?, id))
    }

    /// Removes a credential. Whoever kept a copy of the document still opens that copy with it; begin a rotation to shut it
    /// out of what is written from now on.
    ///
    /// # Errors
    /// [`ChangeError::LastCredential`] when none would be left that this version opens.
    pub fn remove(&self, vault: &OpenVault, old: CredentialId) -> Result<Self, ChangeError> {
        let mut next = self.opened_by(vault)?;
        let place = next.place_of(old)?;
        next.credentials.remove(place);
        next.finish(&vault.current)
    }

    /// Begins to change the vault key: the new one is wrapped for every credential, whichever is at hand, and the one before
    /// stays readable until [`Self::finish_rotation`].
    ///
    /// # Errors
    /// [`ChangeError::Rotating`] until the rotation before is finished.
    pub fn begin_rotation(&self, vault: &OpenVault) -> Result<(Self, OpenVault), ChangeError> {
        let mut next = self.opened_by(vault)?;
        if next.is_rotating() {
            return Err(ChangeError::Rotating);
        }
        let current = VaultKey::random()?;
        next.key_number += 1;
        next.previous =
            Some(wrap(&key_of_previous(&current), &next.place_of_previous(), vault.current.expose())?);
        for entry in &mut next.credentials {
            let associated = entry.place(&next.user).of_current(next.key_number);
            entry.current = wrap_for(&entry.public, &vault.anchor, &associated, current.expose())?;
        }
        let next = next.finish(&current)?;
        let vault = OpenVault { current, previous: Some(vault.current.clone()), ..vault.clone() };
        Ok((next, vault))
    }

    /// Ends a rotation: call it when nothing lies under the previous key any more, which is gone afterwards.
    ///
    /// # Errors
    /// [`ChangeError::NotRotating`] when none has begun.
    pub fn finish_rotation(&self, vault: &OpenVault) -> Result<(Self, OpenVault), ChangeError> {
        let mut next = self.opened_by(vault)?;
        if next.previous.take().is_none() {
            return Err(ChangeError::NotRotating);
        }
        Ok((next.finish(&vault.current)?, OpenVault { previous: None, ..vault.clone() }))
    }

    /// Copies the document for a change, if the vault was opened from it or from one before with the same key.
    fn opened_by(&self, vault: &OpenVault) -> Result<Self, ChangeError> {
        if vault.user == self.user && self.is_sealed_by(&vault.current) {
            Ok(self.clone())
        } else {
            Err(ChangeError::NotOpened)
        }
    }

    fn place_of(&self, id: CredentialId) -> Result<usize, ChangeError> {
        self.credentials.iter().position(|entry| entry.id == id).ok_or(ChangeError::NoSuchCredential)
    }

    /// The last step of every change.
    fn finish(self, current: &VaultKey) -> Result<Self, ChangeError> {
        if !self.credentials.iter().any(|entry| entry.kind.is_usable()) {
            return Err(ChangeError::LastCredential);
        }
        self.sealed(current).map_err(|source| ChangeError::Document { source })
    }

    fn entry(
        &self,
        credential: &dyn Credential,
        anchor: &Secret,
        current: &VaultKey,
    ) -> Result<Entry, ChangeError> {
        let failed = |source| ChangeError::Credential { source };
        let parameters = credential.new_parameters().map_err(failed)?;
        let keys = CredentialKeys::of(&credential.key_encryption_key(&parameters).map_err(failed)?);
        let (id, kind, public) = (CredentialId::random()?, credential.kind(), public_of(&keys.private));
        let place = Place { user: &self.user, id, kind: &kind, parameters: &parameters, public: &public };
        let wrapped_anchor = wrap(&keys.anchor_key, &place.of_anchor(), anchor)?;
        let current = wrap_for(&public, anchor, &place.of_current(self.key_number), current.expose())?;
        Ok(Entry { id, kind, parameters, public, anchor: wrapped_anchor, current })
    }
}
