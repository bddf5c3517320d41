//! What the keeper needs of the kernel's packet filter, in its own words.

use crate::firewall::permission::Mark;
use netlink::nft::Count;
use netlink::nft::Counter;
use netlink::nft::InterfaceName;
use netlink::nft::Ruleset;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

/// Why the kernel did not do it: what was being done, and its reason.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct FilterError {
    /// What was to be done.
    pub doing: &'static str,
    /// Why not.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

/// What an app reaches because of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reachable {
    /// The app's link.
    pub link: InterfaceName,
    /// Where to.
    pub address: IpAddr,
    /// By which permission.
    pub mark: Mark,
    /// For how long from now.
    pub left: Duration,
}

/// What is to change in what apps reach because of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressChange {
    /// What is reachable from now on, by this permission and for this long.
    pub put: Vec<Reachable>,
    /// Links and what is no longer reachable by them, whether it was or not.
    pub gone: Vec<(InterfaceName, IpAddr)>,
}

/// What has been counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By rules.
    pub rules: Vec<Counter>,
    /// By connections, all of a mark together.
    pub connections: BTreeMap<Mark, Count>,
}

impl Counts {
    /// Whether there was nothing that counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.connections.is_empty()
    }
}

/// The packet filter and the connections it has let through.
pub trait PacketFilter {
    /// Puts rules in force in place of those before, all or nothing.
    ///
    /// # Errors
    /// When the kernel refuses; then those before are still in force.
    fn replace(&mut self, rules: &Ruleset) -> Result<(), FilterError>;
    /// A number that grows by one whenever anybody has changed rules, with [`PacketFilter::replace`] and [`PacketFilter::put`] among them
    /// (`nft_net->base_seq` of net/netfilter/nf_tables_api.c, which leaves out 0).
    ///
    /// # Errors
    /// When the kernel does not say.
    fn generation(&mut self) -> Result<u32, FilterError>;
    /// What has been counted; nothing when there are no rules.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn counts(&mut self) -> Result<Counts, FilterError>;
    /// Changes what apps reach because of names, in one commit.
    ///
    /// # Errors
    /// When the kernel refuses; then nothing is changed.
    fn put(&mut self, change: &AddressChange) -> Result<(), FilterError>;
    /// What apps reach because of names; nothing when there are no rules.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn reachable(&mut self) -> Result<Vec<Reachable>, FilterError>;
    /// Forgets connections from and to these addresses.
    ///
    /// # Errors
    /// When the kernel does not do it.
    fn forget(&mut self, addresses: &[IpAddr]) -> Result<usize, FilterError>;
    /// Forgets connections with a mark that is not alive, and says how many these were.
    ///
    /// # Errors
    /// When the kernel does not do it; rules judge connections by their mark in any case.
    fn sweep(&mut self, is_alive: &dyn Fn(u32) -> bool) -> Result<usize, FilterError>;
}
