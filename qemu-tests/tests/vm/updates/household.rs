//! A household whose box is updated: over its network, from a file, and in vain.

use crate::apps::home as app;
use crate::household::expect;
use crate::household::log_in;
use crate::household::set_up;
use crate::network::Lan;
use crate::network::Neighbourhood;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::file_server::FileServer;
use qemu_tests::machine::OUTSIDE;
use qemu_tests::releases::Releases;
use qemu_tests::scenario::scenario;
use qemu_tests::updates::Home;
use qemu_tests::updates::slot;
use qemu_tests::wait_until;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

const UPDATES: &str = "/api/v1/updates";
/// What an update of one daemon may cost at most, in bytes (budgets of the README).
const MOST_FETCHED: u64 = 4 << 20;
/// A trial takes 8 of the box's minutes to fail.
const TRIAL: Duration = Duration::from_secs(40 * 60);

#[test]
fn a_household_is_updated_twice_and_goes_back_when_something_is_missing() {
    scenario("updates-household", |folder| {
        let artifacts = Artifacts::load()?;
        let mut house = House::start(folder, &artifacts)?;
        for (version, visits) in [("0.1.1", 2), ("0.1.2", 3)] {
            house.release(&artifacts, version)?;
            let fetched = house.update_over_the_network(version)?;
            println!("{version}, with another command line: {fetched} bytes fetched");
            ensure!(fetched <= MOST_FETCHED, "{fetched} bytes");
            house.expect_all_there(visits)?;
        }
        house.expect_nothing_new()?;

        house.releases.add("0.1.3", &slot(&artifacts, "0.1.3", "")?)?;
        house.fail_from_a_file("0.1.3", "0.1.2", &["has no IPv4 address any more", "visits"])?;
        house.expect_all_there(4)
    });
}

struct House {
    home: Home,
    web: Web,
    releases: Releases,
    server: FileServer,
    /// The app's key.
    key: String,
    _lan: Neighbourhood,
}

impl House {
    /// A box that is set up, knows the time, has an app with data, and a repository that is empty.
    fn start(folder: &Path, artifacts: &Artifacts) -> Result<Self> {
        let releases = Releases::new(artifacts, &folder.join("repository"))?;
        let server = FileServer::start(releases.folder())?;
        let home = Home::start(folder, artifacts, &[], Vec::new(), |builder| {
            builder.tpm().packets().reaches(server.port()).forward(app::PORT)
        })?;
        let link = home.vm.machine().packets.as_ref().context("no link")?;
        let lan = Neighbourhood::start(Lan::open(link)?.telling_time());
        let mut web = home.vm.wait_web()?;
        set_up(&home.vm, &mut web)?;
        app::bring(folder, &web, 1)?;
        let key = app::install(&mut web, &app::manifest(1))?;
        let mut house = Self { home, web, releases, server, key, _lan: lan };
        app::wait_for(&house.home.vm, &house.web, &house.key, "running")?;
        app::expect_visit(&mut house.home.vm, "version=1 visits=1")?;
        house.choose_repository()?;
        Ok(house)
    }

    fn updates(&self) -> Result<Value> {
        let answer = self.web.get(UPDATES)?;
        expect(&answer, 200)?;
        answer.json()
    }

    fn choose_repository(&mut self) -> Result<()> {
        let mut settings = self.updates()?["settings"].clone();
        settings["mode"] = json!("ask");
        settings["url"] = json!(format!("http://{OUTSIDE}:{}/", self.server.port()));
        let headers = [("Content-Type", "application/json")];
        let body = settings.to_string();
        expect(&self.web.send("PUT", &format!("{UPDATES}/settings"), &headers, Some(body.as_bytes()))?, 200)
    }

    fn release(&self, artifacts: &Artifacts, version: &str) -> Result<()> {
        self.releases.add_in_chunks(version, &slot(artifacts, version, "")?)
    }

    /// Asks the repository until it answers: the clock has to be set first.
    fn check(&mut self, phase: &str) -> Result<()> {
        let mut last = Value::Null;
        let asked = wait_until(BOOT, &format!("the repository to be asked: {phase}"), || {
            let begun = self.web.post(&format!("{UPDATES}/check"), &json!({}))?;
            ensure!([202, 409].contains(&begun.status), "{} {}", begun.status, begun.text());
            last = self.updates()?;
            Ok((last["progress"]["phase"] == phase).then_some(()))
        });
        asked.with_context(|| format!("updates: {last}"))
    }

