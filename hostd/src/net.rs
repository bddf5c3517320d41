//! hostd's view of the network: what netd shows, and telling netd the chosen name.
//!
//! One task, [`follow`], holds the connection to netd and owns the [`NetworkView`]; everybody else has a receiver of it. The
//! chosen name is sent at every connection and every change, so a restarted netd learns it again.

use futures_util::StreamExt;
use hostapi::net1::ConnectError;
use hostapi::net1::Link;
use hostapi::net1::Net1Error;
use hostapi::net1::Net1Proxy;
use model::names::HostName;
use std::collections::BTreeSet;
use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;

/// Wait between two tries to reach netd; it doubles from the first to the second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What netd shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkView {
    /// The name announced now; empty while netd was never reached.
    pub host_name: String,
    /// Links in netd's order.
    pub links: Vec<Link>,
    /// What does not work, in plain words.
    pub reasons: Vec<String>,
}

impl NetworkView {
    /// All addresses of the box.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let texts = self.links.iter().flat_map(|link| &link.addresses);
        texts.filter_map(|text| text.split('/').next()?.parse().ok())
    }

    /// The name under which the box can be reached: the announced one when it is the chosen one or its replacement
    /// (`hearth-2` where another device has `hearth`), else the chosen one, which is about to be announced.
    #[must_use]
    pub fn reachable_name(&self, chosen: &HostName) -> HostName {
        let Ok(announced) = self.host_name.parse::<HostName>() else { return chosen.clone() };
        let replacement = announced
            .as_str()
            .strip_prefix(chosen.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|number| number.parse::<u16>().is_ok());
        if replacement { announced } else { chosen.clone() }
    }

    /// Both names, the chosen one first.
    #[must_use]
    pub fn names(&self, chosen: &HostName) -> Vec<HostName> {
        let names: BTreeSet<String> =
            [chosen.to_string(), self.reachable_name(chosen).to_string()].into_iter().collect();
        names.iter().filter_map(|name| name.parse().ok()).collect()
    }
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
    ByNetd,
    ByChoice,
}

/// Keeps the view up to date and netd's name as chosen, until the sender of `chosen` is gone.
pub async fn follow(
    socket: &Path,
    mut chosen: watch::Receiver<Option<HostName>>,
    view: watch::Sender<NetworkView>,
) {
    let mut wait = FIRST_WAIT;
    let mut warned = false;
    loop {
        let error = match follow_once(socket, &mut chosen, &view, &mut wait).await {
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
    chosen: &mut watch::Receiver<Option<HostName>>,
    view: &watch::Sender<NetworkView>,
    wait: &mut Duration,
) -> Result<(), LinkError> {
    let netd = hostapi::net1::connect(socket).await.map_err(|source| LinkError::Connect { source })?;
    // Streams first, values second: a change in between is then seen twice rather than never.
    let mut links = netd.receive_links_changed().await;
    let mut host_name = netd.receive_host_name_changed().await;
    let mut reasons = netd.receive_reasons_changed().await;
    send_name(&netd, chosen).await?;
    loop {
        let latest = read(&netd).await?;
        view.send_if_modified(|shown| {
            let changed = *shown != latest;
            *shown = latest;
            changed
        });
        *wait = FIRST_WAIT;
        // All are cancel safe: streams and `changed` keep what was not taken.
        let woken = tokio::select! {
            change = links.next() => change.map(|_| Woken::ByNetd).ok_or(LinkError::Closed),
            change = host_name.next() => change.map(|_| Woken::ByNetd).ok_or(LinkError::Closed),
            change = reasons.next() => change.map(|_| Woken::ByNetd).ok_or(LinkError::Closed),
            () = netd.inner().connection().closed() => Err(LinkError::Closed),
            changed = chosen.changed() => {
                changed.map(|()| Woken::ByChoice).map_err(|_gone| LinkError::Stopping)
            }
        };
        if matches!(woken?, Woken::ByChoice) {
            send_name(&netd, chosen).await?;
        }
    }
}

async fn send_name(
    netd: &Net1Proxy<'_>,
    chosen: &mut watch::Receiver<Option<HostName>>,
) -> Result<(), LinkError> {
    let name = chosen.borrow_and_update().clone();
    let Some(name) = name else { return Ok(()) };
    netd.set_host_name(name.as_str())
        .await
        .map_err(|source| LinkError::Name { name: name.to_string(), source })
}

async fn read(netd: &Net1Proxy<'_>) -> Result<NetworkView, LinkError> {
    let read = |source| LinkError::Read { source };
    Ok(NetworkView {
        host_name: netd.host_name().await.map_err(read)?,
        links: netd.links().await.map_err(read)?,
        reasons: netd.reasons().await.map_err(read)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(host_name: &str, addresses: &[&str]) -> NetworkView {
        let link =
            Link { addresses: addresses.iter().map(|&text| text.to_owned()).collect(), ..Link::default() };
        NetworkView { host_name: host_name.to_owned(), links: vec![link], reasons: vec![] }
    }

    #[test]
    fn addresses_come_without_prefix_and_nonsense_is_left_out() {
        let found: Vec<IpAddr> = view("", &["10.0.2.15/24", "fe80::1/64", "x", ""]).addresses().collect();
        assert_eq!(found, ["10.0.2.15".parse::<IpAddr>().unwrap(), "fe80::1".parse().unwrap()]);
    }

    #[test]
    fn a_replacement_name_is_used_and_a_stale_one_is_not() {
        let chosen: HostName = "hearth".parse().unwrap();
        for (announced, reachable) in [
            ("", "hearth"),
            ("hearth", "hearth"),
            ("hearth-2", "hearth-2"),
            ("hearth-two", "hearth"),
            ("oak", "hearth"),
            ("Not A Name", "hearth"),
        ] {
            assert_eq!(view(announced, &[]).reachable_name(&chosen).as_str(), reachable, "{announced}");
        }
        assert_eq!(view("hearth-2", &[]).names(&chosen).len(), 2);
    }
}
