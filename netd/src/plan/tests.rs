//! The plan over chosen and random worlds.

use super::*;
use crate::kernel::fake::FakeKernel;
use crate::knob::Knob;
use crate::observe::Kind;
use crate::observe::Subnet;
use crate::testing;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prelude::prop;
use proptest::proptest;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

const ETH: u32 = 2;

fn observed() -> Observed {
    let link = |index, kind| testing::link(index, &format!("l{index}"), kind);
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
        maker: Maker::Unknown,
        is_duplicate: false,
    }
}

fn address6(index: u32, last: u16, valid_for: Option<u64>, maker: Maker) -> Address {
    let v6 = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last).into();
    Address { address: v6, prefix: 64, maker, ..address(index, 0, valid_for) }
}

fn granted(index: u32, host: u8, end: Option<u64>) -> Granted {
    Granted {
        index,
        address: Ipv4Addr::new(10, 0, 0, host).into(),
        prefix: 24,
        ends_at: end.map(Moment::from_secs),
        preferred_until: None,
    }
}

fn route(index: u32, gateway: u8) -> Route {
    Route {
        index,
        destination: Subnet::DEFAULT_4,
        gateway: Some(Ipv4Addr::new(10, 0, 0, gateway).into()),
        metric: 1024 + index,
        source: None,
        origin: RouteOrigin::Dhcp,
    }
}

fn desired() -> Desired {
    Desired {
        up: vec![1, ETH, 4],
        managed: vec![ETH, 4],
        addresses: vec![granted(ETH, 50, Some(1000))],
        routes: vec![route(ETH, 1)],
        ..Desired::default()
    }
}

