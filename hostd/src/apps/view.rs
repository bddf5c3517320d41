//! Apps as whoever may see them is shown them. What is in a manifest's environment is not shown: there may be passwords in it.

use super::Apps;
use super::Ending;
use super::containerd::LOCKED;
use super::flow::InstallStep;
use super::flow::Phase;
use super::flow::UpdateStep;
use super::permission::Permission;
use super::permission::of_subject;
use super::record::AppRecord;
use super::record::Edition;
use super::record::Owner;
use super::work::reasons;
use app_manifest::Ask;
use app_manifest::Scope;
use app_manifest::Weight;
use model::containers::AppReport;
use model::containers::AppState;
use model::containers::ContainerReport;
use model::containers::ContainerState;
use model::containers::End;
use model::network::app_policy::Protocol;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeSet;

/// An app at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AppSummary {
    /// Never changes.
    key: String,
    /// By which people call it.
    id: String,
    /// What it is called.
    title: String,
    /// Which version.
    version: String,
    /// For whom it is.
    scope: AppScope,
    /// How it is.
    state: AppStatus,
    /// Why, in plain words; empty when all is well.
    reasons: Vec<String>,
    /// What is being done to it.
    operation: Option<OperationView>,
    /// Why the last thing that was done to it came to nothing, in plain words.
    problem: Option<String>,
    /// Where devices at home open its page; nothing where it has none, or they may not reach it.
    page: Option<PageView>,
}

/// The web page of an app, over HTTP at the box's own name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AppPage)]
pub struct PageView {
    /// TCP port of the box.
    port: u16,
    /// Path of the page that opens first.
    path: String,
}

/// For whom an app is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppScope {
    /// For one user: it runs from when they unlock their vault, and nobody else can have its data.
    User,
    /// For the household: it runs from each start of the box.
    System,
}

impl From<AppScope> for Scope {
    fn from(scope: AppScope) -> Self {
        match scope {
            AppScope::User => Self::User,
            AppScope::System => Self::System,
        }
    }
}

/// How an app is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppStatus {
    /// It is not there yet.
    Installing,
    /// Another version takes its place.
    Updating,
    /// It is on its way out.
    Removing,
    /// Only its data is left.
    Removed,
    /// Nothing of it runs, as wanted.
    Stopped,
    /// On its way up.
    Starting,
    /// All of it runs and is healthy.
    Running,
    /// Some of it is unhealthy, or started again and again.
    Unhealthy,
    /// It cannot run.
    Failed,
    /// On its way down.
    Stopping,
    /// To run, as soon as its user unlocks their vault.
    Locked,
    /// The box's app service does not say.
    Unknown,
    /// The box's app service does not know it: after a restore from a backup. An update brings it back.
    Missing,
}

/// What is being done to an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AppOperation)]
pub struct OperationView {
    /// What for.
    what: OperationKind,
    /// How far it is.
    step: StepView,
    /// Bytes done of the image on its way.
    done_bytes: u64,
    /// Its bytes in all; 0 while that is not known, and in other steps.
    total_bytes: u64,
    /// What it waits for, in plain words.
    blocked: Option<String>,
}

/// What is being done to an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AppOperationKind)]
pub enum OperationKind {
    /// It is installed.
    Install,
    /// It gets another version.
    Update,
    /// It is removed.
    Remove,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AppStep)]
pub enum StepView {
    /// Images are pulled.
    Pulling,
    /// The version before is stopped, and its data saved.
    Saving,
    /// Permissions and containers are put in place.
    Placing,
    /// It is started and has to become healthy.
    Starting,
    /// It did not; what was before is brought back.
    Undoing,
    /// It is taken away.
    Removing,
}

/// All about an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AppView {
    /// At a glance.
    #[serde(flatten)]
    summary: AppSummary,
    /// What it is for, in its own words.
    description: Option<String>,
    /// Who makes it.
    author: Option<String>,
    /// Its licence.
    license: Option<String>,
    /// Whether whoever asks may change it.
    may_manage: bool,
    /// What it asks for, the weightiest first.
    asks: Vec<AskView>,
    /// Names of the permissions that it has.
    granted: Vec<String>,
    /// What went over its network since it was started, while it runs.
    traffic: Option<TrafficView>,
    /// What its data takes of the disk, with copies and logs, where the disk counts that.
    storage: Option<StorageView>,
    /// Its containers by name, where the box's app service tells of them.
    containers: Vec<ContainerView>,
}

/// What an app sent and received; what its containers say to each other does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AppTraffic)]
pub struct TrafficView {
    /// In bytes.
    received_bytes: u64,
    /// In bytes.
    sent_bytes: u64,
}

/// What the data of an app takes of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AppStorage)]
pub struct StorageView {
    /// Takes now, in bytes.
    used_bytes: u64,
    /// May take at most, in bytes.
    most_bytes: u64,
}

/// One thing that an app asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AppAsk)]
pub struct AskView {
    /// How much it matters.
    weight: AskWeight,
    /// The box's words: one sentence without a full stop.
    words: String,
    /// The app's own words.
    reason: Option<String>,
    /// Names of what can be taken away of it; empty where it is how the app is made.
    permissions: Vec<String>,
}

