//! A system on trial: what is seen of the box, again and again, until it is healthy or out of time.

use super::Updates;
use super::health;
use super::health::Before;
use super::health::Now;
use super::lock;
use super::state::Event;
use crate::api::BASE;
use crate::app::App;
use model::control::ControlRequest;
use model::report::DataReport;
use model::update::SlotsReport;
use rustls::pki_types::ServerName;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long the box's own page may take.
const PAGE_LIMIT: Duration = Duration::from_secs(20);
/// What is read of its answer, in bytes.
const LONGEST_ANSWER: u64 = 64 << 10;
/// After init was told, it has the next word; told again if it does not take it.
const TOLD: Duration = Duration::from_secs(30);

/// How far a trial is.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// When the data was first seen open, since the kernel started.
    since: Option<Duration>,
    /// Looks in a row that found it healthy.
    healthy: u32,
}

impl Updates {
    /// One look. Returns when the next one is due.
    pub(super) async fn prove(&self, app: &Arc<App>, slots: &SlotsReport) -> Duration {
        let version = slots.running.as_ref().map(|running| running.version.clone()).unwrap_or_default();
        let attempt = self.kept().attempt.filter(|attempt| attempt.to == version);
        let before = attempt.map(|attempt| attempt.before).unwrap_or_default();
        let (missing, is_open) = self.missing(app, &before).await;
        let (until, is_healthy) = self.note_look(missing.is_empty(), is_open);
        let event =
            Event::OnTrial { version, until: until.map(|until| until.as_secs()), waiting: missing.clone() };
        self.tell(event);
        let told = if is_healthy {
            tracing::info!("the new system is healthy");
            self.order("keep the new system", ControlRequest::ConfirmUpdate).await
        } else if !missing.is_empty() && until.is_some_and(|until| self.0.clock.uptime() >= until) {
            let why = health::why(&missing);
            tracing::error!(why, "the new system is not healthy");
            self.order("go back to the system from before", ControlRequest::FailUpdate { why }).await
        } else {
            return self.0.patience.look_every;
        };
        if let Err(error) = told {
            tracing::error!(error = &error as &dyn Error, "init did not take the word on the new system");
        }
        TOLD.min(self.0.patience.look_every.saturating_mul(15))
    }

    /// Until when it must be healthy, and whether it has been so for long enough.
    fn note_look(&self, is_well: bool, is_open: bool) -> (Option<Duration>, bool) {
        let mut progress = lock(&self.0.trial);
        if is_open && progress.since.is_none() {
            progress.since = Some(self.0.clock.uptime());
        }
        progress.healthy = if is_well { progress.healthy.saturating_add(1) } else { 0 };
        let until = progress.since.map(|since| since.saturating_add(self.0.patience.healthy_within));
        (until, progress.healthy >= self.0.patience.healthy_looks)
    }

    /// What is missing, and whether the data is open.
    async fn missing(&self, app: &Arc<App>, before: &Before) -> (Vec<String>, bool) {
        let boot = app.host.boot_report().unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn Error, "init's report on the boot cannot be read");
            None
        });
        let services = app.host.services().unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn Error, "the services' state cannot be read");
            None
        });
        let data = boot.as_ref().map(|boot| &boot.data);
        let page_problem = ask_own_page(app).await.err();
        let network = app.netd.report().await.ok();
        let world = app.apps.containerd().now();
        let now = Now {
            services: services.as_ref(),
            data,
            store_problem: app.accounts.storage_problem(),
            page_problem: page_problem.as_deref(),
            links: network.as_ref().map(|report| report.links.as_slice()),
            apps: world.as_ref().map(|world| world.apps.as_slice()),
        };
        let is_open = matches!(data, Some(DataReport::Ready { .. }) | None);
        (health::missing(before, &now), is_open)
    }
}

/// Asks this box's own page over its own TLS, as a browser does; why it does not answer, in plain words.
async fn ask_own_page(app: &App) -> Result<(), String> {
    match timeout(PAGE_LIMIT, ask(app)).await {
        Ok(Ok(200)) => Ok(()),
        Ok(Ok(status)) => Err(format!("it answers with status {status}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err(format!("no answer within {} seconds", PAGE_LIMIT.as_secs())),
    }
}

async fn ask(app: &App) -> Result<u16, Box<dyn Error + Send + Sync>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(app.authority.certificate().clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = app.chosen_name().local();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, app.https_port)).await?;
    let name = ServerName::try_from(host.clone())?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let request = format!("GET {BASE}/status HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    let head =
        answer.strip_prefix(b"HTTP/1.1 ").and_then(|head| head.get(..3)).ok_or("it gave a strange answer")?;
    Ok(std::str::from_utf8(head)?.parse()?)
}
