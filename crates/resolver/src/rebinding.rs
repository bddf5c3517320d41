//! Addresses that a public name must not have.
//!
//! A page from the internet may not point its own name at a device of the home ("DNS rebinding"). The ranges are IANA's special-purpose
//! registries (RFC 6890): what is not globally reachable, and the forms of IPv6 that carry an IPv4 address, judged by what they carry.

use hickory_proto::rr::RData;
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::SVCB;
use hickory_proto::rr::rdata::svcb::SvcParamValue;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// True of an address that only means something inside a home, a machine or a provider's network.
pub fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_inside_v4(address),
        IpAddr::V6(address) => is_inside_v6(address),
    }
}

fn is_inside_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b) {
        // This network, private, loopback.
        (0 | 10 | 127, _) => true,
        // Carrier-grade NAT (RFC 6598).
        (100, 64..=127) => true,
        (169, 254) | (192, 168) | (172, 16..=31) => true,
        // Protocol assignments (RFC 6890): among them NAT64 discovery, which is answered on the box.
        (192, 0) => c == 0,
        // Benchmarks (RFC 2544): seen behind proxies as "fake" addresses.
        (198, 18..=19) => true,
        // Multicast, reserved, broadcast: never a host.
        (224..=255, _) => true,
        _ => false,
    }
}

fn is_inside_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let carried = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_inside_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4-mapped.
        [0, 0, 0, 0, 0, 0xffff, high, low] => carried(high, low),
        // Unspecified, loopback, and the withdrawn IPv4-compatible form.
        [0, 0, 0, 0, 0, 0, _, _] => true,
        // IPv4-translated (RFC 2765).
        [0, 0, 0, 0, 0xffff, 0, high, low] => carried(high, low),
        // NAT64, well known and local (RFC 6052, RFC 8215).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => carried(high, low),
        [0x64, 0xff9b, 1, ..] => true,
        // Discard (RFC 6666).
        [0x100, 0, 0, 0, ..] => true,
        // Teredo (RFC 4380): withdrawn, and it carries a hidden address.
        [0x2001, 0, ..] => true,
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => carried(high, low),
        // Unique local fc00::/7, link-local fe80::/10, site-local fec0::/10, multicast ff00::/8.
        [first, ..] => first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80 || first >= 0xff00,
    }
}

/// The addresses a record gives to whoever reads it: A, AAAA, and the hints of SVCB and HTTPS (RFC 9460 section 7.3).
pub(crate) fn addresses_of(record: &Record) -> Vec<IpAddr> {
    if let RData::SVCB(service) = &record.data {
        hints_of(service)
    } else if let RData::HTTPS(service) = &record.data {
        hints_of(&service.0)
    } else {
        record.data.ip_addr().into_iter().collect()
    }
}

fn hints_of(service: &SVCB) -> Vec<IpAddr> {
    let mut hints = Vec::new();
    for (_, value) in &service.svc_params {
        match value {
            SvcParamValue::Ipv4Hint(addresses) => hints.extend(addresses.0.iter().map(|a| IpAddr::V4(a.0))),
            SvcParamValue::Ipv6Hint(addresses) => hints.extend(addresses.0.iter().map(|a| IpAddr::V6(a.0))),
            SvcParamValue::Mandatory(_)
            | SvcParamValue::Alpn(_)
            | SvcParamValue::NoDefaultAlpn
            | SvcParamValue::Port(_)
            | SvcParamValue::EchConfigList(_)
            | SvcParamValue::Unknown(_) => {}
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn inside() {
        for text in [
            "0.0.0.0",
            "10.0.0.1",
            "127.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.251",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:192.168.1.1",
            "::ffff:0:192.168.1.1",
            "::10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:c0a8:101::1",
            "2001::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::fb",
            "100::1",
        ] {
            assert!(is_inside(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn outside() {
        for text in [
            "9.9.9.9",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.2.1",
            "192.167.0.1",
            "198.51.100.1",
            "198.20.0.1",
            "203.0.113.1",
            "223.255.255.255",
            "2620:fe::fe",
            "2001:db8::1",
            "::ffff:9.9.9.9",
            "64:ff9b::9.9.9.9",
            "2002:909:909::1",
            "2001:1::1",
        ] {
            assert!(!is_inside(text.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn ipv6_forms_agree_with_what_they_carry(octets in any::<[u8; 4]>()) {
            let plain = Ipv4Addr::from(octets);
            let [a, b, c, d] = octets.map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            for carrier in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(is_inside_v6(carrier), is_inside_v4(plain));
            }
        }
    }
}
