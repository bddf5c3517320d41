//! What packets are compared with, each with its nft(8) data type, width and byte order.

use crate::nft::name::InterfaceName;
use std::fmt;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// A data type of nft(8). Those that a named set can have as a key or as data have a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `ipv4_addr`
    Ipv4Addr,
    /// `ipv6_addr`
    Ipv6Addr,
    /// `ether_addr`
    EtherAddr,
    /// `inet_proto`
    Protocol,
    /// `inet_service`: a port
    Service,
    /// `ifname`
    InterfaceName,
    /// `mark`
    Mark,
    /// `icmp_type`
    IcmpType,
    /// `icmpv6_type`
    Icmpv6Type,
    /// `nf_proto`
    NfFamily,
    /// `pkt_type`
    PacketType,
    /// `iface_type`
    LinkType,
    /// `uid`
    Uid,
    /// `arp_op`
    ArpOperation,
    /// `fib_addrtype`
    AddressType,
    /// `ct_dir`
    Direction,
    /// Bits of `ct state`; not for sets.
    CtState,
    /// Bits of `ct status`; not for sets.
    CtStatus,
    /// A number of eight bits; not for sets.
    Number8,
    /// A number of sixteen bits in network byte order; not for sets.
    Number16,
}

/// Which end of a number comes first in the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Host,
    Network,
}

/// What the encoder and the text need to know of a kind.
pub(crate) struct KindFacts {
    /// `enum datatypes` of nft(8): what it prints from; the kernel does not look at it.
    pub(crate) number: u32,
    /// Bytes.
    pub(crate) width: usize,
    pub(crate) order: ByteOrder,
    pub(crate) keyword: Option<&'static str>,
}

impl Kind {
    pub(crate) fn facts(self) -> KindFacts {
        let (number, width, order, keyword) = match self {
            Self::Ipv4Addr => (7, 4, ByteOrder::Network, "ipv4_addr"),
            Self::Ipv6Addr => (8, 16, ByteOrder::Network, "ipv6_addr"),
            Self::EtherAddr => (9, 6, ByteOrder::Network, "ether_addr"),
            Self::Protocol => (12, 1, ByteOrder::Network, "inet_proto"),
            Self::Service => (13, 2, ByteOrder::Network, "inet_service"),
            Self::InterfaceName => (41, 16, ByteOrder::Host, "ifname"),
            Self::Mark => (19, 4, ByteOrder::Host, "mark"),
            Self::IcmpType => (14, 1, ByteOrder::Network, "icmp_type"),
            Self::Icmpv6Type => (29, 1, ByteOrder::Network, "icmpv6_type"),
            Self::NfFamily => (2, 1, ByteOrder::Host, "nf_proto"),
            Self::PacketType => (31, 1, ByteOrder::Host, "pkt_type"),
            Self::LinkType => (21, 2, ByteOrder::Host, "iface_type"),
            Self::Uid => (24, 4, ByteOrder::Host, "uid"),
            Self::ArpOperation => (11, 2, ByteOrder::Network, "arp_op"),
            Self::AddressType => (38, 4, ByteOrder::Host, "fib_addrtype"),
            Self::Direction => (27, 1, ByteOrder::Host, "ct_dir"),
            Self::CtState => (26, 4, ByteOrder::Host, ""),
            Self::CtStatus => (28, 4, ByteOrder::Host, ""),
            Self::Number8 => (4, 1, ByteOrder::Network, ""),
            Self::Number16 => (4, 2, ByteOrder::Network, ""),
        };
        KindFacts { number, width, order, keyword: (!keyword.is_empty()).then_some(keyword) }
    }

    /// Bytes in a register: whole words of 32 bits.
    pub(crate) fn padded_width(self) -> usize {
        self.facts().width.next_multiple_of(4)
    }

    /// Whether more than one byte stands in host byte order, so that ranges need it turned round first.
    pub(crate) fn is_turned_for_ranges(self) -> bool {
        let facts = self.facts();
        facts.order == ByteOrder::Host && matches!(facts.width, 2 | 4)
    }
}

macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident($inner:ty) { $($(#[$constant_meta:meta])* $constant:ident = $value:literal, $word:literal;)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(pub $inner);

            impl $name {
                $($(#[$constant_meta])* pub const $constant: Self = Self($value);)*

                /// nft(8)'s word for it, if it has one here.
                fn word(self) -> Option<&'static str> {
                    #[allow(clippy::match_single_binding, clippy::allow_attributes, reason = "some have no words")]
                    match self.0 {
                        $($value => Some($word),)*
                        _ => None,
                    }
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    match self.word() {
                        Some(word) => formatter.write_str(word),
                        None => write!(formatter, "{}", self.0),
                    }
                }
            }
        )*
    };
}

numbers! {
    /// A transport protocol (IANA protocol numbers).
    Protocol(u8) {
        /// ICMP
        ICMP = 1, "icmp";
        /// TCP
        TCP = 6, "tcp";
        /// UDP
        UDP = 17, "udp";
        /// ICMPv6
        ICMPV6 = 58, "ipv6-icmp";
    }
    /// Type of an ICMP message (IANA ICMP parameters).
    IcmpType(u8) {
        /// Answer to a ping.
        ECHO_REPLY = 0, "echo-reply";
        /// What was sent did not arrive.
        DESTINATION_UNREACHABLE = 3, "destination-unreachable";
        /// A ping.
        ECHO_REQUEST = 8, "echo-request";
        /// Too many hops.
        TIME_EXCEEDED = 11, "time-exceeded";
        /// A header that was not understood.
        PARAMETER_PROBLEM = 12, "parameter-problem";
    }
    /// Type of an ICMPv6 message (IANA ICMPv6 parameters).
    Icmpv6Type(u8) {
        /// What was sent did not arrive.
        DESTINATION_UNREACHABLE = 1, "destination-unreachable";
        /// Path MTU discovery.
        PACKET_TOO_BIG = 2, "packet-too-big";
        /// Too many hops.
        TIME_EXCEEDED = 3, "time-exceeded";
        /// A header that was not understood.
        PARAMETER_PROBLEM = 4, "parameter-problem";
        /// A ping.
        ECHO_REQUEST = 128, "echo-request";
        /// Answer to a ping.
        ECHO_REPLY = 129, "echo-reply";
        /// Multicast listener query.
        LISTENER_QUERY = 130, "mld-listener-query";
        /// Multicast listener report.
        LISTENER_REPORT = 131, "mld-listener-report";
        /// Multicast listener done.
        LISTENER_DONE = 132, "mld-listener-done";
        /// Who is the router?
        ROUTER_SOLICITATION = 133, "nd-router-solicit";
        /// I am the router.
        ROUTER_ADVERTISEMENT = 134, "nd-router-advert";
        /// Who has this address?
        NEIGHBOR_SOLICITATION = 135, "nd-neighbor-solicit";
        /// I have this address.
        NEIGHBOR_ADVERTISEMENT = 136, "nd-neighbor-advert";
        /// There is a shorter way.
        REDIRECT = 137, "nd-redirect";
        /// Multicast listener report, version 2.
        LISTENER_REPORT_V2 = 143, "mld2-listener-report";
    }
    /// Network protocol as netfilter counts (`NFPROTO_*`).
    NfFamily(u8) {
        /// IPv4
        IPV4 = 2, "ipv4";
        /// IPv6
        IPV6 = 10, "ipv6";
    }
    /// Whom a frame was sent to (`PACKET_*`).
    PacketType(u8) {
        /// This machine.
        HOST = 0, "host";
        /// All machines of the link.
        BROADCAST = 1, "broadcast";
        /// A group.
        MULTICAST = 2, "multicast";
        /// Somebody else.
        OTHER = 3, "other";
    }
    /// Kind of link (`ARPHRD_*`).
    LinkType(u16) {
        /// Ethernet
        ETHER = 1, "ether";
        /// The loopback link.
        LOOPBACK = 772, "loopback";
        /// A tunnel without link addresses.
        NONE = 65534, "65534";
    }
    /// What an ARP message wants.
    ArpOperation(u16) {
        /// Who has this address?
        REQUEST = 1, "request";
        /// I have it.
        REPLY = 2, "reply";
    }
    /// What an address is to this machine's routing (`RTN_*`).
    AddressType(u32) {
        /// Of another machine.
        UNICAST = 1, "unicast";
        /// Of this machine.
        LOCAL = 2, "local";
        /// Of all machines of the link.
        BROADCAST = 3, "broadcast";
        /// Of one of several machines.
        ANYCAST = 4, "anycast";
        /// Of a group.
        MULTICAST = 5, "multicast";
    }
    /// Which way a packet goes within its flow (`IP_CT_DIR_*`).
    Direction(u8) {
        /// As the first packet.
        ORIGINAL = 0, "original";
        /// As the answer.
        REPLY = 1, "reply";
    }
    /// User id of the process behind a socket.
    Uid(u32) {}
    /// A number of eight bits of a header.
    Number8(u8) {}
    /// A number of sixteen bits of a header.
    Number16(u16) {}
}

/// A packet's or flow's mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u32);

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{:08x}", self.0)
    }
}

