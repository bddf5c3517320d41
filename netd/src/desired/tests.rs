//! What follows from links, leases and settings.

use super::*;
use crate::dhcp::lease::Network;
use crate::dhcp::lease::Terms;
use crate::dhcp::lease::Via;
use crate::dhcp6::lease::Held;
use crate::observe::Address;
use crate::observe::Dhcpv6Offer;
use crate::observe::Maker;
use crate::testing::link;
use std::time::Duration;

#[derive(Default)]
struct World {
    observed: Observed,
    settings: Vec<LinkSettings>,
    ipv4: ipv4::Views,
    dhcp6: dhcp6::Views,
    had_lease: BTreeSet<u32>,
    mtu_before: BTreeMap<u32, u32>,
}

impl World {
    fn new() -> Self {
        let links = vec![
            link(1, "lo", Kind::Loopback),
            link(2, "eth0", Kind::Ethernet { mac: [2; 6] }),
            link(3, "hearth0", Kind::Other),
            link(4, "eth1", Kind::Ethernet { mac: [4; 6] }),
        ];
        let views = [(2, ipv4::View::default()), (4, ipv4::View::default())];
        Self {
            observed: Observed { links, ..Observed::default() },
            ipv4: ipv4::Views::from(views),
            ..Self::default()
        }
    }

    fn lease(mut self, index: u32, address: [u8; 4], routes: Vec<Via>, mtu: Option<u16>) -> Self {
        let terms = Terms {
            address: address.into(),
            prefix: 24,
            routes,
            dns: Vec::new(),
            domain: None,
            ntp: Vec::new(),
            mtu,
            times: None,
        };
        let lease = Lease { terms, server: [10, 0, 0, 1].into(), since: Moment::default() };
        self.ipv4.insert(index, ipv4::View { lease: Some(lease), ..ipv4::View::default() });
        self.had_lease.insert(index);
        self
    }

    fn settings(mut self, text: &str) -> Self {
        let settings: LinkSettings = serde_json::from_str(text).unwrap();
        self.settings.push(settings);
        self
    }

    fn desired(&self) -> Desired {
        let wishes = Wishes {
            settings: &self.settings,
            ipv4: &self.ipv4,
            dhcp6: &self.dhcp6,
            had_lease: &self.had_lease,
            had_lease_6: &BTreeSet::new(),
            mtu_before: &self.mtu_before,
            ipv6_secret: Ipv6Addr::LOCALHOST,
        };
        desired(&self.observed, &wishes)
    }
}

fn default_via(last: u8) -> Via {
    Via { destination: Network::DEFAULT, gateway: Some([10, 0, 0, last].into()) }
}

fn value(desired: &Desired, index: u32, knob: Knob) -> Option<&str> {
    let found = desired.knobs.iter().find(|new| (new.index, new.knob) == (index, knob));
    found.map(|new| new.value.as_str())
}

#[test]
fn loopback_and_ethernet_are_up_and_other_links_are_left_alone() {
    let mut world = World::new().lease(4, [10, 0, 0, 4], vec![], None);
    let desired = world.desired();
    assert_eq!((desired.up, desired.managed, desired.undecided), (vec![1, 2, 4], vec![2, 4], vec![2]));
    assert!(desired.knobs.iter().all(|new| new.index == 2 || new.index == 4));
    world.ipv4.remove(&2);
    let desired = world.desired();
    assert_eq!(desired.managed, [4], "nothing is taken off a link before its task has spoken");
    assert_eq!(value(&desired, 2, Knob::AcceptRouters), Some("2"), "but it is prepared");
}

#[test]
fn a_lease_gives_an_address_and_its_routes_and_the_first_link_is_preferred() {
    let own = Via { destination: Network::of([10, 0, 0, 0].into(), 24), gateway: None };
    let desired = World::new()
        .lease(2, [10, 0, 0, 2], vec![default_via(1), default_via(9), own], None)
        .lease(4, [10, 0, 0, 4], vec![default_via(1)], None)
        .lease(9, [10, 0, 0, 9], vec![default_via(1)], None)
        .desired();
    assert_eq!(desired.addresses.iter().map(|a| a.index).collect::<Vec<_>>(), [2, 4], "link 9 is gone");
    let metrics: Vec<(u32, u32)> = desired.routes.iter().map(|r| (r.index, r.metric)).collect();
    assert_eq!(metrics, [(2, 1026), (4, 1028)]);
    assert_eq!(value(&desired, 4, Knob::RouterMetric), Some("1028"), "IPv6 prefers the same link");
}

