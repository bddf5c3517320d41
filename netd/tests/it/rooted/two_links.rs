//! A box with two ways out: which one it takes, and when it takes the other.

use crate::rooted::lab::Lab;
use crate::rooted::lab::RANGE;
use crate::rooted::wait::wait_until;
use hostapi::net1;
use model::network::report::NetworkReport;

const SECOND: [&str; 2] = ["--interface=lan1", "--dhcp-range=192.168.78.100,192.168.78.150,255.255.255.0,2m"];

/// Both ends of a second cable, and leases on both.
async fn two_links() -> Lab {
    let mut lab = Lab::with_neighbour(|home, the_box| {
        home.ip(&format!("link add lan1 type veth peer name eth1 netns {}", the_box.name));
        home.ip("addr add 192.168.78.1/24 dev lan1");
        home.ip("link set lan1 up");
    });
    lab.serve_dhcp(RANGE, &SECOND).await;
    way_out(&lab, "eth0").await;
    wait_until("two ways out", async || {
        (lab.the_box.ip("-4 route show default").lines().count() == 2).then_some(())
    })
    .await;
    lab
}

/// Waits until packets to everywhere leave by this link.
async fn way_out(lab: &Lab, link: &str) {
    wait_until(&format!("the way out is {link}"), async || {
        // Fails while there is none.
        let route = lab.the_box.command("ip").args(["-4", "route", "get", "203.0.113.1"]).output().unwrap();
        String::from_utf8_lossy(&route.stdout).contains(&format!("dev {link}")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_cable_that_is_out_is_no_way_out() {
    let lab = two_links().await;
    lab.home.ip("link set lan0 down");
    way_out(&lab, "eth1").await;
    lab.home.ip("link set lan0 up");
    way_out(&lab, "eth0").await;
}

#[tokio::test]
async fn the_owners_preference_wins_and_goes_with_the_settings() {
    let lab = two_links().await;
    let net1 = lab.net1().await;
    let prefer = r#"{"version":1,"links":[{"matching":{"name":"eth1"},"metric":5}]}"#;
    net1.set_settings(prefer, 0).await.unwrap();
    way_out(&lab, "eth1").await;
    let knob = lab
        .the_box
        .thread(|| std::fs::read_to_string("/proc/sys/net/ipv6/conf/eth1/ra_defrtr_metric").unwrap());
    assert_eq!(knob.join().unwrap().trim(), "5", "routers are preferred alike");
    net1.set_settings(r#"{"version":1}"#, 0).await.unwrap();
    way_out(&lab, "eth0").await;
}

#[tokio::test]
async fn a_router_that_falls_silent_is_left_for_the_other_and_taken_again() {
    let lab = two_links().await;
    let net1 = lab.net1().await;
    lab.home.ip("link set lan0 arp off");
    way_out(&lab, "eth1").await;
    let report: NetworkReport = net1::read_answer(&net1.report().await.unwrap()).unwrap();
    let eth0 = report.links.iter().find(|link| link.name == "eth0").unwrap();
    assert!(!eth0.gateways[0].answers, "{eth0:?}");
    assert_eq!(eth0.problems, ["the router 192.168.77.1 does not answer"]);
    lab.home.ip("link set lan0 arp on");
    way_out(&lab, "eth0").await;
    wait_until("all is well", async || (net1.state().await.unwrap() == "ready").then_some(())).await;
}
