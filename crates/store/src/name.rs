//! The full name of a record: its table and its key, in one string of bytes that sorts by table, then by key.

use std::fmt;
use std::ops::Bound;

/// Longest name of a table, in bytes.
const TABLE_MAX: usize = 64;
/// Tables that begin so are the store's own: its users can neither read nor change them.
const OWN_PREFIX: u8 = b'.';
/// The table of the store's own records.
const OWN_TABLE: &str = ".store";

/// `length of table (1) ‖ table ‖ key`, as it is used in sled and in the files.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordName(Vec<u8>);

impl RecordName {
    /// Joins a table and a key; `None` where the table's name is none, or not for users of the store.
    pub(crate) fn new(table: &str, key: &[u8]) -> Option<Self> {
        let mut bytes = table_prefix(table)?;
        bytes.extend_from_slice(key);
        Some(Self(bytes))
    }

    /// Names one of the store's own records.
    pub(crate) fn own(key: &[u8]) -> Self {
        let mut bytes = vec![length8(OWN_TABLE)];
        bytes.extend_from_slice(OWN_TABLE.as_bytes());
        bytes.extend_from_slice(key);
        Self(bytes)
    }

    /// Says whether this is one of the store's own records.
    pub(crate) fn is_own(&self) -> bool {
        self.table().as_bytes().first() == Some(&OWN_PREFIX)
    }

    /// Takes the joined form from outside.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first()?;
        let table = rest.get(..usize::from(*length))?;
        is_table(table).then(|| Self(bytes.to_vec()))
    }

    /// Returns the table's name.
    pub(crate) fn table(&self) -> &str {
        let end = 1 + usize::from(self.0[0]);
        std::str::from_utf8(&self.0[1..end]).unwrap_or_default()
    }

    /// Returns the key within the table.
    pub(crate) fn key(&self) -> &[u8] {
        &self.0[1 + usize::from(self.0[0])..]
    }

    /// Returns the joined form.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the range of all names in a table, or `None` where the table's name is none.
    pub(crate) fn range_of(table: &str) -> Option<(Bound<Self>, Bound<Self>)> {
        let start = table_prefix(table)?;
        // The last byte of a table's name is never 0xff, so its successor bounds all names with this prefix.
        let mut end = start.clone();
        *end.last_mut()? += 1;
        Some((Bound::Included(Self(start)), Bound::Excluded(Self(end))))
    }
}

impl fmt::Debug for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table(), self.key().escape_ascii())
    }
}

fn table_prefix(table: &str) -> Option<Vec<u8>> {
    if !is_table(table.as_bytes()) || table.as_bytes().first() == Some(&OWN_PREFIX) {
        return None;
    }
    let mut bytes = vec![length8(table)];
    bytes.extend_from_slice(table.as_bytes());
    Some(bytes)
}

/// Returns the length of a table's name, which is far below 256.
fn length8(table: &str) -> u8 {
    u8::try_from(table.len()).unwrap_or(u8::MAX)
}

fn is_table(name: &[u8]) -> bool {
    let allowed = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    (1..=TABLE_MAX).contains(&name.len()) && name.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn splits_what_it_joined() {
        let name = RecordName::new("users", b"\xffada").expect("is a name");
        assert_eq!((name.table(), name.key()), ("users", b"\xffada".as_slice()));
        assert_eq!(RecordName::parse(name.as_bytes()), Some(name));
    }

    #[test]
    fn refuses_joined_forms_without_a_table() {
        for bytes in [&b""[..], b"\0", b"\0key", b"\x05user", b"\x01A", b"\x02a\xff"] {
            assert_eq!(RecordName::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_stores_own_tables_are_parsed_and_not_for_users() {
        let own = RecordName::own(b"epoch");
        assert!(own.is_own());
        assert_eq!(RecordName::parse(own.as_bytes()), Some(own.clone()));
        assert_eq!((own.table(), own.key()), (OWN_TABLE, b"epoch".as_slice()));
        assert_eq!((RecordName::new(OWN_TABLE, b"epoch"), RecordName::range_of(OWN_TABLE)), (None, None));
    }

    #[test]
    fn ranges_hold_one_table_only() {
        let names: BTreeSet<_> =
            [("a", &b""[..]), ("a", b"\xff\xff"), ("b", b"x"), ("aa", b""), ("z", b"\xff")]
                .into_iter()
                .filter_map(|(table, key)| RecordName::new(table, key))
                .collect();
        let keys = |table| {
            let range = RecordName::range_of(table).expect("is a table");
            names.range(range).map(|name| name.key().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(keys("a"), [b"".to_vec(), b"\xff\xff".to_vec()]);
        assert_eq!(keys("b"), [b"x".to_vec()]);
        assert_eq!(keys("aa"), [b"".to_vec()]);
        assert_eq!(keys("z"), [b"\xff".to_vec()]);
    }
}
