//! Speaking to iwd over its bus: thin, every call with an end.

use super::snapshot::Snapshot;
use futures_util::StreamExt as _;
use model::network::wifi::percent;
use model::preset::Passphrase;
use model::preset::Ssid;
use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio::time::timeout;
use zbus::Connection;
use zbus::DBusError;
use zbus::ObjectPath;
use zbus::OwnedObjectPath;
use zbus::connection::Builder;
use zbus::fdo::ObjectManagerProxy;

/// iwd's name on the bus.
const SERVICE: &str = "net.connman.iwd";
/// Where netd answers iwd's questions.
const AGENT: &str = "/org/hearthos/wifi";
/// How long the bus may take to let netd in.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a call may take. Joining takes longest: iwd works out the key of a network (4,096 rounds of a hash) and tries it.
const CALL: Duration = Duration::from_secs(100);
/// How long a look around may take, and how often it is asked for its end.
const LOOK: Duration = Duration::from_secs(20);
const ASK: Duration = Duration::from_millis(500);
/// Shape of a device changes (station, access point) some time after it was asked for.
const CHANGE: Duration = Duration::from_secs(10);

/// Why iwd did not do something.
#[derive(Debug, thiserror::Error)]
pub enum IwdError {
    /// The bus is not there, or did not let netd in.
    #[error("reach the bus of iwd")]
    Bus(#[source] zbus::Error),
    /// It did not answer in time.
    #[error("iwd took too long to {0}")]
    Late(&'static str),
    /// It said no.
    #[error("ask iwd to {what}")]
    Refused {
        /// What it was to do.
        what: &'static str,
        /// What it said.
        #[source]
        source: zbus::Error,
    },
    /// There is no radio any more.
    #[error("there is no wireless device")]
    NoDevice,
}

impl IwdError {
    /// Whether iwd itself said that it did not work, as for a wrong password.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Refused { source: zbus::Error::MethodError(name, ..), .. } => {
                name.as_str() == "net.connman.iwd.Failed"
            }
            Self::Bus(_) | Self::Late(_) | Self::Refused { .. } | Self::NoDevice => false,
        }
    }
}

#[zbus::proxy(interface = "net.connman.iwd.Device", default_service = "net.connman.iwd")]
trait Device {
    #[zbus(property)]
    fn set_mode(&self, mode: &str) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "net.connman.iwd.Station", default_service = "net.connman.iwd")]
trait Station {
    fn scan(&self) -> zbus::Result<()>;
    fn get_ordered_networks(&self) -> zbus::Result<Vec<(OwnedObjectPath, i16)>>;
}

#[zbus::proxy(interface = "net.connman.iwd.Network", default_service = "net.connman.iwd")]
trait Network {
    fn connect(&self) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "net.connman.iwd.KnownNetwork", default_service = "net.connman.iwd")]
trait KnownNetwork {
    fn forget(&self) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "net.connman.iwd.AccessPoint", default_service = "net.connman.iwd")]
trait AccessPoint {
    fn start(&self, ssid: &str, passphrase: &str) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "net.connman.iwd.AgentManager",
    default_service = "net.connman.iwd",
    default_path = "/net/connman/iwd"
)]
trait AgentManager {
    fn register_agent(&self, path: &ObjectPath<'_>) -> zbus::Result<()>;
}

/// What netd answers when iwd asks for a password.
#[derive(Debug, DBusError)]
#[zbus(prefix = "net.connman.iwd.Agent.Error")]
enum AgentError {
    #[zbus(error)]
    ZBus(zbus::Error),
    Canceled(String),
}

/// The password of the network that is being joined, and of no other.
#[derive(Clone, Debug, Default)]
struct Secret(Arc<Mutex<Option<(OwnedObjectPath, Passphrase)>>>);

impl Secret {
    fn put(&self, secret: Option<(OwnedObjectPath, Passphrase)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = secret;
    }

    fn of(&self, network: &ObjectPath<'_>) -> Option<Passphrase> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().filter(|(path, _)| path.as_str() == network.as_str()).map(|(_, secret)| secret.clone())
    }
}

#[derive(Debug)]
struct Agent {
    secret: Secret,
}

#[zbus::interface(name = "net.connman.iwd.Agent")]
impl Agent {
    fn release(&self) {}

