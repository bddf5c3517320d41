//! An update in a machine with firmware, loader and TPM: what installing it takes, and for how long the page is away. The box is emulated: its
//! seconds say what is waited for, and QEMU's processor seconds what it costs.

use crate::bars::Bars;
use crate::bench::spread::Spread;
use crate::programs;
use crate::toolchain::Toolchain;
use anyhow::Context;
use anyhow::Result;
use image::progress::Progress;
use model::control::ControlRequest;
use qemu_tests::Artifacts;
use qemu_tests::slots;
use qemu_tests::updates::Home;
use qemu_tests::updates::slot;
use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// proc(5): seconds since the kernel began, and idle ones.
const UPTIME: &str = "/proc/uptime";

/// What it took, as the README has it.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// From the order to install a fetched system until it is armed: checked, written, read back.
    pub(crate) apply: Took,
    /// From the request to restart until the page answers again.
    pub(crate) away: Took,
}

/// Of all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Took {
    /// By the box's clock; for a restart whole seconds, as its real-time clock has them.
    pub(crate) box_seconds: Spread,
    /// By this computer's.
    pub(crate) seconds: Spread,
    /// Of QEMU's processor time.
    pub(crate) cpu_seconds: Spread,
}

/// Rounds as they were measured: what is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Rounds {
    apply: Vec<Step>,
    away: Vec<Step>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Step {
    box_seconds: f64,
    seconds: f64,
    cpu_seconds: f64,
}

/// Runs a box through one update after the other, and keeps what that took in a file.
///
/// # Errors
/// When an update is not kept.
pub(crate) fn measure(rounds: u32, folder: &Path, kept: &Path, bars: &Bars) -> Result<Machine> {
    programs::build_agent(&Toolchain::native()?)?;
    let artifacts = Artifacts::load()?;
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    bars.step("a box to be updated");
    let shipped = slots::shipped_name(&artifacts)?;
    let shipped = shipped.trim_start_matches("hearth_");
    let versions: Vec<String> = (1..=rounds.max(1)).map(|round| format!("{shipped}.{round}")).collect();
    let release = |version: &String| slot(&artifacts, version, "");
    let slots = versions.iter().map(release).collect::<Result<Vec<_>>>()?;
    let releases: Vec<(&str, Vec<u8>)> = versions.iter().map(String::as_str).zip(slots).collect();
    let mut home = Home::with(folder, &artifacts, &releases)?;
    home.expect_kept(shipped)?;
    let mut measured = Rounds { apply: Vec::new(), away: Vec::new() };
    for version in &versions {
        bars.step(&format!("the box is updated to {version}"));
        home.bring(version)?;
        measured.apply.push(apply(&mut home, version)?);
        measured.away.push(away(&mut home, version)?);
        home.expect_kept(version)?;
    }
    let text = serde_json::to_string_pretty(&measured).context("writing the rounds as JSON")?;
    fs::write(kept, text + "\n").with_context(|| format!("writing {}", kept.display()))?;
    Machine::of(&measured)
}

/// What was kept of the last measurement, if there was one.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn kept(kept: &Path) -> Result<Option<Machine>> {
    if !kept.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(kept).with_context(|| format!("reading {}", kept.display()))?;
    let rounds = serde_json::from_str(&text).with_context(|| format!("reading {}", kept.display()))?;
    Machine::of(&rounds).map(Some)
}

fn apply(home: &mut Home, version: &str) -> Result<Step> {
    let before = uptime(home)?;
    let (begun, cpu) = (Instant::now(), home.vm.cpu_seconds()?);
    home.install(version)?;
    let (seconds, cpu_seconds) = (begun.elapsed().as_secs_f64(), home.vm.cpu_seconds()? - cpu);
    Ok(Step { box_seconds: uptime(home)? - before, seconds, cpu_seconds })
}

fn away(home: &mut Home, version: &str) -> Result<Step> {
    let before = home.agent()?.clock()?;
    let (begun, cpu) = (Instant::now(), home.vm.cpu_seconds()?);
    let mark = home.vm.serial().mark();
    home.ask(&ControlRequest::RestartIntoUpdate)?;
    // Of the new system: asked before its network is up, a question would be silent for minutes.
    home.vm.wait_state(mark)?;
    home.vm.wait_web()?;
    let (seconds, cpu_seconds) = (begun.elapsed().as_secs_f64(), home.vm.cpu_seconds()? - cpu);
    home.expect_boot(version)?;
    // What has passed since the page answered is taken off again.
    let since = begun.elapsed().as_secs_f64() - seconds;
    let after = home.agent()?.clock()?;
    let whole = i32::try_from(after - before).context("the box's clock went astray")?;
    Ok(Step { box_seconds: (f64::from(whole) - since).max(0.0), seconds, cpu_seconds })
}

fn uptime(home: &mut Home) -> Result<f64> {
    let text = home.agent()?.read(UPTIME)?;
    let word = text.split_whitespace().next().context("the box tells no uptime")?;
    word.parse().with_context(|| format!("the box is up for {word}"))
}

impl Machine {
    fn of(rounds: &Rounds) -> Result<Self> {
        let took = |steps: &[Step]| -> Result<Took> {
            let spread = |figure: fn(&Step) -> f64| {
                Spread::try_from(steps.iter().map(figure).collect::<Vec<_>>()).context("no round")
            };
            Ok(Took {
                box_seconds: spread(|step| step.box_seconds)?,
                seconds: spread(|step| step.seconds)?,
                cpu_seconds: spread(|step| step.cpu_seconds)?,
            })
        };
        Ok(Self { apply: took(&rounds.apply)?, away: took(&rounds.away)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("update-vm.json");
        assert!(kept(&file).unwrap().is_none());
        let step = |box_seconds: f64| Step { box_seconds, seconds: 9.0, cpu_seconds: 8.0 };
        let rounds = Rounds { apply: vec![step(2.0)], away: vec![step(40.0), step(42.0), step(50.0)] };
        fs::write(&file, serde_json::to_string(&rounds).unwrap()).unwrap();
        let machine = kept(&file).unwrap().unwrap();
        assert_eq!((machine.apply.box_seconds.median, machine.away.box_seconds.median), (2.0, 42.0));
        fs::write(&file, "{}").unwrap();
        kept(&file).unwrap_err();
    }
}
