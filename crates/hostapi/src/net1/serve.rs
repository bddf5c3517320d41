//! Serving the interface on one accepted stream, after the caller was checked.

use super::HANDSHAKE_TIMEOUT;
use super::Net1;
use super::Net1Backend;
use super::PATH;
use super::Status;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::time::timeout;
use zbus::Guid;
use zbus::connection::Builder;
use zbus::object_server::InterfaceRef;

/// User ids that may use the interface.
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
    #[error("user {uid} may not use org.hearthos.Net1")]
    CallerRefused {
        /// Who it is.
        uid: u32,
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
    #[error("serve org.hearthos.Net1")]
    Bus {
        /// What zbus said.
        #[source]
        source: zbus::Error,
    },
}

/// Serves the interface on one accepted stream until the peer closes it.
///
/// # Errors
///
/// When the peer is not allowed, does not speak D-Bus, or the connection breaks.
pub async fn serve<B: Net1Backend>(
    stream: UnixStream,
    backend: Arc<B>,
    allowed: &AllowedUids,
) -> Result<(), ServeError> {
    let uid = stream.peer_cred().map_err(|source| ServeError::PeerCredentials { source })?.uid();
    if !allowed.contains(uid) {
        return Err(ServeError::CallerRefused { uid });
    }
    let mut status = backend.status();
    let shown = Arc::clone(&status.borrow_and_update());
    let stream = stream.into_std().map_err(|source| ServeError::Stream { source })?;
    let build = Builder::unix_stream(stream)
        .server(Guid::generate())
        .p2p()
        .serve_at(PATH, Net1 { backend, shown })
        .build();
    let connection = timeout(HANDSHAKE_TIMEOUT, build)
        .await
        .map_err(|_elapsed| ServeError::HandshakeTimeout)?
        .map_err(|source| ServeError::Bus { source })?;
    let served: Result<(), zbus::Error> = async {
        let interface = connection.object_server().interface::<_, Net1<B>>(PATH).await?;
        loop {
            // Both are cancel safe: `closed` only watches, and a change that is missed is seen by the next `changed`.
            tokio::select! {
                () = connection.closed() => return Ok(()),
                changed = status.changed() => if changed.is_err() { return Ok(()) },
            }
            let latest = Arc::clone(&status.borrow_and_update());
            show(&interface, latest).await?;
        }
    }
    .await;
    served.map_err(|source| ServeError::Bus { source })
}

/// Puts a new status on show and signals what differs.
async fn show<B: Net1Backend>(interface: &InterfaceRef<Net1<B>>, latest: Arc<Status>) -> zbus::Result<()> {
    let emitter = interface.signal_emitter();
    let before = {
        let mut glue = interface.get_mut().await;
        std::mem::replace(&mut glue.shown, latest)
    };
    let glue = interface.get().await;
    if before.links != glue.shown.links {
        glue.links_changed(emitter).await?;
    }
    if before.host_name != glue.shown.host_name {
        glue.host_name_changed(emitter).await?;
    }
    if before.state != glue.shown.state {
        glue.state_changed(emitter).await?;
    }
    if before.reasons != glue.shown.reasons {
        glue.reasons_changed(emitter).await?;
    }
    if before.settings != glue.shown.settings {
        glue.settings_changed(emitter).await?;
    }
    if before.app_policy != glue.shown.app_policy {
        glue.app_policy_changed(emitter).await?;
    }
    Ok(())
}