#[test]
fn a_metric_of_the_owner_wins_and_no_two_links_share_one() {
    let desired = World::new()
        .lease(2, [10, 0, 0, 2], vec![default_via(1)], None)
        .lease(4, [10, 0, 0, 4], vec![default_via(1)], None)
        .settings(r#"{"matching":{"name":"eth0"},"metric":500}"#)
        .settings(r#"{"matching":{"name":"eth1"},"metric":500}"#)
        .desired();
    assert_eq!(desired.routes.iter().map(|r| r.metric).collect::<Vec<_>>(), [500, 501]);
}

#[test]
fn a_router_that_does_not_answer_comes_last() {
    let own = Via { destination: Network::of([10, 9, 0, 0].into(), 16), gateway: Some([10, 0, 0, 1].into()) };
    let mut world = World::new().lease(2, [10, 0, 0, 2], vec![default_via(1), own], None);
    world.ipv4.get_mut(&2).unwrap().silent_router = Some([10, 0, 0, 1].into());
    let metrics: Vec<u32> = world.desired().routes.iter().map(|r| r.metric).collect();
    assert_eq!(metrics, [11_026, 1026], "only the way to everywhere");
}

#[test]
fn addresses_of_the_owner_and_their_gateways() {
    let mut world = World::new().settings(
        r#"{"matching":{"mac":"02:02:02:02:02:02"},
            "ipv4":{"static":{"addresses":["192.168.1.5/24"],"gateway":"192.168.1.1"}},
            "ipv6":{"static":{"addresses":["2001:db8::5/64"],"gateway":"fe80::1"}}}"#,
    );
    let mode = world.settings[0].ipv4().clone();
    let view =
        ipv4::View { mode: mode.clone(), pending: vec![[192, 168, 1, 5].into()], ..ipv4::View::default() };
    world.ipv4.insert(2, view);
    let waiting = world.desired();
    let v4 = |desired: &Desired| desired.addresses.iter().filter(|a| a.address.is_ipv4()).count();
    assert_eq!((v4(&waiting), waiting.tolerated.len(), waiting.undecided.contains(&2)), (0, 1, false));
    let fixed = vec!["192.168.1.5/24".parse().unwrap()];
    world.ipv4.insert(2, ipv4::View { mode, fixed, ..ipv4::View::default() });
    let desired = world.desired();
    assert_eq!(v4(&desired), 1);
    let gateways: Vec<String> = desired.routes.iter().map(|r| r.gateway.unwrap().to_string()).collect();
    assert_eq!(gateways, ["192.168.1.1", "fe80::1"]);
    assert!(desired.routes.iter().all(|r| r.origin == RouteOrigin::Static && r.metric == 1026));
    assert_eq!(desired.deaf_to_routers, [2]);
    assert_eq!(value(&desired, 2, Knob::AcceptRouters), Some("0"));
}

#[test]
fn a_link_without_ipv6_has_none() {
    let desired = World::new().settings(r#"{"matching":{"name":"eth0"},"ipv6":"off"}"#).desired();
    assert_eq!(value(&desired, 2, Knob::DisableIpv6), Some("1"));
    assert_eq!(value(&desired, 2, Knob::AcceptRouters), None);
    assert_eq!(value(&desired, 4, Knob::DisableIpv6), Some("0"));
    let of_link = desired.knobs.iter().filter(|new| new.index == 4);
    assert!(of_link.map(|new| new.knob).eq(Knob::ALL), "IPv6 begins when all else is set");
}

#[test]
fn the_packet_size_is_the_owners_then_the_servers_then_what_it_was() {
    let mtu = |world: &World| world.desired().mtus;
    let mut world = World::new().lease(2, [10, 0, 0, 2], vec![], Some(1400));
    assert_eq!(mtu(&world), [(2, 1400)]);
    world = world.lease(2, [10, 0, 0, 2], vec![], Some(600));
    assert_eq!(mtu(&world), [(2, 1280)], "a server of IPv4 does not take IPv6 away");
    let without = r#"{"matching":{"name":"eth0"},"ipv6":"off"}"#;
    world = world.settings(without);
    assert_eq!(mtu(&world), [(2, 600)]);
    world.settings.clear();
    world = world.settings(r#"{"matching":{"name":"eth0"},"mtu":1450}"#);
    assert_eq!(mtu(&world), [(2, 1450)]);
    world.settings.clear();
    world.ipv4.insert(2, ipv4::View::default());
    assert_eq!(mtu(&world), []);
    world.mtu_before.insert(2, 1500);
    assert_eq!(mtu(&world), [(2, 1500)]);
}

#[test]
fn a_made_up_address_is_used_only_when_nothing_better_was_left() {
    let mut world = World::new();
    let view = ipv4::View { link_local: Some([169, 254, 3, 4].into()), ..ipv4::View::default() };
    world.ipv4.insert(2, view);
    let made_up = world.desired().addresses;
    assert_eq!((made_up[0].address.to_string().as_str(), made_up[0].prefix), ("169.254.3.4", 16));
    world.observed.addresses.push(Address {
        index: 2,
        address: [10, 0, 0, 9].into(),
        prefix: 24,
        valid_for: Some(Duration::from_secs(100)),
        maker: Maker::Unknown,
        is_duplicate: false,
    });
    assert_eq!(world.desired().addresses, []);
}

#[test]
fn addresses_of_dhcpv6_stand_alone_and_end() {
    let mut world = World::new();
    world.observed.links[1].dhcpv6 = Dhcpv6Offer { addresses: true, information: false };
    assert_eq!(world.desired().undecided_6, [2], "what an earlier run got stays for now");
    let s = Duration::from_secs;
    let held = Held { address: "2001:db8::7".parse().unwrap(), preferred: Some(s(10)), valid: Some(s(20)) };
    let lease = dhcp6::lease::Lease::new(vec![1], vec![held], (None, None), Moment::from_secs(100));
    world.dhcp6.insert(2, dhcp6::View { lease: Some(lease), information: None });
    let desired = world.desired();
    assert!(desired.undecided_6.is_empty());
    let granted = desired.addresses[0];
    assert_eq!((granted.prefix, granted.ends_at), (128, Some(Moment::from_secs(120))));
    assert_eq!(granted.preferred_until, Some(Moment::from_secs(110)));
    let deaf = r#"{"matching":{"name":"eth0"},"ipv6":{"static":{"addresses":["2001:db8::5/64"]}}}"#;
    let desired = world.settings(deaf).desired();
    assert_eq!(desired.addresses.len(), 1, "only the owner's");
}
