//! Everything that is known of one link, for a page that shows it.

use serde::Deserialize;
use serde::Serialize;
use std::net::IpAddr;

/// One link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkReport {
    /// Kernel name, such as `eth0`.
    pub name: String,
    /// What it is.
    pub kind: LinkKind,
    /// Hardware address, `52:54:00:12:34:56`.
    pub mac: String,
    /// Whether it works.
    pub state: LinkState,
    /// In millions of bits a second; none when the hardware does not tell.
    pub speed_mbit: Option<u32>,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Its addresses.
    pub addresses: Vec<AddressReport>,
    /// Ways to everywhere else, best first.
    pub gateways: Vec<GatewayReport>,
    /// Name servers that the network offers, each once. The box does not use them: it asks its own, encrypted.
    pub dns: Vec<IpAddr>,
    /// Time servers that the network offers, addresses and names.
    pub ntp: Vec<String>,
    /// Domains that the network offers for short names.
    pub domains: Vec<String>,
    /// What does not work, in plain words.
    pub problems: Vec<String>,
}

/// What a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// A cable.
    Ethernet,
}

/// Whether a link works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Switched off.
    Down,
    /// No cable, or nothing at its other end.
    NoCarrier,
    /// In use.
    Up,
}

/// An address of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressReport {
    /// The address.
    pub address: IpAddr,
    /// Prefix length of its network.
    pub prefix: u8,
    /// Where it comes from.
    pub origin: AddressOrigin,
    /// When it ends, in seconds since 1970 by this machine's clock (which may be wrong); none means never.
    pub valid_until_unix: Option<u64>,
}

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressOrigin {
    /// A DHCPv4 server.
    Dhcp,
    /// The owner.
    Static,
    /// Router advertisements (SLAAC).
    Slaac,
    /// A DHCPv6 server.
    Dhcpv6,
    /// The box itself, for this link only.
    LinkLocal,
    /// Somebody else; it is about to be removed, or is left from before a restart.
    Unknown,
}

/// A way to everywhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayReport {
    /// The router's address.
    pub address: IpAddr,
    /// Preference; lower is better.
    pub metric: u32,
    /// Whether the router answers; a way over one that does not is taken only when there is no other.
    pub answers: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let report = LinkReport {
            name: "eth0".to_owned(),
            kind: LinkKind::Ethernet,
            mac: "52:54:00:12:34:56".to_owned(),
            state: LinkState::NoCarrier,
            speed_mbit: Some(1000),
            mtu: 1500,
            addresses: vec![AddressReport {
                address: IpAddr::from([169, 254, 1, 2]),
                prefix: 16,
                origin: AddressOrigin::LinkLocal,
                valid_until_unix: None,
            }],
            gateways: vec![GatewayReport {
                address: IpAddr::from([10, 0, 0, 1]),
                metric: 1026,
                answers: false,
            }],
            dns: vec![IpAddr::from([10, 0, 0, 1])],
            ntp: vec!["pool.example".to_owned()],
            domains: vec!["home.example".to_owned()],
            problems: vec!["the router does not answer".to_owned()],
        };
        let text = serde_json::to_string(&report).unwrap();
        assert!(
            text.contains(r#""state":"no-carrier""#) && text.contains(r#""origin":"link-local""#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<LinkReport>(&text).unwrap(), report);
    }
}
