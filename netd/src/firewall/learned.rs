//! Which addresses belong to the names that apps may reach, as the resolver told. Pure.

use crate::firewall::permission::Permission;
use crate::moment::Moment;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// Addresses kept for one permission; a name with more gives up those that end first.
pub const MAX_ADDRESSES: usize = 128;
/// Programs keep an address a little longer than its TTL says.
const GRACE: Duration = Duration::from_secs(120);
const SHORTEST: Duration = Duration::from_secs(300);
const LONGEST: Duration = Duration::from_secs(86_400);

/// Addresses with their end, by app and permission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    by_app: BTreeMap<Option<AppKey>, BTreeMap<Permission, Ends>>,
}

/// How long an address is kept for an answer's TTL.
#[must_use]
pub fn lifetime(ttl: Duration) -> Duration {
    ttl.saturating_add(GRACE).clamp(SHORTEST, LONGEST)
}

/// Addresses of one permission with their end.
pub type Ends = BTreeMap<IpAddr, Moment>;

/// What an answer changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Addresses of the answer and their end.
    pub kept: Ends,
    /// Addresses that were given up for these.
    pub given_up: BTreeSet<IpAddr>,
}

impl Learned {
    /// Takes note of addresses until then; an end that is known to be later stays.
    pub fn note(&mut self, permission: &Permission, addresses: &[IpAddr], end: Moment) -> Noted {
        let known = self.by_app.entry(permission.app().cloned()).or_default();
        let known = known.entry(permission.clone()).or_default();
        let latest = |address: &IpAddr| known.get(address).map_or(end, |known| end.max(*known));
        let kept: Ends =
            addresses.iter().take(MAX_ADDRESSES).map(|address| (*address, latest(address))).collect();
        known.extend(&kept);
        let mut given_up = BTreeSet::new();
        while known.len() > MAX_ADDRESSES {
            let first =
                known.iter().filter(|(other, _)| !kept.contains_key(*other)).min_by_key(|(_, end)| **end);
            let Some(first) = first.map(|(address, _)| *address) else { break };
            known.remove(&first);
            given_up.insert(first);
        }
        Noted { kept, given_up }
    }

    /// Everything that is known of a permission.
    #[must_use]
    pub fn ends(&self, permission: &Permission) -> Ends {
        self.known(permission).cloned().unwrap_or_default()
    }

    /// Puts that in place of what is known.
    pub fn set_ends(&mut self, permission: Permission, ends: Ends) {
        self.by_app.entry(permission.app().cloned()).or_default().insert(permission, ends);
    }

    /// Forgets what has ended, and everything of permissions that are gone.
    pub fn tidy(&mut self, permissions: &BTreeSet<Permission>, now: Moment) {
        self.by_app.retain(|_, of_app| {
            of_app.retain(|permission, addresses| {
                addresses.retain(|_, end| *end > now);
                !addresses.is_empty() && permissions.contains(permission)
            });
            !of_app.is_empty()
        });
    }

