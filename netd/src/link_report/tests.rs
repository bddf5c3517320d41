//! What a page would show.

use super::*;
use crate::dhcp::lease::Lease;
use crate::dhcp::lease::Network;
use crate::dhcp::lease::Terms;
use crate::dhcp::lease::Times;
use crate::dhcp::lease::Via;
use crate::dhcp6::lease::Information;
use crate::ipv4::Conflict;
use crate::observe::Route;
use crate::observe::RouteOrigin;
use crate::observe::Subnet;
use crate::routers::ToldLink;
use crate::testing::link;
use std::time::Duration;

struct World {
    observed: Observed,
    settings: Vec<LinkSettings>,
    ipv4: ipv4::Views,
    dhcp6: dhcp6::Views,
    told: routers::Told,
    resting: BTreeSet<u32>,
}

fn address(text: &str, prefix: u8, valid_for: Option<u64>, maker: Maker) -> Address {
    let valid_for = valid_for.map(Duration::from_secs);
    Address { index: 2, address: text.parse().unwrap(), prefix, valid_for, maker, is_duplicate: false }
}

fn route(gateway: &str, metric: u32) -> Route {
    let gateway: IpAddr = gateway.parse().unwrap();
    Route {
        index: 2,
        destination: if gateway.is_ipv4() { Subnet::DEFAULT_4 } else { Subnet::DEFAULT_6 },
        gateway: Some(gateway),
        metric,
        source: None,
        origin: RouteOrigin::Dhcp,
    }
}

fn world() -> World {
    let terms = Terms {
        address: [10, 0, 0, 5].into(),
        prefix: 24,
        routes: vec![Via { destination: Network::DEFAULT, gateway: Some([10, 0, 0, 1].into()) }],
        dns: vec![[10, 0, 0, 1].into(), [9, 9, 9, 9].into()],
        domain: Some("home.example".to_owned()),
        ntp: vec![[10, 0, 0, 1].into()],
        mtu: None,
        times: Times::new(Duration::from_secs(1000), None, None),
    };
    let lease = Lease { terms, server: [10, 0, 0, 1].into(), since: Moment::from_secs(7) };
    let information = Information {
        dns: vec!["fd77::53".parse().unwrap()],
        ntp: vec!["time.example".to_owned()],
        domains: vec!["home.example".to_owned()],
    };
    let told = ToldLink {
        dns: vec![("fd77::53".parse().unwrap(), None), ("fe80::1".parse().unwrap(), None)],
        domains: vec![("lan".to_owned(), None)],
    };
    World {
        observed: Observed {
            links: vec![link(1, "lo", Kind::Loopback), link(2, "eth0", Kind::Ethernet { mac: [2; 6] })],
            addresses: vec![
                address("10.0.0.5", 24, Some(900), Maker::Unknown),
                address("fe80::5", 64, None, Maker::Kernel),
                address("fd77::5", 64, Some(86_400), Maker::Kernel),
                address("fd77::7", 128, Some(600), Maker::Netd),
                address("10.9.9.9", 24, None, Maker::Unknown),
            ],
            routes: vec![route("fe80::1", 1026), route("10.0.0.1", 1026)],
            ..Observed::default()
        },
        settings: Vec::new(),
        ipv4: ipv4::Views::from([(2, ipv4::View { lease: Some(lease), ..ipv4::View::default() })]),
        dhcp6: dhcp6::Views::from([(2, dhcp6::View { lease: None, information: Some(information) })]),
        told: routers::Told::from([(2, told)]),
        resting: BTreeSet::new(),
    }
}

impl World {
    fn knowledge(&self) -> Knowledge<'_> {
        let mut wall = WallClock::default();
        wall.observe(Duration::from_secs(1_000_010), Moment::from_secs(10));
        Knowledge {
            settings: &self.settings,
            ipv4: &self.ipv4,
            dhcp6: &self.dhcp6,
            told: &self.told,
            resting: &self.resting,
            wall,
            now: Moment::from_secs(10),
        }
    }

    fn report(&self) -> LinkReport {
        let mut all = reports(&self.observed, &self.knowledge());
        assert_eq!(all.len(), 1, "links to the home network only");
        all.remove(0)
    }
}

#[test]
fn a_link_is_shown_with_all_that_is_known() {
    let report = world().report();
    assert_eq!((report.name.as_str(), report.state, report.mtu), ("eth0", LinkState::Up, 1500));
    let addresses: Vec<(String, AddressOrigin, Option<u64>)> = report
        .addresses
        .iter()
        .map(|own| (format!("{}/{}", own.address, own.prefix), own.origin, own.valid_until_unix))
        .collect();
    let of = |text: &str, origin, until| (text.to_owned(), origin, until);
    assert_eq!(
        addresses,
        [
            of("10.0.0.5/24", AddressOrigin::Dhcp, Some(1_001_007)),
            of("fe80::5/64", AddressOrigin::LinkLocal, None),
            of("fd77::5/64", AddressOrigin::Slaac, Some(1_086_420)),
            of("fd77::7/128", AddressOrigin::Dhcpv6, Some(1_000_620)),
            of("10.9.9.9/24", AddressOrigin::Unknown, None),
        ]
    );
    let dns: Vec<String> = report.dns.iter().map(ToString::to_string).collect();
    assert_eq!(dns, ["10.0.0.1", "9.9.9.9", "fd77::53", "fe80::1"]);
    assert_eq!(report.ntp, ["10.0.0.1", "time.example"]);
    assert_eq!(report.domains, ["home.example", "lan"]);
    assert!(report.gateways.iter().all(|gateway| gateway.answers) && report.gateways.len() == 2);
    assert!(report.problems.is_empty());
    assert!(reasons(&world().observed, &world().knowledge()).is_empty());
}

#[test]
fn what_does_not_work_is_said_in_words() {
    let mut world = world();
    let view = world.ipv4.get_mut(&2).unwrap();
    view.conflicts = vec![Conflict { address: [10, 0, 0, 9].into(), rival: [0x52, 0x54, 0, 0, 0, 9] }];
    view.silent_router = Some([10, 0, 0, 1].into());
    world.resting.insert(2);
    world.observed.addresses[2].is_duplicate = true;
    let expected = [
        "another device (52:54:00:00:00:09) uses the address 10.0.0.9",
        "the router 10.0.0.1 does not answer",
        "another device uses the address fd77::5",
        "another program keeps changing this link; it is left alone for a while",
    ];
    let report = world.report();
    assert_eq!(report.problems, expected);
    let silent: Vec<bool> = report.gateways.iter().map(|gateway| gateway.answers).collect();
    assert_eq!(silent, [false, true], "IPv4 sorts before IPv6");
    let reasons = reasons(&world.observed, &world.knowledge());
    assert_eq!(reasons, expected.map(|reason| format!("eth0: {reason}")));
}

#[test]
fn a_made_up_address_is_a_problem_of_the_link_but_not_of_the_box() {
    let mut world = world();
    world.observed.addresses = vec![address("169.254.3.4", 16, None, Maker::Unknown)];
    let view = ipv4::View {
        link_local: Some([169, 254, 3, 4].into()),
        is_unanswered: true,
        ..ipv4::View::default()
    };
    world.ipv4.insert(2, view);
    let report = world.report();
    assert_eq!(report.addresses[0].origin, AddressOrigin::LinkLocal);
    assert!(report.problems[0].starts_with("no DHCP server answers"), "{:?}", report.problems);
    assert!(reasons(&world.observed, &world.knowledge()).is_empty());
}
