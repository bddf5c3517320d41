//! systemd-boot's choice, as documented and as its source has it (`boot_entry_compare`, `boot_entry_parse_tries`).

use std::cmp::Ordering;

use slots::uefi::FileName;
use slots::uefi::Mark;

/// Entries with no tries left come last; then the highest version first (`IMAGE_VERSION`, which is the one in the name); then the highest
/// name; then who has more tries left, then who used fewer.
pub(crate) fn order(one: &FileName, other: &FileName) -> Ordering {
    let used_up = |name: &FileName| counters(name).is_some_and(|(left, _)| left == 0);
    let by_name = || slots::compare(&other.to_string(), &one.to_string());
    let by_tries = || match (counters(one), counters(other)) {
        (Some((one_left, one_done)), Some((other_left, other_done))) => {
            other_left.cmp(&one_left).then(one_done.cmp(&other_done))
        }
        (Some(_) | None, _) => Ordering::Equal,
    };
    used_up(one)
        .cmp(&used_up(other))
        .then_with(|| other.version.order(&one.version))
        .then_with(by_name)
        .then_with(by_tries)
}

/// Tries left and done of a name that is counted.
pub(crate) fn counters(name: &FileName) -> Option<(u8, u8)> {
    match name.mark {
        Mark::Counted { left, done } => Some((left, done.unwrap_or(0))),
        Mark::Aside | Mark::Good => None,
    }
}

/// What the loader calls an entry: its name without counters.
pub(crate) fn id(name: &FileName) -> FileName {
    FileName::good(&name.version)
}

/// The name under which the loader starts a counted entry.
pub(crate) fn bumped(name: &FileName) -> Option<FileName> {
    let (left, done) = counters(name)?;
    let mark = Mark::Counted { left: left.saturating_sub(1), done: Some(done.saturating_add(1)) };
    Some(FileName { version: name.version.clone(), mark })
}

mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_as_the_loader_does() {
        let sorted = [
            "hearth_10+1-0.efi",
            "hearth_9.efi",
            "hearth_8+3.efi",
            "hearth_8.efi",
            "hearth_7+2-1.efi",
            "hearth_7+1-2.efi",
            "hearth_11+0-1.efi",
            "hearth_6+0-3.efi",
        ]
        .map(|text| text.parse::<FileName>().unwrap());
        let mut names = sorted.clone();
        names.reverse();
        names.sort_by(order);
        assert_eq!(names, sorted);
    }

    #[test]
    fn the_series_of_the_documentation() {
        let mut name: FileName = "hearth_1+3.efi".parse().unwrap();
        for expected in ["hearth_1+2-1.efi", "hearth_1+1-2.efi", "hearth_1+0-3.efi", "hearth_1+0-4.efi"] {
            name = bumped(&name).unwrap();
            assert_eq!(name.to_string(), expected);
        }
        assert_eq!(bumped(&"hearth_1.efi".parse().unwrap()), None);
    }
}
