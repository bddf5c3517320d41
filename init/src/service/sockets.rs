//! Listening sockets that init opens once and hands to services at every start.
//!
//! A restart of a service thus drops no connection that waits, and no service needs the right to bind a port.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixListener;

use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;

use super::table::Address;
use super::table::Socket;

/// Connections that wait for a service that restarts; more than the 1,000 idle ones that a service must stand.
const BACKLOG: i32 = 1024;

/// A socket that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("opening the socket {name}")]
pub struct SocketError {
    name: &'static str,
    source: io::Error,
}

/// Opens a listening socket of the table.
///
/// # Errors
/// When the kernel refuses.
pub fn open(socket: &Socket) -> Result<OwnedFd, SocketError> {
    let opened = match socket.address {
        Address::Tcp(address) => tcp(address),
        Address::Unix { path, group, mode } => unix(path, group, mode),
    };
    opened.map_err(|source| SocketError { name: socket.name, source })
}

fn tcp(address: std::net::SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn unix(path: &str, group: u32, mode: u32) -> io::Result<OwnedFd> {
    let socket = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    chown(path, Some(0), Some(group))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_dual_stack_socket_answers_both_families() {
        let address = "[::]:0".parse().unwrap();
        let listener = TcpListener::from(tcp(address).unwrap());
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        TcpStream::connect(("::1", port)).unwrap();
    }

    #[test]
    fn a_taken_port_is_reported_with_the_sockets_name() {
        let taken = TcpListener::bind("[::1]:0").unwrap();
        let socket = Socket { name: "http", address: Address::Tcp(taken.local_addr().unwrap()) };
        assert_eq!(open(&socket).unwrap_err().to_string(), "opening the socket http");
    }
}
