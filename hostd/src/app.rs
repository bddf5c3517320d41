//! What all requests share, and where they enter.
//!
//! ```text
//! HTTPS ── App::answer ─┬─ /api/…, /dns-query ── api::answer (routes, authorisation, limits)
//!                       └─ else                ── Console (files in memory)
//! HTTP  ── App::answer_plain ── welcome page, certificate, redirect
//! ```

use crate::accounts::Accounts;
use crate::api;
use crate::apps::Apps;
use crate::backups::Backups;
use crate::bootstrap::Bootstrap;
use crate::clock::Clock;
use crate::host::Host;
use crate::household::authority::Authority;
use crate::net::Netd;
use crate::net::NetworkView;
use crate::server::Visitor;
use crate::state::BoxState;
use crate::state::Facts;
use crate::state::derive;
use crate::storaged::Storaged;
use crate::updates::Updates;
use crate::vaults::Vaults;
use crate::web::Reply;
use crate::web::console::Console;
use crate::web::headers;
use crate::web::hosts::Names;
use crate::web::plain;
use hyper::Request;
use hyper::body::Body;
use hyper::body::Bytes;
use model::names::HostName;
use model::report::BootReport;
use model::report::DataReport;
use model::storage::KeyKind;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Rollback;
use tokio::sync::watch;

/// Shared by all connections.
#[derive(Debug)]
pub struct App {
    /// Owner, sessions, claim code.
    pub accounts: Accounts,
    /// Signs the box's certificate.
    pub authority: Arc<Authority>,
    /// The web console's files.
    pub console: Console,
    /// The machine.
    pub host: Arc<dyn HostDebug>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What netd shows.
    pub network: watch::Receiver<NetworkView>,
    /// The way to ask netd.
    pub netd: Netd,
    /// The keys of the data.
    pub storaged: Storaged,
    /// Backups of the household.
    pub backups: Backups,
    /// What is installed.
    pub apps: Apps,
    /// Updates of the system.
    pub updates: Updates,
    /// The vaults of users.
    pub vaults: Arc<Vaults>,
    /// How long a vault stays open while its user asks for nothing.
    pub vault_idle: Duration,
    /// How the boot went.
    pub boot: Option<BootReport>,
    /// What was lost or repaired when the store was opened, in plain words.
    pub recovered: Option<String>,
    /// That an older copy stands in the place of the store.
    pub rollback: Option<Rollback>,
    /// Folder on the disk for files that arrive.
    pub uploads: PathBuf,
    /// Folder in memory for what the next start has to know.
    pub run: PathBuf,
    /// What the bootstrap file says.
    pub bootstrap: Bootstrap,
    /// What is wrong with that file, in plain words.
    pub bootstrap_problem: Option<String>,
    /// Port of the HTTPS listener, for addresses that are shown or redirected to.
    pub https_port: u16,
}

/// A [`Host`] that can stand in a `Debug` struct.
pub trait HostDebug: Host + std::fmt::Debug {}

impl<T: Host + std::fmt::Debug> HostDebug for T {}

/// State of the box with its reasons and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The state.
    pub state: BoxState,
    /// Why, in plain words.
    pub reasons: Vec<String>,
    /// Name under which the box can be reached.
    pub host_name: HostName,
    /// Address of the console.
    pub url: String,
}

impl App {
    /// Answers a request that came over HTTPS.
    pub async fn answer<B>(self: &Arc<Self>, request: Request<B>, visitor: &Visitor) -> Reply
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: Error + Send + Sync + 'static,
    {
        let mut reply = if api::is_api(request.uri().path()) {
            api::answer(self, request, visitor).await
        } else if request.uri().path() == "/ca.crt" {
            plain::certificate(request.method(), &self.authority)
        } else {
            self.console.answer(request.method(), request.uri().path(), request.headers())
        };
        headers::protect_https(reply.headers_mut());
        reply
    }

    /// Answers a request that came over plain HTTP; its body is never read.
    #[must_use]
    pub fn answer_plain<B>(&self, request: &Request<B>) -> Reply {
        let mut reply = plain::answer(self, request);
        headers::protect(reply.headers_mut());
        reply
    }

    /// The state of the box now.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let services = self.host.services().unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn Error, "the services' state cannot be read");
            None
        });
        let network = self.network.borrow().clone();
        let (storage, health) = (self.storaged.last_report(), self.storaged.last_health());
        let backups = self.backups.findings();
        let (state, reasons) = derive(Facts {
            set_up: self.accounts.is_set_up(),
            storage_problem: self.accounts.storage_problem(),
            recovered: self.recovered.as_deref(),
            bootstrap_problem: self.bootstrap_problem.as_deref(),
            boot: self.boot.as_ref(),
            services: services.as_ref(),
            storage: storage.as_ref(),
            health: health.as_ref(),
            backups: &backups,
            network: &network.reasons,
        });
        let host_name = network.reachable_name(&self.chosen_name());
        let url = self.url(&host_name);
        Summary { state, reasons, host_name, url }
    }

    /// Whether the data waits for a key that is typed.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(&self.boot, Some(BootReport { data: DataReport::Locked { .. }, .. }))
    }

    /// What can be typed to unlock the data; nothing unless it is locked.
    #[must_use]
    pub fn takes(&self) -> &[KeyKind] {
        match &self.boot {
            Some(BootReport { data: DataReport::Locked { takes, .. }, .. }) => takes,
            Some(_) | None => &[],
        }
    }

    /// Address of the console under a name.
    #[must_use]
    pub fn url(&self, name: &HostName) -> String {
        format!("https://{}{}", name.local(), self.port_suffix())
    }

    /// `:8443` where HTTPS is not on its usual port, else nothing.
    #[must_use]
    pub fn port_suffix(&self) -> String {
        if self.https_port == 443 { String::new() } else { format!(":{}", self.https_port) }
    }

    /// The chosen name, or the bootstrap file's as long as none is known.
    #[must_use]
    pub fn chosen_name(&self) -> HostName {
        self.accounts.ownership().borrow().host_name.clone().unwrap_or_else(|| self.bootstrap.domain.clone())
    }

    /// Names and addresses that mean this box.
    #[must_use]
    pub fn names(&self) -> Names {
        let network = self.network.borrow();
        Names::new(network.names(&self.chosen_name()), network.addresses())
    }
}
