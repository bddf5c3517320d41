//! How large things may get.

/// Upper bounds that a store holds its users to; what is already on disk stays readable when they shrink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest key in bytes (at most 65,535).
    pub key_bytes: usize,
    /// Longest value in bytes.
    pub value_bytes: usize,
    /// Keys and values of one batch together, in bytes (at most 64 MiB).
    pub batch_bytes: usize,
    /// Length of a journal, in bytes, after which a snapshot is written and a new journal begun.
    pub journal_bytes: u64,
    /// All records of the store, in bytes as kept on disk (at most 1 GiB). Opening needs about twice this in memory.
    pub total_bytes: u64,
}

/// Longest batch that the formats are made for.
pub(crate) const BATCH_MAX: usize = 64 << 20;
/// Largest store that the formats are made for.
pub(crate) const TOTAL_MAX: u64 = 1 << 30;
/// A journal that cannot be replaced by a snapshot may grow to this many times its usual length.
pub(crate) const JOURNAL_STRETCH: u64 = 4;

impl Default for Limits {
    fn default() -> Self {
        Self {
            key_bytes: 1 << 10,
            value_bytes: 1 << 20,
            batch_bytes: 4 << 20,
            journal_bytes: 1 << 20,
            total_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// Says whether the formats can hold what these limits allow.
    pub(crate) fn are_possible(&self) -> bool {
        self.key_bytes <= usize::from(u16::MAX)
            && self.value_bytes <= self.batch_bytes
            && self.batch_bytes <= BATCH_MAX
            && self.journal_bytes <= TOTAL_MAX
            && self.total_bytes <= TOTAL_MAX
    }

    /// Returns the length beyond which one of the store's files is not read into memory.
    pub(crate) fn file_bytes(&self) -> u64 {
        JOURNAL_STRETCH * self.total_bytes.max(self.journal_bytes) + 2 * BATCH_MAX as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_defaults_and_refuses_what_the_formats_cannot_hold() {
        assert!(Limits::default().are_possible());
        assert!(!Limits { key_bytes: 1 << 16, ..Limits::default() }.are_possible());
        assert!(!Limits { batch_bytes: BATCH_MAX + 1, ..Limits::default() }.are_possible());
        assert!(!Limits { value_bytes: 5 << 20, ..Limits::default() }.are_possible());
        assert!(!Limits { total_bytes: TOTAL_MAX + 1, ..Limits::default() }.are_possible());
    }
}
