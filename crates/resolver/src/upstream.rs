//! The resolvers on the internet that the box asks: over TLS, or not at all.
//!
//! [`connection`] is the only place that opens a socket to one; it speaks TLS before anything else. [`health`] decides, without I/O,
//! whom to ask next; [`pool`] does it, by way of one [`member`] for each.

pub(crate) mod connection;
pub(crate) mod health;
pub(crate) mod member;
pub(crate) mod pool;

pub use health::Failure;
pub use pool::UpstreamState;
pub use pool::UpstreamStatus;
