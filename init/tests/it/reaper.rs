//! The reaper with real children.

use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use init::reaper;
use init::reaper::Ending;
use init::reaper::Reaper;
use init::reaper::RunError;

/// wait(2) takes any child of the process, also those of a test that runs beside.
static CHILDREN: Mutex<()> = Mutex::new(());

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_program_is_run_to_its_end() {
    let _alone = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut reaper = Reaper::default();
    let mut run =
        |script: &str| reaper.run(Command::new("/bin/sh").args(["-c", script]), LONG, &mut || {}).unwrap();
    assert_eq!(run("exit 0"), Ending::Code(0));
    assert_eq!(run("exit 3"), Ending::Code(3));
    assert_eq!(run("kill -9 $$"), Ending::Signal(9));
}

#[test]
fn a_program_that_hangs_is_killed_and_the_watchdog_is_petted_meanwhile() {
    let _alone = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut petted = 0;
    let mut command = Command::new("/bin/sleep");
    let error =
        Reaper::default().run(command.arg("600"), Duration::from_secs(2), &mut || petted += 1).unwrap_err();
    assert!(matches!(error, RunError::TooLong { .. }), "{error}");
    assert!(petted >= 1);
}

#[test]
fn other_children_that_end_meanwhile_are_kept_for_collect() {
    let _alone = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut reaper = Reaper::default();
    let other = reaper::start(Command::new("/bin/sh").args(["-c", "exit 7"])).unwrap();
    reaper.run(Command::new("/bin/sh").args(["-c", "sleep 0.2"]), LONG, &mut || {}).unwrap();
    let deadline = Instant::now() + LONG;
    let mut exits = Vec::new();
    while exits.is_empty() && Instant::now() < deadline {
        exits = reaper.collect();
    }
    assert_eq!(exits, [reaper::Exit { pid: other.pid, ending: Ending::Code(7) }]);
}

#[test]
fn a_missing_program_is_named() {
    let _alone = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    let error = reaper::start(&mut Command::new("/nonexistent/mke2fs")).unwrap_err();
    assert_eq!(error.to_string(), "starting /nonexistent/mke2fs");
}
