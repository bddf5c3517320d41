//! An owner with a browser sets the box up.

use crate::household::expect_page;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::VmBuilder;
use qemu_tests::artifacts::repository;
use qemu_tests::artifacts::target;
use qemu_tests::scenario::scenario;
use qemu_tests::web;
use std::fs;
use std::fs::File;
use std::process::Command;

/// An emulated box on a busy machine answers about this much slower than the mock.
const PATIENCE: &str = "20";

#[test]
fn chromium_walks_through_set_up_and_logs_in() {
    scenario("wizard", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).start()?;
        expect_page(&vm.wait_web()?)?;
        let authority = folder.join("ca.pem");
        fs::write(&authority, web::fetch_authority(vm.ports())?)?;
        let shots = target().join("qemu-shots");
        fs::create_dir_all(&shots)?;
        let log = folder.join("wizard.log");
        let output = File::create(&log)?;
        let port = vm.ports().https;
        let status = Command::new("node")
            .arg("e2e/wizard.mjs")
            .current_dir(repository().join("console"))
            .env("BASE_URL", "https://hearth.local")
            .env("CLAIM_CODE", vm.wait_claim_code(vm.mark())?)
            .env(
                "HOST_MAP",
                format!("MAP hearth.local:443 127.0.0.1:{port},MAP ember.local:443 127.0.0.1:{port}"),
            )
            .env("NEW_NAME", "ember")
            .env("CA_FILE", &authority)
            .env("SHOTS", &shots)
            .env("TIMEOUT_FACTOR", PATIENCE)
            .stdout(output.try_clone()?)
            .stderr(output)
            .status()
            .context("cannot start node; `cargo xtask test` installs what is missing")?;
        let said = fs::read_to_string(&log)?;
        ensure!(status.success(), "the walk failed:\n{said}");
        ensure!(fs::read_dir(&shots)?.count() >= 8, "not all screenshots are in {}", shots.display());
        check_end(&vm)
    });
}

fn check_end(vm: &qemu_tests::Vm) -> Result<()> {
    vm.wait_line("hearth: state=ready url=https://ember.local")?;
    let state = expect_page(&vm.web()?.named("ember.local"))?;
    ensure!(state == "ready", "the box is {state}");
    Ok(())
}
