//! Updates from the download to a good system, or back.

use std::fs;

use installer::verb::Verb;
use installer::work::Outcome;
use model::update::FailureLog;
use model::update::SlotReportState;
use model::update::SlotStanding;
use model::update::UpdateOrder;
use slots::uefi::variable;

use super::box_of_files::Box;
use super::box_of_files::Signed;
use super::box_of_files::automatic;
use super::box_of_files::bytes_of;
use super::box_of_files::failed;
use super::box_of_files::install;
use super::box_of_files::slot;

#[test]
fn an_update_is_installed_tried_and_kept() {
    let it = Box::new(8);
    let signed = it.download("2", 2000);
    assert_eq!(it.run(&automatic("2"), &signed).unwrap(), Outcome::Done);
    assert_eq!(it.names(), ["hearth_1.efi", "hearth_2+1-0.efi"]);
    assert_eq!(bytes_of(&it, "hearth_2+1-0.efi"), slot("2", 2000));
    let report = it.report();
    assert_eq!(
        (report.armed.as_deref(), report.progress, report.last.unwrap().problem),
        (Some("2"), None, None)
    );
    assert_eq!(it.does(&Verb::Restart), Outcome::Restart);
    assert!(!it.variable_path(variable::ONE_SHOT).exists());
    it.loader_tries("2");
    assert_eq!(it.does(&Verb::Booted), Outcome::Done);
    assert_eq!(it.report().running.unwrap().standing, SlotStanding::OnTrial);
    assert_eq!(it.does(&Verb::Confirmed), Outcome::Done);
    assert_eq!(it.names(), ["hearth_1.efi", "hearth_2.efi"]);
    assert_eq!(it.report().running.unwrap().standing, SlotStanding::Kept);
    assert_eq!(it.does(&Verb::Confirmed), Outcome::Done);
    // The next one takes the place of version 1.
    let signed = it.download("3", 2000);
    it.run(&automatic("3"), &signed).unwrap();
    assert_eq!(it.names(), ["hearth_2.efi", "hearth_3+1-0.efi"]);
}

#[test]
fn an_update_that_is_not_healthy_goes_back_and_stays_away() {
    let it = Box::new(8);
    it.run(&automatic("2"), &it.download("2", 100)).unwrap();
    it.loader_tries("2");
    fs::write(it.places.log_tail(), "9.0 netd: no address\n").unwrap();
    assert_eq!(it.does(&failed("netd has no address")), Outcome::Restart);
    it.boots("hearth_1.efi", None);
    assert_eq!(it.does(&Verb::Booted), Outcome::Done);
    assert_eq!(it.names(), ["hearth_1.efi"]);
    let report = it.report();
    assert_eq!(report.failed[0].reason, "it was not healthy: netd has no address");
    let log = FailureLog {
        version: "2".to_owned(),
        why: "netd has no address".to_owned(),
        text: "9.0 netd: no address\n".to_owned(),
    };
    assert_eq!(report.failure, Some(log));
    let signed = it.download("2", 100);
    it.run(&automatic("2"), &signed).unwrap_err();
    assert_eq!(it.problem(), "2 failed before: it was not healthy: netd has no address");
    it.run(&install("2", UpdateOrder::Asked), &signed).unwrap();
    assert!(it.report().failed.is_empty() && it.report().armed.is_some());
}

#[test]
fn a_failure_with_locked_data_is_kept_on_the_boot_partition() {
    let it = Box::new(8);
    it.run(&automatic("2"), &it.download("2", 100)).unwrap();
    it.loader_tries("2");
    fs::remove_dir_all(&it.places.state).unwrap();
    fs::write(it.places.log_tail(), "5.0 storaged: the TPM refuses\n").unwrap();
    assert_eq!(it.does(&Verb::Booted), Outcome::Done);
    assert_eq!(it.does(&failed("the data did not open")), Outcome::Restart);
    assert!(!it.places.state.exists());
    it.boots("hearth_1.efi", None);
    // Locked still: nothing is removed without a note.
    it.does(&Verb::Booted);
    assert_eq!(it.names(), ["hearth_1.efi", "hearth_2+0-1.efi"]);
    let state = it.report().slots[0].state.clone();
    assert!(matches!(state, SlotReportState::Bad { .. }), "{state:?}");
    fs::create_dir(&it.places.state).unwrap();
    it.does(&Verb::Booted);
    assert_eq!(it.names(), ["hearth_1.efi"]);
    let report = it.report();
    assert_eq!(report.failure.unwrap().text, "5.0 storaged: the TPM refuses\n");
    assert_eq!(report.failed[0].version, "2");
    assert_eq!(report.failed[0].reason, "it was not healthy: the data did not open");
}

