//! Server programs of Debian as images of containers: real software that nobody made for Hearth.
//!
//! Packages come through the machine's own package configuration and are verified by it. An image has two layers, a base that all share and the
//! packages of its program with the few files that a Dockerfile would add; no maintainer script runs. The same inputs give the same bytes.
//!
//! ```text
//! target/software/packages/    fetched packages
//! target/software/<key>/oci/   an OCI layout with an image for each program
//! target/software/<key>/disk   ext4: every layer unpacked, owned as the image store owns layers (docs/spec/images.md)
//! ```
//!
//! The key is a digest of everything that goes in, so that a second run makes nothing anew.

mod disk;
mod layer;
mod layout;
mod packages;
pub mod programs;

use crate::artifacts::target;
use anyhow::Context;
use anyhow::Result;
use image::digest::Sha256;
use packages::Packages;
use programs::BASE;
use programs::GUESTBOOK;
use programs::PROGRAMS;
use programs::Program;
use programs::RADIO;
use programs::RUNTIMES;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;

/// Changes when images are put together in another way.
const RECIPE: u32 = 2;

/// An image that was made.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its program.
    pub program: &'static Program,
    /// Its configuration, as the layout has it (OCI image specification 1.1, `config.md`).
    pub config: Vec<u8>,
    /// Folders of its layers on the disk, the lowest first.
    pub layers: [String; 2],
}

/// All images.
#[derive(Clone, Debug)]
pub struct Software {
    /// The disk with the layers.
    pub disk: PathBuf,
    /// In the order of [`PROGRAMS`].
    pub images: Vec<Image>,
}

/// Makes the images of all programs, or finds those that were made.
///
/// # Errors
/// When packages cannot be fetched or something cannot be written.
pub fn make() -> Result<Software> {
    let finished = make_in(&target().join("software"), PROGRAMS, disk::make)?;
    let images = PROGRAMS.iter().map(|program| layout::image(&finished.join("oci"), program));
    Ok(Software { disk: finished.join("disk"), images: images.collect::<Result<_>>()? })
}

/// Makes the disk with other runtimes for containers, in one image.
///
/// # Errors
/// As [`make`].
pub fn runtimes() -> Result<Software> {
    let finished = make_in(&target().join("runtimes"), RUNTIMES, disk::make)?;
    let images = RUNTIMES.iter().map(|program| layout::image(&finished.join("oci"), program));
    Ok(Software { disk: finished.join("disk"), images: images.collect::<Result<_>>()? })
}

/// Makes the disk with what a household's radio is made of, in one image.
///
/// # Errors
/// As [`make`].
pub fn radio() -> Result<Software> {
    let finished = make_in(&target().join("radio"), RADIO, disk::make)?;
    let images = RADIO.iter().map(|program| layout::image(&finished.join("oci"), program));
    Ok(Software { disk: finished.join("disk"), images: images.collect::<Result<_>>()? })
}

/// Makes the images of the guestbook, or finds those that were made: an OCI layout with an image by the name of each program.
///
/// # Errors
/// As [`make`].
pub fn guestbook() -> Result<PathBuf> {
    let finished = make_in(&target().join("guestbook"), GUESTBOOK, |_staging, _layers| Ok(()))?;
    Ok(finished.join("oci"))
}

/// Makes the images, and of their layers what else is wanted; the folder.
fn make_in(
    folder: &Path,
    programs: &'static [Program],
    also: impl FnOnce(&Path, &BTreeSet<Sha256>) -> Result<()>,
) -> Result<PathBuf> {
    let packages = Packages::open(&folder.join("packages"))?;
    // Tests that need the same images run side by side: whoever comes second waits, and finds them made.
    let guard = folder.join("guard");
    let guard_file = File::create(&guard).with_context(|| format!("cannot make {}", guard.display()))?;
    guard_file.lock().with_context(|| format!("cannot lock {}", guard.display()))?;
    let base = packages.fetch(BASE)?;
    let mut wanted = Vec::new();
    for program in programs {
        let names: Vec<&str> = BASE.iter().chain(program.packages).copied().collect();
        let all = packages.fetch(&names).with_context(|| format!("cannot fetch {}", program.name))?;
        let own: BTreeSet<String> = all.difference(&base).cloned().collect();
        wanted.push((program, own));
    }
    let inputs = format!("{RECIPE} {base:?} {wanted:?}");
    let key: String = Sha256::of(inputs.as_bytes()).to_string().chars().take(16).collect();
    let finished = folder.join(&key);
    if !finished.is_dir() {
        let staging = folder.join("staging");
        if staging.exists() {
            fs::remove_dir_all(&staging).context("cannot clear away what was not finished")?;
        }
        let layers = write(&staging, &packages, &base, &wanted)?;
        also(&staging, &layers)?;
        fs::rename(&staging, &finished).context("cannot finish the images")?;
    }
    Ok(finished)
}

fn write(
    staging: &Path,
    packages: &Packages,
    base: &BTreeSet<String>,
    wanted: &[(&'static Program, BTreeSet<String>)],
) -> Result<BTreeSet<Sha256>> {
    let layout = layout::Layout::begin(&staging.join("oci"))?;
    let lowest = layout.layer(|to| layer::base(to, &packages.files(base)))?;
    let mut layers = BTreeSet::from([lowest]);
    let mut images = Vec::new();
    for (program, own) in wanted {
        let layer = layout
            .layer(|to| layer::program(to, &packages.files(own), program))
            .with_context(|| format!("cannot make the layer of {}", program.name))?;
        layers.insert(layer);
        images.push((*program, [lowest, layer]));
    }
    layout.finish(&images)?;
    Ok(layers)
}
