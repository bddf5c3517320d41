//! What the keeper needs of the kernel's packet filter, in its own words.

use netlink::nft::Counter;
use netlink::nft::Element;
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

/// The packet filter and the connections it has let through.
pub trait PacketFilter {
    /// Puts rules in force in place of those before, all or nothing.
    ///
    /// # Errors
    /// When the kernel refuses; then those before are still in force.
    fn replace(&mut self, rules: &Ruleset) -> Result<(), FilterError>;
    /// A number that differs whenever anybody has changed rules.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn generation(&mut self) -> Result<u32, FilterError>;
    /// What the rules have counted.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn counters(&mut self) -> Result<Vec<Counter>, FilterError>;
    /// Adds elements to a set of addresses; one that is there gets the new end.
    ///
    /// # Errors
    /// When the kernel refuses; then none is added.
    fn put(&mut self, set: &Name, elements: &[Element]) -> Result<(), FilterError>;
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
