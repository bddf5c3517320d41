//! Programs of the parts that run while building.

use super::PartSet;
use super::PartsError;
use crate::arch::Arch;
use crate::tool;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// A program of the parts cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It, or the library that it runs with, is not there.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// The machine that builds has an architecture without a known loader.
    #[error("no images can be built on this architecture")]
    Machine,
}

/// A program of the tool package `package`. The tools are of a newer suite than the machine: they run with the C library of their own suite.
pub(crate) fn command(package: &str, name: &str, tools: &PartSet) -> Result<Command, ProgramError> {
    let loader = Arch::of_machine().ok_or(ProgramError::Machine)?.dynamic_loader();
    let program = tools.get(package)?.file(&format!("/usr/bin/{name}"))?;
    let folder = Path::new(loader).parent().unwrap_or_else(|| Path::new("/"));
    // Buildroot's tools know the way to their libraries.
    if tools.iter().all(|part| part.package.is_from_buildroot()) {
        return Ok(tool::command(program));
    }
    let libraries: BTreeSet<String> = tools
        .iter()
        .flat_map(|part| {
            [folder, folder.strip_prefix("/usr").unwrap_or(folder)].map(|f| join(&part.folder, f))
        })
        .filter(|folder| folder.is_dir())
        .map(|folder| folder.to_string_lossy().into_owned())
        .collect();
    let libraries = libraries.into_iter().collect::<Vec<_>>().join(":");
    let mut command = tool::command(tools.get("libc6")?.file(loader)?);
    command.arg("--library-path").arg(libraries).arg(program);
    Ok(command)
}

fn join(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path.strip_prefix("/").unwrap_or(path))
}
