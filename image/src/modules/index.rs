//! What the kernel package offers: every module's own words, read once and kept beside the package.

use crate::modinfo::ModInfo;
use crate::modinfo::ModInfoError;
use crate::modinfo::unify;
use liblzma::read::XzDecoder;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::thread;

/// Largest module we are willing to hold in memory, bytes; the largest of a general kernel (a graphics driver) has 30 MB.
const LARGEST: u64 = 128 << 20;

/// All modules of a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Kernel release, such as `6.12.117+deb13-amd64`.
    pub release: String,
    /// Modules by name (with `_`).
    pub modules: BTreeMap<String, Module>,
    /// Names of what is built in (with `_`).
    pub built_in: BTreeSet<String>,
}

/// A module of the kernel package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Path below the kernel's module folder.
    pub path: String,
    /// Its own words.
    pub info: ModInfo,
}

/// The modules of a kernel cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A file or folder cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A module is no module.
    #[error("cannot understand the module {path}")]
    Module {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: ModInfoError,
    },
    /// A folder of modules without exactly one kernel release.
    #[error("{path} does not hold the modules of exactly one kernel")]
    Release {
        /// The folder.
        path: PathBuf,
    },
    /// The kept index cannot be written.
    #[error("cannot write the module index {path}")]
    Keep {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: serde_json::Error,
    },
}

impl Module {
    /// File name in an image, uncompressed.
    #[must_use]
    pub fn file_name(&self) -> String {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.strip_suffix(".xz").unwrap_or(name).to_owned()
    }
}

/// The folder `usr/lib/modules/<release>` of an unpacked kernel package, and the release.
pub(crate) fn folder(package: &Path) -> Result<(PathBuf, String), IndexError> {
    let folder = package.join("usr/lib/modules");
    let mut releases = list(&folder)?;
    match (releases.pop(), releases.is_empty()) {
        (Some(release), true) => {
            let name = release.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((release, name))
        }
        _ => Err(IndexError::Release { path: folder }),
    }
}

/// The index of an unpacked kernel package. Reading thousands of compressed modules takes seconds, so it is kept in `keep`,
/// whose name must change with the package.
pub(crate) fn load(package: &Path, keep: &Path) -> Result<Index, IndexError> {
    // A kept index that cannot be read is made again.
    if let Some(index) = fs::read(keep).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(index);
    }
    let (folder, release) = folder(package)?;
    let mut files = Vec::new();
    walk(&folder.join("kernel"), &mut files)?;
    files.sort();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(workers).max(1);
    let results: Vec<Result<Vec<Module>, IndexError>> = thread::scope(|scope| {
        let handles: Vec<_> = files
            .chunks(share)
            .map(|chunk| scope.spawn(|| chunk.iter().map(|file| read_module(&folder, file)).collect()))
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut index = Index { release, modules: BTreeMap::new(), built_in: built_in(&folder)? };
    for module in results.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        index.modules.insert(module.info.name.clone(), module);
    }
    let text =
        serde_json::to_vec(&index).map_err(|source| IndexError::Keep { path: keep.to_owned(), source })?;
    let aside = keep.with_extension("new");
    fs::write(&aside, text).map_err(at(&aside))?;
    fs::rename(&aside, keep).map_err(at(keep))?;
    Ok(index)
}

/// The uncompressed bytes of a module file, `.ko` or `.ko.xz`.
pub(crate) fn module_bytes(path: &Path) -> Result<Vec<u8>, IndexError> {
    let file = fs::File::open(path).map_err(at(path))?;
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "xz") {
        XzDecoder::new(file).take(LARGEST).read_to_end(&mut bytes).map_err(at(path))?;
    } else {
        file.take(LARGEST).read_to_end(&mut bytes).map_err(at(path))?;
    }
    Ok(bytes)
}

fn at(path: &Path) -> impl Fn(io::Error) -> IndexError {
    move |source| IndexError::File { path: path.to_owned(), source }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, IndexError> {
    let entries = fs::read_dir(folder).map_err(at(folder))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(at(folder))).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), IndexError> {
    for path in list(folder)? {
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.to_string_lossy().ends_with(".ko") || path.to_string_lossy().ends_with(".ko.xz") {
            files.push(path);
        }
    }
    Ok(())
}

fn read_module(folder: &Path, path: &Path) -> Result<Module, IndexError> {
    let info = ModInfo::of_module(&module_bytes(path)?)
        .map_err(|source| IndexError::Module { path: path.to_owned(), source })?;
    let path = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
    Ok(Module { path, info })
}

fn built_in(folder: &Path) -> Result<BTreeSet<String>, IndexError> {
    let path = folder.join("modules.builtin");
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let names = text.lines().filter_map(|line| line.rsplit('/').next()?.strip_suffix(".ko"));
    Ok(names.map(unify).collect())
}
