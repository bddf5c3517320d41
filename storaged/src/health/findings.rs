//! What of all that an owner has to know, in plain words.

use super::traffic;
use model::storage::health::DiskHealth;
use model::storage::health::FileSystemHealth;
use model::storage::health::Finding;
use model::storage::health::FindingKind;

/// From here on an owner is told that room runs out.
const ALMOST_FULL_PERCENT: u8 = 85;
/// With less room than this nothing sensible can be saved; of a small disk, a hundredth of it.
const FULL: u64 = 64 << 20;
/// From here on an owner should think of another disk.
const WEARING_PERCENT: u8 = 90;
const SPARE_PERCENT: u8 = 20;
/// A disk replaces single sectors for years; this many are the beginning of its end.
const MANY_SECTORS: u64 = 100;

/// All of them, the gravest first.
#[must_use]
pub fn findings(disk: Option<&DiskHealth>, file_system: Option<&FileSystemHealth>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(file_system.into_iter().flat_map(of_file_system));
    found.extend(disk.into_iter().flat_map(of_disk));
    found.sort_by_key(|finding| (!finding.is_grave, finding.kind));
    found
}

fn of_file_system(health: &FileSystemHealth) -> Vec<Finding> {
    let mut found = Vec::new();
    if health.is_read_only {
        found.push(grave(
            FindingKind::ReadOnly,
            "the disk takes no more changes, because the kernel met an error on it: back up what matters, then restart the box, which \
             checks and repairs the disk"
                .to_owned(),
        ));
    } else if health.errors > 0 {
        let words = format!(
            "the file system of the disk has errors ({}): restart the box, which checks and repairs it",
            health.errors
        );
        found.push(grave(FindingKind::FileSystemErrors, words));
    }
    if health.available_bytes < FULL.min(health.total_bytes / 100) {
        let words = "the disk is full: nothing more can be saved until something is deleted".to_owned();
        found.push(grave(FindingKind::Full, words));
    } else if health.used_percent >= ALMOST_FULL_PERCENT {
        let (percent, left) = (health.used_percent, bytes(health.available_bytes));
        let words = format!("the disk is {percent} % full, {left} are left: delete what is not needed");
        found.push(advice(FindingKind::AlmostFull, words));
    }
    found
}

fn of_disk(disk: &DiskHealth) -> Vec<Finding> {
    let mut found = Vec::new();
    let name = if disk.model.is_empty() { &disk.name } else { &disk.model };
    if disk.is_failing == Some(true) {
        let words = format!("the disk ({name}) says that it is failing: back up everything and replace it");
        found.push(grave(FindingKind::Failing, words));
    }
    if let Some(count) = disk.unreadable.filter(|count| *count > 0) {
        let words = format!(
            "the disk ({name}) could not read {count} pieces of what was written to it: back up everything and replace it"
        );
        found.push(grave(FindingKind::Unreadable, words));
    }
    let used = disk.life_used_percent.unwrap_or_default();
    let runs_out = disk.spare_percent.is_some_and(|spare| spare <= SPARE_PERCENT)
        || disk.replaced_sectors.is_some_and(|count| count >= MANY_SECTORS);
    if used >= 100 {
        let words = format!("the disk ({name}) has lived the life that its maker gives it: replace it soon");
        found.push(grave(FindingKind::WornOut, words));
    } else if used >= WEARING_PERCENT || runs_out {
        let words = format!("the disk ({name}) nears the end of its life: think of another one");
        found.push(advice(FindingKind::Wearing, words));
    }
    if traffic::is_too_much(&disk.written) {
        let per_day = bytes(disk.written.per_day_bytes.unwrap_or_default());
        let budget = bytes(disk.written.budget_per_day_bytes);
        let words = format!(
            "{per_day} a day are written to the disk, and a cheap one of its size bears {budget}: it wears out early"
        );
        found.push(advice(FindingKind::WrittenTooMuch, words));
    }
    found
}

fn grave(kind: FindingKind, words: String) -> Finding {
    Finding { kind, is_grave: true, words }
}

fn advice(kind: FindingKind, words: String) -> Finding {
    Finding { kind, is_grave: false, words }
}

