//! The program and its parts on a boot partition in a file, mounted through a loop device. Needs root and the feature `rooted`.

#[cfg(test)]
#[cfg(feature = "rooted")]
mod rooted;
