//! Which link-local address to try (RFC 3927), pure. Probing and defence are those of every address, in [`crate::ipv4::acd`].

use crate::dhcp::frame::Mac;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Prefix length of 169.254.0.0.
pub const PREFIX: u8 = 16;
/// How long a link is without a lease before it gets such an address: longer than a router takes to answer, shorter than a
/// person takes to wonder.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Conflicts after which new addresses are tried slowly (`MAX_CONFLICTS`).
const MOST_CONFLICTS: u32 = 10;
/// Time between two tries from then on (`RATE_LIMIT_INTERVAL`).
const SLOWLY: Duration = Duration::from_secs(60);

/// The address of a link's nth try: the same after a restart, another one on another device (RFC 3927 section 2.1). The first and
/// last 256 of the network are not used.
#[must_use]
pub fn candidate(mac: Mac, conflicts: u32) -> Ipv4Addr {
    let [a, b, c, d, e, f] = mac;
    let seed = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let mixed = mix(seed.wrapping_add(u64::from(conflicts).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let third = u8::try_from(1 + (mixed >> 8) % 254).unwrap_or(1);
    let fourth = u8::try_from(mixed & 0xff).unwrap_or(0);
    Ipv4Addr::new(169, 254, third, fourth)
}

/// How long to wait before the next try.
#[must_use]
pub const fn wait_after(conflicts: u32) -> Duration {
    if conflicts < MOST_CONFLICTS { Duration::ZERO } else { SLOWLY }
}

/// Finalizer of SplitMix64: every bit of the input changes about half of those of the output.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn candidates_are_stable_spread_and_within_the_usable_part() {
        let mac = [0x52, 0x54, 0, 1, 2, 3];
        assert_eq!(candidate(mac, 0), candidate(mac, 0));
        let tries: BTreeSet<Ipv4Addr> = (0..1000).map(|conflicts| candidate(mac, conflicts)).collect();
        assert!(tries.len() > 950, "{}", tries.len());
        assert!(
            tries.iter().all(|address| address.is_link_local() && (1..=254).contains(&address.octets()[2]))
        );
        let devices: BTreeSet<Ipv4Addr> = (0..200).map(|last| candidate([2, 0, 0, 0, 0, last], 0)).collect();
        assert!(devices.len() > 190, "{}", devices.len());
    }

    #[test]
    fn many_conflicts_slow_it_down() {
        assert_eq!(wait_after(9), Duration::ZERO);
        assert_eq!(wait_after(10), Duration::from_secs(60));
    }
}
