//! Multicast DNS responder and querier (RFC 6762, RFC 6763): the box's name on the home network, and other devices' names.
//!
//! ```text
//!   wish, links ──> run ──> Node ─┬─ Responder ── one Link per link: zone, claims, schedules
//!                    │ ^          └─ Querier ──── cache
//!    Querier::query ─┘ │
//!                   sockets (one per link and protocol)
//! ```
//!
//! [`Node`] decides everything and has neither clock nor socket; [`run()`] lends it both. Bounds on what a network may cost are
//! in `budget` (packets), [`packet`] (sizes) and `querier` (questions and cache).
//!
//! Left to others: which links and addresses there are (netd knows them by netlink), and what else is done with a name.

pub mod packet;

mod budget;
mod claim;
mod jitter;
mod names;
mod node;
mod querier;
mod responder;
mod run;
mod socket;
mod wanted;
mod zone;

pub use crate::names::is_multicast;
pub use crate::node::Counters;
pub use crate::node::Node;
pub use crate::querier::Ask;
pub use crate::querier::LONGEST;
pub use crate::querier::MAX_WAITING;
pub use crate::querier::NotAsked;
pub use crate::responder::answer::PORT;
pub use crate::run::Inputs;
pub use crate::run::Querier;
pub use crate::run::Questions;
pub use crate::run::querier;
pub use crate::run::run;
pub use crate::wanted::Announced;
pub use crate::wanted::Arrival;
pub use crate::wanted::Destination;
pub use crate::wanted::LinkAddress;
pub use crate::wanted::LinkAddresses;
pub use crate::wanted::MAX_ADDRESSES;
pub use crate::wanted::MAX_EXTRA_HOSTS;
pub use crate::wanted::Service;
pub use crate::wanted::State;
pub use crate::wanted::Transmit;
pub use crate::wanted::Wanted;
pub use hickory_proto::rr::Name;
pub use hickory_proto::rr::RData;
pub use hickory_proto::rr::Record;
pub use hickory_proto::rr::RecordType;
