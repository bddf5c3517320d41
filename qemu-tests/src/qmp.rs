//! QEMU's monitor (QMP), as far as tests need it.

use crate::wait_until;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// How long QEMU may take to answer: the machine is slow, not dead.
const PATIENCE: Duration = Duration::from_secs(120);
/// Messages that may wait unread.
const QUEUE: usize = 1024;

/// A connection to the monitor.
#[derive(Debug)]
pub struct Qmp {
    socket: UnixStream,
    messages: mpsc::Receiver<Value>,
    events: Vec<Value>,
}

impl Qmp {
    /// Connects as soon as QEMU listens. Everything that is said goes into the trace.
    ///
    /// # Errors
    /// When QEMU does not listen in time or does not greet as QMP does.
    pub fn connect(path: &Path, trace: &Path) -> Result<Self> {
        let socket = wait_until(PATIENCE, "QEMU's monitor socket", || Ok(UnixStream::connect(path).ok()))?;
        let trace = File::options()
            .create(true)
            .append(true)
            .open(trace)
            .context("cannot open the monitor's trace")?;
        let (sender, messages) = mpsc::sync_channel(QUEUE);
        let reader = BufReader::new(socket.try_clone().context("cannot share the monitor's socket")?);
        thread::spawn(move || forward(reader, trace, &sender));
        let mut qmp = Self { socket, messages, events: Vec::new() };
        // An event of the moment between connection and greeting comes first (`monitor_qapi_event_emit` in QEMU's monitor/monitor.c).
        loop {
            let message = qmp.next(PATIENCE).context("the monitor does not greet")?;
            if message.get("QMP").is_some() {
                break;
            }
            qmp.events.push(message);
        }
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and returns what it returns.
    ///
    /// # Errors
    /// When QEMU refuses it (its words are in the text) or has ended.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let line = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
        self.socket.write_all(line.as_bytes()).with_context(|| format!("cannot send {command} to QEMU"))?;
        loop {
            let message = self.next(PATIENCE).with_context(|| format!("no answer to {command}"))?;
            if let Some(value) = message.get("return") {
                return Ok(value.clone());
            }
            if let Some(error) = message.get("error") {
                bail!("QEMU refuses {command}: {error}");
            }
            self.events.push(message);
        }
    }

    /// Runs a command of the human monitor and returns its text.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub fn human(&mut self, line: &str) -> Result<String> {
        let answer = self.execute("human-monitor-command", &json!({ "command-line": line }))?;
        Ok(answer.as_str().context("the human monitor answers without text")?.to_owned())
    }

    /// Waits for an event and forgets it and all before it.
    ///
    /// # Errors
    /// When it does not come in time.
    pub fn wait_event(&mut self, name: &str, deadline: Duration) -> Result<Value> {
        let start = Instant::now();
        loop {
            if let Some(place) = self.events.iter().position(|event| event.get("event") == Some(&json!(name)))
            {
                return self.events.drain(..=place).next_back().context("the event is gone");
            }
            let left = deadline.saturating_sub(start.elapsed());
            let message =
                self.next(left).with_context(|| format!("no event {name} in {} s", deadline.as_secs()))?;
            self.events.push(message);
        }
    }

    fn next(&self, deadline: Duration) -> Result<Value> {
        self.messages.recv_timeout(deadline).context("QEMU's monitor is silent or gone")
    }
}

fn forward(reader: impl BufRead, mut trace: File, sender: &mpsc::SyncSender<Value>) {
    for line in reader.lines().map_while(Result::ok) {
        // The trace is for people; a full disk must not stop the test.
        drop(writeln!(trace, "{line}"));
        let Ok(message) = serde_json::from_str(&line) else { return };
        if sender.send(message).is_err() {
            return;
        }
    }
}

/// Finds the host's port of a forward in the answer to `info usernet`.
#[must_use]
pub fn forwarded_port(usernet: &str, guest_port: u16) -> Option<u16> {
    usernet.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // TCP[HOST_FORWARD]  13  127.0.0.1  35261  10.0.2.15  80  0  0
        let [kind, _, _, host, _, guest, ..] = fields.as_slice() else { return None };
        (*kind == "TCP[HOST_FORWARD]" && guest.parse() == Ok(guest_port)).then(|| host.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn ports_are_found_in_the_usernet_table() {
        let text = "Hub -1 (net0):\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\n  \
                    TCP[HOST_FORWARD]  13       127.0.0.1 35261       10.0.2.15    80     0     0\n  \
                    TCP[HOST_FORWARD]  12       127.0.0.1 41003       10.0.2.15   443     0     0\n  \
                    UDP[236 sec]       15       10.0.2.15 50000       10.0.2.3    53     0     0\n";
        assert_eq!(forwarded_port(text, 80), Some(35261));
        assert_eq!(forwarded_port(text, 443), Some(41003));
        assert_eq!(forwarded_port(text, 22), None);
    }

    #[test]
    fn events_before_the_greeting_and_between_question_and_answer_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmp.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let fake = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(socket.try_clone().unwrap());
            socket.write_all(b"{\"event\":\"RTC_CHANGE\"}\n{\"QMP\":{}}\n").unwrap();
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            socket.write_all(b"{\"return\":{}}\n").unwrap();
            reader.read_line(&mut line).unwrap();
            socket.write_all(b"{\"event\":\"RESET\"}\n{\"return\":\"text\"}\n").unwrap();
            reader.read_line(&mut line).unwrap();
            socket.write_all(b"{\"error\":{\"class\":\"CommandNotFound\"}}\n").unwrap();
            line
        });
        let mut qmp = Qmp::connect(&path, &folder.path().join("trace")).unwrap();
        assert_eq!(qmp.wait_event("RTC_CHANGE", Duration::ZERO).unwrap(), json!({"event": "RTC_CHANGE"}));
        assert_eq!(qmp.human("info usernet").unwrap(), "text");
        assert_eq!(qmp.wait_event("RESET", Duration::ZERO).unwrap(), json!({"event": "RESET"}));
        let error = qmp.execute("nonsense", &json!({})).unwrap_err().to_string();
        assert!(error.contains("CommandNotFound"), "{error}");
        assert!(fake.join().unwrap().contains("info usernet"));
    }
}
