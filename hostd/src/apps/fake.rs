//! A containerd-lite in memory, behind the real D-Bus interface: nothing runs, and data is a text that each version writes anew.

use hostapi::containers1::Containers1Backend;
use hostapi::containers1::Containers1Error;
use hostapi::containers1::Containers1Proxy;
use hostapi::containers1::DataKey;
use hostapi::peer::AllowedUids;
use model::containers::AppReport;
use model::containers::AppSpec;
use model::containers::AppState;
use model::containers::ContainerReport;
use model::containers::ContainerState;
use model::containers::DataState;
use model::containers::ImageReport;
use model::containers::LogLine;
use model::containers::LogPage;
use model::containers::LogStream;
use model::containers::PartName;
use model::containers::PullReport;
use model::containers::PullState;
use model::containers::Registries;
use model::containers::Storage;
use model::containers::Traffic;
use model::containers::Usage;
use model::containers::Wanted;
use model::network::names::AppKey;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A containerd-lite that tests describe.
#[derive(Debug, Default)]
pub struct FakeContainerd {
    memory: Mutex<Memory>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Memory {
    apps: BTreeMap<AppKey, FakeApp>,
    /// Data by app; outlives the app where it is kept.
    data: BTreeMap<AppKey, String>,
    images: BTreeMap<String, ImageReport>,
    pulls: BTreeMap<String, PullState>,
    /// What registries have: the digest that a name leads to.
    published: BTreeMap<String, String>,
    missing: BTreeSet<String>,
    slow: BTreeSet<String>,
    broken: BTreeSet<String>,
    /// The key that each app's data was encrypted with.
    keys: BTreeMap<AppKey, Vec<u8>>,
    refused: BTreeSet<&'static str>,
    asked: Vec<String>,
    /// What came with the last pull.
    registries: Registries,
}

/// An app, as it is kept and as it is.
#[derive(Clone, Debug)]
pub struct FakeApp {
    /// How it is to run.
    pub spec: AppSpec,
    /// Whether it is.
    pub wanted: Wanted,
    state: AppState,
    /// The key of its data, while that is shown.
    key: Option<Vec<u8>>,
    snapshots: BTreeMap<PartName, Option<String>>,
}

impl FakeContainerd {
    /// An app, while there is one of that key.
    pub fn app(&self, key: &str) -> Option<FakeApp> {
        self.memory().apps.iter().find(|(known, _)| known.as_str() == key).map(|(_, app)| app.clone())
    }

    /// The data of an app: the digests of the version that wrote it.
    pub fn data(&self, key: &str) -> Option<String> {
        self.memory().data.iter().find(|(known, _)| known.as_str() == key).map(|(_, data)| data.clone())
    }

    /// Whether an app runs.
    pub fn is_running(&self, key: &str) -> bool {
        self.app(key).is_some_and(|app| app.state == AppState::Running)
    }

    /// The key that an app's data was encrypted with.
    pub fn key_of(&self, key: &str) -> Option<Vec<u8>> {
        self.memory().keys.iter().find(|(known, _)| known.as_str() == key).map(|(_, data)| data.clone())
    }

    /// As after a reboot: nobody has any key.
    pub fn forget_keys(&self) {
        for app in self.memory().apps.values_mut() {
            app.key = None;
            if app.wanted == Wanted::Running {
                app.state = AppState::Locked;
            }
        }
        self.changed();
    }

    /// Names of all images.
    pub fn images_here(&self) -> Vec<String> {
        self.memory().images.keys().cloned().collect()
    }

    /// Everything it was asked to do, in short.
    pub fn asked(&self) -> Vec<String> {
        self.memory().asked.clone()
    }

    /// What was said of registries with the last pull.
    #[must_use]
    pub fn registries(&self) -> Registries {
        self.memory().registries.clone()
    }

    /// From now on registries have another image under this name; the manifest's digest.
    pub fn publish(&self, name: &str, what: &str) -> String {
        let digest = digest(what);
        self.memory().published.insert(name.to_owned(), digest.clone());
        digest
    }

    /// From now on no registry has this image.
    pub fn unpublish(&self, name: &str) {
        self.memory().missing.insert(name.to_owned());
    }

    /// From now on pulls of this image do not end by themselves.
    pub fn hold_up(&self, name: &str) {
        self.memory().slow.insert(name.to_owned());
    }

    /// Lets the pull of this image go on to its end.
    pub fn let_go(&self, name: &str) {
        let mut memory = self.memory();
        memory.slow.remove(name);
        memory.finish(name);
        drop(memory);
        self.changed();
    }

    /// From now on what runs this manifest fails.
    pub fn break_image(&self, manifest: &str) {
        self.memory().broken.insert(manifest.to_owned());
    }

