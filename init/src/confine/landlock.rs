//! What a service reaches in the file system (Documentation/userspace-api/landlock.rst).
//!
//! The newest rules that this page was written for are asked for, and the kernel gives what it has: an older one
//! restricts less, which the service's log then says. On the kernels that images carry all of it is there.

use landlock::ABI;
use landlock::Access;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::BitFlags;
use landlock::NetPort;
use landlock::PathBeneath;
use landlock::PathFd;
use landlock::Ruleset;
use landlock::RulesetAttr;
use landlock::RulesetCreatedAttr;
use landlock::RulesetError;
use landlock::RulesetStatus;
use landlock::Scope;

use crate::console;
use crate::console::Level;
use crate::service::table::Sandbox;

/// Landlock of Linux 6.12: files, devices, TCP ports, signals and abstract sockets.
const WRITTEN_FOR: ABI = ABI::V6;

/// Program loaders of the architectures Hearth runs on; the kernel opens them for execution.
const LOADERS: &[&str] = &["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// Restricts this process. TCP ports are given by init as sockets; only those in the row may be opened by the service itself.
///
/// # Errors
/// When the kernel has Landlock and refuses the rules.
pub fn restrict(program: &str, sandbox: &Sandbox) -> Result<(), RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // Devices and named pipes are nothing that a service makes.
    let write = AccessFs::from_write(WRITTEN_FOR)
        & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeFifo | AccessFs::IoctlDev);
    let execute = AccessFs::Execute | AccessFs::ReadFile;
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(WRITTEN_FOR))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(WRITTEN_FOR))?
        .create()?;
    for path in sandbox.read.iter().chain(sandbox.read_also) {
        ruleset = allow(ruleset, path, read)?;
    }
    for path in sandbox.write {
        ruleset = allow(ruleset, path, read | write)?;
    }
    // Nodes of devices are made where devices are, and devices are given orders there.
    let devices = read | write | AccessFs::MakeBlock | AccessFs::IoctlDev;
    for path in sandbox.devices {
        ruleset = allow(ruleset, path, devices)?;
    }
    for path in LOADERS.iter().copied().chain([program]).chain(sandbox.programs.iter().copied()) {
        ruleset = allow(ruleset, path, execute)?;
    }
    for port in sandbox.listens {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
    }
    let status = ruleset.restrict_self()?;
    if status.ruleset != RulesetStatus::FullyEnforced {
        console::note(Level::Warning, &format!("{program}: Landlock is {:?}", status.ruleset));
    }
    Ok(())
}

/// Adds a rule. A path that is not there grants nothing: `/data` may have failed, and its service still runs.
fn allow(
    ruleset: landlock::RulesetCreated,
    path: &str,
    access: BitFlags<AccessFs>,
) -> Result<landlock::RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(ruleset) };
    let folder = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let access = if folder { access } else { access & AccessFs::from_file(WRITTEN_FOR) };
    ruleset.add_rule(PathBeneath::new(opened, access))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use super::*;

    const NOTHING: Sandbox = Sandbox {
        read: &[],
        read_also: &[],
        write: &[],
        devices: &[],
        programs: &[],
        families: &[],
        calls_also: &[],
        listens: &[],
    };

    #[test]
    fn only_the_named_programs_are_run() {
        let sandbox = Sandbox { read: &["/"], programs: &["/bin/true"], ..NOTHING };
        let ran = std::thread::spawn(move || {
            restrict("/nonexistent", &sandbox).unwrap();
            ["/bin/true", "/bin/ls"].map(|program| {
                std::process::Command::new(program)
                    .status()
                    .map(|status| status.success())
                    .map_err(|e| e.kind())
            })
        });
        assert_eq!(ran.join().unwrap(), [Ok(true), Err(ErrorKind::PermissionDenied)]);
    }

    #[test]
    fn only_the_named_ports_are_listened_on() {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (allowed, denied) = (free(), free());
        let ports: &'static [u16] = vec![allowed.port()].leak();
        let sandbox = Sandbox { listens: ports, ..NOTHING };
        let bound = std::thread::spawn(move || {
            restrict("/bin/true", &sandbox).unwrap();
            [allowed, denied]
                .map(|address| std::net::TcpListener::bind(address).map(drop).map_err(|e| e.kind()))
        });
        assert_eq!(bound.join().unwrap(), [Ok(()), Err(ErrorKind::PermissionDenied)]);
    }

    /// Rules bind the thread that sets them and those it starts.
    #[test]
    fn only_the_named_folders_are_reached_and_only_as_named() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        let sandbox_write: &'static [&'static str] =
            vec![&*folder.path().to_str().unwrap().to_owned().leak()].leak();
        let (read, denied_read, denied_write, written, executed) = std::thread::spawn(move || {
            restrict(
                "/bin/true",
                &Sandbox { read: &["/etc"], read_also: &["/nonexistent"], write: sandbox_write, ..NOTHING },
            )
            .unwrap();
            let write = fs::write(&kept, "x").and_then(|()| fs::rename(&kept, kept.with_extension("new")));
            (
                fs::read("/etc/passwd").map(drop),
                fs::read("/proc/version").unwrap_err().kind(),
                fs::write("/etc/hearth-test", "x").unwrap_err().kind(),
                write,
                std::process::Command::new("/bin/ls").spawn().unwrap_err().kind(),
            )
        })
        .join()
        .unwrap();
        read.unwrap();
        written.unwrap();
        let denied = ErrorKind::PermissionDenied;
        assert_eq!((denied_read, denied_write, executed), (denied, denied, denied));
    }
}
