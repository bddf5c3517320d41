//! hostd: accounts, HTTPS and the console of a Hearth box.
//!
//! It runs as its own user without capabilities: sockets come from init, the network from netd, power from init.
//!
//! ```text
//! browser ── server (limits, TLS) ── app ─┬─ api (routes, authorisation) ── accounts ── records ── store
//!                                         └─ web (console files, welcome page)
//! tasks: net::follow        netd's view, and the chosen name sent to netd
//!        storaged::follow   the keys of the data
//!        certificates       the box's certificate follows names and addresses
//!        dns_certificate    the resolver's certificate follows names
//!        announce::follow   state and claim code to the box's screen
//!        vaults             users who have gone: their vaults are locked
//!        backups            a backup when it is due
//!        apps               containerd-lite's view, the policy of apps to netd, a task for each app under way
//!        updates            a check when it is due, a restart in the window, and whether a new system is healthy
//!        upkeep             hourly: sessions and the passage of time to the store
//! ```
//!
//! Long-lived state has one owner each: accounts their mutex, the network view its task. Everybody else has a `watch` receiver.
//! hostd must not: run as root, open raw sockets, parse what another program has to (configuration of links, disks).

pub mod accounts;
pub mod announce;
pub mod api;
pub mod app;
pub mod apps;
pub mod backups;
pub mod bootstrap;
pub mod certificates;
pub mod clock;
pub mod dns_certificate;
pub mod host;
pub mod household;
pub mod net;
pub mod preset;
pub mod records;
pub mod server;
pub mod settings;
pub mod state;
pub mod storage;
pub mod storaged;
pub mod updates;
pub mod vaults;
pub mod web;

use crate::accounts::Accounts;
use crate::accounts::claim::RandomError;
use crate::app::App;
use crate::app::HostDebug;
use crate::apps::Apps;
use crate::backups::Backups;
use crate::bootstrap::Bootstrap;
use crate::certificates::Certificates;
use crate::clock::KernelClock;
use crate::host::Host;
use crate::host::Machine;
use crate::household::authority::AuthorityError;
use crate::household::leaf::Leaf;
use crate::household::leaf::LeafError;
use crate::household::leaf::LeafNames;
use crate::net::Known;
use crate::net::Netd;
use crate::net::NetworkView;
use crate::net::Wishes;
use crate::server::MAX_CONNECTIONS;
use crate::server::Port;
use crate::server::connections::Connections;
use crate::server::tls;
use crate::settings::Settings;
use crate::storage::Needs;
use crate::storaged::Storaged;
use crate::updates::Patience;
use crate::updates::Updates;
use crate::updates::fetch::WebServers;
use crate::vaults::Vaults;
use crate::vaults::directories::Directories;
use crate::vaults::directories::Fscrypt;
use crate::web::console::Console;
use hostapi::activation::Sockets;
use hostapi::activation::TakeError;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Rollback;
use tokio::net::TcpListener;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::interval;

/// How often sessions and the passage of time are written down.
const UPKEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// The vaults' directories, below the folder for what is kept.
const USERS_FOLDER: &str = "users";
/// What backups work in, there too.
const BACKUPS_FOLDER: &str = "backups";

