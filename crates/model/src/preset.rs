//! What an owner decided before the box's first start: a small file on the boot partition (docs/flashing.md).
//!
//! `hearthctl flash` writes it, PID 1 takes it up and gives each daemon its part. It has secrets, so it is removed once it was taken up.

mod claim_code;
mod places;
mod wifi;

pub use claim_code::ClaimCode;
pub use claim_code::InvalidClaimCode;
pub use places::InvalidLocale;
pub use places::InvalidTimeZone;
pub use places::Locale;
pub use places::TimeZone;
pub use wifi::Country;
pub use wifi::InvalidWifi;
pub use wifi::Passphrase;
pub use wifi::Ssid;
pub use wifi::Wifi;

use crate::names::HostName;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

/// Name of the file at the top of the boot partition.
pub const FILE: &str = "hearth-preset.json";
/// Longest file that is read, in bytes.
pub const MAX_BYTES: usize = 4096;

/// Everything that can be decided beforehand; what is absent is asked for at set-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    version: Version,
    /// The code that makes its first user the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_code: Option<ClaimCode>,
    /// Name of the box until its owner chooses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<HostName>,
    /// The wireless network to join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wifi: Option<Wifi>,
    /// Where the box is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// Language of its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
}

/// The only version there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct Version;

impl TryFrom<u32> for Version {
    type Error = UnknownVersion;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if number == 1 { Ok(Self) } else { Err(UnknownVersion { number }) }
    }
}

impl From<Version> for u32 {
    fn from(_one: Version) -> Self {
        1
    }
}

#[derive(Debug, thiserror::Error)]
#[error("version {number} is not known, only 1 is")]
struct UnknownVersion {
    number: u32,
}

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// More than [`MAX_BYTES`].
    #[error("{FILE} is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// No JSON, or not what belongs there. The source names line and column; it may quote what stands there, so it is for the owner's eyes.
    #[error("understand {FILE}")]
    Content {
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },
}

impl PresetError {
    /// Where the first mistake is, without a word of the content: for reports that more people see than the file.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::TooLong => self.to_string(),
            Self::Content { source } => {
                format!("{FILE} has a mistake in line {}, column {}", source.line(), source.column())
            }
        }
    }
}

impl Preset {
    /// Understands a file.
    ///
    /// # Errors
    /// When it is too long, no JSON, or says something that cannot be; then nothing of it counts.
    pub fn parse(bytes: &[u8]) -> Result<Self, PresetError> {
        if bytes.len() > MAX_BYTES {
            return Err(PresetError::TooLong);
        }
        serde_json::from_slice(bytes).map_err(|source| PresetError::Content { source })
    }

    /// The file's content; `None` when it would be longer than [`MAX_BYTES`], which no values of these types are.
    #[must_use]
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(serde_json::to_vec_pretty(self).ok()?);
        bytes.push(b'\n');
        (bytes.len() <= MAX_BYTES).then_some(bytes)
    }

    /// Whether it decides anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The part that is hostd's: everything but the wireless network.
    #[must_use]
    pub fn of_host(&self) -> Self {
        Self { wifi: None, ..self.clone() }
    }

    /// The part that is netd's: the wireless network.
    #[must_use]
    pub fn of_network(&self) -> Self {
        Self { wifi: self.wifi.clone(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
