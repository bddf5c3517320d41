//! The IPv4 addresses of one link: leased, chosen by the owner, or made up while no server answers. One task per Ethernet link.
//!
//! ```text
//! link events, modes ─┐                        ┌─> views (watch) ─> reconciler: addresses, routes, what is shown
//! RenewNow ───────────┼─> driver ─ step ─> agent ├─ dhcp::machine        lease
//! DHCP, ARP packets ──┘   (I/O)           (pure) ├─ acd, one per address probe, announce, defend
//!                                              ├─ link_local           169.254.x.y after 10 s without a lease
//!                                              └─ gateway              does the router answer?
//! ```
//!
//! No address is used before it was asked for on the link ([`acd`]), wherever it comes from.

pub mod acd;
pub mod agent;
pub mod arp;
pub mod driver;
pub mod gateway;
pub mod link_local;

use crate::dhcp::frame::Mac;
use crate::dhcp::lease::Lease;
use model::network::link_settings::InterfaceAddress4;
use model::network::link_settings::Ipv4Settings;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What every link has, by kernel index.
pub type Views = BTreeMap<u32, View>;

/// What a link has of IPv4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// How it gets its addresses.
    pub mode: Ipv4Settings,
    /// The lease in use.
    pub lease: Option<Lease>,
    /// The owner's addresses that are in use.
    pub fixed: Vec<InterfaceAddress4>,
    /// The link-local address in use.
    pub link_local: Option<Ipv4Addr>,
    /// Addresses that are being asked for: neither to be added nor to be taken away.
    pub pending: Vec<Ipv4Addr>,
    /// Addresses that other devices have.
    pub conflicts: Vec<Conflict>,
    /// A router that does not answer.
    pub silent_router: Option<Ipv4Addr>,
    /// No DHCP server answered for a while.
    pub is_unanswered: bool,
}

/// An address that another device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The address.
    pub address: Ipv4Addr,
    /// The other device.
    pub rival: Mac,
}

impl View {
    /// The way to everywhere else.
    #[must_use]
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        match &self.mode {
            Ipv4Settings::Dhcp => self.lease.as_ref().and_then(Lease::gateway),
            Ipv4Settings::Static(fixed) => {
                fixed.gateway.filter(|gateway| self.fixed.iter().any(|own| own.contains(*gateway)))
            }
            Ipv4Settings::Off => None,
        }
    }
}
