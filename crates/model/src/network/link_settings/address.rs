//! Addresses that a link can have, with the length of their network's prefix: `192.168.1.5/24`, `2001:db8::5/64`.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// Why a text is no address for a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Not `address/prefix`.
    #[error("an address is written with the length of its prefix, such as 192.168.1.5/24 or 2001:db8::5/64")]
    Form,
    /// Prefix of zero, or longer than the address.
    #[error("the prefix length is out of range")]
    Prefix,
    /// The first address of its network.
    #[error("the address is that of the network itself")]
    Network,
    /// The last address of its network.
    #[error("the address is the broadcast address of its network")]
    Broadcast,
    /// For groups of devices.
    #[error("the address is a multicast address")]
    Multicast,
    /// For the machine itself.
    #[error("the address is a loopback address")]
    Loopback,
    /// Given by machines to themselves.
    #[error("the address is a link-local one, which devices give themselves")]
    LinkLocal,
    /// Of no use to a device.
    #[error("the address is reserved and no device can have it")]
    Reserved,
}

/// An IPv4 address that a device on a network can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceAddress4 {
    address: Ipv4Addr,
    prefix: u8,
}

/// An IPv6 address that a device on a network can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceAddress6 {
    address: Ipv6Addr,
    prefix: u8,
}

impl InterfaceAddress4 {
    /// An address in a network with this prefix length.
    ///
    /// # Errors
    ///
    /// When no device can have it.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Result<Self, InvalidAddress> {
        if !(1..=32).contains(&prefix) {
            return Err(InvalidAddress::Prefix);
        }
        if address.is_loopback() {
            return Err(InvalidAddress::Loopback);
        }
        if address.is_multicast() {
            return Err(InvalidAddress::Multicast);
        }
        if address.is_link_local() {
            return Err(InvalidAddress::LinkLocal);
        }
        if address.octets()[0] == 0 || address.octets()[0] >= 240 {
            return Err(InvalidAddress::Reserved);
        }
        // A network of two (RFC 3021) or of one has neither.
        if prefix < 31 {
            let host_bits = u32::MAX >> prefix;
            match u32::from(address) & host_bits {
                0 => return Err(InvalidAddress::Network),
                bits if bits == host_bits => return Err(InvalidAddress::Broadcast),
                _ => {}
            }
        }
        Ok(Self { address, prefix })
    }

    /// The address.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Prefix length, 1 to 32.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether another address is in the same network.
    #[must_use]
    pub fn contains(&self, other: Ipv4Addr) -> bool {
        (u32::from(self.address) ^ u32::from(other)).leading_zeros() >= u32::from(self.prefix)
    }
}

impl InterfaceAddress6 {
    /// An address in a network with this prefix length.
    ///
    /// # Errors
    ///
    /// When no device can have it, or only by itself.
    pub fn new(address: Ipv6Addr, prefix: u8) -> Result<Self, InvalidAddress> {
        if !(1..=128).contains(&prefix) {
            return Err(InvalidAddress::Prefix);
        }
        if address.is_loopback() {
            return Err(InvalidAddress::Loopback);
        }
        if address.is_multicast() {
            return Err(InvalidAddress::Multicast);
        }
        if address.is_unicast_link_local() {
            return Err(InvalidAddress::LinkLocal);
        }
        if address.is_unspecified() || address.to_ipv4_mapped().is_some() {
            return Err(InvalidAddress::Reserved);
        }
        // The first address of a network means any of its routers (RFC 4291 section 2.6.1); a network of two has none (RFC 6164).
        if prefix < 127 && u128::from(address) & (u128::MAX >> prefix) == 0 {
            return Err(InvalidAddress::Network);
        }
        Ok(Self { address, prefix })
    }

    /// The address.
    #[must_use]
    pub const fn address(&self) -> Ipv6Addr {
        self.address
    }

    /// Prefix length, 1 to 128.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether another address is in the same network.
    #[must_use]
    pub fn contains(&self, other: Ipv6Addr) -> bool {
        (u128::from(self.address) ^ u128::from(other)).leading_zeros() >= u32::from(self.prefix)
    }
}

fn split<T: FromStr>(text: &str) -> Result<(T, u8), InvalidAddress> {
    let (address, prefix) = text.split_once('/').ok_or(InvalidAddress::Form)?;
    let address = address.parse().map_err(|_unreadable| InvalidAddress::Form)?;
    let is_number = !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|b| b.is_ascii_digit());
    let prefix = prefix.parse().ok().filter(|_| is_number).ok_or(InvalidAddress::Prefix)?;
    Ok((address, prefix))
}

impl FromStr for InterfaceAddress4 {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        split(text).and_then(|(address, prefix)| Self::new(address, prefix))
    }
}

impl FromStr for InterfaceAddress6 {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        split(text).and_then(|(address, prefix)| Self::new(address, prefix))
    }
}

impl fmt::Display for InterfaceAddress4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Display for InterfaceAddress6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl TryFrom<String> for InterfaceAddress4 {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for InterfaceAddress6 {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<InterfaceAddress4> for String {
    fn from(address: InterfaceAddress4) -> Self {
        address.to_string()
    }
}

impl From<InterfaceAddress6> for String {
    fn from(address: InterfaceAddress6) -> Self {
        address.to_string()
    }
}
