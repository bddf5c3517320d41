//! Serving the interface on one accepted stream, after the caller was checked.

use super::Net1;
use super::Net1Backend;
use super::PATH;
use super::Status;
use crate::peer;
use crate::peer::AllowedUids;
use crate::peer::ServeError;
use std::sync::Arc;
use tokio::net::UnixStream;
use zbus::object_server::InterfaceRef;

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
    let mut status = backend.status();
    let shown = Arc::clone(&status.borrow_and_update());
    let connection = peer::accept(stream, allowed, PATH, |_uid| Net1 { backend, shown }).await?;
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
