//! Tests of the crate from outside.

#[cfg(feature = "rooted")]
mod rooted;
