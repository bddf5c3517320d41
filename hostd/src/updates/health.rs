//! Whether a system on trial is healthy: pure. What was so before the restart has to be so again.

use model::containers::AppReport;
use model::containers::AppState;
use model::containers::Wanted;
use model::network::link_report::AddressOrigin;
use model::network::link_report::LinkReport;
use model::report::DataReport;
use model::report::ServiceState;
use model::report::ServicesReport;
use model::update::MAX_WHY;
use serde::Deserialize;
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;

/// How long it may take, from when the data is open. init waits 10 minutes, so that the words are from here.
pub const HEALTHY_WITHIN: Duration = Duration::from_secs(8 * 60);

/// How the box was before the restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    /// Its links.
    pub links: Vec<LinkBefore>,
    /// Apps that ran.
    pub apps: Vec<AppBefore>,
}

/// What a link had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkBefore {
    /// Hardware address: the kernel may give another name next time.
    pub mac: String,
    /// What it was called.
    pub name: String,
    /// Whether it had an IPv4 address.
    pub ipv4: bool,
    /// Whether it had an IPv6 address that goes beyond the link.
    pub ipv6: bool,
    /// Whether there was a way to everywhere else over it.
    pub gateway: bool,
}

/// An app that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppBefore {
    /// Its key.
    pub key: String,
    /// What people call it.
    pub id: String,
}

/// What is seen now.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// Services, if init tells.
    pub services: Option<&'a ServicesReport>,
    /// The data partition, if init tells.
    pub data: Option<&'a DataReport>,
    /// Why records cannot be kept.
    pub store_problem: Option<&'a str>,
    /// Why the box's own page did not answer.
    pub page_problem: Option<&'a str>,
    /// Links, if netd tells.
    pub links: Option<&'a [LinkReport]>,
    /// Apps, if containerd-lite tells.
    pub apps: Option<&'a [AppReport]>,
}

impl LinkBefore {
    /// What is remembered of a link; nothing of one without an address.
    #[must_use]
    pub fn of(link: &LinkReport) -> Option<Self> {
        let (ipv4, ipv6, gateway) = traits(link);
        let has_some = ipv4 || ipv6 || gateway;
        has_some.then(|| Self { mac: link.mac.clone(), name: link.name.clone(), ipv4, ipv6, gateway })
    }
}

/// What is still missing, in plain words that name the check; empty when all is well.
#[must_use]
pub fn missing(before: &Before, now: &Now<'_>) -> Vec<String> {
    let mut missing = Vec::new();
    missing.extend(data_missing(now));
    missing.extend(services_missing(now.services));
    missing.extend(now.page_problem.map(|problem| format!("the box's own page does not answer: {problem}")));
    missing.extend(links_missing(&before.links, now.links));
    missing.extend(apps_missing(&before.apps, now.apps));
    missing
}

/// Why a trial failed, in the few words that are kept of it.
#[must_use]
pub fn why(missing: &[String]) -> String {
    let mut line = String::new();
    for letter in missing.join("; ").chars() {
        if line.len() + letter.len_utf8() > MAX_WHY {
            break;
        }
        line.push(if letter.is_control() { ' ' } else { letter });
    }
    line
}

fn data_missing(now: &Now<'_>) -> Option<String> {
    match now.data {
        // Not under init: a developer's machine.
        None | Some(DataReport::Ready { .. }) => {
            now.store_problem.map(|problem| format!("what the box had saved cannot be used: {problem}"))
        }
        Some(DataReport::Locked { .. }) => Some("the data is locked".to_owned()),
        Some(DataReport::Failed { reason }) => Some(format!("the data cannot be opened: {reason}")),
    }
}

fn services_missing(report: Option<&ServicesReport>) -> Vec<String> {
    let Some(report) = report else { return vec!["init does not tell how the services are".to_owned()] };
    let is_missing = |state: ServiceState| match state {
        ServiceState::Ready => false,
        ServiceState::Waiting
        | ServiceState::Starting
        | ServiceState::Backoff
        | ServiceState::Degraded
        | ServiceState::Stopping
        | ServiceState::Stopped => true,
    };
    let missing = report.services.iter().filter(|service| is_missing(service.state));
    missing
        .map(|service| match &service.reason {
            Some(reason) => format!("the service {} is not ready: {reason}", service.name),
            None => format!("the service {} is not ready", service.name),
        })
        .collect()
}

