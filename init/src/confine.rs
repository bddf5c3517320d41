//! The trampoline: `init service <name>` confines itself as the table says and becomes the service.
//!
//! It runs in the new process, after a plain start without any code between fork and exec. That is why init needs no
//! unsafe code, and why nothing it allocates or opens here can harm PID 1. The order matters, each step needs rights
//! that a later one takes away:
//!
//! ```text
//! cgroup → limits → bounding set → groups, user → kept capabilities → no_new_privs → Landlock → seccomp → exec
//! ```

pub mod landlock;
pub mod privileges;

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use model::paths;
use rustix::process::Resource;
use rustix::process::Rlimit;

use crate::service::cgroup;
use crate::service::table;
use crate::service::table::Confinement;
use crate::service::table::Service;

/// Why a service could not be confined or run.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// No such row.
    #[error("there is no service {0:?}")]
    Unknown(OsString),
    /// Its control group.
    #[error("entering the control group of {0}")]
    Cgroup(&'static str, #[source] io::Error),
    /// A limit.
    #[error("setting a resource limit")]
    Limit(#[source] io::Error),
    /// User, groups, capabilities.
    #[error(transparent)]
    Privileges(#[from] privileges::PrivilegeError),
    /// Landlock.
    #[error("restricting the file system")]
    Landlock(#[from] ::landlock::RulesetError),
    /// seccomp.
    #[error("restricting system calls")]
    Filter(#[from] syscalls::FilterError),
    /// The program.
    #[error("running {0}")]
    Exec(&'static str, #[source] io::Error),
}

/// Becomes the service of that name; returns only when that fails.
///
/// # Errors
/// When a step fails; nothing runs with less confinement than its row has.
pub fn become_service(name: &OsString) -> Result<Infallible, ConfineError> {
    let service = name.to_str().and_then(table::find).ok_or_else(|| ConfineError::Unknown(name.clone()))?;
    // "0" is the writer itself (cgroup-v2.rst, "cgroup.procs").
    fs::write(cgroup::folder(service.name).join("cgroup.procs"), "0")
        .map_err(|error| ConfineError::Cgroup(service.name, error))?;
    limit(service)?;
    privileges::drop_to(service)?;
    match &service.confinement {
        Confinement::Sandbox(sandbox) => {
            landlock::restrict(service.program, sandbox)?;
            syscalls::install(sandbox.families, sandbox.calls_also)?;
        }
        Confinement::Forbidden { calls, .. } => syscalls::forbid(calls)?,
        Confinement::Nothing => {}
    }
    let mut program = Command::new(service.program);
    program.args(service.arguments).env_clear().envs(environment(service, std::process::id()));
    Err(ConfineError::Exec(service.program, program.exec()))
}

/// Exactly what docs/spec/boot.md promises. The process id is ours: exec keeps it.
fn environment(service: &Service, pid: u32) -> Vec<(&'static str, String)> {
    let mut all = vec![("NOTIFY_SOCKET", paths::NOTIFY_SOCKET.to_owned()), ("RUST_LOG", "info".to_owned())];
    if !service.sockets.is_empty() {
        let names: Vec<&str> = service.sockets.iter().map(|socket| socket.name).collect();
        all.push(("LISTEN_PID", pid.to_string()));
        all.push(("LISTEN_FDS", names.len().to_string()));
        all.push(("LISTEN_FDNAMES", names.join(":")));
    }
    all.extend(service.environment.iter().map(|(name, value)| (*name, (*value).to_owned())));
    all
}

fn limit(service: &Service) -> Result<(), ConfineError> {
    let fixed = |value| Rlimit { current: Some(value), maximum: Some(value) };
    // No core files: they would hold keys.
    for (resource, limit) in [(Resource::Nofile, fixed(service.limits.files)), (Resource::Core, fixed(0))] {
        rustix::process::setrlimit(resource, limit).map_err(|error| ConfineError::Limit(error.into()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_what_the_specification_says() {
        let hostd = environment(table::find("hostd").unwrap(), 42);
        assert_eq!(
            hostd.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
            [
                "NOTIFY_SOCKET=/run/hearth/notify",
                "RUST_LOG=info",
                "LISTEN_PID=42",
                "LISTEN_FDS=2",
                "LISTEN_FDNAMES=http:https"
            ]
        );
        assert_eq!(environment(table::find("agent").unwrap(), 42).len(), 2);
    }

    #[test]
    fn an_unknown_service_is_refused_before_anything_else() {
        let refused = become_service(&OsString::from("sshd")).unwrap_err();
        assert!(matches!(refused, ConfineError::Unknown(_)));
    }

    /// What device-mapper needs beyond this is seen in the VM.
    #[test]
    fn cryptsetup_works_on_a_header_inside_of_storageds_sandbox() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::File::create(place("partition")).unwrap().set_len(32 << 20).unwrap();
        fs::write(place("key"), [7; 32]).unwrap();
        let storaged = table::find("storaged").unwrap();
        let writable: &'static str = folder.path().to_str().unwrap().to_owned().leak();
        let sandbox = table::Sandbox {
            write: vec![writable, "/dev/null"].leak(),
            ..*storaged.confinement.sandbox().unwrap()
        };
        let [header, key] = ["partition", "key"].map(|name| place(name).to_str().unwrap().to_owned());
        let steps: Vec<Vec<String>> = [
            "luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file KEY HEADER",
            "luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file KEY HEADER KEY",
            "open --test-passphrase --key-file KEY HEADER",
            "luksKillSlot HEADER 1",
            "reencrypt --init-only --force-offline-reencrypt --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file KEY HEADER",
        ]
        .map(|step| {
            let words = step.split(' ').map(|word| word.replace("KEY", &key).replace("HEADER", &header));
            words.collect()
        })
        .into();
        let said = std::thread::spawn(move || {
            landlock::restrict("/nonexistent", &sandbox).unwrap();
            syscalls::install(sandbox.families, sandbox.calls_also).unwrap();
            steps
                .into_iter()
                .map(|words| {
                    let mut command = Command::new(sandbox.programs[0]);
                    let ran = command
                        .args(["--batch-mode", "--disable-locks"])
                        .args(words)
                        .env_clear()
                        .output()
                        .unwrap();
                    (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned())
                })
                .collect::<Vec<_>>()
        });
        let said = said.join().unwrap();
        assert!(said.iter().all(|(is_done, _)| *is_done), "{said:?}");
    }
}
