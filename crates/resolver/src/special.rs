//! Names that are answered on the box and never leave it.
//!
//! Special-use domain names (RFC 6761 and its registry), reverse zones of addresses that only mean something inside (RFC 6303, RFC 7793),
//! and names of a single label, which are names of the home.

use crate::name::DomainName;
use crate::rebinding;
use crate::request::qtype;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// What to do with a name before anybody else is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// The loopback addresses (RFC 6761 section 6.3).
    Localhost,
    /// Multicast DNS (RFC 6762).
    Mdns,
    /// The name exists, without data of this type.
    NoData,
    /// There is no such name.
    NoName,
    /// The two addresses by which a NAT64 is found (RFC 7050): the box's network has none.
    Ipv4OnlyArpa,
}

/// Top-level names that do not exist outside (RFC 7686, RFC 6761, RFC 9476, ICANN's private-use name).
const UNKNOWN_OUTSIDE: [&[u8]; 5] = [b"onion", b"invalid", b"test", b"internal", b"alt"];

/// What is special about a question; `None` for a public name.
///
/// A single label may be asked upstream for DS and DNSKEY only: nobody but a validator asks that, and the answer is about a top-level domain.
pub(crate) fn classify(name: &DomainName, kind: u16) -> Option<Special> {
    let labels: Vec<&[u8]> = name.labels().collect();
    let mut from_right = labels.iter().rev().copied();
    let Some(top) = from_right.next() else {
        // The root: nothing to leak.
        return None;
    };
    let second = from_right.next();
    match (top, second) {
        (b"localhost", _) => Some(Special::Localhost),
        (b"local", _) => Some(Special::Mdns),
        (top, _) if UNKNOWN_OUTSIDE.contains(&top) => Some(Special::NoName),
        (b"arpa", Some(b"home")) => Some(Special::NoName),
        // RFC 9462 section 6.4: without a designated resolver the answer is "no data".
        (b"arpa", Some(b"resolver")) => Some(Special::NoData),
        (b"arpa", Some(b"ipv4only")) if labels.len() == 2 => Some(Special::Ipv4OnlyArpa),
        // The canary by which a network asks browsers to use its resolver.
        (b"net", Some(b"use-application-dns")) => Some(Special::NoName),
        (_, None) if kind != qtype::DS && kind != qtype::DNSKEY => Some(Special::NoName),
        (b"arpa", Some(_)) if is_inside_reverse(&labels) => Some(Special::NoName),
        _ => None,
    }
}

/// The address a reverse name stands for, when it stands for exactly one (RFC 1035 section 3.5, RFC 3596 section 2.5).
pub(crate) fn reverse_address(name: &DomainName) -> Option<IpAddr> {
    let labels: Vec<&[u8]> = name.labels().collect();
    match reverse_range(&labels)? {
        ReverseRange { first, bits: 32, labels_below: 0 } if first.is_ipv4() => Some(first),
        ReverseRange { first, bits: 128, labels_below: 0 } => Some(first),
        _ => None,
    }
}

/// True of a reverse name in, or above nothing but, a range that only means something inside. What stands below the range does not
/// matter: browsing by DNS-SD (RFC 6763 section 11) and classless delegation (RFC 2317) put words there.
fn is_inside_reverse(labels: &[&[u8]]) -> bool {
    let Some(ReverseRange { first, bits, .. }) = reverse_range(labels) else { return false };
    let last = match first {
        IpAddr::V4(address) => {
            IpAddr::V4((u32::from(address) | u32::MAX.checked_shr(bits).unwrap_or(0)).into())
        }
        IpAddr::V6(address) => {
            IpAddr::V6((u128::from(address) | u128::MAX.checked_shr(bits).unwrap_or(0)).into())
        }
    };
    // The two ends speak for the middle in every range but those that carry an IPv4 address, where only the prefix itself is misjudged.
    bits >= 8 && rebinding::is_inside(first) && rebinding::is_inside(last)
}

/// The addresses of a reverse name.
struct ReverseRange {
    first: IpAddr,
    /// Leading bits that are given.
    bits: u32,
    /// Labels on the left that give none.
    labels_below: usize,
}

