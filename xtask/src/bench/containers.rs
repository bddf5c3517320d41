//! What containers cost: one that is made, runs and goes, against crun, runc and youki on the same box; the memory that one takes beside
//! its app's own; an image that is pulled and unpacked, against skopeo and umoci.

mod neighbours;
mod peers;
mod pull;

use crate::artifacts;
use crate::artifacts::ImageArguments;
use crate::bars::Bars;
use crate::bench::Figures;
use crate::bench::spread::Spread;
use crate::command::cargo;
use crate::command::target;
use crate::programs;
use crate::toolchain::Toolchain;
use anyhow::Context;
use anyhow::Result;
use image::progress::Progress;
use neighbours::Neighbours;
use pull::Pull;
use qemu_tests::Artifacts;
use qemu_tests::VmBuilder;
use qemu_tests::containers::APP;
use qemu_tests::containers::FIRST_ID;
use qemu_tests::containers::World;
use qemu_tests::containers::compile;
use qemu_tests::containers::start;
use qemu_tests::containers::with;
use qemu_tests::software;
use qemu_tests::usb_disk::UsbDisk;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

/// Containers in a row, of each runtime in each round.
const IN_A_ROW: u32 = 20;
/// Containers that run at once, for what one takes.
const AT_ONCE: u32 = 16;
const BUNDLE: &str = "/run/hearth/tests/root/tmp/bundle";
/// Mount points that a root which nobody may write to must have.
const FOLDERS: [&str; 8] = ["proc", "dev", "sys", "tmp", "etc", "data", "run", ".hearth"];

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Milliseconds of QEMU's processor time (TCG) for a container that is made, runs to its end and goes.
    ours_ms: Spread,
    crun_ms: Spread,
    runc_ms: Spread,
    youki_ms: Spread,
    /// Bytes of the box's memory that a running container takes, beyond what its own control group counts.
    memory_bytes: f64,
    neighbours: Neighbours,
    pull: Pull,
}

/// Builds and measures.
///
/// # Errors
/// When something cannot be built, or a runtime does not run its containers.
pub(crate) fn measure(rounds: u32) -> Result<Report> {
    artifacts::image(&ImageArguments::default())?;
    programs::build_agent(&Toolchain::native()?)?;
    cargo(["build", "--release", "--package", "containerd-lite", "--examples", "--bins"]).run()?;
    let bars = Bars::new();
    bars.step("crun, runc and what they need");
    let folder = target().join("bench/containers");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let runtimes = software::runtimes()?;
    let disk = UsbDisk::made_elsewhere(&runtimes.disk);
    let builder = VmBuilder::new(&folder, &Artifacts::load()?).memory(1024).usb_disk(&disk);
    let mut world = World::boot_with(&folder, builder)?;
    let layers = &runtimes.images.first().context("there is no image of the runtimes")?.layers;
    make_bundle(&mut world, &compile(&folder, "src/containers/peers.c")?, layers)?;
    peers::bring_youki(&mut world)?;
    let (mut ours, mut crun, mut runc, mut youki) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds.max(1) {
        bars.step(&format!("round {round}: containers of ours, of crun, of runc, of youki"));
        let measured = [
            cost(&mut world, run_ours)?,
            cost(&mut world, |world| peers::run(world, "crun", IN_A_ROW))?,
            cost(&mut world, |world| peers::run(world, "runc", IN_A_ROW))?,
            cost(&mut world, |world| peers::run(world, peers::YOUKI, IN_A_ROW))?,
        ];
        // The first round reads programs from the disk.
        if round > 0 {
            let [one, two, three, four] = measured;
            ours.push(one);
            crun.push(two);
            runc.push(three);
            youki.push(four);
        }
    }
    bars.step("containers that wait");
    let memory_bytes = memory(&mut world)?;
    bars.step("an app beside one that takes all it gets");
    let neighbours = neighbours::measure(&mut world, rounds)?;
    drop(world);
    bars.step("an image that is pulled and unpacked");
    let pull = pull::measure(&folder, rounds)?;
    bars.finish();
    let spread = |rounds: Vec<f64>| Spread::try_from(rounds).context("no round");
    let (ours_ms, crun_ms, runc_ms, youki_ms) = (spread(ours)?, spread(crun)?, spread(runc)?, spread(youki)?);
    Ok(Report { ours_ms, crun_ms, runc_ms, youki_ms, memory_bytes, neighbours, pull })
}

/// The program that every runtime runs: nothing in a row of volumes, as the others have none ready.
fn order() -> Value {
    with(start(&["exit", "0"], ""), "volumes", json!([]))
}