#[test]
fn an_address_that_is_valid_for_ever_is_preferred_for_ever() {
    let preferred = |ends_at| {
        let preferred_until = Some(Moment::from_secs(500));
        let addresses = vec![Granted { preferred_until, ..granted(ETH, 50, ends_at) }];
        let wanted = Desired { addresses, ..desired() };
        plan(&wanted, &observed(), Moment::from_secs(0)).put_addresses[0].preferred_for
    };
    assert_eq!([None, Some(1000)].map(preferred), [None, Some(Duration::from_secs(500))]);
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
    let v6 = address6(ETH, 1, Some(100), Maker::Unknown);
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
fn settings_and_sizes_that_differ_are_set() {
    let mut observed = observed();
    observed.links[1].knobs.insert(Knob::AcceptRouters, "1".to_owned());
    let knob = |value: &str| NewKnob {
        index: ETH,
        link: "l2".to_owned(),
        knob: Knob::AcceptRouters,
        value: value.to_owned(),
    };
    let with = |value, mtu| {
        let desired = Desired { knobs: vec![knob(value)], mtus: vec![(ETH, mtu)], ..desired() };
        let plan = plan(&desired, &observed, Moment::default());
        (plan.knobs.len(), plan.mtus.len())
    };
    assert_eq!(with("1", 1500), (0, 0));
    assert_eq!(with("2", 1400), (1, 1));
}

#[test]
fn what_the_kernel_makes_of_advertisements_stays_unless_they_count_for_nothing() {
    let mut observed = observed();
    let link_local = Address { address: "fe80::1".parse().unwrap(), ..address6(ETH, 0, None, Maker::Kernel) };
    let slaac = address6(ETH, 1, Some(900), Maker::Kernel);
    let old_kernel = address6(ETH, 2, Some(900), Maker::Unknown);
    let ours = address6(ETH, 3, Some(900), Maker::Netd);
    let foreign = address6(ETH, 4, None, Maker::Unknown);
    let way = Route { origin: RouteOrigin::RouterAdvertisement, ..route(ETH, 9) };
    let foreign_way = Route { origin: RouteOrigin::Foreign(3), ..route(ETH, 8) };
    observed.addresses = vec![link_local, slaac, old_kernel, ours, foreign];
    observed.routes = vec![way, foreign_way];
    let plan_ = |desired: &Desired| plan(desired, &observed, Moment::default());
    let plan = plan_(&desired());
    assert_eq!((plan.remove_addresses, plan.remove_routes), (vec![ours, foreign], vec![foreign_way]));
    let plan = plan_(&Desired { undecided_6: vec![ETH], ..desired() });
    assert_eq!(plan.remove_addresses, [foreign]);
    let plan = plan_(&Desired { deaf_to_routers: vec![ETH], ..desired() });
    assert_eq!(plan.remove_addresses, [slaac, old_kernel, ours, foreign]);
    assert_eq!(plan.remove_routes, [way, foreign_way]);
}

#[test]
fn an_address_that_is_asked_for_is_neither_added_nor_taken_away() {
    let mut observed = observed();
    observed.addresses = vec![address(ETH, 60, None), address(ETH, 61, None)];
    let pending = (ETH, IpAddr::from([10, 0, 0, 60]));
    let desired = Desired { tolerated: vec![pending], addresses: vec![], routes: vec![], ..desired() };
    let plan = plan(&desired, &observed, Moment::default());
    assert_eq!((plan.remove_addresses, plan.put_addresses), (vec![address(ETH, 61, None)], vec![]));
}

#[test]
fn an_address_that_the_kernel_is_still_asking_for_is_not_added_again() {
    let mut observed = observed();
    let own = address6(ETH, 9, None, Maker::Netd);
    observed.tentative = vec![own];
    let want = Granted { address: own.address, prefix: 64, ..granted(ETH, 0, None) };
    let desired = Desired { addresses: vec![want], routes: Vec::new(), ..desired() };
    assert_eq!(plan(&desired, &observed, Moment::default()), Plan::default());
}

#[test]
fn an_ipv6_address_gets_its_end_once_it_is_sure() {
    let mut observed = observed();
    let sure = address6(ETH, 9, None, Maker::Netd);
    let want = Granted { address: sure.address, prefix: 64, ..granted(ETH, 0, Some(1000)) };
    let desired = Desired { addresses: vec![want], routes: Vec::new(), ..desired() };
    let put = |observed: &Observed| plan(&desired, observed, Moment::from_secs(100)).put_addresses;
    assert_eq!(put(&observed)[0].valid_for, None);
    observed.addresses = vec![sure];
    assert_eq!(put(&observed)[0].valid_for, Some(Duration::from_secs(900)));
    observed.addresses = vec![Address { is_duplicate: true, ..sure }];
    assert_eq!(put(&observed), [], "another device's is left for its client to decline");
}

#[test]
fn a_plan_without_a_link_leaves_that_alone_and_does_the_rest() {
    let mut observed = observed();
    observed.links.iter_mut().for_each(|link| link.is_up = false);
    observed.addresses = vec![address(ETH, 99, None), address(4, 99, None)];
    let desired = Desired { mtus: vec![(ETH, 1400), (4, 1400)], ..desired() };
    let plan = plan(&desired, &observed, Moment::default());
    assert_eq!(plan.links(), BTreeSet::from([1, ETH, 4]));
    let rest = plan.clone().without(&BTreeSet::from([ETH]));
    assert_eq!(rest.links(), BTreeSet::from([1, 4]));
    assert_eq!(plan.without(&BTreeSet::from([1, ETH, 4])), Plan::default());
}

#[test]
fn an_address_that_ends_now_is_not_added() {
    let plan = plan(&desired(), &observed(), Moment::from_secs(1000));
    assert_eq!(plan.put_addresses, []);
}

fn any_address() -> impl Strategy<Value = Address> {
    let maker = prop::sample::select(vec![Maker::Kernel, Maker::Netd, Maker::Unknown]);
    (1_u32..5, 1_u8..6, prop::option::of(1_u64..2000), prop::option::of(maker)).prop_map(
        |(index, host, valid, maker)| match maker {
            Some(maker) => address6(index, u16::from(host), valid, maker),
            None => address(index, host, valid),
        },
    )
}

fn any_route() -> impl Strategy<Value = Route> {
    let origins =
        [RouteOrigin::Dhcp, RouteOrigin::Static, RouteOrigin::RouterAdvertisement, RouteOrigin::Foreign(3)];
    (1_u32..5, 1_u8..4, prop::sample::select(origins.to_vec()), any::<bool>()).prop_map(
        |(index, gateway, origin, is_6)| {
            let route = Route { origin, ..route(index, gateway) };
            let gateway = Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(gateway)).into());
            if is_6 { Route { destination: Subnet::DEFAULT_6, gateway, ..route } } else { route }
        },
    )
}

