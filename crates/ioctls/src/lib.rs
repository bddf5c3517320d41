//! The ioctls that no safe crate offers; the only crate of Hearth with unsafe code.
//!
//! `block` changes the kernel's view of a partition table, `fscrypt` gives keys to a file system and ties directories to
//! them, `watchdog` sets the hardware watchdog's time-out. Every function takes a borrowed descriptor and returns the
//! kernel's error; what to do about it is the caller's business.

pub mod block;
pub mod fscrypt;
pub mod watchdog;
