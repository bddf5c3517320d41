//! A router with a described machine around it, a whole server, and a client that trusts the household authority alone.

use hostapi::net1::Net1Proxy;
use hostd::accounts::Accounts;
use hostd::accounts::Loaded;
use hostd::accounts::Storage;
use hostd::app::App;
use hostd::apps::Apps;
use hostd::apps::Patience;
use hostd::apps::fake::FakeContainerd;
use hostd::backups::Backups;
use hostd::bootstrap::Bootstrap;
use hostd::clock::ManualClock;
use hostd::host::fake::FakeHost;
use hostd::household::authority::Authority;
use hostd::net::Netd;
use hostd::net::NetworkView;
use hostd::net::fake::FakeNetd;
use hostd::records::Records;
use hostd::server::Visitor;
use hostd::settings::Settings;
use hostd::storaged::Storaged;
use hostd::storaged::fake::FakeStoraged;
use hostd::updates;
use hostd::updates::Places;
use hostd::updates::Updates;
use hostd::updates::fetch::Servers;
use hostd::updates::fetch::WebServers;
use hostd::vaults::Vaults;
use hostd::vaults::directories::fake::FakeDirectories;
use hostd::web::Reply;
use hostd::web::console::Console;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use serde_json::Value;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::MemoryStore;
use store::Store;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// No test waits longer; none asserts that something is faster.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);
/// How long vaults stay open without their user.
pub(crate) const IDLE: Duration = Duration::from_secs(600);
pub(crate) const PASSWORD: &str = "correct horse";

/// Waits until a condition holds.
pub(crate) async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(DEADLINE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}

/// An answer, whichever way it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status, code and field of an error.
    pub(crate) fn error(&self) -> (u16, String, Option<String>) {
        let body = self.json();
        let error = &body["error"];
        assert!(!error["message"].as_str().unwrap().is_empty());
        let field = error["field"].as_str().map(str::to_owned);
        (self.status, error["code"].as_str().unwrap().to_owned(), field)
    }

    /// `name=value` of the session cookie it sets.
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }
}

/// The router with a described machine around it.
pub(crate) struct Router {
    pub(crate) app: Arc<App>,
    pub(crate) host: Arc<FakeHost>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) network: watch::Sender<NetworkView>,
    pub(crate) connection: watch::Sender<Option<Net1Proxy<'static>>>,
    pub(crate) directories: Arc<FakeDirectories>,
    pub(crate) folder: TempDir,
}

/// What is around the box: what lies in its folder before hostd starts, who serves updates, and what these leave free of the disk.
pub(crate) struct Around<'a> {
    pub(crate) prepare: &'a dyn Fn(&Path),
    pub(crate) servers: Arc<dyn Servers>,
    pub(crate) reserve: u64,
}

