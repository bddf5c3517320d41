//! How the documents of one link look.

use serde::Serialize;
use utoipa::ToSchema;

/// Everything that is known of a link.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkReport {
    /// Kernel name.
    name: String,
    /// What it is.
    kind: LinkKind,
    /// Hardware address.
    mac: String,
    /// Whether it works.
    state: LinkState,
    /// In millions of bits a second; none when the hardware does not tell.
    speed_mbit: Option<u32>,
    /// Largest packet in bytes.
    mtu: u32,
    /// Its addresses.
    addresses: Vec<AddressReport>,
    /// Ways to everywhere else, best first.
    gateways: Vec<GatewayReport>,
    /// Name servers that the network offers; the box does not use them.
    #[schema(example = json!(["192.168.1.1"]))]
    dns: Vec<String>,
    /// Time servers that the network offers, addresses and names.
    ntp: Vec<String>,
    /// Domains that the network offers for short names.
    domains: Vec<String>,
    /// What does not work, in plain words.
    problems: Vec<String>,
}

/// What a link is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LinkKind {
    /// A cable.
    Ethernet,
}

/// Whether a link works.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LinkState {
    /// Switched off.
    Down,
    /// No cable, or nothing at its other end.
    NoCarrier,
    /// In use.
    Up,
}

/// An address of a link.
#[derive(Serialize, ToSchema)]
pub(crate) struct AddressReport {
    /// The address.
    address: String,
    /// Prefix length of its network.
    prefix: u8,
    /// Where it comes from.
    origin: AddressOrigin,
    /// When it ends, in seconds since 1970 by the box's clock; none means never.
    valid_until_unix: Option<u64>,
}

/// Where an address comes from.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AddressOrigin {
    /// A DHCPv4 server.
    Dhcp,
    /// The owner.
    Static,
    /// Router advertisements.
    Slaac,
    /// A DHCPv6 server.
    Dhcpv6,
    /// The box itself, for this link only.
    LinkLocal,
    /// Somebody else, or left from before a restart.
    Unknown,
}

/// A way to everywhere else.
#[derive(Serialize, ToSchema)]
pub(crate) struct GatewayReport {
    /// The router's address.
    address: String,
    /// Preference; lower is better.
    metric: u32,
    /// Whether the router answers.
    answers: bool,
}

/// What the owner chose for one link. Without any, it takes an IPv4 address by DHCP and makes its IPv6 addresses from router
/// advertisements.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkSettings {
    /// Which link is meant.
    matching: Matching,
    /// Its IPv4 addresses; `dhcp` when absent.
    #[serde(default)]
    ipv4: Ipv4Settings,
    /// Its IPv6 addresses besides the link-local one; `automatic` when absent.
    #[serde(default)]
    ipv6: Ipv6Settings,
    /// Largest packet in bytes, 576 to 9000, with IPv6 from 1280; the network decides when absent.
    #[serde(default)]
    mtu: Option<u16>,
    /// Preference of its way to everywhere else, 1 to 9999; lower is better, the order of the links decides when absent.
    #[serde(default)]
    metric: Option<u32>,
}

/// Which link is meant. One with a fitting hardware address counts before one with a fitting name.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Matching {
    /// The link with this hardware address.
    Mac(String),
    /// The link with this kernel name.
    Name(String),
}

/// How a link gets its IPv4 addresses.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ipv4Settings {
    /// From a DHCP server.
    #[default]
    Dhcp,
    /// From the owner.
    Static(StaticIpv4),
    /// None.
    Off,
}

/// IPv4 addresses that the owner chose.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaticIpv4 {
    /// With prefix length, 1 to 16.
    #[schema(example = json!(["192.168.1.5/24"]))]
    addresses: Vec<String>,
    /// In the network of one of the addresses.
    #[serde(default)]
    gateway: Option<String>,
}

/// How a link gets its IPv6 addresses, besides the link-local one.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ipv6Settings {
    /// From router advertisements, and from DHCPv6 where these offer it.
    #[default]
    Automatic,
    /// From the owner.
    Static(StaticIpv6),
    /// No IPv6 at all.
    Off,
}

/// IPv6 addresses that the owner chose.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaticIpv6 {
    /// With prefix length, 1 to 16.
    #[schema(example = json!(["2001:db8::5/64"]))]
    addresses: Vec<String>,
    /// In the network of one of the addresses, or link-local.
    #[serde(default)]
    gateway: Option<String>,
}
