//! storaged: the encrypted data partition and its keys. The only process besides PID 1 that runs as root.
//!
//! ```text
//! init ── storaged make | open ──> opening ─┬─ sealer    the TPM, by a signed policy
//!                                           ├─ boot_key  a file on the boot partition
//!                                           └─ luks      cryptsetup
//! init ── storaged erase ──> erase
//! hostd ── org.hearthos.Storage1 ──> storaged serve: bus ──> keeper ─┬─ keyring   the same
//!                                                     │              ├─ key_tree  the box's own keys, on the data partition
//!                                                     │              ├─ rotation  another volume key, while the box runs
//!                                                     │              └─ counter   of the TPM, against older copies
//!                                                     ├──> health   the disk, its room, trimming
//!                                                     └──> backup_disk  finds it, and has init mount it
//! ```
//! It must not: listen on a network, decide who may ask for what (hostd does), keep a key on a disk in clear.

pub mod backup_disk;
pub mod boot_key;
pub mod bus;
pub mod command;
pub mod counter;
pub mod daemon;
pub mod erase;
pub mod health;
pub mod keeper;
pub mod key;
pub mod key_tree;
pub mod keyring;
pub mod luks;
pub mod notes;
pub mod opening;
pub mod rotation;
pub mod sealer;
#[cfg(test)]
mod testing;
pub mod tpm;
pub mod tries;
pub mod words;
