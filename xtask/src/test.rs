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
use crate::toolchain::Toolchain;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use clap::Args;
use clap::ValueEnum;
use image::parts::Choice;
use image::sysroot;
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
    /// Board whose image is tested; boards but the first have a profile of their own in .config/nextest.toml, and of the stages only Vm
    #[arg(long, default_value = FIRST_BOARD)]
    board: String,
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

/// The board that everything is tested on.
const FIRST_BOARD: &str = "x86_64";

const STAGES: [Stage; 6] = [Stage::Lint, Stage::Console, Stage::Unit, Stage::Rooted, Stage::Fuzz, Stage::Vm];

/// Runs the stages; stops at the first that fails.
///
/// # Errors
/// Names the stage that failed.
pub(crate) fn test(arguments: &TestArguments) -> Result<()> {
    let arch = sysroot::arch(&repository(), &arguments.board)?;
    let machine = host_packages::machine(arch);
    host_packages::ensure(&[host_packages::IMAGE, host_packages::MACHINE, machine, host_packages::TEST])?;
    ensure_nextest()?;
    let mut done = Vec::new();
    let is_wanted = |stage: &Stage| {
        if arguments.only.is_empty() {
            match arguments.board.as_str() {
                FIRST_BOARD => *stage != Stage::Fuzz || arguments.long,
                _ => *stage == Stage::Vm,
            }
        } else {
            arguments.only.contains(stage)
        }
    };
    // Somebody who names tests means those.
    let machines = match arguments.board.as_str() {
        "rpi5" => bail!(
            "QEMU has no machine that comes near a Raspberry Pi 5: docs/boards.md says what to look at on a real one"
        ),
        "rpi4" => "rpi4",
        _ if arguments.long || !arguments.filter.is_empty() => "long",
        FIRST_BOARD => "vm",
        other => other,
    };
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
                artifacts::image(&ImageArguments::of_board(&arguments.board))?;
            }
            programs::build_agent(&Toolchain::of_board(&arguments.board, Choice::Kept)?)?;
            let machines = nextest(machines, filter).env("HEARTH_BOARD", &arguments.board);
            match image {
                Some(image) => machines.env("HEARTH_ARTIFACTS", image).run(),
                None => machines.run(),
            }
        }
    }
}

/// One set of test programs, built once; the profiles in `.config/nextest.toml` choose among the tests.
fn nextest(profile: &str, filter: &[String]) -> Program {
    let fixed =
        ["nextest", "run", "--config", programs::FOR_TESTS, "--release", "--workspace", "--all-features"];
    let profile = ["--profile", profile];
    cargo(fixed.into_iter().chain(profile).map(str::to_owned).chain(filter.iter().cloned()))
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
