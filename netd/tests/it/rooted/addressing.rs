//! Where a link's addresses come from: the owner, DHCP of both kinds, routers, the box itself; and who else has them.

use crate::rooted::lab::Lab;
use crate::rooted::lab::Namespace;
use crate::rooted::lab::Process;
use crate::rooted::lab::RANGE;
use crate::rooted::lab::leased;
use crate::rooted::lab::link_shows;
use crate::rooted::wait::wait_until;
use hostapi::net1;
use hostapi::net1::Net1Proxy;
use model::network::link_report::AddressOrigin;
use model::network::link_report::LinkReport;
use model::network::report::NetworkReport;
use std::net::UdpSocket;

async fn eth0(net1: &Net1Proxy<'_>) -> Option<LinkReport> {
    let report: NetworkReport = net1::read_answer(&net1.report().await.unwrap()).unwrap();
    report.links.into_iter().find(|link| link.name == "eth0")
}

/// Waits until the report of eth0 has what is asked for.
pub(crate) async fn reported<T>(
    net1: &Net1Proxy<'_>,
    what: &str,
    ask: impl Fn(&LinkReport) -> Option<T>,
) -> T {
    wait_until(what, async || ask(&eth0(net1).await?)).await
}

pub(crate) fn has_origin(link: &LinkReport, origin: AddressOrigin) -> Option<String> {
    link.addresses.iter().find(|address| address.origin == origin).map(|address| address.address.to_string())
}

fn settings(ipv4: &str) -> String {
    format!(r#"{{"version":1,"links":[{{"matching":{{"name":"eth0"}},"ipv4":{ipv4}}}]}}"#)
}

#[tokio::test]
async fn an_address_that_somebody_has_is_declined_and_another_is_taken() {
    let mut lab = Lab::new();
    // A device of its own: the server would never offer an address that it has itself.
    let rival = Namespace::new("rival");
    lab.home.ip(&format!("link add link lan0 name mv0 netns {} type macvlan mode bridge", rival.name));
    rival.ip("addr add 192.168.77.100/24 dev mv0");
    rival.ip("link set mv0 up");
    let mac = lab.the_box.ip("-o link show eth0");
    let mac = mac.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
    lab.serve_dhcp(RANGE, &[&format!("--dhcp-host={mac},192.168.77.100")]).await;
    let net1 = lab.net1().await;
    let link = link_shows(&net1, "eth0", "an address of the range", |link| leased(link).is_some()).await;
    assert_ne!(leased(&link).unwrap(), "192.168.77.100/24");
    assert!(lab.logged("DHCPDECLINE") > 0, "{}", lab.dhcp_log());
}

#[tokio::test]
async fn a_lease_is_defended_once_and_then_given_up_for_another() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    let link = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    let first = leased(&link).unwrap().clone();
    let rival = Namespace::new("rival");
    lab.home.ip(&format!("link add link lan0 name mv0 netns {} type macvlan mode bridge", rival.name));
    rival.ip(&format!("addr add {first} dev mv0"));
    rival.ip("link set mv0 up");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let asking = rival.thread(move || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for host in (1..100).cycle() {
            if stopped.load(std::sync::atomic::Ordering::SeqCst) {
                return;
            }
            // Nobody is there: each makes the kernel ask for a neighbour, from the address in dispute.
            drop(socket.send_to(&[0], format!("192.168.77.{}:9", 150 + host)));
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
    });
    wait_until("a refusal", async || (lab.logged("DHCPDECLINE") > 0).then_some(())).await;
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    asking.join().unwrap();
    link_shows(&net1, "eth0", "another lease", |link| leased(link).is_some_and(|own| *own != first)).await;
    wait_until("all is well", async || (net1.state().await.unwrap() == "ready").then_some(())).await;
}

#[tokio::test]
async fn without_a_server_the_box_makes_up_an_address_and_gives_it_up_for_a_lease() {
    let mut lab = Lab::new();
    let net1 = lab.net1().await;
    let made_up = reported(&net1, "a made-up address", |link| {
        has_origin(link, AddressOrigin::LinkLocal).filter(|address| address.starts_with("169.254."))
    })
    .await;
    lab.serve_dhcp(RANGE, &[]).await;
    link_shows(&net1, "eth0", "a lease instead", |link| {
        leased(link).is_some() && !link.addresses.iter().any(|address| address.starts_with(&made_up))
    })
    .await;
}

#[tokio::test]
async fn fixed_addresses_take_the_place_of_a_lease_and_go_when_nobody_confirms_them() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    let fixed = settings(r#"{"static":{"addresses":["192.168.77.9/24"],"gateway":"192.168.77.1"}}"#);
    net1.set_settings(&fixed, 10).await.unwrap();
    reported(&net1, "the fixed address alone", |link| {
        let four: Vec<_> = link.addresses.iter().filter(|address| address.address.is_ipv4()).collect();
        (four.len() == 1 && four[0].origin == AddressOrigin::Static).then_some(())
    })
    .await;
    wait_until("the route by the gateway", async || {
        lab.the_box.ip("-4 route show default").contains("via 192.168.77.1").then_some(())
    })
    .await;
    // Nobody confirms.
    link_shows(&net1, "eth0", "a lease again", |link| {
        leased(link).is_some_and(|address| address != "192.168.77.9/24")
    })
    .await;
    net1.set_settings(&fixed, 60).await.unwrap();
    net1.confirm_settings().await.unwrap();
    lab.restart_netd();
    let net1 = lab.net1().await;
    reported(&net1, "the fixed address after a restart", |link| has_origin(link, AddressOrigin::Static))
        .await;
}