/// Why hostd could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A listening socket was not handed over.
    #[error("take a socket from init")]
    Take {
        /// Why.
        #[source]
        source: TakeError,
    },
    /// An address could not be listened on.
    #[error("listen on {address}")]
    Listen {
        /// Which.
        address: String,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// There is no household authority.
    #[error("start without a household authority")]
    Authority {
        /// Why.
        #[source]
        source: AuthorityError,
    },
    /// There is no certificate.
    #[error("start without a certificate")]
    Leaf {
        /// Why.
        #[source]
        source: LeafError,
    },
    /// TLS 1.3 cannot be spoken.
    #[error("set up TLS")]
    Tls {
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The kernel gave no random bytes.
    #[error("make a claim code")]
    Random {
        /// Why.
        #[source]
        source: RandomError,
    },
    /// Signals cannot be waited for.
    #[error("wait for signals")]
    Signal {
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

/// How long open connections may go on after SIGTERM: init sends it the moment it accepts a reboot, while the answer to
/// whoever asked for it is still on its way.
const FAREWELL: Duration = Duration::from_secs(2);

/// A hostd that listens and whose tasks run.
#[derive(Debug)]
pub struct Running {
    /// Where plain HTTP listens.
    pub http: SocketAddr,
    /// Where HTTPS listens.
    pub https: SocketAddr,
    /// What all requests share.
    pub app: Arc<App>,
    /// The connections of both ports.
    pub connections: Arc<Connections>,
    servers: JoinSet<()>,
    tasks: JoinSet<()>,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
///
/// When it cannot start. A broken data partition is no such reason: then it serves and says so.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    let stop = |kind| signal(kind).map_err(|source| RunError::Signal { source });
    let (mut terminate, mut interrupt) = (stop(SignalKind::terminate())?, stop(SignalKind::interrupt())?);
    let running = start(settings).await?;
    announce::tell(&["READY=1"]);
    tracing::info!(http = %running.http, https = %running.https, "hostd answers");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    announce::tell(&["STOPPING=1"]);
    running.stop().await;
    Ok(())
}

/// Opens everything and starts all tasks; both ports answer when it returns.
///
/// # Errors
///
/// As [`run`].
pub async fn start(settings: Settings) -> Result<Running, RunError> {
    start_with(settings, Arc::new(Fscrypt)).await
}

/// The same with other directories of vaults than the kernel's.
///
/// # Errors
///
/// As [`run`].
pub async fn start_with(settings: Settings, directories: Arc<dyn Directories>) -> Result<Running, RunError> {
    let (http, https) = listeners(&settings)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (bootstrap, bootstrap_problem) = match bootstrap::load(&settings.bootstrap) {
        Ok(bootstrap) => (bootstrap, None),
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "the bootstrap file is not used");
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            (Bootstrap::default(), Some(format!("{error}{cause}")))
        }
    };
    let machine = Machine::new(&settings.state, &settings.boot_report);
    let needs = Needs {
        storaged: &settings.storage_socket,
        patience: settings.storage_patience,
        accepted: accepted_rollback(&settings.run),
        restored: restored_store(&settings.state),
        keeps_way_back: updates::keeps_way_back(&machine),
    };
    let mut opened =
        storage::open(&settings.state, &needs).await.map_err(|source| RunError::Authority { source })?;
    let preset = preset::load(&settings.state);
    opened
        .loaded
        .host_name
        .get_or_insert_with(|| preset.host_name.unwrap_or_else(|| bootstrap.domain.clone()));
    opened.loaded.claim_code = preset.claim_code;
    let boot = machine.boot_report().unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn Error, "the boot report cannot be read");
        None
    });
    let clock = Arc::new(KernelClock);
    let accounts = Accounts::new(opened.storage.clone(), opened.loaded, clock.clone())
        .map_err(|source| RunError::Random { source })?;
    let users = settings.state.join(USERS_FOLDER);
    let vaults = Arc::new(Vaults::new(opened.storage.clone(), accounts.hasher(), users, directories));
    vaults.take_over().await;
    let authority = Arc::new(opened.authority);
    let (storaged, folder) = (Storaged::default(), settings.state.join(BACKUPS_FOLDER));
    let backups = Backups::new(
        opened.storage.clone(),
        storaged.clone(),
        Arc::clone(&vaults),
        clock.clone(),
        &authority,
        folder,
    );
    backups.load().await;
    let (connection, netd) = watch::channel(None);
    let netd = Netd::new(netd);
    let apps =
        Apps::new(opened.storage.clone(), netd.clone(), vaults.secrets_of_apps(), settings.app_patience);
    apps.load().await;
    if accounts.is_set_up() {
        let users: Vec<_> = accounts.users().into_iter().map(|(name, _role)| name).collect();
        apps.remove_orphans(&users).await;
    }
    let (view, network) = watch::channel(NetworkView::default());
    let host: Arc<dyn HostDebug> = Arc::new(machine);
    let updates = Updates::new(
        opened.storage.clone(),
        Arc::clone(&host),
        Arc::new(WebServers),
        clock.clone(),
        (settings.updates, Patience::default()),
    );
    updates.load().await;
    let app = Arc::new(App {
        accounts,
        authority,
        console: load_console(&settings.console),
        host,
        clock,
        network,
        netd,
        storaged,
        backups,
        apps,
        updates,
        vaults,
        vault_idle: settings.vault_idle,
        boot,
        recovered: opened.recovered,
        rollback: opened.rollback,
        uploads: settings.state.clone(),
        run: settings.run.clone(),
        bootstrap,
        bootstrap_problem,
        https_port: https.1.port(),
    });
    let wanted = names_at_start(&app, opened.leaf.as_ref());
    let certificates =
        Certificates::start(opened.leaf, wanted, &app.authority, Arc::clone(&provider), opened.storage)
            .await
            .map_err(|source| RunError::Leaf { source })?;
    let acceptor = tls::acceptor(provider, certificates.live()).map_err(|source| RunError::Tls { source })?;
    let connections = Connections::new(MAX_CONNECTIONS);
    let (mut servers, mut tasks) = (JoinSet::new(), JoinSet::new());
    servers.spawn(server::serve(http.0, Port::Plain, Arc::clone(&app), Arc::clone(&connections)));
    servers.spawn(server::serve(https.0, Port::Secure(acceptor), Arc::clone(&app), Arc::clone(&connections)));
    tasks.spawn(certificates.follow(Arc::clone(&app)));
    tasks.spawn(announce::follow(Arc::clone(&app)));
    tasks.spawn(follow_network(settings.net_socket, Arc::clone(&app), Known { view, connection }));
    let storaged = app.storaged.clone();
    tasks.spawn(async move { storaged::follow(&settings.storage_socket, storaged).await });
    tasks.spawn(app.backups.clone().follow());
    let apps = app.apps.clone();
    tasks.spawn(async move { apps.follow(&settings.containers_socket).await });
    tasks.spawn(app.updates.clone().follow(Arc::clone(&app)));
    tasks.spawn(preset::forget_when_owned(settings.state.clone(), app.accounts.ownership()));
    tasks.spawn(keep_up(Arc::clone(&app)));
    tasks.spawn(protect_data(Arc::clone(&app)));
    tasks.spawn(lock_unused(Arc::clone(&app)));
    Ok(Running { http: http.1, https: https.1, app, connections, servers, tasks })
}

