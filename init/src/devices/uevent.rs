//! The kernel's device events (Documentation/ABI/testing/sysfs-uevent; lib/kobject_uevent.c).

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::RecvFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink::KOBJECT_UEVENT;
use rustix::net::netlink::SocketAddrNetlink;

/// The kernel's multicast group; group 2 is udev's, which anyone with the right may send to.
const KERNEL_GROUP: u32 = 1;

/// `UEVENT_BUFFER_SIZE` in include/linux/kobject.h.
const LONGEST: usize = 2048 + 256;

/// What init looks at in an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uevent {
    /// `add`, `remove`, `change`, `bind`, …
    pub action: String,
    /// `block`, `pci`, `input`, …
    pub subsystem: String,
    /// What modules the device asks for.
    pub modalias: Option<String>,
}

/// What a read of the socket brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// An event.
    Event(Uevent),
    /// Events were lost; only a new coldplug shows what happened.
    Lost,
    /// Nothing more at the moment.
    Nothing,
}

/// The socket on which the kernel tells of devices.
#[derive(Debug)]
pub struct Socket {
    socket: OwnedFd,
}

impl Socket {
    /// Opens the socket, without blocking.
    ///
    /// # Errors
    /// When the kernel has no netlink.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))?;
        // A hundred devices appear at once when a bus driver loads; the default of 208 KiB holds about 250 events.
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 1 << 20)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, KERNEL_GROUP))?;
        Ok(Self { socket })
    }

    /// Takes the next event from the kernel; what others send is thrown away.
    ///
    /// # Errors
    /// What the kernel says, except that there is nothing or that events were lost.
    pub fn next(&self) -> io::Result<Arrival> {
        let mut buffer = [0; LONGEST];
        loop {
            let (length, sender) = match rustix::net::recvfrom(&self.socket, &mut buffer, RecvFlags::empty())
            {
                Ok((_, length, sender)) => (length, sender),
                Err(Errno::AGAIN) => return Ok(Arrival::Nothing),
                Err(Errno::NOBUFS) => return Ok(Arrival::Lost),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let from_kernel = sender
                .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                .is_some_and(|sender| sender.pid() == 0);
            if let Some(event) = parse(buffer.get(..length).unwrap_or_default()).filter(|_| from_kernel) {
                return Ok(Arrival::Event(event));
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Reads one message: `<action>@<path>`, then `KEY=value` strings, each ended by a zero byte.
#[must_use]
pub fn parse(message: &[u8]) -> Option<Uevent> {
    let mut parts = message.split(|&byte| byte == 0);
    if !parts.next()?.contains(&b'@') {
        return None;
    }
    let mut event = Uevent::default();
    for part in parts.filter_map(|part| std::str::from_utf8(part).ok()) {
        match part.split_once('=') {
            Some(("ACTION", value)) => value.clone_into(&mut event.action),
            Some(("SUBSYSTEM", value)) => value.clone_into(&mut event.subsystem),
            Some(("MODALIAS", value)) => event.modalias = Some(value.to_owned()),
            _ => {}
        }
    }
    (!event.action.is_empty()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read() {
        let message = b"add@/devices/pci0000:00/0000:00:03.0/virtio0\0ACTION=add\0DEVPATH=/devices/x\0\
            SUBSYSTEM=virtio\0MODALIAS=virtio:d00000002v00001AF4\0SEQNUM=812\0";
        let event = parse(message).unwrap();
        assert_eq!(event.action, "add");
        assert_eq!(event.subsystem, "virtio");
        assert_eq!(event.modalias.as_deref(), Some("virtio:d00000002v00001AF4"));
    }

    #[test]
    fn what_is_no_kernel_event_is_not_taken_for_one() {
        for message in [
            b"".as_slice(),
            b"libudev\0ACTION=add\0",
            b"add@/x\0SUBSYSTEM=block\0",
            b"\0\0\0",
            b"@\0\xff=\xff",
        ] {
            assert_eq!(parse(message), None, "{message:?}");
        }
    }

    #[test]
    fn the_socket_opens_and_has_nothing_at_once_or_events() {
        let socket = Socket::open().unwrap();
        assert!(matches!(socket.next(), Ok(Arrival::Nothing | Arrival::Event(_))));
    }
}
