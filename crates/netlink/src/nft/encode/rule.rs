//! Rules to expressions.
//!
//! A field is only where its protocol is: what a packet must be for it is compared first, once a rule, as nft(8) does.

use crate::attribute::Writer;
use crate::nft::encode::Problem;
use crate::nft::encode::expression;
use crate::nft::encode::expression::HeaderKind;
use crate::nft::encode::expression::NatRegisters;
use crate::nft::encode::expression::Operator;
use crate::nft::encode::expression::RejectKind;
use crate::nft::encode::expression::SetName;
use crate::nft::encode::register;
use crate::nft::encode::set;
use crate::nft::field::Field;
use crate::nft::field::Layer;
use crate::nft::field::Load;
use crate::nft::field::Needs;
use crate::nft::field::Network;
use crate::nft::kernel;
use crate::nft::kernel::NFT_REG_1;
use crate::nft::name::Name;
use crate::nft::rule::Header;
use crate::nft::rule::MarkSource;
use crate::nft::rule::Nat;
use crate::nft::rule::NatEnd;
use crate::nft::rule::NatTarget;
use crate::nft::rule::Reject;
use crate::nft::rule::Remember;
use crate::nft::rule::Rule;
use crate::nft::rule::SetRef;
use crate::nft::rule::Statement;
use crate::nft::rule::Test;
use crate::nft::ruleset::Family;
use crate::nft::ruleset::Table;
use crate::nft::set::Element;
use crate::nft::set::Set;
use crate::nft::set::SetData;
use crate::nft::set::Timeout;
use crate::nft::span::Span;
use crate::nft::value::Kind;
use crate::nft::value::LinkType;
use crate::nft::value::Mark;
use crate::nft::value::Protocol;
use crate::nft::value::Value;
use std::collections::HashMap;

/// What a set without a name is called until the kernel numbers it.
pub(crate) const ANONYMOUS: &str = "__set%d";

/// A rule as the kernel takes it.
pub(crate) struct Encoded {
    /// The list of expressions.
    pub(crate) expressions: Vec<u8>,
    /// Sets that must be there before.
    pub(crate) sets: Vec<(u32, Set)>,
}

/// Encodes a rule of a table; sets without a name get numbers from `next_set` on.
pub(crate) fn encode(
    table: &Table,
    named: &HashMap<&Name, &Set>,
    rule: &Rule,
    next_set: u32,
) -> Result<Encoded, Problem> {
    let network = match table.family {
        Family::Ip => Some(Network::Ipv4),
        Family::Ip6 => Some(Network::Ipv6),
        Family::Arp => Some(Network::Arp),
        Family::Inet | Family::Netdev => None,
    };
    let mut encoder = Encoder {
        table,
        named,
        next_set,
        network,
        transport: Transport::Unknown,
        is_ethernet: false,
        list: Writer::with_capacity(512),
        sets: Vec::new(),
    };
    rule.statements.iter().try_for_each(|statement| encoder.statement(statement))?;
    let expressions = encoder.list.finish().map_err(|_too_long| Problem::TooLong)?;
    Ok(Encoded { expressions, sets: encoder.sets })
}

/// What the rule has found out about the transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Unknown,
    /// It was compared with several.
    Several,
    Known(Protocol),
}

struct Encoder<'a> {
    table: &'a Table,
    /// The table's sets: large ones have hundreds, and as many rules that use them.
    named: &'a HashMap<&'a Name, &'a Set>,
    next_set: u32,
    network: Option<Network>,
    transport: Transport,
    is_ethernet: bool,
    list: Writer,
    sets: Vec<(u32, Set)>,
}