impl Router {
    pub(crate) fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
        Self::with(Storage::Usable(records), store, FakeHost::default())
    }

    pub(crate) fn with(storage: Storage, store: Arc<MemoryStore>, host: FakeHost) -> Self {
        Self::prepared(
            storage,
            store,
            host,
            Around { prepare: &|_folder| {}, servers: Arc::new(WebServers), reserve: 0 },
        )
    }

    /// The same, with a folder that is made ready first, and other servers of updates.
    pub(crate) fn prepared(
        storage: Storage,
        store: Arc<MemoryStore>,
        host: FakeHost,
        Around { prepare, servers, reserve }: Around<'_>,
    ) -> Self {
        let clock = Arc::new(ManualClock::default());
        let host = Arc::new(host);
        let (network, receiver) = watch::channel(NetworkView::default());
        let (connection, netd) = watch::channel(None);
        let (authority, _) = Authority::generate().unwrap();
        let accounts = Accounts::new(storage.clone(), Loaded::default(), clock.clone()).unwrap();
        let (folder, directories) = (tempfile::tempdir().unwrap(), Arc::new(FakeDirectories::default()));
        prepare(folder.path());
        let users = folder.path().join("users");
        let storaged = Storaged::default();
        let private = folder.path().join("backups");
        let vaults = Arc::new(Vaults::new(storage.clone(), accounts.hasher(), users, directories.clone()));
        let netd = Netd::new(netd);
        let apps = Apps::new(storage.clone(), netd.clone(), vaults.secrets_of_apps(), app_patience());
        let updates = Updates::new(
            storage.clone(),
            host.clone(),
            servers,
            clock.clone(),
            (Places { reserve, ..places(folder.path()) }, update_patience()),
        );
        let backups =
            Backups::new(storage, storaged.clone(), Arc::clone(&vaults), clock.clone(), &authority, private);
        let app = App {
            backups,
            apps,
            updates,
            vaults,
            vault_idle: IDLE,
            accounts,
            authority: Arc::new(authority),
            console: Console::default(),
            host: host.clone(),
            clock: clock.clone(),
            network: receiver,
            netd,
            storaged,
            boot: hostd::host::Host::boot_report(host.as_ref()).unwrap(),
            recovered: None,
            rollback: None,
            uploads: std::env::temp_dir(),
            run: std::env::temp_dir(),
            bootstrap: Bootstrap::default(),
            bootstrap_problem: None,
            https_port: 443,
        };
        Self { app: Arc::new(app), host, clock, store, network, connection, directories, folder }
    }

    /// A router whose owner is `anna`, and her cookie.
    pub(crate) async fn set_up() -> (Self, String) {
        let router = Self::new();
        let answer = router.post("/api/v1/setup", &setup_body(&router.code()), &[]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let cookie = answer.cookie();
        (router, cookie)
    }

    /// Connects a netd, as [`hostd::net::follow`] would; it is there for as long as the result lives.
    pub(crate) async fn attach(&self, netd: &Arc<FakeNetd>) -> JoinSet<()> {
        let (proxy, mut tasks) = netd.connect().await;
        self.connection.send_replace(Some(proxy));
        let status = Arc::clone(&netd.status.borrow());
        self.network.send_replace(NetworkView {
            host_name: status.host_name.clone(),
            links: status.links.clone(),
            reasons: status.reasons.clone(),
            settings: Some(status.settings.clone()),
            app_policy: Some(status.app_policy.clone()),
        });
        let (mut status, network) = (netd.status.subscribe(), self.network.clone());
        tasks.spawn(async move {
            while status.changed().await.is_ok() {
                let settings = status.borrow_and_update().settings.clone();
                network.send_modify(|view| view.settings = Some(settings));
            }
        });
        tasks
    }

    /// Connects a storaged, as [`hostd::storaged::follow`] would; it is there for as long as the result lives.
    pub(crate) async fn attach_storaged(&self, fake: &Arc<FakeStoraged>) -> JoinSet<()> {
        let (proxy, mut tasks) = fake.connect().await;
        let storaged = self.app.storaged.clone();
        tasks.spawn(async move { storaged.hold(proxy).await });
        wait_until("storaged is there", async || self.app.storaged.report().await.is_ok()).await;
        tasks
    }

    /// Connects a containerd-lite, as [`Apps::follow`] would; it is there for as long as the result lives.
    pub(crate) async fn attach_containerd(&self, fake: &Arc<FakeContainerd>) -> JoinSet<()> {
        let (proxy, mut tasks) = fake.connect().await;
        let apps = self.app.apps.clone();
        tasks.spawn(async move { apps.containerd().hold(proxy).await });
        tasks.spawn(self.app.apps.clone().follow_connected());
        wait_until("containerd-lite is there", async || self.app.apps.problem().is_none()).await;
        tasks
    }

    pub(crate) fn code(&self) -> String {
        claim_code(&self.app)
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, "", headers).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        self.send("POST", path, body, &all).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let somebody = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 5));
        self.send_from(somebody, method, path, body.as_bytes(), headers).await
    }

    pub(crate) async fn send_from(
        &self,
        from: IpAddr,
        method: &str,
        path: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "hearth.local");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        answer_of(self.app.answer(request, &Visitor::at(from)).await).await
    }
}

/// Of a stream of events, which ends with its session only, the head.
pub(crate) async fn answer_of(reply: Reply) -> Answer {
    let (parts, body) = reply.into_parts();
    let endless = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap().to_owned();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: if endless { Vec::new() } else { body.collect().await.unwrap().to_bytes().to_vec() },
    }
}