/// How much a permission matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskWeight {
    /// It reaches other people's data or devices, or everything.
    High,
    /// It opens something that is named.
    Medium,
    /// It is good to know.
    Low,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AppContainer)]
pub struct ContainerView {
    /// Its name.
    name: String,
    /// How it is, in one word.
    state: ContainerStatus,
    /// Why, in plain words.
    reason: Option<String>,
    /// How often it was started anew since somebody started the app.
    restarts: u32,
    /// How it ended last, in plain words.
    last_end: Option<String>,
    /// Seconds since it was started, while it runs.
    seconds_up: Option<u64>,
    /// What it uses, while it runs.
    usage: Option<UsageView>,
}

/// How a container is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AppContainerState)]
pub enum ContainerStatus {
    /// Not running, as wanted.
    Stopped,
    /// For another one, or for the network.
    Waiting,
    /// It runs, and was not found healthy yet.
    Starting,
    /// It runs and is healthy.
    Running,
    /// It runs, and its check fails.
    Unhealthy,
    /// It ended, and is started again after a while.
    BackingOff,
    /// It was told to stop.
    Stopping,
    /// It ended well and is not to be started again.
    Completed,
    /// It ended otherwise, or could not be started.
    Failed,
}

/// What a container uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AppUsage)]
pub struct UsageView {
    /// Processor time since its start, in microseconds.
    cpu_us: u64,
    /// Microseconds since its start in which it was held back by its limit.
    throttled_us: u64,
    /// Memory now.
    memory_bytes: u64,
    /// Most memory since its start.
    memory_peak_bytes: u64,
    /// Processes and threads.
    tasks: u64,
    /// How often it was refused another one since its start.
    tasks_refused: u64,
    /// Read from disks since its start.
    read_bytes: u64,
    /// Written to disks since its start.
    written_bytes: u64,
}

/// How an operation ended of whose app nothing is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AppEnding)]
pub struct EndingView {
    /// Of the app that was.
    key: String,
    /// By which people called it.
    id: String,
    /// What it was called.
    title: String,
    /// Why it was not installed, in plain words; nothing when it was removed as wished.
    problem: Option<String>,
}

impl From<&Ending> for EndingView {
    fn from(ending: &Ending) -> Self {
        Self {
            key: ending.record.key.to_string(),
            id: ending.record.id.to_string(),
            title: ending.record.edition().manifest.title.to_string(),
            problem: ending.problem.clone(),
        }
    }
}

impl From<Ask> for AskView {
    fn from(ask: Ask) -> Self {
        Self {
            weight: match ask.weight {
                Weight::High => AskWeight::High,
                Weight::Medium => AskWeight::Medium,
                Weight::Low => AskWeight::Low,
            },
            permissions: names(&of_subject(&ask.subject).into_iter().collect()),
            words: ask.words,
            reason: ask.reason.map(String::from),
        }
    }
}

/// An app at a glance.
#[must_use]
pub fn summary(apps: &Apps, record: &AppRecord) -> AppSummary {
    let world = apps.containerd().now();
    let report = world.as_ref().map(|world| world.app(&record.key));
    let manifest = &record.edition().manifest;
    AppSummary {
        key: record.key.to_string(),
        id: record.id.to_string(),
        title: manifest.title.to_string(),
        version: manifest.version.to_string(),
        scope: match record.owner {
            Owner::User(_) => AppScope::User,
            Owner::Household => AppScope::System,
        },
        state: status(&record.phase, report),
        reasons: report.flatten().map(|report| why(apps, record, report)).unwrap_or_default(),
        operation: operation(apps, record),
        problem: record.problem.clone(),
        page: if record.is_leftover() { None } else { page(record.edition()) },
    }
}

/// Why it is as it is.
fn why(apps: &Apps, record: &AppRecord, report: &AppReport) -> Vec<String> {
    if report.state != AppState::Locked {
        return reasons(report);
    }
    let problem = apps.data_problem(&record.key).map(|words| format!("its data cannot be opened: {words}"));
    let waits = || match record.owner {
        Owner::User(_) => LOCKED.to_owned(),
        Owner::Household => "its data is being opened".to_owned(),
    };
    vec![problem.unwrap_or_else(waits)]
}

/// The way in that leads to the port of its page.
fn page(edition: &Edition) -> Option<PageView> {
    let display = edition.manifest.display.as_ref()?;
    let ways = edition.granted.iter().filter_map(|permission| {
        let Permission::Inbound { port, app_port } = permission else { return None };
        (port.protocol == Protocol::Tcp && *app_port == display.port).then_some(port.number.get())
    });
    ways.min().map(|port| PageView { port, path: display.path.to_string() })
}

