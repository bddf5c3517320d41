//! An image that is pulled and unpacked, by ours and by skopeo with umoci; measured by an example of containerd-lite, which links the store.

use crate::bench::spread::Spread;
use crate::command::Program;
use crate::command::target;
use anyhow::Context;
use anyhow::Result;
use qemu_tests::registry::Registry;
use qemu_tests::software;
use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// A server of Debian with what it needs: about the 100 MB that people pull.
const IMAGE: &str = "postgresql";

/// Processor time of both sides, theirs with the programs that they start.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pull {
    /// Bytes of the files that come out.
    pub(crate) image_bytes: u64,
    pub(crate) ours_seconds: Spread,
    pub(crate) peer_seconds: Spread,
}

/// Fills a registry and measures.
///
/// # Errors
/// When a program is missing, or one of the two does not get the image.
pub(crate) fn measure(folder: &Path, rounds: u32) -> Result<Pull> {
    let layout = software::guestbook()?;
    let registry = Registry::start(folder)?;
    registry.push(&layout, IMAGE, "home/image:1")?;
    let work = folder.join("pull");
    fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
    let arguments = [
        format!("127.0.0.1:{}", registry.port()),
        work.display().to_string(),
        target().join("release/containerd-lite-unpack").display().to_string(),
        rounds.max(1).to_string(),
    ];
    let text = Program::new(target().join("release/examples/pull_cost"), arguments).output()?;
    serde_json::from_str(&text).context("reading what was measured")
}

impl Pull {
    /// Its line in the table.
    pub(crate) fn row(&self) -> String {
        let Self { image_bytes, ours_seconds, peer_seconds } = self;
        format!(
            "| an image of {} MiB pulled and unpacked, CPU-seconds, against skopeo and umoci | {} : {} = {:.2} | | |\n",
            image_bytes >> 20,
            ours_seconds.shown(1),
            peer_seconds.shown(1),
            ours_seconds.median / peer_seconds.median,
        )
    }
}
