//! A signed repository, and a box that runs version 1.

use crate::harness::Answer;
use crate::harness::Around;
use crate::harness::Router;
use crate::harness::places;
use crate::harness::setup_body;
use crate::harness::wait_until;
use hostd::accounts::Storage;
use hostd::host::fake::FakeHost;
use hostd::net::fake::FakeNetd;
use hostd::records::Records;
use hostd::updates::fetch::Servers;
use model::report::BootReport;
use model::report::DataReport;
use model::report::ServicesReport;
use model::update::RunningSlot;
use model::update::SlotStanding;
use model::update::SlotsReport;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use store::MemoryStore;
use store::Store;
use tempfile::TempDir;
use tokio::task::JoinSet;
use update::Custom;
use update::Folder;
use update::HttpSettings;
use update::Notes;
use update::Place;
use update::SettingsError;
use update::Source;
use update::publish::Addition;
use update::publish::Archive;
use update::publish::DEFAULT_CUT;
use update::publish::Key;
use update::publish::Lifetimes;
use update::publish::Online;
use update::publish::Repository;
use update::publish::RolePlan;
use update::publish::RootPlan;
use update::publish::pack;

/// 2027-01-15.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const DAY: u64 = 86_400;

/// A repository in a folder, all of whose roles one key signs.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    key: Key,
}

/// Whatever the address, the folder.
#[derive(Debug)]
struct InFolder(PathBuf);

impl Servers for InFolder {
    fn reach(&self, _settings: &HttpSettings) -> Result<Box<dyn Source>, SettingsError> {
        Ok(Box::new(Folder::new(self.0.clone())))
    }
}

pub(crate) fn place(board: &str, channel: &str) -> Place {
    Place { board: board.parse().unwrap(), channel: channel.parse().unwrap() }
}

pub(crate) fn slot(seed: u8) -> Vec<u8> {
    (0..200_000_u32).map(|at| at.wrapping_mul(40_503).to_le_bytes()[1] ^ seed).collect()
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), key: Key::generate().unwrap().0 };
        let repository = world.repository();
        let role = || RolePlan { keys: vec![world.key.public()], threshold: 1 };
        let plan = RootPlan { root: role(), targets: role(), snapshot: role(), timestamp: role() };
        let mut root = repository.draft_root(&plan).unwrap();
        root.sign(&world.key).unwrap();
        repository.commit_root(&root).unwrap();
        let mut targets = repository.draft_targets().unwrap();
        targets.sign(&world.key).unwrap();
        repository.commit(Some(&targets), &world.online()).unwrap();
        world
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub(crate) fn repository(&self) -> Repository {
        Repository::open(self.path(), Lifetimes::default(), NOW).unwrap()
    }

    fn online(&self) -> Online<'_> {
        Online { snapshot: std::slice::from_ref(&self.key), timestamp: std::slice::from_ref(&self.key) }
    }

    pub(crate) fn add(&self, place: &Place, version: &str, slot: &[u8]) {
        self.add_archive(place, version, slot, &pack(slot, DEFAULT_CUT).unwrap());
    }

    pub(crate) fn add_archive(&self, place: &Place, version: &str, slot: &[u8], archive: &Archive) {
        let addition = Addition {
            slot,
            archive: Some(archive),
            place: place.clone(),
            version: version.parse().unwrap(),
            loader: "257".parse().unwrap(),
            ships: "257.13-1".parse().unwrap(),
            rollout: 100,
            notes: Notes::new("new".to_owned()).unwrap(),
        };
        let mut draft = self.repository().add(&addition).unwrap();
        draft.sign(&self.key).unwrap();
        self.repository().commit(Some(&draft), &self.online()).unwrap();
    }

    pub(crate) fn edit(&self, version: &str, mut edit: impl FnMut(&mut Custom)) {
        let home = place("x86_64", "stable");
        let mut draft = self.repository().edit(&home, &version.parse().unwrap(), &mut edit).unwrap();
        draft.sign(&self.key).unwrap();
        self.repository().commit(Some(&draft), &self.online()).unwrap();
    }

    pub(crate) fn bundle(&self, place: &Place, version: &str) -> Vec<u8> {
        let catalog = self.repository().catalog().unwrap();
        let release = catalog.find(place, &version.parse().unwrap(), None).unwrap();
        let mut bytes = Vec::new();
        self.repository().bundle(release, &mut bytes).unwrap();
        bytes
    }
}