impl<'a> Encoder<'a> {
    fn statement(&mut self, statement: &Statement) -> Result<(), Problem> {
        match statement {
            Statement::Match(test) => self.test(&test.0)?,
            Statement::Counter { packets, bytes } => expression::counter(&mut self.list, *packets, *bytes),
            Statement::Limit(limit) => expression::limit(&mut self.list, limit),
            Statement::Log { prefix, group } => {
                expression::log(&mut self.list, prefix.as_ref().map(|prefix| prefix.as_str()), *group);
            }
            Statement::SetMark(source) => {
                self.mark(source, (Load::Meta(kernel::NFT_META_MARK), Load::Ct(kernel::NFT_CT_MARK)))?;
                expression::meta_set(&mut self.list, kernel::NFT_META_MARK, NFT_REG_1);
            }
            Statement::SetCtMark(source) => {
                self.mark(source, (Load::Ct(kernel::NFT_CT_MARK), Load::Meta(kernel::NFT_META_MARK)))?;
                expression::ct_set(&mut self.list, kernel::NFT_CT_MARK, NFT_REG_1);
            }
            Statement::NoTrack => expression::no_track(&mut self.list),
            Statement::Remember(remember) => self.remember(remember)?,
            Statement::Verdict(verdict) => expression::verdict(&mut self.list, verdict),
            Statement::VerdictMap { key, map } => {
                let set = self.named(map)?;
                if set.data != SetData::Verdict {
                    return Err(Problem::Data(map.to_string()));
                }
                self.load_key(key, set)?;
                self.look_up(map, kernel::NFT_REG_VERDICT);
            }
            Statement::Reject(reject) => self.reject(*reject)?,
            Statement::Nat(nat) => self.nat(nat)?,
            Statement::Masquerade => expression::masquerade(&mut self.list),
            Statement::Redirect { port } => {
                if let Some(port) = port {
                    self.require_transport()?;
                    expression::load_value(&mut self.list, NFT_REG_1, &port.to_be_bytes());
                }
                expression::redirect(&mut self.list, port.map(|_| NFT_REG_1));
            }
        }
        Ok(())
    }

    fn test(&mut self, test: &Test) -> Result<(), Problem> {
        match test {
            Test::Compare { field, negated, span } => self.compare(*field, *negated, span),
            Test::NameStart { field, prefix } => self.name_start(*field, prefix),
            Test::Bits { field, mask, negated, value } => {
                self.load(*field, NFT_REG_1)?;
                let mask = mask.bytes();
                let zero = vec![0; mask.len()];
                expression::bitwise(&mut self.list, NFT_REG_1, &mask, &zero);
                let wanted = value.as_ref().map_or(zero, Value::bytes);
                expression::compare(&mut self.list, NFT_REG_1, Operator::unless(*negated), &wanted);
                Ok(())
            }
            Test::Lookup { fields, negated, set: SetRef::Named(name) } => {
                let set = self.named(name)?;
                if set.data != SetData::None {
                    return Err(Problem::Data(name.to_string()));
                }
                self.load_key(fields, set)?;
                let set = SetName { name: name.as_str(), id: None };
                expression::lookup(&mut self.list, set, NFT_REG_1, None, *negated);
                self.learn_several(fields, *negated);
                Ok(())
            }
            Test::Lookup { fields, negated, set: SetRef::Anonymous(keys) } => {
                self.anonymous(fields, *negated, keys)
            }
            Test::Header { header, is_there } => self.header(*header, *is_there),
            Test::ReversePath { is_there } => {
                expression::fib(&mut self.list, FIB_RESULT_OIF, FIB_REVERSE_PATH, NFT_REG_1);
                // One byte, and the rest of the register's first word zero (nft_fib_store_result).
                let found = [u8::from(*is_there), 0, 0, 0];
                expression::compare(&mut self.list, NFT_REG_1, Operator::Equal, &found);
                Ok(())
            }
        }
    }

    fn compare(&mut self, field: Field, negated: bool, span: &Span) -> Result<(), Problem> {
        set::check_key(&[field.0.kind], std::slice::from_ref(span), true)?;
        let operator = Operator::unless(negated);
        if let Some(value) = span.single() {
            self.load(field, NFT_REG_1)?;
            expression::compare(&mut self.list, NFT_REG_1, operator, &value.bytes());
            if !negated {
                self.learn(field, value);
            }
        } else if let Some(prefix) = span.prefix() {
            self.compare_network(field, operator, &span.first.bytes(), prefix)?;
        } else {
            self.load(field, NFT_REG_1)?;
            self.turn_for_ranges(field.0.kind);
            let (first, last) = span.ordered_bytes();
            if negated {
                expression::outside(&mut self.list, NFT_REG_1, &first, &last);
            } else {
                expression::compare(&mut self.list, NFT_REG_1, Operator::AtLeast, &first);
                expression::compare(&mut self.list, NFT_REG_1, Operator::AtMost, &last);
            }
        }
        Ok(())
    }

