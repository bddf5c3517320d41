//! What was built and is to be tested, as typed handles: tests name no paths.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use image::arch::Arch;
use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The board that is tested unless `HEARTH_BOARD` names another.
const BOARD: &str = "x86_64";

/// The built image and what goes with it.
#[derive(Clone, Debug)]
pub struct Artifacts {
    /// The board that it was built for.
    pub board: String,
    /// Its architecture: the machine is one of that kind.
    pub arch: Arch,
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
    /// Finds what `cargo xtask image` and `cargo xtask test` built for the board under test ([`board`]).
    ///
    /// # Errors
    /// When a file is missing; the text says which and how to make it.
    pub fn load() -> Result<Self> {
        Self::of_board(&board())
    }

    /// The image in a folder, and the agent as [`load`](Self::load) finds it.
    ///
    /// # Errors
    /// When a file is missing; the text says which.
    pub fn of(folder: &Path) -> Result<Self> {
        Self::in_folder(folder, &board(), env::var_os("HEARTH_AGENT").map(PathBuf::from))
    }

    /// Finds what was built for a board: in `HEARTH_ARTIFACTS` or `target/hearth/<board>`, the agent in `HEARTH_AGENT` or where
    /// cargo puts a static build.
    ///
    /// # Errors
    /// When a file is missing or the manifest names no known architecture; the text says which and how to make it.
    pub fn of_board(board: &str) -> Result<Self> {
        let folder = env::var_os("HEARTH_ARTIFACTS")
            .map_or_else(|| target().join("hearth").join(board), PathBuf::from);
        Self::in_folder(&folder, board, env::var_os("HEARTH_AGENT").map(PathBuf::from))
    }

    fn in_folder(folder: &Path, board: &str, agent: Option<PathBuf>) -> Result<Self> {
        let [image, slot, manifest] =
            ["hearth.img", "slot.efi", "manifest.json"].map(|name| folder.join(name));
        for file in [&image, &slot, &manifest] {
            if !file.is_file() {
                bail!("{} is missing: run `cargo xtask image --board {board}` first", file.display());
            }
        }
        let arch = arch(&manifest)?;
        let agent = agent.unwrap_or_else(|| target().join(arch.triple()).join("release/hearth-agent"));
        Ok(Self { board: board.to_owned(), arch, image, slot, manifest, agent })
    }
}

impl Artifacts {
    /// Whether the board's manifest names this file of a part. What ships differs by where parts come from.
    ///
    /// # Errors
    /// When the image's manifest cannot be read.
    pub fn ships(&self, path: &str) -> Result<bool> {
        let record = record(&self.manifest)?;
        let parts = record.pointer("/manifest/parts/files").and_then(serde_json::Value::as_object);
        let parts = parts.with_context(|| format!("{} names no parts", self.manifest.display()))?;
        let files = parts.values().filter_map(serde_json::Value::as_array).flatten();
        Ok(files.filter_map(serde_json::Value::as_str).any(|file| file == path))
    }
}

fn record(manifest: &Path) -> Result<serde_json::Value> {
    let text = fs::read(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", manifest.display()))
}

fn arch(manifest: &Path) -> Result<Arch> {
    let record = record(manifest)?;
    let name = record.pointer("/manifest/board/arch").and_then(serde_json::Value::as_str);
    name.and_then(Arch::parse).with_context(|| format!("{} names no known architecture", manifest.display()))
}

/// The C compiler for programs that run on a board of that architecture: the linker's, or across `cargo xtask test --board`'s.
#[must_use]
pub fn compiler(arch: Arch) -> String {
    if Arch::of_machine() == Some(arch) { "gcc".to_owned() } else { format!("{}-gcc", arch.library_folder()) }
}

/// Name of the board under test: `HEARTH_BOARD`, which `cargo xtask test --board` sets.
#[must_use]
pub fn board() -> String {
    env::var("HEARTH_BOARD").unwrap_or_else(|_not_set| BOARD.to_owned())
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
        let error = Artifacts::in_folder(folder.path(), "some-board", None).unwrap_err().to_string();
        assert!(error.contains("cargo xtask image --board some-board"), "{error}");
        assert!(error.contains("hearth.img"), "{error}");
    }

    #[test]
    fn the_manifest_says_what_machine_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["hearth.img", "slot.efi"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let manifest = folder.path().join("manifest.json");
        fs::write(&manifest, r#"{"manifest": {"board": {"arch": "arm64"}}}"#).unwrap();
        let found = Artifacts::in_folder(folder.path(), "b", None).unwrap();
        assert_eq!(found.arch, Arch::Arm64);
        assert!(found.agent.ends_with("aarch64-unknown-linux-gnu/release/hearth-agent"));
        fs::write(&manifest, r#"{"manifest": {"board": {"arch": "pdp11"}}}"#).unwrap();
        Artifacts::in_folder(folder.path(), "b", None).unwrap_err();
    }
}