    /// From now on this is refused: `set`, `start`, `stop`, `remove`, `snapshot` or `restore`; nothing with an empty list.
    pub fn refuse(&self, what: &[&'static str]) {
        self.memory().refused = what.iter().copied().collect();
    }

    /// As if an app went into another state by itself.
    pub fn turn(&self, key: &str, state: AppState) {
        if let Some((_, app)) = self.memory().apps.iter_mut().find(|(known, _)| known.as_str() == key) {
            app.state = state;
        }
        self.changed();
    }

    /// Serves at a path until the set of tasks is dropped.
    ///
    /// # Errors
    ///
    /// When the path cannot be listened on.
    pub fn serve(self: &Arc<Self>, path: &Path) -> std::io::Result<JoinSet<()>> {
        let listener = UnixListener::bind(path)?;
        let backend = Arc::clone(self);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                streams.spawn(Arc::clone(&backend).attend(stream));
            }
        });
        Ok(tasks)
    }

    /// A connection to it without a path; it lasts as long as the set of tasks.
    ///
    /// # Panics
    ///
    /// When there is no connection within one process.
    #[expect(clippy::expect_used, reason = "a test without its fake cannot go on")]
    pub async fn connect(self: &Arc<Self>) -> (Containers1Proxy<'static>, JoinSet<()>) {
        let (here, there) = UnixStream::pair().expect("a pair of sockets");
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(self).attend(there));
        (hostapi::containers1::open(here).await.expect("a D-Bus handshake"), tasks)
    }

    async fn attend(self: Arc<Self>, stream: UnixStream) {
        let me = AllowedUids::new([rustix::process::getuid().as_raw()]);
        if let Err(error) = hostapi::containers1::serve(stream, self, &me).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection to the fake ended");
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn change<T>(
        &self,
        what: &'static str,
        key: &AppKey,
        change: impl FnOnce(&mut Memory) -> Result<T, Containers1Error>,
    ) -> Result<T, Containers1Error> {
        let mut memory = self.memory();
        memory.asked.push(format!("{what} {key}"));
        if memory.refused.contains(what) {
            return Err(Containers1Error::Refused(format!("a test does not let it {what}")));
        }
        let done = change(&mut memory);
        drop(memory);
        self.changed();
        done
    }
}

impl Memory {
    fn app(&mut self, key: &AppKey) -> Result<&mut FakeApp, Containers1Error> {
        self.apps.get_mut(key).ok_or_else(|| Containers1Error::UnknownApp(format!("there is no app {key}")))
    }

    fn stopped(&mut self, key: &AppKey) -> Result<&mut FakeApp, Containers1Error> {
        let app = self.app(key)?;
        if app.key.is_none() {
            Err(Containers1Error::Locked("it is locked".to_owned()))
        } else if app.state == AppState::Stopped {
            Ok(app)
        } else {
            Err(Containers1Error::Running("it runs".to_owned()))
        }
    }

    fn start(&mut self, key: &AppKey) -> Result<(), Containers1Error> {
        let (broken, here) = (self.broken.clone(), self.images.clone());
        let app = self.app(key)?;
        app.wanted = Wanted::Running;
        let images: Vec<_> = app.spec.containers.values().map(|container| &container.image).collect();
        let is_there = images
            .iter()
            .all(|image| here.get(&image.name).is_some_and(|known| known.manifest == image.manifest));
        let works = is_there && !images.iter().any(|image| broken.contains(&image.manifest));
        let written = images.iter().map(|image| image.manifest.clone()).collect::<Vec<_>>().join(" ");
        app.state = match (&app.key, works) {
            (None, _) => AppState::Locked,
            (Some(_), true) => AppState::Running,
            (Some(_), false) => AppState::Failed,
        };
        if is_there && app.key.is_some() {
            self.data.insert(key.clone(), written);
        }
        Ok(())
    }

    /// What the registry has under a name, or by a digest.
    fn finish(&mut self, name: &str) {
        let by_digest = name.split_once('@').map(|(_, digest)| digest.to_owned());
        let known = by_digest.or_else(|| self.published.get(name).cloned());
        let manifest = known.unwrap_or_else(|| digest(name));
        if self.missing.contains(name) {
            let words = "the registry has no such image".to_owned();
            self.pulls.insert(name.to_owned(), PullState::Failed { reason: "registry".to_owned(), words });
            return;
        }
        let report = ImageReport {
            name: name.to_owned(),
            manifest: manifest.clone(),
            ports: vec!["tcp/3000".to_owned()],
            volumes: vec!["/data".to_owned()],
        };
        self.images.insert(name.to_owned(), report);
        self.pulls.insert(name.to_owned(), PullState::Done { manifest });
    }
}