    /// Loads only the bytes of the network's address where they are whole, else masks them.
    fn compare_network(
        &mut self,
        field: Field,
        operator: Operator,
        address: &[u8],
        prefix: u8,
    ) -> Result<(), Problem> {
        let whole = usize::from(prefix / 8);
        let bits = prefix % 8;
        if let (Load::Payload { layer, offset, mask: None }, 0, 1..) = (field.0.load, bits, whole) {
            self.need(field)?;
            let length = u32::from(prefix / 8);
            expression::payload(&mut self.list, layer as u32, offset, length, NFT_REG_1);
            expression::compare(&mut self.list, NFT_REG_1, operator, &address[..whole]);
            return Ok(());
        }
        self.load(field, NFT_REG_1)?;
        let mask: Vec<u8> = (0..address.len())
            .map(|index| match index.cmp(&whole) {
                std::cmp::Ordering::Less => 0xff,
                std::cmp::Ordering::Equal => !0xff_u8.checked_shr(u32::from(bits)).unwrap_or(0),
                std::cmp::Ordering::Greater => 0,
            })
            .collect();
        expression::bitwise(&mut self.list, NFT_REG_1, &mask, &vec![0; address.len()]);
        expression::compare(&mut self.list, NFT_REG_1, operator, address);
        Ok(())
    }

    fn name_start(&mut self, field: Field, prefix: &str) -> Result<(), Problem> {
        let is_name = crate::nft::name::InterfaceName::new(prefix).is_ok();
        if field.0.kind != Kind::InterfaceName || !is_name {
            return Err(Problem::NameStart(prefix.chars().take(32).collect()));
        }
        self.load(field, NFT_REG_1)?;
        expression::compare(&mut self.list, NFT_REG_1, Operator::Equal, prefix.as_bytes());
        Ok(())
    }

    fn anonymous(&mut self, fields: &[Field], negated: bool, keys: &[Vec<Span>]) -> Result<(), Problem> {
        if let ([field], [key]) = (fields, keys)
            && let [span] = key.as_slice()
        {
            return self.compare(*field, negated, span);
        }
        if keys.is_empty() {
            return Err(Problem::Nothing);
        }
        let kinds: Vec<Kind> = fields.iter().map(|field| field.0.kind).collect();
        // Never used as a name: a set without one is known by its number.
        let name = self.table.name.clone();
        let mut set = Set::new(name, kinds).elements(keys.iter().cloned().map(Element::concatenated));
        set.interval = keys.iter().flatten().any(|span| span.single().is_none());
        // Ranges are a start and an end each.
        set.size =
            u32::try_from(if set.interval && fields.len() == 1 { 2 * keys.len() } else { keys.len() }).ok();
        self.load_key(fields, &set)?;
        let id = self.next_set;
        self.next_set = self.next_set.wrapping_add(1);
        expression::lookup(
            &mut self.list,
            SetName { name: ANONYMOUS, id: Some(id) },
            NFT_REG_1,
            None,
            negated,
        );
        self.sets.push((id, set));
        self.learn_several(fields, negated);
        Ok(())
    }

