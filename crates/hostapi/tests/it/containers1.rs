//! `org.hearthos.Containers1` over a socket pair, with a fake backend behind the glue.

use hostapi::containers1;
use hostapi::containers1::Containers1Backend;
use hostapi::containers1::Containers1Error;
use hostapi::containers1::Containers1Proxy;
use hostapi::containers1::DATA_KEY;
use hostapi::containers1::DataKey;
use hostapi::containers1::MAX_IMAGE_NAME;
use hostapi::containers1::MAX_SPEC;
use hostapi::peer::AllowedUids;
use hostapi::peer::ConnectError;
use hostapi::peer::ServeError;
use model::containers::AppReport;
use model::containers::AppSpec;
use model::containers::AppState;
use model::containers::DataState;
use model::containers::ImageReport;
use model::containers::LogLine;
use model::containers::LogPage;
use model::containers::LogStream;
use model::containers::MAX_LOG_LINES;
use model::containers::PartName;
use model::containers::PullReport;
use model::containers::PullState;
use model::containers::Registries;
use model::containers::Storage;
use model::containers::Traffic;
use model::containers::Wanted;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::net::UnixStream;

const SPEC: &str = r#"{"containers":{"web":{"image":{"name":"docker.io/library/nginx:1","manifest":"sha256:00"},"limits":{"memory_bytes":67108864,"tasks":64}}}}"#;

/// Notes what reaches it.
#[derive(Default)]
struct FakeDaemon {
    asked: Mutex<Vec<String>>,
}

impl FakeDaemon {
    fn note(&self, words: String) -> Result<(), Containers1Error> {
        self.asked.lock().unwrap().push(words);
        Ok(())
    }
}

fn image(name: &str) -> ImageReport {
    ImageReport {
        name: name.to_owned(),
        manifest: "sha256:00".to_owned(),
        ports: Vec::new(),
        volumes: Vec::new(),
    }
}

impl Containers1Backend for FakeDaemon {
    async fn set_app(&self, app: AppKey, spec: AppSpec) -> Result<(), Containers1Error> {
        self.note(format!("set {app} {}", spec.containers.len()))
    }

    async fn spec(&self, _app: AppKey) -> Result<AppSpec, Containers1Error> {
        Ok(serde_json::from_str(SPEC).unwrap())
    }

    async fn unlock_data(&self, app: AppKey, key: DataKey) -> Result<(), Containers1Error> {
        self.note(format!("unlock {app} {:?}", key.last()))
    }

    async fn lock_data(&self, app: AppKey) -> Result<(), Containers1Error> {
        self.note(format!("lock {app}"))
    }

    async fn start_app(&self, app: AppKey) -> Result<(), Containers1Error> {
        self.note(format!("start {app}"))
    }

    async fn stop_app(&self, app: AppKey) -> Result<(), Containers1Error> {
        self.note(format!("stop {app}"))
    }

    async fn restart_app(&self, app: AppKey) -> Result<(), Containers1Error> {
        self.note(format!("restart {app}"))
    }

    async fn remove_app(&self, app: AppKey, delete_data: bool) -> Result<(), Containers1Error> {
        self.note(format!("remove {app} {delete_data}"))
    }

    async fn apps(&self) -> Result<Vec<AppReport>, Containers1Error> {
        Ok(vec![AppReport {
            app: "notes".parse().unwrap(),
            wanted: Wanted::Running,
            state: AppState::Starting,
            data: DataState::Open,
            reasons: vec!["it waits for the network".to_owned()],
            traffic: Some(Traffic { received_bytes: 1, sent_bytes: 2 }),
            storage: Some(Storage { used_bytes: 3, most_bytes: 4 }),
            containers: BTreeMap::new(),
        }])
    }

    async fn wait_for_change(&self, seen: u64) -> Result<u64, Containers1Error> {
        Ok(seen + 1)
    }

    async fn logs(
        &self,
        _app: AppKey,
        container: PartName,
        from: u64,
        limit: usize,
    ) -> Result<LogPage, Containers1Error> {
        if container.as_str() == "db" {
            return Err(Containers1Error::UnknownContainer("no db".to_owned()));
        }
        self.note(format!("logs {from} {limit}"))?;
        let line =
            LogLine { number: from, unix_ms: 7, stream: LogStream::Stderr, text: "\u{fffd}\"".to_owned() };
        Ok(LogPage { lines: vec![line], next: from + 1 })
    }

    async fn pull_image(&self, name: String, registries: Registries) -> Result<(), Containers1Error> {
        self.note(format!("pull {name} {}", registries.0.len()))
    }

    async fn pulls(&self) -> Result<Vec<PullReport>, Containers1Error> {
        let state = PullState::Running { done_bytes: 1, total_bytes: 2 };
        Ok(vec![PullReport { name: "nginx".to_owned(), state }])
    }

