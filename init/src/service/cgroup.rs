//! A control group for each service: limits, and an end for everything that it started.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use model::paths;

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

/// All apps together against all services, which have 100 each (`cpu.weight`, `io.weight`).
const WEIGHT_OF_APPS: &str = "50";

/// Makes the parents of services and of apps, and hands the controllers down to them and to their children.
///
/// # Errors
/// When the kernel refuses.
pub fn prepare() -> Result<(), CgroupError> {
    for group in [PARENT, paths::APP_CGROUPS] {
        let made = fs::create_dir_all(group);
        made.map_err(|source| CgroupError { path: group.into(), source })?;
    }
    for group in ["/sys/fs/cgroup", PARENT, paths::APP_CGROUPS] {
        write(&Path::new(group).join("cgroup.subtree_control"), CONTROLLERS)?;
    }
    for file in ["cpu.weight", "io.weight"] {
        let path = Path::new(paths::APP_CGROUPS).join(file);
        // Not every kernel weighs disks.
        if path.exists() {
            write(&path, WEIGHT_OF_APPS)?;
        }
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