    #[expect(clippy::needless_pass_by_value, reason = "zbus hands arguments over")]
    fn request_passphrase(&self, network: ObjectPath<'_>) -> Result<String, AgentError> {
        let secret = self.secret.of(&network);
        let secret = secret.ok_or_else(|| AgentError::Canceled("there is no password for it".to_owned()))?;
        Ok(secret.reveal().to_owned())
    }

    fn cancel(&self, _reason: &str) {}
}

/// iwd.
#[derive(Debug)]
pub struct Iwd {
    connection: Connection,
    secret: Secret,
    /// Something changed, or iwd is gone.
    pub changed: Arc<Notify>,
}

impl Iwd {
    /// Connects to the bus and tells iwd whom to ask for passwords.
    ///
    /// # Errors
    /// When the bus or iwd is not there.
    pub async fn connect(address: &str) -> Result<Self, IwdError> {
        let secret = Secret::default();
        let building = async {
            Builder::address(address)
                .method_timeout(CALL)
                .serve_at(AGENT, Agent { secret: secret.clone() })
                .build()
                .await
        };
        let connection = timeout(HANDSHAKE, building)
            .await
            .map_err(|_late| IwdError::Late("let netd onto its bus"))?
            .map_err(IwdError::Bus)?;
        let changed = Arc::new(Notify::new());
        watch(&connection, Arc::clone(&changed)).await.map_err(IwdError::Bus)?;
        let iwd = Self { connection, secret, changed };
        let agents = AgentManagerProxy::new(&iwd.connection).await.map_err(IwdError::Bus)?;
        let path = ObjectPath::from_static_str_unchecked(AGENT);
        bounded("know whom to ask for passwords", CHANGE, agents.register_agent(&path)).await?;
        Ok(iwd)
    }

    /// Everything that iwd shows.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn snapshot(&self) -> Result<Snapshot, IwdError> {
        let what = "show its networks";
        let manager = ObjectManagerProxy::builder(&self.connection)
            .destination(SERVICE)
            .path("/")
            .build()
            .await
            .map_err(|source| IwdError::Refused { what, source })?;
        let objects = timeout(CHANGE, manager.get_managed_objects())
            .await
            .map_err(|_late| IwdError::Late(what))?
            .map_err(|source| IwdError::Refused { what, source: source.into() })?;
        Ok(Snapshot::of(&objects))
    }

