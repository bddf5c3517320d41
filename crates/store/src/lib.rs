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
//! * [`OpenOptions`] says how a store is opened: an [`Anchor`] notices that the whole folder is an older copy, [`Migrations`] bring the
//!   records to the present schema.
//! * [`SledStore::export`] and [`SledStore::import`] are for backups, [`SledStore::rotate_key`] gives the store a new key.
//!
//! Left to others: wrapping the [`StoreKey`] (TPM), and the counter behind the [`Anchor`].

mod anchor;
mod batch;
mod contract;
mod export;
mod journal;
mod key;
mod key_file;
mod layout;
mod ledger;
mod limits;
mod load;
mod log;
mod medium;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod name;
mod open;
mod options;
mod own;
#[cfg(test)]
mod power_cut;
mod recovery;
mod rekey;
mod schema;
mod seal;
mod sled_folder;
mod sled_guard;
mod sled_index;
mod sled_store;
mod snapshot;
mod state;
mod values;
mod wire;

pub use anchor::Anchor;
pub use anchor::AnchorAction;
pub use anchor::AnchorError;
pub use anchor::Rollback;
pub use batch::Batch;
pub use contract::CommitError;
pub use contract::Generation;
pub use contract::KeyValue;
pub use contract::ReadError;
pub use contract::Store;
pub use export::ExportError;
pub use export::ImportError;
pub use export::Sealing;
pub use key::KeyError;
pub use key::StoreKey;
pub use key_file::KeyFile;
pub use ledger::Ledger;
pub use ledger::LedgerEntry;
pub use limits::Limits;
#[cfg(any(test, feature = "testing"))]
pub use memory::MemoryAnchor;
#[cfg(any(test, feature = "testing"))]
pub use memory::MemoryStore;
pub use open::OpenError;
pub use options::OpenOptions;
pub use recovery::Finding;
pub use recovery::KeyUsed;
pub use recovery::Loss;
pub use recovery::Opened;
pub use recovery::Recovery;
pub use rekey::RotateKeyError;
pub use schema::MigrateError;
pub use schema::Migration;
pub use schema::Migrations;
pub use schema::NewerSchema;
pub use schema::Tables;
pub use sled_store::SledStore;
