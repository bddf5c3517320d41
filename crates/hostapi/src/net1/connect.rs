//! Reaching netd.

use super::HANDSHAKE_TIMEOUT;
use super::METHOD_TIMEOUT;
use super::Net1Proxy;
use std::path::Path;
use std::path::PathBuf;
use tokio::net::UnixStream;
use tokio::time::timeout;
use zbus::connection::Builder;

/// Why netd could not be reached.
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

/// Connects to netd's socket; the proxy holds the connection. See [`model::paths::NET_BUS_SOCKET`].
///
/// # Errors
///
/// When netd does not listen, refuses the caller or does not answer the handshake.
pub async fn connect(path: &Path) -> Result<Net1Proxy<'static>, ConnectError> {
    let stream = timeout(HANDSHAKE_TIMEOUT, UnixStream::connect(path))
        .await
        .map_err(|_elapsed| ConnectError::HandshakeTimeout)?
        .map_err(|source| ConnectError::Connect { path: path.to_owned(), source })?;
    open(stream).await
}

/// Makes a proxy over a connected stream; every method call ends after [`METHOD_TIMEOUT`] at the latest.
///
/// # Errors
///
/// When the other side refuses the caller or does not answer the handshake.
pub async fn open(stream: UnixStream) -> Result<Net1Proxy<'static>, ConnectError> {
    let stream = stream.into_std().map_err(|source| ConnectError::Stream { source })?;
    let build = Builder::unix_stream(stream).p2p().method_timeout(METHOD_TIMEOUT).build();
    let connection = timeout(HANDSHAKE_TIMEOUT, build)
        .await
        .map_err(|_elapsed| ConnectError::HandshakeTimeout)?
        .map_err(|source| ConnectError::Bus { source })?;
    Net1Proxy::new(&connection).await.map_err(|source| ConnectError::Bus { source })
}
