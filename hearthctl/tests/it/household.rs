//! A hostd with a described netd, in a thread of its own: hearthctl waits for answers, so it needs another thread than the box.

use hearthctl::client::Client;
use hostd::app::App;
use hostd::apps::Patience;
use hostd::apps::fake::FakeContainerd;
use hostd::net::fake::FakeNetd;
use hostd::settings::Settings;
use hostd::storaged::fake::FakeStoraged;
use hostd::updates::Places;
use hostd::vaults::directories::fake::FakeDirectories;
use model::report::BootReport;
use model::report::DataReport;
use model::storage::KeyKind;
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;
use tempfile::TempDir;
use tokio::sync::oneshot;

pub(crate) const PASSWORD: &str = "correct horse";
/// No test waits longer; none asserts that something is faster.
const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) struct Household {
    pub(crate) app: Arc<App>,
    pub(crate) netd: Arc<FakeNetd>,
    pub(crate) storaged: Arc<FakeStoraged>,
    pub(crate) containerd: Arc<FakeContainerd>,
    http: SocketAddr,
    https: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Household {
    /// A box without an owner, listening for HTTPS at this port; 0 takes a free one.
    pub(crate) fn new(port: u16) -> Self {
        Self::with(port, FakeStoraged::default())
    }

    /// A box whose data is locked.
    pub(crate) fn locked(port: u16) -> Self {
        Self::with(port, FakeStoraged::locked())
    }

    fn with(port: u16, storaged: FakeStoraged) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings {
            listen_http: Some("127.0.0.1:0".parse().unwrap()),
            listen_https: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            state: folder.path().join("state"),
            bootstrap: folder.path().join("config.json"),
            console: folder.path().join("console"),
            net_socket: folder.path().join("net.sock"),
            storage_socket: folder.path().join("storage.sock"),
            containers_socket: folder.path().join("containers.sock"),
            app_patience: Patience {
                healthy_within: DEADLINE,
                settled_for: Duration::from_millis(20),
                again_after: Duration::from_millis(20),
            },
            storage_patience: DEADLINE,
            run: folder.path().to_owned(),
            boot_report: folder.path().join("boot.json"),
            vault_idle: Duration::from_secs(600),
            updates: Places {
                folder: folder.path().join("updates"),
                trust: folder.path().join("trust"),
                running_system: None,
                root: folder.path().join("root"),
                reserve: 0,
            },
        };
        let netd = FakeNetd::lively();
        if !storaged.is_open() {
            let takes = vec![KeyKind::Recovery];
            let reasons = vec!["this key was sealed by another TPM".to_owned()];
            let data = DataReport::Locked { device: "/dev/vda2".to_owned(), reasons, takes };
            let report = BootReport { data, ..BootReport::default() };
            std::fs::write(&settings.boot_report, serde_json::to_vec(&report).unwrap()).unwrap();
            settings.state = folder.path().join("not-mounted/state");
        }
        let storaged = Arc::new(storaged);
        let (stop, stopped) = oneshot::channel();
        let (started, starts) = mpsc::channel();
        let (served, keys) = (Arc::clone(&netd), Arc::clone(&storaged));
        let containerd = Arc::new(FakeContainerd::default());
        let runs = Arc::clone(&containerd);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let _netd = served.serve(&settings.net_socket).unwrap();
                let _storaged = keys.serve(&settings.storage_socket).unwrap();
                let _containerd = runs.serve(&settings.containers_socket).unwrap();
                let directories = Arc::new(FakeDirectories::default());
                let running = hostd::start_with(settings, directories).await.unwrap();
                started.send((running.http, running.https, Arc::clone(&running.app))).unwrap();
                drop(stopped.await);
                running.stop().await;
            });
        });
        let (http, https, app) = starts.recv_timeout(DEADLINE).expect("a hostd within the deadline");
        let household = Self {
            app,
            netd,
            storaged,
            containerd,
            http,
            https,
            stop: Some(stop),
            thread: Some(thread),
            _folder: folder,
        };
        household.wait_until("hostd reaches netd", || household.app.netd.is_there());
        household.wait_until("hostd reaches containerd-lite", || household.app.apps.problem().is_none());
        household.wait_until("hostd reaches storaged", || household.app.storaged.last_report().is_some());
        household
    }

    /// A box that anna owns.
    pub(crate) fn owned(port: u16) -> Self {
        let household = Self::new(port);
        let code = household.app.accounts.ownership().borrow().claim_code.as_ref().unwrap().to_string();
        let body = serde_json::json!({
            "claim_code": code, "hostname": "hearth", "owner": {"name": "anna", "password": PASSWORD}
        });
        let client = Client::new(&household.url(), Some(Self::ADDRESS), household.certificate(), None);
        client.send("POST", "/setup", Some(&body.to_string())).unwrap();
        household
    }

    pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    pub(crate) fn url(&self) -> String {
        format!("https://hearth.local:{}", self.https.port())
    }

    pub(crate) fn port(&self) -> u16 {
        self.https.port()
    }

    /// Where the household's certificate is offered.
    pub(crate) fn certificate_url(&self) -> String {
        format!("http://hearth.local:{}/ca.crt", self.http.port())
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        self.app.authority.certificate()
    }

    pub(crate) fn fingerprint(&self) -> String {
        self.app.authority.fingerprint()
    }

    /// Arguments to log in to this box.
    pub(crate) fn login(&self) -> Vec<String> {
        let certificate = self.certificate_url();
        let words =
            ["login", &self.url(), "--address", "127.0.0.1", "--certificate", &certificate, "--name", "anna"];
        words.map(str::to_owned).to_vec()
    }

    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !holds() {
            assert!(Instant::now() < end, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Switches it off; the port is free when this returns.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("hostd ends without a panic");
        }
    }
}

impl Drop for Household {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}
