//! `org.hearthos.Net1`: the state of the home network as netd sees it, and the few things one may ask of netd.
//!
//! netd implements [`Net1Backend`] and calls [`serve`] for every accepted stream; others call [`connect`] and use [`Net1Proxy`].
//! The only way to serve the interface is [`serve`], which refuses a caller that is not on the list before it reads a byte from
//! it; a backend cannot forget that check, and no signal ever reaches a stranger.
//!
//! ```text
//! Net1Backend::status() ── watch ──> serve: one glue object per stream ── PropertiesChanged ──> Net1Proxy
//! Net1Proxy ── SetHostName, RenewLeases ──> glue: arguments checked ──> Net1Backend
//! ```
//!
//! What has one value travels as a D-Bus property; documents (policy, settings, report) travel as the JSON of their `model` type,
//! the same that HTTP and files carry, and are bounded and checked here before a backend sees them.
//!
//! Wire types may only grow; a change that is not additive makes `Net2` beside this file.

use model::names::HostName;
use model::network::app_policy::AppPolicy;
use model::network::attachment::Attachment;
use model::network::endpoint::Endpoint;
use model::network::explanation::Explanation;
use model::network::names::AppKey;
use model::network::report::NetworkReport;
use model::network::settings::NetworkSettings;
use model::network::settings::TRIAL_SECONDS;
use model::network::wifi::WifiWish;
use serde::Deserialize;
use serde::Serialize;
use std::future::Future;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use zbus::DBusError;
use zbus::wire::Type;

mod connect;
mod documents;
mod serve;

pub use crate::peer::AllowedUids;
pub use crate::peer::ConnectError;
pub use crate::peer::HANDSHAKE_TIMEOUT;
pub use crate::peer::ServeError;
pub use connect::connect;
pub use connect::open;
pub use documents::MAX_ANSWER;
pub use documents::MAX_DOCUMENT;
pub use documents::StrangeAnswer;
pub use documents::read_answer;
pub use serve::serve;

/// Where the interface lives on every connection.
pub const PATH: &str = "/org/hearthos/Net1";
/// How long a caller waits for an answer; a longer wait means that netd hangs. Most is answered from memory or by the kernel;
/// `AnswerDns` takes longest: 8 s for the name servers, and 3 s to let the addresses through the firewall.
pub const METHOD_TIMEOUT: Duration = Duration::from_secs(15);

/// One network link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Link {
    /// Kernel name, such as `eth0`.
    pub name: String,
    /// Hardware address, `52:54:00:12:34:56`; empty when the link has none.
    pub mac: String,
    /// `up`, `down` or `no-carrier`.
    pub state: String,
    /// Addresses with prefix length, `10.0.2.15/24`, `fe80::1/64`.
    pub addresses: Vec<String>,
    /// IPv4 default gateway, else the IPv6 one; empty when there is none.
    pub gateway: String,
    /// When the DHCPv4 lease ends, in seconds since 1970 by this machine's clock (which may be wrong); 0 when there is none.
    pub lease_expires_unix: u64,
}

/// Whether the network does what it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// All links are managed as wished.
    #[default]
    Ready,
    /// Something was tried and does not work; [`Status::reasons`] says what.
    Degraded,
}

impl State {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Degraded => "degraded",
        }
    }
}

/// Everything that the properties show, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Ethernet links in order of their kernel index.
    pub links: Vec<Link>,
    /// The name announced on the network now; `hearth-2` when another device already has `hearth`.
    pub host_name: String,
    /// Whether all is well.
    pub state: State,
    /// Why not, in plain words.
    pub reasons: Vec<String>,
    /// What the owner chose, as in force now.
    pub settings: NetworkSettings,
    /// Who may reach what, as in force now.
    pub app_policy: AppPolicy,
}

/// What a method may answer instead of a result.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.hearthos.Net1.Error")]
pub enum Net1Error {
    /// An error of the transport.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// The text is no host name (`model::names::HostName`).
    InvalidHostName(String),
    /// netd is stopping and takes no more commands.
    Stopping(String),
    /// The document is too long, no JSON, of another version, has unknown parts or contradicts itself.
    InvalidDocument(String),
    /// The kernel refused it; what was in force before still is.
    Refused(String),
    /// No such app in the policy, or not attached.
    UnknownApp(String),
    /// The app is attached already.
    AlreadyAttached(String),
    /// There is nothing on trial.
    NothingOnTrial(String),
}

