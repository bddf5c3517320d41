//! What the rows promise.

use std::collections::HashSet;

use super::*;

#[test]
fn names_are_unique_and_order_refers_only_to_earlier_rows() {
    let mut earlier = HashSet::new();
    for service in SERVICES {
        for before in service.after {
            assert!(earlier.contains(before), "{} after {before}", service.name);
        }
        assert!(earlier.insert(service.name), "{} twice", service.name);
    }
}

#[test]
fn every_service_of_a_shipped_box_is_confined_and_only_those_that_must_are_root() {
    for service in SERVICES.iter().filter(|service| service.name != "agent") {
        match service.confinement {
            Confinement::Sandbox(_) => assert_ne!(service.name, CONTAINERD_LITE),
            Confinement::Forbidden { calls, reason } => {
                assert_eq!(service.name, CONTAINERD_LITE);
                assert!(calls.contains(&libc::SYS_finit_module) && reason.contains("Landlock"));
            }
            Confinement::Nothing => panic!("{}", service.name),
        }
        let is_root = ["storaged", CONTAINERD_LITE].contains(&service.name);
        assert_eq!(service.user == 0, is_root, "{}", service.name);
        assert!(!service.capabilities.is_all(), "{}", service.name);
        assert!(service.ready_within >= Duration::from_secs(30));
    }
    assert!(find("hostd").unwrap().capabilities.is_empty());
    assert!(find("sshd").is_none());
}

/// It is root for its devices and nothing else.
#[test]
fn storaged_reaches_no_network_and_no_file_of_others_and_only_it_runs_programs() {
    let storaged = find("storaged").unwrap();
    let sandbox = storaged.confinement.sandbox().unwrap();
    assert_eq!(sandbox.families, [libc::AF_UNIX]);
    assert!(sandbox.listens.is_empty());
    let data: Vec<&&str> = sandbox.write.iter().filter(|path| path.starts_with("/data")).collect();
    assert_eq!(data, [&paths::STORAGED_STATE]);
    let powers =
        CapabilitySet::SYS_ADMIN | CapabilitySet::MKNOD | CapabilitySet::CHOWN | CapabilitySet::SYS_RAWIO;
    assert_eq!(storaged.capabilities, powers);
    for service in SERVICES.iter().filter(|service| service.name != "storaged") {
        let Some(sandbox) = service.confinement.sandbox() else { continue };
        let is_plain = sandbox.programs.is_empty() && sandbox.devices.is_empty() && sandbox.lists.is_empty();
        assert!(is_plain, "{}", service.name);
    }
}

#[test]
fn who_may_write_to_the_data_partition_is_held_while_it_is_brought_up() {
    for service in SERVICES.iter().filter(|service| service.name != "agent") {
        // Without a sandbox it may write everywhere.
        let writes = service.confinement.sandbox().map(|sandbox| sandbox.write);
        let keeps_state = writes.is_none_or(|paths| paths.iter().any(|path| path.starts_with("/data")));
        assert_eq!(service.keeps_state, keeps_state, "{}", service.name);
    }
}

/// The last row is stopped first: apps that are told to end must not be started again.
#[test]
fn the_container_daemon_is_stopped_before_all_others_and_holds_no_power_over_the_kernel() {
    let last = SERVICES.last().unwrap();
    assert_eq!(last.name, CONTAINERD_LITE);
    let never = CapabilitySet::SYS_MODULE
        | CapabilitySet::SYS_RAWIO
        | CapabilitySet::SYS_TIME
        | CapabilitySet::SYS_BOOT
        | CapabilitySet::MKNOD
        | CapabilitySet::NET_RAW
        | CapabilitySet::BPF
        | CapabilitySet::MAC_ADMIN;
    assert!(last.capabilities.intersection(never).is_empty());
}

/// It makes programs of a new system from those that run (docs/adr/0030).
#[test]
fn hostd_reads_the_programs_of_the_root_and_changes_none() {
    let sandbox = find("hostd").unwrap().confinement.sandbox().unwrap();
    let holds = |paths: &[&str]| paths.iter().any(|path| STORAGED.starts_with(&format!("{path}/")));
    assert!(holds(sandbox.read) && !holds(sandbox.write));
    assert!(sandbox.programs.is_empty());
}

#[test]
fn only_netd_sets_the_clock() {
    for service in SERVICES.iter().filter(|service| service.name != "agent") {
        let may = service.name == "netd";
        assert_eq!(service.capabilities.contains(CapabilitySet::SYS_TIME), may, "{}", service.name);
        for call in [libc::SYS_clock_settime, libc::SYS_clock_adjtime] {
            let can = match service.confinement {
                Confinement::Sandbox(sandbox) => sandbox.calls_also.contains(&call),
                Confinement::Forbidden { calls, .. } => !calls.contains(&call),
                Confinement::Nothing => true,
            };
            assert_eq!(can, may, "{}", service.name);
        }
    }
}

/// Nobody else may start them, and a box without a radio pays nothing for them.
#[test]
fn what_wifi_needs_runs_only_with_a_radio_and_holds_little() {
    let wireless: Vec<&Service> = SERVICES.iter().filter(|s| s.when == When::Wireless).collect();
    assert_eq!(wireless.iter().map(|service| service.name).collect::<Vec<_>>(), ["wifi-bus", "iwd"]);
    assert!(find("wifi-bus").unwrap().capabilities.is_empty());
    let iwd = find("iwd").unwrap();
    assert_eq!(iwd.capabilities, CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW);
    let foreign: Vec<&str> =
        SERVICES.iter().filter(|s| s.readiness == Readiness::Running).map(|s| s.name).collect();
    assert_eq!(foreign, ["iwd"]);
    let writes = iwd.confinement.sandbox().unwrap().write;
    assert_eq!(
        writes.iter().filter(|path| path.starts_with("/data")).collect::<Vec<_>>(),
        [&paths::IWD_STATE]
    );
}

#[test]
fn only_the_agent_depends_on_a_file_and_only_it_is_unconfined() {
    let odd: Vec<&str> = SERVICES
        .iter()
        .filter(|s| matches!(s.when, When::FileExists(_)) || matches!(s.confinement, Confinement::Nothing))
        .map(|s| s.name)
        .collect();
    assert_eq!(odd, ["agent"]);
}
