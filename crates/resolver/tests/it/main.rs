//! The resolver against real and misbehaving upstreams.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod dnssec;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod names;
#[cfg(feature = "rooted")]
#[cfg(test)]
mod rooted;
#[cfg(test)]
mod support;
#[cfg(test)]
mod unbound;
#[cfg(test)]
mod upstreams;
#[cfg(test)]
mod views;
#[cfg(test)]
mod zones;
