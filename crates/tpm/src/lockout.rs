//! The TPM's protection against guessing (dictionary attack logic, TPM 2.0 Library, part 1, 19.8); read only.

use std::time::Duration;

use tss_esapi::constants::CapabilityType;
use tss_esapi::constants::PropertyTag;
use tss_esapi::structures::CapabilityData;

use crate::Tpm;
use crate::TpmError;

/// State of the protection against guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Wrong tries that count now.
    pub counter: u32,
    /// As many lead into lockout; none are allowed when it is 0.
    pub max: u32,
    /// After this time without a wrong try the counter falls by one; never when it is zero.
    pub interval: Duration,
    /// Whether it is in lockout now.
    pub locked: bool,
}

/// `inLockout` in TPMA_PERMANENT (part 2, 8.6).
const IN_LOCKOUT: u32 = 1 << 9;
/// `ownerAuthSet`, ibidem.
const OWNER_PASSWORD: u32 = 1;

impl Tpm {
    /// Reads the state of the protection against guessing.
    ///
    /// # Errors
    /// When the TPM does not answer or refuses.
    pub fn lockout(&mut self) -> Result<Lockout, TpmError> {
        let interval = self.property(PropertyTag::LockoutInterval)?;
        Ok(Lockout {
            counter: self.property(PropertyTag::LockoutCounter)?,
            max: self.property(PropertyTag::MaxAuthFail)?,
            interval: Duration::from_secs(interval.into()),
            locked: self.property(PropertyTag::Permanent)? & IN_LOCKOUT != 0,
        })
    }

    /// Whether somebody has set a password for the owner hierarchy: then nothing is made under it without that.
    ///
    /// # Errors
    /// When the TPM does not answer or refuses.
    pub fn has_owner_password(&mut self) -> Result<bool, TpmError> {
        Ok(self.property(PropertyTag::Permanent)? & OWNER_PASSWORD != 0)
    }

    /// Asks each time: the library's own call answers from what it was told once.
    fn property(&mut self, tag: PropertyTag) -> Result<u32, TpmError> {
        let doing = "reading properties";
        let (data, _) = self
            .plain(doing, |context| context.get_capability(CapabilityType::TpmProperties, tag.into(), 1))?;
        let missing = tss_esapi::Error::WrapperError(tss_esapi::WrapperErrorKind::WrongValueFromTpm);
        let value = if let CapabilityData::TpmProperties(properties) = &data {
            properties.find(tag).map(|property| property.value())
        } else {
            None
        };
        value.ok_or_else(|| TpmError::new(doing, missing))
    }
}
