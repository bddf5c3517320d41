//! Carries out requests.

use crate::files;
use crate::network::Lab;
use crate::processes;
use crate::programs;
use crate::protocol::Answer;
use crate::protocol::Request;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::time::ClockId;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where init takes control requests (docs/spec/boot.md).
const CONTROL_SOCKET: &str = "/run/hearth/control";
/// How long init may take for an answer.
const CONTROL_PATIENCE: Duration = Duration::from_secs(60);

/// Answers one line; what cannot be done is an answer too.
#[must_use]
pub fn to_line(lab: &mut Lab, line: &[u8]) -> Answer {
    match serde_json::from_slice::<Request>(line) {
        Ok(request) => to_request(lab, &request)
            .unwrap_or_else(|error| Answer::Failed { reason: format!("{request:?}: {error}") }),
        Err(error) => Answer::Failed { reason: format!("not a request: {error}") },
    }
}

fn to_request(lab: &mut Lab, request: &Request) -> io::Result<Answer> {
    match request {
        Request::Ping => Ok(Answer::Done),
        Request::ReadFile { path } => Ok(Answer::Text { text: files::read(path)? }),
        Request::WriteFile { path, text } => {
            File::options().write(true).open(path)?.write_all(text.as_bytes())?;
            Ok(Answer::Done)
        }
        Request::Fill { path, wholly } => {
            files::fill(path, *wholly)?;
            Ok(Answer::Done)
        }
        Request::Copy { from, to } => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()?;
            Ok(Answer::Done)
        }
        Request::RemoveFile { path } => {
            fs::remove_file(path)?;
            Ok(Answer::Done)
        }
        Request::MakeFolder { path } => {
            fs::create_dir(path)?;
            Ok(Answer::Done)
        }
        Request::Walk { path } => Ok(Answer::Entries { entries: files::walk(path)? }),
        Request::Find { path, text } => {
            let (paths, locked) = files::find(path, text)?;
            Ok(Answer::Found { paths, locked })
        }
        Request::Processes => Ok(Answer::Processes { processes: processes::list()? }),
        Request::Kill { pid, signal } => kill(*pid, *signal),
        Request::Control { line } => control(line),
        Request::Sync => {
            rustix::fs::sync();
            Ok(Answer::Done)
        }
        Request::Clock => {
            Ok(Answer::Clock { seconds: rustix::time::clock_gettime(ClockId::Realtime).tv_sec })
        }
        Request::Install { path, bytes } => {
            programs::install(path, bytes)?;
            Ok(Answer::Done)
        }
        Request::Run { program, arguments, input } => programs::run(program, arguments, input),
        Request::Network { order } => Ok(Answer::Network { outcome: lab.carry_out(order)? }),
    }
}

fn kill(pid: u32, signal: i32) -> io::Result<Answer> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| invalid("no such process id"))?;
    let signal = Signal::from_named_raw(signal).ok_or_else(|| invalid("no such signal"))?;
    rustix::process::kill_process(pid, signal)?;
    Ok(Answer::Done)
}

fn control(line: &str) -> io::Result<Answer> {
    let mut socket = UnixStream::connect(CONTROL_SOCKET)?;
    socket.set_read_timeout(Some(CONTROL_PATIENCE))?;
    socket.write_all(line.as_bytes())?;
    socket.write_all(b"\n")?;
    let mut text = String::new();
    BufReader::new(socket).read_line(&mut text)?;
    Ok(Answer::Text { text: text.trim_end().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_an_answer_that_names_the_request() {
        let answer = to_line(&mut Lab::default(), br#"{"ask":"read_file","path":"/does/not/exist"}"#);
        let Answer::Failed { reason } = answer else { panic!("{answer:?}") };
        assert!(reason.contains("/does/not/exist"), "{reason}");
        assert!(matches!(to_line(&mut Lab::default(), b"{}"), Answer::Failed { .. }));
        assert!(matches!(
            to_line(&mut Lab::default(), br#"{"ask":"kill","pid":0,"signal":9}"#),
            Answer::Failed { .. }
        ));
    }

    #[test]
    fn a_file_is_read() {
        let answer = to_line(&mut Lab::default(), br#"{"ask":"read_file","path":"/proc/self/comm"}"#);
        assert!(matches!(answer, Answer::Text { text } if !text.is_empty()));
    }
}
