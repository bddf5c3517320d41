//! Leases from a real server.

use crate::rooted::lab::Lab;
use crate::rooted::lab::RANGE;
use crate::rooted::lab::leased;
use crate::rooted::lab::link_shows;
use crate::rooted::wait::wait_until;

/// dnsmasq sends the times as they are given here, although the lease lasts two minutes.
const RENEW_AFTER_3_S: [&str; 2] = ["--dhcp-option-force=58,3", "--dhcp-option-force=59,90"];

#[tokio::test]
async fn a_lease_is_acquired_used_and_renewed() {
    let mut lab = Lab::new();
    lab.told("READY=1").await;
    lab.serve_dhcp(RANGE, &RENEW_AFTER_3_S).await;
    let net1 = lab.net1().await;
    let link = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    let (searches, grants) = (lab.logged("DHCPDISCOVER"), lab.logged("DHCPACK"));
    assert_eq!((link.state.as_str(), link.gateway.as_str()), ("up", "192.168.77.1"));
    assert_ne!(link.lease_expires_unix, 0);
    assert_eq!(net1.state().await.unwrap(), "ready", "{:?}", net1.reasons().await);
    let route = wait_until("the default route", || async {
        Some(lab.the_box.ip("-4 route show default")).filter(|routes| !routes.is_empty())
    });
    let route = route.await;
    assert!(route.starts_with("default via 192.168.77.1 dev eth0 proto dhcp src 192.168.77."), "{route}");
    assert_eq!(
        lab.run_file("hearth/net/resolv.conf").lines().skip(1).collect::<Vec<_>>(),
        ["nameserver 127.0.0.1", "nameserver ::1"],
        "what DHCP offers is plaintext"
    );
    let address = lab.the_box.ip("-4 addr show dev eth0");
    assert!(
        address.contains("dynamic") && !address.contains("forever"),
        "the kernel knows the end: {address}"
    );

    wait_until("a second acknowledgement", || async { (lab.logged("DHCPACK") > grants).then_some(()) }).await;
    assert_eq!(lab.logged("DHCPDISCOVER"), searches, "renewed without a new search:\n{}", lab.dhcp_log());
    assert!(lab.dhcp_log().contains(" hearth"), "the server knows the name");
    let moved = |l: &hostapi::net1::Link| l.lease_expires_unix > link.lease_expires_unix;
    let renewed = link_shows(&net1, "eth0", "a later end", moved).await;
    assert_eq!(leased(&renewed), leased(&link));
    lab.told("eth0 has 192.168.77.").await;
    assert!(lab.netd.terminate(), "netd ends well when asked to");
}

#[tokio::test]
async fn after_the_cable_was_out_the_same_lease_is_confirmed_without_a_search() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    let before = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    let (searches, grants) = (lab.logged("DHCPDISCOVER"), lab.logged("DHCPACK"));
    lab.home.ip("link set lan0 down");
    let out = link_shows(&net1, "eth0", "no carrier", |link| link.state == "no-carrier").await;
    assert_eq!(leased(&out), leased(&before), "the address stays while the cable is out");
    lab.home.ip("link set lan0 up");
    link_shows(&net1, "eth0", "up again", |link| link.state == "up").await;
    wait_until("the confirmation", || async { (lab.logged("DHCPACK") > grants).then_some(()) }).await;
    assert_eq!(lab.logged("DHCPDISCOVER"), searches, "{}", lab.dhcp_log());
    let after = link_shows(&net1, "eth0", "the lease", |link| leased(link).is_some()).await;
    assert_eq!(leased(&after), leased(&before));
}

#[tokio::test]
async fn a_denied_lease_is_given_up_for_a_new_one() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    let before = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    let old = leased(&before).unwrap().clone();
    lab.stop_dhcp();
    lab.serve_dhcp("192.168.77.200,192.168.77.210,255.255.255.0,2m", &[]).await;
    net1.renew_leases().await.unwrap();
    let is_new = |link: &hostapi::net1::Link| leased(link).is_some_and(|address| *address != old);
    let after = link_shows(&net1, "eth0", "another lease", is_new).await;
    assert!(leased(&after).unwrap().starts_with("192.168.77.2"), "{after:?}");
    assert!(!after.addresses.contains(&old), "{after:?}");
    assert!(lab.logged("DHCPNAK") >= 1, "{}", lab.dhcp_log());
}

#[tokio::test]
async fn a_restart_of_netd_keeps_the_address_even_while_no_server_answers() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    let before = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    lab.stop_dhcp();
    lab.restart_netd();
    let net1 = lab.net1().await;
    lab.told("STATUS=eth0 has 192.168.77.").await;
    let after = link_shows(&net1, "eth0", "the address without a lease", |link| leased(link).is_some()).await;
    assert_eq!(leased(&after), leased(&before));
    assert_eq!(after.lease_expires_unix, 0, "there is no lease yet");
    assert!(lab.the_box.ip("-4 route show default").contains("192.168.77.1"));
    lab.serve_dhcp(RANGE, &[]).await;
    link_shows(&net1, "eth0", "a lease again", |link| link.lease_expires_unix != 0).await;
}