/// Reads a reverse name from the right, up to the first label that is no part of an address.
fn reverse_range(labels: &[&[u8]]) -> Option<ReverseRange> {
    let (labels, family) = labels.split_at_checked(labels.len().checked_sub(2)?)?;
    let from_right = labels.iter().rev();
    let (first, bits, given) = match family {
        [b"in-addr", b"arpa"] => {
            let octet = |label: &&[u8]| std::str::from_utf8(label).ok()?.parse::<u8>().ok();
            let given: Vec<u8> = from_right.map_while(octet).take(4).collect();
            let mut octets = [0; 4];
            octets.iter_mut().zip(&given).for_each(|(octet, label)| *octet = *label);
            (IpAddr::V4(Ipv4Addr::from(octets)), 8, given.len())
        }
        [b"ip6", b"arpa"] => {
            let digit = |label: &&[u8]| match label {
                [digit] => char::from(*digit).to_digit(16),
                _ => None,
            };
            let given: Vec<u32> = from_right.map_while(digit).take(32).collect();
            let padded = given.iter().copied().chain(std::iter::repeat(0)).take(32);
            let bits = padded.fold(0_u128, |bits, digit| bits << 4 | u128::from(digit));
            (IpAddr::V6(Ipv6Addr::from(bits)), 4, given.len())
        }
        _ => return None,
    };
    let bits = bits * u32::try_from(given).ok()?;
    Some(ReverseRange { first, bits, labels_below: labels.len() - given })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn special(text: &str) -> Option<Special> {
        classify(&text.parse().unwrap(), qtype::A)
    }

    #[test]
    fn names_of_the_registry_stay_here() {
        for text in [
            "a.onion",
            "onion",
            "x.invalid",
            "x.test",
            "nas.home.arpa",
            "home.arpa",
            "db.internal",
            "x.alt",
            "nas",
            "use-application-dns.net",
            "1.1.168.192.in-addr.arpa",
            "168.192.in-addr.arpa",
            "10.in-addr.arpa",
            "1.0.64.100.in-addr.arpa",
            "1.0.0.127.in-addr.arpa",
            "1.16.172.in-addr.arpa",
            "d.f.ip6.arpa",
            "c.f.ip6.arpa",
            "8.e.f.ip6.arpa",
            "b.e.f.ip6.arpa",
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
            // Browsing (RFC 6763 section 11), classless delegation (RFC 2317), and nonsense: below an inside range all the same.
            "b._dns-sd._udp.0.1.168.192.in-addr.arpa",
            "lb._dns-sd._udp.1.168.192.in-addr.arpa",
            "dr._dns-sd._udp.10.in-addr.arpa",
            "b._dns-sd._udp.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
            "x.8.e.f.ip6.arpa",
            "7.0-25.1.168.192.in-addr.arpa",
            "9.1.1.168.192.in-addr.arpa",
            "300.1.168.192.in-addr.arpa",
        ] {
            assert_eq!(special(text), Some(Special::NoName), "{text}");
        }
        assert_eq!(special("localhost"), Some(Special::Localhost));
        assert_eq!(special("app.localhost"), Some(Special::Localhost));
        assert_eq!(special("printer.local"), Some(Special::Mdns));
        assert_eq!(special("_dns.resolver.arpa"), Some(Special::NoData));
        assert_eq!(special("ipv4only.arpa"), Some(Special::Ipv4OnlyArpa));
    }

    #[test]
    fn public_names_go_out() {
        for text in [
            "example.com",
            "local.example.com",
            "test.example",
            "9.9.9.9.in-addr.arpa",
            "172.in-addr.arpa",
            "in-addr.arpa",
            "ip6.arpa",
            "2.ip6.arpa",
            "8.b.d.0.1.0.0.2.ip6.arpa",
            "x.168.192.in-addr.arpa.example.com",
            "b._dns-sd._udp.0.9.9.9.in-addr.arpa",
            "x.in-addr.arpa",
            "168.192.x.in-addr.arpa",
            "d.f.x.ip6.arpa",
            "localhost.example.com",
        ] {
            assert_eq!(special(text), None, "{text}");
        }
        assert_eq!(classify(&"com".parse().unwrap(), qtype::DS), None);
        assert_eq!(classify(&"com".parse().unwrap(), qtype::DNSKEY), None);
        assert_eq!(classify(&".".parse().unwrap(), qtype::DS), None);
    }

    #[test]
    fn reverse_names_give_addresses() {
        let of = |text: &str| reverse_address(&text.parse().unwrap());
        assert_eq!(of("4.3.2.1.in-addr.arpa"), Some("1.2.3.4".parse().unwrap()));
        assert_eq!(of("3.2.1.in-addr.arpa"), None);
        assert_eq!(of("256.2.1.1.in-addr.arpa"), None);
        assert_eq!(of("x.4.3.2.1.in-addr.arpa"), None);
        assert_eq!(of("5.4.3.2.1.in-addr.arpa"), None);
        let long = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(of(long), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(of(&format!("x.{long}")), None);
        assert_eq!(of(&format!("0.{long}")), None);
    }

    proptest! {
        #[test]
        fn every_inside_address_keeps_its_reverse_name(bits in any::<u32>()) {
            let address = Ipv4Addr::from(bits);
            let [a, b, c, d] = address.octets();
            let name: DomainName = format!("{d}.{c}.{b}.{a}.in-addr.arpa").parse().unwrap();
            prop_assert_eq!(reverse_address(&name), Some(IpAddr::V4(address)));
            prop_assert_eq!(classify(&name, qtype::PTR).is_some(), rebinding::is_inside(IpAddr::V4(address)));
        }

        #[test]
        fn any_name_is_classified(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in any::<u16>()) {
            if let Some((name, _)) = DomainName::read(&bytes) {
                let _class = (classify(&name, kind), reverse_address(&name));
            }
        }
    }
}
