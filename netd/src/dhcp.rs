//! DHCPv4 (RFC 2131): the part of [`crate::ipv4`] that speaks to servers.
//!
//! * [`machine`] decides: a pure state machine without clock, randomness or sockets.
//! * [`message`] translates between its words and packets; [`frame`] adds what a link without an address needs below UDP.
//! * [`socket`] opens the two kinds of socket; [`transport`] chooses between them.

pub mod frame;
pub mod lease;
pub mod machine;
pub mod message;
pub mod socket;
pub mod transport;