fn links_missing(before: &[LinkBefore], now: Option<&[LinkReport]>) -> Vec<String> {
    if before.is_empty() {
        return Vec::new();
    }
    let Some(now) = now else {
        return vec!["the network service does not tell what addresses there are".to_owned()];
    };
    before.iter().flat_map(|link| link_missing(link, now)).collect()
}

fn link_missing(before: &LinkBefore, now: &[LinkReport]) -> Vec<String> {
    let name = &before.name;
    let is_it = |link: &&LinkReport| {
        if before.mac.is_empty() { link.name == before.name } else { link.mac == before.mac }
    };
    let Some(link) = now.iter().find(is_it) else { return vec![format!("the network port {name} is gone")] };
    let (ipv4, ipv6, gateway) = traits(link);
    let mut missing = Vec::new();
    if before.ipv4 && !ipv4 {
        missing.push(format!("{name} has no IPv4 address any more"));
    }
    if before.ipv6 && !ipv6 {
        missing.push(format!("{name} has no IPv6 address any more"));
    }
    if before.gateway && !gateway {
        missing.push(format!("{name} has no router any more"));
    }
    missing
}

fn apps_missing(before: &[AppBefore], now: Option<&[AppReport]>) -> Vec<String> {
    if before.is_empty() {
        return Vec::new();
    }
    let Some(now) = now else { return vec!["the app service does not tell how apps are".to_owned()] };
    before.iter().filter_map(|app| app_missing(app, now)).collect()
}

/// An app that its user stopped meanwhile, or whose data waits for its user, is nobody's fault.
fn app_missing(before: &AppBefore, now: &[AppReport]) -> Option<String> {
    let id = &before.id;
    let Some(app) = now.iter().find(|app| app.app.as_str() == before.key) else {
        return Some(format!("the app {id} is gone"));
    };
    if app.wanted == Wanted::Stopped {
        return None;
    }
    let words = match app.state {
        AppState::Running | AppState::Locked => return None,
        AppState::Starting => "is not up yet",
        AppState::Stopped | AppState::Stopping => "does not run",
        AppState::Unhealthy => "is not healthy",
        AppState::Failed => "cannot run",
    };
    Some(match app.reasons.first() {
        Some(reason) => format!("the app {id} {words}: {reason}"),
        None => format!("the app {id} {words}"),
    })
}

