//! Reports to the other daemons: JSON files in `/run/hearth`, written aside and renamed, readable by all.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::time::ClockId;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a report so that a reader sees the old or the new one, never half of one.
///
/// # Errors
/// When the folder does not take the file.
pub fn write(path: &str, report: &impl Serialize) -> io::Result<()> {
    write_bytes(path, &serde_json::to_vec(report)?)
}

/// Reads a report that somebody else of us left; none when there is none or it is not understood.
#[must_use]
pub fn read<T: DeserializeOwned>(path: &str) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The same for bytes that are encoded already.
///
/// # Errors
/// When the folder does not take the file.
pub fn write_bytes(path: &str, bytes: &[u8]) -> io::Result<()> {
    let aside = format!("{path}.new");
    fs::write(&aside, bytes)?;
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o644))?;
    fs::rename(&aside, Path::new(path))
}

/// Time since boot, including suspension.
#[must_use]
pub fn uptime() -> Duration {
    let now = rustix::time::clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.try_into().unwrap_or_default(), now.tv_nsec.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use model::report::ServicesReport;

    use super::*;

    #[test]
    fn a_report_replaces_the_old_one_and_all_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("services.json");
        fs::write(&path, "old").unwrap();
        write(path.to_str().unwrap(), &ServicesReport::default()).unwrap();
        let read: ServicesReport = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, ServicesReport::default());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
