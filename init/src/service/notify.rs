//! The sd_notify protocol (sd_notify(3)): datagrams of `KEY=value` lines, the sender named by the kernel.

use std::fs;
use std::io;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::process::Pid;

/// Longest datagram that is looked at.
const LONGEST: usize = 4096;
/// Longest status that is kept.
const LONGEST_STATUS: usize = 200;
/// Longest text that is announced.
const LONGEST_ANNOUNCEMENT: usize = 200;

/// A line that init understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `READY=1`
    Ready,
    /// `STOPPING=1`
    Stopping,
    /// `WATCHDOG=1`
    Alive,
    /// `STATUS=`
    Status(String),
    /// `X_HEARTH_ANNOUNCE=`
    Announce(String),
}

/// The socket that services send to.
#[derive(Debug)]
pub struct Notify {
    socket: UnixDatagram,
}

impl Notify {
    /// Makes the socket, open to all users: who sent a datagram is known from its credentials.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &str) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        rustix::net::sockopt::set_socket_passcred(&socket, true)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        Ok(Self { socket })
    }

    /// The next datagram: its sender and what it says. Nothing when there is none.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn next(&self) -> io::Result<Option<(Pid, Vec<Message>)>> {
        loop {
            let mut bytes = [0; LONGEST];
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmCredentials(1), ScmRights(8))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let received = rustix::net::recvmsg(
                &self.socket,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut control,
                RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
            );
            let length = match received {
                Ok(message) => message.bytes,
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            // Descriptors that came along are closed when the buffer is drained.
            let mut sender = None;
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
                    sender = Some(credentials.pid);
                }
            }
            if let Some(sender) = sender {
                return Ok(Some((sender, parse(bytes.get(..length).unwrap_or_default()))));
            }
        }
    }
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Reads a datagram; lines that are not understood are skipped.
#[must_use]
pub fn parse(datagram: &[u8]) -> Vec<Message> {
    let lines = datagram.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines.filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Message> {
    match line.split_once('=')? {
        ("READY", "1") => Some(Message::Ready),
        ("STOPPING", "1") => Some(Message::Stopping),
        ("WATCHDOG", "1") => Some(Message::Alive),
        ("STATUS", text) => Some(Message::Status(text.chars().take(LONGEST_STATUS).collect())),
        ("X_HEARTH_ANNOUNCE", text) => {
            let fine = (1..=LONGEST_ANNOUNCEMENT).contains(&text.len())
                && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            fine.then(|| Message::Announce(text.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_lines_are_understood_and_others_skipped() {
        let text = "STATUS=waiting for a lease\nREADY=1\nREADY=0\nMAINPID=1\nWATCHDOG=1\nSTOPPING=1\n\n=\n";
        assert_eq!(
            parse(text.as_bytes()),
            [
                Message::Status("waiting for a lease".to_owned()),
                Message::Ready,
                Message::Alive,
                Message::Stopping
            ]
        );
    }

    #[test]
    fn announcements_are_plain_and_short() {
        let fine = format!("X_HEARTH_ANNOUNCE={}", "x".repeat(200));
        assert_eq!(parse(fine.as_bytes()).len(), 1);
        let long = format!("X_HEARTH_ANNOUNCE={}", "x".repeat(201));
        for bad in
            [long.as_str(), "X_HEARTH_ANNOUNCE=", "X_HEARTH_ANNOUNCE=a\tb", "X_HEARTH_ANNOUNCE=\u{1b}[2J"]
        {
            assert_eq!(parse(bad.as_bytes()), [], "{bad:?}");
        }
    }

    #[test]
    fn the_sender_is_who_the_kernel_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let notify = Notify::open(path.to_str().unwrap()).unwrap();
        assert_eq!(notify.next().unwrap(), None);
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(b"READY=1", &path).unwrap();
        let (pid, messages) = notify.next().unwrap().unwrap();
        assert_eq!(pid, rustix::process::getpid());
        assert_eq!(messages, [Message::Ready]);
        assert_eq!(notify.next().unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_datagram_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for message in parse(&bytes) {
                if let Message::Status(text) = message {
                    prop_assert!(text.chars().count() <= LONGEST_STATUS);
                }
            }
        }
    }
}
