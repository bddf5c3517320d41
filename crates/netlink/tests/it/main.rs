//! Tests of the crate from outside.

#[cfg(feature = "rooted")]
#[cfg(test)]
mod rooted;
