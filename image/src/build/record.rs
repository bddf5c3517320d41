//! `manifest.json`: what an image was made from. One in the root (it cannot know the root's own digest), one beside the image.

use crate::digest::Sha256;
use crate::manifest::Manifest;
use crate::modules::Selection;
use crate::parts::Package;
use crate::parts::PartSet;
use serde::Serialize;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The record in the root.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Root<'a> {
    kind: &'static str,
    format: u32,
    version: &'a str,
    board: &'a str,
    kernel: &'a str,
    /// Packages of which something ships.
    packages: &'a [Package],
    modules: Vec<&'a str>,
    manifest: &'a Manifest,
}

/// The record beside the image.
#[derive(Debug, Serialize)]
pub(crate) struct Image<'a> {
    #[serde(flatten)]
    pub(crate) root: &'a Root<'a>,
    pub(crate) root_sha256: Sha256,
    #[serde(flatten)]
    pub(crate) approval: Option<Approval>,
    /// Packages whose programs ran while building.
    pub(crate) tools: Vec<Package>,
    pub(crate) files: Vec<FileRecord>,
}

/// What the slot measures, and who approved that.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Approval {
    /// PCR 11 after the slot was started.
    pub(crate) pcr_11: pcr::Digest,
    /// SHA-256 of the public key, as SubjectPublicKeyInfo in DER.
    pub(crate) policy_key: pcr::Digest,
}

/// A result.
#[derive(Debug, Serialize)]
pub(crate) struct FileRecord {
    name: String,
    size: u64,
    sha256: Sha256,
}

impl<'a> Root<'a> {
    /// Puts the record together.
    pub(crate) fn of(
        version: &'a str,
        manifest: &'a Manifest,
        packages: &'a [Package],
        modules: &'a Selection,
        kernel: &'a str,
    ) -> Self {
        Self {
            kind: "hearth-image",
            format: 1,
            version,
            board: &manifest.board.name,
            kernel,
            packages,
            modules: modules.modules.iter().map(|module| module.info.name.as_str()).collect(),
            manifest,
        }
    }
}

/// Every package of a set.
pub(crate) fn all(parts: &PartSet) -> Vec<Package> {
    parts.iter().map(|part| part.package.clone()).collect()
}

/// Packages for the board, without those that only lead to the kernel.
pub(crate) fn shipped(parts: &PartSet, manifest: &Manifest) -> Vec<Package> {
    all(parts).into_iter().filter(|package| package.package != manifest.parts.kernel).collect()
}

/// Sizes and digests of results.
pub(crate) fn files(paths: &[&Path]) -> Result<Vec<FileRecord>, (PathBuf, io::Error)> {
    let record = |path: &&Path| {
        let at = |source| ((*path).to_owned(), source);
        Ok(FileRecord {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            size: fs::metadata(path).map_err(at)?.len(),
            sha256: Sha256::of_file(path).map_err(at)?,
        })
    };
    paths.iter().map(record).collect()
}