pub(crate) fn claim_code(app: &App) -> String {
    app.accounts.ownership().borrow().claim_code.as_ref().unwrap().to_string()
}

pub(crate) fn setup_body(code: &str) -> String {
    format!(r#"{{"claim_code":"{code}","hostname":"oak","owner":{{"name":"anna","password":"{PASSWORD}"}}}}"#)
}

pub(crate) fn login_body(password: &str) -> String {
    format!(r#"{{"name":"anna","password":"{password}"}}"#)
}

/// Apps prove themselves at once, and what waits is tried again soon; what has to become healthy may take its time.
pub(crate) fn app_patience() -> Patience {
    Patience {
        healthy_within: DEADLINE,
        settled_for: Duration::from_millis(20),
        again_after: Duration::from_millis(20),
    }
}

/// Folders for updates, which nobody has made yet.
pub(crate) fn places(folder: &Path) -> Places {
    Places {
        folder: folder.join("updates"),
        trust: folder.join("trust"),
        running_system: None,
        root: folder.join("root"),
        reserve: 0,
    }
}

/// Looks come at once.
pub(crate) fn update_patience() -> updates::Patience {
    updates::Patience {
        look_every: Duration::from_millis(20),
        install_within: DEADLINE,
        healthy_within: Duration::from_secs(480),
        healthy_looks: 3,
    }
}

/// Settings for a server on free loop-back ports, and a storaged that opens its store as long as the test runs.
pub(crate) fn settings(folder: &Path) -> Settings {
    let settings = settings_without_storaged(folder);
    if !settings.storage_socket.exists() {
        let mut served = Arc::new(FakeStoraged::default()).serve(&settings.storage_socket).unwrap();
        drop(tokio::spawn(async move { served.join_next().await }));
    }
    settings
}

/// The same on a machine without a storaged.
pub(crate) fn settings_without_storaged(folder: &Path) -> Settings {
    Settings {
        listen_http: Some("127.0.0.1:0".parse().unwrap()),
        listen_https: Some("127.0.0.1:0".parse().unwrap()),
        state: folder.join("state"),
        bootstrap: folder.join("config.json"),
        console: folder.join("console"),
        net_socket: folder.join("net.sock"),
        storage_socket: folder.join("storage.sock"),
        containers_socket: folder.join("containers.sock"),
        app_patience: app_patience(),
        storage_patience: DEADLINE,
        run: folder.to_owned(),
        boot_report: folder.join("boot.json"),
        vault_idle: Duration::from_secs(600),
        updates: places(folder),
    }
}

/// A client that trusts one authority.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    connector: TlsConnector,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, authority: &CertificateDer<'static>) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { address, connector: TlsConnector::from(Arc::new(config)) }
    }

    pub(crate) fn of(running: &hostd::Running) -> Self {
        Self::new(running.https, running.app.authority.certificate())
    }

    pub(crate) async fn connect(&self, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TcpStream::connect(self.address).await?;
        self.connector.connect(name, stream).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\n\r\n");
        self.exchange("hearth.local", request.as_bytes()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.exchange("hearth.local", request.as_bytes()).await
    }

    /// As somebody who is logged in; the path within the API.
    pub(crate) async fn post_as(&self, cookie: &str, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let request = format!(
            "POST /api/v1{path} HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\ncookie: {cookie}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.exchange("hearth.local", request.as_bytes()).await
    }

    pub(crate) async fn exchange(&self, name: &str, request: &[u8]) -> Answer {
        let exchange = async {
            let mut stream = self.connect(name).await.unwrap();
            stream.write_all(request).await.unwrap();
            read_answer(&mut stream).await
        };
        tokio::time::timeout(DEADLINE, exchange).await.expect("an answer within the deadline")
    }
}

/// One request over plain HTTP.
pub(crate) async fn plain(address: SocketAddr, request: &str) -> Answer {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read_answer(&mut stream).await
    };
    tokio::time::timeout(DEADLINE, exchange).await.expect("an answer within the deadline")
}

/// Reads until the other side closes.
pub(crate) async fn read_answer(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole response head");
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    Answer { status, headers: lines.map(pair).collect(), body: bytes[end + 4..].to_vec() }
}
