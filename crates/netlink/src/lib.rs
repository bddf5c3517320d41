//! nftables and conntrack over netlink: codecs and a thin socket. What the rules shall be is decided elsewhere.
//!
//! ```text
//! nft::Ruleset ──Display──> text in nft(8) syntax: snapshots, explanations, tests against nft itself
//!      │
//!      └─nft::Batch─> bytes ──nft::Firewall──> kernel      one message, all or nothing
//!                                  │
//!                    Counter, LiveElement <── bytes        lists
//!
//! conntrack::Entry <── bytes ── conntrack::Conntrack ──> forget a flow
//! ```
//!
//! Codecs are pure and bounded by the bytes they are given. Sockets belong to the network namespace of the thread that opens them.
//! [`nft::Firewall`] and [`conntrack::Conntrack`] block for the milliseconds that the kernel takes.
//!
//! This crate must not: know policies, run programs, keep state besides its sockets.

mod attribute;
pub mod conntrack;
mod message;
pub mod nft;
mod socket;

pub use socket::SocketError;
