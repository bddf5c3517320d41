//! DHCPv4 client (RFC 2131), one per Ethernet link.
//!
//! ```text
//! link events ─┐                           ┌─> leases (watch) ─> reconciler: address, routes, DNS servers
//! RenewNow ────┼─> client ─ step ─> machine┤
//! packets ─────┘   (I/O)            (pure) └─> message ─> frame ─> AF_PACKET, or UDP once an address is there
//! ```
//!
//! * [`machine`] decides: a pure state machine without clock, randomness or sockets.
//! * [`message`] translates between its words and packets; [`frame`] adds what a link without an address needs below UDP.
//! * [`client`] moves packets and time; [`socket`] opens the two kinds of socket.
//!
//! Left to issue 3: ARP probing of a fresh address with DHCPDECLINE, leases that survive a reboot of the box, client ids by
//! RFC 4361, the interface MTU option.

pub mod client;
pub mod frame;
pub mod lease;
pub mod machine;
pub mod message;
pub mod socket;
