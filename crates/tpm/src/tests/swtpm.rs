//! A software TPM.

use std::fs::File;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::wait_until;
use crate::Tcti;
use crate::Tpm;

/// A software TPM: its process ends and its folder goes with it.
pub(super) struct Swtpm {
    state: TempDir,
    process: Child,
    port: u16,
}

impl Swtpm {
    pub(super) fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let (process, port) = start(&state, STARTED);
        Self { state, process, port }
    }

    /// One that no firmware started.
    pub(super) fn not_started() -> Self {
        let state = tempfile::tempdir().unwrap();
        let (process, port) = start(&state, NOT_STARTED);
        Self { state, process, port }
    }

    /// Resets the machine that it is in: registers and sessions are lost, the seeds and the counter stay.
    pub(super) fn restart(&mut self) {
        self.stop();
        (self.process, self.port) = start(&self.state, STARTED);
    }

    pub(super) fn stop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        self.process.wait().unwrap();
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Its control port may answer a moment before the one for commands.
    pub(super) fn open(&self) -> Tpm {
        wait_until("swtpm to take commands", || Tpm::open(&Tcti::Swtpm { port: self.port }).ok())
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.stop();
    }
}

const STARTED: &str = "not-need-init,startup-clear";
const NOT_STARTED: &str = "not-need-init";

/// Another process may take a port between the look and the start: then the next pair is tried.
fn start(state: &TempDir, flags: &str) -> (Child, u16) {
    let _turn = turn();
    wait_until("two free ports for swtpm", || {
        let port = free_pair()?;
        let mut process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", flags])
            .arg("--tpmstate")
            .arg(format!("dir={}", state.path().display()))
            .args(["--server", &format!("type=tcp,port={port}")])
            .args(["--ctrl", &format!("type=tcp,port={}", port + 1)])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let runs = wait_until("swtpm", || match process.try_wait().unwrap() {
            Some(_ended) => Some(false),
            // The control port may be asked without disturbing the one for commands.
            None => TcpStream::connect(("127.0.0.1", port + 1)).is_ok().then_some(true),
        });
        runs.then_some((process, port))
    })
}

/// Held from the look for free ports until they are taken: the tests of this crate run side by side.
pub(super) fn turn() -> File {
    let file = File::create(std::env::temp_dir().join("hearth-tpm-tests.lock")).unwrap();
    file.lock().unwrap();
    file
}

/// Two neighbouring ports that are free now, below those that Linux hands out by itself (`ip_local_port_range`, 32768 and up). One of those
/// may become another program's at any moment, which then answers in the place of a software TPM that has not come up.
pub(super) fn free_pair() -> Option<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const PAIRS: u16 = 6_000;
    // Each test is a process of its own; they begin in different places, for a port that was just in use may not be taken at once.
    let own = u16::try_from(std::process::id() % u32::from(PAIRS)).unwrap();
    let pair = (own + NEXT.fetch_add(1, Ordering::Relaxed) % PAIRS) % PAIRS;
    let port = FIRST + 2 * pair;
    let _first = TcpListener::bind(("127.0.0.1", port)).ok()?;
    TcpListener::bind(("127.0.0.1", port + 1)).ok().map(|_second| port)
}
