//! Links that come, go and are changed by others; addresses that the kernel makes.

use crate::rooted::lab::Lab;
use crate::rooted::lab::RANGE;
use crate::rooted::lab::leased;
use crate::rooted::lab::link_shows;
use crate::rooted::wait::wait_until;

#[tokio::test]
async fn what_others_take_away_comes_back() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    let link = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    let address = leased(&link).unwrap().clone();
    let has = |what: &str, words: &str| lab.the_box.ip(words).contains(what).then_some(());

    lab.the_box.ip(&format!("addr del {address} dev eth0"));
    wait_until("the address is back", || async { has(&address, "-4 addr show dev eth0") }).await;
    wait_until("the route is back", || async { has("default via", "-4 route show") }).await;

    lab.the_box.ip("route del default");
    wait_until("the route is back", || async { has("default via", "-4 route show") }).await;

    lab.the_box.ip("addr add 10.9.9.9/24 dev eth0");
    wait_until("the foreign address is gone", || async {
        (!lab.the_box.ip("-4 addr show dev eth0").contains("10.9.9.9")).then_some(())
    })
    .await;

    lab.the_box.ip("link set eth0 down");
    link_shows(&net1, "eth0", "on again, with its address", |link| {
        link.state == "up" && leased(link).is_some()
    })
    .await;
    wait_until("the route is back", || async { has("default via", "-4 route show") }).await;
    assert_eq!(net1.state().await.unwrap(), "ready", "{:?}", net1.reasons().await);
}

#[tokio::test]
async fn a_link_that_is_plugged_in_is_managed_and_forgotten_when_it_goes() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    link_shows(&net1, "eth0", "up", |link| link.state == "up").await;
    lab.home.ip(&format!("link add lan1 type veth peer name eth1 netns {}", lab.the_box.name));
    lab.home.ip("link set lan1 up");
    link_shows(&net1, "eth1", "up", |link| link.state == "up").await;
    lab.home.ip("link del lan1");
    wait_until("eth1 is forgotten", || async {
        net1.links().await.unwrap().iter().all(|link| link.name != "eth1").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_loop_back_link_is_switched_on() {
    let lab = Lab::new();
    lab.the_box.ip("link set lo down");
    wait_until("lo is on", || async {
        lab.the_box.ip("addr show dev lo").contains("127.0.0.1/8").then_some(())
    })
    .await;
}

#[tokio::test]
async fn addresses_and_gateway_from_router_advertisements_are_shown() {
    let mut lab = Lab::new();
    let net1 = lab.net1().await;
    link_shows(&net1, "eth0", "up", |link| link.state == "up").await;
    lab.serve_dhcp("fd77::,ra-only,64,10m", &["--enable-ra", "--ra-param=lan0,4,600"]).await;
    let is_global = |address: &String| address.starts_with("fd77:") && address.ends_with("/64");
    let link = link_shows(&net1, "eth0", "an address of the advertised prefix", |link| {
        link.addresses.iter().any(is_global) && !link.gateway.is_empty()
    })
    .await;
    assert!(link.gateway.starts_with("fe80::"), "{link:?}");
    let file = format!("/proc/sys/net/ipv6/conf/{}/accept_ra", link.name);
    let value = lab.the_box.thread(move || std::fs::read_to_string(file).unwrap()).join().unwrap();
    assert_eq!(value.trim(), "2", "advertisements count also while the box forwards packets");
}