    fn header(&mut self, header: Header, is_there: bool) -> Result<(), Problem> {
        // IANA protocol numbers; RFC 791 and RFC 2113 option types.
        let (kind, number, name) = match header {
            Header::Fragment => (HeaderKind::Ipv6, 44, "exthdr frag"),
            Header::HopByHop => (HeaderKind::Ipv6, 0, "exthdr hbh"),
            Header::Destination => (HeaderKind::Ipv6, 60, "exthdr dst"),
            Header::Routing => (HeaderKind::Ipv6, 43, "exthdr rt"),
            Header::LooseSourceRoute => (HeaderKind::Ipv4Option, 131, "ip option lsrr"),
            Header::StrictSourceRoute => (HeaderKind::Ipv4Option, 137, "ip option ssrr"),
            Header::RecordRoute => (HeaderKind::Ipv4Option, 7, "ip option rr"),
            Header::RouterAlert => (HeaderKind::Ipv4Option, 148, "ip option ra"),
        };
        let network = match kind {
            HeaderKind::Ipv6 => Network::Ipv6,
            HeaderKind::Ipv4Option => Network::Ipv4,
        };
        self.need_network(network, name)?;
        expression::header_is_there(&mut self.list, kind, number, NFT_REG_1);
        expression::compare(&mut self.list, NFT_REG_1, Operator::Equal, &[u8::from(is_there)]);
        Ok(())
    }

    fn mark(&mut self, source: &MarkSource, (own, other): (Load, Load)) -> Result<(), Problem> {
        match source {
            MarkSource::Value(Mark(mark)) => {
                expression::load_value(&mut self.list, NFT_REG_1, &mark.to_ne_bytes());
            }
            MarkSource::Replace { mask, value } => {
                self.load_plain(own, 4, NFT_REG_1);
                let kept = (!mask.0).to_ne_bytes();
                let set = (value.0 & mask.0).to_ne_bytes();
                expression::bitwise(&mut self.list, NFT_REG_1, &kept, &set);
            }
            MarkSource::Other => self.load_plain(other, 4, NFT_REG_1),
            MarkSource::Map { key, map } => {
                let set = self.named(map)?;
                if set.data != SetData::Values(vec![Kind::Mark]) {
                    return Err(Problem::Data(map.to_string()));
                }
                self.load_key(key, set)?;
                self.look_up(map, NFT_REG_1);
            }
        }
        Ok(())
    }

    fn remember(&mut self, remember: &Remember) -> Result<(), Problem> {
        let set = self.named(&remember.set)?;
        if !set.dynamic || set.data != SetData::None {
            return Err(Problem::NotDynamic(remember.set.to_string()));
        }
        if remember.timeout.is_some() && set.timeout == Timeout::Never {
            return Err(Problem::Timeout);
        }
        let timeout = remember.timeout.map(set::milliseconds).transpose()?;
        self.load_key(&remember.key, set)?;
        expression::remember(
            &mut self.list,
            remember.set.as_str(),
            NFT_REG_1,
            timeout,
            remember.limit.as_ref(),
        );
        Ok(())
    }

    /// `enum nft_reject_inet_code`, and the codes that the kernel makes of them (net/netfilter/nft_reject.c).
    fn reject(&mut self, reject: Reject) -> Result<(), Problem> {
        let (any, icmp, icmpv6) = match reject {
            Reject::NoRoute => (0, 0, 0),
            Reject::PortUnreachable => (1, 3, 4),
            Reject::HostUnreachable => (2, 1, 3),
            Reject::AdminProhibited => (3, 13, 1),
            Reject::TcpReset => {
                self.need_transport(Protocol::TCP, "tcp reset")?;
                expression::reject(&mut self.list, RejectKind::TcpReset, 0);
                return Ok(());
            }
        };
        let (kind, code) = match self.table.family {
            Family::Ip => (RejectKind::IcmpUnreachable, icmp),
            Family::Ip6 => (RejectKind::IcmpUnreachable, icmpv6),
            Family::Inet | Family::Netdev => (RejectKind::IcmpxUnreachable, any),
            Family::Arp => return Err(Problem::Family("reject")),
        };
        expression::reject(&mut self.list, kind, code);
        Ok(())
    }

