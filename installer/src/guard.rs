//! The half of the program that has root's rights: it reads nothing that others wrote, and only prepares for the other half.
//!
//! The boot partition, the firmware's variables and the kernel's last words are mounted read-only in the box. This makes them writable in
//! mounts of its own (mount_namespaces(7)): nobody else can write meanwhile, and when it is killed the mounts are gone with it.

use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;

use nix::sched::CloneFlags;
use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::mount::MountPropagationFlags;

use crate::confined;
use crate::confined::Order;
use crate::failure;
use crate::places::Places;
use crate::sides::Mounted;
use crate::verb::Verb;

/// What stays forbidden on these mounts.
const STRICT: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Why the other half was not started.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Another one is at work.
    #[error("another installer is at work")]
    Busy,
    /// A file or folder.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// Mounts of its own.
    #[error("leaving the mounts of the box")]
    Namespace(#[source] Errno),
    /// The partitions of a Raspberry Pi.
    #[error("mounting the partitions with systems")]
    Sides(#[source] io::Error),
    /// The other half.
    #[error("running the confined half of the program")]
    Confined(#[source] io::Error),
}

/// Whoever holds it is at work; released when dropped or when the process ends.
#[derive(Debug)]
pub struct Lock {
    _held: File,
}

impl Lock {
    /// Takes it, or says that somebody else has it.
    ///
    /// # Errors
    /// [`GuardError::Busy`], or when there is no folder for it.
    pub fn take(places: &Places) -> Result<Self, GuardError> {
        let path = places.lock();
        let failed = |doing, source| GuardError::Io { doing, path: path.clone(), source };
        fs::create_dir_all(&places.run).map_err(|error| failed("making the folder of", error))?;
        fs::set_permissions(&places.run, fs::Permissions::from_mode(0o755))
            .map_err(|error| failed("making the folder of", error))?;
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(|error| failed("opening", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _held: file }),
            Err(TryLockError::WouldBlock) => Err(GuardError::Busy),
            Err(TryLockError::Error(error)) => Err(failed("locking", error)),
        }
    }
}

/// Mounts of this process that are writable; read-only again when dropped.
#[derive(Debug, Default)]
pub struct Writable {
    mounts: Vec<PathBuf>,
}

impl Writable {
    /// Makes the mount at `path` writable in the mounts of this process. What is no mount of its own, as a boot partition that is not
    /// there, is left alone: it would be the root.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open(&mut self, path: &Path) -> Result<(), GuardError> {
        let failed = |source| GuardError::Io { doing: "making writable", path: path.to_owned(), source };
        let Ok(facts) = fs::metadata(path) else { return Ok(()) };
        if facts.dev() == fs::metadata("/").map_err(failed)?.dev() {
            return Ok(());
        }
        let flags = rustix::fs::statvfs(path).map_err(|error| failed(error.into()))?.f_flag;
        if flags.contains(StatVfsMountFlags::RDONLY) {
            rustix::mount::mount_remount(path, STRICT, "").map_err(|error| failed(error.into()))?;
            self.mounts.push(path.to_owned());
        }
        Ok(())
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        for path in &self.mounts {
            let synced = File::open(path).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
            let closed = rustix::mount::mount_remount(path, STRICT | MountFlags::RDONLY, "");
            // The box's own mount never became writable, whatever comes of this.
            if let Err(error) = synced.and_then(|()| Ok(closed?)) {
                note(&format!("{} stays writable until the next boot: {error}", path.display()));
            }
        }
    }
}

/// Prepares what the verb needs, and runs the confined half.
///
/// # Errors
/// When it cannot be prepared or started.
pub fn run(places: &Places, program: &Path, verb: Verb) -> Result<ExitStatus, GuardError> {
    let _lock = Lock::take(places)?;
    own_mounts()?;
    let mut writable = Writable::default();
    for path in opens(places, &verb) {
        writable.open(path)?;
    }
    let _sides = if places.is_pi() {
        Mounted::of(places, Path::new("/sys"), STRICT, writes_sides(&verb)).map_err(GuardError::Sides)?
    } else {
        Mounted::default()
    };
    if matches!(verb, Verb::Failed { .. }) && !places.state.is_dir() {
        // The other half may not make folders on the boot partition.
        let _told_by_the_other_half = fs::create_dir(places.esp.join(failure::ESP_FOLDER));
    }
    // A kernel that does not say so is no reason to trust the clock.
    let is_synchronised = ioctls::clock::is_synchronised().unwrap_or(false);
    let order = Order { places: places.clone(), verb, is_synchronised };
    start(program, &order).map_err(GuardError::Confined)
}

/// Which mounts a verb writes to.
fn opens<'a>(places: &'a Places, verb: &Verb) -> Vec<&'a Path> {
    match verb {
        Verb::Look => Vec::new(),
        Verb::Booted => vec![&places.esp, &places.pstore],
        Verb::Install { .. } | Verb::Confirmed | Verb::Failed { .. } | Verb::Loader => vec![&places.esp],
        Verb::Restart => vec![&places.efivars],
    }
}

/// Whether a verb writes to the side of a Raspberry Pi that does not run.
fn writes_sides(verb: &Verb) -> bool {
    match verb {
        Verb::Booted | Verb::Install { .. } => true,
        Verb::Look | Verb::Restart | Verb::Confirmed | Verb::Failed { .. } | Verb::Loader => false,
    }
}

/// Mounts of this process, which nobody else sees change.
fn own_mounts() -> Result<(), GuardError> {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|error| GuardError::Namespace(Errno::from_raw_os_error(nix_number(error))))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(GuardError::Namespace)
}

fn nix_number(error: nix::errno::Errno) -> i32 {
    io::Error::from(error).raw_os_error().unwrap_or_default()
}

fn start(program: &Path, order: &Order) -> io::Result<ExitStatus> {
    let text = serde_json::to_vec(order)?;
    let mut child = Command::new(program)
        .arg(confined::WORD)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let told = child.stdin.take().map_or(Ok(()), |mut stdin| io::Write::write_all(&mut stdin, &text));
    let status = child.wait()?;
    told.map(|()| status)
}

/// A line for the kernel's log, where PID 1's own lines are, too.
pub fn note(line: &str) {
    let line = format!("<4>installer: {}\n", line.replace(char::is_control, " "));
    let _nobody_reads_it_then = fs::write("/dev/kmsg", line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_at_work_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { run: folder.path().join("update"), ..Places::default() };
        let first = Lock::take(&places).unwrap();
        assert!(matches!(Lock::take(&places), Err(GuardError::Busy)));
        drop(first);
        Lock::take(&places).unwrap();
    }

    #[test]
    fn a_folder_of_the_root_is_no_mount_and_is_left_alone() {
        let mut writable = Writable::default();
        for path in ["/etc", "/nonexistent"] {
            writable.open(Path::new(path)).unwrap();
        }
        assert!(writable.mounts.is_empty());
    }
}
