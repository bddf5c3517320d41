//! The storage primary and the sessions that are salted with it.

use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::handles::KeyHandle;
use tss_esapi::handles::SessionHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::Public;
use tss_esapi::structures::SymmetricDefinition;
use tss_esapi::traits::Marshall;
use tss_esapi::traits::UnMarshall;

use pcr::Digest;

use crate::Tpm;
use crate::TpmError;
use crate::template;

/// The storage primary, loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storage {
    pub(crate) key: KeyHandle,
    /// The digest in its Name; computed here from the public area that sessions are salted with.
    pub(crate) name: Digest,
}

/// Which parameters a session encrypts. A command that has none to encrypt refuses a session that wants to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encrypts {
    BothWays,
    Answer,
}

impl Tpm {
    /// Makes the storage primary.
    pub(crate) fn storage(&mut self) -> Result<Storage, TpmError> {
        let doing = "making the storage primary";
        let template = decode_public(doing, &template::storage_primary())?;
        let made = self.with_empty_password(doing, |context| {
            context.create_primary(Hierarchy::Owner, template, None, None, None, None)
        })?;
        self.loads(made.key_handle);
        let public = made.out_public.marshall().map_err(|source| TpmError::new(doing, source))?;
        Ok(Storage { key: made.key_handle, name: Digest::of(&[&public]) })
    }

    /// Starts a session that is salted with the storage primary.
    pub(crate) fn session(
        &mut self,
        storage: &Storage,
        kind: SessionType,
        encrypts: Encrypts,
    ) -> Result<AuthSession, TpmError> {
        let doing = "starting a session";
        let key = storage.key;
        let session = self.plain(doing, |context| {
            let cipher = SymmetricDefinition::AES_128_CFB;
            context.start_auth_session(Some(key), None, None, kind, cipher, HashingAlgorithm::Sha256)
        })?;
        let missing = tss_esapi::Error::WrapperError(tss_esapi::WrapperErrorKind::WrongValueFromTpm);
        let session = session.ok_or_else(|| TpmError::new(doing, missing))?;
        self.loads(SessionHandle::from(session));
        let (attributes, mask) = SessionAttributesBuilder::new()
            .with_continue_session(true)
            .with_decrypt(encrypts == Encrypts::BothWays)
            .with_encrypt(true)
            .build();
        self.plain(doing, |context| context.tr_sess_set_attributes(session, attributes, mask))?;
        Ok(session)
    }
}

/// Reads a public area.
pub(crate) fn decode_public(doing: &'static str, bytes: &[u8]) -> Result<Public, TpmError> {
    Public::unmarshall(bytes).map_err(|source| TpmError::new(doing, source))
}
