//! What was built and is to be tested, as typed handles: tests name no paths.

use anyhow::Result;
use anyhow::bail;
use std::env;
use std::path::Path;
use std::path::PathBuf;

/// The board that is tested here.
const BOARD: &str = "x86_64";

/// The built image and what goes with it.
#[derive(Clone, Debug)]
pub struct Artifacts {
    /// The whole disk, raw.
    pub image: PathBuf,
    /// The slot file inside it: one UKI.
    pub slot: PathBuf,
    /// Parts, versions, hashes, sizes.
    pub manifest: PathBuf,
    /// The test agent, static. Only machines that get one need it.
    pub agent: PathBuf,
}

impl Artifacts {
    /// Finds what `cargo xtask image` and `cargo xtask test` built: in `HEARTH_ARTIFACTS` or `target/hearth/x86_64`, the agent in
    /// `HEARTH_AGENT` or where cargo puts a static build.
    ///
    /// # Errors
    /// When a file is missing; the text says which and how to make it.
    pub fn load() -> Result<Self> {
        let folder = env::var_os("HEARTH_ARTIFACTS")
            .map_or_else(|| target().join("hearth").join(BOARD), PathBuf::from);
        Self::of(&folder)
    }

    /// The image in a folder, and the agent as [`load`](Self::load) finds it.
    ///
    /// # Errors
    /// When a file is missing; the text says which.
    pub fn of(folder: &Path) -> Result<Self> {
        let agent = env::var_os("HEARTH_AGENT")
            .map_or_else(|| target().join("x86_64-unknown-linux-gnu/release/hearth-agent"), PathBuf::from);
        Self::in_folder(folder, agent)
    }

    fn in_folder(folder: &Path, agent: PathBuf) -> Result<Self> {
        let found = Self {
            image: folder.join("hearth.img"),
            slot: folder.join("slot.efi"),
            manifest: folder.join("manifest.json"),
            agent,
        };
        for file in [&found.image, &found.slot, &found.manifest] {
            if !file.is_file() {
                bail!("{} is missing: run `cargo xtask image --board {BOARD}` first", file.display());
            }
        }
        Ok(found)
    }
}

/// The repository's folder.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where cargo writes.
#[must_use]
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_image_says_what_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let error = Artifacts::in_folder(folder.path(), PathBuf::from("/agent")).unwrap_err().to_string();
        assert!(error.contains("cargo xtask image --board x86_64"), "{error}");
        assert!(error.contains("hearth.img"), "{error}");
    }
}
