//! Puts an image on a disk, from the owner's computer.
//!
//! ```text
//! source (file, checksums, block map) ─┐
//! disks (which there are, which not) ──┴─ write ── target (the disk)
//!                                           └── boot_partition (the preset)
//! ```
//! What is left of a cut never boots half: the partition table goes first and comes last, after everything else was read back
//! (docs/adr/0031, [`write`](mod@write)). The decisions are pure; [`device`], [`disks::linux`] and [`source`] touch the computer. Another
//! system than Linux needs its own of the first two.

pub mod block_map;
pub mod boot_partition;
pub mod device;
pub mod digest;
pub mod disks;
pub mod fat;
pub mod source;
pub mod table;
pub mod target;
#[cfg(test)]
mod testing;
pub mod used;
pub mod write;
