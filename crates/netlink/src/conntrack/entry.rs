//! One flow: bytes to type, and back as far as the kernel needs it to find the flow again.

use crate::attribute::Attributes;
use crate::attribute::Malformed;
use crate::attribute::Writer;
use crate::nft::CtStatus;
use crate::nft::Mark;
use crate::nft::Protocol;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_TIMEOUT: u16 = 7;
const CTA_MARK: u16 = 8;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;

const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_TUPLE_ZONE: u16 = 3;

const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;

const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_PROTO_ICMP_ID: u16 = 4;
const CTA_PROTO_ICMP_TYPE: u16 = 5;
const CTA_PROTO_ICMP_CODE: u16 = 6;
const CTA_PROTO_ICMPV6_ID: u16 = 7;
const CTA_PROTO_ICMPV6_TYPE: u16 = 8;
const CTA_PROTO_ICMPV6_CODE: u16 = 9;

/// A flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As the first packet came.
    pub original: Tuple,
    /// As answers come; differs from the first turned round when addresses are rewritten.
    pub reply: Tuple,
    /// Its mark.
    pub mark: Mark,
    /// What happened to it.
    pub status: CtStatus,
    /// The zone, which keeps flows of equal addresses apart; zero unless a rule set one.
    pub zone: u16,
    /// The kernel's number for it: tells it from a later flow of the same addresses.
    pub id: u32,
    /// After which time without a packet it is forgotten.
    pub timeout: Option<Duration>,
}

/// Packets that go one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Where they come from.
    pub source: IpAddr,
    /// Where they go; of the same family.
    pub destination: IpAddr,
    /// The transport protocol.
    pub protocol: Protocol,
    /// What the transport protocol tells flows apart by.
    pub transport: Transport,
    /// The zone of this way only.
    zone: Option<u16>,
}

/// What a transport protocol tells flows apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Ports, or what the protocol has in their place.
    Ports {
        /// Where packets come from.
        source: u16,
        /// Where they go.
        destination: u16,
    },
    /// A question and its answer, by ICMP or ICMPv6.
    Echo {
        /// Type of the message.
        kind: u8,
        /// Its code.
        code: u8,
        /// Its identifier.
        id: u16,
    },
    /// Nothing.
    None,
}

impl Tuple {
    /// `AF_INET` or `AF_INET6`
    pub(crate) fn family(&self) -> u8 {
        if self.source.is_ipv4() { 2 } else { 10 }
    }

    fn read(attributes: Attributes<'_>) -> Result<Self, Malformed> {
        let (source, destination) =
            addresses(attributes.require(CTA_TUPLE_IP, "a flow's addresses")?.nested())?;
        let protocol = attributes.require(CTA_TUPLE_PROTO, "a flow's protocol")?.nested();
        let number = protocol.require(CTA_PROTO_NUM, "a flow's protocol")?.u8("a flow's protocol")?;
        Ok(Self {
            source,
            destination,
            protocol: Protocol(number),
            transport: Transport::read(protocol)?,
            zone: attributes.find(CTA_TUPLE_ZONE)?.map(|zone| zone.u16("a flow's zone")).transpose()?,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.nest(CTA_TUPLE_IP, |writer| {
            let (source, destination) = if self.source.is_ipv4() {
                (CTA_IP_V4_SRC, CTA_IP_V4_DST)
            } else {
                (CTA_IP_V6_SRC, CTA_IP_V6_DST)
            };
            write_address(writer, source, self.source);
            write_address(writer, destination, self.destination);
        });
        writer.nest(CTA_TUPLE_PROTO, |writer| {
            writer.u8(CTA_PROTO_NUM, self.protocol.0);
            match self.transport {
                Transport::Ports { source, destination } => {
                    writer.u16(CTA_PROTO_SRC_PORT, source);
                    writer.u16(CTA_PROTO_DST_PORT, destination);
                }
                Transport::Echo { kind, code, id } => {
                    let [id_kind, type_kind, code_kind] = if self.source.is_ipv4() {
                        [CTA_PROTO_ICMP_ID, CTA_PROTO_ICMP_TYPE, CTA_PROTO_ICMP_CODE]
                    } else {
                        [CTA_PROTO_ICMPV6_ID, CTA_PROTO_ICMPV6_TYPE, CTA_PROTO_ICMPV6_CODE]
                    };
                    writer.u16(id_kind, id);
                    writer.u8(type_kind, kind);
                    writer.u8(code_kind, code);
                }
                Transport::None => (),
            }
        });
        if let Some(zone) = self.zone {
            writer.u16(CTA_TUPLE_ZONE, zone);
        }
    }
}

fn addresses(attributes: Attributes<'_>) -> Result<(IpAddr, IpAddr), Malformed> {
    let what = "an address of a flow";
    if let Some(source) = attributes.find(CTA_IP_V4_SRC)? {
        let destination = attributes.require(CTA_IP_V4_DST, what)?;
        return Ok((
            Ipv4Addr::from(source.array(what)?).into(),
            Ipv4Addr::from(destination.array(what)?).into(),
        ));
    }
    let source = attributes.require(CTA_IP_V6_SRC, what)?;
    let destination = attributes.require(CTA_IP_V6_DST, what)?;
    Ok((
        Ipv6Addr::from(source.array::<16>(what)?).into(),
        Ipv6Addr::from(destination.array::<16>(what)?).into(),
    ))
}

fn write_address(writer: &mut Writer, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => writer.bytes(kind, &address.octets()),
        IpAddr::V6(address) => writer.bytes(kind, &address.octets()),
    }
}

impl Transport {
    fn read(protocol: Attributes<'_>) -> Result<Self, Malformed> {
        let (ports, echo) = ("a flow's ports", "a flow's ICMP type");
        if let Some(source) = protocol.find(CTA_PROTO_SRC_PORT)? {
            let destination = protocol.require(CTA_PROTO_DST_PORT, ports)?;
            return Ok(Self::Ports { source: source.u16(ports)?, destination: destination.u16(ports)? });
        }
        let both = [
            [CTA_PROTO_ICMP_ID, CTA_PROTO_ICMP_TYPE, CTA_PROTO_ICMP_CODE],
            [CTA_PROTO_ICMPV6_ID, CTA_PROTO_ICMPV6_TYPE, CTA_PROTO_ICMPV6_CODE],
        ];
        for [id, kind, code] in both {
            if let Some(id) = protocol.find(id)? {
                return Ok(Self::Echo {
                    kind: protocol.require(kind, echo)?.u8(echo)?,
                    code: protocol.require(code, echo)?.u8(echo)?,
                    id: id.u16(echo)?,
                });
            }
        }
        Ok(Self::None)
    }
}

impl Entry {
    pub(crate) fn read(attributes: Attributes<'_>) -> Result<Self, Malformed> {
        let number = |kind: u16, what| -> Result<Option<u32>, Malformed> {
            attributes.find(kind)?.map(|attribute| attribute.u32(what)).transpose()
        };
        Ok(Self {
            original: Tuple::read(attributes.require(CTA_TUPLE_ORIG, "a flow's first way")?.nested())?,
            reply: Tuple::read(attributes.require(CTA_TUPLE_REPLY, "a flow's way back")?.nested())?,
            mark: Mark(number(CTA_MARK, "a flow's mark")?.unwrap_or_default()),
            status: CtStatus(number(CTA_STATUS, "a flow's status")?.unwrap_or_default()),
            zone: attributes.find(CTA_ZONE)?.map_or(Ok(0), |zone| zone.u16("a flow's zone"))?,
            id: attributes.require(CTA_ID, "a flow's number")?.u32("a flow's number")?,
            timeout: number(CTA_TIMEOUT, "a flow's timeout")?
                .map(|seconds| Duration::from_secs(seconds.into())),
        })
    }

