//! Writing to devices that the kernel shows as disks. Needs root and the feature `rooted`.

#[cfg(test)]
#[cfg(feature = "rooted")]
mod rooted;
