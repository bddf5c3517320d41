//! Wi-Fi: joins the owner's networks through iwd, and offers a network for set-up where there is no other way in (docs/spec/wifi.md).
//!
//! ```text
//! cable, wishes, iwd ─> task ── events ──> machine (pure) ── effects ──> task ── calls ──> iwd
//!                        │ own address of the link for set-up ──> reconcile
//!                        └ servers: addresses (leases, pure), names (captive, pure), while that network is on
//! ```
//! Addresses on the wireless link are [`crate::reconcile`]'s, as on every other. On a box without a radio nothing here runs but one look at
//! `/sys` for every change of links.

pub mod captive;
pub mod country;
pub mod iwd;
pub mod leases;
pub mod machine;
pub mod memory;
pub mod servers;
pub mod snapshot;
pub mod task;

mod view;
