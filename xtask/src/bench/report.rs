//! The figures as JSON and as the README's table.

use crate::bench::hearth::Rest;
use crate::bench::hearth::Sizes;
use crate::command::repository;
use anyhow::Context;
use anyhow::Result;
use serde::Serialize;
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- bench: written by `cargo xtask bench` -->\n";
const END: &str = "<!-- /bench -->";
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
        let hearth = median(&boots.hearth).context("no boot of Hearth was measured")?;
        let debian_systemd = median(&boots.debian).context("no boot of Debian was measured")?;
        Ok(Self {
            boot_cpu_seconds: Medians { hearth, debian_systemd, ratio: hearth / debian_systemd },
            rounds: Rounds { hearth: boots.hearth.clone(), debian_systemd: boots.debian.clone() },
            rest,
            sizes,
        })
    }

    /// Writes the JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(self).context("writing the figures as JSON")?;
        fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
    }

    /// Puts the table between its marks in the README.
    ///
    /// # Errors
    /// When the README cannot be read or written, or has no marks.
    pub(crate) fn fill_readme(&self) -> Result<()> {
        let path = repository().join("README.md");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let (before, rest) = text.split_once(BEGIN).context("the README has no place for the figures")?;
        let (_, after) = rest.split_once(END).context("the README's place for the figures has no end")?;
        fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", self.table()))
            .with_context(|| format!("writing {}", path.display()))
    }

    /// Shows the table.
    #[expect(clippy::print_stdout, reason = "the answer of the command")]
    pub(crate) fn show(&self) {
        println!("{}", self.table());
    }

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

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }
}
