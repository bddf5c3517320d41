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
//! Wire types may only grow; a change that is not additive makes `Net2` beside this file.

use model::names::HostName;
use serde::Deserialize;
use serde::Serialize;
use std::future::Future;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;
use zbus::DBusError;
use zbus::Guid;
use zbus::connection::Builder;
use zbus::object_server::InterfaceRef;
use zbus::wire::Type;

/// Where the interface lives on every connection.
pub const PATH: &str = "/org/hearthos/Net1";
/// How long a caller waits for an answer; netd answers from memory, so a longer wait means that it hangs.
pub const METHOD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the D-Bus handshake of one stream may take, so that a silent peer does not hold its place for ever.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

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
}

/// What netd does behind the interface.
pub trait Net1Backend: Send + Sync + 'static {
    /// The present status and every later one.
    fn status(&self) -> watch::Receiver<Arc<Status>>;

    /// Announces this name from now on; [`Status`] shows it, and another one if it turns out to be taken.
    fn set_host_name(&self, name: HostName) -> impl Future<Output = Result<(), Net1Error>> + Send;

    /// Renews every DHCP lease now, without waiting for the answers.
    fn renew_leases(&self) -> impl Future<Output = Result<(), Net1Error>> + Send;
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

    /// Changes the name under which the box is announced.
    async fn set_host_name(&self, name: &str) -> Result<(), Net1Error> {
        let name = name.parse().map_err(|error| Net1Error::InvalidHostName(format!("{error}")))?;
        self.backend.set_host_name(name).await
    }

    /// Renews every DHCP lease now.
    async fn renew_leases(&self) -> Result<(), Net1Error> {
        self.backend.renew_leases().await
    }
}

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
    Ok(())
}

/// Why netd could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The socket could not be connected.
    #[error("connect to {path}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// Handing the stream to D-Bus failed.
    #[error("take over the stream")]
    Stream {
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The other side did not complete the handshake within [`HANDSHAKE_TIMEOUT`].
    #[error("the D-Bus handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    HandshakeTimeout,
    /// The D-Bus connection failed; also when the other side refuses the caller.
    #[error("open a D-Bus connection")]
    Bus {
        /// What zbus said.
        #[source]
        source: zbus::Error,
    },
}

/// Connects to netd's socket; the proxy holds the connection. See [`model::paths::NET_BUS_SOCKET`].
///
/// # Errors
///
/// When netd does not listen, refuses the caller or does not answer the handshake.
pub async fn connect(path: &Path) -> Result<Net1Proxy<'static>, ConnectError> {
    let stream = timeout(HANDSHAKE_TIMEOUT, UnixStream::connect(path))
        .await
        .map_err(|_elapsed| ConnectError::HandshakeTimeout)?
        .map_err(|source| ConnectError::Connect { path: path.to_owned(), source })?;
    open(stream).await
}

/// Makes a proxy over a connected stream; every method call ends after [`METHOD_TIMEOUT`] at the latest.
///
/// # Errors
///
/// When the other side refuses the caller or does not answer the handshake.
pub async fn open(stream: UnixStream) -> Result<Net1Proxy<'static>, ConnectError> {
    let stream = stream.into_std().map_err(|source| ConnectError::Stream { source })?;
    let build = Builder::unix_stream(stream).p2p().method_timeout(METHOD_TIMEOUT).build();
    let connection = timeout(HANDSHAKE_TIMEOUT, build)
        .await
        .map_err(|_elapsed| ConnectError::HandshakeTimeout)?
        .map_err(|source| ConnectError::Bus { source })?;
    Net1Proxy::new(&connection).await.map_err(|source| ConnectError::Bus { source })
}
