//! The resolver against real and misbehaving upstreams.

mod clients;
mod dnssec;
mod fake;
mod listeners;
mod names;
#[cfg(feature = "rooted")]
mod rooted;
mod support;
mod unbound;
mod upstreams;
mod views;
mod zones;
