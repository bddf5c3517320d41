//! Room, errors and whether anything can be written, of the mounted file system.

use model::storage::health::FileSystemHealth;

/// Words among the options that mean it: read-only from the start or by hand, after an error (6.15 and later have a word of their own for
/// `errors=remount-ro`), shut down.
const READ_ONLY: [&str; 3] = ["ro", "emergency_ro", "shutdown"];

/// A line of mountinfo (proc_pid_mountinfo(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor`.
    pub device: String,
    /// Whether nothing can be written.
    pub is_read_only: bool,
}

/// What is mounted at a place; the last one covers those before.
#[must_use]
pub fn mounted_at(mountinfo: &str, place: &str) -> Option<Mount> {
    mountinfo.lines().rev().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let front: Vec<&str> = front.split(' ').collect();
        let [_id, _parent, device, _root, target, options, ..] = front.as_slice() else { return None };
        if *target != place {
            return None;
        }
        let of_all = back.split(' ').nth(2).unwrap_or_default();
        let is_read_only = options.split(',').chain(of_all.split(',')).any(|word| READ_ONLY.contains(&word));
        Some(Mount { device: (*device).to_owned(), is_read_only })
    })
}

/// Blocks, as statvfs(3) tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Bytes of one.
    pub size: u64,
    /// In all.
    pub all: u64,
    /// Not in use.
    pub free: u64,
    /// Not in use and not set aside.
    pub available: u64,
}

/// The file system, with fullness as df(1) tells it: of what may be used by everybody.
#[must_use]
pub fn judge(blocks: Blocks, is_read_only: bool, errors: u64) -> FileSystemHealth {
    let used = u128::from(blocks.all.saturating_sub(blocks.free));
    let usable = used + u128::from(blocks.available);
    let percent = (used * 100).div_ceil(usable.max(1)).min(100);
    FileSystemHealth {
        total_bytes: blocks.all.saturating_mul(blocks.size),
        available_bytes: blocks.available.saturating_mul(blocks.size),
        used_percent: u8::try_from(percent).unwrap_or(100),
        is_read_only,
        errors,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOUNTINFO: &str = "\
25 1 7:0 / / ro,nosuid,nodev,relatime - erofs /root.erofs ro,user_xattr,acl
31 25 254:1 / /boot ro,nosuid,nodev,noexec,relatime - vfat /dev/vda1 ro,fmask=0077,errors=remount-ro
40 25 253:0 / /data rw,nosuid,nodev,noexec,noatime - ext4 /dev/mapper/hearth-data rw,resuid=902,errors=remount-ro
";

    #[test]
    fn the_data_partition_is_found_and_its_state_told() {
        let data = Mount { device: "253:0".to_owned(), is_read_only: false };
        assert_eq!(mounted_at(MOUNTINFO, "/data"), Some(data));
        assert_eq!(mounted_at(MOUNTINFO, "/data/state"), None);
        assert!(mounted_at(MOUNTINFO, "/boot").unwrap().is_read_only);
        for (from, to) in [
            ("hearth-data rw,resuid", "hearth-data ro,resuid"),
            ("/data rw,", "/data ro,"),
            ("resuid=902,errors=remount-ro\n", "emergency_ro,errors=remount-ro\n"),
            ("resuid=902,errors=remount-ro\n", "errors=remount-ro,shutdown\n"),
        ] {
            let text = MOUNTINFO.replace(from, to);
            assert!(mounted_at(&text, "/data").unwrap().is_read_only, "{to}");
        }
    }

    #[test]
    fn fullness_leaves_out_what_is_set_aside() {
        let blocks = Blocks { size: 4096, all: 1000, free: 160, available: 150 };
        let health = judge(blocks, false, 0);
        assert_eq!(
            (health.used_percent, health.total_bytes, health.available_bytes),
            (85, 4_096_000, 614_400)
        );
        let full = judge(Blocks { free: 10, available: 0, ..blocks }, false, 2);
        assert_eq!((full.used_percent, full.errors), (100, 2));
        assert_eq!(judge(Blocks { size: 4096, all: 0, free: 0, available: 0 }, false, 0).used_percent, 0);
    }

    proptest! {
        #[test]
        fn arbitrary_counts_and_lines_never_panic(size: u64, all: u64, free: u64, available: u64, text in ".{0,300}") {
            let health = judge(Blocks { size, all, free, available }, false, 0);
            prop_assert!(health.used_percent <= 100);
            let _either = mounted_at(&text, "/data");
        }
    }
}