    async fn cancel_pull(&self, name: String) -> Result<(), Containers1Error> {
        self.note(format!("cancel {name}"))
    }

    async fn import_image(&self, name: String, archive: OwnedFd) -> Result<ImageReport, Containers1Error> {
        let mut text = String::new();
        File::from(archive).read_to_string(&mut text).unwrap();
        self.note(format!("import {name}: {text}"))?;
        Ok(image(&name))
    }

    async fn images(&self) -> Result<Vec<ImageReport>, Containers1Error> {
        Ok(vec![image("nginx")])
    }

    async fn remove_image(&self, _name: String) -> Result<(), Containers1Error> {
        Err(Containers1Error::InUse("notes uses it".to_owned()))
    }

    async fn collect_images(&self) -> Result<u64, Containers1Error> {
        Ok(3)
    }

    async fn snapshot_volumes(&self, app: AppKey, snapshot: PartName) -> Result<(), Containers1Error> {
        self.note(format!("snapshot {app} {snapshot}"))
    }

    async fn restore_volumes(&self, _app: AppKey, _snapshot: PartName) -> Result<(), Containers1Error> {
        Err(Containers1Error::Running("stop it first".to_owned()))
    }

    async fn remove_snapshot(&self, app: AppKey, snapshot: PartName) -> Result<(), Containers1Error> {
        self.note(format!("forget {app} {snapshot}"))
    }
}

async fn open() -> (Containers1Proxy<'static>, Arc<FakeDaemon>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let allowed = AllowedUids::new([ours.peer_cred().unwrap().uid()]);
    let daemon = Arc::new(FakeDaemon::default());
    let backend = Arc::clone(&daemon);
    drop(tokio::spawn(async move { containers1::serve(theirs, backend, &allowed).await }));
    (containers1::open(ours).await.unwrap(), daemon)
}

