//! Packing the staged root with mkfs.erofs of the parts, so that equal trees give equal bytes, and unpacking it again.

use crate::manifest::Root;
use crate::parts::PartSet;
use crate::parts::program;
use crate::parts::program::ProgramError;
use crate::tool;
use crate::tool::ToolError;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The same in every image: nothing looks a root up by its UUID.
const UUID: &str = "68656172-7468-4000-8000-000000000001";

/// The root cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum ErofsError {
    /// The tools' parts lack something.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// mkfs.erofs failed.
    #[error("cannot pack the root")]
    Pack(#[source] ToolError),
    /// fsck.erofs failed.
    #[error("cannot unpack the root")]
    Unpack(#[source] ToolError),
    /// An image of an earlier build is in the way.
    #[error("cannot remove {path}")]
    Remove {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The table of compressions cannot be written.
    #[error("cannot write {path}")]
    Hints {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

/// Packs `stage` into `image`.
pub(crate) fn pack(stage: &Path, image: &Path, root: &Root, tools: &PartSet) -> Result<(), ErofsError> {
    if let Err(source) = fs::remove_file(image)
        && source.kind() != io::ErrorKind::NotFound
    {
        return Err(ErofsError::Remove { path: image.to_owned(), source });
    }
    let mut command = program::command("erofs-utils", "mkfs.erofs", tools)?;
    let hints = image.with_extension("hints");
    fs::write(&hints, hint(root)).map_err(|source| ErofsError::Hints { path: hints.clone(), source })?;
    command.arg(format!("-z{}:{}", root.compression, root.module_compression));
    command.arg(format!("-C{}", root.cluster_bytes)).arg(format!("--compress-hints={}", hints.display()));
    // No times, no owners, no extended attributes: nothing of the machine that builds.
    command.args(["-T0", "--all-root", "-x-1", "--quiet", "-U", UUID]);
    tool::output(command.arg(image).arg(stage)).map(|_| ()).map_err(ErofsError::Pack)
}

/// Unpacks the files of `image` into `folder`, with the owner of whoever builds.
pub(crate) fn unpack(image: &Path, folder: &Path, tools: &PartSet) -> Result<(), ErofsError> {
    let mut command = program::command("erofs-utils", "fsck.erofs", tools)?;
    let mut to = OsString::from("--extract=");
    to.push(folder);
    // Running as root it would give the files their owners.
    command.arg(to).args(["--overwrite", "--no-preserve"]).arg(image);
    tool::output(&mut command).map(|_| ()).map_err(ErofsError::Unpack)
}

/// `<bytes compressed together> <number of the algorithm> <pattern of paths>`: mkfs.erofs(1), `--compress-hints`.
fn hint(root: &Root) -> String {
    format!("{} 1 \\.ko$\n", root.cluster_bytes)
}