    /// What the kernel finds the flow again by.
    pub(crate) fn write_key(&self, writer: &mut Writer) {
        writer.nest(CTA_TUPLE_ORIG, |writer| self.original.write(writer));
        if self.zone != 0 {
            writer.u16(CTA_ZONE, self.zone);
        }
        writer.u32(CTA_ID, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tuple(source: IpAddr, destination: IpAddr, transport: Transport, zone: Option<u16>) -> Tuple {
        let protocol =
            if matches!(transport, Transport::Echo { .. }) { Protocol::ICMP } else { Protocol::UDP };
        Tuple { source, destination, protocol, transport, zone }
    }

    fn message(entry: &Entry) -> Vec<u8> {
        let mut writer = Writer::default();
        entry.write_key(&mut writer);
        writer.nest(CTA_TUPLE_REPLY, |writer| entry.reply.write(writer));
        writer.u32(CTA_MARK, entry.mark.0);
        writer.u32(CTA_STATUS, entry.status.0);
        writer.u32(CTA_TIMEOUT, 30);
        writer.finish().unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let four = [Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(192, 0, 2, 2).into()];
        let six = [Ipv6Addr::LOCALHOST.into(), "2001:db8::1".parse().unwrap()];
        let transports = [
            Transport::Ports { source: 1, destination: 65535 },
            Transport::Echo { kind: 8, code: 1, id: 513 },
            Transport::None,
        ];
        for [source, destination] in [four, six] {
            for transport in transports {
                for zone in [None, Some(5)] {
                    let entry = Entry {
                        original: tuple(source, destination, transport, zone),
                        reply: tuple(destination, source, transport, None),
                        mark: Mark(7),
                        status: CtStatus::CONFIRMED | CtStatus::ASSURED,
                        zone: 3,
                        id: 0x0102_0304,
                        timeout: Some(Duration::from_secs(30)),
                    };
                    assert_eq!(Entry::read(Attributes::of(&message(&entry))), Ok(entry));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Entry::read(Attributes::of(&bytes)));
        }

        #[test]
        fn a_cut_or_changed_entry_is_refused_or_read(at in 0_usize..200, with: u8, length in 0_usize..200) {
            let way = |first: Ipv4Addr, second: Ipv4Addr| tuple(first.into(), second.into(), Transport::Ports { source: 1, destination: 2 }, None);
            let entry = Entry {
                original: way(Ipv4Addr::LOCALHOST, Ipv4Addr::BROADCAST),
                reply: way(Ipv4Addr::BROADCAST, Ipv4Addr::LOCALHOST),
                mark: Mark(0),
                status: CtStatus::CONFIRMED,
                zone: 0,
                id: 1,
                timeout: None,
            };
            let mut bytes = message(&entry);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
            bytes.truncate(length);
            if let Ok(read) = Entry::read(Attributes::of(&bytes)) {
                prop_assert!(read.original.source.is_ipv4() == read.original.destination.is_ipv4());
            }
        }
    }
}