#[tokio::test]
async fn every_method_reaches_the_backend() {
    let (proxy, daemon) = open().await;
    proxy.set_app("notes", SPEC).await.unwrap();
    proxy.unlock_data("notes", vec![9; DATA_KEY]).await.unwrap();
    proxy.lock_data("notes").await.unwrap();
    proxy.start_app("notes").await.unwrap();
    proxy.stop_app("notes").await.unwrap();
    proxy.restart_app("notes").await.unwrap();
    proxy.remove_app("notes", true).await.unwrap();
    proxy.pull_image("nginx", r#"{"nas:5000": {"plain_http": true}}"#).await.unwrap();
    proxy.cancel_pull("nginx").await.unwrap();
    proxy.snapshot_volumes("notes", "before-2.0").await.unwrap();
    proxy.remove_snapshot("notes", "before-2.0").await.unwrap();
    let mut archive = tempfile::tempfile().unwrap();
    archive.write_all(b"layers").unwrap();
    archive.rewind().unwrap();
    let imported = proxy.import_image("nginx", OwnedFd::from(archive).into()).await.unwrap();
    assert_eq!(containers1::read_answer::<ImageReport>(&imported).unwrap(), image("nginx"));
    assert_eq!(
        *daemon.asked.lock().unwrap(),
        [
            "set notes 1",
            "unlock notes Some(9)",
            "lock notes",
            "start notes",
            "stop notes",
            "restart notes",
            "remove notes true",
            "pull nginx 1",
            "cancel nginx",
            "snapshot notes before-2.0",
            "forget notes before-2.0",
            "import nginx: layers",
        ]
    );
}

#[tokio::test]
async fn answers_come_back_as_they_were_given() {
    let (proxy, daemon) = open().await;
    let spec: AppSpec = containers1::read_answer(&proxy.spec("notes").await.unwrap()).unwrap();
    assert_eq!(spec, serde_json::from_str(SPEC).unwrap());
    let apps: Vec<AppReport> = containers1::read_answer(&proxy.apps().await.unwrap()).unwrap();
    assert_eq!(apps[0].reasons, ["it waits for the network"]);
    assert_eq!(apps[0].traffic, Some(Traffic { received_bytes: 1, sent_bytes: 2 }));
    let pulls: Vec<PullReport> = containers1::read_answer(&proxy.pulls().await.unwrap()).unwrap();
    assert_eq!(pulls[0].state, PullState::Running { done_bytes: 1, total_bytes: 2 });
    let images: Vec<ImageReport> = containers1::read_answer(&proxy.images().await.unwrap()).unwrap();
    assert_eq!(images, [image("nginx")]);
    assert_eq!((proxy.collect_images().await.unwrap(), proxy.wait_for_change(41).await.unwrap()), (3, 42));
    let page: LogPage = containers1::read_answer(&proxy.logs("notes", "web", 9, 5).await.unwrap()).unwrap();
    assert_eq!((page.lines[0].number, &*page.lines[0].text), (9, "\u{fffd}\""));
    // The number of lines has its bounds here.
    proxy.logs("notes", "web", 1, 0).await.unwrap();
    proxy.logs("notes", "web", 1, u32::MAX).await.unwrap();
    let asked = ["logs 9 5".to_owned(), "logs 1 1".to_owned(), format!("logs 1 {MAX_LOG_LINES}")];
    assert_eq!(*daemon.asked.lock().unwrap(), asked);
}

#[tokio::test]
async fn errors_keep_their_names() {
    let (proxy, _daemon) = open().await;
    let running = proxy.restore_volumes("notes", "x").await.unwrap_err();
    assert!(matches!(&running, Containers1Error::Running(said) if said == "stop it first"), "{running:?}");
    let used = proxy.remove_image("nginx").await.unwrap_err();
    assert!(matches!(used, Containers1Error::InUse(_)), "{used:?}");
    let unknown = proxy.logs("notes", "db", 0, 1).await.unwrap_err();
    assert!(matches!(unknown, Containers1Error::UnknownContainer(_)), "{unknown:?}");
}

#[tokio::test]
async fn what_is_no_name_or_no_specification_never_reaches_the_backend() {
    let (proxy, daemon) = open().await;
    for spec in
        ["", "{}", "{\"containers\":{}}", &SPEC.replace("\"tasks\":64", "\"tasks\":64,\"privileged\":true")]
    {
        let invalid = proxy.set_app("notes", spec).await.unwrap_err();
        assert!(matches!(invalid, Containers1Error::Invalid(_)), "{spec}: {invalid:?}");
    }
    let long = format!("{SPEC}{}", " ".repeat(MAX_SPEC));
    let invalid = proxy.set_app("notes", &long).await.unwrap_err();
    assert!(matches!(&invalid, Containers1Error::Invalid(said) if said.contains("1048576")), "{invalid:?}");
    for app in ["", "..", "a/b", "Notes"] {
        let unknown = proxy.start_app(app).await.unwrap_err();
        assert!(matches!(unknown, Containers1Error::UnknownApp(_)), "{app}: {unknown:?}");
    }
    for length in [0, DATA_KEY - 1, DATA_KEY + 1] {
        let invalid = proxy.unlock_data("notes", vec![9; length]).await.unwrap_err();
        assert!(matches!(invalid, Containers1Error::Invalid(_)), "{length}: {invalid:?}");
    }
    for snapshot in ["", "..", "a/b"] {
        let invalid = proxy.snapshot_volumes("notes", snapshot).await.unwrap_err();
        assert!(matches!(invalid, Containers1Error::Invalid(_)), "{snapshot}: {invalid:?}");
    }
    let invalid = proxy.pull_image(&"a".repeat(MAX_IMAGE_NAME + 1), "{}").await.unwrap_err();
    assert!(matches!(invalid, Containers1Error::Invalid(_)), "{invalid:?}");
    let plain_login = r#"{"nas:5000": {"plain_http": true, "login": {"user": "a", "password": "b"}}}"#;
    for registries in ["", "[]", r#"{"a/b": {}}"#, plain_login] {
        let invalid = proxy.pull_image("nginx", registries).await.unwrap_err();
        assert!(matches!(invalid, Containers1Error::Invalid(_)), "{registries}: {invalid:?}");
    }
    assert!(daemon.asked.lock().unwrap().is_empty());
    containers1::read_answer::<AppReport>(&" ".repeat(containers1::MAX_ANSWER + 1)).unwrap_err();
    containers1::read_answer::<AppReport>("{}").unwrap_err();
}

#[tokio::test]
async fn a_caller_that_is_not_on_the_list_is_refused_before_the_handshake() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let nobody = AllowedUids::new([ours.peer_cred().unwrap().uid() + 1]);
    let daemon = Arc::new(FakeDaemon::default());
    let served = tokio::spawn(async move { containers1::serve(theirs, daemon, &nobody).await });
    let refused = served.await.unwrap().unwrap_err();
    assert!(matches!(&refused, ServeError::CallerRefused { interface, .. }
        if interface == "org.hearthos.Containers1"));
    assert!(matches!(containers1::open(ours).await.unwrap_err(), ConnectError::Bus { .. }));
}

/// Every change of the interface shows in review; write the new text with `HEARTH_BLESS=1`.
#[tokio::test]
async fn the_interface_is_the_one_in_the_checked_in_xml() {
    let (proxy, _daemon) = open().await;
    let introspectable = zbus::fdo::IntrospectableProxy::builder(proxy.inner().connection())
        .destination("org.hearthos.Containers1")
        .path(containers1::PATH)
        .build()
        .await
        .unwrap();
    let xml = introspectable.introspect().await.unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("xml/org.hearthos.Containers1.xml");
    if std::env::var_os("HEARTH_BLESS").is_some() {
        std::fs::write(&file, &xml).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        xml, checked_in,
        "the interface changed: run this test with HEARTH_BLESS=1 and review the difference"
    );
}
