//! The control socket: one JSON line asks, one JSON line answers (`model::control`).
//!
//! Bounded in every direction: few connections, short requests, little time, and no write that waits. The peer's user
//! is asked of the kernel when the connection is accepted.

use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::control::MAX_LINE;
use model::paths;

/// Connections at a time; one more makes the oldest go.
const CONNECTIONS: usize = 8;
/// Longest request: the longest real one gives a reason of 200 bytes.
const LONGEST_REQUEST: usize = 1024;
/// How long a connection may last.
const PATIENCE: Duration = Duration::from_secs(5);

/// The listening socket and its connections.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    connections: Vec<Connection>,
}

/// One peer.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    until: Duration,
    request: Vec<u8>,
    answer: Vec<u8>,
    asked: bool,
    /// The peer's user.
    uid: u32,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Bytes from the peer.
    Read,
    /// Room towards the peer.
    Write,
}

/// What became of a connection after it was looked at.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Waits,
    Asked(Result<ControlRequest, String>),
    Over,
}

impl Control {
    /// Makes the socket. Its mode lets all connect; only the peers that [`allowed`] names are heard.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &str) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        Ok(Self { listener, connections: Vec::new() })
    }

    /// Descriptors to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Wants)> {
        let listening = std::iter::once((self.listener.as_fd(), Wants::Read));
        listening
            .chain(self.connections.iter().map(|connection| (connection.stream.as_fd(), connection.wants())))
    }

    /// When the next connection runs out of time.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.connections.iter().map(|connection| connection.until).min()
    }

    /// Accepts, reads, answers; never blocks. `answer` carries out one request.
    pub fn work(&mut self, now: Duration, answer: &mut dyn FnMut(ControlRequest) -> ControlAnswer) {
        self.accept(now);
        self.connections.retain_mut(|connection| connection.until > now && connection.work(answer));
    }

    fn accept(&mut self, now: Duration) {
        while let Ok((stream, _)) = self.listener.accept() {
            let Ok(peer) = rustix::net::sockopt::socket_peercred(&stream) else { continue };
            let uid = peer.uid.as_raw();
            if !allowed(uid) || stream.set_nonblocking(true).is_err() {
                continue;
            }
            if self.connections.len() >= CONNECTIONS {
                self.connections.remove(0);
            }
            let until = now + PATIENCE;
            self.connections.push(Connection {
                stream,
                until,
                request: Vec::new(),
                answer: Vec::new(),
                asked: false,
                uid,
            });
        }
    }
}

impl Connection {
    fn wants(&self) -> Wants {
        if self.asked { Wants::Write } else { Wants::Read }
    }

    /// Goes as far as possible without waiting; false when the connection is over.
    fn work(&mut self, answer: &mut dyn FnMut(ControlRequest) -> ControlAnswer) -> bool {
        if !self.asked {
            match self.read() {
                Progress::Waits => return true,
                Progress::Over => return false,
                Progress::Asked(request) => {
                    let reply = match request {
                        Ok(request) if !may_ask(self.uid, &request) => {
                            ControlAnswer::Refused { reason: "that is for root to ask".to_owned() }
                        }
                        Ok(request) => answer(request),
                        Err(reason) => ControlAnswer::Refused { reason },
                    };
                    self.answer = encode(&reply);
                    self.asked = true;
                }
            }
        }
        self.write()
    }

    fn read(&mut self) -> Progress {
        let mut buffer = [0; LONGEST_REQUEST];
        match self.stream.read(&mut buffer) {
            Ok(0) => Progress::Over,
            Ok(length) => {
                self.request.extend_from_slice(buffer.get(..length).unwrap_or_default());
                decode(&self.request)
            }
            Err(error) if retry(&error) => Progress::Waits,
            Err(_) => Progress::Over,
        }
    }

    /// Writes what fits; false when all is written or the peer is gone.
    fn write(&mut self) -> bool {
        while !self.answer.is_empty() {
            match self.stream.write(&self.answer) {
                Ok(length) => drop(self.answer.drain(..length)),
                Err(error) => return retry(&error),
            }
        }
        false
    }
}

/// Who may ask: root and hostd.
#[must_use]
pub fn allowed(uid: u32) -> bool {
    uid == 0 || uid == paths::HOSTD_UID
}

/// What it may ask for: disks are brought up for storaged alone.
#[must_use]
pub fn may_ask(uid: u32, request: &ControlRequest) -> bool {
    match request {
        ControlRequest::OpenData
        | ControlRequest::MountBackupDisk { .. }
        | ControlRequest::UnmountBackupDisk { .. } => uid == 0,
        ControlRequest::Reboot
        | ControlRequest::FactoryReset
        | ControlRequest::PowerOff
        | ControlRequest::Logs { .. }
        | ControlRequest::ProtectData
        | ControlRequest::InstallUpdate { .. }
        | ControlRequest::RestartIntoUpdate
        | ControlRequest::ConfirmUpdate
        | ControlRequest::FailUpdate { .. }
        | ControlRequest::Restart { .. } => allowed(uid),
    }
}

fn retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn decode(bytes: &[u8]) -> Progress {
    match first_line(bytes) {
        Some(line) => Progress::Asked(serde_json::from_slice(line).map_err(|error| error.to_string())),
        None if bytes.len() > LONGEST_REQUEST => Progress::Asked(Err("the request is too long".to_owned())),
        None => Progress::Waits,
    }
}

fn first_line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.iter().position(|&byte| byte == b'\n').and_then(|end| bytes.get(..end))
}