    /// Of these permissions of an app for an address, the one that is good for longest, and for how long from now.
    #[must_use]
    pub fn latest<'a>(
        &'a self,
        app: &AppKey,
        address: IpAddr,
        permissions: &BTreeSet<Permission>,
        now: Moment,
    ) -> Option<(&'a Permission, Duration)> {
        let of_app = self.by_app.get(&Some(app.clone())).into_iter().flatten();
        let ends = of_app.filter_map(|(permission, ends)| Some((permission, *ends.get(&address)?)));
        let alive = ends.filter(|(permission, end)| *end > now && permissions.contains(permission));
        // Of equals the first, whatever the order of the answers was.
        let latest = alive.reduce(|best, next| if next.1 > best.1 { next } else { best });
        latest.map(|(permission, end)| (permission, end.since(now)))
    }

    /// Addresses of a permission and how long each is good from now.
    pub fn of(&self, permission: &Permission, now: Moment) -> impl Iterator<Item = (IpAddr, Duration)> {
        let addresses = self.known(permission).into_iter().flatten();
        addresses.filter(move |(_, end)| **end > now).map(move |(address, end)| (*address, end.since(now)))
    }

    fn known(&self, permission: &Permission) -> Option<&Ends> {
        self.by_app.get(&permission.app().cloned())?.get(permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(name: &str) -> Permission {
        Permission::Domain { app: "a".parse().unwrap(), name: name.parse().unwrap() }
    }

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn addresses_end_and_the_later_end_counts() {
        let (mut learned, name) = (Learned::default(), permission("a.b"));
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        learned.note(&name, &[address], at(100));
        assert_eq!(learned.note(&name, &[address], at(50)).kept, [(address, at(100))].into());
        assert_eq!(learned.of(&name, at(60)).collect::<Vec<_>>(), [(address, Duration::from_secs(40))]);
        assert_eq!(learned.of(&name, at(100)).count(), 0);
        learned.tidy(&BTreeSet::from([name]), at(100));
        assert_eq!(learned, Learned::default());
    }

    #[test]
    fn a_name_with_too_many_addresses_gives_up_those_that_end_first() {
        let (mut learned, name) = (Learned::default(), permission("a.b"));
        let mut given_up = Vec::new();
        for n in 0..200_u32 {
            given_up.extend(learned.note(&name, &[IpAddr::V4(n.into())], at(1000 - u64::from(n))).given_up);
        }
        assert_eq!(given_up.len(), 200 - MAX_ADDRESSES);
        assert!(!learned.of(&name, at(0)).any(|(address, _)| given_up.contains(&address)));
        assert_eq!(learned.of(&name, at(0)).count(), MAX_ADDRESSES);
        assert!(
            learned.of(&name, at(0)).any(|(address, _)| address == IpAddr::V4(199.into())),
            "the newest stays"
        );
        let many: Vec<IpAddr> = (1000..1200_u32).map(|n| IpAddr::V4(n.into())).collect();
        let noted = learned.note(&name, &many, at(1));
        let (first, rest) = many.split_at(MAX_ADDRESSES);
        assert!(
            noted.kept.keys().eq(first) && noted.given_up.len() == MAX_ADDRESSES,
            "an answer is not torn"
        );
        assert!(!learned.of(&name, at(0)).any(|(address, _)| rest.contains(&address)));
        learned.tidy(&BTreeSet::from([permission("c.d")]), at(0));
        assert_eq!(learned.of(&name, at(0)).count(), 0, "the permission is gone");
    }

    #[test]
    fn an_address_of_several_names_belongs_to_the_one_that_ends_last() {
        let mut learned = Learned::default();
        let (one, two, three) = (permission("a.b"), permission("c.d"), permission("e.f"));
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        for (permission, end) in [(&one, 100), (&two, 200), (&three, 200)] {
            learned.note(permission, &[address], at(end));
        }
        let app = "a".parse().unwrap();
        let latest = |permissions: &[&Permission], now| {
            let permissions = permissions.iter().map(|permission| (*permission).clone()).collect();
            let found = learned.latest(&app, address, &permissions, at(now));
            found.map(|(permission, left)| (permission.clone(), left.as_secs()))
        };
        assert_eq!(latest(&[&one, &two, &three], 50), Some((two.clone(), 150)));
        assert_eq!(latest(&[&one], 50), Some((one.clone(), 50)));
        assert_eq!(latest(&[&one], 100), None);
        assert_eq!(latest(&[], 50), None);
        assert_eq!(learned.latest(&"b".parse().unwrap(), address, &[two].into(), at(50)), None);
    }

    #[test]
    fn lifetimes_have_bounds() {
        let seconds = |ttl| lifetime(Duration::from_secs(ttl)).as_secs();
        assert_eq!([0, 200, 3600, u64::MAX].map(seconds), [300, 320, 3720, 86_400]);
    }
}
