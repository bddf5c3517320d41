//! Announces the box on the home network by multicast DNS (RFC 6762) and DNS-SD (RFC 6763), over the mdns-sd crate.
//!
//! The crate runs one thread of its own with its sockets; this module tells it which name to announce and learns from it when a
//! name was taken. Addresses are the crate's own affair: it looks at the links every [`CALM_INTERVAL_S`], and at once for a while
//! after a nudge.

use crate::moment::Clock;
use mdns_sd::DaemonEvent;
use mdns_sd::IfKind;
use mdns_sd::ServiceDaemon;
use mdns_sd::ServiceInfo;
use model::names::HostName;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::watch;

/// What is announced: the console, and that this is a Hearth box (for the flash tool and other boxes).
const SERVICES: [&str; 2] = ["_https._tcp.local.", "_hearth._tcp.local."];
/// Where the console answers.
const HTTPS_PORT: u16 = 443;
/// Seconds between looks at the links' addresses, after a nudge and otherwise.
const NUDGED_INTERVAL_S: u32 = 1;
const CALM_INTERVAL_S: u32 = 60;
/// How long a nudge lasts: an IPv6 address is tentative for a second or two before it may be announced.
const NUDGE_LASTS: Duration = Duration::from_secs(5);
/// How long to wait for goodbyes to be sent.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
/// Wait before a responder that failed is started again.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What became of the wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The name announced now: the one wished for, or with a number behind it when that was taken.
    pub name: String,
    /// Why nothing is announced, in plain words.
    pub problem: Option<String>,
}

/// Why nothing is announced.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The responder could not be started.
    #[error("start the multicast DNS responder")]
    Start {
        /// What it said.
        #[source]
        source: mdns_sd::Error,
    },
    /// A service could not be announced.
    #[error("announce {service}")]
    Register {
        /// Which.
        service: &'static str,
        /// What the responder said.
        #[source]
        source: mdns_sd::Error,
    },
}

/// Runs the announcer until the wish's sender is dropped.
pub async fn run(
    mut wish: watch::Receiver<HostName>,
    nudge: Arc<Notify>,
    announced: watch::Sender<Announced>,
    clock: Clock,
) {
    loop {
        let name = wish.borrow_and_update().clone();
        announced.send_replace(Announced { name: name.to_string(), problem: None });
        let end = match start(&name) {
            // A new responder for each name: it remembers for good which names it lost, also when the owner wants one back.
            Ok((responder, events)) => {
                let end = watch_over(
                    &responder,
                    &events,
                    &mut wish,
                    Surroundings { nudge: &nudge, announced: &announced, clock },
                );
                let end = end.await;
                say_goodbye(&responder).await;
                end
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "the box is not announced");
                announced
                    .send_modify(|now| now.problem = Some("the box cannot announce its name".to_owned()));
                wait_to_try_again(&mut wish).await
            }
        };
        if end == End::Stop {
            return;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    StartAgain,
    Stop,
}

#[derive(Clone, Copy)]
struct Surroundings<'a> {
    nudge: &'a Notify,
    announced: &'a watch::Sender<Announced>,
    clock: Clock,
}

/// Waits for another name, but no longer than [`TRY_AGAIN`].
async fn wait_to_try_again(wish: &mut watch::Receiver<HostName>) -> End {
    match tokio::time::timeout(TRY_AGAIN, wish.changed()).await {
        Ok(Err(_dropped)) => End::Stop,
        Ok(Ok(())) | Err(_) => End::StartAgain,
    }
}

