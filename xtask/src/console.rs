//! Builds the web console (`console/`) with npm.

use crate::command::Program;
use crate::command::repository;
use crate::host_packages::say;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

/// Oldest npm that installs the locked packages.
const NPM_MAJOR: u32 = 10;

/// Builds `console/dist` when a source is newer, and returns its path.
///
/// # Errors
/// When npm is missing or too old, or the build fails.
pub(crate) fn build() -> Result<PathBuf> {
    let folder = repository().join("console");
    let dist = folder.join("dist");
    if is_fresh(&folder, &dist.join("index.html"))? {
        return Ok(dist);
    }
    install(&folder)?;
    say("building the web console");
    Program::new("npm", ["run", "build"]).folder(&folder).run()?;
    Ok(dist)
}

/// Type checks and unit tests of the console.
///
/// # Errors
/// When one fails.
pub(crate) fn test() -> Result<()> {
    let folder = repository().join("console");
    install(&folder)?;
    Program::new("npm", ["test"]).folder(&folder).run()
}

/// Installs the locked packages unless they are there.
fn install(folder: &Path) -> Result<()> {
    let version = Program::new("npm", ["--version"])
        .output()
        .context("the web console is built with npm; please install Node.js 20 or newer")?;
    let major = version.trim().split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NPM_MAJOR) {
        bail!(
            "npm {} is too old for the web console; please install npm {NPM_MAJOR} or newer",
            version.trim()
        );
    }
    let stamp = folder.join("node_modules/.package-lock.json");
    if modified(&stamp)
        .is_some_and(|installed| modified(&folder.join("package-lock.json")) <= Some(installed))
    {
        return Ok(());
    }
    say("installing the web console's build tools");
    Program::new("npm", ["ci", "--no-audit", "--no-fund"]).folder(folder).run()
}

fn is_fresh(folder: &Path, built: &Path) -> Result<bool> {
    let Some(built) = modified(built) else {
        return Ok(false);
    };
    let mut queue = vec![folder.to_path_buf()];
    while let Some(folder) = queue.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
            let path = entry.with_context(|| format!("listing {}", folder.display()))?.path();
            let generated = ["node_modules", "dist", "e2e"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !generated {
                queue.push(path);
            } else if path.is_file() && modified(&path) > Some(built) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