/// One line, at most [`MAX_LINE`] bytes: an answer that would be longer is refused instead.
fn encode(answer: &ControlAnswer) -> Vec<u8> {
    let line = serde_json::to_vec(answer).ok().filter(|line| line.len() < MAX_LINE);
    let mut line =
        line.unwrap_or_else(|| br#"{"answer":"refused","reason":"the answer is too long"}"#.to_vec());
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::io::BufReader;

    use model::storage::backup_disk::DiskFileSystem;

    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn open() -> (tempfile::TempDir, Control) {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open(folder.path().join("control").to_str().unwrap()).unwrap();
        (folder, control)
    }

    fn accept_all(request: ControlRequest) -> ControlAnswer {
        match request {
            ControlRequest::Reboot => ControlAnswer::Accepted,
            ControlRequest::Restart { unit } => ControlAnswer::Refused { reason: unit },
            ControlRequest::PowerOff
            | ControlRequest::FactoryReset
            | ControlRequest::Logs { .. }
            | ControlRequest::MountBackupDisk { .. }
            | ControlRequest::UnmountBackupDisk { .. }
            | ControlRequest::ProtectData
            | ControlRequest::InstallUpdate { .. }
            | ControlRequest::RestartIntoUpdate
            | ControlRequest::ConfirmUpdate
            | ControlRequest::FailUpdate { .. }
            | ControlRequest::OpenData => ControlAnswer::Logs { lines: Vec::new() },
        }
    }

    fn ask(text: &[u8]) -> String {
        let (folder, mut control) = open();
        let mut peer = UnixStream::connect(folder.path().join("control")).unwrap();
        for piece in text.chunks(7) {
            let _closed_early = peer.write_all(piece);
            control.work(NOW, &mut accept_all);
        }
        let mut line = String::new();
        BufReader::new(peer).read_line(&mut line).unwrap();
        assert!(control.connections.is_empty());
        line
    }

    #[test]
    fn a_request_in_pieces_is_answered() {
        assert_eq!(ask(b"{\"ask\":\"reboot\"}\n"), "{\"answer\":\"accepted\"}\n");
    }

    #[test]
    fn bad_requests_are_refused_with_a_reason() {
        for bad in [b"{}\n".as_slice(), b"\n", b"{\"ask\":\"format\"}\n", b"\xff\xff\n", &[b'x'; 2000]] {
            let answer = ask(bad);
            assert!(answer.starts_with("{\"answer\":\"refused\",\"reason\":\""), "{answer}");
        }
    }

    #[test]
    fn connections_are_few_and_short() {
        let (folder, mut control) = open();
        let idle: Vec<UnixStream> =
            (0..20).map(|_| UnixStream::connect(folder.path().join("control")).unwrap()).collect();
        control.work(NOW, &mut accept_all);
        assert_eq!(control.connections.len(), CONNECTIONS);
        assert_eq!(control.due(), Some(NOW + PATIENCE));
        control.work(NOW + PATIENCE, &mut accept_all);
        assert!(control.connections.is_empty());
        drop(idle);
    }

    #[test]
    fn a_peer_that_does_not_read_holds_nobody_up() {
        let (folder, mut control) = open();
        let mut peer = UnixStream::connect(folder.path().join("control")).unwrap();
        peer.write_all(b"{\"ask\":\"reboot\"}\n").unwrap();
        let mut lines = |_| ControlAnswer::Logs { lines: vec!["x".repeat(200_000)] };
        control.work(NOW, &mut lines);
        control.work(NOW, &mut lines);
        peer.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut all = Vec::new();
        let mut buffer = [0; 65536];
        while !all.ends_with(b"\n") {
            control.work(NOW, &mut lines);
            let length = peer.read(&mut buffer).unwrap();
            all.extend_from_slice(&buffer[..length]);
        }
        assert!(all.len() > 200_000);
    }

    #[test]
    fn an_answer_is_never_longer_than_agreed() {
        let long = ControlAnswer::Logs { lines: vec!["x".repeat(MAX_LINE)] };
        assert!(encode(&long).len() < 100);
        assert_eq!(encode(&ControlAnswer::Accepted), b"{\"answer\":\"accepted\"}\n");
    }

    #[test]
    fn only_root_and_hostd_are_heard() {
        assert!(allowed(0) && allowed(paths::HOSTD_UID));
        assert!(!allowed(paths::NETD_UID) && !allowed(65534) && !allowed(1000));
        assert!(may_ask(0, &ControlRequest::OpenData) && may_ask(paths::HOSTD_UID, &ControlRequest::Reboot));
        assert!(!may_ask(paths::HOSTD_UID, &ControlRequest::OpenData));
        assert!(may_ask(paths::HOSTD_UID, &ControlRequest::ProtectData));
        assert!(!may_ask(paths::NETD_UID, &ControlRequest::ProtectData));
        let fail = ControlRequest::FailUpdate { why: "netd has no address".to_owned() };
        for request in [&fail, &ControlRequest::ConfirmUpdate, &ControlRequest::RestartIntoUpdate] {
            assert!(may_ask(paths::HOSTD_UID, request) && !may_ask(paths::NETD_UID, request));
        }
        let mount = ControlRequest::MountBackupDisk {
            order: 1,
            device: "sdb1".to_owned(),
            file_system: DiskFileSystem::Vfat,
        };
        assert!(may_ask(0, &mount) && !may_ask(paths::HOSTD_UID, &mount));
        assert!(!may_ask(paths::NETD_UID, &ControlRequest::PowerOff));
        assert!(!may_ask(paths::NETD_UID, &ControlRequest::FactoryReset));
    }
}
