//! Durable, authenticated records for Hearth's daemons.
//!
//! A store is a folder. What it holds survives a power cut at any instant once [`Store::commit`] has returned, and
//! a damaged file is noticed, never read as something else (docs/spec/storage.md; why it is built this way:
//! docs/adr/0005-sled-behind-a-journal.md).
//!
//! ```text
//!  commit ─ check ─ seal ─► journal-N  (append, fdatasync: from here on it is promised)
//!                              │
//!                              ├──► sled/          index for reads; may be thrown away at any time
//!                              └──► snapshot-N     whole state, written aside; then a new journal begins
//! ```
//!
//! * [`Store`] is what the rest of the program sees; [`Batch`] is what it hands in.
//! * [`SledStore`] is the real one, `MemoryStore` (feature `testing`) the fake.
//! * The journal and the snapshots are the truth. sled is checked against them at open, and again record by
//!   record when it is read; whatever does not match is rebuilt from them.
//!
//! Left to others: wrapping the [`StoreKey`] (TPM), and noticing that a whole folder was replaced by an older copy.

mod batch;
mod contract;
mod journal;
mod key;
mod layout;
mod limits;
mod load;
mod log;
mod medium;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod name;
mod open;
#[cfg(test)]
mod power_cut;
mod recovery;
mod seal;
mod sled_folder;
mod sled_guard;
mod sled_index;
mod sled_store;
mod snapshot;
mod state;
mod values;
mod wire;

pub use batch::Batch;
pub use contract::CommitError;
pub use contract::Generation;
pub use contract::KeyValue;
pub use contract::ReadError;
pub use contract::Store;
pub use key::KeyError;
pub use key::StoreKey;
pub use limits::Limits;
#[cfg(any(test, feature = "testing"))]
pub use memory::MemoryStore;
pub use open::OpenError;
pub use recovery::Finding;
pub use recovery::Loss;
pub use recovery::Opened;
pub use recovery::Recovery;
pub use sled_store::SledStore;