fn digest(what: &str) -> String {
    let digest = Sha256::digest(what);
    format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn report(key: &AppKey, app: &FakeApp) -> AppReport {
    let (state, usage) = match app.state {
        AppState::Running => {
            (ContainerState::Running, Some(Usage { memory_bytes: 5 << 20, tasks: 3, ..Usage::default() }))
        }
        AppState::Unhealthy => (ContainerState::Unhealthy, None),
        AppState::Failed => (ContainerState::Failed, None),
        AppState::Starting => (ContainerState::Starting, None),
        AppState::Stopping => (ContainerState::Stopping, None),
        AppState::Stopped | AppState::Locked => (ContainerState::Stopped, None),
    };
    let has_failed = app.state == AppState::Failed;
    let container = ContainerReport {
        state,
        reason: has_failed.then(|| "it ended with code 1".to_owned()),
        restarts: 0,
        last_end: None,
        seconds_up: usage.map(|_| 7),
        usage,
    };
    AppReport {
        app: key.clone(),
        wanted: app.wanted,
        state: app.state,
        data: if app.key.is_some() { DataState::Open } else { DataState::Locked },
        traffic: usage.map(|_| Traffic { received_bytes: 3 << 20, sent_bytes: 1 << 20 }),
        storage: Some(Storage { used_bytes: 12 << 20, most_bytes: 900 << 20 }),
        reasons: if has_failed { vec!["a container ended with code 1".to_owned()] } else { vec![] },
        containers: app.spec.containers.keys().map(|name| (name.clone(), container.clone())).collect(),
    }
}

impl Containers1Backend for FakeContainerd {
    async fn set_app(&self, key: AppKey, spec: AppSpec) -> Result<(), Containers1Error> {
        self.change("set", &key, |memory| {
            if let Some(app) = memory.apps.get_mut(&key) {
                app.spec = spec;
                let is_wanted = app.wanted == Wanted::Running;
                return if is_wanted { memory.start(&key) } else { Ok(()) };
            }
            let (wanted, state) = (Wanted::Stopped, AppState::Stopped);
            let app = FakeApp { spec, wanted, state, key: None, snapshots: BTreeMap::new() };
            memory.apps.insert(key.clone(), app);
            Ok(())
        })
    }

    async fn spec(&self, key: AppKey) -> Result<AppSpec, Containers1Error> {
        self.memory().app(&key).map(|app| app.spec.clone())
    }

    async fn unlock_data(&self, key: AppKey, data_key: DataKey) -> Result<(), Containers1Error> {
        self.change("unlock", &key, |memory| {
            memory.app(&key)?;
            let given = data_key.to_vec();
            let own = memory.keys.entry(key.clone()).or_insert_with(|| given.clone());
            if *own != given {
                return Err(Containers1Error::Refused("it is encrypted with another key".to_owned()));
            }
            let app = memory.app(&key)?;
            app.key = Some(given);
            let waits = app.state == AppState::Locked;
            if waits { memory.start(&key) } else { Ok(()) }
        })
    }

    async fn lock_data(&self, key: AppKey) -> Result<(), Containers1Error> {
        self.change("lock", &key, |memory| {
            let app = memory.app(&key)?;
            app.key = None;
            if app.wanted == Wanted::Running {
                app.state = AppState::Locked;
            }
            Ok(())
        })
    }

    async fn start_app(&self, key: AppKey) -> Result<(), Containers1Error> {
        self.change("start", &key, |memory| memory.start(&key))
    }

    async fn stop_app(&self, key: AppKey) -> Result<(), Containers1Error> {
        self.change("stop", &key, |memory| {
            let app = memory.app(&key)?;
            (app.wanted, app.state) = (Wanted::Stopped, AppState::Stopped);
            Ok(())
        })
    }

    async fn restart_app(&self, key: AppKey) -> Result<(), Containers1Error> {
        self.change("restart", &key, |memory| memory.start(&key))
    }

    async fn remove_app(&self, key: AppKey, delete_data: bool) -> Result<(), Containers1Error> {
        self.change("remove", &key, |memory| {
            memory.app(&key)?;
            memory.apps.remove(&key);
            if delete_data {
                memory.data.remove(&key);
                memory.keys.remove(&key);
            }
            Ok(())
        })
    }

    async fn apps(&self) -> Result<Vec<AppReport>, Containers1Error> {
        Ok(self.memory().apps.iter().map(|(key, app)| report(key, app)).collect())
    }

    async fn wait_for_change(&self, seen: u64) -> Result<u64, Containers1Error> {
        let mut changes = self.changes.subscribe();
        let changed = changes.wait_for(|now| *now != seen);
        // The sender lives as long as `self`: a wait ends by a change or by its time.
        drop(tokio::time::timeout(Duration::from_secs(5), changed).await);
        Ok(*self.changes.borrow())
    }

    async fn logs(
        &self,
        key: AppKey,
        container: PartName,
        from: u64,
        limit: usize,
    ) -> Result<LogPage, Containers1Error> {
        self.memory().asked.push(format!("logs {key} {from}"));
        let known = self.memory().app(&key)?.spec.containers.contains_key(&container);
        if !known {
            return Err(Containers1Error::UnknownContainer(format!("there is no container {container}")));
        }
        let line = |number| LogLine {
            number,
            unix_ms: 1_700_000_000_000 + number,
            stream: LogStream::Stdout,
            text: format!("line {number} of {container}"),
        };
        let first = if from == 0 { 1 } else { from };
        Ok(LogPage { lines: (first..=3).take(limit).map(line).collect(), next: 4.max(from) })
    }

    async fn pull_image(&self, name: String, registries: Registries) -> Result<(), Containers1Error> {
        let mut memory = self.memory();
        memory.registries = registries;
        memory.asked.push(format!("pull {name}"));
        if memory.slow.contains(&name) {
            let state = PullState::Running { done_bytes: 25, total_bytes: 100 };
            memory.pulls.insert(name, state);
        } else {
            memory.finish(&name);
        }
        drop(memory);
        self.changed();
        Ok(())
    }

    async fn pulls(&self) -> Result<Vec<PullReport>, Containers1Error> {
        let of =
            |(name, state): (&String, &PullState)| PullReport { name: name.clone(), state: state.clone() };
        Ok(self.memory().pulls.iter().map(of).collect())
    }

    async fn cancel_pull(&self, name: String) -> Result<(), Containers1Error> {
        let mut memory = self.memory();
        memory.asked.push(format!("cancel {name}"));
        memory.pulls.remove(&name);
        drop(memory);
        self.changed();
        Ok(())
    }

    /// An archive is any text but `broken`.
    async fn import_image(&self, name: String, archive: OwnedFd) -> Result<ImageReport, Containers1Error> {
        let text = std::io::read_to_string(std::fs::File::from(archive)).unwrap_or_default();
        if text == "broken" {
            return Err(Containers1Error::Refused("no image is in this file".to_owned()));
        }
        let mut memory = self.memory();
        memory.published.insert(name.clone(), digest(&text));
        memory.finish(&name);
        memory.asked.push(format!("import {name}"));
        let found = memory.images.get(&name).cloned();
        found.ok_or_else(|| Containers1Error::Refused("it is missing".to_owned()))
    }

    async fn images(&self) -> Result<Vec<ImageReport>, Containers1Error> {
        Ok(self.memory().images.values().cloned().collect())
    }

    async fn remove_image(&self, name: String) -> Result<(), Containers1Error> {
        let mut memory = self.memory();
        let uses = |app: &FakeApp| app.spec.containers.values().any(|container| container.image.name == name);
        if memory.apps.values().any(uses) {
            return Err(Containers1Error::InUse(format!("an app uses {name}")));
        }
        let removed = memory.images.remove(&name);
        removed.map(drop).ok_or_else(|| Containers1Error::UnknownImage(format!("there is no image {name}")))
    }

    async fn collect_images(&self) -> Result<u64, Containers1Error> {
        Ok(0)
    }

    async fn snapshot_volumes(&self, key: AppKey, snapshot: PartName) -> Result<(), Containers1Error> {
        self.change("snapshot", &key, |memory| {
            let data = memory.data.get(&key).cloned();
            memory.stopped(&key)?.snapshots.insert(snapshot, data);
            Ok(())
        })
    }

    async fn restore_volumes(&self, key: AppKey, snapshot: PartName) -> Result<(), Containers1Error> {
        self.change("restore", &key, |memory| {
            let saved = memory.stopped(&key)?.snapshots.remove(&snapshot);
            let unknown = || Containers1Error::UnknownSnapshot(format!("there is no snapshot {snapshot}"));
            match saved.ok_or_else(unknown)? {
                Some(data) => memory.data.insert(key.clone(), data),
                None => memory.data.remove(&key),
            };
            Ok(())
        })
    }

    async fn remove_snapshot(&self, key: AppKey, snapshot: PartName) -> Result<(), Containers1Error> {
        self.change("forget", &key, |memory| {
            memory.app(&key)?.snapshots.remove(&snapshot);
            Ok(())
        })
    }
}

impl FakeApp {
    /// Names of its snapshots.
    #[must_use]
    pub fn snapshots(&self) -> Vec<String> {
        self.snapshots.keys().map(ToString::to_string).collect()
    }
}
