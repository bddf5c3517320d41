//! Values that belong to the link itself: hardware address, name, MTU, metric.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Hardware address of one network card, `52:54:00:12:34:56`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress([u8; 6]);

/// Why a text is no card's hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMac {
    /// Not six pairs of digits.
    #[error("a hardware address has six pairs of hexadecimal digits with colons between them")]
    Form,
    /// All zero, or for groups of devices.
    #[error("no single network card has this hardware address")]
    NoCard,
}

/// Kernel name of a link: 1 to 15 visible ASCII characters without `/` and `:` (`dev_valid_name` of net/core/dev.c).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkName(String);

/// The text is no kernel name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a link's name has 1 to 15 letters, digits and signs, without / and :")]
pub struct InvalidLinkName;

/// Largest packet of a link in bytes, 576 to 9000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Mtu(u16);

/// The number is no MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an MTU is from {} to {}", Mtu::SMALLEST, Mtu::LARGEST)]
pub struct InvalidMtu;

/// Preference of a link's way to everywhere else, 1 to 9999; lower is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Metric(u32);

/// The number is no metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a metric is from 1 to {}", Metric::LARGEST)]
pub struct InvalidMetric;

impl MacAddress {
    /// From the bytes on the wire.
    ///
    /// # Errors
    ///
    /// When no single card can have it.
    pub fn new(bytes: [u8; 6]) -> Result<Self, InvalidMac> {
        // The lowest bit of the first byte marks a group (IEEE 802-2014 section 8.2.2).
        let is_card = bytes != [0; 6] && bytes[0] & 1 == 0;
        if is_card { Ok(Self(bytes)) } else { Err(InvalidMac::NoCard) }
    }

    /// The bytes on the wire.
    #[must_use]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl LinkName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Mtu {
    /// What every IPv4 host must take (RFC 1122 section 3.3.2).
    pub const SMALLEST: u16 = 576;
    /// The usual size of jumbo frames.
    pub const LARGEST: u16 = 9000;

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u16 {
        self.0
    }
}

impl Metric {
    /// Leaves room above for ways that are known not to work.
    pub const LARGEST: u32 = 9999;

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u16> for Mtu {
    type Error = InvalidMtu;

    fn try_from(bytes: u16) -> Result<Self, Self::Error> {
        if (Self::SMALLEST..=Self::LARGEST).contains(&bytes) { Ok(Self(bytes)) } else { Err(InvalidMtu) }
    }
}

impl From<Mtu> for u16 {
    fn from(mtu: Mtu) -> Self {
        mtu.0
    }
}

impl TryFrom<u32> for Metric {
    type Error = InvalidMetric;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if (1..=Self::LARGEST).contains(&number) { Ok(Self(number)) } else { Err(InvalidMetric) }
    }
}

impl From<Metric> for u32 {
    fn from(metric: Metric) -> Self {
        metric.0
    }
}

impl FromStr for MacAddress {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(InvalidMac::Form)?;
            *byte = u8::from_str_radix(part, 16)
                .ok()
                .filter(|_| !part.starts_with('+'))
                .ok_or(InvalidMac::Form)?;
        }
        if parts.next().is_some() { Err(InvalidMac::Form) } else { Self::new(bytes) }
    }
}

impl FromStr for LinkName {
    type Err = InvalidLinkName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_good = (1..=15).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':')
            && text != "."
            && text != "..";
        if is_good { Ok(Self(text.to_owned())) } else { Err(InvalidLinkName) }
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl TryFrom<String> for MacAddress {
    type Error = InvalidMac;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for LinkName {
    type Error = InvalidLinkName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> Self {
        mac.to_string()
    }
}

impl From<LinkName> for String {
    fn from(name: LinkName) -> Self {
        name.0
    }
}
