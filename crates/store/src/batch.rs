//! A set of changes that are made together, with what must hold for them to be made.

use std::collections::BTreeMap;
use std::fmt;

use crate::CommitError;
use crate::Limits;
use crate::name::RecordName;

/// Changes that are made together or not at all.
///
/// Requirements are checked against the store as it is before the batch, in one step with the changes: of two
/// racing batches that each require a record to be absent and put it, one gets [`CommitError::Precondition`].
/// Of several changes of one record the last counts.
///
/// ```
/// let batch = store::Batch::new()
///     .require_absent("accounts", b"owner")
///     .put("accounts", b"owner", b"ada");
/// # assert!(!batch.is_empty());
/// ```
#[derive(Clone, Default)]
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    changes: Vec<(String, Vec<u8>, Option<Vec<u8>>)>,
    requirements: Vec<(String, Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Returns a batch that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a record.
    pub fn put(mut self, table: &str, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.changes.push((table.to_owned(), key.as_ref().to_vec(), Some(value.as_ref().to_vec())));
        self
    }

    /// Removes a record; one that is absent stays absent.
    pub fn delete(mut self, table: &str, key: impl AsRef<[u8]>) -> Self {
        self.changes.push((table.to_owned(), key.as_ref().to_vec(), None));
        self
    }

    /// Lets the batch fail where the record exists.
    pub fn require_absent(mut self, table: &str, key: impl AsRef<[u8]>) -> Self {
        self.requirements.push((table.to_owned(), key.as_ref().to_vec(), None));
        self
    }

    /// Lets the batch fail where the record is absent or has another value.
    pub fn require_equals(mut self, table: &str, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.requirements.push((table.to_owned(), key.as_ref().to_vec(), Some(value.as_ref().to_vec())));
        self
    }

    /// Says whether the batch neither changes nor requires anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.requirements.is_empty()
    }

    /// Checks names and sizes.
    pub(crate) fn check(self, limits: &Limits) -> Result<CheckedBatch, CommitError> {
        let mut bytes = 0;
        let mut checked = CheckedBatch::default();
        for (table, key, value) in self.requirements {
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            checked.requirements.push((check_name(&table, &key, limits)?, value));
        }
        for (table, key, value) in self.changes {
            let length = value.as_ref().map_or(0, Vec::len);
            if length > limits.value_bytes {
                return Err(CommitError::ValueTooLong { table, bytes: length, limit: limits.value_bytes });
            }
            bytes += key.len() + length;
            checked.changes.insert(check_name(&table, &key, limits)?, value);
        }
        if bytes > limits.batch_bytes {
            return Err(CommitError::BatchTooLong { bytes, limit: limits.batch_bytes });
        }
        Ok(checked)
    }
}

/// Shows how much is changed, never what: values may be secrets.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("changes", &self.changes.len())
            .field("requirements", &self.requirements.len())
            .finish()
    }
}

/// A batch whose names are names and whose sizes are within the limits.
#[derive(Default)]
pub(crate) struct CheckedBatch {
    /// New value of each changed record, `None` for one to remove.
    pub(crate) changes: BTreeMap<RecordName, Option<Vec<u8>>>,
    /// Value that each record must have, `None` for one that must be absent.
    pub(crate) requirements: Vec<(RecordName, Option<Vec<u8>>)>,
}

fn check_name(table: &str, key: &[u8], limits: &Limits) -> Result<RecordName, CommitError> {
    if key.len() > limits.key_bytes {
        return Err(CommitError::KeyTooLong {
            table: table.to_owned(),
            bytes: key.len(),
            limit: limits.key_bytes,
        });
    }
    RecordName::new(table, key).ok_or_else(|| CommitError::InvalidTable { table: table.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_and_sizes_beyond_the_limits() {
        let limits = Limits { key_bytes: 4, value_bytes: 8, batch_bytes: 16, ..Limits::default() };
        let check = |batch: Batch| batch.check(&limits);
        check(Batch::new().put("t", b"1234", b"12345678")).unwrap();
        assert!(matches!(
            check(Batch::new().delete("t", b"12345")),
            Err(CommitError::KeyTooLong { bytes: 5, .. })
        ));
        assert!(matches!(
            check(Batch::new().require_absent("t", b"12345")),
            Err(CommitError::KeyTooLong { bytes: 5, .. })
        ));
        assert!(matches!(
            check(Batch::new().put("t", b"1", b"123456789")),
            Err(CommitError::ValueTooLong { bytes: 9, .. })
        ));
        let long = Batch::new().put("t", b"1", b"12345678").put("t", b"2", b"12345678");
        assert!(matches!(check(long), Err(CommitError::BatchTooLong { bytes: 18, .. })));
        for table in ["", "Ä", "a b", "A", &"x".repeat(65)] {
            assert!(matches!(check(Batch::new().delete(table, b"1")), Err(CommitError::InvalidTable { .. })));
        }
    }

    #[test]
    fn keeps_the_last_change_of_a_record() {
        let checked = Batch::new()
            .put("t", b"k", b"1")
            .delete("t", b"k")
            .check(&Limits::default())
            .expect("is within limits");
        assert_eq!(checked.changes.into_values().collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn shows_no_values() {
        assert!(!format!("{:?}", Batch::new().put("t", b"k", b"hunter2")).contains("hunter2"));
    }
}
