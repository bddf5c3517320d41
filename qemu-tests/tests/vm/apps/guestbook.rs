//! Software that nobody made for Hearth, from a real registry, opened with a browser.

use super::home::PORT;
use super::home::install;
use super::home::is_unreachable;
use super::home::restart;
use super::home::tell;
use super::home::update;
use super::home::wait_for;
use super::home::wait_within;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::artifacts::repository;
use qemu_tests::artifacts::target;
use qemu_tests::machine::OUTSIDE;
use qemu_tests::registry::Registry;
use qemu_tests::scenario::scenario;
use qemu_tests::software;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Under emulation a database takes minutes to make its first files.
const START_SECONDS: u32 = 900;
/// Four images are pulled, two databases make their files, and each server waits for the one behind it.
const PATIENCE_OF_APP: Duration = Duration::from_secs(2400);
/// An emulated box on a busy machine answers about this much slower than another one.
const PATIENCE: &str = "20";

#[test]
fn real_servers_come_from_a_registry_and_keep_their_data() {
    scenario("guestbook", |folder| {
        let layout = software::guestbook()?;
        let registry = Registry::start(folder)?;
        let names = push(&registry, &layout)?;
        let builder = VmBuilder::new(folder, &Artifacts::load()?).memory(1536).disk_size(4 << 30);
        let mut vm = builder.forward(PORT).reaches(registry.port()).start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");

        // Nobody is spoken to without encryption unless the owner says so.
        let key = install(&mut web, &manifest(1, &names))?;
        let ended = vm.wait_until("the installation to have failed", || {
            let apps = web.get("/api/v1/apps")?.json()?;
            let problem =
                apps["ended"].as_array().and_then(|ended| ended.iter().find(|end| end["key"] == *key));
            Ok(problem.map(|end| end["problem"].as_str().unwrap_or_default().to_owned()))
        })?;
        ensure!(ended.contains("cannot be had"), "{ended}");
        let place = format!("/api/v1/registries/{OUTSIDE}:{}", registry.port());
        let plain = json!({ "plain_http": true }).to_string();
        let headers = [("Content-Type", "application/json")];
        expect(&web.send("PUT", &place, &headers, Some(plain.as_bytes()))?, 200)?;

        let key = install(&mut web, &manifest(1, &names))?;
        wait_within(PATIENCE_OF_APP, &vm, &web, &key, "running")?;
        visit(&mut vm, folder, 1, &[], "one")?;
        restart(PATIENCE_OF_APP, &vm, &mut web, &key)?;
        visit(&mut vm, folder, 1, &["one"], "two")?;

        // What the app told a visitor was kept outlives a cut, and nobody has to start the app.
        let mut vm = vm.power_cut().boot_again()?;
        let mut web = vm.wait_web()?;
        expect(&log_in(&mut web)?, 200)?;
        wait_within(PATIENCE_OF_APP, &vm, &web, &key, "running")?;
        visit(&mut vm, folder, 1, &["one", "two"], "three")?;

        update(&mut web, &key, &manifest(2, &names))?;
        let updated = wait_within(PATIENCE_OF_APP, &vm, &web, &key, "running")?;
        ensure!(updated["version"] == "2.0.0", "{updated}");
        visit(&mut vm, folder, 2, &["one", "two", "three"], "four")?;
        tell(&mut web, &key, "stop")?;
        wait_for(&vm, &web, &key, "stopped")?;
        ensure!(is_unreachable(&mut vm)?, "somebody answers for an app that was stopped");
        Ok(())
    });
}

/// Fills the registry; the names by which the box has the images: some by tag, some by digest.
fn push(registry: &Registry, layout: &Path) -> Result<BTreeMap<&'static str, String>> {
    let mut names = BTreeMap::new();
    for image in ["front", "postgresql", "redis", "book-1", "book-2"] {
        let digest = registry.push(layout, image, &format!("home/{image}:stable"))?;
        let by_digest = ["front", "postgresql"].contains(&image);
        let end = if by_digest { format!("@{digest}") } else { ":stable".to_owned() };
        names.insert(image, format!("{OUTSIDE}:{}/home/{image}{end}", registry.port()));
    }
    Ok(names)
}

fn manifest(version: u32, names: &BTreeMap<&str, String>) -> Value {
    let book = format!("book-{version}");
    let scratch = 64 << 20;
    let database = json!({ "command": ["pg_isready", "-h", "127.0.0.1"], "start_seconds": START_SECONDS });
    let page =
        |port: u16| json!({ "http": { "port": port, "path": "/health" }, "start_seconds": START_SECONDS });
    let text = json!({
        "format": 1, "id": "guestbook", "title": "Guestbook", "version": format!("{version}.0.0"), "scope": "system",
        "containers": {
            "database": {
                "image": names["postgresql"], "scratch_bytes": scratch, "health": database,
                "volumes": [{ "name": "database", "target": "/var/lib/postgresql/data" }],
            },
            "cache": {
                "image": names["redis"], "scratch_bytes": scratch,
                "volumes": [{ "name": "cache", "target": "/data" }],
            },
            "book": {
                "image": names[book.as_str()], "scratch_bytes": scratch, "health": page(8000),
                "after": [
                    { "container": "database", "until": "healthy" },
                    { "container": "cache", "until": "started" },
                ],
            },
            "front": {
                "image": names["front"], "scratch_bytes": scratch, "health": page(80),
                "after": [{ "container": "book", "until": "healthy" }],
            },
        },
        "display": { "port": 80 },
        "permissions": { "inbound": [{ "port": format!("tcp/{PORT}"), "app_port": 80, "reason": "Guests" }] },
    });
    json!({ "manifest": text.to_string() })
}

/// Opens the app's page with a browser, looks whether it is of this version and has these lines, and adds one.
fn visit(vm: &mut Vm, folder: &Path, version: u32, lines: &[&str], add: &str) -> Result<()> {
    let port = vm.forwarded(PORT)?;
    let shots = target().join("qemu-shots");
    fs::create_dir_all(&shots)?;
    let log = folder.join("visit.log");
    let output = File::create(&log)?;
    let status = Command::new("node")
        .arg("e2e/guestbook.mjs")
        .current_dir(repository().join("console"))
        .env("BASE_URL", format!("http://hearth.local:{PORT}"))
        .env("HOST_MAP", format!("MAP hearth.local:{PORT} 127.0.0.1:{port}"))
        .env("HEADING", format!("Guestbook {version}"))
        .env("LINES", json!(lines).to_string())
        .env("ADD", add)
        .env("SHOT", shots.join(format!("guestbook-{add}.png")))
        .env("TIMEOUT_FACTOR", PATIENCE)
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .context("cannot start node; `cargo xtask test` installs what is missing")?;
    ensure!(status.success(), "the visit failed:\n{}", fs::read_to_string(&log)?);
    Ok(())
}
