//! What a hostile app may put on its wire, as a table: root in its namespace, with packet sockets, so nothing is beyond it.
//!
//! Every probe carries a token, and no token may come out anywhere else, not even in an answer.

use crate::frames;
use crate::frames::ACK;
use crate::frames::ICMP;
use crate::frames::ICMPV6;
use crate::frames::IPV4;
use crate::frames::IPV6;
use crate::frames::Ipv4;
use crate::frames::Mac;
use crate::frames::Pseudo;
use crate::frames::RST;
use crate::frames::SYN;
use crate::frames::TCP;
use crate::frames::UDP;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

mod disguised;
mod everyone;
mod forged;
mod plain;

/// The port that tests grant, of TCP.
pub const GRANTED: u16 = 5432;
/// A port that they never grant.
pub const CLOSED: u16 = 5433;
/// Where answers would be wanted.
const OWN_PORT: u16 = 40_000;
/// To all on a link.
const BROADCAST: Mac = [0xff; 6];

/// A mark in the payload.
pub type Token = [u8; 8];

/// Addresses of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// Hardware address.
    pub mac: Mac,
    /// Address.
    pub ipv4: Ipv4Addr,
    /// Address.
    pub ipv6: Ipv6Addr,
}

/// Who probes whom, and who else is there to be pretended to be.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The prober.
    pub from: Station,
    /// The box's end of its link.
    pub gateway: Station,
    /// Who must not be reached.
    pub to: Station,
    /// Another app.
    pub neighbour: Station,
    /// A device in the home network.
    pub lan: Station,
}

/// What should become of a probe when nothing is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A rule drops and counts it, whatever is granted.
    Refused,
    /// The same, but it passes when [`GRANTED`] is.
    Grantable,
    /// The kernel drops it before any rule could count it, for this reason.
    Unseen(&'static str),
}

/// One kind of probe.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Its name.
    pub name: &'static str,
    /// What should become of it.
    pub fate: Fate,
    /// The frames; each holds the token as a whole but for those whose shape has no room for it.
    pub frames: fn(&Ends, Token) -> Vec<Vec<u8>>,
}

/// Probes at somebody.
pub fn towards() -> impl Iterator<Item = &'static Probe> {
    [plain::PROBES, forged::PROBES, disguised::PROBES].into_iter().flatten()
}

/// Probes at everybody on a link; [`Ends::to`] is only pretended to be.
pub fn to_everyone() -> impl Iterator<Item = &'static Probe> {
    everyone::PROBES.iter()
}

impl Ends {
    /// IPv4 from the prober's own addresses through the box.
    fn v4(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        self.v4_with(&Ipv4::plain(self.from.ipv4, self.to.ipv4, protocol), payload)
    }

    fn v4_with(&self, header: &Ipv4<'_>, payload: &[u8]) -> Vec<u8> {
        frames::ethernet(self.gateway.mac, self.from.mac, IPV4, &header.packet(payload))
    }

    /// IPv6 from the prober's own addresses through the box.
    fn v6(&self, next_header: u8, payload: &[u8]) -> Vec<u8> {
        self.v6_from_to(self.from.ipv6, self.to.ipv6, next_header, payload)
    }

    fn v6_from_to(&self, from: Ipv6Addr, to: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
        let packet = frames::ipv6(from, to, next_header, 64, payload);
        frames::ethernet(self.gateway.mac, self.from.mac, IPV6, &packet)
    }

    const fn pseudo4(&self) -> Pseudo {
        Pseudo::V4(self.from.ipv4, self.to.ipv4)
    }

    const fn pseudo6(&self) -> Pseudo {
        Pseudo::V6(self.from.ipv6, self.to.ipv6)
    }

    /// A connection attempt that carries the token, both families' payloads.
    fn syn(&self, port: u16, token: Token) -> [Vec<u8>; 2] {
        [self.pseudo4(), self.pseudo6()].map(|ends| frames::tcp(ends, OWN_PORT, port, SYN, &token))
    }

    fn both(&self, protocol: u8, payloads: [Vec<u8>; 2]) -> Vec<Vec<u8>> {
        let [four, six] = payloads;
        vec![self.v4(protocol, &four), self.v6(protocol, &six)]
    }

    fn udp(&self, from: u16, to: u16, token: Token) -> Vec<Vec<u8>> {
        self.both(UDP, [self.pseudo4(), self.pseudo6()].map(|ends| frames::udp(ends, from, to, &token)))
    }

    fn tcp(&self, from: u16, to: u16, flags: u8, token: Token) -> Vec<Vec<u8>> {
        self.both(
            TCP,
            [self.pseudo4(), self.pseudo6()].map(|ends| frames::tcp(ends, from, to, flags, &token)),
        )
    }
}

/// An echo request with an identifier and the token.
fn echo(token: Token) -> Vec<u8> {
    [&[0x48, 0x65, 0, 1][..], &token].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_agent::network::watch::token;
    use hearth_agent::network::watch::tokens;
    use std::collections::BTreeSet;

    fn station(number: u8) -> Station {
        Station {
            mac: [2, 0, 0, 0, 0, number],
            ipv4: [198, 18, 1, number].into(),
            ipv6: Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, number.into()),
        }
    }

    #[test]
    fn every_probe_carries_its_token_and_has_a_name_of_its_own() {
        let [from, gateway, to, neighbour, lan] = [1, 2, 3, 4, 5].map(station);
        let ends = Ends { from, gateway, to, neighbour, lan };
        let mut names = BTreeSet::new();
        for probe in towards().chain(to_everyone()) {
            let frames = (probe.frames)(&ends, token(0x1234));
            assert!(frames.iter().any(|frame| tokens(frame).any(|found| found == 0x1234)), "{}", probe.name);
            assert!(frames.iter().all(|frame| (60..=1518).contains(&frame.len())), "{}", probe.name);
            assert!(names.insert(probe.name), "two probes are named {}", probe.name);
        }
    }

    #[test]
    fn only_connections_to_the_granted_port_can_be_granted() {
        let grantable = towards().filter(|probe| probe.fate == Fate::Grantable);
        assert_eq!(
            grantable.map(|probe| probe.name).collect::<Vec<_>>(),
            [
                "TCP over IPv4 to the granted port",
                "TCP over IPv6 to the granted port",
                // The first again, in a frame that asks for precedence: no other connection.
                "with a tag for priority alone",
            ]
        );
    }
}
