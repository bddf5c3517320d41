//! What a DHCPv6 server grants and tells.

use crate::moment::Moment;
use std::net::Ipv6Addr;
use std::time::Duration;

/// Shortest time from an answer to the next question, whatever the server says.
const SHORTEST_T1: Duration = Duration::from_secs(5);

/// An address granted, with times relative to the lease's start; none means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The address.
    pub address: Ipv6Addr,
    /// How long new connections may use it.
    pub preferred: Option<Duration>,
    /// How long it may be used at all.
    pub valid: Option<Duration>,
}

/// What servers tell besides addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Information {
    /// Name servers, best first.
    pub dns: Vec<Ipv6Addr>,
    /// Time servers, addresses and names.
    pub ntp: Vec<String>,
    /// Domains in which short names are looked up.
    pub domains: Vec<String>,
}

/// A lease in use, with times on the daemon's own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// DUID of the server that granted it.
    pub server: Vec<u8>,
    /// At least one.
    pub addresses: Vec<Held>,
    /// When to ask that server for more time; none means never.
    pub t1: Option<Duration>,
    /// When to ask any server.
    pub t2: Option<Duration>,
    /// When its times began to run.
    pub since: Moment,
}

impl Lease {
    /// A lease with these addresses. Times of zero are the client's to choose: half and four fifths of the shortest preferred time
    /// (RFC 8415 section 21.4).
    #[must_use]
    pub fn new(
        server: Vec<u8>,
        addresses: Vec<Held>,
        (t1, t2): (Option<Duration>, Option<Duration>),
        since: Moment,
    ) -> Self {
        let shortest = addresses.iter().filter_map(|held| held.preferred).min();
        let chosen = |given: Option<Duration>, tenths: u32| match given {
            Some(Duration::ZERO) => shortest.map(|shortest| shortest / 10 * tenths),
            given => given,
        };
        let t1 = chosen(t1, 5).map(|t1| t1.max(SHORTEST_T1));
        let t2 = chosen(t2, 8).map(|t2| t2.max(t1.unwrap_or_default() + SHORTEST_T1));
        Self { server, addresses, t1, t2, since }
    }

    /// When to start renewing.
    #[must_use]
    pub fn renew_at(&self) -> Option<Moment> {
        self.t1.map(|t1| self.since + t1)
    }

    /// When to start rebinding.
    #[must_use]
    pub fn rebind_at(&self) -> Option<Moment> {
        self.t2.map(|t2| self.since + t2)
    }

    /// When the last of its addresses ends.
    #[must_use]
    pub fn ends_at(&self) -> Option<Moment> {
        let ends: Option<Vec<Moment>> =
            self.addresses.iter().map(|held| held.valid.map(|valid| self.since + valid)).collect();
        ends.and_then(|ends| ends.into_iter().max())
    }

    /// Whether all of its addresses have ended.
    #[must_use]
    pub fn has_ended(&self, now: Moment) -> bool {
        self.ends_at().is_some_and(|end| now >= end)
    }

    /// Its addresses alone.
    #[must_use]
    pub fn plain(&self) -> Vec<Ipv6Addr> {
        self.addresses.iter().map(|held| held.address).collect()
    }

    /// Addresses that an answer does not mention stay as they were, with what is left of their times (RFC 8415 section 18.2.10.1).
    #[must_use]
    pub fn left_at(&self, now: Moment) -> Vec<Held> {
        let gone = now.since(self.since);
        let left = |time: Option<Duration>| time.map(|time| time.saturating_sub(gone));
        self.addresses
            .iter()
            .map(|held| Held {
                address: held.address,
                preferred: left(held.preferred),
                valid: left(held.valid),
            })
            .filter(|held| held.valid != Some(Duration::ZERO))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn held(last: u16, preferred: Option<u64>, valid: Option<u64>) -> Held {
        let address = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last);
        Held { address, preferred: preferred.map(S), valid: valid.map(S) }
    }

    #[test]
    fn times_left_to_the_client_are_parts_of_the_shortest_preferred_time() {
        let addresses = vec![held(1, Some(1000), Some(2000)), held(2, Some(500), None)];
        let times = |t1: Option<u64>, t2: Option<u64>| {
            let lease = Lease::new(vec![1], addresses.clone(), (t1.map(S), t2.map(S)), Moment::default());
            (lease.t1.map(|t| t.as_secs()), lease.t2.map(|t| t.as_secs()))
        };
        assert_eq!(times(Some(0), Some(0)), (Some(250), Some(400)));
        assert_eq!(times(Some(7), Some(20)), (Some(7), Some(20)));
        assert_eq!(
            times(Some(1), Some(2)),
            (Some(5), Some(10)),
            "no server makes the client ask without end"
        );
        assert_eq!(times(None, None), (None, None));
    }

    #[test]
    fn a_lease_ends_with_its_last_address_and_what_is_left_shrinks() {
        let addresses = vec![held(1, Some(10), Some(20)), held(2, Some(40), Some(60))];
        let lease = Lease::new(vec![1], addresses, (None, None), Moment::from_secs(100));
        assert!(!lease.has_ended(Moment::from_secs(159)) && lease.has_ended(Moment::from_secs(160)));
        assert_eq!(lease.left_at(Moment::from_secs(130)), [held(2, Some(10), Some(30))]);
        let endless = Lease::new(vec![1], vec![held(1, None, None)], (None, None), Moment::default());
        assert_eq!(endless.ends_at(), None);
    }
}