/// Follows one responder until another name is wished for.
async fn watch_over(
    responder: &ServiceDaemon,
    events: &mdns_sd::Receiver<DaemonEvent>,
    wish: &mut watch::Receiver<HostName>,
    around: Surroundings<'_>,
) -> End {
    let mut calm_at = Some(around.clock.now() + NUDGE_LASTS);
    loop {
        // Every arm only receives or sleeps; what loses the race is received in the next round.
        tokio::select! {
            changed = wish.changed() => return if changed.is_ok() { End::StartAgain } else { End::Stop },
            event = events.recv_async() => match event {
                Ok(event) => note(&event, around.announced),
                Err(_closed) => {
                    tracing::error!("the multicast DNS responder ended");
                    return wait_to_try_again(wish).await;
                }
            },
            () = around.nudge.notified() => {
                set_interval(responder, NUDGED_INTERVAL_S);
                calm_at = Some(around.clock.now() + NUDGE_LASTS);
            }
            () = async {
                match calm_at {
                    Some(moment) => tokio::time::sleep_until(around.clock.instant(moment)).await,
                    None => std::future::pending().await,
                }
            } => {
                set_interval(responder, CALM_INTERVAL_S);
                calm_at = None;
            }
        }
    }
}

/// Starts a responder that announces all services under this name.
fn start(name: &HostName) -> Result<(ServiceDaemon, mdns_sd::Receiver<DaemonEvent>), AnnounceError> {
    let start = || {
        let responder = ServiceDaemon::new()?;
        responder.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
        // The crate takes its own looped-back announcement of one address for a rival while it probes for the next one, and
        // renames the box. Nothing else on the box asks by multicast DNS.
        responder.set_multicast_loop_v4(false)?;
        responder.set_multicast_loop_v6(false)?;
        // Addresses come within seconds of the start; a nudge that came before this would be lost.
        responder.set_ip_check_interval(NUDGED_INTERVAL_S)?;
        let events = responder.monitor()?;
        Ok((responder, events))
    };
    let (responder, events) = start().map_err(|source| AnnounceError::Start { source })?;
    for service in SERVICES {
        register(&responder, service, name).map_err(|source| AnnounceError::Register { service, source })?;
    }
    Ok((responder, events))
}

fn register(responder: &ServiceDaemon, service: &str, name: &HostName) -> Result<(), mdns_sd::Error> {
    let host = format!("{}.", name.local());
    let no_properties: &[(&str, &str)] = &[];
    let info = ServiceInfo::new(service, name.as_str(), &host, "", HTTPS_PORT, no_properties)?;
    responder.register(info.enable_addr_auto())
}

fn set_interval(responder: &ServiceDaemon, seconds: u32) {
    if let Err(error) = responder.set_ip_check_interval(seconds) {
        tracing::warn!(error = &error as &dyn Error, "the responder does not look at addresses");
    }
}

/// A conflict about a service's name changes how it is listed; one about the host's changes how the box is reached.
fn note(event: &DaemonEvent, announced: &watch::Sender<Announced>) {
    tracing::trace!(?event, "multicast DNS");
    if let DaemonEvent::Error(error) = event {
        tracing::warn!(error = error as &dyn Error, "multicast DNS");
    }
    if let DaemonEvent::NameChange(change) = event
        && let Some(name) = host_label(&change.new_name)
    {
        tracing::warn!(taken = %change.original, name, link = %change.intf_name, "the name was taken");
        announced.send_modify(|now| name.clone_into(&mut now.name));
    }
}

/// The label of a host name in `.local.`; none for a service instance.
fn host_label(full_name: &str) -> Option<&str> {
    full_name.strip_suffix(".local.").filter(|label| !label.contains('.'))
}

async fn say_goodbye(responder: &ServiceDaemon) {
    match responder.shutdown() {
        Ok(ended) => {
            if tokio::time::timeout(GOODBYE_TIMEOUT, ended.recv_async()).await.is_err() {
                tracing::warn!("the multicast DNS responder does not end");
            }
        }
        Err(error) => tracing::warn!(error = &error as &dyn Error, "the responder was gone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_conflict_about_the_host_changes_the_name() {
        assert_eq!(host_label("hearth-2.local."), Some("hearth-2"));
        assert_eq!(host_label("hearth (2)._https._tcp.local."), None);
        assert_eq!(host_label("hearth-2"), None);
    }
}
