//! What the keeper needs of the kernel's packet filter, in its own words.

use netlink::nft::Counter;
use netlink::nft::Name;
use netlink::nft::Ruleset;
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

/// What is to change in a set of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressChange {
    /// The set.
    pub set: Name,
    /// Addresses of it, and how long each is good from now; one that is there gets the new end.
    pub put: Vec<(IpAddr, Duration)>,
    /// Addresses that are to go, whether they are there or not.
    pub gone: Vec<IpAddr>,
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
    /// What the rules have counted.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn counters(&mut self) -> Result<Vec<Counter>, FilterError>;
    /// Changes sets of addresses, in one commit.
    ///
    /// # Errors
    /// When the kernel refuses; then nothing is changed.
    fn put(&mut self, changes: &[AddressChange]) -> Result<(), FilterError>;
    /// Addresses in a set and how long each is still good; nothing when there is no such set.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn addresses(&mut self, set: &Name) -> Result<Vec<(IpAddr, Duration)>, FilterError>;
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
