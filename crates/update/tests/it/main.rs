//! Whole repositories, honest and otherwise.

#[cfg(test)]
mod bundles;
#[cfg(test)]
mod downloads;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod remakes;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod support;
