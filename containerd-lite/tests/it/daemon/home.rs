//! A box, as far as the daemon sees it.

use super::fake::FakeNetd;
use super::fake::FakeRuntime;
use crate::world;
use containerd_lite::daemon;
use containerd_lite::daemon::Settings;
use containerd_lite::image::import::import;
use containerd_lite::runtime::ContainerId;
use containerd_lite::volumes::Volumes;
use hostapi::containers1;
use hostapi::containers1::Containers1Error;
use hostapi::containers1::Containers1Proxy;
use hostapi::net1;
use hostapi::peer::AllowedUids;
use model::containers::AppReport;
use model::containers::AppState;
use model::containers::LogPage;
use model::network::names::AppKey;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

pub(super) const DEADLINE: Duration = Duration::from_secs(120);
pub(super) const IMAGE: &str = "localhost/app:1";

/// A box, as far as the daemon sees it.
pub(super) struct Home {
    pub(super) folder: tempfile::TempDir,
    pub(super) runtime: FakeRuntime,
    pub(super) netd: FakeNetd,
    /// What its owner says of registries, as JSON.
    pub(super) registries: String,
    pub(super) manifest: String,
    pub(super) client: Runtime,
    pub(super) served: Option<Runtime>,
    pub(super) daemon: Option<Runtime>,
    pub(super) proxy: Option<Containers1Proxy<'static>>,
}

pub(super) fn threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

pub(super) fn key(text: &str) -> AppKey {
    text.parse().unwrap()
}

pub(super) fn id(app: &str, name: &str) -> ContainerId {
    ContainerId { app: key(app), name: name.parse().unwrap() }
}

impl Home {
    /// With an image, a netd and a daemon.
    pub(super) fn new() -> Self {
        let mut home = Self::without_netd();
        home.start_netd();
        home
    }

    pub(super) fn without_netd() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = folder.path().join("layout");
        world::write_layout(&layout, &world::image(&[world::layer("app", b"app")]), "1");
        let store = world::store(&folder.path().join("images"));
        let name = IMAGE.parse().unwrap();
        let image = import(&store, File::open(layout).unwrap(), None, &name, &world::go_on).unwrap();
        let mut home = Self {
            folder,
            runtime: FakeRuntime::default(),
            netd: FakeNetd::default(),
            registries: "{}".to_owned(),
            manifest: image.manifest.to_string(),
            client: threads(),
            served: None,
            daemon: None,
            proxy: None,
        };
        home.start();
        home
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn allowed() -> AllowedUids {
        AllowedUids::new([rustix::process::getuid().as_raw()])
    }

    pub(super) fn start_netd(&mut self) {
        let threads = threads();
        let (netd, path) = (Arc::new(self.netd.clone()), self.path("net.sock"));
        threads.block_on(async {
            let listener = tokio::net::UnixListener::bind(path).unwrap();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let netd = Arc::clone(&netd);
                    tokio::spawn(async move { net1::serve(stream, netd, &Self::allowed()).await });
                }
            });
        });
        self.served = Some(threads);
    }

    pub(super) fn start(&mut self) {
        let socket = self.path("bus.sock");
        drop(fs::remove_file(&socket));
        let listener = UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let settings = Settings {
            allowed: Self::allowed(),
            net_socket: self.path("net.sock"),
            state: self.path("state"),
            notes: self.path("notes"),
            volumes: Volumes::own(&self.path("apps")),
            store: world::store(&self.path("images")),
        };
        let threads = threads();
        let runtime = self.runtime.clone();
        threads.spawn(async move { daemon::run(runtime, settings, listener).await.unwrap() });
        self.daemon = Some(threads);
        let connected = async { tokio::time::timeout(DEADLINE, containers1::connect(&socket)).await };
        self.proxy = Some(self.client.block_on(connected).unwrap().unwrap());
    }

    /// As SIGKILL does: nothing more is begun, whatever was under way. Calls of the runtime that were begun have an end, as no thread of
    /// this process can be killed.
    pub(super) fn kill(&mut self) {
        self.proxy = None;
        self.daemon.take().unwrap().shutdown_timeout(DEADLINE);
    }

    pub(super) fn ask<T>(
        &self,
        call: impl AsyncFnOnce(&Containers1Proxy<'static>) -> Result<T, Containers1Error>,
    ) -> Result<T, Containers1Error> {
        let proxy = self.proxy.as_ref().unwrap();
        let asked = async { tokio::time::timeout(DEADLINE, call(proxy)).await };
        self.client.block_on(asked).expect("no answer before the deadline")
    }

    /// A container of the image, with more said of it.
    pub(super) fn container(&self, more: &Value) -> Value {
        let mut container = json!({
            "image": { "name": IMAGE, "manifest": self.manifest },
            "arguments": ["/app"],
            "limits": { "memory_bytes": 64 << 20, "tasks": 64 },
        });
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        container
    }

    pub(super) fn try_set(&self, app: &str, containers: &Value) -> Result<(), Containers1Error> {
        let spec = json!({ "containers": containers }).to_string();
        self.ask(async |proxy| proxy.set_app(app, &spec).await)
    }

    /// An app that is to run.
    pub(super) fn run(&self, app: &str, containers: &Value) {
        self.try_set(app, containers).unwrap();
        self.unlock(app).unwrap();
        self.ask(async |proxy| proxy.start_app(app).await).unwrap();
    }

    pub(super) fn unlock(&self, app: &str) -> Result<(), Containers1Error> {
        self.ask(async |proxy| proxy.unlock_data(app, vec![7; containers1::DATA_KEY]).await)
    }

    pub(super) fn reports(&self) -> Vec<AppReport> {
        let text = self.ask(async |proxy| proxy.apps().await).unwrap();
        containers1::read_answer(&text).unwrap()
    }

    pub(super) fn report(&self, app: &str) -> AppReport {
        self.reports().into_iter().find(|report| report.app == key(app)).unwrap()
    }

    /// Waits until all is as wished; not all of it is in a report.
    pub(super) fn wait_for(&self, what: &str, mut is_so: impl FnMut(&[AppReport]) -> bool) {
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            let reports = self.reports();
            if is_so(&reports) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{what}: {reports:#?}, {:?}", self.runtime.calls());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn wait_for_state(&self, app: &str, state: AppState) {
        self.wait_for(&format!("{app} is {state:?}"), |reports| {
            reports.iter().any(|report| report.app == key(app) && report.state == state)
        });
    }

    pub(super) fn log(&self, app: &str, container: &str) -> LogPage {
        let text = self.ask(async |proxy| proxy.logs(app, container, 0, 1000).await).unwrap();
        containers1::read_answer(&text).unwrap()
    }

    /// Waits until a log has a line with this in it.
    pub(super) fn wait_for_line(&self, app: &str, container: &str, part: &str) {
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            let page = self.log(app, container);
            if page.lines.iter().any(|line| line.text.contains(part)) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "no {part:?} in {page:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.proxy = None;
        for threads in [self.daemon.take(), self.served.take()].into_iter().flatten() {
            threads.shutdown_background();
        }
    }
}
