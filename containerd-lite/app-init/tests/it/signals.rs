//! Signals of the app's program.

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// Starts a program below it; its end is told in the file.
fn start(folder: &tempfile::TempDir, signal: Signal, words: &[&str]) -> Child {
    let end = fs::File::options().append(true).create(true).open(folder.path().join("end")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_app-init"))
        .args([&signal.as_raw().to_string(), "60000"])
        .args(words)
        .stdin(end)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> {
    BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap)
}

/// By a program that leaves its signals as they are; a shell does not.
#[test]
fn a_program_has_no_signal_blocked_and_an_empty_input() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["grep", "-hE", "^Sig(Blk|Ign)|^$", "/proc/self/status", "-"];
    let told: Vec<String> = lines(&mut start(&folder, Signal::TERM, &words)).collect();
    let [blocked, ignored] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(blocked, "SigBlk:\t0000000000000000");
    let ignored = u64::from_str_radix(ignored.trim_start_matches("SigIgn:\t"), 16).unwrap();
    assert_eq!(ignored & (1 << (Signal::PIPE.as_raw() - 1)), 0, "{ignored:x}");
}

/// By a program that waits for nothing but signals.
#[test]
fn the_wish_to_stop_ends_a_program_that_does_nothing_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(&folder, Signal::TERM, &["tail", "-f", "/proc/self/cmdline"]);
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 4]).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    assert!(fs::read_to_string(folder.path().join("end")).unwrap().contains("signal 15"));
}

#[test]
fn the_wish_to_stop_becomes_the_apps_own_signal() {
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::USR1, "USR1")] {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("trap 'exit 42' {name}; echo ready; while :; do sleep 0.1; done");
        let mut child = start(&folder, signal, &["sh", "-c", &script]);
        assert_eq!(lines(&mut child).next().as_deref(), Some("ready"));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(42), "{name}");
        assert!(fs::read_to_string(folder.path().join("end")).unwrap().contains("42"), "{name}");
    }
}

#[test]
fn a_program_that_is_not_there_is_told_as_a_shell_does() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_app-init"));
    let child = command.args(["15", "1000", "/nothing"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(child.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&child.stderr).contains("/nothing"));
}
