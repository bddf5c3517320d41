//! What storage costs: the store beside SQLite on one disk, opening the encrypted data with a TPM, and what a box at rest writes.

use crate::artifacts;
use crate::artifacts::ImageArguments;
use crate::bars::Bars;
use crate::bench::Figures;
use crate::bench::spread::Spread;
use crate::command::Program;
use crate::command::cargo;
use crate::command::target;
use crate::programs;
use crate::toolchain::Toolchain;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use image::progress::Progress;
use qemu_tests::Artifacts;
use qemu_tests::Boot;
use qemu_tests::VmBuilder;
use qemu_tests::agent::Agent;
use qemu_tests::builder::Inside;
use qemu_tests::esp::Esp;
use qemu_tests::esp::SLOTS;
use qemu_tests::slots;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

/// Rounds of the store and SQLite in turns, and acknowledged writes in each.
const ROUNDS: u32 = 5;
const WRITES: u32 = 1000;
/// After the page answers, this long nothing is counted: a first start keeps what it made.
const SETTLE: Duration = Duration::from_secs(60);
/// How long the box is left alone.
const IDLE: Duration = Duration::from_secs(600);
const DAY: f64 = 86_400.0;
/// The disk that everything of the box is on, and its counters (Documentation/block/stat.rst in the kernel's source).
const DISK_COUNTERS: &str = "/sys/block/vda/stat";
const SECTORS_WRITTEN: usize = 6;
const SECTOR: f64 = 512.0;
/// Where storaged says how the data was opened, and how long that took.
const UNLOCK_REPORT: &str = "/run/hearth/storage/unlock.json";
const UNLOCK_TOOK: &str = "/run/hearth/storage/took_ms";

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    writes: Writes,
    /// From the start of storaged to the open partition, in the box's milliseconds; under emulation, where the TPM is a program.
    unlock_ms: Spread,
    idle: Idle,
}

/// Acknowledged writes of both sides.
#[derive(Debug, Serialize, Deserialize)]
struct Writes {
    value_bytes: u64,
    store: Cost,
    sqlite: Cost,
}

#[derive(Debug, Serialize, Deserialize)]
struct Cost {
    acknowledged_writes_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    bytes_written_per_acknowledged_byte: f64,
}

/// A new box that is left alone.
#[derive(Debug, Serialize)]
struct Idle {
    seconds: f64,
    bytes_written: f64,
    bytes_a_day: f64,
}

/// Builds and measures.
///
/// # Errors
/// When something cannot be built, or the box does not come up.
pub(crate) fn measure(rounds: u32) -> Result<Report> {
    cargo(["build", "--release", "--package", "store", "--example", "store_cost"]).run()?;
    artifacts::image(&ImageArguments::default())?;
    programs::build_agent(&Toolchain::native()?)?;
    let folder = target().join("bench/storage");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let bars = Bars::new();
    bars.step("acknowledged writes, by the store and by SQLite");
    let writes = writes(&folder)?;
    let (unlock_ms, idle) = on_the_box(&folder, rounds, &bars)?;
    bars.finish();
    Ok(Report { writes, unlock_ms, idle })
}

fn writes(folder: &Path) -> Result<Writes> {
    let program = target().join("release/examples/store_cost").into_os_string();
    let arguments = [folder.as_os_str().to_owned(), ROUNDS.to_string().into(), WRITES.to_string().into()];
    serde_json::from_str(&Program::new(program, arguments).output()?).context("reading what was measured")
}

