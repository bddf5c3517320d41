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
use crate::progress::Progress;
use std::fs;
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
    let request =
        Request { arch, suites: manifest.parts.suites, packages: manifest.parts.build, kernel: None };
    let parts = PartSet::prepare(&cache, &request, choice, progress)?;
    let digests: Vec<String> = parts.iter().map(|part| part.package.sha256.to_string()).collect();
    let mut key = Sha256::of(digests.concat().as_bytes()).to_string();
    key.truncate(16);
    let folder = cache.join(format!("sysroot-{}-{key}", arch.name()));
    if !folder.is_dir() {
        progress.step("Laying out the libraries to link against");
        let aside = folder.with_extension("new");
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(at(&aside))?;
        }
        let packages: Vec<&Path> = parts.iter().map(|part| part.folder.as_path()).collect();
        lay_out(&packages, &aside)?;
        fs::rename(&aside, &folder).map_err(at(&folder))?;
    }
    Ok(Sysroot { arch, folder })
}

/// Lays packages over each other; scripts of the linker name libraries below `/lib`.
fn lay_out(packages: &[&Path], to: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(to.join("usr/lib")).map_err(at(to))?;
    let lib = to.join("lib");
    std::os::unix::fs::symlink("usr/lib", &lib).map_err(at(&lib))?;
    packages.iter().try_for_each(|package| overlay(package, to))
}

fn overlay(from: &Path, to: &Path) -> Result<(), BuildError> {
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let (source, place) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(at(&source))?;
        if kind.is_dir() {
            if !place.is_dir() {
                fs::create_dir(&place).map_err(at(&place))?;
            }
            overlay(&source, &place)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&source).map_err(at(&source))?;
            std::os::unix::fs::symlink(target, &place).map_err(at(&place))?;
        } else {
            fs::hard_link(&source, &place).map_err(at(&place))?;
        }
    }
    Ok(())
}

fn at(path: &Path) -> impl Fn(io::Error) -> BuildError {
    move |source| BuildError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_lie_over_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for package in [&a, &b] {
            fs::create_dir_all(package.join("usr/lib/x")).unwrap();
        }
        fs::create_dir_all(b.join("lib")).unwrap();
        fs::write(a.join("usr/lib/x/liba.so.0"), "a").unwrap();
        std::os::unix::fs::symlink("liba.so.0", b.join("usr/lib/x/liba.so")).unwrap();
        fs::write(b.join("lib/old"), "o").unwrap();
        let to = folder.path().join("sysroot");
        lay_out(&[&a, &b], &to).unwrap();
        assert_eq!(fs::read(to.join("lib/x/liba.so")).unwrap(), b"a");
        assert_eq!(fs::read(to.join("usr/lib/old")).unwrap(), b"o");
    }

    #[test]
    fn two_packages_with_one_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for package in [&a, &b] {
            fs::create_dir_all(package.join("usr")).unwrap();
            fs::write(package.join("usr/f"), "x").unwrap();
        }
        let error = lay_out(&[&a, &b], &folder.path().join("to")).unwrap_err();
        assert!(matches!(error, BuildError::File { .. }), "{error}");
    }
}