/// What netd does behind the interface.
pub trait Net1Backend: Send + Sync + 'static {
    /// The present status and every later one.
    fn status(&self) -> watch::Receiver<Arc<Status>>;

    /// Announces this name from now on; [`Status`] shows it, and another one if it turns out to be taken.
    fn set_host_name(&self, name: HostName) -> impl Future<Output = Result<(), Net1Error>> + Send;

    /// Renews every DHCP lease now, without waiting for the answers.
    fn renew_leases(&self) -> impl Future<Output = Result<(), Net1Error>> + Send;

    /// How everything is now, with counters read from the kernel for this answer.
    fn report(&self) -> impl Future<Output = Result<NetworkReport, Net1Error>> + Send;

    /// Brings settings into force that were checked before. With a trial they are taken back after that time unless confirmed.
    fn set_settings(
        &self,
        settings: NetworkSettings,
        trial: Option<Duration>,
    ) -> impl Future<Output = Result<(), Net1Error>> + Send;

    /// Ends a trial: the settings stay.
    fn confirm_settings(&self) -> impl Future<Output = Result<(), Net1Error>> + Send;

    /// Brings a policy into force that was checked before, all of it or nothing; connections that it no longer allows are cut.
    fn set_app_policy(&self, policy: AppPolicy) -> impl Future<Output = Result<(), Net1Error>> + Send;

    /// Wires up the network namespace of an app that is in the policy. When this returns, its rules are loaded.
    fn attach_app(
        &self,
        app: AppKey,
        namespace: NetworkNamespace,
    ) -> impl Future<Output = Result<Attachment, Net1Error>> + Send;

    /// Takes an app's network away; nothing of it is left.
    fn detach_app(&self, app: AppKey) -> impl Future<Output = Result<(), Net1Error>> + Send;

    /// Says whether one end may reach another, and by which rule.
    fn explain(
        &self,
        from: Endpoint,
        to: Endpoint,
    ) -> impl Future<Output = Result<Explanation, Net1Error>> + Send;

    /// Gives the certificate with which the resolver proves itself to the home network (DNS over TLS).
    fn set_dns_certificate(
        &self,
        certificate: DnsCertificate,
    ) -> impl Future<Output = Result<(), Net1Error>> + Send;

    /// Does what the owner wants of Wi-Fi; what comes of joining a network is in the report.
    fn wifi(&self, wish: WifiWish) -> impl Future<Output = Result<(), Net1Error>> + Send {
        drop(wish);
        no_radio()
    }

    /// Answers a DNS message that a device in the home network sent over HTTPS; empty when it deserves no answer.
    fn answer_dns(
        &self,
        message: Vec<u8>,
        client: IpAddr,
    ) -> impl Future<Output = Result<Vec<u8>, Net1Error>> + Send;
}

/// The answer of whoever has no radio.
async fn no_radio() -> Result<(), Net1Error> {
    Err(Net1Error::Refused("this box has no wireless device".to_owned()))
}

/// A network namespace that nothing runs in yet.
#[derive(Debug)]
pub struct NetworkNamespace {
    /// The namespace (`/proc/<pid>/ns/net`).
    pub namespace: OwnedFd,
    /// An rtnetlink socket that was opened inside of it: with it netd sets addresses there without the right to enter.
    pub route_socket: OwnedFd,
}

/// A certificate chain with its key, PEM.
#[derive(Clone)]
pub struct DnsCertificate {
    /// Leaf first.
    pub chain_pem: String,
    /// PKCS#8.
    pub key_pem: String,
}

impl std::fmt::Debug for DnsCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DnsCertificate").field("chain_pem", &self.chain_pem).finish_non_exhaustive()
    }
}

/// The object on one connection; made by [`serve`] alone, after the caller was checked.
#[derive(Debug)]
pub struct Net1<B> {
    backend: Arc<B>,
    shown: Arc<Status>,
}

#[zbus::interface(
    name = "org.hearthos.Net1",
    proxy(default_service = "org.hearthos.Net1", default_path = "/org/hearthos/Net1", visibility = "pub")
)]
impl<B: Net1Backend> Net1<B> {
    /// Every Ethernet link.
    #[zbus(property)]
    async fn links(&self) -> Vec<Link> {
        self.shown.links.clone()
    }

    /// The name announced on the network now.
    #[zbus(property)]
    async fn host_name(&self) -> String {
        self.shown.host_name.clone()
    }

    /// `ready` or `degraded`.
    #[zbus(property)]
    async fn state(&self) -> String {
        self.shown.state.as_str().to_owned()
    }

    /// Why the state is `degraded`, in plain words.
    #[zbus(property)]
    async fn reasons(&self) -> Vec<String> {
        self.shown.reasons.clone()
    }

    /// What the owner chose: `model::network::settings::NetworkSettings` as JSON.
    #[zbus(property)]
    async fn settings(&self) -> zbus::fdo::Result<String> {
        documents::write(&self.shown.settings).map_err(|error| zbus::fdo::Error::Failed(error.to_string()))
    }

