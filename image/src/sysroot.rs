//! What our programs are compiled and linked against for a board of another architecture than the machine that builds.
//!
//! The board's packages `parts.build` laid over each other in one folder, as they would be installed, with nothing installed: the C
//! compiler of the machine is led there with `--sysroot`. They are of the suites that the image's libraries are of.

use crate::arch::Arch;
use crate::build::BuildError;
use crate::digest::Sha256;
use crate::manifest;
use crate::parts::Choice;
use crate::parts::PartSet;
use crate::parts::Request;
use crate::parts::overlay;
use crate::progress::Progress;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The folder to compile and link in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysroot {
    /// Of the board.
    pub arch: Arch,
    /// Absolute path.
    pub folder: PathBuf,
}

impl Sysroot {
    /// Where its libraries lie.
    #[must_use]
    pub fn libraries(&self) -> PathBuf {
        self.folder.join("usr/lib").join(self.arch.library_folder())
    }
}

/// Architecture of a board.
///
/// # Errors
/// When there is no such board, or its manifest is wrong.
pub fn arch(repo: &Path, board: &str) -> Result<Arch, BuildError> {
    Ok(manifest::load(&repo.join("board-configs"), board)?.board.arch)
}

/// Fetches and lays out what programs for the board are linked against.
///
/// # Errors
/// When the board's manifest is wrong, packages cannot be had, or the folder cannot be written.
pub fn prepare(
    repo: &Path,
    board: &str,
    cache: &Path,
    choice: Choice,
    progress: &dyn Progress,
) -> Result<Sysroot, BuildError> {
    let manifest = manifest::load(&repo.join("board-configs"), board)?;
    let cache = std::path::absolute(cache).map_err(at(cache))?;
    let arch = manifest.board.arch;
    let request = Request::of(arch, &manifest.parts, manifest.parts.build.clone());
    let parts = PartSet::prepare(&cache, &request, choice, progress)?;
    let digests: Vec<String> = parts.iter().map(|part| part.package.sha256.to_string()).collect();
    let mut key = Sha256::of(digests.concat().as_bytes()).to_string();
    key.truncate(16);
    let packages: Vec<&Path> = parts.iter().map(|part| part.folder.as_path()).collect();
    let folder = overlay::lay_out(&packages, &cache.join(format!("sysroot-{}-{key}", arch.name())))?;
    Ok(Sysroot { arch, folder })
}

fn at(path: &Path) -> impl Fn(io::Error) -> BuildError {
    move |source| BuildError::File { path: path.to_owned(), source }
}
