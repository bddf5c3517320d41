//! Who may resolve what: each client address has a view; without one, nothing is answered.

use crate::name::DomainName;
use crate::name::NotAName;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Names that may be resolved: one, or everything below one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// This name and no other.
    Exact(DomainName),
    /// Every name below this one, at any depth, and not the name itself: `*.example.com`.
    Below(DomainName),
}

impl Pattern {
    /// True when the name may be resolved.
    pub fn matches(&self, name: &DomainName) -> bool {
        match self {
            Self::Exact(only) => name == only,
            Self::Below(parent) => name.is_below(parent),
        }
    }
}

impl FromStr for Pattern {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let pattern = match text.strip_prefix("*.") {
            Some(parent) => Self::Below(parent.parse()?),
            None => Self::Exact(text.parse()?),
        };
        // A star inside a name, or over every name there is, is a mistake.
        let (Self::Exact(name) | Self::Below(name)) = &pattern;
        if name.labels().next().is_none() || name.labels().any(|label| label.contains(&b'*')) {
            return Err(NotAName { text: text.to_owned() });
        }
        Ok(pattern)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

/// Which public names a view may resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow {
    /// Everything.
    All,
    /// These. A chain of aliases that begins at an allowed name may lead anywhere.
    Names(Vec<Pattern>),
}

/// Names that exist only on this box, such as those of the apps a client may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalNames(HashMap<DomainName, Vec<IpAddr>>);

impl LocalNames {
    /// The addresses of a name; empty when the name is known and has none.
    pub(crate) fn get(&self, name: &DomainName) -> Option<&[IpAddr]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// The first name (in order) that has this address.
    pub(crate) fn name_of(&self, address: IpAddr) -> Option<&DomainName> {
        self.0.iter().filter(|(_, addresses)| addresses.contains(&address)).map(|(name, _)| name).min()
    }
}

impl FromIterator<(DomainName, Vec<IpAddr>)> for LocalNames {
    fn from_iter<I: IntoIterator<Item = (DomainName, Vec<IpAddr>)>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

/// What a client sees of the world's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// What it is called in statistics and to the observer; two views of one name are counted together.
    pub name: String,
    /// Public names.
    pub allow: Allow,
    /// Names of the box. They go before every other rule.
    pub local: LocalNames,
    /// Whether `.local` is looked up by multicast DNS.
    pub mdns: bool,
}

impl View {
    /// Which rule lets this public name be resolved.
    pub(crate) fn permission(&self, name: &DomainName) -> Option<Permission<'_>> {
        match &self.allow {
            Allow::All => Some(Permission::All),
            Allow::Names(patterns) => {
                patterns.iter().find(|pattern| pattern.matches(name)).map(Permission::Pattern)
            }
        }
    }
}

/// Why a name was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission<'a> {
    /// The view may resolve everything.
    All,
    /// This pattern of the view.
    Pattern(&'a Pattern),
    /// It is a name of the box.
    Local,
    /// The view may resolve `.local`.
    Mdns,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    /// The first `bits` bits of `address`; `None` when it has no that many.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { address: masked(address, bits), bits })
    }

    /// True when the address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }
}

impl From<IpAddr> for Prefix {
    /// This address alone.
    fn from(address: IpAddr) -> Self {
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V6((u128::from(address) & mask).into())
        }
    }
}

/// The views of all clients.
#[derive(Clone, Debug, Default)]
pub struct Views {
    exact: HashMap<IpAddr, Arc<View>>,
    /// Longest prefix first.
    ranges: Vec<(Prefix, Arc<View>)>,
}

impl Views {
    /// The longest range that holds an address decides.
    pub fn new(views: BTreeMap<Prefix, Arc<View>>) -> Self {
        let mut all = Self::default();
        for (prefix, view) in views {
            if prefix == Prefix::from(prefix.address) {
                all.exact.insert(prefix.address, view);
            } else {
                all.ranges.push((prefix, view));
            }
        }
        all.ranges.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.bits));
        all
    }

    /// What this client sees; `None`: it is not known here.
    pub(crate) fn of(&self, client: IpAddr) -> Option<&Arc<View>> {
        // A socket that listens on both families says IPv4 clients in IPv6 form.
        let client = client.to_canonical();
        self.exact
            .get(&client)
            .or_else(|| self.ranges.iter().find(|(prefix, _)| prefix.contains(client)).map(|(_, view)| view))
    }

    /// Names of all views.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.exact.values().chain(self.ranges.iter().map(|(_, view)| view)).map(|view| &*view.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> DomainName {
        text.parse().unwrap()
    }

    fn view(name: &str) -> Arc<View> {
        Arc::new(View { name: name.to_owned(), allow: Allow::All, local: LocalNames::default(), mdns: false })
    }

    #[test]
    fn patterns() {
        let exact: Pattern = "Api.Example.com".parse().unwrap();
        let below: Pattern = "*.example.com".parse().unwrap();
        assert!(exact.matches(&name("api.example.com")) && !exact.matches(&name("a.api.example.com")));
        assert!(below.matches(&name("a.b.example.com")) && !below.matches(&name("example.com")));
        assert!(!below.matches(&name("xexample.com")));
        assert_eq!(below.to_string(), "*.example.com");
        for mistake in ["", "*", "*.", ".", "a.*.com", "*.*.com", "*a.com"] {
            assert_eq!(mistake.parse::<Pattern>().ok(), None, "{mistake}");
        }
    }

    #[test]
    fn the_longest_range_decides() {
        let prefix = |text: &str, bits| Prefix::new(text.parse().unwrap(), bits).unwrap();
        let views = Views::new(BTreeMap::from([
            (prefix("10.0.0.0", 8), view("wide")),
            (prefix("10.1.0.0", 16), view("narrow")),
            (prefix("10.1.0.7", 32), view("one")),
            (prefix("fd00::", 8), view("six")),
        ]));
        let of = |text: &str| views.of(text.parse().unwrap()).map(|view| view.name.clone());
        assert_eq!(of("10.1.0.7").as_deref(), Some("one"));
        assert_eq!(of("::ffff:10.1.0.7").as_deref(), Some("one"));
        assert_eq!(of("10.1.0.8").as_deref(), Some("narrow"));
        assert_eq!(of("10.2.0.8").as_deref(), Some("wide"));
        assert_eq!(of("fd12::1").as_deref(), Some("six"));
        assert_eq!(of("192.0.2.1"), None);
    }

    proptest! {
        #[test]
        fn a_range_holds_what_shares_its_bits(a in any::<u32>(), b in any::<u32>(), bits in 0_u8..=32) {
            let prefix = Prefix::new(IpAddr::V4(a.into()), bits).unwrap();
            prop_assert_eq!(prefix.contains(IpAddr::V4(b.into())), (a ^ b).leading_zeros() >= u32::from(bits));
        }
    }
}
