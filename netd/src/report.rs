//! How everything is, for the owner: one document from what the tasks show.

use crate::follow::replace;
use crate::keeper::run::View;
use crate::mdns::Announced;
use crate::moment::Clock;
use crate::trial::Trial;
use hostapi::net1::Status;
use model::names::HostName;
use model::network::link_report::LinkReport;
use model::network::report::AppReport;
use model::network::report::FirewallReport;
use model::network::report::NameReport;
use model::network::report::NetworkReport;
use model::network::report::ResolverReport;
use model::network::report::UpstreamReport;
use model::network::wifi::WifiReport;
use resolver::Resolver;
use resolver::upstream::UpstreamState;
use std::sync::Arc;
use timesync::TimeStatus;
use tokio::sync::watch;

/// Where reports come from.
#[derive(Clone, Debug)]
pub struct Reporter {
    /// What the bus shows.
    pub status: watch::Receiver<Arc<Status>>,
    /// Links.
    pub links: watch::Receiver<Arc<[LinkReport]>>,
    /// The name wished for.
    pub host_name: watch::Receiver<HostName>,
    /// What became of it.
    pub announced: watch::Receiver<Announced>,
    /// Settings.
    pub trial: watch::Receiver<Trial>,
    /// The clock.
    pub time: watch::Receiver<TimeStatus>,
    /// Wi-Fi.
    pub wifi: watch::Receiver<WifiReport>,
    /// For how long a trial still lasts.
    pub clock: Clock,
}

impl Reporter {
    /// Everything at this moment.
    #[must_use]
    pub fn report(
        &self,
        firewall: FirewallReport,
        apps: Vec<AppReport>,
        resolver: &Resolver,
    ) -> NetworkReport {
        let trial = self.trial.borrow();
        let left = trial.ends().map(|ends| ends.since(self.clock.now()).as_secs());
        let announced = self.announced.borrow().clone();
        NetworkReport {
            reasons: self.status.borrow().reasons.clone(),
            links: self.links.borrow().to_vec(),
            name: NameReport {
                wanted: self.host_name.borrow().to_string(),
                announced: announced.name,
                rival: announced.rival,
            },
            resolver: resolver_report(resolver, trial.in_force().resolver.serve_lan),
            time: crate::time::report(&self.time.borrow(), self.clock.now()),
            firewall,
            apps,
            wifi: self.wifi.borrow().clone(),
            trial_seconds_left: left.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        }
    }
}

fn resolver_report(resolver: &Resolver, serves_lan: bool) -> ResolverReport {
    let stats = resolver.stats();
    let upstreams = stats.upstreams.into_iter().map(|upstream| UpstreamReport {
        name: upstream.name,
        transport: upstream.protocol,
        problem: match upstream.state {
            UpstreamState::Ok => None,
            UpstreamState::Failing { reason } => Some(reason.to_string()),
        },
        queries: upstream.queries,
        failures: upstream.failures,
    });
    ResolverReport {
        upstreams: upstreams.collect(),
        serves_lan,
        queries: stats.queries,
        cache_hits: stats.cache_hits,
        refused: stats.refused,
        rebinding_blocked: stats.rebinding_blocked,
        bogus: stats.bogus,
        failed: stats.failed,
    }
}

/// Whose word the status is made of.
#[derive(Debug)]
pub struct Sources {
    /// The reconciler's.
    pub links: watch::Receiver<Arc<Status>>,
    /// The keeper's.
    pub keeper: watch::Receiver<View>,
    /// Settings.
    pub trial: watch::Receiver<Trial>,
    /// Wi-Fi.
    pub wifi: watch::Receiver<WifiReport>,
    /// Why the settings on the disk are not used.
    pub settings_problem: Option<String>,
}

/// Keeps the status up to date until one of the sources is gone.
pub async fn show(mut sources: Sources, status: watch::Sender<Arc<Status>>) {
    loop {
        let latest = combine(
            &sources.links.borrow_and_update(),
            &sources.keeper.borrow_and_update(),
            &sources.trial.borrow_and_update(),
            sources.wifi.borrow_and_update().problem.as_ref(),
            sources.settings_problem.as_ref(),
        );
        status.send_if_modified(|shown| replace(shown, Arc::new(latest)));
        // All are cancel safe: what was not taken is seen by the next `changed`.
        let changed = tokio::select! {
            changed = sources.links.changed() => changed,
            changed = sources.keeper.changed() => changed,
            changed = sources.trial.changed() => changed,
            changed = sources.wifi.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// What the bus shows: the links' status with what the other tasks have to say.
fn combine(
    links: &Status,
    keeper: &View,
    trial: &Trial,
    wifi_problem: Option<&String>,
    settings_problem: Option<&String>,
) -> Status {
    let mut status = links.clone();
    let firewall =
        keeper.problem.as_ref().map(|problem| format!("the firewall is not as it should be: {problem}"));
    status.reasons.extend(firewall);
    status.reasons.extend(wifi_problem.cloned());
    status.reasons.extend(settings_problem.cloned());
    if !status.reasons.is_empty() {
        status.state = hostapi::net1::State::Degraded;
    }
    status.settings = trial.in_force().clone();
    status.app_policy = keeper.policy.clone();
    status
}
