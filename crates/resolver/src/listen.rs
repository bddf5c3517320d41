//! Where clients ask: datagrams, streams and TLS, on sockets made here or handed in.
//!
//! A listener of our own over the codec, and not hickory-server: answers lie ready as bytes, so that a cached one costs a look-up and a
//! copy; and questions, connections and time are bounded in total and per client, which hickory-server's request handler cannot do.

mod datagrams;
mod streams;

use crate::resolver::Resolver;
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// A socket that is being served; dropping it closes the socket and the connections that came by it.
#[derive(Debug)]
pub struct Listener {
    task: JoinHandle<()>,
    address: SocketAddr,
}

impl Listener {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be had.
    #[error("listen on {address}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// On every address at once, an answer could leave by another address than the question came to.
    #[error("{address} stands for every address; listen on each one")]
    Unspecified {
        /// Which.
        address: SocketAddr,
    },
    /// A socket that was handed in is not usable.
    #[error("use a socket that was handed in")]
    Socket {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl Resolver {
    /// Serves datagrams that come to this socket. Must be called inside a runtime.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn serve_udp(&self, socket: std::net::UdpSocket) -> Result<Listener, ListenError> {
        let wrap = |source| ListenError::Socket { source };
        socket.set_nonblocking(true).map_err(wrap)?;
        let address = specific(socket.local_addr().map_err(wrap)?)?;
        let socket = Arc::new(UdpSocket::from_std(socket).map_err(wrap)?);
        let task = tokio::spawn(datagrams::serve(Arc::clone(self.core()), socket));
        Ok(Listener { task, address })
    }

    /// Serves connections that come to this socket.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn serve_tcp(&self, socket: std::net::TcpListener) -> Result<Listener, ListenError> {
        self.serve_streams(socket, None)
    }

    /// Serves DNS over TLS (RFC 7858) with the caller's certificate.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn serve_tls(
        &self,
        socket: std::net::TcpListener,
        tls: Arc<ServerConfig>,
    ) -> Result<Listener, ListenError> {
        self.serve_streams(socket, Some(tls))
    }

    fn serve_streams(
        &self,
        socket: std::net::TcpListener,
        tls: Option<Arc<ServerConfig>>,
    ) -> Result<Listener, ListenError> {
        let wrap = |source| ListenError::Socket { source };
        socket.set_nonblocking(true).map_err(wrap)?;
        let address = specific(socket.local_addr().map_err(wrap)?)?;
        let socket = TcpListener::from_std(socket).map_err(wrap)?;
        let task = tokio::spawn(streams::serve(Arc::clone(self.core()), socket, tls));
        Ok(Listener { task, address })
    }
}

fn specific(address: SocketAddr) -> Result<SocketAddr, ListenError> {
    if address.ip().is_unspecified() { Err(ListenError::Unspecified { address }) } else { Ok(address) }
}

/// Plain listeners (datagrams and streams) on a changing set of addresses.
#[derive(Debug)]
pub struct Listeners {
    resolver: Resolver,
    open: BTreeMap<SocketAddr, [Listener; 2]>,
}

impl Listeners {
    /// None yet.
    pub fn new(resolver: Resolver) -> Self {
        Self { resolver, open: BTreeMap::new() }
    }

    /// Listens on these addresses and on no others; says which ones could not be had, to be tried again by calling this again.
    ///
    /// Port 0 takes any free one and is only of use to tests: it would be opened anew each time.
    pub fn set(&mut self, wanted: &BTreeSet<SocketAddr>) -> Vec<ListenError> {
        self.open.retain(|address, _| wanted.contains(address));
        let missing: Vec<SocketAddr> =
            wanted.iter().filter(|address| !self.open.contains_key(address)).copied().collect();
        let mut problems = Vec::new();
        for address in missing {
            match self.listen(address) {
                Ok(listeners) => {
                    self.open.insert(address, listeners);
                }
                Err(problem) => problems.push(problem),
            }
        }
        problems
    }

    /// Where it listens now.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.open.keys().copied()
    }

    fn listen(&self, address: SocketAddr) -> Result<[Listener; 2], ListenError> {
        let wrap = |source| ListenError::Bind { address, source };
        let udp = std::net::UdpSocket::bind(address).map_err(wrap)?;
        let tcp = std::net::TcpListener::bind(address).map_err(wrap)?;
        Ok([self.resolver.serve_udp(udp)?, self.resolver.serve_tcp(tcp)?])
    }
}
