//! What a store promises, and how it says no.

use std::fmt;
use std::io;

use crate::Batch;

/// Named tables of small records, changed by batches that are whole, ordered and durable.
///
/// Every method may block on the disk; asynchronous callers use a blocking task.
pub trait Store: Send + Sync + 'static {
    /// Returns the value of one record, or `None` where there is none.
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError>;

    /// Returns every record of a table, ordered by key.
    fn scan(&self, table: &str) -> Result<Vec<KeyValue>, ReadError>;

    /// Makes all changes of a batch, or none; durable when it returns.
    ///
    /// A batch that changes nothing returns the present generation and writes nothing.
    fn commit(&self, batch: Batch) -> Result<Generation, CommitError>;
}

/// A record of a table: its key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// Counts commits of one store; only ever grows, also over recoveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) u64);

impl Generation {
    /// Returns the plain number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The table's name is empty, too long or has characters outside `a-z0-9_.-`, or begins with a dot.
    #[error("{table:?} is no name of a table")]
    InvalidTable {
        /// The name as given.
        table: String,
    },
    /// Neither sled nor the journal and snapshots hold what was committed.
    #[error("table {table} has records that can no longer be read")]
    Damaged {
        /// The table that was read.
        table: String,
        /// What went wrong below.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why a batch was not committed. Unless the variant says otherwise, nothing has changed and later commits work.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A `require_*` of the batch does not hold.
    #[error("a record of table {table} is not as the batch requires")]
    Precondition {
        /// Table of the record.
        table: String,
        /// Key of the record.
        key: Vec<u8>,
    },
    /// The table's name is empty, too long or has characters outside `a-z0-9_.-`, or begins with a dot.
    #[error("{table:?} is no name of a table")]
    InvalidTable {
        /// The name as given.
        table: String,
    },
    /// A key is too long.
    #[error("key of {bytes} bytes in table {table}, {limit} are allowed")]
    KeyTooLong {
        /// Table of the record.
        table: String,
        /// Length of the key.
        bytes: usize,
        /// What [`crate::Limits`] allows.
        limit: usize,
    },
    /// A value is too long.
    #[error("value of {bytes} bytes in table {table}, {limit} are allowed")]
    ValueTooLong {
        /// Table of the record.
        table: String,
        /// Length of the value.
        bytes: usize,
        /// What [`crate::Limits`] allows.
        limit: usize,
    },
    /// The batch as a whole is too long.
    #[error("batch of {bytes} bytes, {limit} are allowed")]
    BatchTooLong {
        /// Keys and values together.
        bytes: usize,
        /// What [`crate::Limits`] allows.
        limit: usize,
    },
    /// The store would hold more than it may.
    #[error("store would hold {bytes} bytes, {limit} are allowed")]
    StoreFull {
        /// Size of all records after the batch.
        bytes: u64,
        /// What [`crate::Limits`] allows.
        limit: u64,
    },
    /// A record that the batch requires something of could not be read.
    #[error("could not read what the batch requires")]
    Read {
        /// Why.
        #[source]
        source: ReadError,
    },
    /// The kernel gave no random bytes.
    #[error("could not get random bytes to seal the records")]
    Random {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
    /// The journal could not be extended, usually for want of room.
    #[error("could not write the batch to {file}")]
    Write {
        /// The journal file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk did not confirm the batch: it is unknown whether it will be there after the store is opened again.
    /// The store refuses further commits until then.
    #[error("the disk did not confirm the batch in {file}")]
    Unconfirmed {
        /// The journal file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An earlier write failed in a way that only opening the store again can clear up.
    #[error("store takes no commits until it is opened again")]
    Stopped,
}
