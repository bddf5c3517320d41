//! `cargo xtask`: the one entry to everything that is done with this repository.
//!
//! One file a subcommand; product logic lives in the crates (`image` builds images, `qemu-tests` runs machines).

mod artifacts;
mod bars;
mod bench;
mod buildroot;
mod command;
mod console;
mod dependencies;
mod fuzz;
mod host_packages;
mod imager;
mod layers;
mod lint;
mod metadata;
mod npm;
mod programs;
mod publish;
mod run;
mod test;
mod toolchain;

use anyhow::Result;
use clap::Parser;
use clap::Subcommand;

#[derive(Parser, Debug)]
#[command(name = "cargo xtask", about = "Builds, runs, tests and measures Hearth")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Builds the image and boots it in QEMU: prints the URL and the claim code
    Run(run::RunArguments),
    /// Builds target/hearth/<board>/hearth.img and what goes with it
    Image(artifacts::ImageArguments),
    /// Runs every check and every test; what CI runs
    Test(test::TestArguments),
    /// Plays the corpora of all decoders of outside bytes and looks for inputs that break them
    Fuzz(fuzz::FuzzArguments),
    /// Measures size, boot and memory against Debian with systemd, what network, storage, containers and updates cost; writes target/bench/*.json
    Bench(bench::BenchArguments),
    /// Builds an image from source with a checkout of Buildroot (docs/buildroot.md)
    Buildroot(buildroot::BuildrootArguments),
    /// Makes and extends a repository of updates, and bundles (docs/releasing.md)
    Publish(publish::PublishArguments),
    /// Makes the list by which Raspberry Pi Imager offers the images (docs/flashing.md)
    ImagerList(imager::ImagerArguments),
    /// Formats the Rust sources
    Fmt,
    /// Format, clippy, text rules, layering, licences
    Lint,
    /// Checks who may depend on whom
    CheckLayers,
    /// Checks licences, banned crates and duplicate versions
    Deny,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Run(arguments) => run::run(&arguments),
        Task::Image(arguments) => artifacts::image(&arguments).map(|_| ()),
        Task::Test(arguments) => test::test(&arguments),
        Task::Fuzz(arguments) => fuzz::fuzz(&arguments),
        Task::Bench(arguments) => bench::bench(&arguments),
        Task::Buildroot(arguments) => buildroot::buildroot(&arguments),
        Task::Publish(arguments) => publish::publish(&arguments),
        Task::ImagerList(arguments) => imager::list(&arguments),
        Task::Fmt => command::cargo(["fmt", "--all"]).run(),
        Task::Lint => lint::lint(),
        Task::CheckLayers => layers::check(),
        Task::Deny => dependencies::check(),
    }
}
