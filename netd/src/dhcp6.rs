//! DHCPv6 client (RFC 8415), one per Ethernet link, busy only where router advertisements offer it.
//!
//! ```text
//! link events, flags ─┐                          ┌─> views (watch) ─> reconciler: addresses, what is shown
//! RenewNow, duplicate ┼─> client ─ step ─> machine ┤
//! packets ────────────┘   (I/O)            (pure) └─> message ─> UDP from the link-local address
//! ```
//!
//! The kernel looks for duplicates of an address by itself; that it found one comes back as an event.

pub mod client;
pub mod lease;
pub mod machine;
pub mod message;

use crate::dhcp6::lease::Information;
use crate::dhcp6::lease::Lease;
use std::collections::BTreeMap;

/// What every link has, by kernel index.
pub type Views = BTreeMap<u32, View>;

/// What a link has of DHCPv6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The lease in use.
    pub lease: Option<Lease>,
    /// What servers tell besides addresses.
    pub information: Option<Information>,
}
