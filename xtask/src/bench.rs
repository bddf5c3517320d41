//! `cargo xtask bench`: sizes, the cost of a boot against Debian with systemd in the same run, memory when idle; what the network costs,
//! against nft and unbound in the same run; what storage costs, against SQLite in the same run; what containers cost, against crun and runc
//! on the same box; what an update costs, against casync, desync, zchunk and xdelta3 on the same files; the image from source against that
//! of the distribution's parts.
//!
//! Costs are processor seconds (of a boot: QEMU's under TCG): they depend little on what else this computer does. Rounds of both
//! sides alternate, and the tables show medians. Nothing here passes or fails: figures go to `target/bench/*.json` and into the
//! README.

mod containers;
mod debian;
mod hearth;
mod net;
mod readme;
mod report;
mod sources;
mod spread;
mod storage;
mod update;

use self::update::InMachine;
use crate::artifacts;
use crate::artifacts::ImageArguments;
use crate::bars::Bars;
use crate::command::target;
use crate::host_packages;
use crate::programs;
use crate::toolchain::Toolchain;
use anyhow::Context;
use anyhow::Result;
use clap::Args;
use clap::ValueEnum;
use image::arch::Arch;
use image::progress::Progress;
use qemu_tests::Artifacts;
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// How much to measure.
#[derive(Args, Debug)]
pub(crate) struct BenchArguments {
    /// Only these subjects
    #[arg(long, value_enum)]
    only: Vec<Subject>,
    /// Boots of each system
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Leaves the README as it is
    #[arg(long)]
    no_readme: bool,
    /// Updates: no machine is run, its figures stay those of the last time
    #[arg(long)]
    no_machine: bool,
    /// Folder of the image that Buildroot made, by default target/hearth/buildroot/x86_64/images/hearth
    #[arg(long)]
    from_source: Option<PathBuf>,
}

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Sizes, boots against Debian, memory at rest: target/bench/boot.json
    Boot,
    /// Firewall, networks of apps, name service: target/bench/net.json; needs root
    Net,
    /// The store against SQLite, unlocking, writes at rest: target/bench/storage.json; takes a quarter of an hour
    Storage,
    /// Containers against crun and runc, an image against skopeo and umoci: target/bench/containers.json; needs root
    Containers,
    /// An update that changes one daemon, against casync, desync, zchunk and xdelta3: target/bench/update.json
    Update,
    /// The image from source against the one of the distribution's parts: target/bench/sources.json; only when it is named
    Sources,
}

/// Measures everything and writes the reports.
///
/// # Errors
/// When something cannot be built, started or written.
pub(crate) fn bench(arguments: &BenchArguments) -> Result<()> {
    let is_wanted = |subject| arguments.only.is_empty() || arguments.only.contains(&subject);
    if [Subject::Boot, Subject::Net, Subject::Containers, Subject::Storage].into_iter().any(is_wanted) {
        host_packages::ensure(&[
            host_packages::IMAGE,
            host_packages::MACHINE,
            host_packages::machine(Arch::Amd64),
            host_packages::BENCH,
        ])?;
    }
    if is_wanted(Subject::Boot) {
        boot(arguments)?;
    }
    if is_wanted(Subject::Net) {
        network(arguments)?;
    }
    if is_wanted(Subject::Containers) {
        publish(&containers::measure(arguments.rounds)?, &target().join("bench/containers.json"), arguments)?;
    }
    if is_wanted(Subject::Update) {
        let in_machine = if arguments.no_machine { InMachine::Kept } else { InMachine::Measured };
        let report = update::measure(arguments.rounds, in_machine)?;
        publish(&report, &target().join("bench/update.json"), arguments)?;
    }
    if is_wanted(Subject::Storage) {
        publish(&storage::measure(arguments.rounds)?, &target().join("bench/storage.json"), arguments)?;
    }
    // Hours of building stand before it.
    if arguments.only.contains(&Subject::Sources) {
        sources(arguments)?;
    }
    Ok(())
}

fn boot(arguments: &BenchArguments) -> Result<()> {
    artifacts::image(&ImageArguments::default())?;
    programs::build_agent(&Toolchain::native()?)?;
    let bars = Bars::new();
    let folder = target().join("bench");
    let peer = debian::System::prepare(&folder.join("debian"), &bars)?;
    let artifacts = Artifacts::load()?;
    let mut boots = report::Boots::default();
    for round in 1..=arguments.rounds.max(1) {
        bars.step(&format!("round {round}: Hearth boots"));
        boots.hearth.push(hearth::boot(&folder.join("hearth"), &artifacts)?);
        bars.step(&format!("round {round}: Debian boots"));
        boots.debian.push(peer.boot()?);
    }
    bars.step("Hearth at rest");
    let rest = hearth::rest(&folder.join("rest"), &artifacts)?;
    bars.finish();
    let report = report::Report::new(&boots, rest, hearth::sizes(&artifacts)?)?;
    publish(&report, &folder.join("boot.json"), arguments)
}

fn sources(arguments: &BenchArguments) -> Result<()> {
    let from_source = match &arguments.from_source {
        Some(folder) => folder.clone(),
        None => target().join("hearth/buildroot/x86_64/images/hearth"),
    };
    host_packages::ensure(&[host_packages::MACHINE])?;
    let report = sources::measure(&from_source, arguments.rounds)?;
    publish(&report, &target().join("bench/sources.json"), arguments)
}

fn network(arguments: &BenchArguments) -> Result<()> {
    publish(&net::measure()?, &target().join("bench/net.json"), arguments)
}

/// What was measured.
trait Figures: Serialize {
    /// Where its table begins in the README.
    const MARK: &str;

    /// Medians, for people.
    fn table(&self) -> String;
}

/// Writes the figures as JSON, puts their table into the README, and shows it.
#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn publish<F: Figures>(figures: &F, path: &Path, arguments: &BenchArguments) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let text = serde_json::to_string_pretty(figures).context("writing the figures as JSON")?;
    fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
    let table = figures.table();
    if !arguments.no_readme {
        readme::fill(F::MARK, &table)?;
    }
    println!("{table}");
    Ok(())
}
