//! `org.hearthos.Net1` in front of the loop: commands go in through a channel, the status comes out of a watch.

use crate::reconcile::Command;
use hostapi::net1;
use hostapi::net1::AllowedUids;
use hostapi::net1::DnsCertificate;
use hostapi::net1::Net1Backend;
use hostapi::net1::Net1Error;
use hostapi::net1::NetworkNamespace;
use hostapi::net1::ServeError;
use hostapi::net1::Status;
use model::names::HostName;
use model::network::app_policy::AppPolicy;
use model::network::attachment::Attachment;
use model::network::endpoint::Endpoint;
use model::network::explanation::Explanation;
use model::network::names::AppKey;
use model::network::report::NetworkReport;
use model::network::settings::NetworkSettings;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::watch;

/// Connections served at once. hostd needs one; each costs a few tens of kilobytes.
const MOST_CONNECTIONS: usize = 8;
/// Wait after a failed accept, so that a lasting failure (no descriptors left) does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The loop as seen from the bus.
#[derive(Clone, Debug)]
pub struct LoopBackend {
    /// Commands to the loop.
    pub commands: mpsc::Sender<Command>,
    /// Its status.
    pub status: watch::Receiver<Arc<Status>>,
}

impl LoopBackend {
    async fn command(&self, command: Command) -> Result<(), Net1Error> {
        let sent = self.commands.send(command).await;
        sent.map_err(|_closed| Net1Error::Stopping("netd is stopping".to_owned()))
    }
}

impl Net1Backend for LoopBackend {
    fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    async fn set_host_name(&self, name: HostName) -> Result<(), Net1Error> {
        self.command(Command::SetHostName(name)).await
    }

    async fn renew_leases(&self) -> Result<(), Net1Error> {
        self.command(Command::RenewLeases).await
    }

    async fn report(&self) -> Result<NetworkReport, Net1Error> {
        Err(not_yet())
    }

    async fn set_settings(&self, _: NetworkSettings, _: Option<Duration>) -> Result<(), Net1Error> {
        Err(not_yet())
    }

    async fn confirm_settings(&self) -> Result<(), Net1Error> {
        Err(not_yet())
    }

    async fn set_app_policy(&self, _: AppPolicy) -> Result<(), Net1Error> {
        Err(not_yet())
    }

    async fn attach_app(&self, _: AppKey, _: NetworkNamespace) -> Result<Attachment, Net1Error> {
        Err(not_yet())
    }

    async fn detach_app(&self, _: AppKey) -> Result<(), Net1Error> {
        Err(not_yet())
    }

    async fn explain(&self, _: Endpoint, _: Endpoint) -> Result<Explanation, Net1Error> {
        Err(not_yet())
    }

    async fn set_dns_certificate(&self, _: DnsCertificate) -> Result<(), Net1Error> {
        Err(not_yet())
    }

    async fn answer_dns(&self, _: Vec<u8>, _: IpAddr) -> Result<Vec<u8>, Net1Error> {
        Err(not_yet())
    }
}

fn not_yet() -> Net1Error {
    Net1Error::Refused("this part of netd is being built".to_owned())
}

/// Accepts and serves connections for ever.
pub async fn serve_all(listener: UnixListener, backend: LoopBackend, allowed: AllowedUids) {
    let backend = Arc::new(backend);
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _address)) => {
                let (backend, allowed) = (Arc::clone(&backend), allowed.clone());
                drop(tokio::spawn(async move {
                    log(net1::serve(stream, backend, &allowed).await);
                    drop(place);
                }));
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
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
