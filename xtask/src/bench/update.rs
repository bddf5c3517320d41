//! What an update costs that changes one daemon: bytes, processor time and memory of fetching it, by ours and by casync, desync, zchunk and
//! xdelta3 on the same two slot files; in a machine what installing it costs, and for how long the box is away.
//!
//! ```text
//! pair ── ways (published) ── server ── command of a way, under `time` ── the new slot file, compared
//! ```
//! Every way is gone twice in each round: with the old slot file, and again with what came out the first time.

mod cost;
mod desync;
mod machine;
mod pair;
mod server;
mod table;
mod ways;

use crate::artifacts;
use crate::artifacts::ImageArguments;
use crate::bars::Bars;
use crate::bench::spread::Spread;
use crate::command::cargo;
use crate::command::target;
use crate::host_packages;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use cost::Cost;
use image::arch::Arch;
use image::progress::Progress;
use machine::Machine;
use pair::CHANGES;
use pair::Pair;
use serde::Serialize;
use server::Served;
use server::Server;
use std::fs;
use std::path::Path;
use ways::Ready;
use ways::Stage;
use ways::WAYS;

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    updates: Vec<Changed>,
    /// In a machine; nothing when none was ever run for it.
    machine: Option<Machine>,
}

/// An update that changes one daemon.
#[derive(Debug, Serialize)]
struct Changed {
    daemon: &'static str,
    /// The daemon's length in bytes.
    program_bytes: u64,
    /// The new slot file's.
    slot_bytes: u64,
    ways: Vec<Line>,
}

/// One way of fetching it.
#[derive(Debug, Serialize)]
struct Line {
    way: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Measured(Box<Measured>),
    /// No suite of the distribution that this machine's package sources lead to has the program.
    NotPackaged,
}

#[derive(Debug, Serialize)]
struct Measured {
    /// With its version.
    program: String,
    /// With the old slot file at hand.
    first: Taken,
    /// With what came out of the first time left in its place.
    again: Taken,
}

/// What all rounds of one way took.
#[derive(Debug, Serialize)]
struct Taken {
    #[serde(flatten)]
    served: Served,
    seconds: Spread,
    cpu_seconds: Spread,
    /// The highest of all rounds.
    peak_kib: u64,
}

/// Where the machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InMachine {
    /// Now.
    Measured,
    /// Not: the figures of the last time are taken.
    Kept,
}

/// Builds and measures.
///
/// # Errors
/// When something cannot be built, or a way does not lead to the new slot file.
pub(crate) fn measure(rounds: u32, in_machine: InMachine) -> Result<Report> {
    host_packages::ensure(&[host_packages::BENCH_UPDATE])?;
    if in_machine == InMachine::Measured {
        host_packages::ensure(&[host_packages::MACHINE, host_packages::machine(Arch::Amd64)])?;
    }
    let built = artifacts::image(&ImageArguments::default())?;
    cargo(["build", "--release", "--package", "update", "--features", "http", "--example", "update_client"])
        .run()?;
    let folder = target().join("bench/update");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let bars = Bars::new();
    // First: it leaves its figures in a file, whatever becomes of the rest.
    let kept = target().join("bench/update-vm.json");
    let machine = match in_machine {
        InMachine::Measured => Some(machine::measure(rounds, &folder.join("machine"), &kept, &bars)?),
        InMachine::Kept => machine::kept(&kept)?,
    };
    let mut updates = Vec::new();
    for change in CHANGES {
        let pair = pair::build(&change, &built, &folder, &bars)?;
        let ways = fetch(&pair, change.daemon, &folder.join("fetch"), rounds, &bars)?;
        let slot_bytes = fs::metadata(&pair.new).context("reading the new slot file")?.len();
        updates.push(Changed { daemon: change.daemon, program_bytes: pair.program_bytes, slot_bytes, ways });
    }
    bars.finish();
    Ok(Report { updates, machine })
}

/// Goes all ways, in turns.
fn fetch(pair: &Pair, daemon: &str, folder: &Path, rounds: u32, bars: &Bars) -> Result<Vec<Line>> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    let (served, own) = (folder.join(ways::SERVED), folder.join("box"));
    for folder in [&served, &own] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let server = Server::start(&served)?;
    let stage = Stage { pair, url: server.url(), served, own };
    bars.step("the repository");
    ways::publish(&stage)?;
    let mut ready = Vec::new();
    for way in WAYS {
        bars.step(&format!("what {} needs", way.name));
        ready.push((way.name, way.prepare(&stage)?, Vec::new()));
    }
    for round in 1..=rounds.max(1) {
        for (name, way, taken) in &mut ready {
            let Some(way) = way else { continue };
            bars.step(&format!("round {round}: {daemon} changed, {name}"));
            taken.push(go(way, &stage, &server).with_context(|| format!("fetching by {name}"))?);
        }
    }
    let line = |(way, ready, taken): (&'static str, Option<Ready>, Vec<Round>)| -> Result<Line> {
        let Some(Ready { program, .. }) = ready else {
            return Ok(Line { way, outcome: Outcome::NotPackaged });
        };
        let first = taken.iter().map(|round| &round.first);
        let again = taken.iter().map(|round| &round.again);
        let measured = Measured { program, first: sum(first)?, again: sum(again)? };
        Ok(Line { way, outcome: Outcome::Measured(Box::new(measured)) })
    };
    ready.into_iter().map(line).collect()
}

/// One round of one way.
struct Round {
    first: (Served, Cost),
    again: (Served, Cost),
}

fn go(way: &Ready, stage: &Stage<'_>, server: &Server) -> Result<Round> {
    for path in way.made.iter().filter(|path| path.exists()) {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.with_context(|| format!("removing {}", path.display()))?;
    }
    let run = || -> Result<(Served, Cost)> {
        server.take();
        let cost = cost::of(&way.words, &stage.own)?;
        let served = server.take();
        let read = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
        ensure!(
            read(&way.output)? == read(&stage.pair.new)?,
            "something else than the new slot file came out"
        );
        Ok((served, cost))
    };
    Ok(Round { first: run()?, again: run()? })
}

fn sum<'a>(rounds: impl Iterator<Item = &'a (Served, Cost)>) -> Result<Taken> {
    let rounds: Vec<&(Served, Cost)> = rounds.collect();
    let spread = |figure: fn(&Cost) -> f64| {
        let rounds: Vec<f64> = rounds.iter().map(|(_served, cost)| figure(cost)).collect();
        Spread::try_from(rounds).context("no round")
    };
    let (served, _cost) = rounds.iter().max_by_key(|(served, _cost)| served.bytes).context("no round")?;
    Ok(Taken {
        served: *served,
        seconds: spread(|cost| cost.seconds)?,
        cpu_seconds: spread(|cost| cost.cpu_seconds)?,
        peak_kib: rounds.iter().map(|(_served, cost)| cost.peak_kib).max().unwrap_or_default(),
    })
}
