//! D-Bus over one Unix stream without a bus: who may call is decided by the kernel's word on the peer, before a byte is read.

use std::error::Error;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio::time::timeout;
use zbus::Connection;
use zbus::Guid;
use zbus::connection::Builder;
use zbus::object_server::Interface;

/// How long the D-Bus handshake of one stream may take, so that a silent peer does not hold its place for ever.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Wait after a failed accept, so that a lasting failure (no descriptors left) does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// User ids that may use an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedUids(Vec<u32>);

impl AllowedUids {
    /// Exactly these.
    #[must_use]
    pub fn new(uids: impl IntoIterator<Item = u32>) -> Self {
        Self(uids.into_iter().collect())
    }

    fn contains(&self, uid: u32) -> bool {
        self.0.contains(&uid)
    }
}

impl Default for AllowedUids {
    fn default() -> Self {
        Self::new([0, model::paths::HOSTD_UID])
    }
}

/// Why one connection could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The kernel did not say who the peer is.
    #[error("read the credentials of the peer")]
    PeerCredentials {
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The peer may not use the interface.
    #[error("user {uid} may not use {interface}")]
    CallerRefused {
        /// Who it is.
        uid: u32,
        /// What it wanted.
        interface: String,
    },
    /// The peer did not complete the handshake within [`HANDSHAKE_TIMEOUT`].
    #[error("the D-Bus handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    HandshakeTimeout,
    /// Handing the stream to D-Bus failed.
    #[error("take over the stream")]
    Stream {
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The D-Bus connection failed.
    #[error("serve a D-Bus connection")]
    Bus {
        /// What zbus said.
        #[source]
        source: zbus::Error,
    },
}

/// Why a daemon could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The socket could not be connected.
    #[error("connect to {path}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// Handing the stream to D-Bus failed.
    #[error("take over the stream")]
    Stream {
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The other side did not complete the handshake within [`HANDSHAKE_TIMEOUT`].
    #[error("the D-Bus handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    HandshakeTimeout,
    /// The D-Bus connection failed; also when the other side refuses the caller.
    #[error("open a D-Bus connection")]
    Bus {
        /// What zbus said.
        #[source]
        source: zbus::Error,
    },
}

/// Accepts connections for ever and serves at most `room` at once; the next one waits.
pub async fn serve_all<F>(listener: UnixListener, room: usize, serve: impl Fn(UnixStream) -> F)
where
    F: Future<Output = Result<(), ServeError>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(room));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _address)) => {
                let served = serve(stream);
                drop(tokio::spawn(async move {
                    log(served.await);
                    drop(place);
                }));
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn log(outcome: Result<(), ServeError>) {
    match outcome {
        Ok(()) => {}
        Err(error @ ServeError::CallerRefused { .. }) => {
            tracing::warn!(error = &error as &dyn Error, "caller refused");
        }
        Err(error) => tracing::debug!(error = &error as &dyn Error, "connection ended"),
    }
}

/// Puts an object on an accepted stream, for a caller that is on the list; it may depend on who that is.
pub(crate) async fn accept<I: Interface>(
    stream: UnixStream,
    allowed: &AllowedUids,
    path: &str,
    object_for: impl FnOnce(u32) -> I,
) -> Result<Connection, ServeError> {
    let uid = stream.peer_cred().map_err(|source| ServeError::PeerCredentials { source })?.uid();
    if !allowed.contains(uid) {
        return Err(ServeError::CallerRefused { uid, interface: I::name().to_string() });
    }
    let stream = stream.into_std().map_err(|source| ServeError::Stream { source })?;
    let build =
        Builder::unix_stream(stream).server(Guid::generate()).p2p().serve_at(path, object_for(uid)).build();
    timeout(HANDSHAKE_TIMEOUT, build)
        .await
        .map_err(|_elapsed| ServeError::HandshakeTimeout)?
        .map_err(|source| ServeError::Bus { source })
}

/// Connects to a daemon's socket.
pub(crate) async fn connect(path: &Path) -> Result<UnixStream, ConnectError> {
    timeout(HANDSHAKE_TIMEOUT, UnixStream::connect(path))
        .await
        .map_err(|_elapsed| ConnectError::HandshakeTimeout)?
        .map_err(|source| ConnectError::Connect { path: path.to_owned(), source })
}

/// Speaks D-Bus over a connected stream; every method call ends after `method_timeout` at the latest.
pub(crate) async fn open(stream: UnixStream, method_timeout: Duration) -> Result<Connection, ConnectError> {
    let stream = stream.into_std().map_err(|source| ConnectError::Stream { source })?;
    let build = Builder::unix_stream(stream).p2p().method_timeout(method_timeout).build();
    timeout(HANDSHAKE_TIMEOUT, build)
        .await
        .map_err(|_elapsed| ConnectError::HandshakeTimeout)?
        .map_err(|source| ConnectError::Bus { source })
}