    fn nat(&mut self, nat: &Nat) -> Result<(), Problem> {
        // A map's data lie side by side; addresses and ports given here have whole registers.
        let (network, port_register) = match &nat.target {
            NatTarget::Ipv4(address, port) => (Network::Ipv4, self.load_target(&address.octets(), *port)),
            NatTarget::Ipv6(address, port) => (Network::Ipv6, self.load_target(&address.octets(), *port)),
            NatTarget::Map { key, map } => {
                let set = self.named(map)?;
                let found = match &set.data {
                    SetData::Values(kinds) => match kinds.as_slice() {
                        [Kind::Ipv4Addr] => Some((Network::Ipv4, None)),
                        [Kind::Ipv6Addr] => Some((Network::Ipv6, None)),
                        [Kind::Ipv4Addr, Kind::Service] => Some((Network::Ipv4, Some(register(4)))),
                        [Kind::Ipv6Addr, Kind::Service] => Some((Network::Ipv6, Some(register(16)))),
                        _ => None,
                    },
                    SetData::None | SetData::Verdict => None,
                };
                self.load_key(key, set)?;
                self.look_up(map, NFT_REG_1);
                found.ok_or_else(|| Problem::Data(map.to_string()))?
            }
        };
        if self.network.is_some_and(|known| known != network) {
            return Err(Problem::Conflict("nat"));
        }
        if port_register.is_some() {
            self.require_transport()?;
        }
        let family = if network == Network::Ipv6 { Family::Ip6 } else { Family::Ip };
        let registers = NatRegisters {
            kind: match nat.end {
                NatEnd::Source => 0,
                NatEnd::Destination => 1,
            },
            family: u32::from(family.number()),
            address: NFT_REG_1,
            port: port_register,
        };
        expression::nat(&mut self.list, registers);
        Ok(())
    }

    fn load_target(&mut self, address: &[u8], port: Option<u16>) -> Option<u32> {
        expression::load_value(&mut self.list, NFT_REG_1, address);
        let port_register = port.map(|_| register(16));
        if let (Some(port), Some(register)) = (port, port_register) {
            expression::load_value(&mut self.list, register, &port.to_be_bytes());
        }
        port_register
    }

