//! Builds the programs that go into the image.

use crate::command::Program;
use crate::command::cargo;
use crate::command::target;
use anyhow::Result;
use image::root::Programs;
use std::path::PathBuf;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Builds all programs of the image.
///
/// # Errors
/// When the compiler fails.
pub(crate) fn build() -> Result<Programs> {
    build_static("init")?;
    build_static("app-init")?;
    build_daemons().run()?;
    build_starter()?;
    Ok(built())
}

/// The command that builds the daemons: together, so that they share what they have in common.
pub(crate) fn build_daemons() -> Program {
    let daemons = ["containerd-lite", "netd", "hostd", "installer", "storaged"];
    cargo(["build", "--release"].into_iter().chain(daemons.into_iter().flat_map(|name| ["--package", name])))
}

/// Where [`build`] leaves the programs.
pub(crate) fn built() -> Programs {
    let release = target().join("release");
    // Static: stage 1 runs where there is no library yet, and the first process of a container where there is none of ours.
    Programs {
        containerd_lite: release.join("containerd-lite"),
        init: static_program("init"),
        netd: release.join("netd"),
        hostd: release.join("hostd"),
        storaged: release.join("storaged"),
        installer: release.join("installer"),
        containerd_lite_run: release.join("containerd-lite-run"),
        containerd_lite_unpack: release.join("containerd-lite-unpack"),
        app_init: static_program("app-init"),
    }
}

/// Builds the program that starts containers: as a whole, since it is started for each of them and finding libraries would be a fifth of its time
/// (docs/adr/0023). Only the last step is for it alone: the crates are those of the daemons.
///
/// # Errors
/// When the compiler fails.
pub(crate) fn build_starter() -> Result<()> {
    let program = ["rustc", "--release", "--package", "containerd-lite", "--bin", "containerd-lite-run"];
    cargo(program.into_iter().chain(["--", "-C", "target-feature=+crt-static"])).run()
}

/// Builds the agent that tests add to an image, and what it is given to run there.
///
/// # Errors
/// When the compiler fails.
pub(crate) fn build_agent() -> Result<PathBuf> {
    cargo(["build", "--release", "--package", "containerd-lite", "--example", "containers"]).run()?;
    build_static("hearth-agent")?;
    Ok(static_program("hearth-agent"))
}

fn build_static(package: &str) -> Result<()> {
    cargo(["build", "--release", "--target", TRIPLE, "--package", package])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .run()
}

fn static_program(name: &str) -> PathBuf {
    target().join(TRIPLE).join("release").join(name)
}
