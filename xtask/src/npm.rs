//! Packages of npm, as a lock file names them.

use crate::command::Program;
use crate::host_packages::say;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Oldest npm that installs the locked packages.
const NPM_MAJOR: u32 = 10;

/// Installs a folder's locked packages unless they are there.
///
/// # Errors
/// When npm is missing or too old, or fails.
pub(crate) fn install(folder: &Path, what: &str) -> Result<()> {
    let version = Program::new("npm", ["--version"])
        .output()
        .with_context(|| format!("{what} are installed by npm; please install Node.js 20 or newer"))?;
    let major = version.trim().split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NPM_MAJOR) {
        bail!("npm {} is too old for {what}; please install npm {NPM_MAJOR} or newer", version.trim());
    }
    let stamp = folder.join("node_modules/.package-lock.json");
    if modified(&stamp)
        .is_some_and(|installed| modified(&folder.join("package-lock.json")) <= Some(installed))
    {
        return Ok(());
    }
    say(&format!("installing {what}"));
    Program::new("npm", ["ci", "--no-audit", "--no-fund"]).folder(folder).run()
}

/// When a file was written last.
pub(crate) fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
