//! A wireless network.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// A network to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wifi {
    /// Its name.
    pub ssid: Ssid,
    /// Its passphrase; without one it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Passphrase>,
    /// Whose rules for radio hold where the box is.
    pub country: Country,
}

/// Name of a network: 1 to 32 bytes (IEEE 802.11, 9.4.2.2), of text without control characters here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ssid(String);

/// Passphrase: 8 to 63 printable ASCII characters (IEEE 802.11, J.4.1). Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Passphrase(Zeroizing<String>);

/// Country of two capital letters (ISO 3166-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country(String);

/// Why a text is no part of a wireless network; never with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWifi {
    /// The name.
    #[error("the name of a wireless network has 1 to 32 bytes and no control characters")]
    Ssid,
    /// The passphrase.
    #[error("the passphrase of a wireless network has 8 to 63 characters of ASCII")]
    Passphrase,
    /// The country.
    #[error("a country is two capital letters, such as DE")]
    Country,
}

impl Ssid {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Passphrase {
    /// The secret itself, for whoever joins the network.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Country {
    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Ssid {
    type Err = InvalidWifi;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=32).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidWifi::Ssid) }
    }
}

impl FromStr for Passphrase {
    type Err = InvalidWifi;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (8..=63).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'));
        if fits { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidWifi::Passphrase) }
    }
}

impl FromStr for Country {
    type Err = InvalidWifi;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidWifi::Country) }
    }
}

impl TryFrom<String> for Ssid {
    type Error = InvalidWifi;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for Passphrase {
    type Error = InvalidWifi;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Zeroizing::new(text).parse()
    }
}

impl TryFrom<String> for Country {
    type Error = InvalidWifi;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Ssid> for String {
    fn from(ssid: Ssid) -> Self {
        ssid.0
    }
}

impl From<Passphrase> for String {
    fn from(passphrase: Passphrase) -> Self {
        passphrase.0.to_string()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}