impl Running {
    /// Takes no more connections, lets the open ones get the answers they are about to get, stops all tasks, then writes down what
    /// has aged.
    pub async fn stop(self) {
        self.stop_within(FAREWELL).await;
    }

    /// The same with another patience for answers.
    pub async fn stop_within(mut self, farewell: Duration) {
        self.connections.close();
        let ended = async { while self.servers.join_next().await.is_some() {} };
        if tokio::time::timeout(farewell, ended).await.is_err() {
            tracing::debug!("connections are closed before their end");
        }
        self.servers.shutdown().await;
        self.tasks.shutdown().await;
        self.app.backups.stop().await;
        self.app.apps.stop().await;
        self.app.updates.stop().await;
        self.app.vaults.lock_absent(|_user| false).await;
        if let Err(error) = self.app.accounts.upkeep(true).await {
            tracing::warn!(error = &error as &dyn Error, "the last uses of sessions were not kept");
        }
    }
}

type Listening = (TcpListener, SocketAddr);

fn listeners(settings: &Settings) -> Result<(Listening, Listening), RunError> {
    let mut sockets = Sockets::from_env();
    let mut listen = |name: &str, address: Option<SocketAddr>| match address {
        Some(address) => std::net::TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .and_then(with_address)
            .map_err(|source| RunError::Listen { address: address.to_string(), source }),
        None => {
            let listener = sockets.take_tcp(name).map_err(|source| RunError::Take { source })?;
            with_address(listener).map_err(|source| RunError::Listen { address: name.to_owned(), source })
        }
    };
    Ok((listen("http", settings.listen_http)?, listen("https", settings.listen_https)?))
}

fn with_address(listener: std::net::TcpListener) -> std::io::Result<Listening> {
    let address = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, address))
}

fn load_console(folder: &std::path::Path) -> Console {
    Console::load(folder).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn Error, "there is no console");
        Console::default()
    })
}

/// Nothing is accepted where that cannot be read.
fn accepted_rollback(run: &std::path::Path) -> Option<Rollback> {
    storage::acceptance::take(run).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn Error, "the rollback has to be accepted once more");
        None
    })
}

/// Where that fails, the store from before is opened, or none is there: then hostd says so.
fn restored_store(state: &std::path::Path) -> Option<Rollback> {
    storage::restored::take_place(state).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn Error, "a restored store cannot be put in place");
        None
    })
}

/// At start netd has not said anything yet. A kept certificate for the same names then serves with the addresses it has, else
/// every start would make a new one, and one more when the addresses come.
fn names_at_start(app: &App, kept: Option<&Leaf>) -> LeafNames {
    let wanted = certificates::wanted(app);
    kept.map(Leaf::names).filter(|names| names.is_for_host(&app.chosen_name())).cloned().unwrap_or(wanted)
}

async fn follow_network(socket: PathBuf, app: Arc<App>, known: Known) {
    let mut ownership = app.accounts.ownership();
    let (chosen, name) = watch::channel(ownership.borrow_and_update().host_name.clone());
    let (latest, certificate) = watch::channel(None);
    let forward = async {
        while ownership.changed().await.is_ok() {
            let name = ownership.borrow_and_update().host_name.clone();
            chosen.send_if_modified(|sent| {
                let changed = *sent != name;
                *sent = name;
                changed
            });
        }
    };
    let certify = dns_certificate::follow(Arc::clone(&app), latest);
    tokio::join!(net::follow(&socket, Wishes { name, certificate }, known), forward, certify);
}

async fn lock_unused(app: Arc<App>) {
    let mut tick = interval(vaults::WATCH_EVERY);
    loop {
        tick.tick().await;
        app.vaults.lock_absent(|user| app.accounts.is_present(user, app.vault_idle)).await;
    }
}

async fn protect_data(app: Arc<App>) {
    storage::protect::follow(app.accounts.storage_stopped(), app.host.as_ref()).await;
}

async fn keep_up(app: Arc<App>) {
    let mut tick = interval(UPKEEP_EVERY);
    loop {
        tick.tick().await;
        if let Err(error) = app.accounts.upkeep(false).await {
            tracing::warn!(error = &error as &dyn Error, "sessions were not kept up");
        }
    }
}
