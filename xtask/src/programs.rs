//! Builds the programs that go into the image.

use crate::command::Program;
use crate::command::repository;
use crate::toolchain::Toolchain;
use anyhow::Result;
use image::root::Programs;

/// How test programs are compiled (`--config` of cargo), from the repository's folder.
pub(crate) const FOR_TESTS: &str = ".config/tests.toml";

const STATIC: &str = "target-feature=+crt-static";

/// Builds all programs of the image.
///
/// # Errors
/// When the compiler fails.
pub(crate) fn build(toolchain: &Toolchain) -> Result<Programs> {
    build_static(toolchain, "init")?;
    build_static(toolchain, "app-init")?;
    build_daemons(toolchain).run()?;
    Ok(built(toolchain))
}

/// The command that builds the daemons: together, so that they share what they have in common.
///
/// Among them is the program that starts containers. It is linked as a whole, since it is started for each of them and finding libraries
/// would be a fifth of its time (docs/adr/0023); `rustc-static-starter` sees to that.
pub(crate) fn build_daemons(toolchain: &Toolchain) -> Program {
    let daemons = ["containerd-lite", "netd", "hostd", "installer", "storaged"];
    toolchain
        .cargo("build", daemons.into_iter().flat_map(|name| ["--package", name]))
        .env("RUSTC_WORKSPACE_WRAPPER", repository().join("xtask/rustc-static-starter"))
}

/// Where [`build`] leaves the programs.
pub(crate) fn built(toolchain: &Toolchain) -> Programs {
    let release = toolchain.release();
    // Static: stage 1 runs where there is no library yet, and the first process of a container where there is none of ours.
    let whole = toolchain.release_of_target();
    Programs {
        containerd_lite: release.join("containerd-lite"),
        init: whole.join("init"),
        netd: release.join("netd"),
        hostd: release.join("hostd"),
        storaged: release.join("storaged"),
        installer: release.join("installer"),
        containerd_lite_run: release.join("containerd-lite-run"),
        containerd_lite_unpack: release.join("containerd-lite-unpack"),
        app_init: whole.join("app-init"),
    }
}

/// Builds the agent that tests add to an image, and what it is given to run there.
///
/// # Errors
/// When the compiler fails.
pub(crate) fn build_agent(toolchain: &Toolchain) -> Result<()> {
    // As the test programs are built, of which it is one: there is nothing to compile after those.
    let example = ["--config", FOR_TESTS, "--workspace", "--all-features", "--example", "containers"];
    toolchain.cargo("build", example).run()?;
    build_static(toolchain, "hearth-agent")
}

fn build_static(toolchain: &Toolchain, package: &str) -> Result<()> {
    toolchain.cargo_for_target("build", ["--package", package]).env("RUSTFLAGS", format!("-C {STATIC}")).run()
}
