//! Builds the web console (`console/`) with npm.

use crate::command::Program;
use crate::command::repository;
use crate::host_packages::say;
use crate::npm;
use crate::npm::modified;
use anyhow::Context;
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Builds `console/dist` when a source is newer, and returns its path.
///
/// # Errors
/// When npm is missing or too old, or the build fails.
pub(crate) fn build() -> Result<PathBuf> {
    let folder = repository().join("console");
    let dist = self::folder();
    if is_fresh(&folder, &dist.join("index.html"))? {
        return Ok(dist);
    }
    npm::install(&folder, "the web console's build tools")?;
    say("building the web console");
    Program::new("npm", ["run", "build"]).folder(&folder).run()?;
    Ok(dist)
}

/// Where [`build`] leaves it.
pub(crate) fn folder() -> PathBuf {
    repository().join("console/dist")
}

/// Type checks and unit tests of the console.
///
/// # Errors
/// When one fails.
pub(crate) fn test() -> Result<()> {
    let folder = repository().join("console");
    npm::install(&folder, "the web console's build tools")?;
    Program::new("npm", ["test"]).folder(&folder).run()
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
