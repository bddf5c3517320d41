//! The last words of a boot that failed, kept across the reboot.
//!
//! ```text
//! a check failed: PID 1's last lines ──▶ data partition, else boot partition ─┐
//! the kernel stopped: its last lines ──▶ pstore (EFI variables) ──────────────┴─▶ next boot: data partition ──▶ report
//! ```

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use model::update::FailureLog;
use model::update::MAX_FILE;
use model::update::MAX_LOG;
use model::update::tail;

use crate::durable;
use crate::durable::Lasting;
use crate::places::Places;

const FILE: &str = "last-failure.log";
/// Folder on the boot partition, beside the key of the data.
pub const ESP_FOLDER: &str = "hearth";
/// Records of the kernel that are looked at, and their bytes: one panic makes some ten of 1 KiB in EFI variables.
const MAX_RECORDS: usize = 128;
const MAX_RECORD: usize = 64 * 1024;
/// What is said of a boot that ended in the kernel.
const KERNEL: &str = "the kernel stopped";

/// Something of it was not kept.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}", path.display())]
pub struct FailureError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The last lines of PID 1's log, as it left them for this program.
#[must_use]
pub fn log_tail(places: &Places) -> String {
    let bytes = durable::read(&places.log_tail(), MAX_LOG).unwrap_or_default();
    tail(&String::from_utf8_lossy(&bytes))
}

/// Keeps a log: with the data when that is open, else on the boot partition.
///
/// # Errors
/// When neither takes it.
pub fn keep(places: &Places, log: &FailureLog) -> Result<(), FailureError> {
    let folder = if places.state.is_dir() { places.state.clone() } else { places.esp.join(ESP_FOLDER) };
    put(&folder.join(FILE), log)
}

/// What is known of the last boot that failed.
#[must_use]
pub fn kept(places: &Places) -> Option<FailureLog> {
    read(&places.state.join(FILE))
}

/// What the last failed boot left elsewhere than with the data. `version` is the one that failed, if that is known.
#[must_use]
pub fn left(places: &Places, version: Option<&slots::Version>) -> Option<FailureLog> {
    // The newest of a panic has the lowest number and the last lines.
    let text: String = records(&places.pstore)
        .iter()
        .rev()
        .filter_map(|path| durable::read(path, MAX_RECORD).ok())
        .fold(String::new(), |text, record| text + &String::from_utf8_lossy(&record));
    if text.is_empty() {
        return read(&on_esp(places));
    }
    let version = version.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    Some(FailureLog { version, why: KERNEL.to_owned(), text: tail(&text) })
}

/// Keeps with the data, in a good boot in which that is open, what was left elsewhere, and removes it there.
///
/// # Errors
/// When something cannot be moved; it stays where it is, for the next boot.
pub fn collect(places: &Places, left: Option<&FailureLog>) -> Result<(), FailureError> {
    if let Some(log) = left {
        put(&places.state.join(FILE), log)?;
    }
    let on_esp = on_esp(places);
    if on_esp.exists() {
        remove(&on_esp)?;
    }
    // Each takes room of the firmware's variables, which some firmware does not start without.
    records(&places.pstore).iter().try_for_each(|path| remove(path))
}

fn on_esp(places: &Places) -> PathBuf {
    places.esp.join(ESP_FOLDER).join(FILE)
}

/// The kernel's records of what it said last (Documentation/admin-guide/ramoops.rst), by name.
fn records(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MAX_RECORDS).flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> Option<FailureLog> {
    durable::read(path, MAX_FILE).ok().map(|bytes| FailureLog::decode(&bytes))
}

fn put(path: &Path, log: &FailureLog) -> Result<(), FailureError> {
    durable::replace(path, log.encode().as_bytes(), 0o600, Lasting::Yes).map_err(|source| FailureError {
        doing: "writing",
        path: path.to_owned(),
        source,
    })
}

fn remove(path: &Path) -> Result<(), FailureError> {
    fs::remove_file(path).map_err(|source| FailureError { doing: "removing", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path) -> Places {
        let at = |name: &str| folder.join(name);
        let places = Places {
            esp: at("esp"),
            pstore: at("pstore"),
            state: at("state"),
            run: at("run"),
            ..Places::default()
        };
        for path in [&places.esp.join(ESP_FOLDER), &places.pstore, &places.run] {
            fs::create_dir_all(path).unwrap();
        }
        places
    }

    fn log(text: &str) -> FailureLog {
        FailureLog { version: "2".to_owned(), why: "no network".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_log_lies_on_the_boot_partition_until_the_data_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        keep(&places, &log("1.0 netd: no\n")).unwrap();
        assert_eq!(kept(&places), None);
        fs::create_dir(&places.state).unwrap();
        assert_eq!(left(&places, None), Some(log("1.0 netd: no\n")));
        collect(&places, left(&places, None).as_ref()).unwrap();
        assert_eq!(kept(&places), Some(log("1.0 netd: no\n")));
        assert_eq!(fs::read_dir(places.esp.join(ESP_FOLDER)).unwrap().count(), 0);
        keep(&places, &log("later\n")).unwrap();
        assert_eq!(kept(&places).unwrap().text, "later\n");
    }

    #[test]
    fn what_the_kernel_said_last_is_put_in_order_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        fs::create_dir(&places.state).unwrap();
        for (name, text) in [
            ("dmesg-efi_pstore-100201", "third\n"),
            ("dmesg-efi_pstore-100301", "second\n"),
            ("dmesg-efi_pstore-100401", "first\n"),
        ] {
            fs::write(places.pstore.join(name), text).unwrap();
        }
        collect(&places, left(&places, Some(&"3".parse().unwrap())).as_ref()).unwrap();
        let found = kept(&places).unwrap();
        assert_eq!((found.version.as_str(), found.why.as_str()), ("3", KERNEL));
        assert_eq!(found.text, "first\nsecond\nthird\n");
        assert_eq!(fs::read_dir(&places.pstore).unwrap().count(), 0);
        assert_eq!(left(&places, None), None);
        collect(&places, None).unwrap();
        assert_eq!(kept(&places).unwrap().version, "3");
    }

    #[test]
    fn the_last_lines_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        assert_eq!(log_tail(&places), "");
        fs::write(places.log_tail(), "a\x1bb\n").unwrap();
        assert_eq!(log_tail(&places), "a b\n");
        fs::write(places.log_tail(), vec![b'x'; MAX_LOG + 1]).unwrap();
        assert_eq!(log_tail(&places), "");
    }
}