    /// Takes what the repository offers, at once; how many bytes came.
    fn update_over_the_network(&mut self, version: &str) -> Result<u64> {
        self.check("available")?;
        let before = self.server.sent();
        expect(
            &self.web.post(&format!("{UPDATES}/apply"), &json!({ "version": version, "now": true }))?,
            202,
        )?;
        self.measure_downtime()?;
        let fetched = self.server.sent() - before;
        self.home.expect_boot(version)?;
        self.home.expect_kept(version)?;
        Ok(fetched)
    }

    /// Waits until the page is gone and there again; says for how long it was.
    fn measure_downtime(&mut self) -> Result<()> {
        let status = "/api/v1/status";
        let mut there = (Instant::now(), self.home.vm.cpu_seconds()?);
        let mut last = Value::Null;
        wait_until(TRIAL, "the box to go down", || {
            if self.web.get(status).is_err() {
                return Ok(Some(()));
            }
            there = (Instant::now(), self.home.vm.cpu_seconds()?);
            last = self.updates().unwrap_or_default();
            ensure!(last["progress"]["phase"] != "failed", "{last}");
            Ok(None)
        })
        .with_context(|| format!("updates: {last}"))?;
        wait_until(BOOT, "the page", || Ok(self.web.get(status).ok()))?;
        let (gone, work) = (there.0.elapsed().as_secs_f64(), self.home.vm.cpu_seconds()? - there.1);
        println!(
            "the page was away for {gone:.1} s, {work:.1} s of the emulator's processor, firmware included"
        );
        Ok(())
    }

    /// The owner's data and app are as they were; the app was visited so often, now included.
    fn expect_all_there(&mut self, visits: u32) -> Result<()> {
        expect(&log_in(&mut self.web)?, 200)?;
        app::wait_for(&self.home.vm, &self.web, &self.key, "running")?;
        app::expect_visit(&mut self.home.vm, &format!("version=1 visits={visits}"))
    }

    /// What runs is the newest, and asking again costs next to nothing.
    fn expect_nothing_new(&mut self) -> Result<()> {
        self.check("up_to_date")?;
        let before = self.server.sent();
        expect(&self.web.post(&format!("{UPDATES}/check"), &json!({}))?, 202)?;
        wait_until(BOOT, "the answer", || {
            let phase = self.updates()?["progress"]["phase"].clone();
            Ok((phase == "up_to_date").then_some(()))
        })?;
        let fetched = self.server.sent() - before;
        ensure!(fetched < 64 << 10, "{fetched} bytes for no update");
        println!("a repeated question: {fetched} bytes");
        Ok(())
    }

    /// A file is brought; on trial a network cable is out and the app dies again and again.
    fn fail_from_a_file(&mut self, version: &str, back: &str, reasons: &[&str]) -> Result<()> {
        let bundle = self.releases.bundle(version)?;
        let headers = [("Content-Type", "application/octet-stream")];
        let brought = self.web.send("POST", &format!("{UPDATES}/bundle"), &headers, Some(&bundle))?;
        expect(&brought, 202)?;
        wait_until(BOOT, "the update to be ready", || {
            let updates = self.updates()?;
            ensure!(updates["progress"]["phase"] != "failed", "{updates}");
            Ok((updates["progress"]["phase"] == "ready").then_some(()))
        })?;
        let mark = self.home.vm.serial().mark();
        expect(&self.web.post(&format!("{UPDATES}/restart"), &json!({}))?, 202)?;
        self.home.vm.serial().wait_line(mark, "reboot: Restarting system", BOOT)?;
        self.cable(false)?;
        self.home.expect_boot(version)?;
        self.home.expect_on_trial(version)?;
        self.home.kill_until_given_up("visits", TRIAL)?;
        self.home.expect_boot(back)?;
        self.cable(true)?;
        self.home.expect_kept(back)?;

        self.web = self.home.vm.wait_web()?;
        expect(&log_in(&mut self.web)?, 200)?;
        let told = wait_until(BOOT, "the history", || {
            let told = self.updates()?["history"][0].clone();
            Ok((told["to"] == version).then_some(told))
        })?;
        ensure!(told["outcome"] == "fell_back" && told["has_log"] == true, "{told}");
        let reason = told["reason"].as_str().unwrap_or_default();
        ensure!(reasons.iter().all(|part| reason.contains(part)), "{told}");
        println!("{version}: {reason}");
        let log = self.web.get(&format!("{UPDATES}/log?number={}", told["number"]))?;
        expect(&log, 200)?;
        let said = log.json()?;
        ensure!(
            said["text"].as_str().is_some_and(|text| text.contains("the trial of this system failed")),
            "{said}"
        );
        Ok(())
    }

    fn cable(&mut self, is_in: bool) -> Result<()> {
        self.home.vm.qmp().execute("set_link", &json!({ "name": "packets", "up": is_in })).map(drop)
    }
}