/// A link-layer address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtherAddr(pub [u8; 6]);

impl fmt::Display for EtherAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

macro_rules! bits {
    ($($(#[$meta:meta])* $name:ident { $($(#[$constant_meta:meta])* $constant:ident = $value:literal, $word:literal;)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub struct $name(pub(crate) u32);

            impl $name {
                $($(#[$constant_meta])* pub const $constant: Self = Self($value);)*

                /// Whether all of these are set.
                #[must_use]
                pub fn contains(self, bits: Self) -> bool {
                    self.0 & bits.0 == bits.0
                }
            }

            impl std::ops::BitOr for $name {
                type Output = Self;

                fn bitor(self, other: Self) -> Self {
                    Self(self.0 | other.0)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let words: Vec<&str> =
                        [$(($value, $word)),*].into_iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, word)| word).collect();
                    formatter.write_str(&words.join(","))
                }
            }
        )*
    };
}

bits! {
    /// States of a flow (`NF_CT_STATE_BIT`).
    CtState {
        /// Belongs to no flow and cannot start one.
        INVALID = 0x1, "invalid";
        /// Packets went both ways.
        ESTABLISHED = 0x2, "established";
        /// Starts a flow that another one announced, or reports an error of one.
        RELATED = 0x4, "related";
        /// Starts a flow.
        NEW = 0x8, "new";
        /// Not followed.
        UNTRACKED = 0x40, "untracked";
    }
    /// What happened to a flow (`IPS_*`).
    CtStatus {
        /// Another flow announced it.
        EXPECTED = 0x1, "expected";
        /// An answer was seen.
        SEEN_REPLY = 0x2, "seen-reply";
        /// Never dropped early.
        ASSURED = 0x4, "assured";
        /// Its first packet left the box.
        CONFIRMED = 0x8, "confirmed";
        /// Its source is rewritten.
        SNAT = 0x10, "snat";
        /// Its destination is rewritten.
        DNAT = 0x20, "dnat";
        /// About to be forgotten.
        DYING = 0x200, "dying";
    }
}

fn one(bytes: &[u8]) -> Option<u8> {
    if let [byte] = bytes { Some(*byte) } else { None }
}

/// A number in host byte order.
fn four(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

macro_rules! values {
    ($($(#[$meta:meta])* $variant:ident($inner:ty) $bytes:expr, $read:expr;)*) => {
        /// One value of one [`Kind`].
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Value {
            $($(#[$meta])* $variant($inner),)*
        }

        impl Value {
            /// Its data type.
            #[must_use]
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$variant(_) => Kind::$variant,)*
                }
            }

            /// As it stands in a packet or in the kernel; as wide as its kind.
            pub(crate) fn bytes(&self) -> Vec<u8> {
                match self {
                    $(Self::$variant(value) => {
                        let bytes: fn(&$inner) -> Vec<u8> = $bytes;
                        bytes(value)
                    })*
                }
            }

            /// From a packet or the kernel; none when the bytes are not one of the kind.
            pub(crate) fn from_bytes(kind: Kind, bytes: &[u8]) -> Option<Self> {
                match kind {
                    $(Kind::$variant => {
                        let read: fn(&[u8]) -> Option<$inner> = $read;
                        read(bytes).map(Self::$variant)
                    })*
                }
            }
        }

        impl fmt::Display for Value {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                if let Self::InterfaceName(name) = self {
                    return write!(formatter, "\"{name}\"");
                }
                match self {
                    $(Self::$variant(value) => value.fmt(formatter),)*
                }
            }
        }

        $(
            impl From<$inner> for Value {
                fn from(value: $inner) -> Self {
                    Self::$variant(value)
                }
            }
        )*
    };
}

values! {
    /// An IPv4 address.
    Ipv4Addr(Ipv4Addr) |address| address.octets().to_vec(), |bytes| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
    /// An IPv6 address.
    Ipv6Addr(Ipv6Addr) |address| address.octets().to_vec(), |bytes| <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from);
    /// A link-layer address.
    EtherAddr(EtherAddr) |address| address.0.to_vec(), |bytes| bytes.try_into().ok().map(EtherAddr);
    /// A transport protocol.
    Protocol(Protocol) |protocol| vec![protocol.0], |bytes| one(bytes).map(Protocol);
    /// A port.
    Service(u16) |port| port.to_be_bytes().to_vec(), |bytes| bytes.try_into().ok().map(u16::from_be_bytes);
    /// An interface.
    InterfaceName(InterfaceName) |name| {
        let mut bytes = name.as_str().as_bytes().to_vec();
        bytes.resize(16, 0);
        bytes
    }, |bytes| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        InterfaceName::new(std::str::from_utf8(&bytes[..end]).ok()?).ok()
    };
    /// A mark.
    Mark(Mark) |mark| mark.0.to_ne_bytes().to_vec(), |bytes| four(bytes).map(Mark);
    /// Type of an ICMP message.
    IcmpType(IcmpType) |kind| vec![kind.0], |bytes| one(bytes).map(IcmpType);
    /// Type of an ICMPv6 message.
    Icmpv6Type(Icmpv6Type) |kind| vec![kind.0], |bytes| one(bytes).map(Icmpv6Type);
    /// Network protocol.
    NfFamily(NfFamily) |family| vec![family.0], |bytes| one(bytes).map(NfFamily);
    /// Whom a frame was sent to.
    PacketType(PacketType) |kind| vec![kind.0], |bytes| one(bytes).map(PacketType);
    /// Kind of link.
    LinkType(LinkType) |kind| kind.0.to_ne_bytes().to_vec(), |bytes| bytes.try_into().ok().map(|bytes| LinkType(u16::from_ne_bytes(bytes)));
    /// User id.
    Uid(Uid) |uid| uid.0.to_ne_bytes().to_vec(), |bytes| four(bytes).map(Uid);
    /// What an ARP message wants.
    ArpOperation(ArpOperation) |operation| operation.0.to_be_bytes().to_vec(), |bytes| bytes.try_into().ok().map(|bytes| ArpOperation(u16::from_be_bytes(bytes)));
    /// What an address is to this machine.
    AddressType(AddressType) |kind| kind.0.to_ne_bytes().to_vec(), |bytes| four(bytes).map(AddressType);
    /// Which way a packet goes.
    Direction(Direction) |direction| vec![direction.0], |bytes| one(bytes).map(Direction);
    /// States of a flow.
    CtState(CtState) |state| state.0.to_ne_bytes().to_vec(), |bytes| four(bytes).map(CtState);
    /// What happened to a flow.
    CtStatus(CtStatus) |status| status.0.to_ne_bytes().to_vec(), |bytes| four(bytes).map(CtStatus);
    /// A number of eight bits.
    Number8(Number8) |number| vec![number.0], |bytes| one(bytes).map(Number8);
    /// A number of sixteen bits.
    Number16(Number16) |number| number.0.to_be_bytes().to_vec(), |bytes| bytes.try_into().ok().map(|bytes| Number16(u16::from_be_bytes(bytes)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_as_wide_as_its_kind() {
        let values: [Value; 8] = [
            Ipv4Addr::LOCALHOST.into(),
            Ipv6Addr::LOCALHOST.into(),
            EtherAddr([1; 6]).into(),
            443.into(),
            InterfaceName::new("eth0").unwrap().into(),
            Mark(5).into(),
            LinkType::ETHER.into(),
            CtState::NEW.into(),
        ];
        for value in values {
            assert_eq!(value.bytes().len(), value.kind().facts().width, "{value:?}");
            assert_eq!(Value::from_bytes(value.kind(), &value.bytes()), Some(value));
        }
    }

    #[test]
    fn values_read_as_in_nft() {
        let shown = |value: Value| value.to_string();
        assert_eq!(shown(Icmpv6Type::ROUTER_ADVERTISEMENT.into()), "nd-router-advert");
        assert_eq!(shown(Protocol(99).into()), "99");
        assert_eq!(shown(Mark(16).into()), "0x00000010");
        assert_eq!(shown(InterfaceName::new("eth0").unwrap().into()), "\"eth0\"");
        assert_eq!((CtState::ESTABLISHED | CtState::RELATED).to_string(), "established,related");
        assert_eq!(EtherAddr([0, 1, 2, 3, 4, 255]).to_string(), "00:01:02:03:04:ff");
    }
}
