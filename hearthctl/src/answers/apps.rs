//! What the box says of apps.

use serde::Deserialize;

/// `GET /apps`.
#[derive(Clone, Debug, Deserialize)]
pub struct Apps {
    /// Why apps cannot be seen as they are now.
    pub problem: Option<String>,
    /// By their IDs.
    pub apps: Vec<App>,
    /// How operations ended of whose app nothing is left.
    pub ended: Vec<AppEnding>,
}

/// An app at a glance.
#[derive(Clone, Debug, Deserialize)]
pub struct App {
    /// Never changes.
    pub key: String,
    /// By which people call it.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// Which version.
    pub version: String,
    /// `user` or `system`.
    pub scope: String,
    /// `running`, `stopped`, …
    pub state: String,
    /// Why.
    pub reasons: Vec<String>,
    /// What is being done to it.
    pub operation: Option<AppOperation>,
    /// Why the last thing that was done to it came to nothing.
    pub problem: Option<String>,
    /// Where devices at home open its page.
    pub page: Option<AppPage>,
}

/// The web page of an app, over HTTP at the box's own name.
#[derive(Clone, Debug, Deserialize)]
pub struct AppPage {
    /// TCP port of the box.
    pub port: u16,
    /// Path.
    pub path: String,
}

/// What is being done to an app.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AppOperation {
    /// `pulling`, `starting`, …
    pub step: String,
    /// Bytes done.
    pub done_bytes: u64,
    /// Bytes in all; 0 while that is not known.
    pub total_bytes: u64,
    /// What it waits for.
    pub blocked: Option<String>,
}

/// How an operation ended of whose app nothing is left.
#[derive(Clone, Debug, Deserialize)]
pub struct AppEnding {
    /// Of the app that was.
    pub key: String,
    /// Why it was not installed.
    pub problem: Option<String>,
}

/// `GET /apps/{key}`.
#[derive(Clone, Debug, Deserialize)]
pub struct AppDetails {
    /// At a glance.
    #[serde(flatten)]
    pub app: App,
    /// What it is for.
    pub description: Option<String>,
    /// What it asks for.
    pub asks: Vec<AppAsk>,
    /// Names of the permissions that it has.
    pub granted: Vec<String>,
    /// What went over its network, while it runs.
    #[serde(default)]
    pub traffic: Option<AppTraffic>,
    /// What its data takes of the disk.
    #[serde(default)]
    pub storage: Option<AppStorage>,
    /// Its containers.
    pub containers: Vec<AppContainer>,
}

/// What an app sent and received.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct AppTraffic {
    /// In bytes.
    pub received_bytes: u64,
    /// In bytes.
    pub sent_bytes: u64,
}

/// What the data of an app takes of the disk.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct AppStorage {
    /// Takes now, in bytes.
    pub used_bytes: u64,
    /// May take at most, in bytes.
    pub most_bytes: u64,
}

/// One thing that an app asks for.
#[derive(Clone, Debug, Deserialize)]
pub struct AppAsk {
    /// `high`, `medium` or `low`.
    pub weight: String,
    /// One sentence.
    pub words: String,
    /// In the app's own words.
    pub reason: Option<String>,
    /// Names of what can be taken away of it.
    pub permissions: Vec<String>,
}

/// A container.
#[derive(Clone, Debug, Deserialize)]
pub struct AppContainer {
    /// Its name.
    pub name: String,
    /// `running`, `backing_off`, …
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// How often it was started anew.
    pub restarts: u32,
    /// What it uses.
    pub usage: Option<AppUsage>,
}

/// What a container uses.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct AppUsage {
    /// Memory now.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub tasks: u64,
    /// How often it was refused another one.
    pub tasks_refused: u64,
}

/// `POST /apps/inspect`.
#[derive(Clone, Debug, Deserialize)]
pub struct AppInspection {
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who makes it.
    pub author: Option<String>,
    /// Which version.
    pub version: String,
    /// ID that it gets.
    pub id: String,
    /// Names of its images.
    pub images: Vec<String>,
    /// What it asks for.
    pub asks: Vec<AppAsk>,
    /// What is left out or done otherwise.
    pub notes: Vec<AppRemark>,
    /// Why it cannot be installed.
    pub refusals: Vec<AppRemark>,
    /// Stands for all of it.
    pub shown: String,
}

/// Something about one place of what was sent.
#[derive(Clone, Debug, Deserialize)]
pub struct AppRemark {
    /// Where.
    pub place: String,
    /// Line of the file.
    pub line: Option<usize>,
    /// A sentence without a full stop.
    pub words: String,
}

/// `GET /apps/{key}/logs`.
#[derive(Clone, Debug, Deserialize)]
pub struct AppLog {
    /// In order.
    pub lines: Vec<AppLogLine>,
    /// Number from which to ask on.
    pub next: u64,
}

/// A line of a log.
#[derive(Clone, Debug, Deserialize)]
pub struct AppLogLine {
    /// `stdout`, `stderr` or `box`.
    pub stream: String,
    /// The line.
    pub text: String,
}
