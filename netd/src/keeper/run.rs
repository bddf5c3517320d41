//! The keeper's task: one question after the other.

use super::Keeper;
use super::KeeperError;
use crate::apps::addressing::Prefix6;
use crate::apps::wiring::Wiring;
use crate::firewall::admission::Admissions;
use crate::firewall::explain::UnknownApp;
use crate::firewall::filter::PacketFilter;
use crate::firewall::situation::Home;
use crate::follow::replace;
use crate::moment::Clock;
use crate::observe::Address;
use crate::observe::Kind;
use crate::observe::Observed;
use crate::trial::Trial;
use crate::wifi::leases::OWN;
use hostapi::net1::NetworkNamespace;
use model::network::app_policy::AppPolicy;
use model::network::attachment::Attachment;
use model::network::endpoint::Endpoint;
use model::network::explanation::Explanation;
use model::network::names::AppKey;
use model::network::names::DomainPattern;
use model::network::report::AppReport;
use model::network::report::FirewallReport;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;
use tokio::time::sleep_until;

/// Wait before rules that were refused are tried again, from the first to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// A look without any reason, in case news was lost.
const PERIODIC: Duration = Duration::from_secs(300);

/// Time between looks at whether somebody else changed rules. Being told by the kernel would be dearer: it makes a message of every
/// rule of every batch as soon as anybody listens, 10 ms for a thousand rules.
const LOOK: Duration = Duration::from_secs(2);

/// Where an answer goes.
pub type Answer<T> = oneshot::Sender<T>;

/// A question to the keeper.
#[derive(Debug)]
pub enum Ask {
    /// Bring a policy into force.
    SetPolicy(AppPolicy, Answer<Result<(), KeeperError>>),
    /// Wire up an app.
    Attach(AppKey, NetworkNamespace, Answer<Result<Attachment, KeeperError>>),
    /// Take an app's network away.
    Detach(AppKey, Answer<Result<(), KeeperError>>),
    /// May one end reach the other?
    Explain(Endpoint, Endpoint, Answer<Result<Explanation, UnknownApp>>),
    /// How are things?
    Report(Answer<(FirewallReport, Vec<AppReport>)>),
    /// An app is about to be told these addresses of a name.
    Learn(Lesson, Answer<Result<(), KeeperError>>),
}

/// Addresses of a name for an app.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// The app.
    pub app: AppKey,
    /// The grant that the name falls under.
    pub name: DomainPattern,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// How long they are good.
    pub ttl: Duration,
}

/// What the kernel has that the keeper looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelView {
    /// The home network.
    pub home: Home,
    /// The box's addresses there, but for link-local ones of IPv6.
    pub home_addresses: BTreeSet<IpAddr>,
    /// Links that are not the home network's, those of apps among them.
    pub other_links: BTreeSet<String>,
    /// How often the kernel was read. A link that came and went between two readings changes nothing else here.
    pub reading: u64,
}

impl KernelView {
    /// From what the reconciler saw.
    #[must_use]
    pub fn of(observed: &Observed, reading: u64) -> Self {
        let mut view = Self { reading, ..Self::default() };
        for link in &observed.links {
            match link.kind {
                Kind::Loopback => continue,
                Kind::Other => drop(view.other_links.insert(link.name.clone())),
                Kind::Ethernet { .. } => {
                    view.home.links.insert(link.name.clone());
                    for address in observed.addresses.iter().filter(|address| address.index == link.index) {
                        view.home.add_network(address.address, address.prefix);
                        // There every name is the box, and somebody else says so.
                        if address.address == IpAddr::V4(OWN.0) {
                            view.home.own_network = Some(link.name.clone());
                        } else if is_reachable(address) {
                            view.home_addresses.insert(address.address);
                        }
                    }
                    for on_link in observed.on_link.iter().filter(|on_link| on_link.index == link.index) {
                        view.home.add_network(on_link.network.address, on_link.network.prefix);
                    }
                }
            }
        }
        view
    }
}

/// Whether the box answers there: not at an address that another device has, nor at one that means nothing without a link beside it.
fn is_reachable(address: &Address) -> bool {
    let needs_link = matches!(address.address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !address.is_duplicate && !needs_link
}

/// Where the keeper's news comes from.
#[derive(Debug)]
pub struct Inputs {
    /// Questions; the task ends when all senders are dropped.
    pub asks: mpsc::Receiver<Ask>,
    /// The kernel's links.
    pub kernel: watch::Receiver<KernelView>,
    /// The owner's settings: whether the home network may ask for names.
    pub trial: watch::Receiver<Trial>,
}

/// What others see of the keeper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The policy in force.
    pub policy: AppPolicy,
    /// Why the rules in force are not those wished for.
    pub problem: Option<String>,
    /// For the resolver.
    pub admissions: Arc<Admissions>,
    /// The box's own IPv6 prefix.
    pub prefix6: Prefix6,
}

enum Woken {
    Asked(Option<Ask>),
    Kernel,
    Settings,
    Look,
    Time,
}

