//! The machine around hostd, in the few words that hostd needs; and the real one.

pub use hostapi::control;
#[cfg(feature = "testing")]
pub mod fake;

use futures_util::future::BoxFuture;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::report::BootReport;
use model::report::ServicesReport;
use model::update::SlotsReport;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

/// Longest report or kernel table that is read, in bytes.
const MAX_FILE: u64 = 256 * 1024;

/// What hostd asks of the machine.
pub trait Host: Send + Sync + 'static {
    /// How this boot went; `None` where nobody wrote a report (not under Hearth's init).
    fn boot_report(&self) -> Result<Option<BootReport>, HostError>;
    /// State of the services; `None` where nobody wrote a report.
    fn services(&self) -> Result<Option<ServicesReport>, HostError>;
    /// How the update slots are; `None` where nobody wrote a report.
    fn slots(&self) -> Result<Option<SlotsReport>, HostError>;
    /// Memory of the machine.
    fn memory(&self) -> Result<Space, HostError>;
    /// Room on the data partition.
    fn disk(&self) -> Result<Space, HostError>;
    /// Asks PID 1.
    fn ask(&self, request: ControlRequest) -> BoxFuture<'_, Result<ControlAnswer, control::ControlError>>;
}

/// How much there is, and how much of it is free for use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Space {
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What is free for use, in bytes.
    pub available_bytes: u64,
}

/// Why the machine could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// A report is not what it should be.
    #[error("understand {}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A line of a kernel table is missing.
    #[error("find {what} in {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The line.
        what: &'static str,
    },
    /// The file system could not be asked.
    #[error("ask for the room on {}", path.display())]
    FileSystem {
        /// A folder on it.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

/// The machine hostd runs on.
#[derive(Clone, Debug)]
pub struct Machine {
    /// init's report on the boot.
    pub boot_report: PathBuf,
    /// init's report on the services.
    pub services_report: PathBuf,
    /// The installer's report on the slots.
    pub slots_report: PathBuf,
    /// init's control socket.
    pub control_socket: PathBuf,
    /// A folder on the data partition.
    pub data: PathBuf,
}

impl Machine {
    /// The fixed places of the running system, with hostd's state in `state` and init's report on the boot in `boot_report`.
    #[must_use]
    pub fn new(state: &Path, boot_report: &Path) -> Self {
        Self {
            boot_report: boot_report.to_owned(),
            services_report: model::paths::SERVICES_REPORT.into(),
            slots_report: model::paths::SLOTS_REPORT.into(),
            control_socket: model::paths::CONTROL_SOCKET.into(),
            data: state.to_owned(),
        }
    }
}

impl Host for Machine {
    fn boot_report(&self) -> Result<Option<BootReport>, HostError> {
        load_report(&self.boot_report)
    }

    fn services(&self) -> Result<Option<ServicesReport>, HostError> {
        load_report(&self.services_report)
    }

    fn slots(&self) -> Result<Option<SlotsReport>, HostError> {
        load_report(&self.slots_report)
    }

    fn memory(&self) -> Result<Space, HostError> {
        let path = Path::new("/proc/meminfo");
        let text = read_bounded(path).map_err(|source| HostError::Read { path: path.to_owned(), source })?;
        parse_meminfo(&String::from_utf8_lossy(&text))
            .map_err(|what| HostError::Missing { path: path.to_owned(), what })
    }

    fn disk(&self) -> Result<Space, HostError> {
        let room = rustix::fs::statvfs(&self.data)
            .map_err(|errno| HostError::FileSystem { path: self.data.clone(), source: errno.into() })?;
        Ok(Space {
            total_bytes: room.f_blocks.saturating_mul(room.f_frsize),
            available_bytes: room.f_bavail.saturating_mul(room.f_frsize),
        })
    }

    fn ask(&self, request: ControlRequest) -> BoxFuture<'_, Result<ControlAnswer, control::ControlError>> {
        Box::pin(control::ask(&self.control_socket, request))
    }
}

fn load_report<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, HostError> {
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(HostError::Read { path: path.to_owned(), source }),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| HostError::Malformed { path: path.to_owned(), source })
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Values are in KiB (proc_meminfo(5)); the name of a missing line on error.
fn parse_meminfo(text: &str) -> Result<Space, &'static str> {
    let line = |name: &'static str| {
        text.lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .find_map(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok())
            .map(|kib| kib.saturating_mul(1024))
            .ok_or(name)
    };
    Ok(Space { total_bytes: line("MemTotal")?, available_bytes: line("MemAvailable")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_by_name() {
        let text = "MemTotal:        498124 kB\nMemFree:          1234 kB\nMemAvailable:    300000 kB\n";
        let space = Space { total_bytes: 498_124 * 1024, available_bytes: 300_000 * 1024 };
        assert_eq!(parse_meminfo(text), Ok(space));
        assert_eq!(parse_meminfo("MemTotal: 1 kB\n"), Err("MemAvailable"));
        assert_eq!(parse_meminfo("MemTotal: x kB\nMemAvailable: 1 kB"), Err("MemTotal"));
    }

    #[test]
    fn reports_are_read_absent_ones_are_none_and_others_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::new(folder.path(), &folder.path().join("boot.json"));
        assert_eq!(machine.boot_report().unwrap(), None);
        let report = BootReport { version: "1.2.3".to_owned(), ..BootReport::default() };
        std::fs::write(&machine.boot_report, serde_json::to_vec(&report).unwrap()).unwrap();
        assert_eq!(machine.boot_report().unwrap(), Some(report));
        std::fs::write(&machine.boot_report, b"{").unwrap();
        assert!(matches!(machine.boot_report(), Err(HostError::Malformed { .. })));
        std::fs::write(&machine.boot_report, vec![b' '; 300_000]).unwrap();
        assert!(matches!(machine.boot_report(), Err(HostError::Read { .. })));
    }

    #[test]
    fn this_machine_has_memory_and_disk() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::new(folder.path(), Path::new(model::paths::BOOT_REPORT));
        for space in [machine.memory().unwrap(), machine.disk().unwrap()] {
            assert!(space.total_bytes > 0 && space.available_bytes <= space.total_bytes);
        }
    }
}
