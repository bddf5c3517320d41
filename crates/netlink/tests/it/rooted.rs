//! Tests that need root: network namespaces, and the program nft as the judge of what the kernel was told.

mod atomic;
mod cases;
mod flows;
mod judge;
mod lab;
mod random;
mod sets;