/// Runs the keeper until nobody can ask it any more. The rules stay in force.
pub async fn run<F: PacketFilter, W: Wiring>(
    mut keeper: Keeper<F, W>,
    mut inputs: Inputs,
    view: watch::Sender<View>,
    clock: Clock,
) {
    let mut retry_after = FIRST_RETRY;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = Instant::now() + PERIODIC;
    show(&mut keeper, &view);
    loop {
        // All are cancel safe: queues, watches and notices keep what was not taken.
        let woken = tokio::select! {
            ask = inputs.asks.recv() => Woken::Asked(ask),
            Ok(()) = inputs.kernel.changed() => Woken::Kernel,
            Ok(()) = inputs.trial.changed() => Woken::Settings,
            _ = looks.tick() => Woken::Look,
            () = sleep_until(next) => Woken::Time,
        };
        let now = clock.now();
        let is_time = matches!(woken, Woken::Time);
        let had_problem = keeper.problem().is_some();
        match woken {
            Woken::Asked(None) => return,
            Woken::Asked(Some(ask)) => answer(&mut keeper, ask, &clock, &view),
            Woken::Kernel => {
                let kernel = inputs.kernel.borrow_and_update().clone();
                keeper.set_home(kernel.home, now);
                keeper.notice_gone(&kernel.other_links, now);
            }
            Woken::Settings => {
                let serves_home = inputs.trial.borrow_and_update().in_force().resolver.serve_lan;
                keeper.set_serves_home(serves_home, now);
            }
            Woken::Look => {
                if keeper.is_overruled() {
                    tracing::warn!("somebody else changed the rules; they are put in force again");
                    keeper.refresh(now);
                }
            }
            Woken::Time => {
                keeper.notice_gone(&BTreeSet::new(), now);
                if keeper.problem().is_some() {
                    keeper.refresh(now);
                    retry_after = (retry_after * 2).min(LONGEST_RETRY);
                }
            }
        }
        if keeper.problem().is_none() {
            retry_after = FIRST_RETRY;
        }
        // Whatever else happens in between does not put it off.
        if is_time || had_problem != keeper.problem().is_some() {
            next = Instant::now() + if keeper.problem().is_some() { retry_after } else { PERIODIC };
        }
        show(&mut keeper, &view);
    }
}

/// Answers; what others see is changed before the asker hears of it.
fn answer<F: PacketFilter, W: Wiring>(
    keeper: &mut Keeper<F, W>,
    ask: Ask,
    clock: &Clock,
    view: &watch::Sender<View>,
) {
    let now = clock.now();
    match ask {
        Ask::SetPolicy(policy, to) => {
            let done = keeper.set_policy(policy, now);
            show(keeper, view);
            reply(to, done);
        }
        Ask::Attach(app, namespace, to) => {
            let done = keeper.attach(&app, namespace, now);
            show(keeper, view);
            reply(to, done);
        }
        Ask::Detach(app, to) => {
            let done = keeper.detach(&app, now);
            show(keeper, view);
            reply(to, done);
        }
        Ask::Explain(from, to_end, to) => reply(to, keeper.explain(&from, &to_end)),
        Ask::Report(to) => reply(to, (keeper.firewall_report(), keeper.app_reports())),
        Ask::Learn(Lesson { app, name, addresses, ttl }, to) => {
            reply(to, keeper.learn(&app, &name, &addresses, ttl, now));
        }
    }
}

fn reply<T>(to: Answer<T>, answer: T) {
    if to.send(answer).is_err() {
        tracing::debug!("nobody waits for the answer any more");
    }
}

fn show<F: PacketFilter, W: Wiring>(keeper: &mut Keeper<F, W>, view: &watch::Sender<View>) {
    if !keeper.take_changed() {
        return;
    }
    let latest = View {
        policy: keeper.policy().clone(),
        problem: keeper.problem().map(str::to_owned),
        admissions: Arc::new(keeper.admissions()),
        prefix6: keeper.prefix6(),
    };
    view.send_if_modified(|shown| replace(shown, latest));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Maker;
    use crate::observe::OnLink;
    use crate::observe::Subnet;

    #[test]
    fn the_own_network_is_a_home_link_without_name_service() {
        let ethernet = Kind::Ethernet { mac: [2; 6] };
        let address = Address {
            index: 2,
            address: IpAddr::V4(OWN.0),
            prefix: OWN.1,
            valid_for: None,
            maker: Maker::Unknown,
            is_duplicate: false,
        };
        let observed = Observed {
            links: vec![crate::testing::link(2, "wlan0", ethernet)],
            addresses: vec![address],
            ..Observed::default()
        };
        let view = KernelView::of(&observed, 1);
        assert_eq!(view.home.own_network.as_deref(), Some("wlan0"));
        assert!(view.home.links.contains("wlan0") && view.home_addresses.is_empty());
    }

    #[test]
    fn home_is_what_is_on_its_links_and_addresses_are_those_that_can_be_asked() {
        let ethernet = Kind::Ethernet { mac: [2; 6] };
        let address = |text: &str, prefix, is_duplicate| Address {
            index: 2,
            address: text.parse().unwrap(),
            prefix,
            valid_for: None,
            maker: Maker::Unknown,
            is_duplicate,
        };
        let on_link = |index, text: &str, prefix| OnLink {
            index,
            network: Subnet { address: text.parse().unwrap(), prefix },
        };
        let observed = Observed {
            links: vec![
                crate::testing::link(2, "eth0", ethernet),
                crate::testing::link(3, "ha1-2", Kind::Other),
            ],
            addresses: vec![
                address("192.168.1.5", 24, false),
                address("2620:fe::5", 128, false),
                address("2620:fe::6", 128, true),
                address("fe80::5", 64, false),
            ],
            on_link: vec![on_link(2, "2620:fe::", 64), on_link(3, "2620:fe:0:3::", 64)],
            ..Observed::default()
        };
        let view = KernelView::of(&observed, 1);
        let own = ["192.168.1.5", "2620:fe::5"].map(|text| text.parse().unwrap());
        assert_eq!(view.home_addresses, own.into());
        assert!(view.home.networks6.contains(&("2620:fe::".parse().unwrap(), 64)));
        assert!(!view.home.networks6.contains(&("2620:fe:0:3::".parse().unwrap(), 64)), "not at home");
        assert_eq!(view.other_links, ["ha1-2".to_owned()].into());
    }
}
