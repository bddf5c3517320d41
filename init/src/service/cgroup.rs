//! A control group for each service: limits, and an end for everything that it started.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::table::Limits;

/// Parent of all services' groups.
pub const PARENT: &str = "/sys/fs/cgroup/hearth";

/// Controllers that services are limited by and that later parts of the system share out.
const CONTROLLERS: &str = "+cpu +io +memory +pids";

/// A group that could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("setting {path}")]
pub struct CgroupError {
    path: PathBuf,
    source: io::Error,
}

/// Folder of a service's group.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    Path::new(PARENT).join(name)
}

/// Makes the parent and hands the controllers down to it and to its children.
///
/// # Errors
/// When the kernel refuses.
pub fn prepare() -> Result<(), CgroupError> {
    let make = fs::create_dir_all(PARENT);
    make.map_err(|source| CgroupError { path: PARENT.into(), source })?;
    for group in ["/sys/fs/cgroup", PARENT] {
        write(&Path::new(group).join("cgroup.subtree_control"), CONTROLLERS)?;
    }
    Ok(())
}

/// Makes a service's group with its limits.
///
/// # Errors
/// When the kernel refuses.
pub fn make(name: &str, limits: &Limits) -> Result<(), CgroupError> {
    let folder = folder(name);
    match fs::create_dir(&folder) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            return Err(CgroupError { path: folder, source });
        }
        _ => {}
    }
    write(&folder.join("memory.max"), &limits.memory.to_string())?;
    // One service out of memory is one restart, never half a service.
    write(&folder.join("memory.oom.group"), "1")?;
    write(&folder.join("pids.max"), &limits.tasks.to_string())
}

/// Kills everything in a service's group.
///
/// # Errors
/// When the group is not there or the kernel is older than 5.14.
pub fn kill(name: &str) -> Result<(), CgroupError> {
    write(&folder(name).join("cgroup.kill"), "1")
}

fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    fs::write(path, value).map_err(|source| CgroupError { path: path.to_owned(), source })
}
