//! What is known of a container that was started, for whoever comes later: which process it is, and how programs run in it.

use super::user::User;
use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A container that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Its first process.
    pub(crate) pid: i32,
    /// When that was started, in ticks since boot (proc(5), field 22): tells it from a later process of the same number.
    pub(crate) ticks: u64,
    /// When the container was started, in milliseconds since boot.
    pub(crate) since_boot_ms: u64,
    /// As whom it runs.
    pub(crate) user: User,
    /// Its variables.
    pub(crate) environment: Vec<String>,
    /// Where it was started.
    pub(crate) working_folder: String,
}

impl Record {
    /// Writes it so that it is there wholly or not at all.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("new");
        fs::write(&beside, serde_json::to_vec(self)?)?;
        fs::rename(&beside, path)
    }

    /// Reads one; none when there is none.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// When the container was started, since boot.
    pub(crate) fn since_boot(&self) -> Duration {
        Duration::from_millis(self.since_boot_ms)
    }
}

/// Ticks since boot at which a process was started; none when there is none of this number.
pub(crate) fn started(pid: i32) -> io::Result<Option<u64>> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => ticks(&stat).map(Some).ok_or_else(|| io::Error::other("no start in /proc/…/stat")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // It went between the opening and the reading.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Field 22 of a `stat`. The name of the program, field 2, may hold anything, brackets and spaces too.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process_is_read_whatever_its_name() {
        let rest = "S 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 88";
        for name in ["init", "a b", "a) S 1 2", ")(", ""] {
            assert_eq!(ticks(&format!("12 ({name}) {rest}")), Some(4711), "{name}");
        }
        assert_eq!(ticks("12 (init) S 1"), None);
        assert_eq!(ticks(""), None);
        assert!(started(std::process::id().cast_signed()).unwrap().unwrap() > 0);
        assert_eq!(started(i32::MAX).unwrap(), None);
    }

    #[test]
    fn a_record_survives_and_a_damaged_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        assert_eq!(Record::read(&path).unwrap(), None);
        let record = Record {
            pid: 7,
            ticks: 9,
            since_boot_ms: 1500,
            user: User { uid: 1, gid: 2, groups: vec![3], home: "/".to_owned() },
            environment: vec!["A=b".to_owned()],
            working_folder: "/".to_owned(),
        };
        record.write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap().as_ref(), Some(&record));
        assert_eq!(record.since_boot(), Duration::from_millis(1500));
        fs::write(&path, b"{").unwrap();
        Record::read(&path).unwrap_err();
    }
}
