//! The plan over chosen and random worlds.

use super::*;
use crate::dhcp::lease::Network;
use crate::kernel::fake::FakeKernel;
use crate::observe::Kind;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prelude::prop;
use proptest::proptest;
use std::net::Ipv4Addr;

const ETH: u32 = 2;

fn observed() -> Observed {
    let link = |index, kind| Link {
        index,
        name: format!("l{index}"),
        kind,
        is_up: true,
        has_carrier: true,
        heeds_routers: true,
    };
    let mac = [2; 6];
    Observed {
        links: vec![
            link(1, Kind::Loopback),
            link(ETH, Kind::Ethernet { mac }),
            link(3, Kind::Other),
            link(4, Kind::Ethernet { mac }),
        ],
        ..Observed::default()
    }
}

fn address(index: u32, host: u8, valid_for: Option<u64>) -> Address {
    Address {
        index,
        address: IpAddr::from([10, 0, 0, host]),
        prefix: 24,
        valid_for: valid_for.map(Duration::from_secs),
    }
}

fn granted(index: u32, host: u8, end: Option<u64>) -> Granted {
    Granted { index, address: Ipv4Addr::new(10, 0, 0, host), prefix: 24, ends_at: end.map(Moment::from_secs) }
}

fn route(index: u32, gateway: u8) -> Route {
    Route {
        index,
        destination: Network::DEFAULT,
        gateway: Some(Ipv4Addr::new(10, 0, 0, gateway)),
        metric: 1024 + index,
        source: None,
    }
}

fn desired() -> Desired {
    Desired {
        up: vec![1, ETH, 4],
        managed: vec![ETH, 4],
        undecided: Vec::new(),
        addresses: vec![granted(ETH, 50, Some(1000))],
        routes: vec![route(ETH, 1)],
    }
}

#[test]
fn what_is_already_there_is_left_alone() {
    let mut observed = observed();
    observed.addresses = vec![address(ETH, 50, Some(900)), address(3, 9, None)];
    observed.routes = vec![route(ETH, 1)];
    assert_eq!(plan(&desired(), &observed, Moment::from_secs(100)), Plan::default());
}

#[test]
fn a_renewed_lease_moves_the_end_and_a_second_of_drift_does_not() {
    let mut observed = observed();
    observed.routes = vec![route(ETH, 1)];
    for (left, is_put) in [(900, false), (898, false), (903, false), (896, true), (904, true)] {
        observed.addresses = vec![address(ETH, 50, Some(left))];
        let plan = plan(&desired(), &observed, Moment::from_secs(100));
        assert_eq!(!plan.put_addresses.is_empty(), is_put, "{left}");
        assert_eq!(plan.remove_addresses, [], "the address stays while its end moves");
    }
    observed.addresses = vec![address(ETH, 50, None)];
    assert_eq!(
        plan(&desired(), &observed, Moment::from_secs(100)).put_addresses.len(),
        1,
        "for ever becomes an end"
    );
}

#[test]
fn foreign_addresses_go_from_managed_links_only_and_ipv6_stays() {
    let mut observed = observed();
    let v6 = Address { address: "fe80::1".parse().unwrap(), ..address(ETH, 0, None) };
    let foreign = address(ETH, 99, None);
    observed.addresses = vec![address(1, 1, None), address(3, 3, None), v6, foreign];
    let plan = plan(&desired(), &observed, Moment::default());
    assert_eq!(plan.remove_addresses, [foreign]);
}

#[test]
fn a_link_that_is_down_is_switched_on_unless_it_is_not_ours() {
    let mut observed = observed();
    for link in &mut observed.links {
        link.is_up = false;
    }
    assert_eq!(plan(&desired(), &observed, Moment::default()).switch_on, [1, ETH, 4]);
}

#[test]
fn what_an_earlier_run_left_stays_until_there_is_a_lease() {
    let mut observed = observed();
    let (left, foreign) = (address(ETH, 70, Some(500)), address(ETH, 71, None));
    observed.addresses = vec![left, foreign];
    observed.routes = vec![route(ETH, 9)];
    let waiting = Desired { undecided: vec![ETH], addresses: Vec::new(), routes: Vec::new(), ..desired() };
    let plan_while_waiting = plan(&waiting, &observed, Moment::default());
    assert_eq!(
        (plan_while_waiting.remove_addresses, plan_while_waiting.remove_routes),
        (vec![foreign], vec![])
    );
    let plan_with_lease = plan(&desired(), &observed, Moment::default());
    assert_eq!(plan_with_lease.remove_addresses, [left, foreign]);
    assert_eq!(plan_with_lease.remove_routes, [route(ETH, 9)]);
}

#[test]
fn router_advertisements_are_heeded_on_managed_links() {
    let mut observed = observed();
    for link in &mut observed.links {
        link.heeds_routers = false;
    }
    let heed: Vec<u32> =
        plan(&desired(), &observed, Moment::default()).heed_routers.iter().map(|l| l.index).collect();
    assert_eq!(heed, [ETH, 4]);
}

#[test]
fn an_address_that_ends_now_is_not_added() {
    let plan = plan(&desired(), &observed(), Moment::from_secs(1000));
    assert_eq!(plan.put_addresses, []);
}

fn any_address() -> impl Strategy<Value = Address> {
    (1_u32..5, 1_u8..6, prop::option::of(1_u64..2000))
        .prop_map(|(index, host, valid)| address(index, host, valid))
}

fn any_route() -> impl Strategy<Value = Route> {
    (1_u32..5, 1_u8..4).prop_map(|(index, gateway)| route(index, gateway))
}

proptest! {
    /// From any state of the kernel, one pass brings what is desired and a second one has nothing to do; links that are not
    /// managed keep what they had.
    #[test]
    fn one_pass_converges(
        mut addresses in prop::collection::vec(any_address(), 0..8),
        mut routes in prop::collection::vec(any_route(), 0..5),
        ups in prop::collection::vec(any::<bool>(), 4),
        host in 1_u8..6,
    ) {
        addresses.sort_by_key(|a| (a.index, a.address));
        addresses.dedup_by_key(|a| (a.index, a.address));
        routes.sort();
        routes.dedup_by_key(|r| (r.index, r.destination));
        let mut observed = observed();
        for (link, up) in observed.links.iter_mut().zip(ups) {
            link.is_up = up;
        }
        observed.addresses = addresses;
        observed.routes = routes;
        let desired = Desired { addresses: vec![granted(ETH, host, Some(1000))], ..desired() };
        let now = Moment::from_secs(10);
        let mut kernel = FakeKernel::new(observed.clone());
        kernel.carry_out(&plan(&desired, &observed, now)).unwrap();
        let after = kernel.snapshot();
        assert_eq!(plan(&desired, &after, now), Plan::default(), "{after:?}");
        let untouched = |o: &Observed| o.addresses.iter().filter(|a| a.index == 1 || a.index == 3).copied().collect::<Vec<_>>();
        assert_eq!(untouched(&observed), untouched(&after));
    }
}