/// All about an app.
#[must_use]
pub fn whole(apps: &Apps, record: &AppRecord, may_manage: bool) -> AppView {
    let (world, edition) = (apps.containerd().now(), record.edition());
    let report = world.as_ref().and_then(|world| world.app(&record.key));
    let containers = report.iter().flat_map(|report| &report.containers);
    let manifest = &edition.manifest;
    AppView {
        summary: summary(apps, record),
        description: manifest.description.as_ref().map(ToString::to_string),
        author: manifest.author.as_ref().map(ToString::to_string),
        license: manifest.license.as_ref().map(ToString::to_string),
        may_manage,
        asks: app_manifest::asks(manifest).into_iter().map(AskView::from).collect(),
        granted: names(&edition.granted),
        traffic: report.and_then(|report| report.traffic).map(|traffic| TrafficView {
            received_bytes: traffic.received_bytes,
            sent_bytes: traffic.sent_bytes,
        }),
        storage: report
            .and_then(|report| report.storage)
            .map(|storage| StorageView { used_bytes: storage.used_bytes, most_bytes: storage.most_bytes }),
        containers: containers.map(|(name, report)| container(name.as_str(), report)).collect(),
    }
}

/// Permissions by their names.
#[must_use]
pub fn names(permissions: &BTreeSet<Permission>) -> Vec<String> {
    permissions.iter().map(ToString::to_string).collect()
}

fn status(phase: &Phase, report: Option<Option<&AppReport>>) -> AppStatus {
    match (phase, report) {
        (Phase::Installing { .. }, _) => AppStatus::Installing,
        (Phase::Updating { .. }, _) => AppStatus::Updating,
        (Phase::Removing { .. }, _) => AppStatus::Removing,
        (Phase::Removed { .. }, _) => AppStatus::Removed,
        (Phase::Installed { .. }, None) => AppStatus::Unknown,
        (Phase::Installed { .. }, Some(None)) => AppStatus::Missing,
        (Phase::Installed { .. }, Some(Some(report))) => match report.state {
            AppState::Stopped => AppStatus::Stopped,
            AppState::Starting => AppStatus::Starting,
            AppState::Running => AppStatus::Running,
            AppState::Unhealthy => AppStatus::Unhealthy,
            AppState::Failed => AppStatus::Failed,
            AppState::Stopping => AppStatus::Stopping,
            AppState::Locked => AppStatus::Locked,
        },
    }
}

fn operation(apps: &Apps, record: &AppRecord) -> Option<OperationView> {
    let (what, step) = match &record.phase {
        Phase::Installed { .. } | Phase::Removed { .. } => return None,
        Phase::Removing { .. } => (OperationKind::Remove, StepView::Removing),
        Phase::Installing { step, .. } => (
            OperationKind::Install,
            match step {
                InstallStep::Pull => StepView::Pulling,
                InstallStep::Admit | InstallStep::Place => StepView::Placing,
                InstallStep::Start | InstallStep::Prove => StepView::Starting,
                InstallStep::Undo { .. } | InstallStep::Shut { .. } => StepView::Undoing,
            },
        ),
        Phase::Updating { step, .. } => (
            OperationKind::Update,
            match step {
                UpdateStep::Pull => StepView::Pulling,
                UpdateStep::Stop | UpdateStep::Save => StepView::Saving,
                UpdateStep::Admit | UpdateStep::Place => StepView::Placing,
                UpdateStep::Start | UpdateStep::Prove | UpdateStep::Rest | UpdateStep::Tidy => {
                    StepView::Starting
                }
                UpdateStep::Back { .. } => StepView::Undoing,
            },
        ),
    };
    let progress = apps.progress(&record.key).unwrap_or_default();
    let blocked = apps.blocked(&record.key);
    Some(OperationView { what, step, done_bytes: progress.done, total_bytes: progress.total, blocked })
}

fn container(name: &str, report: &ContainerReport) -> ContainerView {
    ContainerView {
        name: name.to_owned(),
        state: match report.state {
            ContainerState::Stopped => ContainerStatus::Stopped,
            ContainerState::Waiting => ContainerStatus::Waiting,
            ContainerState::Starting => ContainerStatus::Starting,
            ContainerState::Running => ContainerStatus::Running,
            ContainerState::Unhealthy => ContainerStatus::Unhealthy,
            ContainerState::BackingOff => ContainerStatus::BackingOff,
            ContainerState::Stopping => ContainerStatus::Stopping,
            ContainerState::Completed => ContainerStatus::Completed,
            ContainerState::Failed => ContainerStatus::Failed,
        },
        reason: report.reason.clone(),
        restarts: report.restarts,
        last_end: report.last_end.map(end),
        seconds_up: report.seconds_up,
        usage: report.usage.map(|usage| UsageView {
            cpu_us: usage.cpu_us,
            throttled_us: usage.throttled_us,
            memory_bytes: usage.memory_bytes,
            memory_peak_bytes: usage.memory_peak_bytes,
            tasks: usage.tasks,
            tasks_refused: usage.tasks_refused,
            read_bytes: usage.read_bytes,
            written_bytes: usage.written_bytes,
        }),
    }
}

fn end(end: End) -> String {
    match end {
        End::Code(code) => format!("ended with code {code}"),
        End::Signal(signal) => format!("ended by signal {signal}"),
        End::OutOfMemory => "wanted more memory than it may have".to_owned(),
        End::Unknown => "ended, and nobody saw how".to_owned(),
    }
}
