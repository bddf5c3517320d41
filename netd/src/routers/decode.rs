//! Options of router advertisements as the kernel passes them on (`struct nduseroptmsg` of linux/rtnetlink.h). Pure.

use crate::dhcp6::message::domain;
use std::net::Ipv6Addr;
use std::time::Duration;

/// `RTM_NEWNDUSEROPT`.
const NEW_USER_OPTION: u16 = 68;
/// `struct nlmsghdr`.
const NETLINK_HEADER: usize = 16;
/// `struct nduseroptmsg`.
const HEADER: usize = 16;
const AF_INET6: u8 = 10;
/// Router advertisement (RFC 4861 section 4.2).
const ADVERTISEMENT: u8 = 134;
/// Recursive DNS Server option (RFC 8106 section 5.1).
const RDNSS: u8 = 25;
/// DNS Search List option (RFC 8106 section 5.2).
const DNSSL: u8 = 31;
/// All bits set: for ever.
const FOR_EVER: u32 = u32::MAX;
/// Name servers and domains beyond this many are dropped.
const MOST_ENTRIES: usize = 8;

/// What one option says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The link on which it came.
    pub index: u32,
    /// How long it lasts; none means for ever, zero takes it back.
    pub lifetime: Option<Duration>,
    /// Name servers.
    pub dns: Vec<Ipv6Addr>,
    /// Domains.
    pub domains: Vec<String>,
}

/// Everything in one datagram from the kernel.
#[must_use]
pub fn advices(mut datagram: &[u8]) -> Vec<Advice> {
    let mut advices = Vec::new();
    while let Some(header) = datagram.first_chunk::<NETLINK_HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]);
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let Some(body) = usize::try_from(length).ok().and_then(|end| datagram.get(NETLINK_HEADER..end))
        else {
            break;
        };
        if kind == NEW_USER_OPTION {
            message(body, &mut advices);
        }
        let aligned = (NETLINK_HEADER + body.len()).next_multiple_of(4);
        datagram = datagram.get(aligned..).unwrap_or_default();
    }
    advices
}

fn message(body: &[u8], advices: &mut Vec<Advice>) {
    let Some((header, rest)) = body.split_first_chunk::<HEADER>() else {
        return;
    };
    let length = usize::from(u16::from_ne_bytes([header[2], header[3]]));
    let index = i32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
    let is_advertisement = header[0] == AF_INET6 && header[8] == ADVERTISEMENT && header[9] == 0;
    let (Ok(index), Some(mut options), true) = (u32::try_from(index), rest.get(..length), is_advertisement)
    else {
        return;
    };
    while let [kind, eighths, ..] = options {
        let length = usize::from(*eighths) * 8;
        let Some(option) = options.get(..length).filter(|option| !option.is_empty()) else {
            return;
        };
        advices.extend(advice(*kind, option, index));
        options = &options[length..];
    }
}

fn advice(kind: u8, option: &[u8], index: u32) -> Option<Advice> {
    let lifetime = u32::from_be_bytes(option.get(4..8)?.try_into().ok()?);
    let lifetime = (lifetime != FOR_EVER).then(|| Duration::from_secs(u64::from(lifetime)));
    let value = option.get(8..)?;
    let (dns, domains) = match kind {
        RDNSS => (servers(value), Vec::new()),
        DNSSL => (Vec::new(), names(value)),
        _ => return None,
    };
    Some(Advice { index, lifetime, dns, domains })
}

fn servers(value: &[u8]) -> Vec<Ipv6Addr> {
    let all = value.chunks_exact(16).filter_map(|bytes| <[u8; 16]>::try_from(bytes).ok());
    all.map(Ipv6Addr::from)
        .filter(|server| !server.is_unspecified() && !server.is_multicast() && !server.is_loopback())
        .take(MOST_ENTRIES)
        .collect()
}

/// Names in the form of RFC 1035 section 3.1, without compression; zeros fill up the end.
fn names(mut value: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut labels: Vec<&str> = Vec::new();
    while let [length, rest @ ..] = value {
        let Some((label, next)) = rest.split_at_checked(usize::from(*length)) else {
            break;
        };
        value = next;
        if !label.is_empty() {
            // What is no text makes a name that is refused below.
            labels.push(std::str::from_utf8(label).unwrap_or("\0"));
        } else if !labels.is_empty() {
            names.extend(domain(&labels.join(".")));
            labels.clear();
        }
        if names.len() >= MOST_ENTRIES {
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prelude::prop;
    use proptest::proptest;

    fn datagram(options: &[u8]) -> Vec<u8> {
        let length = u32::try_from(NETLINK_HEADER + HEADER + options.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(NEW_USER_OPTION.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend([AF_INET6, 0]);
        bytes.extend(u16::try_from(options.len()).unwrap().to_ne_bytes());
        bytes.extend(7_i32.to_ne_bytes());
        bytes.extend([ADVERTISEMENT, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(options);
        bytes
    }

    fn rdnss(lifetime: u32, server: Ipv6Addr) -> Vec<u8> {
        [&[RDNSS, 3, 0, 0][..], &lifetime.to_be_bytes(), &server.octets()].concat()
    }

    #[test]
    fn name_servers_and_domains_are_read() {
        let server: Ipv6Addr = "fd77::53".parse().unwrap();
        let dnssl = b"\x1f\x04\0\0\xff\xff\xff\xff\x04home\x07example\0\x03lan\0\0\0\0\0\0";
        let expected = [
            Advice { index: 7, lifetime: Some(Duration::from_secs(600)), dns: vec![server], domains: vec![] },
            Advice {
                index: 7,
                lifetime: None,
                dns: vec![],
                domains: vec!["home.example".to_owned(), "lan".to_owned()],
            },
        ];
        assert_eq!(advices(&datagram(&[&rdnss(600, server)[..], dnssl].concat())), expected);
        let two = [datagram(&rdnss(600, server)), datagram(dnssl)].concat();
        assert_eq!(advices(&two), expected);
    }

    #[test]
    fn other_messages_and_harmful_names_are_ignored() {
        let mut other = datagram(&rdnss(600, "fd77::53".parse().unwrap()));
        other[4] = 16;
        assert_eq!(advices(&other), []);
        assert!(advices(&datagram(&rdnss(600, "ff02::1".parse().unwrap())))[0].dns.is_empty());
        let dnssl = b"\x1f\x03\0\0\0\0\0\x09\x03a\nb\0\x02\xff\xfe\0\x01x\0\0\0\0\0";
        assert_eq!(advices(&datagram(dnssl))[0].domains, ["x"]);
        assert_eq!(advices(&datagram(&[RDNSS, 0, 0, 0])), [], "an option without length");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _raw = advices(&bytes);
            let _framed = advices(&datagram(&bytes));
            for kind in [RDNSS, DNSSL] {
                let _option = advices(&datagram(&[&[kind, 3][..], &bytes].concat()));
            }
        }
    }
}
