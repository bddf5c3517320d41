//! Names in a store's folder.

use crate::medium::ASIDE;

/// Locked while a process has the store open.
pub(crate) const LOCK: &str = "lock";
/// sled's folder.
pub(crate) const SLED: &str = "sled";
/// What sled's folder looked like when it was last closed in order.
pub(crate) const SLED_SEAL: &str = "sled.seal";
/// Damaged folders of sled are put by under this name and a number.
pub(crate) const SLED_DAMAGED: &str = "sled.damaged-";
/// Damaged files are put by under their name and this.
pub(crate) const DAMAGED: &str = ".damaged";
/// How many damaged files, and how many damaged folders of sled, are kept for whoever wants to look.
pub(crate) const DAMAGED_KEPT: usize = 3;

/// What messages call the folder beside a store's own, in which what is to replace it is written.
pub(crate) const ASIDE_FOLDER: &str = "the folder aside";

const JOURNAL: &str = "journal-";
const SNAPSHOT: &str = "snapshot-";

/// Names the journal that begins after a generation.
pub(crate) fn journal(base: u64) -> String {
    format!("{JOURNAL}{base:016x}")
}

/// Names the snapshot of a generation.
pub(crate) fn snapshot(generation: u64) -> String {
    format!("{SNAPSHOT}{generation:016x}")
}

/// The store's own files in a folder, by generation, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) journals: Vec<u64>,
    pub(crate) snapshots: Vec<u64>,
    pub(crate) has_sled: bool,
    pub(crate) has_sled_seal: bool,
    /// Files that were being written when the power went.
    pub(crate) aside: Vec<String>,
    /// Damaged files that were put by.
    pub(crate) damaged: Vec<String>,
}

impl Listing {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let mut listing = Self::default();
        for name in names {
            if let Some(base) = numbered(&name, JOURNAL) {
                listing.journals.push(base);
            } else if let Some(generation) = numbered(&name, SNAPSHOT) {
                listing.snapshots.push(generation);
            } else if name == SLED {
                listing.has_sled = true;
            } else if name == SLED_SEAL {
                listing.has_sled_seal = true;
            } else if name.ends_with(ASIDE) {
                listing.aside.push(name);
            } else if name.ends_with(DAMAGED) {
                listing.damaged.push(name);
            }
        }
        listing.journals.sort_unstable();
        listing.snapshots.sort_unstable();
        listing.damaged.sort_unstable();
        listing
    }

    /// Says whether there has never been a commit in this folder.
    pub(crate) fn is_new(&self) -> bool {
        let has_files = !self.journals.is_empty() || !self.snapshots.is_empty() || !self.damaged.is_empty();
        !has_files && !self.has_sled && !self.has_sled_seal
    }
}

fn numbered(name: &str, prefix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    // Only the one spelling that is written: else two names could mean one file.
    (format!("{number:016x}") == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_names_and_leaves_strangers_alone() {
        let names = ["lock", "sled", "journal-1", "journal-000000000000000a", "journal-0000000000000002"];
        let more = ["snapshot-000000000000000a", "snapshot-000000000000000A", "x.aside", "y.damaged"];
        let listing = Listing::new(names.iter().chain(&more).map(ToString::to_string).collect());
        let expected = Listing {
            journals: vec![2, 10],
            snapshots: vec![10],
            has_sled: true,
            has_sled_seal: false,
            aside: vec!["x.aside".to_owned()],
            damaged: vec!["y.damaged".to_owned()],
        };
        assert_eq!(listing, expected);
        assert_eq!((journal(10), snapshot(10)), (names[3].to_owned(), more[0].to_owned()));
    }
}