fn on_the_box(folder: &Path, rounds: u32, bars: &Bars) -> Result<(Spread, Idle)> {
    let artifacts = Artifacts::load()?;
    bars.step("a new box with a TPM");
    let mut builder = VmBuilder::new(&folder.join("box"), &artifacts);
    builder = builder.boot(Boot::Uefi).tpm().inside(Inside::AgentInSlot);
    let slot = slots::with_agent(&artifacts, "", Some(&slots::development_key(&artifacts)?))?;
    let esp = Esp::open(&builder.prepare_disk()?)?;
    esp.write(&format!("{SLOTS}/{}.efi", slots::shipped_name(&artifacts)?), &slot)?;
    esp.close()?;
    let mut vm = builder.start()?;
    vm.wait_web()?;
    let mut unlocks = Vec::new();
    for round in 1..=rounds.max(1) {
        bars.step(&format!("round {round}: the data is opened"));
        vm = vm.power_cut().boot_again()?;
        vm.wait_web()?;
        unlocks.push(unlock_ms(&mut vm.agent()?)?);
    }
    bars.step("ten minutes at rest");
    sleep(SETTLE);
    let mut agent = vm.agent()?;
    let (begun, before) = (Instant::now(), sectors_written(&mut agent)?);
    sleep(IDLE);
    let bytes_written = (sectors_written(&mut agent)? - before) * SECTOR;
    let seconds = begun.elapsed().as_secs_f64();
    let idle = Idle { seconds, bytes_written, bytes_a_day: bytes_written / seconds * DAY };
    Ok((Spread::try_from(unlocks).context("no round")?, idle))
}

fn unlock_ms(agent: &mut Agent) -> Result<f64> {
    let report: Value = serde_json::from_str(&agent.read(UNLOCK_REPORT)?)?;
    ensure!(report["state"] == "opened" && report["by"] == "tpm", "not opened by the TPM: {report}");
    agent.read(UNLOCK_TOOK)?.trim().parse().context("a number of milliseconds")
}

fn sectors_written(agent: &mut Agent) -> Result<f64> {
    let text = agent.read(DISK_COUNTERS)?;
    let word = text.split_whitespace().nth(SECTORS_WRITTEN).context("too few counters of the disk")?;
    word.parse().with_context(|| format!("{word} sectors written"))
}

impl Figures for Report {
    const MARK: &str = "<!-- bench: written by `cargo xtask bench --only storage` -->\n";

    fn table(&self) -> String {
        let Self { writes, unlock_ms, idle } = self;
        let (ours, peer) = (&writes.store, &writes.sqlite);
        format!(
            "| storage | measured |\n|---|---|\n\
             | acknowledged writes of {} bytes, one after another, against SQLite (WAL, synchronous=FULL) | {:.0} : {:.0} a second = {:.2} |\n\
             | one of them, p50 and p99, against SQLite | {:.2} and {:.2} : {:.2} and {:.2} ms |\n\
             | bytes written to the disk for each acknowledged byte, against SQLite | {:.1} : {:.1} |\n\
             | opening the data with a TPM (emulated box, swtpm) | {} ms |\n\
             | a box at rest, {:.0} minutes, writes | {:.0} KiB; {:.1} MiB a day |\n",
            writes.value_bytes,
            ours.acknowledged_writes_per_second,
            peer.acknowledged_writes_per_second,
            ours.acknowledged_writes_per_second / peer.acknowledged_writes_per_second,
            ours.p50_ms,
            ours.p99_ms,
            peer.p50_ms,
            peer.p99_ms,
            ours.bytes_written_per_acknowledged_byte,
            peer.bytes_written_per_acknowledged_byte,
            unlock_ms.shown(0),
            idle.seconds / 60.0,
            idle.bytes_written / 1024.0,
            idle.bytes_a_day / 1024.0 / 1024.0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_ratios_and_a_day() {
        let cost = |rate: f64| Cost {
            acknowledged_writes_per_second: rate,
            p50_ms: 0.5,
            p99_ms: 2.0,
            bytes_written_per_acknowledged_byte: 20.0,
        };
        let report = Report {
            writes: Writes { value_bytes: 200, store: cost(300.0), sqlite: cost(200.0) },
            unlock_ms: Spread::try_from(vec![900.0, 1000.0, 1200.0]).unwrap(),
            idle: Idle { seconds: 600.0, bytes_written: 4096.0, bytes_a_day: 589_824.0 },
        };
        let table = report.table();
        assert!(table.contains("300 : 200 a second = 1.50"), "{table}");
        assert!(table.contains("1000 (900–1200) ms"), "{table}");
        assert!(table.contains("4 KiB; 0.6 MiB a day"), "{table}");
        assert_eq!(serde_json::to_value(&report).unwrap()["unlock_ms"]["median"], 1000.0);
    }
}
