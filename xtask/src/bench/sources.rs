//! The image that Buildroot made from source (docs/buildroot.md) against the one of the distribution's parts: sizes, boots, memory.

use crate::bars::Bars;
use crate::bench::Figures;
use crate::bench::hearth;
use crate::bench::hearth::Rest;
use crate::bench::hearth::Sizes;
use crate::bench::report::mebibytes;
use crate::bench::spread::Spread;
use crate::command::target;
use anyhow::Context;
use anyhow::Result;
use image::progress::Progress;
use qemu_tests::Artifacts;
use serde::Serialize;
use std::path::Path;

/// One of the images.
#[derive(Debug, Serialize)]
struct Side {
    /// Processor seconds of each boot.
    boots: Vec<f64>,
    /// Their median.
    boot_cpu_seconds: f64,
    rest: Rest,
    sizes: Sizes,
}

/// Both.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    packages: Side,
    source: Side,
}

/// Boots both images in turns. Both are as they were built: the same programs must be in them for the figures to mean anything.
///
/// # Errors
/// When an image is missing or does not come up.
pub(crate) fn measure(from_source: &Path, rounds: u32) -> Result<Report> {
    let packages = Artifacts::load()?;
    let source = Artifacts::of(from_source)?;
    let folder = target().join("bench");
    let bars = Bars::new();
    let (mut of_packages, mut of_source) = (Vec::new(), Vec::new());
    for round in 1..=rounds.max(1) {
        bars.step(&format!("round {round}: the image of packages boots"));
        of_packages.push(hearth::boot(&folder.join("packages"), &packages)?);
        bars.step(&format!("round {round}: the image from source boots"));
        of_source.push(hearth::boot(&folder.join("source"), &source)?);
    }
    bars.step("both at rest");
    let report = Report {
        packages: Side::new(of_packages, &folder.join("rest-packages"), &packages)?,
        source: Side::new(of_source, &folder.join("rest-source"), &source)?,
    };
    bars.finish();
    Ok(report)
}

impl Side {
    fn new(boots: Vec<f64>, folder: &Path, artifacts: &Artifacts) -> Result<Self> {
        let spread = Spread::try_from(boots.clone()).context("measuring the boots")?;
        Ok(Self {
            boots,
            boot_cpu_seconds: spread.median,
            rest: hearth::rest(folder, artifacts)?,
            sizes: hearth::sizes(artifacts)?,
        })
    }

    fn pss_kib(&self) -> u64 {
        self.rest.pss_kib.values().sum()
    }
}

impl Figures for Report {
    const MARK: &str = "<!-- bench: written by `cargo xtask bench --only sources` -->\n";

    fn table(&self) -> String {
        let (a, b) = (&self.source, &self.packages);
        format!(
            "| what | from source | of packages |\n|---|---|---|\n\
             | compressed image | {} MiB | {} MiB |\n\
             | slot | {} MiB | {} MiB |\n\
             | boot to page, CPU-seconds of QEMU (TCG) | {:.1} | {:.1} |\n\
             | idle memory (PSS) of all our processes | {} MiB | {} MiB |\n\
             | memory in use (MemTotal − MemAvailable) | {} MiB | {} MiB |\n",
            mebibytes(a.sizes.compressed_bytes),
            mebibytes(b.sizes.compressed_bytes),
            mebibytes(a.sizes.slot_bytes),
            mebibytes(b.sizes.slot_bytes),
            a.boot_cpu_seconds,
            b.boot_cpu_seconds,
            mebibytes(a.pss_kib() * 1024),
            mebibytes(b.pss_kib() * 1024),
            mebibytes(a.rest.used_kib * 1024),
            mebibytes(b.rest.used_kib * 1024),
        )
    }
}
