//! Services that die, hang, or starve init.

use crate::household::expect;
use crate::household::expect_page;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::status;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use hearth_agent::protocol::Request;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::paths::SERVICES_REPORT;
use model::report::ServiceReport;
use model::report::ServiceState;
use model::report::ServicesReport;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::agent::Agent;
use qemu_tests::builder::Inside;
use qemu_tests::gdb;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Web;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

/// How often a service is killed before the test gives up on its being called degraded.
const KILLS: u32 = 20;
/// The whole shutdown may take 30 s (docs/spec/boot.md); the rest is for a busy computer.
const SHUTDOWN: Duration = Duration::from_secs(120);

#[test]
fn a_killed_service_comes_back_and_one_that_keeps_dying_is_degraded() {
    scenario("services-killed", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent).start()?;
        let web = vm.wait_web()?;
        let mut agent = vm.agent()?;
        for name in ["netd", "hostd"] {
            let before = wait_ready(&vm, &mut agent, name)?;
            agent.kill(before.pid.context("no process")?, Signal::KILL)?;
            let after = wait_for(&vm, &mut agent, name, |now| {
                now.state == ServiceState::Ready && now.pid != before.pid
            })?;
            ensure!(after.restarts > before.restarts, "{name} was not counted: {after:?}");
            vm.wait_until("the page after a kill", || Ok(expect_page(&web).ok()))?;
        }

        let mut kills = 0;
        while kills < KILLS {
            let service = wait_for(&vm, &mut agent, "netd", |now| {
                now.state == ServiceState::Degraded
                    || matches!(now.state, ServiceState::Ready | ServiceState::Starting)
            })?;
            if service.state == ServiceState::Degraded {
                break;
            }
            // It may end by itself between the look and the signal.
            if agent.kill(service.pid.unwrap_or_default(), Signal::KILL).is_ok() {
                kills += 1;
                wait_for(&vm, &mut agent, "netd", |now| now.pid != service.pid)?;
            }
        }
        let degraded = report(&mut agent, "netd")?;
        ensure!(degraded.state == ServiceState::Degraded, "after {kills} kills: {degraded:?}");
        ensure!(kills >= 10, "degraded after {kills} kills only");
        for _ in kills..KILLS {
            // Now it is started once a minute only, so the test asks for each further start.
            let answer = agent.control(&ControlRequest::Restart { unit: "netd".to_owned() })?;
            ensure!(answer == ControlAnswer::Accepted, "{answer:?}");
            let pid =
                wait_for(&vm, &mut agent, "netd", |now| now.pid.is_some())?.pid.context("no process")?;
            agent.kill(pid, Signal::KILL)?;
            wait_for(&vm, &mut agent, "netd", |now| now.pid != Some(pid))?;
        }
        let degraded = wait_for(&vm, &mut agent, "netd", |now| now.state == ServiceState::Degraded)?;
        ensure!(degraded.reason.is_some_and(|reason| !reason.is_empty()), "no reason");
        vm.wait_until("the reason on the page", || {
            // It is tried again each minute, and may be well before the page tells.
            let service = report(&mut agent, "netd")?;
            if service.state != ServiceState::Degraded {
                // It may end by itself between the look and the signal.
                drop(agent.kill(service.pid.unwrap_or_default(), Signal::KILL));
                return Ok(None);
            }
            let now = status(&web)?;
            let reasons = now["reasons"].as_array().context("no reasons")?;
            Ok(reasons
                .iter()
                .any(|reason| reason.as_str().is_some_and(|text| text.contains("netd")))
                .then_some(()))
        })?;
        expect_page(&web)?;
        let boots = vm.serial().since(0).iter().filter(|line| line.contains("hearth: version=")).count();
        ensure!(boots == 1, "the box was rebooted for it");

        // Left alone it is tried again, and is well.
        wait_ready(&vm, &mut agent, "netd").map(|_| ())
    });
}