/// The same specification that ours is made by, over a root in memory.
fn make_bundle(world: &mut World, program: &[u8], layers: &[String; 2]) -> Result<()> {
    world.agent.install(peers::PROGRAM, program)?;
    let [low, high] = layers;
    world.agent.run(peers::PROGRAM, &["prepare", "/dev/sda", low, high], "")?;
    for folder in FOLDERS {
        world.tell(&json!({ "prepare": { "make": format!("{BUNDLE}/rootfs/{folder}") } }))?;
    }
    for step in [
        json!({ "copy": ["/run/hearth/tests/probe", format!("{BUNDLE}/rootfs/probe")] }),
        json!({ "copy": ["/usr/lib/hearth/app-init", format!("{BUNDLE}/app-init")] }),
        json!({ "write": [format!("{BUNDLE}/rootfs/.hearth/init"), ""] }),
    ] {
        world.tell(&json!({ "prepare": step }))?;
    }
    let mut specification = world.tell(&json!({ "specification": {
        "start": order(), "root": "/tmp/bundle/rootfs", "init": "/tmp/bundle/app-init", "cgroup": "/peers/one",
    } }))?;
    // What crun 1.8 takes; nothing newer is in it.
    specification["ociVersion"] = json!("1.0.2");
    // Ours writes them itself.
    specification["linux"]["resources"] = json!({
        "memory": { "limit": 32 << 20, "swap": 32 << 20 },
        "cpu": { "quota": 80_000, "period": 100_000 },
        "pids": { "limit": 32 },
    });
    let written = json!({ "write": [format!("{BUNDLE}/config.json"), specification.to_string()] });
    world.tell(&json!({ "prepare": written })).map(drop)
}

/// Milliseconds of QEMU's processor time for one of a row.
fn cost(world: &mut World, row: impl FnOnce(&mut World) -> Result<()>) -> Result<f64> {
    let before = world.vm.cpu_seconds()?;
    row(world)?;
    Ok((world.vm.cpu_seconds()? - before) * 1000.0 / f64::from(IN_A_ROW))
}

fn run_ours(world: &mut World) -> Result<()> {
    let one = |number: u32| {
        let id = json!({ "app": APP, "name": format!("row{number}") });
        [json!({ "run": { "id": id, "start": order(), "seconds": 240 } }), json!({ "remove": id })]
    };
    let answers = world.tell_all(&(0..IN_A_ROW).flat_map(one).collect::<Vec<_>>())?;
    let well = answers.iter().filter(|answer| answer["end"] == json!({ "code": 0 })).count();
    anyhow::ensure!(u32::try_from(well)? == IN_A_ROW, "{answers:?}");
    Ok(())
}

/// What a container takes that waits, but for what it uses itself.
fn memory(world: &mut World) -> Result<f64> {
    let id = |number: u32| json!({ "app": APP, "name": format!("at-once{number}") });
    let available = |world: &mut World| -> Result<f64> {
        let text = world.agent.read("/proc/meminfo")?;
        let line =
            text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).context("no MemAvailable")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024.0)
    };
    let wait = with(start(&["wait"], ""), "first_id", json!(FIRST_ID));
    let before = available(world)?;
    let mut own = 0.0;
    for number in 0..AT_ONCE {
        let ask = json!({ "start": { "id": id(number), "start": wait, "until": "waiting", "seconds": 240 } });
        world.tell(&ask)?;
    }
    let after = available(world)?;
    for number in 0..AT_ONCE {
        let usage = world.tell(&json!({ "usage": id(number) }))?;
        own += usage["memory_bytes"].as_f64().context("no figure of its memory")?;
        world.tell(&json!({ "kill": id(number) }))?;
        world.tell(&json!({ "wait": { "id": id(number), "seconds": 240 } }))?;
        world.tell(&json!({ "remove": id(number) }))?;
    }
    Ok((before - after - own) / f64::from(AT_ONCE))
}

impl Figures for Report {
    const MARK: &str = "<!-- bench: written by `cargo xtask bench --only containers` -->\n";

    fn table(&self) -> String {
        let Self { ours_ms, crun_ms, runc_ms, youki_ms, memory_bytes, neighbours, pull } = self;
        let ratio = |peer: &Spread| ours_ms.median / peer.median;
        format!(
            "| containers | measured | goal | gate |\n|---|---|---|---|\n\
             | one made, run to its end and gone, CPU-milliseconds of QEMU (TCG), against crun | {} : {} = {:.2} | 1.0 | 1.5 |\n\
             | the same, against runc | {} : {} = {:.2} | | |\n\
             | the same, against youki | {} : {} = {:.2} | | |\n\
             | memory of one that waits, beyond its own | {:.2} MiB | | |\n\
             {}{}",
            ours_ms.shown(0),
            crun_ms.shown(0),
            ratio(crun_ms),
            ours_ms.shown(0),
            runc_ms.shown(0),
            ratio(runc_ms),
            ours_ms.shown(0),
            youki_ms.shown(0),
            ratio(youki_ms),
            memory_bytes / 1024.0 / 1024.0,
            neighbours.rows(),
            pull.row(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_ratios() {
        let spread = |value: f64| Spread::try_from(vec![value]).unwrap();
        let report = Report {
            ours_ms: spread(120.0),
            crun_ms: spread(100.0),
            runc_ms: spread(400.0),
            youki_ms: spread(240.0),
            memory_bytes: 524_288.0,
            neighbours: Neighbours::of(spread(200.0), spread(300.0), spread(210.0)),
            pull: Pull { image_bytes: 104_857_600, ours_seconds: spread(2.0), peer_seconds: spread(4.0) },
        };
        let table = report.table();
        assert!(table.contains("120 (120–120) : 100 (100–100) = 1.20"), "{table}");
        assert!(table.contains("= 0.30") && table.contains(": 240 (240–240) = 0.50"), "{table}");
        assert!(table.contains("0.50 MiB"), "{table}");
        assert!(table.contains("µs = 1.50"), "{table}");
        assert!(table.contains("of 100 MiB"), "{table}");
        assert!(table.contains("2.0 (2.0–2.0) : 4.0 (4.0–4.0) = 0.50"), "{table}");
    }
}
