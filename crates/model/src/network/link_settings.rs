//! What the owner may set for one link. Every value is checked when it is read: a [`LinkSettings`] that exists can be used.
//!
//! A link without settings of its own takes its IPv4 address by DHCP and makes its IPv6 addresses from router advertisements.

mod address;
mod link;

pub use address::InterfaceAddress4;
pub use address::InterfaceAddress6;
pub use address::InvalidAddress;
pub use link::InvalidLinkName;
pub use link::InvalidMac;
pub use link::InvalidMetric;
pub use link::InvalidMtu;
pub use link::LinkName;
pub use link::MacAddress;
pub use link::Metric;
pub use link::Mtu;

use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeSet;
use std::hash::Hash;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// Addresses of one family on one link, at most.
pub const MOST_ADDRESSES: usize = 16;
/// Smallest MTU over which IPv6 works (RFC 8200 section 5); the kernel takes IPv6 off a link below it.
pub const SMALLEST_IPV6_MTU: u16 = 1280;

/// Settings of one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct LinkSettings {
    matching: Matching,
    ipv4: Ipv4Settings,
    ipv6: Ipv6Settings,
    mtu: Option<Mtu>,
    metric: Option<Metric>,
}

/// Which link is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Matching {
    /// The link with this hardware address, whatever the kernel calls it.
    Mac(MacAddress),
    /// The link with this kernel name.
    Name(LinkName),
}

/// How a link gets its IPv4 addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ipv4Settings {
    /// From a DHCP server, and a link-local one while none answers.
    #[default]
    Dhcp,
    /// From the owner.
    Static(StaticIpv4),
    /// None.
    Off,
}

/// IPv4 addresses that the owner chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticIpv4 {
    /// At least one.
    pub addresses: Vec<InterfaceAddress4>,
    /// The way to everywhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv4Addr>,
}

/// How a link gets its IPv6 addresses, besides the link-local one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ipv6Settings {
    /// From router advertisements, and from DHCPv6 where these offer it.
    #[default]
    Automatic,
    /// From the owner; router advertisements are not heeded.
    Static(StaticIpv6),
    /// No IPv6 on this link at all.
    Off,
}

/// IPv6 addresses that the owner chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticIpv6 {
    /// At least one.
    pub addresses: Vec<InterfaceAddress6>,
    /// The way to everywhere else; may be a link-local address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv6Addr>,
}

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLinkSettings {
    /// Static without an address.
    #[error("a fixed address is chosen but none is given")]
    NoAddress,
    /// More than [`MOST_ADDRESSES`].
    #[error("a link has at most {MOST_ADDRESSES} addresses of one kind")]
    TooManyAddresses,
    /// An address is there twice.
    #[error("the address {address} is given twice")]
    Duplicate {
        /// Which.
        address: String,
    },
    /// No address of the link shares a network with the gateway.
    #[error("the gateway {gateway} is in the network of none of the addresses")]
    GatewayElsewhere {
        /// The gateway.
        gateway: String,
    },
    /// The gateway is the box itself.
    #[error("the gateway {gateway} is one of the box's own addresses")]
    GatewayIsOwn {
        /// The gateway.
        gateway: String,
    },
    /// No device can have the gateway's address.
    #[error("the gateway {gateway} is no device's address")]
    GatewayIsNoHost {
        /// The gateway.
        gateway: String,
    },
    /// IPv6 does not work over so small an MTU.
    #[error("IPv6 needs an MTU of at least {SMALLEST_IPV6_MTU}; switch IPv6 off or choose a larger one")]
    MtuTooSmallForIpv6,
}

/// As written, before the parts are checked against each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    matching: Matching,
    #[serde(default)]
    ipv4: Ipv4Settings,
    #[serde(default)]
    ipv6: Ipv6Settings,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mtu: Option<Mtu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metric: Option<Metric>,
}

impl LinkSettings {
    /// Settings of one link.
    ///
    /// # Errors
    ///
    /// When parts that are good by themselves do not fit together.
    pub fn new(
        matching: Matching,
        ipv4: Ipv4Settings,
        ipv6: Ipv6Settings,
        mtu: Option<Mtu>,
        metric: Option<Metric>,
    ) -> Result<Self, InvalidLinkSettings> {
        if let Ipv4Settings::Static(fixed) = &ipv4 {
            check_4(fixed)?;
        }
        if let Ipv6Settings::Static(fixed) = &ipv6 {
            check_6(fixed)?;
        }
        if ipv6 != Ipv6Settings::Off && mtu.is_some_and(|mtu| mtu.bytes() < SMALLEST_IPV6_MTU) {
            return Err(InvalidLinkSettings::MtuTooSmallForIpv6);
        }
        Ok(Self { matching, ipv4, ipv6, mtu, metric })
    }