proptest! {
    /// From any state of the kernel, one pass brings what is desired and a second one has nothing to do; links that are not
    /// managed keep what they had.
    #[test]
    fn one_pass_converges(
        mut addresses in prop::collection::vec(any_address(), 0..12),
        routes in prop::collection::vec(any_route(), 0..8),
        ups in prop::collection::vec(any::<bool>(), 4),
        mtus in prop::collection::vec(prop::sample::select(vec![1280_u32, 1500]), 4),
        accepts in prop::collection::vec(prop::sample::select(vec!["0", "2"]), 4),
        host in 1_u8..6,
        is_deaf in any::<bool>(),
        is_undecided in any::<bool>(),
    ) {
        addresses.sort_by_key(|a| (a.index, a.address));
        addresses.dedup_by_key(|a| (a.index, a.address));
        let mut observed = observed();
        for (((link, up), mtu), accept) in observed.links.iter_mut().zip(ups).zip(mtus).zip(accepts) {
            (link.is_up, link.mtu) = (up, mtu);
            link.knobs.insert(Knob::AcceptRouters, accept.to_owned());
        }
        observed.addresses = addresses;
        for route in routes {
            if !observed.routes.iter().any(|other| route.takes_place_of(other)) {
                observed.routes.push(route);
            }
        }
        let own6 = Granted {
            address: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 9).into(),
            prefix: 64,
            ..granted(ETH, 0, None)
        };
        let gateway = Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).into());
        let way6 = Route {
            destination: Subnet::DEFAULT_6,
            gateway,
            origin: RouteOrigin::Static,
            ..route(ETH, 0)
        };
        let links = |is_so: bool| if is_so { vec![ETH] } else { Vec::new() };
        let knob = NewKnob {
            index: ETH,
            link: "l2".to_owned(),
            knob: Knob::AcceptRouters,
            value: "2".to_owned(),
        };
        let desired = Desired {
            addresses: vec![granted(ETH, host, Some(1000)), own6],
            routes: vec![route(ETH, 1), way6],
            deaf_to_routers: links(is_deaf),
            undecided: links(is_undecided),
            undecided_6: links(is_undecided),
            mtus: vec![(ETH, 1400)],
            knobs: vec![knob],
            ..desired()
        };
        let now = Moment::from_secs(10);
        let mut kernel = FakeKernel::new(observed.clone());
        kernel.carry_out(&plan(&desired, &observed, now)).unwrap();
        let after = kernel.snapshot();
        assert_eq!(plan(&desired, &after, now), Plan::default(), "{after:?}");
        for granted in &desired.addresses {
            assert!(after.addresses.iter().any(|have| is_same(granted, have)), "{granted:?}");
        }
        assert!(desired.routes.iter().all(|route| after.routes.contains(route)));
        let untouched = |o: &Observed| {
            let of_others = |index: &u32| *index == 1 || *index == 3;
            let addresses: Vec<Address> = o.addresses.iter().filter(|a| of_others(&a.index)).copied().collect();
            (addresses, o.links.iter().filter(|l| of_others(&l.index)).map(|l| l.mtu).collect::<Vec<_>>())
        };
        assert_eq!(untouched(&observed), untouched(&after));
    }
}