#[test]
fn a_kernel_that_hangs_early_is_restarted_by_the_watchdog() {
    scenario("services-hung-early", |folder| {
        let mut vm = VmBuilder::new(folder, &Artifacts::load()?).watchdog().start()?;
        // Armed before services run, not once there is time for it.
        vm.wait_state(0)?;
        gdb::hang(vm.qmp(), folder)?;
        let mark = vm.serial().mark();
        vm.qmp().wait_event("WATCHDOG", BOOT).context("the watchdog never fired")?;
        vm.serial().wait_line(mark, "hearth: version=", BOOT).map(drop)
    });
}

#[test]
fn nothing_that_hangs_holds_up_a_reboot() {
    scenario("services-hung", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent).watchdog().start()?;
        let mut web = vm.wait_web()?;
        expect_usable(&vm, &mut web)?;
        let (mut vm, mut web) = reboot_with_frozen_netd(vm, web)?;

        // Init itself hangs: only the hardware watchdog is left.
        let mut agent = vm.agent()?;
        freeze_init(&mut agent)?;
        drop(agent);
        let mark = vm.serial().mark();
        vm.qmp().wait_event("WATCHDOG", BOOT).context("the watchdog never fired")?;
        vm.serial().wait_line(mark, "hearth: state=ready", BOOT)?;
        ensure!(expect_usable(&vm, &mut web)?, "the set-up is gone");

        // hostd hangs, so the order to switch off comes over init's own socket.
        let mut agent = vm.agent()?;
        let hostd = agent.process("hostd")?.pid;
        agent.kill(hostd, Signal::STOP)?;
        let answer = agent.control(&ControlRequest::PowerOff)?;
        ensure!(answer == ControlAnswer::Accepted, "{answer:?}");
        vm.wait_off(SHUTDOWN).map(|_| ())
    });
}

fn reboot_with_frozen_netd(mut vm: Vm, mut web: Web) -> Result<(Vm, Web)> {
    let mut agent = vm.agent()?;
    let netd = agent.process("netd")?.pid;
    // A stopped process gets no SIGTERM until it goes on: the same as one that ignores it.
    agent.kill(netd, Signal::STOP)?;
    drop(agent);
    let mark = vm.serial().mark();
    expect(&log_in(&mut web)?, 200)?;
    expect(&web.post("/api/v1/system/reboot", &json!({}))?, 202)?;
    vm.qmp().wait_event("RESET", SHUTDOWN).context("the reboot hangs")?;
    vm.serial().wait_line(mark, "hearth: state=ready", BOOT)?;
    let mut web = vm.wait_web()?;
    ensure!(expect_usable(&vm, &mut web)?, "the set-up is gone");
    Ok((vm, web))
}

/// Moves init into a control group of its own and freezes that (cgroup-v2, "cgroup.freeze"): no signal stops PID 1.
fn freeze_init(agent: &mut Agent) -> Result<()> {
    const GROUP: &str = "/sys/fs/cgroup/frozen-init";
    agent.ask(&Request::MakeFolder { path: GROUP.into() })?;
    agent.write(&format!("{GROUP}/cgroup.procs"), "1")?;
    agent.write(&format!("{GROUP}/cgroup.freeze"), "1")
}

pub(crate) fn wait_ready(vm: &Vm, agent: &mut Agent, name: &str) -> Result<ServiceReport> {
    wait_for(vm, agent, name, |now| now.state == ServiceState::Ready)
}

fn wait_for(
    vm: &Vm,
    agent: &mut Agent,
    name: &str,
    fits: impl Fn(&ServiceReport) -> bool,
) -> Result<ServiceReport> {
    let mut last = None;
    let found = vm.wait_until(&format!("a change of {name}"), || {
        let now = report(agent, name)?;
        last = Some(now.clone());
        Ok(fits(&now).then_some(now))
    });
    found.with_context(|| format!("{last:?}"))
}

fn report(agent: &mut Agent, name: &str) -> Result<ServiceReport> {
    let text = agent.read(SERVICES_REPORT)?;
    let report: ServicesReport = serde_json::from_str(&text).with_context(|| format!("no report: {text}"))?;
    report
        .services
        .into_iter()
        .find(|service| service.name == name)
        .with_context(|| format!("no {name} in {text}"))
}
