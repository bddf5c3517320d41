//! `cargo xtask test`: every check and every test, in the order in which a mistake is found soonest.

use crate::artifacts;
use crate::artifacts::ImageArguments;
use crate::command::Program;
use crate::command::cargo;
use crate::command::repository;
use crate::console;
use crate::fuzz;
use crate::fuzz::FuzzArguments;
use crate::host_packages;
use crate::host_packages::say;
use crate::lint;
use crate::npm;
use crate::programs;
use anyhow::Context;
use anyhow::Result;
use clap::Args;
use clap::ValueEnum;
use std::path::PathBuf;
use std::path::absolute;
use std::time::Instant;

/// Where npm finds it.
const OBJECT_STORE: &str = "crates/backup/tests/s3-server";

/// What to run.
#[derive(Args, Debug)]
pub(crate) struct TestArguments {
    /// Only these stages
    #[arg(long, value_enum)]
    only: Vec<Stage>,
    /// Also what takes hours: the fuzzer, and the machines of the profile `long`
    #[arg(long)]
    long: bool,
    /// Machines: the image in this folder (docs/buildroot.md) instead of one that is built now
    #[arg(long)]
    image: Option<PathBuf>,
    /// Passed on to nextest, such as a part of a test's name
    #[arg(last = true)]
    filter: Vec<String>,
}

/// A part of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Format, clippy, text rules, layering, licences
    Lint,
    /// The web console: types, unit tests, a walk through it against a mock
    Console,
    /// Unit and bus tests of all crates
    Unit,
    /// Tests that need root: network namespaces
    Rooted,
    /// Decoders of outside bytes against a fuzzer
    Fuzz,
    /// The real image in QEMU
    Vm,
}

const STAGES: [Stage; 6] = [Stage::Lint, Stage::Console, Stage::Unit, Stage::Rooted, Stage::Fuzz, Stage::Vm];

/// Runs the stages; stops at the first that fails.
///
/// # Errors
/// Names the stage that failed.
pub(crate) fn test(arguments: &TestArguments) -> Result<()> {
    host_packages::ensure(&[host_packages::IMAGE, host_packages::MACHINE, host_packages::TEST])?;
    ensure_nextest()?;
    let mut done = Vec::new();
    let is_wanted = |stage: &Stage| {
        if arguments.only.is_empty() {
            *stage != Stage::Fuzz || arguments.long
        } else {
            arguments.only.contains(stage)
        }
    };
    // Somebody who names tests means those.
    let machines = if arguments.long || !arguments.filter.is_empty() { "long" } else { "vm" };
    for stage in STAGES.into_iter().filter(is_wanted) {
        let begun = Instant::now();
        say(&format!("stage {stage:?}"));
        run_stage(stage, arguments, machines).with_context(|| format!("stage {stage:?} failed"))?;
        done.push(format!("{stage:?} {} s", begun.elapsed().as_secs()));
    }
    say(&format!("all stages passed: {}", done.join(", ")));
    Ok(())
}

fn run_stage(stage: Stage, arguments: &TestArguments, machines: &str) -> Result<()> {
    let filter = &arguments.filter;
    match stage {
        Stage::Lint => lint::lint(),
        Stage::Console => console::test(),
        Stage::Unit => {
            npm::install(
                &repository().join(OBJECT_STORE),
                "the object store that backups are tested against",
            )?;
            nextest("default", filter).run()
        }
        Stage::Rooted => nextest("rooted", filter).run(),
        Stage::Fuzz => fuzz::fuzz(&FuzzArguments::default()),
        Stage::Vm => {
            let image = arguments.image.as_deref().map(absolute).transpose().context("finding the image")?;
            if image.is_none() {
                artifacts::image(&ImageArguments::default())?;
            }
            programs::build_agent()?;
            let machines = nextest(machines, filter);
            match image {
                Some(image) => machines.env("HEARTH_ARTIFACTS", image).run(),
                None => machines.run(),
            }
        }
    }
}

/// One set of test programs, built once; the profiles in `.config/nextest.toml` choose among the tests.
fn nextest(profile: &str, filter: &[String]) -> Program {
    let fixed = ["nextest", "run", "--release", "--workspace", "--all-features", "--profile", profile];
    cargo(fixed.into_iter().map(str::to_owned).chain(filter.iter().cloned()))
}

fn ensure_nextest() -> Result<()> {
    if cargo(["nextest", "--version"]).succeeds() {
        return Ok(());
    }
    say("building cargo-nextest, the test runner (a few minutes, once)");
    // What runs for a minute in all is better compiled fast, and what updates it is not wanted.
    cargo([
        "install",
        "cargo-nextest",
        "--locked",
        "--no-default-features",
        "--features",
        "default-no-update",
    ])
    .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
    .run()
}
