//! Board manifests: everything that differs between boards, as data.
//!
//! A file in `board-configs/` is a fragment: all keys optional, unknown ones refused with file and line. [`load`] finds the file of
//! a board by its name, reads what it inherits (each file once: cycles and diamonds are refused, because the order of lists would
//! not be clear), merges in order and checks the whole: a [`Manifest`] has no optional value left. Every file that was read is
//! recorded with its digest.

mod fragment;

mod expand;

#[cfg(test)]
mod tests;

use crate::digest::Sha256;
use serde::Serialize;
use serde::Serializer;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

pub use crate::arch::Arch;
pub use expand::load;
pub use expand::load_for_source;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// File, relative to `board-configs/`.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
}

/// An entry of a list, with the place it was written at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The text.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
}

/// A whole, checked manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Format of the manifest.
    pub version: u32,
    /// What the board is.
    pub board: Board,
    /// Which packages the image is made from.
    pub parts: Parts,
    /// Kernel words and modules.
    pub kernel: Kernel,
    /// The compressed root.
    pub root: Root,
    /// The disk.
    pub disk: Disk,
    /// Every file that was read, in the order it was merged.
    pub inputs: Vec<Input>,
}

/// What the board is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Board {
    /// Name, as in `--board` and on the console.
    pub name: String,
    /// The distribution's name of the architecture.
    pub arch: Arch,
    /// One line for people.
    pub description: String,
}

/// Which packages the image is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Suites by name; the newest version in any of them is taken.
    pub suites: Vec<String>,
    /// Sections of the suites beside those that the build machine takes packages from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<String>,
    /// Package that depends on the newest kernel image.
    pub kernel: String,
    /// The suite that it is taken from, where that is not the one with the newest version of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_suite: Option<String>,
    /// What starts the kernel.
    pub boot: Boot,
    /// Files that ship, by package.
    pub files: BTreeMap<String, Vec<String>>,
    /// Links that a package's installation script would make: path and the name of the file beside it.
    pub links: BTreeMap<String, String>,
    /// Packages whose shared libraries ship when something needs them.
    pub libraries: Vec<String>,
    /// Packages whose programs run while building.
    pub tools: Vec<String>,
    /// Packages that our programs are compiled and linked against, where the machine that builds has none of its own for the board.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub build: Vec<String>,
    /// Overlays of a Raspberry Pi's device tree that its owner may choose, by name of their source in `image/overlays`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
}

/// What starts the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Boot {
    /// UEFI firmware and a loader.
    Uefi(Uefi),
    /// The firmware of a Raspberry Pi.
    Pi(Pi),
}

impl Boot {
    /// Package with what starts the kernel, if it is not all in the board's own memory.
    #[must_use]
    pub fn package(&self) -> Option<&str> {
        match self {
            Self::Uefi(uefi) => Some(&uefi.package),
            Self::Pi(pi) => pi.package.as_deref(),
        }
    }
}

/// Firmware, settings and device trees that lie beside the kernel of a Raspberry Pi.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pi {
    /// Package with the firmware; none for boards that have it in their own memory.
    pub package: Option<String>,
    /// Paths of its files.
    pub firmware: Vec<String>,
    /// Device trees, by path below the kernel package's folder of them.
    pub device_trees: Vec<String>,
    /// Content of `config.txt`.
    pub config: String,
}

/// Boot stub and loader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Uefi {
    /// Package that has both.
    pub package: String,
    /// Path of the stub that a slot file starts with.
    pub stub: String,
    /// Path of the loader.
    pub loader: String,
    /// The loader's name where firmware looks on removable media.
    pub removable_name: String,
    /// The loader's own name.
    pub installed_name: String,
}

/// Kernel words and modules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kernel {
    /// Command line words.
    pub cmdline: Vec<Entry>,
    /// Modules that stage 1 loads, with what they need.
    pub initrd_modules: Vec<Entry>,
    /// Modules in the root, with what they need.
    pub modules: Vec<Entry>,
    /// Modules of our own in the root: folders of `image/modules`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub own_modules: Vec<Entry>,
}

impl Kernel {
    /// All modules in the root, without what they need.
    pub(crate) fn all_modules(&self) -> Vec<Entry> {
        [self.modules.as_slice(), self.own_modules.as_slice()].concat()
    }
}

/// The compressed root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Root {
    /// Of everything but modules, as `mkfs.erofs -z` takes it.
    pub compression: String,
    /// Of kernel modules, as `mkfs.erofs -z` takes it.
    pub module_compression: String,
    /// Most bytes that are compressed together.
    pub cluster_bytes: u32,
}

/// The disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Size of the EFI system partition, MiB; of each of the two slots, where they are partitions.
    pub esp_mib: u32,
    /// Size of the data entry before the first boot, MiB.
    pub data_mib: u32,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Relative to `board-configs/`.
    pub file: String,
    /// Of its bytes.
    pub sha256: Sha256,
}

/// A manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// No file of that name.
    #[error("there is no board {board:?} in {folder} (there are: {known})")]
    UnknownBoard {
        /// The name asked for.
        board: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// The names that exist.
        known: String,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A file is no manifest: wrong syntax, wrong type, unknown key.
    #[error("{file}:{line}: {what}")]
    Syntax {
        /// The file.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// A value makes no sense.
    #[error("{file}:{line}: {what}", file = .origin.file, line = .origin.line)]
    Value {
        /// Where it stands.
        origin: Origin,
        /// What is wrong with it.
        what: String,
    },
    /// A file inherits itself.
    #[error("{file} inherits itself: {chain}")]
    Cycle {
        /// The file.
        file: String,
        /// The way round.
        chain: String,
    },
    /// A file is inherited on two ways.
    #[error("{file} is inherited twice, by {first} and by {second}")]
    Diamond {
        /// The file.
        file: String,
        /// Who inherited it first.
        first: String,
        /// Who inherited it again.
        second: String,
    },
    /// A key that no file has set.
    #[error("{board}: no file sets {key}")]
    Missing {
        /// The board's file.
        board: String,
        /// The key.
        key: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.value)
    }
}