    /// How strong the networks in reach are, from 0 to 100, by path.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn signals(&self, device: &OwnedObjectPath) -> Result<HashMap<OwnedObjectPath, u8>, IwdError> {
        let station = self.station(device).await?;
        let networks = bounded("list networks", CHANGE, station.get_ordered_networks()).await?;
        Ok(networks.into_iter().take(1024).map(|(path, signal)| (path, percent(signal))).collect())
    }

    /// Looks around until that is done.
    ///
    /// # Errors
    /// When it does not.
    pub async fn look(&self, device: &OwnedObjectPath) -> Result<Snapshot, IwdError> {
        let station = self.station(device).await?;
        // One that runs already serves as well.
        if let Err(error) = bounded("look around", CHANGE, station.scan()).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "no new look around");
        }
        let looking = async {
            loop {
                sleep(ASK).await;
                let snapshot = self.snapshot().await?;
                if snapshot.device.as_ref().is_none_or(|device| !device.is_looking) {
                    return Ok(snapshot);
                }
            }
        };
        timeout(LOOK, looking).await.map_err(|_late| IwdError::Late("look around"))?
    }

    /// Joins a network in reach.
    ///
    /// # Errors
    /// When it does not let the box in.
    pub async fn join(
        &self,
        network: &OwnedObjectPath,
        passphrase: Option<Passphrase>,
    ) -> Result<(), IwdError> {
        let what = "join a network";
        let proxy = NetworkProxy::builder(&self.connection)
            .path(network.clone())
            .build()
            .await
            .map_err(|source| IwdError::Refused { what, source })?;
        self.secret.put(passphrase.map(|passphrase| (network.clone(), passphrase)));
        let joined = bounded(what, CALL, proxy.connect()).await;
        self.secret.put(None);
        joined
    }

    /// Forgets a known network.
    ///
    /// # Errors
    /// When it does not.
    pub async fn forget(&self, known: &OwnedObjectPath) -> Result<(), IwdError> {
        let what = "forget a network";
        let proxy = KnownNetworkProxy::builder(&self.connection)
            .path(known.clone())
            .build()
            .await
            .map_err(|source| IwdError::Refused { what, source })?;
        bounded(what, CHANGE, proxy.forget()).await
    }

    /// Makes the device join networks; its own network ends.
    ///
    /// # Errors
    /// When it does not.
    pub async fn be_station(&self, device: &super::snapshot::Device) -> Result<(), IwdError> {
        if device.is_station {
            return Ok(());
        }
        self.set_mode(&device.path, "station").await?;
        self.wait_for("join networks", |device| device.is_station).await
    }

    /// Makes the device a network.
    ///
    /// # Errors
    /// When it does not.
    pub async fn be_beacon(
        &self,
        device: &OwnedObjectPath,
        ssid: &Ssid,
        passphrase: &Passphrase,
    ) -> Result<(), IwdError> {
        let what = "offer a network";
        self.set_mode(device, "ap").await?;
        self.wait_for(what, |device| !device.is_station).await?;
        let proxy = AccessPointProxy::builder(&self.connection)
            .path(device.clone())
            .build()
            .await
            .map_err(|source| IwdError::Refused { what, source })?;
        // It works out the key of its own network first.
        bounded(what, CALL, proxy.start(ssid.as_str(), passphrase.reveal())).await
    }

    async fn set_mode(&self, device: &OwnedObjectPath, mode: &str) -> Result<(), IwdError> {
        let what = "change what the wireless device does";
        let proxy = DeviceProxy::builder(&self.connection)
            .path(device.clone())
            .build()
            .await
            .map_err(|source| IwdError::Refused { what, source })?;
        bounded(what, CHANGE, proxy.set_mode(mode)).await
    }

    async fn wait_for(
        &self,
        what: &'static str,
        is_so: impl Fn(&super::snapshot::Device) -> bool,
    ) -> Result<(), IwdError> {
        let waiting = async {
            loop {
                let snapshot = self.snapshot().await?;
                if is_so(snapshot.device.as_ref().ok_or(IwdError::NoDevice)?) {
                    return Ok(());
                }
                sleep(ASK).await;
            }
        };
        timeout(CHANGE, waiting).await.map_err(|_late| IwdError::Late(what))?
    }

    async fn station(&self, device: &OwnedObjectPath) -> Result<StationProxy<'_>, IwdError> {
        let what = "work as a station";
        StationProxy::builder(&self.connection)
            .path(device.clone())
            .build()
            .await
            .map_err(|source| IwdError::Refused { what, source })
    }
}

async fn bounded<T, E: Into<zbus::Error>>(
    what: &'static str,
    most: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, IwdError> {
    timeout(most, call)
        .await
        .map_err(|_late| IwdError::Late(what))?
        .map_err(|source| IwdError::Refused { what, source: source.into() })
}

/// Gives notice of every signal of iwd, and once more when the bus is gone. What changed is read anew by whoever is told.
async fn watch(connection: &Connection, changed: Arc<Notify>) -> Result<(), zbus::Error> {
    let rule = zbus::MatchRule::builder().msg_type(zbus::message::Type::Signal).sender(SERVICE).build()?;
    let mut of_iwd = zbus::MessageStream::for_match_rule(rule, connection, NonZero::new(64)).await?;
    let owner = zbus::MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .arg(0, SERVICE)
        .build()?;
    let mut of_bus = zbus::MessageStream::for_match_rule(owner, connection, NonZero::new(8)).await?;
    drop(tokio::spawn(async move {
        loop {
            // Both are cancel safe: what a stream has waits in it.
            let came = tokio::select! {
                message = of_iwd.next() => message,
                message = of_bus.next() => message,
            };
            changed.notify_one();
            if came.is_none() {
                return;
            }
        }
    }));
    Ok(())
}