#[test]
fn what_the_kernel_said_last_belongs_to_the_version_that_failed() {
    let it = Box::new(8);
    it.run(&automatic("2"), &it.download("2", 100)).unwrap();
    it.loader_tries("2");
    fs::write(it.places.pstore.join("dmesg-efi_pstore-1"), "Kernel panic - not syncing\n").unwrap();
    it.boots("hearth_1.efi", None);
    it.does(&Verb::Booted);
    let found = it.report().failure.unwrap();
    assert_eq!((found.version.as_str(), found.text.as_str()), ("2", "Kernel panic - not syncing\n"));
    assert_eq!(it.report().failed[0].reason, "it was not healthy: the kernel stopped");
}

#[test]
fn an_older_system_is_named_to_the_loader() {
    let it = Box::new(8);
    let signed = it.download("0.9", 100);
    it.run(&install("0.9", UpdateOrder::Asked), &signed).unwrap_err();
    it.run(&install("0.9", UpdateOrder::AskedLower), &signed).unwrap();
    for _ in 0..2 {
        assert_eq!(it.does(&Verb::Restart), Outcome::Restart);
        // The loader knows systems by their names without counters.
        let value = fs::read(it.variable_path(variable::ONE_SHOT)).unwrap();
        assert_eq!(variable::decode(&value).unwrap(), "hearth_0.9.efi");
    }
}

#[test]
fn a_system_that_is_kept_neither_fails_nor_restarts_for_it() {
    let it = Box::new(8);
    it.run(&failed("somebody says so"), &Signed(None)).unwrap_err();
    assert_eq!(it.problem(), "1 is not on trial");
    assert_eq!(it.names(), ["hearth_1.efi"]);
    assert!(it.report().failure.is_none() && it.report().failed.is_empty());
}

#[test]
fn without_a_loader_nothing_is_touched() {
    let it = Box::new(8);
    fs::remove_file(it.variable_path(variable::SELECTED)).unwrap();
    it.does(&Verb::Booted);
    assert_eq!((it.report().running, it.report().last.unwrap().problem), (None, None));
    let signed = it.download("2", 100);
    for verb in [automatic("2"), Verb::Confirmed, failed("no"), Verb::Restart] {
        it.run(&verb, &signed).unwrap_err();
    }
    assert_eq!(it.names(), ["hearth_1.efi"]);
}

#[test]
fn the_loader_and_a_system_are_never_changed_in_one_boot() {
    let it = Box::new(8);
    let loader = |version: &str| format!("#### LoaderInfo: systemd-boot {version} ####");
    let carried = it.places.trust.join("systemd-bootx64.efi");
    let (installed, fallback) =
        (it.places.esp.join("EFI/systemd/systemd-bootx64.efi"), it.places.esp.join("EFI/BOOT/BOOTX64.EFI"));
    for path in [&installed, &fallback] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, loader("257.13-1~deb13u1")).unwrap();
    }
    fs::write(&carried, loader("258-1")).unwrap();
    it.run(&automatic("2"), &it.download("2", 100)).unwrap();
    it.run(&Verb::Loader, &Signed(None)).unwrap_err();
    assert_eq!(it.problem(), "an update waits; the loader comes after it");
    it.loader_tries("2");
    fs::remove_file(it.places.installed()).unwrap();
    it.run(&Verb::Loader, &Signed(None)).unwrap_err();
    assert_eq!(it.problem(), "2 runs on trial and has to be confirmed first");
    it.does(&Verb::Confirmed);
    assert_eq!(fs::read_to_string(&fallback).unwrap(), loader("257.13-1~deb13u1"));
    it.does(&Verb::Loader);
    for path in [&installed, &fallback] {
        assert_eq!(fs::read_to_string(path).unwrap(), loader("258-1"));
    }
    it.run(&automatic("3"), &it.download("3", 100)).unwrap_err();
    assert_eq!(it.problem(), "the loader is new: the box has to restart with it first");
    // The next boot.
    fs::remove_file(it.places.new_loader()).unwrap();
    it.does(&Verb::Loader);
    it.run(&automatic("3"), &it.download("3", 100)).unwrap();
    assert_eq!(it.names(), ["hearth_2.efi", "hearth_3+1-0.efi"]);
}
