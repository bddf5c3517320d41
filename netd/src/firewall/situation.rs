//! What the rules depend on besides the policy. Pure data.

use crate::apps::addressing::Place;
use crate::apps::addressing::Prefix6;
use crate::firewall::learned::Learned;
use crate::firewall::permission::Permission;
use crate::firewall::ranges::Network4;
use crate::firewall::ranges::Network6;
use crate::moment::Moment;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// The home network as the links show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// Links to it.
    pub links: BTreeSet<String>,
    /// Networks that are on these links, IPv4.
    pub networks4: BTreeSet<Network4>,
    /// The same, IPv6.
    pub networks6: BTreeSet<Network6>,
}

/// Everything that rules are made of.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What is allowed.
    pub permissions: &'a BTreeSet<Permission>,
    /// Where the apps are that have a network.
    pub places: &'a BTreeMap<AppKey, Place>,
    /// The home network.
    pub home: &'a Home,
    /// The box's own IPv6 prefix.
    pub prefix6: Prefix6,
    /// Addresses of names.
    pub learned: &'a Learned,
    /// Now.
    pub now: Moment,
}