    /// Which link is meant.
    #[must_use]
    pub const fn matching(&self) -> &Matching {
        &self.matching
    }

    /// How it gets its IPv4 addresses.
    #[must_use]
    pub const fn ipv4(&self) -> &Ipv4Settings {
        &self.ipv4
    }

    /// How it gets its IPv6 addresses.
    #[must_use]
    pub const fn ipv6(&self) -> &Ipv6Settings {
        &self.ipv6
    }

    /// Its largest packet; none leaves it to the network.
    #[must_use]
    pub const fn mtu(&self) -> Option<Mtu> {
        self.mtu
    }

    /// How much its way to everywhere else is preferred; lower is better, none leaves it to the order of the links.
    #[must_use]
    pub const fn metric(&self) -> Option<Metric> {
        self.metric
    }

    /// The settings of the link with this hardware address and name. Those that name the hardware win: a name may pass to another
    /// link when hardware is added.
    #[must_use]
    pub fn find<'a>(all: &'a [Self], mac: MacAddress, name: &str) -> Option<&'a Self> {
        let by_mac = |settings: &&Self| settings.matching == Matching::Mac(mac);
        let by_name =
            |settings: &&Self| matches!(&settings.matching, Matching::Name(given) if given.as_str() == name);
        all.iter().find(by_mac).or_else(|| all.iter().find(by_name))
    }
}

fn check_4(fixed: &StaticIpv4) -> Result<(), InvalidLinkSettings> {
    check_list(fixed.addresses.iter().map(InterfaceAddress4::address))?;
    let Some(gateway) = fixed.gateway else {
        return Ok(());
    };
    let words = || gateway.to_string();
    if fixed.addresses.iter().any(|own| own.address() == gateway) {
        return Err(InvalidLinkSettings::GatewayIsOwn { gateway: words() });
    }
    let Some(network) = fixed.addresses.iter().find(|own| own.contains(gateway)) else {
        return Err(InvalidLinkSettings::GatewayElsewhere { gateway: words() });
    };
    match InterfaceAddress4::new(gateway, network.prefix()) {
        Ok(_host) => Ok(()),
        Err(_no_host) => Err(InvalidLinkSettings::GatewayIsNoHost { gateway: words() }),
    }
}

fn check_6(fixed: &StaticIpv6) -> Result<(), InvalidLinkSettings> {
    check_list(fixed.addresses.iter().map(InterfaceAddress6::address))?;
    let Some(gateway) = fixed.gateway else {
        return Ok(());
    };
    let words = || gateway.to_string();
    if fixed.addresses.iter().any(|own| own.address() == gateway) {
        return Err(InvalidLinkSettings::GatewayIsOwn { gateway: words() });
    }
    if gateway.is_unicast_link_local() {
        return Ok(());
    }
    let Some(network) = fixed.addresses.iter().find(|own| own.contains(gateway)) else {
        return Err(InvalidLinkSettings::GatewayElsewhere { gateway: words() });
    };
    match InterfaceAddress6::new(gateway, network.prefix()) {
        Ok(_host) => Ok(()),
        Err(_no_host) => Err(InvalidLinkSettings::GatewayIsNoHost { gateway: words() }),
    }
}

fn check_list<T: Copy + Eq + Hash + Ord + ToString>(
    addresses: impl ExactSizeIterator<Item = T>,
) -> Result<(), InvalidLinkSettings> {
    match addresses.len() {
        0 => return Err(InvalidLinkSettings::NoAddress),
        1..=MOST_ADDRESSES => {}
        _ => return Err(InvalidLinkSettings::TooManyAddresses),
    }
    let mut seen = BTreeSet::new();
    for address in addresses {
        if !seen.insert(address) {
            return Err(InvalidLinkSettings::Duplicate { address: address.to_string() });
        }
    }
    Ok(())
}

impl TryFrom<Written> for LinkSettings {
    type Error = InvalidLinkSettings;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        Self::new(written.matching, written.ipv4, written.ipv6, written.mtu, written.metric)
    }
}

impl From<LinkSettings> for Written {
    fn from(settings: LinkSettings) -> Self {
        let LinkSettings { matching, ipv4, ipv6, mtu, metric } = settings;
        Self { matching, ipv4, ipv6, mtu, metric }
    }
}

#[cfg(test)]
mod tests;
