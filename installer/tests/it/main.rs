//! The program and its parts on boot partitions: those of a Raspberry Pi in folders, with its firmware played, and one in a file, mounted
//! through a loop device, which needs root and the feature `rooted`.

#[cfg(test)]
mod pi;
#[cfg(test)]
#[cfg(feature = "rooted")]
mod rooted;
