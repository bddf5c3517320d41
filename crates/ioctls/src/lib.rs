//! The ioctls, and the calls beside them, that no safe crate offers; the only crate of Hearth with unsafe code.
//!
//! `block` changes the kernel's view of a partition table and gives blocks up, `trim` does so with a file system's free ones,
//! `fscrypt` gives keys to a file system and ties directories to them, `quota` limits what a folder's files take, `flags` says whether a
//! file may be changed, `clock` asks whether the time is right, `namespace` makes a user namespace, `ata` and `nvme` ask a disk how it is,
//! `watchdog` sets the hardware watchdog's time-out, `restart` restarts with a word. Functions take borrowed descriptors and return the kernel's error; what to do about
//! it is the caller's business.

pub mod ata;
pub mod block;
pub mod clock;
pub mod flags;
pub mod fscrypt;
pub mod namespace;
pub mod nvme;
pub mod quota;
pub mod restart;
pub mod trim;
pub mod watchdog;
