//! The store from outside, over real folders and the real sled.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod corruption;
#[cfg(test)]
mod model;
