//! Reaching netd.

use super::METHOD_TIMEOUT;
use super::Net1Proxy;
use crate::peer;
use crate::peer::ConnectError;
use std::path::Path;
use tokio::net::UnixStream;

/// Connects to netd's socket; the proxy holds the connection. See [`model::paths::NET_BUS_SOCKET`].
///
/// # Errors
///
/// When netd does not listen, refuses the caller or does not answer the handshake.
pub async fn connect(path: &Path) -> Result<Net1Proxy<'static>, ConnectError> {
    open(peer::connect(path).await?).await
}

/// Makes a proxy over a connected stream; every method call ends after [`METHOD_TIMEOUT`] at the latest.
///
/// # Errors
///
/// When the other side refuses the caller or does not answer the handshake.
pub async fn open(stream: UnixStream) -> Result<Net1Proxy<'static>, ConnectError> {
    let connection = peer::open(stream, METHOD_TIMEOUT).await?;
    Net1Proxy::new(&connection).await.map_err(|source| ConnectError::Bus { source })
}
