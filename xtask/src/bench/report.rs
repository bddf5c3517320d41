//! The figures as JSON and as the README's table.

use crate::bench::Figures;
use crate::bench::hearth::Rest;
use crate::bench::hearth::Sizes;
use crate::bench::spread::Spread;
use anyhow::Context;
use anyhow::Result;
use serde::Serialize;

const MIB: f64 = 1024.0 * 1024.0;

/// Processor seconds of each boot.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Boots {
    /// Ours.
    pub(crate) hearth: Vec<f64>,
    /// The peer's.
    pub(crate) debian: Vec<f64>,
}

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    boot_cpu_seconds: Medians,
    rounds: Rounds,
    rest: Rest,
    sizes: Sizes,
}

#[derive(Debug, Serialize)]
struct Medians {
    hearth: f64,
    debian_systemd: f64,
    ratio: f64,
}

#[derive(Debug, Serialize)]
struct Rounds {
    hearth: Vec<f64>,
    debian_systemd: Vec<f64>,
}

impl Report {
    /// Medians of the boots, and the rest as it is.
    ///
    /// # Errors
    /// When a side has no boot.
    pub(crate) fn new(boots: &Boots, rest: Rest, sizes: Sizes) -> Result<Self> {
        let median = |rounds: &[f64]| Spread::try_from(rounds.to_vec()).map(|spread| spread.median);
        let hearth = median(&boots.hearth).context("measuring the boots of Hearth")?;
        let debian_systemd = median(&boots.debian).context("measuring the boots of Debian")?;
        Ok(Self {
            boot_cpu_seconds: Medians { hearth, debian_systemd, ratio: hearth / debian_systemd },
            rounds: Rounds { hearth: boots.hearth.clone(), debian_systemd: boots.debian.clone() },
            rest,
            sizes,
        })
    }
}

impl Figures for Report {
    const MARK: &str = "<!-- bench: written by `cargo xtask bench` -->\n";

    fn table(&self) -> String {
        let pss: u64 = self.rest.pss_kib.values().sum();
        let each: Vec<String> =
            self.rest.pss_kib.iter().map(|(name, kib)| format!("{name} {}", mebibytes(kib * 1024))).collect();
        let boot = &self.boot_cpu_seconds;
        format!(
            "| what | measured | goal | gate |\n|---|---|---|---|\n\
             | compressed image | {} MiB (raw {} MiB, slot {} MiB) | 60 MiB | 90 MiB |\n\
             | boot to page, CPU-seconds of QEMU (TCG), against Debian + systemd on the same kernel | {:.1} : {:.1} = {:.2} | 0.33 | 0.50 |\n\
             | idle memory (PSS) of all our processes | {} MiB ({}) | 25 MiB | 40 MiB |\n\
             | memory in use (MemTotal − MemAvailable) | {} MiB | 90 MiB | 130 MiB |\n\
             | setuid files; shells and interpreters | {}; {} | 0 | 0 |\n",
            mebibytes(self.sizes.compressed_bytes),
            mebibytes(self.sizes.image_bytes),
            mebibytes(self.sizes.slot_bytes),
            boot.hearth,
            boot.debian_systemd,
            boot.ratio,
            mebibytes(pss * 1024),
            each.join(", "),
            mebibytes(self.rest.used_kib * 1024),
            self.rest.setuid_files,
            self.rest.interpreters,
        )
    }
}

/// MiB with one digit behind the point.
#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / MIB)
}