/// Whether it has an IPv4 address, an IPv6 address that goes beyond the link, and a router.
fn traits(link: &LinkReport) -> (bool, bool, bool) {
    let counts = |origin: AddressOrigin| match origin {
        AddressOrigin::Dhcp | AddressOrigin::Static | AddressOrigin::Slaac | AddressOrigin::Dhcpv6 => true,
        AddressOrigin::LinkLocal | AddressOrigin::Unknown => false,
    };
    let has = |fits: &dyn Fn(IpAddr) -> bool| {
        link.addresses.iter().any(|address| counts(address.origin) && fits(address.address))
    };
    (has(&|address| address.is_ipv4()), has(&|address| address.is_ipv6()), !link.gateways.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::containers::DataState;
    use model::network::link_report::AddressReport;
    use model::network::link_report::GatewayReport;
    use model::network::link_report::LinkKind;
    use model::network::link_report::LinkState;
    use model::report::ServiceReport;
    use std::collections::BTreeMap;

    fn link() -> LinkReport {
        let address = |text: &str, origin| AddressReport {
            address: text.parse().unwrap(),
            prefix: 24,
            origin,
            valid_until_unix: None,
        };
        LinkReport {
            name: "eth0".to_owned(),
            kind: LinkKind::Ethernet,
            mac: "52:54:00:12:34:56".to_owned(),
            state: LinkState::Up,
            speed_mbit: None,
            mtu: 1500,
            addresses: vec![
                address("192.168.1.2", AddressOrigin::Dhcp),
                address("2001:db8::2", AddressOrigin::Slaac),
                address("fe80::2", AddressOrigin::LinkLocal),
            ],
            gateways: vec![GatewayReport {
                address: "192.168.1.1".parse().unwrap(),
                metric: 1,
                answers: true,
            }],
            dns: vec![],
            ntp: vec![],
            domains: vec![],
            problems: vec![],
        }
    }

    fn app(state: AppState) -> AppReport {
        AppReport {
            app: "a1b2c3d4e5f60718".parse().unwrap(),
            wanted: Wanted::Running,
            state,
            data: DataState::Open,
            reasons: vec![],
            traffic: None,
            storage: None,
            containers: BTreeMap::new(),
        }
    }

    fn services(state: ServiceState) -> ServicesReport {
        let service = ServiceReport {
            name: "netd".to_owned(),
            state,
            pid: None,
            restarts: 0,
            reason: None,
            status: None,
        };
        ServicesReport { services: vec![service] }
    }

    fn before() -> Before {
        let app = AppBefore { key: "a1b2c3d4e5f60718".to_owned(), id: "notes".to_owned() };
        Before { links: LinkBefore::of(&link()).into_iter().collect(), apps: vec![app] }
    }

    static READY: DataReport = DataReport::Ready { device: String::new(), created: false };

    fn now<'a>(services: &'a ServicesReport, links: &'a [LinkReport], apps: &'a [AppReport]) -> Now<'a> {
        Now {
            services: Some(services),
            data: Some(&READY),
            store_problem: None,
            page_problem: None,
            links: Some(links),
            apps: Some(apps),
        }
    }

    #[test]
    fn a_box_as_it_was_is_healthy_and_each_check_has_its_words() {
        let (ready, links, apps) = (services(ServiceState::Ready), [link()], [app(AppState::Running)]);
        let well = now(&ready, &links, &apps);
        assert_eq!(missing(&before(), &well), Vec::<String>::new());

        let locked = DataReport::Locked { device: String::new(), reasons: vec![], takes: vec![] };
        let failed = DataReport::Failed { reason: "no disk".to_owned() };
        let degraded = services(ServiceState::Degraded);
        let (mut no_ipv4, mut no_ipv6, mut no_router) = (link(), link(), link());
        no_ipv4.addresses.remove(0);
        no_ipv6.addresses.remove(1);
        no_router.gateways.clear();
        let other = LinkReport { mac: "52:54:00:00:00:01".to_owned(), ..link() };
        let (unhealthy, starting) = ([app(AppState::Unhealthy)], [app(AppState::Starting)]);
        let mut broken = app(AppState::Failed);
        broken.reasons.push("it ended with status 1".to_owned());
        let broken = [broken];
        for (now, words) in [
            (Now { data: Some(&locked), ..well }, "the data is locked"),
            (Now { data: Some(&failed), ..well }, "the data cannot be opened: no disk"),
            (Now { store_problem: Some("torn"), ..well }, "what the box had saved cannot be used: torn"),
            (Now { services: None, ..well }, "init does not tell how the services are"),
            (Now { services: Some(&degraded), ..well }, "the service netd is not ready"),
            (Now { page_problem: Some("refused"), ..well }, "the box's own page does not answer: refused"),
            (Now { links: None, ..well }, "the network service does not tell what addresses there are"),
            (Now { links: Some(&[]), ..well }, "the network port eth0 is gone"),
            (Now { links: Some(&[other]), ..well }, "the network port eth0 is gone"),
            (Now { links: Some(&[no_ipv4]), ..well }, "eth0 has no IPv4 address any more"),
            (Now { links: Some(&[no_ipv6]), ..well }, "eth0 has no IPv6 address any more"),
            (Now { links: Some(&[no_router]), ..well }, "eth0 has no router any more"),
            (Now { apps: None, ..well }, "the app service does not tell how apps are"),
            (Now { apps: Some(&[]), ..well }, "the app notes is gone"),
            (Now { apps: Some(&unhealthy), ..well }, "the app notes is not healthy"),
            (Now { apps: Some(&starting), ..well }, "the app notes is not up yet"),
            (Now { apps: Some(&broken), ..well }, "the app notes cannot run: it ended with status 1"),
        ] {
            assert_eq!(missing(&before(), &now), [words]);
        }
    }

    #[test]
    fn what_is_not_the_systems_fault_is_not_waited_for() {
        let (ready, links) =
            (services(ServiceState::Ready), [LinkReport { name: "eth7".to_owned(), ..link() }]);
        let stopped = AppReport { wanted: Wanted::Stopped, ..app(AppState::Stopped) };
        for app in [stopped, app(AppState::Locked)] {
            assert_eq!(missing(&before(), &now(&ready, &links, &[app])), Vec::<String>::new());
        }
        let nothing = Now { links: None, apps: None, ..now(&ready, &[], &[]) };
        assert_eq!(missing(&Before::default(), &nothing), Vec::<String>::new());
    }

    #[test]
    fn a_link_without_an_address_is_not_remembered() {
        let idle = LinkReport { addresses: vec![], gateways: vec![], ..link() };
        assert_eq!(LinkBefore::of(&idle), None);
    }

    #[test]
    fn the_words_that_are_kept_are_few() {
        let words = why(&["a\nb".to_owned(), "é".repeat(300)]);
        assert!(words.starts_with("a b; é") && words.len() <= MAX_WHY);
    }
}
