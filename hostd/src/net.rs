//! hostd's view of the network: what netd shows, and telling netd what it needs from hostd.
//!
//! One task, [`follow`], holds the connection to netd and owns the [`NetworkView`]; everybody else has a receiver of it, and asks
//! netd through [`Netd`]. The chosen name and the certificate of the resolver are sent at every connection and every change, so
//! a restarted netd learns them again.

#[cfg(feature = "testing")]
pub mod fake;
mod netd;
mod view;

pub use netd::AskError;
pub use netd::Netd;
pub use view::NetworkView;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use futures_util::stream::SelectAll;
use futures_util::stream::select_all;
use hostapi::net1::ConnectError;
use hostapi::net1::DnsCertificate;
use hostapi::net1::Net1Error;
use hostapi::net1::Net1Proxy;
use hostapi::net1::read_answer;
use model::names::HostName;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Wait between two tries to reach netd; it doubles from the first to the second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What netd is told.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The name chosen for the box.
    pub name: watch::Receiver<Option<HostName>>,
    /// With what netd's resolver proves itself to the home network.
    pub certificate: watch::Receiver<Option<Arc<DnsCertificate>>>,
}

/// Where it is kept what netd shows and how it is reached.
#[derive(Clone, Debug)]
pub struct Known {
    /// For everybody who wants to know.
    pub view: watch::Sender<NetworkView>,
    /// For [`Netd`].
    pub connection: watch::Sender<Option<Net1Proxy<'static>>>,
}

/// What ended a connection to netd.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("connect to netd")]
    Connect {
        #[source]
        source: ConnectError,
    },
    #[error("read netd's properties")]
    Read {
        #[source]
        source: zbus::Error,
    },
    #[error("tell netd the host name {name}")]
    Name {
        name: String,
        #[source]
        source: Net1Error,
    },
    #[error("netd closed the connection")]
    Closed,
    #[error("hostd is stopping")]
    Stopping,
}

enum Woken {
    NetdSpoke,
    NewName,
    NewCertificate,
}

/// Keeps the view up to date and netd told, until the senders of the wishes are gone.
pub async fn follow(socket: &Path, mut wishes: Wishes, known: Known) {
    let mut wait = FIRST_WAIT;
    let mut warned = false;
    loop {
        let ended = follow_once(socket, &mut wishes, &known, &mut wait).await;
        known.connection.send_replace(None);
        let error = match ended {
            Err(LinkError::Stopping) | Ok(()) => return,
            Err(error) => error,
        };
        if wait == FIRST_WAIT {
            warned = false;
        }
        // netd starts beside hostd, so the first tries may fail without anything being wrong; and one warning an outage will do.
        if wait < LONGEST_WAIT || warned {
            tracing::debug!(error = &error as &dyn Error, "netd is not there");
        } else {
            tracing::warn!(error = &error as &dyn Error, "netd cannot be reached; trying on");
            warned = true;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn follow_once(
    socket: &Path,
    wishes: &mut Wishes,
    known: &Known,
    wait: &mut Duration,
) -> Result<(), LinkError> {
    let netd = hostapi::net1::connect(socket).await.map_err(|source| LinkError::Connect { source })?;
    // Streams first, values second: a change in between is then seen twice rather than never.
    let mut changes = changes(&netd).await;
    send_name(&netd, wishes).await?;
    send_certificate(&netd, wishes).await;
    loop {
        let latest = read(&netd).await?;
        known.view.send_if_modified(|shown| {
            let changed = *shown != latest;
            *shown = latest;
            changed
        });
        known.connection.send_if_modified(|connection| {
            let is_new = connection.is_none();
            connection.get_or_insert_with(|| netd.clone());
            is_new
        });
        *wait = FIRST_WAIT;
        // All are cancel safe: streams and `changed` keep what was not taken.
        let woken = tokio::select! {
            change = changes.next() => change.map(|()| Woken::NetdSpoke).ok_or(LinkError::Closed),
            () = netd.inner().connection().closed() => Err(LinkError::Closed),
            changed = wishes.name.changed() => {
                changed.map(|()| Woken::NewName).map_err(|_gone| LinkError::Stopping)
            }
            changed = wishes.certificate.changed() => {
                changed.map(|()| Woken::NewCertificate).map_err(|_gone| LinkError::Stopping)
            }
        };
        match woken? {
            Woken::NetdSpoke => {}
            Woken::NewName => send_name(&netd, wishes).await?,
            Woken::NewCertificate => send_certificate(&netd, wishes).await,
        }
    }
}

/// Something for every change of a property that the view has.
async fn changes(netd: &Net1Proxy<'static>) -> SelectAll<BoxStream<'static, ()>> {
    select_all([
        netd.receive_links_changed().await.map(drop).boxed(),
        netd.receive_host_name_changed().await.map(drop).boxed(),
        netd.receive_reasons_changed().await.map(drop).boxed(),
        netd.receive_settings_changed().await.map(drop).boxed(),
        netd.receive_app_policy_changed().await.map(drop).boxed(),
    ])
}

async fn send_name(netd: &Net1Proxy<'_>, wishes: &mut Wishes) -> Result<(), LinkError> {
    let name = wishes.name.borrow_and_update().clone();
    let Some(name) = name else { return Ok(()) };
    netd.set_host_name(name.as_str())
        .await
        .map_err(|source| LinkError::Name { name: name.to_string(), source })
}

/// Without it only DNS over TLS for the home network is missing, so the connection goes on.
async fn send_certificate(netd: &Net1Proxy<'_>, wishes: &mut Wishes) {
    let certificate = wishes.certificate.borrow_and_update().clone();
    let Some(certificate) = certificate else { return };
    let DnsCertificate { chain_pem, key_pem } = (*certificate).clone();
    if let Err(error) = netd.set_dns_certificate(chain_pem, key_pem).await {
        tracing::warn!(error = &error as &dyn Error, "netd did not take the resolver's certificate");
    }
}

async fn read(netd: &Net1Proxy<'_>) -> Result<NetworkView, LinkError> {
    let read = |source| LinkError::Read { source };
    Ok(NetworkView {
        host_name: netd.host_name().await.map_err(read)?,
        links: netd.links().await.map_err(read)?,
        reasons: netd.reasons().await.map_err(read)?,
        settings: understood("settings", &netd.settings().await.map_err(read)?),
        app_policy: understood("policy", &netd.app_policy().await.map_err(read)?),
    })
}

/// A document that is not understood must not hide links and names.
fn understood<T: DeserializeOwned>(what: &'static str, text: &str) -> Option<T> {
    read_answer(text)
        .map_err(|error| tracing::error!(what, error = &error as &dyn Error, "netd shows a strange document"))
        .ok()
}
