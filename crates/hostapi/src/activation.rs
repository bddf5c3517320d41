//! What PID 1 hands to a daemon, and what the daemon tells PID 1: the sd_listen_fds(3) and sd_notify(3) protocols.
//!
//! [`Sockets::from_env`] is called once, at the start of `main`; sockets are then taken by name. [`notify`] may be called at any time.

use listenfd::ListenFd;
use std::env::VarError;
use std::ffi::OsStr;
use std::fmt;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::os::unix::net::UnixListener;

/// Sockets that were handed over and not taken yet.
pub struct Sockets {
    fds: ListenFd,
    names: Vec<String>,
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("count", &self.fds.len()).field("names", &self.names).finish()
    }
}

/// Why a socket could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// No socket of that name was handed over, or it was taken before.
    #[error("no socket named {name} was handed over in LISTEN_FDS")]
    Absent {
        /// Name asked for.
        name: String,
    },
    /// The descriptor is no listening socket of the kind asked for.
    #[error("the socket {name} is not of the kind that was expected")]
    WrongKind {
        /// Name asked for.
        name: String,
        /// What was found.
        #[source]
        source: std::io::Error,
    },
    /// Its flags could not be set.
    #[error("make the socket {name} non-blocking")]
    Flags {
        /// Name asked for.
        name: String,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

impl Sockets {
    /// Reads `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`; empty when they are absent or meant for another process.
    ///
    /// Takes the first two out of the environment, so it must run before any other thread exists.
    #[must_use]
    pub fn from_env() -> Self {
        Self::new(ListenFd::from_env(), std::env::var("LISTEN_FDNAMES").ok().as_deref())
    }

    fn new(fds: ListenFd, names: Option<&str>) -> Self {
        let names = names.map_or_else(Vec::new, |names| names.split(':').map(str::to_owned).collect());
        Self { fds, names }
    }

    /// Takes the listening Unix stream socket of that name, non-blocking and closed on exec.
    ///
    /// # Errors
    ///
    /// When there is no such socket, or it is of another kind.
    pub fn take_unix(&mut self, name: &str) -> Result<UnixListener, TakeError> {
        let index = self.index(name)?;
        let listener = self
            .fds
            .take_unix_listener(index)
            .map_err(|source| TakeError::WrongKind { name: name.to_owned(), source })?
            .ok_or_else(|| TakeError::Absent { name: name.to_owned() })?;
        listener
            .set_nonblocking(true)
            .map_err(|source| TakeError::Flags { name: name.to_owned(), source })?;
        Ok(listener)
    }

    /// Takes the listening TCP socket of that name, non-blocking and closed on exec.
    ///
    /// # Errors
    ///
    /// When there is no such socket, or it is of another kind.
    pub fn take_tcp(&mut self, name: &str) -> Result<TcpListener, TakeError> {
        let index = self.index(name)?;
        let listener = self
            .fds
            .take_tcp_listener(index)
            .map_err(|source| TakeError::WrongKind { name: name.to_owned(), source })?
            .ok_or_else(|| TakeError::Absent { name: name.to_owned() })?;
        listener
            .set_nonblocking(true)
            .map_err(|source| TakeError::Flags { name: name.to_owned(), source })?;
        Ok(listener)
    }

    fn index(&self, name: &str) -> Result<usize, TakeError> {
        self.names
            .iter()
            .position(|known| known == name)
            .ok_or_else(|| TakeError::Absent { name: name.to_owned() })
    }
}

/// Whether somebody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notified {
    /// The message was sent.
    Sent,
    /// `NOTIFY_SOCKET` is not set: nobody watches this process.
    NobodyListens,
}

/// Why PID 1 could not be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// `NOTIFY_SOCKET` is not the address of a Unix socket.
    #[error("NOTIFY_SOCKET={address} is not the address of a Unix socket")]
    Address {
        /// What it says.
        address: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The datagram could not be sent.
    #[error("send to the notify socket {address}")]
    Send {
        /// Where it was to go.
        address: String,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

/// Sends assignments such as `READY=1` or `STATUS=…` to PID 1 in one datagram; line breaks inside an assignment become spaces.
///
/// # Errors
///
/// When somebody listens and cannot be told.
pub fn notify(assignments: &[&str]) -> Result<Notified, NotifyError> {
    match std::env::var("NOTIFY_SOCKET") {
        Ok(address) => notify_at(&address, assignments).map(|()| Notified::Sent),
        Err(VarError::NotPresent) => Ok(Notified::NobodyListens),
        Err(VarError::NotUnicode(address)) => Err(NotifyError::Address {
            address: address.to_string_lossy().into_owned(),
            source: std::io::ErrorKind::InvalidInput.into(),
        }),
    }
}

fn notify_at(address: &str, assignments: &[&str]) -> Result<(), NotifyError> {
    let target = match address.strip_prefix('@') {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(OsStr::from_bytes(address.as_bytes())),
    }
    .map_err(|source| NotifyError::Address { address: address.to_owned(), source })?;
    let send = || {
        let socket = UnixDatagram::unbound()?;
        // A full queue must not stop the daemon: PID 1 waits for nobody, and nobody waits for PID 1.
        socket.set_nonblocking(true)?;
        socket.send_to_addr(message(assignments).as_bytes(), &target)
    };
    send().map_err(|source| NotifyError::Send { address: address.to_owned(), source })?;
    Ok(())
}

fn message(assignments: &[&str]) -> String {
    let mut text = String::new();
    for assignment in assignments {
        text.extend(assignment.chars().map(|c| if c == '\n' { ' ' } else { c }));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_arrives_in_one_datagram_with_one_assignment_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let pid1 = UnixDatagram::bind(&path).unwrap();
        notify_at(path.to_str().unwrap(), &["READY=1", "STATUS=two\nlines"]).unwrap();
        let mut bytes = [0; 256];
        let count = pid1.recv(&mut bytes).unwrap();
        assert_eq!(std::str::from_utf8(&bytes[..count]).unwrap(), "READY=1\nSTATUS=two lines\n");
    }

    #[test]
    fn a_notification_reaches_an_abstract_address() {
        let name = format!("hearth-notify-{}", std::process::id());
        let pid1 = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        notify_at(&format!("@{name}"), &["STOPPING=1"]).unwrap();
        let mut bytes = [0; 256];
        let count = pid1.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"STOPPING=1\n");
    }

    #[test]
    fn a_notification_to_nobody_is_an_error_that_names_the_address() {
        let error = notify_at("/nonexistent/notify", &["READY=1"]).unwrap_err();
        assert!(format!("{error}").contains("/nonexistent/notify"), "{error}");
    }

    #[test]
    fn names_pick_the_socket_and_a_socket_is_taken_once() {
        let unknown = Sockets::new(ListenFd::empty(), Some("http:https")).take_tcp("net1").unwrap_err();
        assert!(matches!(unknown, TakeError::Absent { name } if name == "net1"));
        let named_but_absent =
            Sockets::new(ListenFd::empty(), Some("http:https")).take_tcp("https").unwrap_err();
        assert!(matches!(named_but_absent, TakeError::Absent { name } if name == "https"));
    }
}
