//! Snapshots that follow each other: the household's, and those of each archive of private files.

use crate::repository::Owner;

/// Which snapshots of a household.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// What the box keeps.
    Household,
    /// Private files that one archive key opens.
    Private {
        /// Names the archive.
        archive: String,
    },
}

/// What a household's id cannot hold, so that no household's label is the beginning of another's.
const PRIVATE: &str = "/private/";

impl Series {
    /// What snapshots of this series are labelled with. A system that knows none but the household's passes over the others: it
    /// neither restores nor removes them, and keeps what they need.
    pub(crate) fn label(&self, owner: &Owner) -> String {
        match self {
            Self::Household => owner.household.to_string(),
            Self::Private { archive } => format!("{}{PRIVATE}{archive}", owner.household),
        }
    }
}

/// Whether a label is of any series of this household.
pub(crate) fn is_ours(label: &str, owner: &Owner) -> bool {
    let rest = label.strip_prefix(owner.household.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(PRIVATE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::BackupKey;
    use crate::key::HouseholdId;

    #[test]
    fn labels_belong_to_one_household() {
        let owner =
            |name| Owner { household: HouseholdId::new(name).unwrap(), key: BackupKey::from_bytes([1; 32]) };
        let (maple, other) = (owner("maple"), owner("maple-7"));
        for series in [Series::Household, Series::Private { archive: "anna".to_owned() }] {
            assert!(is_ours(&series.label(&maple), &maple));
            assert!(!is_ours(&series.label(&maple), &other) && !is_ours(&series.label(&other), &maple));
        }
    }
}
