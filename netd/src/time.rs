//! Time keeping with the box's settings, resolver and network.

use crate::follow::replace;
use crate::keeper::run::KernelView;
use crate::moment::Moment;
use crate::trial::Trial;
use model::network::report::TimeReport;
use model::network::report::TimeSourceReport;
use model::network::settings;
use resolver::Resolver;
use rustls::RootCertStore;
use std::collections::BTreeSet;
use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use timesync::CertificateDates;
use timesync::LinuxClock;
use timesync::Resolve;
use timesync::ResolveError;
use timesync::Server;
use timesync::Started;
use timesync::TimeSettings;
use timesync::TimeStatus;
use timesync::Timestamp;
use timesync::steps::Standing;
use tokio::sync::Notify;
use tokio::sync::watch;

const RELEASED: Timestamp = Timestamp::from_secs(model::release::RELEASED.cast_signed());

/// Where the time keeper's news comes from.
#[derive(Debug)]
pub struct Inputs {
    /// The owner's settings.
    pub trial: watch::Receiver<Trial>,
    /// The home network.
    pub kernel: watch::Receiver<KernelView>,
    /// Time servers that the home network offers.
    pub offered: watch::Receiver<Vec<IpAddr>>,
}

/// Where its results go.
#[derive(Debug)]
pub struct Outputs {
    /// For the owner.
    pub status: watch::Sender<TimeStatus>,
    /// Whether dates in certificates and signatures count.
    pub clock_is_right: watch::Sender<bool>,
    /// File for the last known time.
    pub state_file: PathBuf,
}

/// Moves a clock that shows an impossible time to the earliest possible one. Whether it was possible is what is known of it until
/// the network says more.
#[must_use]
pub fn begin(state_file: &Path) -> Started {
    timesync::start(&LinuxClock, RELEASED, state_file).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn Error, "the clock was not looked at");
        Started { built: RELEASED, last_known: None, standing: Standing::Implausible }
    })
}

/// Whether dates count before the network said anything: a clock that runs on a battery is right enough to judge certificates, and
/// where no time server can be reached names must be found all the same.
#[must_use]
pub fn is_plausible(started: &Started) -> bool {
    started.standing == Standing::Plausible
}

/// Keeps the time until the settings' sender is gone.
pub async fn run(resolver: Resolver, started: Started, mut inputs: Inputs, outputs: Outputs) {
    let (chosen, settings) = watch::channel(translate(&inputs.trial.borrow_and_update()));
    let (synchronised, mut is_set) = watch::channel(false);
    let network_changed = Arc::new(Notify::new());
    let time_inputs = timesync::Inputs {
        settings,
        offered: inputs.offered,
        network_changed: Arc::clone(&network_changed),
        started,
    };
    let time_outputs =
        timesync::Outputs { status: outputs.status, synchronised, state_file: outputs.state_file };
    let roots = Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    let tools = timesync::Tools { resolver: Names(resolver), clock: LinuxClock, roots };
    let keep = timesync::run(time_inputs, time_outputs, tools);
    let clock_is_right = outputs.clock_is_right;
    // It owns the sender of the settings: when it ends, the time keeper writes the time down and ends too.
    let follow = async move {
        let mut addresses = BTreeSet::new();
        loop {
            // All are cancel safe: what was not taken is seen by the next `changed`.
            tokio::select! {
                changed = inputs.trial.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let latest = translate(&inputs.trial.borrow_and_update());
                    chosen.send_if_modified(|now| replace(now, latest));
                }
                Ok(()) = inputs.kernel.changed() => {
                    let latest = inputs.kernel.borrow_and_update().home_addresses.clone();
                    if latest != addresses {
                        addresses = latest;
                        network_changed.notify_one();
                    }
                }
                Ok(()) = is_set.changed() => {
                    if *is_set.borrow_and_update() {
                        clock_is_right.send_replace(true);
                    }
                }
            }
        }
    };
    tokio::join!(keep, follow);
}

/// From the owner's words to the time keeper's.
fn translate(trial: &Trial) -> TimeSettings {
    let server = |server: &settings::TimeServer| match server.authenticated {
        true => Server::nts(server.name.as_str()),
        false => Server::plain(server.name.as_str()),
    };
    TimeSettings { enabled: true, servers: trial.in_force().time.servers.iter().map(server).collect() }
}

/// The box's resolver as the time keeper uses it.
struct Names(Resolver);

impl Resolve for Names {
    async fn resolve(&self, name: &str, dates: CertificateDates) -> Result<Vec<IpAddr>, ResolveError> {
        let name = name.parse().map_err(|error| ResolveError(Box::new(error)))?;
        let found = match dates {
            CertificateDates::Count => self.0.resolve(&name).await,
            CertificateDates::Doubtful => self.0.resolve_for_time(&name).await,
        };
        found.map_err(|error| ResolveError(Box::new(error)))
    }
}

/// For the owner.
#[must_use]
pub fn report(status: &TimeStatus, now: Moment) -> TimeReport {
    let sources = status.sources.iter().map(|source| TimeSourceReport {
        name: source.name.clone(),
        authenticated: source.authenticated,
        state: source.state.clone(),
    });
    // The time keeper's clock starts with netd's.
    let age = |last: timesync::time::Moment| now.since(Moment::default() + last.since_start()).as_secs();
    TimeReport {
        synchronised: status.synchronised,
        authenticated: status.authenticated,
        offset_us: status.offset.micros(),
        age_seconds: status.last_sync.map(age),
        sources: sources.collect(),
        reason: status.reason.clone(),
    }
}
