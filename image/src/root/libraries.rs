//! Shared libraries of the root: exactly those that something there needs, and all of those.

use super::RootError;
use super::Stage;
use crate::elf;
use crate::elf::ElfError;
use crate::elf::Needs;
use crate::manifest::Manifest;
use crate::parts::PartSet;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The libraries are not complete.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// No listed package has the library.
    #[error("{needed_by} needs {library}, which none of the packages in parts.libraries has")]
    Missing {
        /// Path of the file that needs it.
        needed_by: PathBuf,
        /// Its name.
        library: String,
    },
    /// A program is damaged.
    #[error("cannot see what {path} needs")]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: ElfError,
    },
    /// The loader would look for libraries elsewhere first: all are in one folder, and such a path is mostly left over from the machine that
    /// compiled the file, where who can make that folder would be believed.
    #[error(
        "{path} looks for libraries in {search:?} of its own (DT_RUNPATH): remove that with patchelf --remove-rpath"
    )]
    Searches {
        /// Path of the file.
        path: PathBuf,
        /// Its folders.
        search: String,
    },
    /// Stage 1 runs where there are no libraries.
    #[error("{path} must be static, but needs {library}")]
    NotStatic {
        /// Path of the file.
        path: PathBuf,
        /// The first thing it needs.
        library: String,
    },
}

/// Adds libraries until nothing is missing.
pub(super) fn complete(stage: &Stage, manifest: &Manifest, parts: &PartSet) -> Result<(), RootError> {
    let arch = manifest.board.arch;
    let folder = format!("usr/lib/{}", arch.library_folder());
    let offered = offered(manifest, parts, &folder)?;
    let mut present = BTreeSet::new();
    let mut open = stage.files()?;
    while let Some(file) = open.pop() {
        let bytes = fs::read(&file).map_err(super::at(&file))?;
        // Kernel modules are ELF files too, but need nothing of this kind.
        if !elf::is_elf(&bytes) || file.extension().is_some_and(|extension| extension == "ko") {
            continue;
        }
        let shown = stage.shown(&file);
        let needs =
            elf::needs(&bytes).map_err(|source| LibraryError::Unreadable { path: shown.clone(), source })?;
        if let Some(search) = needs.search {
            return Err(LibraryError::Searches { path: shown, search }.into());
        }
        if shown == Path::new("/usr/lib/hearth/init") {
            must_be_static(&shown, &needs)?;
        }
        let interpreter =
            needs.interpreter.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path).to_owned());
        for library in needs.libraries.into_iter().chain(interpreter) {
            if !present.insert(library.clone()) {
                continue;
            }
            let Some(source) = offered.get(&library) else {
                return Err(LibraryError::Missing { needed_by: shown, library }.into());
            };
            let path = format!("{folder}/{library}");
            stage.copy(source, &path, 0o755)?;
            open.push(stage.place(&path));
        }
        if let Some(interpreter) = needs.interpreter {
            link_interpreter(stage, &interpreter, &folder)?;
        }
    }
    Ok(())
}

/// The file name alone finds the loader among the libraries; programs name it by a path of their own.
fn link_interpreter(stage: &Stage, interpreter: &str, folder: &str) -> Result<(), RootError> {
    let place = stage.place(interpreter);
    if place.symlink_metadata().is_ok() {
        return Ok(());
    }
    let name = interpreter.rsplit('/').next().unwrap_or(interpreter);
    let path = stage.shown(&place).to_string_lossy().trim_start_matches('/').to_owned();
    stage.link(&path, &format!("/{folder}/{name}"))
}

fn must_be_static(path: &Path, needs: &Needs) -> Result<(), LibraryError> {
    match needs.interpreter.iter().chain(&needs.libraries).next() {
        None => Ok(()),
        Some(library) => Err(LibraryError::NotStatic { path: path.to_owned(), library: library.clone() }),
    }
}

/// Libraries of the listed packages, by the name they are asked for.
fn offered(
    manifest: &Manifest,
    parts: &PartSet,
    folder: &str,
) -> Result<BTreeMap<String, PathBuf>, RootError> {
    let mut offered = BTreeMap::new();
    for package in &manifest.parts.libraries {
        let part = parts.get(package)?;
        for folder in [part.folder.join(folder), part.folder.join(folder.trim_start_matches("usr/"))] {
            if !folder.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&folder).map_err(super::at(&folder))? {
                let path = entry.map_err(super::at(&folder))?.path();
                // Links such as libext2fs.so.2 are followed: the root has one file, under the name that is asked for.
                if path.is_file() {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    offered.insert(name, path);
                }
            }
        }
    }
    Ok(offered)
}
