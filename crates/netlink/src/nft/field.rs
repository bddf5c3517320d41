//! What of a packet can be looked at, each as a constant that knows the type of its values.

use crate::nft::name::InterfaceName;
use crate::nft::name::Name;
use crate::nft::rule::Match;
use crate::nft::rule::SetRef;
use crate::nft::rule::Test;
use crate::nft::span::Address;
use crate::nft::span::Ordered;
use crate::nft::span::Span;
use crate::nft::value::AddressType;
use crate::nft::value::ArpOperation;
use crate::nft::value::CtState;
use crate::nft::value::CtStatus;
use crate::nft::value::Direction;
use crate::nft::value::EtherAddr;
use crate::nft::value::IcmpType;
use crate::nft::value::Icmpv6Type;
use crate::nft::value::Kind;
use crate::nft::value::LinkType;
use crate::nft::value::Mark;
use crate::nft::value::NfFamily;
use crate::nft::value::Number8;
use crate::nft::value::Number16;
use crate::nft::value::PacketType;
use crate::nft::value::Protocol;
use crate::nft::value::Uid;
use crate::nft::value::Value;
use std::fmt;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// A field without the type of its values, as concatenations take it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field(pub(crate) &'static Facts);

impl fmt::Debug for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.text)
    }
}

/// How a field is found.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    /// nft(8)'s words for it.
    pub(crate) text: &'static str,
    pub(crate) kind: Kind,
    pub(crate) needs: Needs,
    pub(crate) load: Load,
}

/// What a packet must be for the field to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Needs {
    pub(crate) network: Option<Network>,
    pub(crate) transport: Option<Protocol>,
    pub(crate) ethernet: bool,
}

/// A network protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    Ipv4,
    Ipv6,
    Arp,
}

/// Where in a packet (`NFT_PAYLOAD_*_HEADER`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layer {
    Link = 0,
    Network = 1,
    Transport = 2,
}

/// The kernel's expression that puts a field into a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Load {
    /// `NFT_META_*`
    Meta(u32),
    /// `NFT_CT_*`
    Ct(u32),
    /// Bytes of a header, and those bits of them that count.
    Payload { layer: Layer, offset: u32, mask: Option<u8> },
    /// `NFT_FIB_RESULT_*` and `NFTA_FIB_F_*`
    Fib { result: u32, flags: u32 },
}

const NOTHING: Needs = Needs { network: None, transport: None, ethernet: false };
const IPV4: Needs = Needs { network: Some(Network::Ipv4), ..NOTHING };
const IPV6: Needs = Needs { network: Some(Network::Ipv6), ..NOTHING };
const ARP: Needs = Needs { network: Some(Network::Arp), ..NOTHING };
const ETHERNET: Needs = Needs { ethernet: true, ..NOTHING };
const TCP: Needs = Needs { transport: Some(Protocol::TCP), ..NOTHING };
const UDP: Needs = Needs { transport: Some(Protocol::UDP), ..NOTHING };
const ICMP: Needs = Needs { transport: Some(Protocol::ICMP), ..IPV4 };
const ICMPV6: Needs = Needs { transport: Some(Protocol::ICMPV6), ..IPV6 };

const fn link(offset: u32) -> Load {
    Load::Payload { layer: Layer::Link, offset, mask: None }
}

const fn network(offset: u32) -> Load {
    Load::Payload { layer: Layer::Network, offset, mask: None }
}

const fn transport(offset: u32) -> Load {
    Load::Payload { layer: Layer::Transport, offset, mask: None }
}

const FIB_RESULT_ADDRESS_TYPE: u32 = 3;
const FIB_DESTINATION: u32 = 2;
const FIB_INCOMING: u32 = 8;

/// A field whose values are of type `T`.
#[derive(Debug)]
pub struct Selector<T> {
    field: Field,
    values: PhantomData<T>,
}

impl<T> Clone for Selector<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Selector<T> {}

impl<T> From<Selector<T>> for Field {
    fn from(selector: Selector<T>) -> Self {
        selector.field
    }
}

