//! Has `containerd-lite-run` carry out one order, within a time.

use super::order::Answer;
use super::order::MAX_LINE;
use super::order::Order;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::io::Errno;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

/// Longest answer: what a program printed, every byte written in six.
const MAX_ANSWER: usize = 64 << 10;

/// Starts the program, tells it the order and hears its answer; it is gone afterwards, whatever it did.
pub(super) fn ask(program: &Path, order: &Order, patience: Duration) -> io::Result<Answer> {
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    if u64::try_from(line.len()).is_ok_and(|length| length > MAX_LINE) {
        return Err(io::Error::other("its words and variables are too long"));
    }
    let mut child = Command::new(program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let answer = talk(&mut child, &line, Instant::now() + patience);
    if answer.is_err() {
        drop(child.kill());
    }
    let status = child.wait()?;
    let answer = answer?;
    if answer.is_empty() {
        return Err(io::Error::other(format!("{} ended without an answer: {status}", program.display())));
    }
    Ok(serde_json::from_slice(&answer)?)
}

fn talk(child: &mut Child, line: &[u8], give_up: Instant) -> io::Result<Vec<u8>> {
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("it has no pipes"));
    };
    // It reads all of it before it does anything.
    stdin.write_all(line)?;
    drop(stdin);
    read_until(stdout, give_up)
}

fn read_until(mut stdout: ChildStdout, give_up: Instant) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while answer.len() <= MAX_ANSWER {
        let left = give_up.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long"));
        }
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let length = stdout.read(&mut buffer)?;
        if length == 0 {
            return Ok(answer);
        }
        answer.extend(buffer.iter().take(length));
    }
    Err(io::Error::other("its answer is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::order::Inside;
    use crate::run::user::User;
    use crate::runtime::ContainerId;
    use std::os::unix::fs::PermissionsExt as _;

    fn ask_script(script: &str, patience: Duration) -> io::Result<Answer> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let user = User { uid: 0, gid: 0, groups: vec![], home: "/".to_owned() };
        let order = Order::Inside(Inside {
            id: ContainerId { app: "app1".parse().unwrap(), name: "b".parse().unwrap() },
            pid: 1,
            ticks: 1,
            user,
            environment: vec!["A=".to_owned() + &"x".repeat(200_000)],
            working_folder: "/".to_owned(),
            words: vec![],
            patience: Duration::from_secs(1),
        });
        ask(&program, &order, patience)
    }

    #[test]
    fn an_answer_is_heard_and_anything_else_is_an_error() {
        let minute = Duration::from_secs(60);
        assert_eq!(ask_script("cat >/dev/null; echo '\"too_long\"'", minute).unwrap(), Answer::TooLong);
        for script in ["cat >/dev/null", "cat >/dev/null; echo x", "cat >/dev/null; yes"] {
            ask_script(script, minute).unwrap_err();
        }
    }

    #[test]
    fn a_program_that_says_nothing_is_ended() {
        let error = ask_script("cat >/dev/null; exec sleep 1000", Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