    fn named(&self, name: &Name) -> Result<&'a Set, Problem> {
        self.named.get(name).copied().ok_or_else(|| Problem::NoSet(name.to_string()))
    }

    fn look_up(&mut self, map: &Name, destination: u32) {
        let set = SetName { name: map.as_str(), id: None };
        expression::lookup(&mut self.list, set, NFT_REG_1, Some(destination), false);
    }

    /// Loads the fields of a key side by side.
    fn load_key(&mut self, fields: &[Field], set: &Set) -> Result<(), Problem> {
        let kinds: Vec<Kind> = fields.iter().map(|field| field.0.kind).collect();
        if kinds != set.key {
            return Err(Problem::Kind { expected: set.key.clone(), found: kinds });
        }
        set::check_kinds(&kinds)?;
        // All that is needed comes first: comparing uses the registers.
        fields.iter().try_for_each(|field| self.need(*field))?;
        let mut offset = 0;
        for field in fields {
            self.load(*field, register(offset))?;
            offset += field.0.kind.padded_width();
        }
        if let ([field], true) = (fields, set.interval) {
            self.turn_for_ranges(field.0.kind);
        }
        Ok(())
    }

    fn load(&mut self, field: Field, register: u32) -> Result<(), Problem> {
        self.need(field)?;
        let width = u32::try_from(field.0.kind.facts().width).unwrap_or(u32::MAX);
        self.load_plain(field.0.load, width, register);
        Ok(())
    }

    fn load_plain(&mut self, load: Load, width: u32, register: u32) {
        match load {
            Load::Meta(key) => expression::meta_load(&mut self.list, key, register),
            Load::Ct(key) => expression::ct_load(&mut self.list, key, register),
            Load::Fib { result, flags } => expression::fib(&mut self.list, result, flags, register),
            Load::Payload { layer, offset, mask } => {
                expression::payload(&mut self.list, layer as u32, offset, width, register);
                if let Some(mask) = mask {
                    expression::bitwise(&mut self.list, register, &[mask], &[0]);
                }
            }
        }
    }

    fn turn_for_ranges(&mut self, kind: Kind) {
        if kind.is_turned_for_ranges() {
            let width = u32::try_from(kind.facts().width).unwrap_or(u32::MAX);
            expression::to_network_order(&mut self.list, NFT_REG_1, width);
        }
    }

    /// Compares what the field needs, unless the rule has already.
    fn need(&mut self, field: Field) -> Result<(), Problem> {
        let Needs { network, transport, ethernet } = field.0.needs;
        if let Load::Payload { layer: Layer::Transport, .. } = field.0.load
            && transport.is_none()
        {
            self.require_transport()?;
        }
        if ethernet && !self.is_ethernet {
            expression::meta_load(&mut self.list, kernel::NFT_META_IIFTYPE, NFT_REG_1);
            expression::compare(
                &mut self.list,
                NFT_REG_1,
                Operator::Equal,
                &Value::from(LinkType::ETHER).bytes(),
            );
            self.is_ethernet = true;
        }
        if let Some(network) = network {
            self.need_network(network, field.0.text)?;
        }
        if let Some(transport) = transport {
            self.need_transport(transport, field.0.text)?;
        }
        Ok(())
    }

    fn need_network(&mut self, network: Network, what: &'static str) -> Result<(), Problem> {
        match (self.network, self.table.family) {
            (Some(known), _) if known == network => return Ok(()),
            (Some(_), Family::Inet | Family::Netdev) => return Err(Problem::Conflict(what)),
            (Some(_), _) => return Err(Problem::Family(what)),
            (None, Family::Netdev) => {
                // EtherType, include/uapi/linux/if_ether.h.
                let number: u16 = match network {
                    Network::Ipv4 => 0x0800,
                    Network::Ipv6 => 0x86dd,
                    Network::Arp => 0x0806,
                };
                expression::meta_load(&mut self.list, kernel::NFT_META_PROTOCOL, NFT_REG_1);
                expression::compare(&mut self.list, NFT_REG_1, Operator::Equal, &number.to_be_bytes());
            }
            (None, _) => {
                let family = match network {
                    Network::Ipv4 => Family::Ip,
                    Network::Ipv6 => Family::Ip6,
                    Network::Arp => return Err(Problem::Family(what)),
                };
                expression::meta_load(&mut self.list, kernel::NFT_META_NFPROTO, NFT_REG_1);
                expression::compare(&mut self.list, NFT_REG_1, Operator::Equal, &[family.number()]);
            }
        }
        self.network = Some(network);
        Ok(())
    }

    fn need_transport(&mut self, protocol: Protocol, what: &'static str) -> Result<(), Problem> {
        match self.transport {
            _ if self.network == Some(Network::Arp) => return Err(Problem::Family(what)),
            Transport::Known(known) if known == protocol => return Ok(()),
            Transport::Known(_) => return Err(Problem::Conflict(what)),
            Transport::Several | Transport::Unknown => (),
        }
        expression::meta_load(&mut self.list, kernel::NFT_META_L4PROTO, NFT_REG_1);
        expression::compare(&mut self.list, NFT_REG_1, Operator::Equal, &[protocol.0]);
        self.transport = Transport::Known(protocol);
        Ok(())
    }

    fn require_transport(&self) -> Result<(), Problem> {
        if self.transport == Transport::Unknown { Err(Problem::Transport) } else { Ok(()) }
    }

    /// Notes what a packet that got past a comparison is.
    fn learn(&mut self, field: Field, value: &Value) {
        if let Value::NfFamily(family) = value {
            if family.0 == Family::Ip.number() {
                self.network = Some(Network::Ipv4);
            } else if family.0 == Family::Ip6.number() {
                self.network = Some(Network::Ipv6);
            }
        }
        if let Value::Protocol(protocol) = value
            && field.0.load == Load::Meta(kernel::NFT_META_L4PROTO)
        {
            self.transport = Transport::Known(*protocol);
        }
        self.is_ethernet |= matches!(value, Value::LinkType(LinkType::ETHER));
    }

    fn learn_several(&mut self, fields: &[Field], negated: bool) {
        let looks_at_it = fields.iter().any(|field| field.0.load == Load::Meta(kernel::NFT_META_L4PROTO));
        if looks_at_it && !negated && self.transport == Transport::Unknown {
            self.transport = Transport::Several;
        }
    }
}

const FIB_RESULT_OIF: u32 = 1;
/// `NFTA_FIB_F_SADDR`, `_IIF` and `_PRESENT`.
const FIB_REVERSE_PATH: u32 = 1 | 8 | 32;
