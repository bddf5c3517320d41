//! The state of a store at one generation: which records there are, and what they hold.

use std::collections::BTreeMap;

use crate::name::RecordName;
use crate::seal::Digest;
use crate::seal::Keys;

/// One change of a record as it is kept: its sealed new value, or `None` where it is removed.
pub(crate) type Change = (RecordName, Option<Vec<u8>>);

/// Which records exist, at which generation each was written, and the digest over that.
///
/// Kept in memory while a store is open. sled is believed only where it agrees with this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) generation: u64,
    pub(crate) digest: Digest,
    /// Names and sealed values together.
    pub(crate) bytes: u64,
    pub(crate) records: BTreeMap<RecordName, Written>,
}

/// When a record was written, and how long its sealed value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) generation: u64,
    pub(crate) bytes: usize,
}

/// What a store looks like in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) generation: u64,
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
}

impl Index {
    /// Makes changes that were written at the generation after this one.
    pub(crate) fn apply(&mut self, keys: &Keys, changes: &[Change]) {
        self.generation += 1;
        let generation = self.generation;
        for (name, sealed) in changes {
            self.set(keys, name, sealed.as_ref().map(|sealed| Written { generation, bytes: sealed.len() }));
        }
    }

    /// Tells what [`Index::apply`] would lead to.
    pub(crate) fn foresee(&self, keys: &Keys, changes: &[Change]) -> Summary {
        let mut after =
            Self { generation: self.generation, digest: self.digest, bytes: self.bytes, ..Self::default() };
        let touched = changes.iter().filter_map(|(name, _)| Some((name.clone(), *self.records.get(name)?)));
        after.records = touched.collect();
        after.apply(keys, changes);
        after.summary()
    }

    /// Sets or removes one record, whatever its generation.
    pub(crate) fn set(&mut self, keys: &Keys, name: &RecordName, written: Option<Written>) {
        let length = name.as_bytes().len();
        let old = match written {
            Some(written) => {
                self.digest.toggle(keys.trace(name, written.generation));
                self.bytes += (length + written.bytes) as u64;
                self.records.insert(name.clone(), written)
            }
            None => self.records.remove(name),
        };
        if let Some(old) = old {
            self.digest.toggle(keys.trace(name, old.generation));
            self.bytes -= (length + old.bytes) as u64;
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary { generation: self.generation, digest: self.digest, bytes: self.bytes }
    }
}

/// An index together with the sealed values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) index: Index,
    pub(crate) values: BTreeMap<RecordName, Vec<u8>>,
}

impl State {
    /// Makes changes that were written at the generation after this one.
    pub(crate) fn apply(&mut self, keys: &Keys, changes: Vec<Change>) {
        self.index.apply(keys, &changes);
        change_values(&mut self.values, changes);
    }

    /// Adds a record from a full listing.
    pub(crate) fn add(&mut self, keys: &Keys, name: RecordName, generation: u64, sealed: Vec<u8>) {
        self.index.set(keys, &name, Some(Written { generation, bytes: sealed.len() }));
        self.values.insert(name, sealed);
    }
}

/// Makes changes in a map of sealed values.
pub(crate) fn change_values(values: &mut BTreeMap<RecordName, Vec<u8>>, changes: Vec<Change>) {
    for (name, sealed) in changes {
        match sealed {
            Some(sealed) => values.insert(name, sealed),
            None => values.remove(&name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreKey;

    #[test]
    fn foresees_what_applying_leads_to() {
        let keys = Keys::new(&StoreKey::from_bytes([1; 32]), [1; 16]);
        let name = |key: &str| RecordName::new("t", key.as_bytes()).unwrap();
        let mut index = Index::default();
        index.apply(&keys, &[(name("a"), Some(vec![0; 3])), (name("b"), Some(vec![0; 4]))]);
        assert_eq!(index.bytes, 3 + 3 + 3 + 4);
        let changes = [(name("a"), Some(vec![0; 9])), (name("b"), None), (name("c"), Some(Vec::new()))];
        let foreseen = index.foresee(&keys, &changes);
        index.apply(&keys, &changes);
        assert_eq!(index.summary(), foreseen);
        assert_eq!(foreseen.bytes, 3 + 9 + 3);
    }

    #[test]
    fn digest_of_nothing_is_zero_again() {
        let keys = Keys::new(&StoreKey::from_bytes([1; 32]), [1; 16]);
        let name = RecordName::new("t", b"k").unwrap();
        let mut index = Index::default();
        index.apply(&keys, &[(name.clone(), Some(vec![1]))]);
        assert_ne!(index.digest, Digest::default());
        index.apply(&keys, &[(name, None)]);
        assert_eq!((index.digest, index.bytes, index.generation), (Digest::default(), 0, 2));
    }
}