macro_rules! fields {
    ($($(#[$meta:meta])* $name:ident: $values:ty = $text:literal, $kind:ident, $needs:ident, $load:expr;)*) => {
        $(
            $(#[$meta])*
            pub const $name: Selector<$values> = Selector {
                field: Field(&Facts { text: $text, kind: Kind::$kind, needs: $needs, load: $load }),
                values: PhantomData,
            };
        )*
    };
}

// Numbers: include/uapi/linux/netfilter/nf_tables.h; offsets: RFC 791, RFC 8200, RFC 826 and RFC 9293.
fields! {
    /// The interface that the packet came in by.
    IIFNAME: InterfaceName = "iifname", InterfaceName, NOTHING, Load::Meta(6);
    /// The interface that the packet leaves by.
    OIFNAME: InterfaceName = "oifname", InterfaceName, NOTHING, Load::Meta(7);
    /// Kind of the link that the packet came in by.
    IIFTYPE: LinkType = "meta iiftype", LinkType, NOTHING, Load::Meta(8);
    /// The transport protocol, behind IPv6's extension headers too.
    L4PROTO: Protocol = "meta l4proto", Protocol, NOTHING, Load::Meta(16);
    /// IPv4 or IPv6.
    NFPROTO: NfFamily = "meta nfproto", NfFamily, NOTHING, Load::Meta(15);
    /// The packet's mark.
    META_MARK: Mark = "meta mark", Mark, NOTHING, Load::Meta(3);
    /// Whom the frame was sent to.
    PKTTYPE: PacketType = "meta pkttype", PacketType, NOTHING, Load::Meta(19);
    /// User of the process that sends, in `output` only.
    SKUID: Uid = "meta skuid", Uid, NOTHING, Load::Meta(10);
    /// The flow's state; only [`Selector::has_any`] and [`Selector::has_none`].
    CT_STATE: CtState = "ct state", CtState, NOTHING, Load::Ct(0);
    /// Which way the packet goes within its flow.
    CT_DIRECTION: Direction = "ct direction", Direction, NOTHING, Load::Ct(1);
    /// What happened to the flow; only [`Selector::has_any`] and [`Selector::has_none`].
    CT_STATUS: CtStatus = "ct status", CtStatus, NOTHING, Load::Ct(2);
    /// The flow's mark.
    CT_MARK: Mark = "ct mark", Mark, NOTHING, Load::Ct(3);
    /// Length of the IPv4 header in 32-bit words; 5 without options.
    IP_HDRLENGTH: Number8 = "ip hdrlength", Number8, IPV4, Load::Payload { layer: Layer::Network, offset: 0, mask: Some(0x0f) };
    /// Flags (upper three bits) and place of an IPv4 fragment; to be taken with [`Selector::masked`].
    IP_FRAG_OFF: Number16 = "ip frag-off", Number16, IPV4, network(6);
    /// IPv4 source.
    IP_SADDR: Ipv4Addr = "ip saddr", Ipv4Addr, IPV4, network(12);
    /// IPv4 destination.
    IP_DADDR: Ipv4Addr = "ip daddr", Ipv4Addr, IPV4, network(16);
    /// What follows IPv6's fixed header: an extension header or the transport protocol.
    IP6_NEXTHDR: Protocol = "ip6 nexthdr", Protocol, IPV6, network(6);
    /// IPv6 source.
    IP6_SADDR: Ipv6Addr = "ip6 saddr", Ipv6Addr, IPV6, network(8);
    /// IPv6 destination.
    IP6_DADDR: Ipv6Addr = "ip6 daddr", Ipv6Addr, IPV6, network(24);
    /// TCP source port.
    TCP_SPORT: u16 = "tcp sport", Service, TCP, transport(0);
    /// TCP destination port.
    TCP_DPORT: u16 = "tcp dport", Service, TCP, transport(2);
    /// UDP source port.
    UDP_SPORT: u16 = "udp sport", Service, UDP, transport(0);
    /// UDP destination port.
    UDP_DPORT: u16 = "udp dport", Service, UDP, transport(2);
    /// Source port of a transport protocol that the rule has already looked at by [`L4PROTO`].
    TH_SPORT: u16 = "th sport", Service, NOTHING, transport(0);
    /// Destination port of a transport protocol that the rule has already looked at by [`L4PROTO`].
    TH_DPORT: u16 = "th dport", Service, NOTHING, transport(2);
    /// Type of an ICMP message.
    ICMP_TYPE: IcmpType = "icmp type", IcmpType, ICMP, transport(0);
    /// Type of an ICMPv6 message.
    ICMPV6_TYPE: Icmpv6Type = "icmpv6 type", Icmpv6Type, ICMPV6, transport(0);
    /// Link-layer source.
    ETHER_SADDR: EtherAddr = "ether saddr", EtherAddr, ETHERNET, link(6);
    /// What an ARP message wants.
    ARP_OPERATION: ArpOperation = "arp operation", ArpOperation, ARP, network(6);
    /// Link-layer address of who sent an ARP message.
    ARP_SADDR_ETHER: EtherAddr = "arp saddr ether", EtherAddr, ARP, network(8);
    /// IPv4 address of who sent an ARP message.
    ARP_SADDR_IP: Ipv4Addr = "arp saddr ip", Ipv4Addr, ARP, network(14);
    /// What the destination is to this machine.
    FIB_DADDR_TYPE: AddressType = "fib daddr type", AddressType, NOTHING,
        Load::Fib { result: FIB_RESULT_ADDRESS_TYPE, flags: FIB_DESTINATION };
    /// What the destination is to the interface that the packet came in by.
    FIB_DADDR_IIF_TYPE: AddressType = "fib daddr . iif type", AddressType, NOTHING,
        Load::Fib { result: FIB_RESULT_ADDRESS_TYPE, flags: FIB_DESTINATION | FIB_INCOMING };
}

/// Values that are compared as a whole; states and status are looked at bit by bit.
pub trait Whole: Into<Value> {}

impl Whole for Ipv4Addr {}
impl Whole for Ipv6Addr {}
impl Whole for EtherAddr {}
impl Whole for Protocol {}
impl Whole for u16 {}
impl Whole for InterfaceName {}
impl Whole for Mark {}
impl Whole for IcmpType {}
impl Whole for Icmpv6Type {}
impl Whole for NfFamily {}
impl Whole for PacketType {}
impl Whole for LinkType {}
impl Whole for Uid {}
impl Whole for ArpOperation {}
impl Whole for AddressType {}
impl Whole for Direction {}
impl Whole for Number8 {}
impl Whole for Number16 {}

impl<T: Whole> Selector<T> {
    fn compare(self, span: Span, negated: bool) -> Match {
        Match(Test::Compare { field: self.field, negated, span })
    }

    fn lookup(self, set: SetRef, negated: bool) -> Match {
        Match(Test::Lookup { fields: vec![self.field], negated, set })
    }

    /// Is this value.
    pub fn is(self, value: T) -> Match {
        self.compare(value.into().into(), false)
    }

    /// Is another value.
    pub fn is_not(self, value: T) -> Match {
        self.compare(value.into().into(), true)
    }

    /// Is one of these values. An empty list is refused when the rule is encoded.
    pub fn is_one_of(self, values: impl IntoIterator<Item = T>) -> Match {
        self.lookup(SetRef::anonymous_spans(values.into_iter().map(Span::from)), false)
    }

    /// Is none of these values. An empty list is refused when the rule is encoded.
    pub fn is_none_of(self, values: impl IntoIterator<Item = T>) -> Match {
        self.lookup(SetRef::anonymous_spans(values.into_iter().map(Span::from)), true)
    }

    /// Is in a named set of the table.
    pub fn is_in(self, set: &Name) -> Match {
        self.lookup(SetRef::Named(set.clone()), false)
    }

    /// Is not in a named set of the table.
    pub fn is_not_in(self, set: &Name) -> Match {
        self.lookup(SetRef::Named(set.clone()), true)
    }
}

impl<T: Ordered + Whole> Selector<T> {
    /// Lies between the two, both included. The wrong way round is refused when the rule is encoded.
    pub fn is_between(self, first: T, last: T) -> Match {
        self.compare(Span { first: first.into(), last: last.into() }, false)
    }

    /// Does not lie between the two.
    pub fn is_not_between(self, first: T, last: T) -> Match {
        self.compare(Span { first: first.into(), last: last.into() }, true)
    }

    /// Lies in one of these spans. They may overlap; a span of another kind is refused when the rule is encoded.
    pub fn is_within(self, spans: impl IntoIterator<Item = Span>) -> Match {
        self.lookup(SetRef::anonymous_spans(spans), false)
    }

    /// Lies in none of these spans.
    pub fn is_not_within(self, spans: impl IntoIterator<Item = Span>) -> Match {
        self.lookup(SetRef::anonymous_spans(spans), true)
    }
}

impl<T: Address + Whole> Selector<T> {
    /// Lies in this network; a prefix longer than an address is taken as the address itself.
    pub fn is_in_network(self, address: T, prefix: u8) -> Match {
        self.compare(Span::network(address, prefix).unwrap_or_else(|| Span::from(address)), false)
    }

    /// Does not lie in this network.
    pub fn is_not_in_network(self, address: T, prefix: u8) -> Match {
        self.compare(Span::network(address, prefix).unwrap_or_else(|| Span::from(address)), true)
    }
}

/// Values of which single bits can be looked at.
pub trait Bits: Into<Value> {}

impl Bits for Mark {}
impl Bits for Number16 {}
impl Bits for CtState {}
impl Bits for CtStatus {}

impl<T: Bits> Selector<T> {
    fn bits(self, mask: T, negated: bool, value: Option<T>) -> Match {
        Match(Test::Bits { field: self.field, mask: mask.into(), negated, value: value.map(Into::into) })
    }

    /// At least one of these bits is set.
    pub fn has_any(self, bits: T) -> Match {
        self.bits(bits, true, None)
    }

    /// None of these bits is set.
    pub fn has_none(self, bits: T) -> Match {
        self.bits(bits, false, None)
    }

    /// The bits of the mask are those of the value.
    pub fn masked(self, mask: T, value: T) -> Match {
        self.bits(mask, false, Some(value))
    }
}

impl Selector<InterfaceName> {
    /// The name starts with these characters. An empty or too long one is refused when the rule is encoded.
    pub fn starts_with(self, prefix: &str) -> Match {
        Match(Test::NameStart { field: self.field, prefix: prefix.to_owned() })
    }
}

/// Several fields side by side, looked up as one.
///
/// # Examples
/// `concat([IP_SADDR.into(), TCP_DPORT.into()]).are_in(&set)`
pub fn concat(fields: impl IntoIterator<Item = Field>) -> Concat {
    Concat { fields: fields.into_iter().collect() }
}

/// See [`concat`].
#[derive(Clone, Debug)]
pub struct Concat {
    fields: Vec<Field>,
}

impl Concat {
    /// Are together in a named set of the table.
    #[must_use]
    pub fn are_in(self, set: &Name) -> Match {
        Match(Test::Lookup { fields: self.fields, negated: false, set: SetRef::Named(set.clone()) })
    }

    /// Are together not in a named set of the table.
    #[must_use]
    pub fn are_not_in(self, set: &Name) -> Match {
        Match(Test::Lookup { fields: self.fields, negated: true, set: SetRef::Named(set.clone()) })
    }

    /// Are one of these keys, each with one span a field.
    pub fn are_within(self, keys: impl IntoIterator<Item = Vec<Span>>) -> Match {
        let set = SetRef::Anonymous(keys.into_iter().collect());
        Match(Test::Lookup { fields: self.fields, negated: false, set })
    }
}
