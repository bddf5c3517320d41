//! Builds whole images from the distribution's packages, as `cargo xtask image` does, with small programs in place of ours.
//!
//! Packages are taken from the cache of earlier builds (`target/hearth/parts-cache`) or fetched.

#[cfg(test)]
mod other_boards;
#[cfg(test)]
mod whole_image;