    /// Who may reach what: `model::network::app_policy::AppPolicy` as JSON.
    #[zbus(property)]
    async fn app_policy(&self) -> zbus::fdo::Result<String> {
        documents::write(&self.shown.app_policy).map_err(|error| zbus::fdo::Error::Failed(error.to_string()))
    }

    /// Changes the name under which the box is announced.
    async fn set_host_name(&self, name: &str) -> Result<(), Net1Error> {
        let name = name.parse().map_err(|error| Net1Error::InvalidHostName(format!("{error}")))?;
        self.backend.set_host_name(name).await
    }

    /// Renews every DHCP lease now.
    async fn renew_leases(&self) -> Result<(), Net1Error> {
        self.backend.renew_leases().await
    }

    /// How everything is now: `model::network::report::NetworkReport` as JSON.
    async fn report(&self) -> Result<String, Net1Error> {
        documents::write(&self.backend.report().await?)
    }

    /// Changes the settings. With `trial_seconds` from 10 to 600 they are taken back after that time unless confirmed; 0 means
    /// that they stay.
    async fn set_settings(&self, settings: &str, trial_seconds: u32) -> Result<(), Net1Error> {
        let settings: NetworkSettings = documents::parse(settings)?;
        settings.check().map_err(|error| Net1Error::InvalidDocument(error.to_string()))?;
        let trial = match trial_seconds {
            0 => None,
            seconds if TRIAL_SECONDS.contains(&seconds) => Some(Duration::from_secs(seconds.into())),
            _ => return Err(Net1Error::InvalidDocument("a trial lasts 10 to 600 seconds".to_owned())),
        };
        self.backend.set_settings(settings, trial).await
    }

    /// Ends a trial: the settings stay.
    async fn confirm_settings(&self) -> Result<(), Net1Error> {
        self.backend.confirm_settings().await
    }

    /// Changes who may reach what, all of it or nothing; connections that are no longer allowed are cut.
    async fn set_app_policy(&self, policy: &str) -> Result<(), Net1Error> {
        let policy: AppPolicy = documents::parse(policy)?;
        policy.check().map_err(|error| Net1Error::InvalidDocument(error.to_string()))?;
        self.backend.set_app_policy(policy).await
    }

    /// Wires up an app's network namespace, given as a descriptor and as an rtnetlink socket opened in it. The answer is
    /// `model::network::attachment::Attachment` as JSON; before it, the first process must not run.
    async fn attach_app(
        &self,
        app: &str,
        namespace: zbus::OwnedFd,
        route_socket: zbus::OwnedFd,
    ) -> Result<String, Net1Error> {
        let app = app.parse().map_err(|error| Net1Error::UnknownApp(format!("{error}")))?;
        let namespace = NetworkNamespace { namespace: namespace.into(), route_socket: route_socket.into() };
        documents::write(&self.backend.attach_app(app, namespace).await?)
    }

    /// Takes an app's network away.
    async fn detach_app(&self, app: &str) -> Result<(), Net1Error> {
        let app = app.parse().map_err(|error| Net1Error::UnknownApp(format!("{error}")))?;
        self.backend.detach_app(app).await
    }

    /// Says whether one end may reach another, and by which rule: `model::network::explanation::Explanation` as JSON.
    async fn explain(&self, from: &str, to: &str) -> Result<String, Net1Error> {
        let end = |text: &str| {
            text.parse::<Endpoint>().map_err(|error| Net1Error::InvalidDocument(error.to_string()))
        };
        documents::write(&self.backend.explain(end(from)?, end(to)?).await?)
    }

    /// Gives the certificate with which the resolver proves itself to the home network, PEM, leaf first, and its PKCS#8 key.
    async fn set_dns_certificate(&self, chain_pem: String, key_pem: String) -> Result<(), Net1Error> {
        documents::at_most(chain_pem.len().max(key_pem.len()))?;
        self.backend.set_dns_certificate(DnsCertificate { chain_pem, key_pem }).await
    }

    /// Does what the owner wants of Wi-Fi: `model::network::wifi::WifiWish` as JSON. That a network will be joined is an answer; what
    /// came of it is in the report.
    async fn wifi(&self, wish: &str) -> Result<(), Net1Error> {
        self.backend.wifi(documents::parse(wish)?).await
    }

    /// Answers a DNS message that a device in the home network sent over HTTPS; empty when it deserves no answer.
    async fn answer_dns(&self, message: Vec<u8>, client: &str) -> Result<Vec<u8>, Net1Error> {
        documents::at_most(message.len())?;
        let client = client.parse().map_err(|error| Net1Error::InvalidDocument(format!("{error}")))?;
        self.backend.answer_dns(message, client).await
    }
}
