//! Several boxes on a network made up, and the real thing in network namespaces.

#[cfg(test)]
mod conflicts;
#[cfg(test)]
mod lan;
#[cfg(test)]
mod neighbours;
#[cfg(test)]
mod noise;
#[cfg(feature = "rooted")]
#[cfg(test)]
mod rooted;
