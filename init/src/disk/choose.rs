//! Which disk is ours. Pure: from what all disks show to one of them, or a reason.
//!
//! Under UEFI the loader names the partition it came from; that disk is ours and no other is ever touched. Without
//! UEFI it is the only disk that carries our partition names; with two of them nobody guesses.

use super::gpt;
use super::layout::Seen;

/// Whether looking again later may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotChosen {
    /// The disk may still come.
    #[error("{0}")]
    NotYet(&'static str),
    /// More disks would not help.
    #[error("the disks {} both look like the boot disk; unplug one of them", names.join(" and "))]
    Ambiguous {
        /// Their names.
        names: Vec<String>,
    },
}

/// Chooses by the GUID of the partition we booted from, or by name without it.
///
/// # Errors
/// When no disk, or more than one, fits.
pub fn choose<T>(
    disks: &[(T, Seen)],
    booted_from: Option<[u8; 16]>,
    name: impl Fn(&T) -> String,
) -> Result<&(T, Seen), NotChosen> {
    let fits = |seen: &Seen| {
        let partitions = seen.table().map(gpt::Table::partitions).unwrap_or_default();
        partitions.iter().any(|partition| match booted_from {
            Some(guid) => partition.guid == guid,
            None => partition.name == gpt::NAME_NEW || partition.name == gpt::NAME_DATA,
        })
    };
    let fitting: Vec<_> = disks.iter().filter(|(_, seen)| fits(seen)).collect();
    match fitting.as_slice() {
        [one] => Ok(one),
        [] if booted_from.is_some() => {
            Err(NotChosen::NotYet("the disk that the loader booted from is not there"))
        }
        [] => Err(NotChosen::NotYet("no disk has a data partition")),
        several => Err(NotChosen::Ambiguous { names: several.iter().map(|(disk, _)| name(disk)).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::gpt::tests::geometry;
    use super::super::gpt::tests::image;
    use super::super::layout;
    use super::*;

    fn disk(name: &str, partition: &str) -> (String, Seen) {
        let bytes = image(4, partition);
        (name.to_owned(), layout::look(&bytes, geometry(&bytes)))
    }

    fn esp(disk: &(String, Seen)) -> [u8; 16] {
        disk.1.table().unwrap().partitions()[0].guid
    }

    #[test]
    fn the_loaders_word_decides_between_equal_disks() {
        let disks = [disk("vda", gpt::NAME_DATA), disk("vdb", gpt::NAME_DATA), disk("vdc", "other")];
        for wanted in &disks {
            let chosen = choose(&disks, Some(esp(wanted)), Clone::clone).unwrap();
            assert_eq!(chosen.0, wanted.0);
        }
    }

    #[test]
    fn a_disk_the_loader_did_not_name_is_not_taken() {
        let disks = [disk("vda", gpt::NAME_NEW)];
        assert!(matches!(choose(&disks, Some([7; 16]), Clone::clone), Err(NotChosen::NotYet(_))));
    }

    #[test]
    fn without_a_loader_the_only_one_is_taken_and_two_are_refused() {
        let disks = [disk("vda", "other"), disk("vdb", gpt::NAME_NEW)];
        assert_eq!(choose(&disks, None, Clone::clone).unwrap().0, "vdb");
        let disks = [disk("vda", gpt::NAME_DATA), disk("vdb", gpt::NAME_NEW)];
        let refused = choose(&disks, None, Clone::clone).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the disks vda and vdb both look like the boot disk; unplug one of them"
        );
        assert!(matches!(choose::<String>(&[], None, Clone::clone), Err(NotChosen::NotYet(_))));
    }
}
