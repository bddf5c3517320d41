//! One value, or all from one to another.

use crate::nft::value::ByteOrder;
use crate::nft::value::EtherAddr;
use crate::nft::value::Kind;
use crate::nft::value::Mark;
use crate::nft::value::Number16;
use crate::nft::value::Value;
use std::fmt;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// Values of one kind from a first to a last one, both included. Both are the same for a single value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    pub(crate) first: Value,
    pub(crate) last: Value,
}

/// Values with an order that means something.
pub trait Ordered: Into<Value> + PartialOrd {}

impl Ordered for Ipv4Addr {}
impl Ordered for Ipv6Addr {}
impl Ordered for EtherAddr {}
impl Ordered for u16 {}
impl Ordered for Mark {}
impl Ordered for Number16 {}

/// Addresses that networks are made of.
pub trait Address: Ordered + Copy {
    /// The first and the last address of the network; none when the prefix is longer than an address.
    fn network(self, prefix: u8) -> Option<(Self, Self)>;
}

impl Address for Ipv4Addr {
    fn network(self, prefix: u8) -> Option<(Self, Self)> {
        let hosts = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
        let first = self.to_bits() & !hosts;
        (prefix <= 32).then(|| (Self::from_bits(first), Self::from_bits(first | hosts)))
    }
}

impl Address for Ipv6Addr {
    fn network(self, prefix: u8) -> Option<(Self, Self)> {
        let hosts = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
        let first = self.to_bits() & !hosts;
        (prefix <= 128).then(|| (Self::from_bits(first), Self::from_bits(first | hosts)))
    }
}

impl<T: Into<Value>> From<T> for Span {
    fn from(value: T) -> Self {
        let value = value.into();
        Self { first: value.clone(), last: value }
    }
}

impl Span {
    /// From `first` to `last`; none when they are the wrong way round.
    pub fn between<T: Ordered>(first: T, last: T) -> Option<Self> {
        (first <= last).then(|| Self { first: first.into(), last: last.into() })
    }

    /// The network that an address lies in; none when the prefix is longer than an address.
    pub fn network<T: Address>(address: T, prefix: u8) -> Option<Self> {
        let (first, last) = address.network(prefix)?;
        Some(Self { first: first.into(), last: last.into() })
    }

    /// The kind of its values.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.first.kind()
    }

    /// Its value if it is a single one.
    #[must_use]
    pub fn single(&self) -> Option<&Value> {
        (self.first == self.last).then_some(&self.first)
    }

    /// Length of the prefix if it is a network of more than one address.
    pub(crate) fn prefix(&self) -> Option<u8> {
        let (first, last, width) = match (&self.first, &self.last) {
            (Value::Ipv4Addr(first), Value::Ipv4Addr(last)) => {
                (u128::from(first.to_bits()), u128::from(last.to_bits()), 32)
            }
            (Value::Ipv6Addr(first), Value::Ipv6Addr(last)) => (first.to_bits(), last.to_bits(), 128),
            _ => return None,
        };
        let hosts = first ^ last;
        let is_network = first & hosts == 0 && hosts & hosts.wrapping_add(1) == 0;
        let host_bits = u8::try_from(128 - hosts.leading_zeros()).unwrap_or(u8::MAX);
        (hosts != 0 && is_network).then(|| width - host_bits)
    }

    /// First and last as bytes whose order is that of the values.
    pub(crate) fn ordered_bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let turned = |value: &Value| {
            let mut bytes = value.bytes();
            if value.kind().is_turned_for_ranges() && cfg!(target_endian = "little") {
                bytes.reverse();
            }
            bytes
        };
        (turned(&self.first), turned(&self.last))
    }

    /// Whether ranges of this kind make sense.
    pub(crate) fn is_range_of(kind: Kind) -> bool {
        kind.facts().order == ByteOrder::Network || kind.is_turned_for_ranges()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.single(), self.prefix()) {
            (Some(value), _) => value.fmt(formatter),
            (None, Some(prefix)) => write!(formatter, "{}/{prefix}", self.first),
            (None, None) => write!(formatter, "{}-{}", self.first, self.last),
        }
    }
}

