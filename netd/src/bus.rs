//! `org.hearthos.Net1` in front of the tasks: questions go in through their queues, the status comes out of a watch.

use crate::keeper::KeeperError;
use crate::keeper::run::Answer;
use crate::keeper::run::Ask;
use crate::reconcile::Command;
use crate::report::Reporter;
use crate::settings::Wish;
use crate::wifi::task as wifi;
use crate::words;
use hostapi::net1;
use hostapi::net1::AllowedUids;
use hostapi::net1::DnsCertificate;
use hostapi::net1::Net1Backend;
use hostapi::net1::Net1Error;
use hostapi::net1::NetworkNamespace;
use hostapi::net1::Status;
use hostapi::peer;
use model::names::HostName;
use model::network::app_policy::AppPolicy;
use model::network::attachment::Attachment;
use model::network::endpoint::Endpoint;
use model::network::explanation::Explanation;
use model::network::names::AppKey;
use model::network::report::NetworkReport;
use model::network::settings::NetworkSettings;
use model::network::wifi::WifiJoin;
use model::network::wifi::WifiWish;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

/// Connections served at once: hostd, the container daemon, and some to spare; each costs a few tens of kilobytes.
const MOST_CONNECTIONS: usize = 8;

/// netd as seen from the bus.
#[derive(Clone, Debug)]
pub struct Backend {
    /// To the reconciler.
    pub commands: mpsc::Sender<Command>,
    /// To the keeper of the rules.
    pub keeper: mpsc::Sender<Ask>,
    /// To the keeper of the settings.
    pub wishes: mpsc::Sender<Wish>,
    /// To the keeper of Wi-Fi.
    pub wifi: mpsc::Sender<wifi::Ask>,
    /// The certificate for name service at home.
    pub certificate: watch::Sender<Option<DnsCertificate>>,
    /// The resolver.
    pub resolver: resolver::Resolver,
    /// What is shown of everything.
    pub status: watch::Receiver<Arc<Status>>,
    /// For reports.
    pub reporter: Reporter,
}

impl Backend {
    /// Asks the keeper and waits for its answer.
    async fn ask<T>(&self, ask: impl FnOnce(Answer<T>) -> Ask) -> Result<T, Net1Error> {
        let (answer, answered) = oneshot::channel();
        self.keeper.send(ask(answer)).await.map_err(|_closed| stopping())?;
        answered.await.map_err(|_gone| stopping())
    }
}

fn stopping() -> Net1Error {
    Net1Error::Stopping("netd is stopping".to_owned())
}

fn refused(error: &KeeperError) -> Net1Error {
    let said = words::chain(error);
    match error {
        KeeperError::NotInPolicy(_) | KeeperError::NotAttached(_) => Net1Error::UnknownApp(said),
        KeeperError::Place(crate::apps::roster::NoPlace::Attached(_)) => Net1Error::AlreadyAttached(said),
        KeeperError::Compile(_)
        | KeeperError::Filter(_)
        | KeeperError::Wiring(_)
        | KeeperError::Place(_)
        | KeeperError::Moves(_)
        | KeeperError::NoRules => Net1Error::Refused(said),
    }
}

impl Net1Backend for Backend {
    fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    async fn set_host_name(&self, name: HostName) -> Result<(), Net1Error> {
        self.commands.send(Command::SetHostName(name)).await.map_err(|_closed| stopping())
    }

    async fn renew_leases(&self) -> Result<(), Net1Error> {
        self.commands.send(Command::RenewLeases).await.map_err(|_closed| stopping())
    }

    async fn report(&self) -> Result<NetworkReport, Net1Error> {
        let (firewall, apps) = self.ask(Ask::Report).await?;
        Ok(self.reporter.report(firewall, apps, &self.resolver))
    }

    async fn set_settings(
        &self,
        settings: NetworkSettings,
        trial: Option<Duration>,
    ) -> Result<(), Net1Error> {
        crate::names::check_settings(&settings.resolver)?;
        let (answer, answered) = oneshot::channel();
        self.wishes.send(Wish::Set(settings, trial, answer)).await.map_err(|_closed| stopping())?;
        let kept = answered.await.map_err(|_gone| stopping())?;
        kept.map_err(|error| Net1Error::Refused(words::chain(&error)))
    }

    async fn confirm_settings(&self) -> Result<(), Net1Error> {
        let (answer, answered) = oneshot::channel();
        self.wishes.send(Wish::Confirm(answer)).await.map_err(|_closed| stopping())?;
        match answered.await.map_err(|_gone| stopping())? {
            Ok(true) => Ok(()),
            Ok(false) => Err(Net1Error::NothingOnTrial("no settings are on trial".to_owned())),
            Err(error) => Err(Net1Error::Refused(words::chain(&error))),
        }
    }

    async fn set_app_policy(&self, policy: AppPolicy) -> Result<(), Net1Error> {
        self.ask(|answer| Ask::SetPolicy(policy, answer)).await?.map_err(|error| refused(&error))
    }

    async fn attach_app(&self, app: AppKey, namespace: NetworkNamespace) -> Result<Attachment, Net1Error> {
        self.ask(|answer| Ask::Attach(app, namespace, answer)).await?.map_err(|error| refused(&error))
    }

    async fn detach_app(&self, app: AppKey) -> Result<(), Net1Error> {
        self.ask(|answer| Ask::Detach(app, answer)).await?.map_err(|error| refused(&error))
    }

    async fn explain(&self, from: Endpoint, to: Endpoint) -> Result<Explanation, Net1Error> {
        let explained = self.ask(|answer| Ask::Explain(from, to, answer)).await?;
        explained.map_err(|error| Net1Error::UnknownApp(error.to_string()))
    }

    async fn set_dns_certificate(&self, certificate: DnsCertificate) -> Result<(), Net1Error> {
        crate::names::check(&certificate)?;
        self.certificate.send_replace(Some(certificate));
        Ok(())
    }

    async fn wifi(&self, wish: WifiWish) -> Result<(), Net1Error> {
        let (answer, answered) = oneshot::channel();
        let ask = match wish {
            WifiWish::Look {} => wifi::Ask::Look(answer),
            WifiWish::Join { ssid, passphrase } => wifi::Ask::Join(WifiJoin { ssid, passphrase }, answer),
            WifiWish::Forget { ssid } => wifi::Ask::Forget(ssid, answer),
            WifiWish::Country { country } => wifi::Ask::SetCountry(country, answer),
        };
        self.wifi.send(ask).await.map_err(|_closed| stopping())?;
        answered.await.map_err(|_gone| stopping())?.map_err(Net1Error::Refused)
    }

    async fn answer_dns(&self, message: Vec<u8>, client: IpAddr) -> Result<Vec<u8>, Net1Error> {
        Ok(self.resolver.answer(&message, client).await.unwrap_or_default())
    }
}

/// Accepts and serves connections for ever.
pub async fn serve_all(listener: UnixListener, backend: Backend, allowed: AllowedUids) {
    let backend = Arc::new(backend);
    peer::serve_all(listener, MOST_CONNECTIONS, |stream| {
        let (backend, allowed) = (Arc::clone(&backend), allowed.clone());
        async move { net1::serve(stream, backend, &allowed).await }
    })
    .await;
}
