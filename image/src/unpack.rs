//! The other way: from a slot file back to the files of its root. Publishing an update starts from those of the release before.

use crate::build;
use crate::build::BuildError;
use crate::erofs;
use crate::erofs::ErofsError;
use crate::manifest;
use crate::manifest::ManifestError;
use crate::parts::Choice;
use crate::progress::Progress;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The root's name in the initrd, with the zero after it.
const NAME: &[u8] = b"root.erofs\0";
/// An entry's fields before its name ("newc": six digits of magic, thirteen numbers of eight).
const ENTRY: usize = 6 + 13 * 8;
/// The first of them.
const MAGIC: &[u8] = b"070701";
/// Where the size is.
const SIZE: std::ops::Range<usize> = 6 + 6 * 8..6 + 7 * 8;
/// The word of the command line that names the version.
const VERSION: &[u8] = b" hearth.version=";
/// Longest version that is looked at, in bytes.
const MAX_VERSION: usize = 64;

/// Where the tools come from.
#[derive(Clone, Copy, Debug)]
pub struct UnpackInputs<'a> {
    /// The repository of this project.
    pub repo: &'a Path,
    /// The board that the slot file is for.
    pub board: &'a str,
    /// Fetched packages.
    pub cache: &'a Path,
    /// Tells what is being done.
    pub progress: &'a dyn Progress,
}

/// A root cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// There is none.
    #[error("there is no root in the slot file")]
    NoRoot,
    /// The board is not known.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The tools cannot be had.
    #[error("cannot get the tools that unpack the root")]
    Tools(#[source] Box<BuildError>),
    /// A file or folder cannot be used.
    #[error("cannot use {path}")]
    File {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// It is broken.
    #[error(transparent)]
    Erofs(#[from] ErofsError),
}

/// Unpacks the root of a slot file into `folder`, which is emptied first.
///
/// # Errors
/// There is no root in it, the tools cannot be had, or the folder cannot be written.
pub fn unpack(slot: &[u8], folder: &Path, inputs: &UnpackInputs<'_>) -> Result<(), UnpackError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| UnpackError::File { path, source }
    };
    let root = root_of(slot).ok_or(UnpackError::NoRoot)?;
    let manifest = manifest::load(&inputs.repo.join("board-configs"), inputs.board)?;
    let tools = build::tools(&manifest, inputs.cache, Choice::Kept, inputs.progress)
        .map_err(|error| UnpackError::Tools(Box::new(error)))?;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    fs::create_dir_all(folder).map_err(at(folder))?;
    let image = folder.with_extension("erofs");
    fs::write(&image, root).map_err(at(&image))?;
    erofs::unpack(&image, folder, &tools)?;
    fs::remove_file(&image).map_err(at(&image))
}

/// The root in a slot file, as it lies in the initrd.
#[must_use]
pub fn root_of(slot: &[u8]) -> Option<&[u8]> {
    let mut from = 0_usize;
    loop {
        let found = slot.get(from..)?.windows(NAME.len()).position(|window| window == NAME)?;
        let name = from.checked_add(found)?;
        if let Some(root) = entry(slot, name) {
            return Some(root);
        }
        from = name.checked_add(1)?;
    }
}

/// The version in the command line of a slot file.
#[must_use]
pub fn version_of(slot: &[u8]) -> Option<&str> {
    let found = slot.windows(VERSION.len()).position(|window| window == VERSION)?;
    let text = slot.get(found.checked_add(VERSION.len())?..)?;
    let text = text.get(..MAX_VERSION.min(text.len()))?;
    let end = text.iter().position(|byte| !byte.is_ascii_graphic())?;
    std::str::from_utf8(text.get(..end)?).ok()
}

/// The content of the entry whose name begins there.
fn entry(slot: &[u8], name: usize) -> Option<&[u8]> {
    let header = name.checked_sub(ENTRY)?;
    let fields = slot.get(header..name)?;
    if !fields.starts_with(MAGIC) {
        return None;
    }
    let size = usize::from_str_radix(std::str::from_utf8(fields.get(SIZE)?).ok()?, 16).ok()?;
    let start = header.checked_add(ENTRY.checked_add(NAME.len())?.next_multiple_of(4))?;
    slot.get(start..start.checked_add(size)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpio::Archive;

    #[test]
    fn the_root_is_found_in_the_initrd() {
        let mut archive = Archive::default();
        archive.file("init", 0o755, b"not root.erofs\0 yet").unwrap();
        archive.file("root.erofs", 0o444, b"the root").unwrap();
        let slot = [&[0x90; 512][..], &archive.finish()].concat();
        assert_eq!(root_of(&slot), Some(&b"the root"[..]));
        assert_eq!(root_of(b"nothing"), None);
        // A file that ends in the middle of it.
        let start = slot.windows(8).position(|window| window == b"the root").unwrap();
        assert_eq!(root_of(&slot[..start + 3]), None);
    }

    #[test]
    fn the_version_is_the_one_of_the_command_line() {
        let slot = b"\0quiet hearth.root=sha256:00 hearth.version=1.9~rc1 hearth.board=x86_64\0\0";
        assert_eq!(version_of(slot), Some("1.9~rc1"));
        assert_eq!(version_of(b"\0quiet\0"), None);
        let long = [&b" hearth.version="[..], &[b'1'; 100]].concat();
        assert_eq!(version_of(&long), None);
    }
}
