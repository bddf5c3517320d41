//! How much is written, against what a disk bears.
//!
//! The kernel counts since the box was started, so that is what is scaled to a day: nothing has to be written to the disk to know how
//! much is written to it. Disks that count for life are told beside it.

use model::storage::health::Written;

/// Of the columns in `/sys/block/*/stat` (Documentation/block/stat.rst): sectors written, of 512 bytes whatever the disk has.
const COLUMN: usize = 6;
const SECTOR: u64 = 512;
const DAY: u64 = 24 * 60 * 60;
/// Before this a start's own writes would be taken for a habit.
const SETTLED: u64 = 60 * 60;
/// A tenth of its size a day is some 180 times its size in five years: what the cheapest flash memory bears, with room for what it
/// writes more than it is told to.
const BUDGET_DIVISOR: u64 = 10;

/// Bytes written since the disk appeared; nothing when the kernel's line is another than known.
#[must_use]
pub fn bytes_written(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(COLUMN)?.parse::<u64>().ok()?.checked_mul(SECTOR)
}

/// What that means.
#[must_use]
pub fn judge(
    since_boot_bytes: u64,
    uptime_seconds: u64,
    size_bytes: u64,
    ever_bytes: Option<u64>,
) -> Written {
    let scaled = u128::from(since_boot_bytes) * u128::from(DAY) / u128::from(uptime_seconds.max(1));
    Written {
        since_boot_bytes,
        uptime_seconds,
        per_day_bytes: (uptime_seconds >= SETTLED).then(|| u64::try_from(scaled).unwrap_or(u64::MAX)),
        budget_per_day_bytes: size_bytes / BUDGET_DIVISOR,
        ever_bytes,
    }
}

/// Whether more is written than the disk bears: only after a day, which has everything in it that comes every day.
#[must_use]
pub fn is_too_much(written: &Written) -> bool {
    written.uptime_seconds >= DAY
        && written.per_day_bytes.is_some_and(|per_day| per_day > written.budget_per_day_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_seventh_column_counts() {
        let stat = "    8371     1922   630130     2873     4409     5138   176488     6208        0     4076    10021        \
                    0        0        0        0      911      939\n";
        assert_eq!(bytes_written(stat), Some(176_488 * 512));
        for strange in ["", "1 2 3", "1 2 3 4 5 6 x", "1 2 3 4 5 6 -7", &format!("1 2 3 4 5 6 {}", u64::MAX)]
        {
            assert_eq!(bytes_written(strange), None, "{strange}");
        }
    }

    #[test]
    fn a_habit_shows_after_an_hour_and_counts_after_a_day() {
        let card = 32_000_000_000;
        let early = judge(4_000_000_000, 3599, card, None);
        assert_eq!((early.per_day_bytes, is_too_much(&early)), (None, false));
        let hour = judge(4_000_000_000, 3600, card, None);
        assert_eq!((hour.per_day_bytes, is_too_much(&hour)), (Some(96_000_000_000), false));
        let day = judge(3_200_000_001, DAY, card, Some(1));
        assert!(is_too_much(&day) && day.ever_bytes == Some(1));
        assert!(!is_too_much(&judge(3_200_000_000, DAY, card, None)));
    }

    proptest! {
        #[test]
        fn arbitrary_counts_never_panic(bytes: u64, uptime: u64, size: u64, stat in ".{0,200}") {
            let written = judge(bytes, uptime, size, None);
            let _either = is_too_much(&written);
            let _number = bytes_written(&stat);
        }
    }
}