#[tokio::test]
async fn a_fixed_address_that_somebody_has_is_not_used_and_the_owner_is_told() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    net1.set_settings(&settings(r#"{"static":{"addresses":["192.168.77.1/24"]}}"#), 0).await.unwrap();
    let reasons = wait_until("a reason", async || {
        let reasons = net1.reasons().await.unwrap();
        reasons.iter().find(|reason| reason.contains("192.168.77.1")).cloned()
    })
    .await;
    assert!(reasons.contains("eth0"), "{reasons}");
    assert!(!lab.the_box.ip("-4 addr show dev eth0").contains("192.168.77.1/"));
    assert_eq!(net1.state().await.unwrap(), "degraded");
}

#[tokio::test]
async fn the_largest_packet_is_what_the_server_says() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &["--dhcp-option=option:mtu,1400", "--dhcp-option=option:ntp-server,192.168.77.1"])
        .await;
    let net1 = lab.net1().await;
    reported(&net1, "an MTU of 1400", |link| (link.mtu == 1400).then_some(())).await;
    assert!(lab.the_box.ip("link show eth0").contains("mtu 1400"));
    reported(&net1, "the time server", |link| (link.ntp == ["192.168.77.1"]).then_some(())).await;
    // Over a restart it is still known what the size was before.
    lab.restart_netd();
    let net1 = lab.net1().await;
    reported(&net1, "an MTU of 1400", |link| {
        (link.mtu == 1400).then_some(())?;
        has_origin(link, AddressOrigin::Dhcp)
    })
    .await;
    lab.serve_dhcp(RANGE, &[]).await;
    net1.renew_leases().await.unwrap();
    reported(&net1, "the MTU from before", |link| (link.mtu == 1500).then_some(())).await;
}

#[tokio::test]
async fn addresses_come_by_dhcpv6_where_the_router_says_so() {
    let mut lab = Lab::new();
    lab.serve_dhcp(
        RANGE,
        &[
            "--enable-ra",
            "--dhcp-range=fd77::100,fd77::1ff,64,10m",
            "--dhcp-option=option6:dns-server,[fd77::1]",
        ],
    )
    .await;
    let net1 = lab.net1().await;
    let address =
        reported(&net1, "an address by DHCPv6", |link| has_origin(link, AddressOrigin::Dhcpv6)).await;
    assert!(address.starts_with("fd77::1"), "{address}");
    let dns = "fd77::1".parse().unwrap();
    reported(&net1, "the name server", |link| link.dns.contains(&dns).then_some(())).await;
}

#[tokio::test]
async fn name_servers_and_domains_of_router_advertisements_are_shown() {
    let lab = Lab::new();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("radvd.conf");
    let text = "interface lan0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 600;\n\
                prefix fd78::/64 { AdvAutonomous on; };\n\
                RDNSS fd78::53 { AdvRDNSSLifetime 600; };\n\
                DNSSL home.example { AdvDNSSLLifetime 600; }; };\n";
    std::fs::write(&config, text).unwrap();
    lab.home.ip("addr add fd78::1/64 dev lan0 nodad");
    let _radvd = Process::start(
        lab.home
            .command("radvd")
            .args(["--nodaemon", "--logmethod=stderr", "--username=root", "--pidfile"])
            .arg(folder.path().join("radvd.pid"))
            .arg("--config")
            .arg(&config),
    );
    let net1 = lab.net1().await;
    let dns = "fd78::53".parse().unwrap();
    reported(&net1, "the name server", |link| link.dns.contains(&dns).then_some(())).await;
    reported(&net1, "the domain", |link| link.domains.contains(&"home.example".to_owned()).then_some(()))
        .await;
    let made = reported(&net1, "an address of the prefix", |link| {
        has_origin(link, AddressOrigin::Slaac).filter(|address| address.starts_with("fd78:"))
    })
    .await;
    assert!(!made.contains("ff:fe"), "not made of the hardware address: {made}");
}

#[tokio::test]
async fn after_a_reboot_the_same_lease_is_asked_for_without_a_search() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    let link = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    assert!(lab.netd.terminate());
    lab.the_box.ip("addr flush dev eth0");
    lab.the_box.ip("link set eth0 down");
    lab.forget_run();
    let searches = lab.logged("DHCPDISCOVER");
    lab.start_netd_again();
    let net1 = lab.net1().await;
    let again = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    assert_eq!(leased(&again), leased(&link));
    assert_eq!(lab.logged("DHCPDISCOVER"), searches, "{}", lab.dhcp_log());
}

#[tokio::test]
async fn a_server_that_sends_garbage_keeps_nobody_from_a_lease() {
    let mut lab = Lab::new();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let rogue = lab.home.thread(move || {
        let four = UdpSocket::bind("192.168.77.1:0").unwrap();
        four.set_broadcast(true).unwrap();
        let mut sent = 0_u32;
        while !stopped.load(std::sync::atomic::Ordering::SeqCst) {
            let mut bytes = vec![0; 1 + usize::try_from(sent % 700).unwrap()];
            getrandom::fill(&mut bytes).unwrap();
            if sent.is_multiple_of(2) {
                // The look of an answer: BOOTREPLY, Ethernet, the magic of the options.
                bytes.resize(300, 0xff);
                bytes[..4].copy_from_slice(&[2, 1, 6, 0]);
                bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
            }
            // Its own errors are of no interest: what counts is what the box makes of what arrives.
            drop(four.send_to(&bytes, "255.255.255.255:68"));
            drop(four.send_to(&bytes, "255.255.255.255:5353"));
            sent += 1;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        sent
    });
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(rogue.join().unwrap() > 10, "nothing was sent");
    assert_eq!(net1.state().await.unwrap(), "ready", "{:?}", net1.reasons().await);
}
