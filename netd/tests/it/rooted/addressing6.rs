//! IPv6 addresses by DHCPv6 and of the owner, against a real server, a real router and rivals.

use crate::rooted::addressing::has_origin;
use crate::rooted::addressing::reported;
use crate::rooted::lab::Lab;
use crate::rooted::lab::Namespace;
use crate::rooted::lab::RANGE;
use crate::rooted::wait::wait_until;
use model::network::link_report::AddressOrigin;

const STATEFUL: [&str; 2] = ["--enable-ra", "--dhcp-range=fd77::100,fd77::1ff,64,10m"];

#[tokio::test]
async fn where_only_information_is_offered_no_address_is_asked_for() {
    let mut lab = Lab::new();
    let options = [
        "--enable-ra",
        "--dhcp-range=fd77::,ra-stateless,64",
        "--dhcp-option=option6:ntp-server,[fd77::123]",
    ];
    lab.serve_dhcp(RANGE, &options).await;
    let net1 = lab.net1().await;
    reported(&net1, "the time server", |link| link.ntp.contains(&"fd77::123".to_owned()).then_some(())).await;
    reported(&net1, "an address of the prefix", |link| has_origin(link, AddressOrigin::Slaac)).await;
    assert!(lab.logged("DHCPINFORMATION-REQUEST") > 0, "{}", lab.dhcp_log());
    assert_eq!(lab.logged("DHCPSOLICIT"), 0, "{}", lab.dhcp_log());
}

#[tokio::test]
async fn an_ipv6_address_that_somebody_has_is_declined_and_another_is_taken() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &STATEFUL).await;
    let net1 = lab.net1().await;
    let first = reported(&net1, "an address", |link| has_origin(link, AddressOrigin::Dhcpv6)).await;
    assert!(lab.netd.terminate());
    lab.the_box.ip("link set eth0 down");
    lab.the_box.ip("addr flush dev eth0");
    // The server keeps the address for the box, which has the same name after a start.
    let rival = Namespace::new("rival6");
    lab.home.ip(&format!("link add link lan0 name mv0 netns {} type macvlan mode bridge", rival.name));
    rival.ip(&format!("addr add {first}/64 dev mv0 nodad"));
    rival.ip("link set mv0 up");
    lab.start_netd_again();
    let net1 = lab.net1().await;
    reported(&net1, "another address", |link| {
        has_origin(link, AddressOrigin::Dhcpv6).filter(|address| *address != first)
    })
    .await;
    assert!(lab.logged("DHCPDECLINE") > 0, "{}", lab.dhcp_log());
    wait_until("all is well", async || (net1.state().await.unwrap() == "ready").then_some(())).await;
}

#[tokio::test]
async fn what_others_do_to_ipv6_heals() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &STATEFUL).await;
    let net1 = lab.net1().await;
    let address = reported(&net1, "an address", |link| has_origin(link, AddressOrigin::Dhcpv6)).await;
    let has = |what: &str| lab.the_box.ip("-6 addr show dev eth0").contains(what);
    lab.the_box.ip(&format!("-6 addr del {address}/128 dev eth0"));
    wait_until("the address is back", async || has(&address).then_some(())).await;
    lab.the_box.ip("-6 addr add fd99::9/64 dev eth0 nodad");
    wait_until("the foreign address is gone", async || (!has("fd99::9")).then_some(())).await;
    lab.the_box.ip("-6 route add fd98::/64 via fd77::1 dev eth0");
    wait_until("the foreign route is gone", async || {
        (!lab.the_box.ip("-6 route show dev eth0").contains("fd98::")).then_some(())
    })
    .await;
    assert_eq!(net1.state().await.unwrap(), "ready", "{:?}", net1.reasons().await);
}

#[tokio::test]
async fn the_owner_fixes_ipv6_switches_it_off_and_leaves_it_to_routers_again() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &STATEFUL).await;
    let net1 = lab.net1().await;
    reported(&net1, "an address", |link| has_origin(link, AddressOrigin::Dhcpv6)).await;
    let set = async |ipv6: &str| {
        let text = format!(r#"{{"version":1,"links":[{{"matching":{{"name":"eth0"}},"ipv6":{ipv6}}}]}}"#);
        net1.set_settings(&text, 0).await.unwrap();
    };
    set(r#"{"static":{"addresses":["fd77::9/64"],"gateway":"fd77::1"}}"#).await;
    let alone = |link: &model::network::link_report::LinkReport| {
        let is_other = |origin| matches!(origin, AddressOrigin::Dhcpv6 | AddressOrigin::Slaac);
        (has_origin(link, AddressOrigin::Static).as_deref() == Some("fd77::9")
            && !link.addresses.iter().any(|address| is_other(address.origin)))
        .then_some(())
    };
    reported(&net1, "the fixed address alone", alone).await;
    wait_until("the route by the gateway", async || {
        let routes = lab.the_box.ip("-6 route show default");
        (routes.contains("via fd77::1") && !routes.contains("proto ra")).then_some(())
    })
    .await;
    assert!(lab.logged("DHCPRELEASE") > 0, "{}", lab.dhcp_log());
    assert_eq!(net1.state().await.unwrap(), "ready", "{:?}", net1.reasons().await);

    set(r#""off""#).await;
    wait_until("no IPv6", async || lab.the_box.ip("-6 addr show dev eth0").trim().is_empty().then_some(()))
        .await;
    reported(&net1, "IPv4 all the same", |link| has_origin(link, AddressOrigin::Dhcp)).await;

    set(r#""automatic""#).await;
    reported(&net1, "an address by DHCPv6 again", |link| has_origin(link, AddressOrigin::Dhcpv6)).await;
    assert_eq!(net1.state().await.unwrap(), "ready", "{:?}", net1.reasons().await);
}