/// As makers of disks count.
fn bytes(count: u64) -> String {
    const MEGA: u64 = 1_000_000;
    if count >= 1000 * MEGA {
        return format!("{}.{} GB", count / (1000 * MEGA), count / (100 * MEGA) % 10);
    }
    format!("{} MB", count / MEGA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::storage::health::DiskKind;
    use model::storage::health::Written;

    fn disk() -> DiskHealth {
        DiskHealth {
            name: "sda".to_owned(),
            model: "Example 2TB".to_owned(),
            kind: DiskKind::Ata,
            size_bytes: 2_000_000_000_000,
            is_failing: Some(false),
            life_used_percent: Some(3),
            spare_percent: Some(100),
            temperature_celsius: Some(34),
            power_on_hours: Some(100),
            replaced_sectors: Some(3),
            unreadable: Some(0),
            written: Written::default(),
            silent: None,
        }
    }

    fn file_system() -> FileSystemHealth {
        FileSystemHealth {
            total_bytes: 100 << 30,
            available_bytes: 50 << 30,
            used_percent: 50,
            is_read_only: false,
            errors: 0,
        }
    }

    fn kinds(disk: &DiskHealth, file_system: &FileSystemHealth) -> Vec<(FindingKind, bool)> {
        let found = findings(Some(disk), Some(file_system));
        found.iter().map(|finding| (finding.kind, finding.is_grave)).collect()
    }

    #[test]
    fn a_healthy_box_has_nothing_to_tell() {
        assert_eq!(kinds(&disk(), &file_system()), []);
        assert_eq!(findings(None, None), []);
    }

    #[test]
    fn each_matter_is_told_with_its_weight() {
        let well = file_system();
        for (file_system, expected) in [
            (FileSystemHealth { used_percent: 84, ..well }, None),
            (FileSystemHealth { used_percent: 85, ..well }, Some((FindingKind::AlmostFull, false))),
            (
                FileSystemHealth { used_percent: 100, available_bytes: 63 << 20, ..well },
                Some((FindingKind::Full, true)),
            ),
            (FileSystemHealth { errors: 2, ..well }, Some((FindingKind::FileSystemErrors, true))),
            (FileSystemHealth { errors: 2, is_read_only: true, ..well }, Some((FindingKind::ReadOnly, true))),
        ] {
            assert_eq!(kinds(&disk(), &file_system), Vec::from_iter(expected), "{file_system:?}");
        }
        let much = Written {
            uptime_seconds: 86_400,
            per_day_bytes: Some(11),
            budget_per_day_bytes: 10,
            ..Written::default()
        };
        for (disk, expected) in [
            (DiskHealth { is_failing: Some(true), ..disk() }, (FindingKind::Failing, true)),
            (DiskHealth { unreadable: Some(1), ..disk() }, (FindingKind::Unreadable, true)),
            (DiskHealth { life_used_percent: Some(100), ..disk() }, (FindingKind::WornOut, true)),
            (DiskHealth { life_used_percent: Some(90), ..disk() }, (FindingKind::Wearing, false)),
            (DiskHealth { spare_percent: Some(20), ..disk() }, (FindingKind::Wearing, false)),
            (DiskHealth { replaced_sectors: Some(100), ..disk() }, (FindingKind::Wearing, false)),
            (DiskHealth { written: much, ..disk() }, (FindingKind::WrittenTooMuch, false)),
        ] {
            assert_eq!(kinds(&disk, &well), [expected], "{disk:?}");
        }
    }

    #[test]
    fn the_gravest_comes_first() {
        let file_system = FileSystemHealth { used_percent: 90, ..file_system() };
        let disk = DiskHealth { is_failing: Some(true), ..disk() };
        assert_eq!(
            kinds(&disk, &file_system),
            [(FindingKind::Failing, true), (FindingKind::AlmostFull, false)]
        );
    }

    #[test]
    fn amounts_are_short() {
        assert_eq!(
            [bytes(0), bytes(999_999_999), bytes(1_250_000_000)],
            ["0 MB", "999 MB", "1.2 GB"].map(str::to_owned)
        );
    }
}