/// The byte string that follows in order; none behind the last.
pub(crate) fn successor(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut next = bytes.to_vec();
    for byte in next.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(next);
        }
    }
    None
}

/// Which neighbours [`merge`] joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// Those that have values in common.
    Overlapping,
    /// Those too that follow each other without a gap.
    Touching,
}

/// Sorts spans of one kind, and joins neighbours.
pub(crate) fn merge(mut spans: Vec<Span>, joined: Joined) -> Vec<Span> {
    spans.sort_by_cached_key(Span::ordered_bytes);
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        let (first, last) = span.ordered_bytes();
        match merged.last_mut() {
            Some(previous) => {
                let (_, end) = previous.ordered_bytes();
                let joins = first <= end
                    || joined == Joined::Touching && successor(&end).is_some_and(|after| first == after);
                if !joins {
                    merged.push(span);
                } else if last > end {
                    previous.last = span.last;
                }
            }
            None => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> Span {
        let (address, prefix) = text.split_once('/').unwrap();
        Span::network(address.parse::<Ipv4Addr>().unwrap(), prefix.parse().unwrap()).unwrap()
    }

    #[test]
    fn spans_read_as_in_nft() {
        assert_eq!(net("10.1.2.3/8").to_string(), "10.0.0.0/8");
        assert_eq!(net("10.1.2.3/32").to_string(), "10.1.2.3");
        assert_eq!(net("0.0.0.0/0").to_string(), "0.0.0.0/0");
        assert_eq!(Span::network(Ipv6Addr::LOCALHOST, 0).unwrap().to_string(), "::/0");
        let range = Span::between(Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 4)).unwrap();
        assert_eq!(range.to_string(), "10.0.0.1-10.0.0.4");
        assert_eq!(Span::between(0_u16, 1023).unwrap().to_string(), "0-1023");
        assert_eq!(Span::between(2_u16, 1), None);
        assert_eq!(Span::network(Ipv4Addr::LOCALHOST, 33), None);
    }

    #[test]
    fn what_touches_is_joined() {
        let ports = |first, last| Span::between::<u16>(first, last).unwrap();
        let merged = merge(
            vec![ports(80, 90), ports(22, 22), ports(91, 95), ports(85, 86), ports(97, 65535), ports(98, 99)],
            Joined::Touching,
        );
        assert_eq!(merged, [ports(22, 22), ports(80, 95), ports(97, 65535)]);
        let overlapping = merge(vec![ports(3, 4), ports(1, 2), ports(4, 9)], Joined::Overlapping);
        assert_eq!(overlapping, [ports(1, 2), ports(3, 9)]);
    }

    proptest! {
        #[test]
        fn a_network_knows_its_prefix(address: u32, prefix in 0_u8..32) {
            let span = Span::network(Ipv4Addr::from_bits(address), prefix).unwrap();
            prop_assert_eq!(span.prefix(), Some(prefix));
        }

        #[test]
        fn merging_keeps_the_values(ports in proptest::collection::vec((0_u16..60, 0_u16..9), 1..12)) {
            let spans: Vec<Span> = ports.iter().map(|(first, more)| Span::between(*first, first + more).unwrap()).collect();
            let merged = merge(spans, Joined::Touching);
            let holds = |spans: &[Span], port: u16| {
                spans.iter().any(|span| {
                    let (first, last) = span.ordered_bytes();
                    (first..=last).contains(&port.to_be_bytes().to_vec())
                })
            };
            for port in 0..80 {
                let before = ports.iter().any(|(first, more)| (*first..=first + more).contains(&port));
                prop_assert_eq!(holds(&merged, port), before);
            }
            for pair in merged.windows(2) {
                prop_assert!(successor(&pair[0].ordered_bytes().1).unwrap() < pair[1].ordered_bytes().0);
            }
        }
    }
}
