//! Other runtimes, which run the bundle that ours would.

use crate::command::cargo;
use crate::command::target;
use anyhow::Context;
use anyhow::Result;
use qemu_tests::containers::World;
use std::fs;

/// Where they run, and the program that has them run.
pub(super) const PROGRAM: &str = "/run/hearth/tests/peers";
/// youki by its path there; crun and runc come with the root.
pub(super) const YOUKI: &str = "/tmp/youki";
/// As our libcontainer.
const YOUKI_VERSION: &str = "0.7.0";

/// Builds youki, which no distribution packages, unless it was built, and brings it to the box.
///
/// # Errors
/// When it cannot be built.
pub(super) fn bring_youki(world: &mut World) -> Result<()> {
    let tools = target().join("tools");
    let built = tools.join("bin/youki");
    if !built.exists() {
        let fixed = ["install", "youki", "--locked", "--no-default-features", "--features", "v2,seccomp"];
        let place = ["--version", YOUKI_VERSION, "--root"].map(str::to_owned);
        let words = fixed.map(str::to_owned).into_iter().chain(place).chain([tools.display().to_string()]);
        cargo(words).env("CARGO_PROFILE_RELEASE_STRIP", "true").run()?;
    }
    let program = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    world.agent.install(&format!("/run/hearth/tests/root{YOUKI}"), &program)
}

/// So many containers, one after another.
///
/// # Errors
/// When one does not end well.
pub(super) fn run(world: &mut World, runtime: &str, count: u32) -> Result<()> {
    world.agent.run(PROGRAM, &["run", runtime, &count.to_string()], "").map(drop)
}