/// A box with an owner, that trusts a world and runs version 1.
pub(crate) struct Home {
    pub(crate) router: Router,
    pub(crate) cookie: String,
    pub(crate) netd: Arc<FakeNetd>,
    _tasks: JoinSet<()>,
}

pub(crate) fn running(version: &str, standing: SlotStanding) -> SlotsReport {
    SlotsReport {
        running: Some(RunningSlot { version: version.to_owned(), standing }),
        loader: Some("systemd-boot 257.13-1~deb13u1".to_owned()),
        ..SlotsReport::default()
    }
}

impl Home {
    pub(crate) async fn new(world: &World) -> Self {
        Self::with(world, running("1", SlotStanding::Kept)).await
    }

    pub(crate) async fn with(world: &World, slots: SlotsReport) -> Self {
        Self::leaving(world, slots, 0).await
    }

    /// One with nothing to spare.
    pub(crate) async fn with_a_full_disk(world: &World) -> Self {
        Self::leaving(world, running("1", SlotStanding::Kept), u64::MAX).await
    }

    async fn leaving(world: &World, slots: SlotsReport, reserve: u64) -> Self {
        let host = FakeHost {
            boot: Some(BootReport {
                version: "1".to_owned(),
                board: "x86_64".to_owned(),
                data: DataReport::Ready { device: String::new(), created: false },
                ..BootReport::default()
            }),
            slots: Some(slots).into(),
            services: Some(ServicesReport::default()).into(),
            ..FakeHost::default()
        };
        let store = Arc::new(MemoryStore::new());
        let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
        let prepare = |folder: &std::path::Path| {
            let places = places(folder);
            fs::create_dir_all(&places.folder).unwrap();
            fs::create_dir_all(&places.trust).unwrap();
            let (_version, root) = world.repository().newest_root().unwrap().unwrap();
            fs::write(places.trust.join("root.json"), root).unwrap();
            let source = r#"{"url":"https://updates.example","channel":"stable"}"#;
            fs::write(places.trust.join("source.json"), source).unwrap();
        };
        let servers = Arc::new(InFolder(world.path()));
        let router = Router::prepared(
            Storage::Usable(records),
            store,
            host,
            Around { prepare: &prepare, servers, reserve },
        );
        router.clock.set_wall_unix(NOW);
        router.app.updates.load().await;
        let set_up = router.post("/api/v1/setup", &setup_body(&router.code()), &[]).await;
        assert_eq!(set_up.status, 201, "{set_up:?}");
        let cookie = set_up.cookie();
        let netd = FakeNetd::lively();
        let tasks = router.attach(&netd).await;
        Self { router, cookie, netd, _tasks: tasks }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let headers = [("cookie", self.cookie.as_str()), ("content-type", "application/json")];
        self.router.send(method, &format!("/api/v1/updates{path}"), body, &headers).await
    }

    pub(crate) async fn bring(&self, file: &[u8]) -> Answer {
        let headers = [("cookie", self.cookie.as_str()), ("content-type", "application/octet-stream")];
        let somebody = "192.168.1.5".parse().unwrap();
        self.router.send_from(somebody, "POST", "/api/v1/updates/bundle", file, &headers).await
    }

    pub(crate) async fn view(&self) -> Value {
        let answer = self.send("GET", "", "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Waits for a phase.
    pub(crate) async fn wait(&self, phase: &str) -> Value {
        let what = format!("updates are {phase}");
        wait_until(&what, async || self.view().await["progress"]["phase"] == phase).await;
        self.view().await
    }

    /// Asks the repository, and waits for the end.
    pub(crate) async fn check(&self, phase: &str) -> Value {
        let asked = self.send("POST", "/check", "").await;
        assert_eq!(asked.status, 202, "{asked:?}");
        self.wait(phase).await
    }

    /// Updates are only told of.
    pub(crate) async fn only_ask(&self) {
        let kept = self.send("PUT", "/settings", r#"{"mode":"ask"}"#).await;
        assert_eq!(kept.status, 200, "{kept:?}");
    }

    pub(crate) fn asked(&self) -> Vec<model::control::ControlRequest> {
        self.router.host.asked.lock().unwrap().clone()
    }

    pub(crate) fn show(&self, slots: SlotsReport) {
        *self.router.host.slots.lock().unwrap() = Some(slots);
    }

    pub(crate) fn fetched(&self) -> Option<Vec<u8>> {
        fs::read(places(self.router.folder.path()).folder.join("slot.efi")).ok()
    }

    /// One look of the updater, as its task has them.
    pub(crate) async fn look(&self) {
        self.router.app.updates.look(&self.router.app).await;
    }
}
