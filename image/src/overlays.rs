//! Overlays of a Raspberry Pi's device tree (`image/overlays/<name>.dts`) for what its owner may put on the pins, where the firmware cannot
//! find it by itself.
//!
//! A side of the disk has each as `overlay-<name>.dtbo`, and `hats.txt`, which names them and which `config.txt` includes: that file is the
//! owner's, and `installer` takes it along to the side that it writes (docs/boards.md).

use crate::parts::PartSet;
use crate::parts::program;
use crate::parts::program::ProgramError;
use crate::tool;
use crate::tool::ToolError;
use slots::pi::HATS;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// What `config.txt` ends with, where there are overlays. By default the firmware looks for them in a folder, and a side has none.
pub(crate) const CONFIG: &str =
    "\n# What is on the pins. Updates keep that file.\noverlay_prefix=overlay-\ninclude hats.txt\n";

/// Overlays cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// A file cannot be used.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A source does not begin with a comment, which the owner reads in `hats.txt`.
    #[error("{path} does not say in its first line what it is for (`// …`)")]
    Silent {
        /// The source.
        path: PathBuf,
    },
    /// The compiler cannot be run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// It did not like the source.
    #[error("cannot compile {path}")]
    Compile {
        /// The source.
        path: PathBuf,
        /// Cause.
        #[source]
        source: ToolError,
    },
}

/// Compiles overlays: the files of a side. None at all where a board has none.
pub(crate) fn compile(
    sources: &Path,
    names: &[String],
    tools: &PartSet,
    work: &Path,
) -> Result<Vec<(String, Vec<u8>)>, OverlayError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut hats = "# What is on the pins of this board: take the # off the second line of what is there. Updates keep this file.\n".to_owned();
    let mut files = Vec::new();
    for name in names {
        let path = sources.join(name).with_extension("dts");
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let about = text.lines().next().and_then(|line| line.strip_prefix("// "));
        let about = about.ok_or_else(|| OverlayError::Silent { path: path.clone() })?;
        // Writing to a string does not fail.
        let _infallible = write!(hats, "\n# {about}\n#dtoverlay={name}\n");
        let file = format!("overlay-{name}.dtbo");
        let to = work.join(&file);
        let mut command = program::command("device-tree-compiler", "dtc", tools)?;
        command.args(["-@", "-q", "-I", "dts", "-O", "dtb", "-o"]).arg(&to).arg(&path);
        tool::output(&mut command).map_err(|source| OverlayError::Compile { path: path.clone(), source })?;
        files.push((file, fs::read(&to).map_err(at(&to))?));
        fs::remove_file(&to).map_err(at(&to))?;
    }
    files.push((HATS.to_owned(), hats.into_bytes()));
    Ok(files)
}

fn at(path: &Path) -> impl Fn(io::Error) -> OverlayError {
    let path = path.to_owned();
    move |source| OverlayError::File { path: path.clone(), source }
}
