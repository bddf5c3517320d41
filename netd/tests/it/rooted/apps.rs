//! Networks of apps against the real kernel.

use crate::rooted::addressing::has_origin;
use crate::rooted::addressing::reported;
use crate::rooted::app::App;
use crate::rooted::app::Server;
use crate::rooted::app::ask;
use crate::rooted::app::carries;
use crate::rooted::app::connect_as;
use crate::rooted::app::descriptors;
use crate::rooted::app::lab_with_lease;
use crate::rooted::app::never_reaches;
use crate::rooted::app::packets;
use crate::rooted::app::policy;
use crate::rooted::app::reach;
use crate::rooted::lab::Lab;
use crate::rooted::lab::Namespace;
use crate::rooted::lab::RANGE;
use crate::rooted::lab::ROUTER;
use crate::rooted::wait::wait_until;
use hostapi::net1;
use hostapi::net1::Net1Error;
use model::network::app_policy::AppPolicy;
use model::network::explanation::Answer;
use model::network::explanation::Explanation;
use model::network::link_report::AddressOrigin;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const IN_VAIN: Duration = Duration::from_millis(400);

fn router() -> IpAddr {
    ROUTER.parse().unwrap()
}

#[tokio::test]
async fn apps_are_apart_until_a_link_opens_one_port_and_its_end_cuts_what_lives_on_it() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    net1.set_app_policy(&policy(r#""a":{},"b":{}"#)).await.unwrap();
    let (a, b) = (App::attach(&net1, "a").await, App::attach(&net1, "b").await);
    let servers = [5432, 5433].map(|port| Server::listen(&b.namespace, port));
    let back = Server::listen(&a.namespace, 5432);
    for address in b.addresses() {
        never_reaches(&a.namespace, address, 5432);
    }
    assert!(packets(&net1, "refused: app out").await > 0);

    net1.set_app_policy(&policy(r#""a":{"grants":[{"to":"app","app":"b","port":"tcp/5432"}]},"b":{}"#))
        .await
        .unwrap();
    for address in b.addresses() {
        let mut client = reach(&a.namespace, address, 5432);
        let (mut server, _) = servers[0].accept();
        assert!(carries(&mut client, &mut server, true) && carries(&mut server, &mut client, true));
        never_reaches(&a.namespace, address, 5433);
    }
    for address in a.addresses() {
        never_reaches(&b.namespace, address, 5432);
    }
    let mut client = reach(&a.namespace, b.addresses()[0], 5432);
    let (mut server, _) = servers[0].accept();
    assert!(packets(&net1, "app a to app b tcp/5432").await >= 3);
    let explained: Explanation =
        net1::read_answer(&net1.explain("app:a", "app:b tcp/5432").await.unwrap()).unwrap();
    assert_eq!(explained.answer, Answer::Yes);
    assert!(explained.rules[0].packets >= 3, "{explained:?}");

    net1.set_app_policy(&policy(r#""a":{},"b":{}"#)).await.unwrap();
    assert!(!carries(&mut client, &mut server, false), "a revoked connection goes on");
    assert!(!carries(&mut server, &mut client, false), "a revoked connection goes on backwards");
    let entries = lab
        .the_box
        .thread(|| netlink::conntrack::Conntrack::open().unwrap().entries().unwrap())
        .join()
        .unwrap();
    assert!(!entries.iter().any(|entry| entry.original.destination == b.addresses()[0]), "{entries:?}");
    drop(back);
}

#[tokio::test]
async fn an_app_without_grants_reaches_nobody_and_nobody_reaches_it() {
    let (lab, net1) = lab_with_lease().await;
    net1.set_app_policy(&policy(r#""a":{}"#)).await.unwrap();
    let a = App::attach(&net1, "a").await;
    let _home = Server::listen(&lab.home, 8000);
    let _inside = Server::listen(&a.namespace, 8000);
    never_reaches(&a.namespace, router(), 8000);
    never_reaches(&a.namespace, "1.1.1.1".parse().unwrap(), 443);
    for gateway in [IpAddr::V4(a.network.gateway4), IpAddr::V6(a.network.gateway6)] {
        for port in [22, 53, 80, 443] {
            never_reaches(&a.namespace, gateway, port);
        }
        assert_eq!(ask(&a.namespace, gateway, "example.com", IN_VAIN), None, "it may not even ask for names");
    }
    // Someone at home who knows the app's address and sends it by the box.
    let leased = lab.the_box.ip("-4 -o addr show dev eth0");
    let box_address = leased.split_whitespace().find_map(|word| word.strip_suffix("/24")).unwrap();
    lab.home.ip(&format!("route add 198.18.0.0/15 via {box_address}"));
    never_reaches(&lab.home, a.addresses()[0], 8000);
    assert!(packets(&net1, "refused: app in").await > 0);
    // The box itself.
    never_reaches(&lab.the_box, a.addresses()[0], 8000);
}

#[tokio::test]
async fn each_grant_opens_its_own_way() {
    let (lab, net1) = lab_with_lease().await;
    // A host of the Internet, behind the router.
    lab.home.ip("addr add 1.2.3.4/32 dev lo");
    let home = Server::listen(&lab.home, 8000);
    net1.set_app_policy(&policy(
        r#""lan":{"grants":[{"to":"lan"}]},"web":{"grants":[{"to":"internet"}]},
           "in":{"grants":[{"to":"inbound","box_port":"tcp/9000","app_port":90}],"serves":["tcp/8080"]}"#,
    ))
    .await
    .unwrap();
    let lan = App::attach(&net1, "lan").await;
    let web = App::attach(&net1, "web").await;
    let inbound = App::attach(&net1, "in").await;

    let internet: IpAddr = "1.2.3.4".parse().unwrap();
    let _connection = reach(&lan.namespace, router(), 8000);
    let (_, from) = home.accept();
    assert!(from.ip().to_string().contains("192.168.77."), "apps go out with the box's address: {from}");
    never_reaches(&lan.namespace, internet, 8000);
    let _connection = reach(&web.namespace, internet, 8000);
    never_reaches(&web.namespace, router(), 8000);

    let leased = lab.the_box.ip("-4 -o addr show dev eth0");
    let box_address: IpAddr =
        leased.split_whitespace().find_map(|word| word.strip_suffix("/24")).unwrap().parse().unwrap();
    let inside = Server::listen(&inbound.namespace, 90);
    let mut client = reach(&lab.home, box_address, 9000);
    let (mut server, from) = inside.accept();
    assert!(from.ip().to_string().contains(ROUTER), "the app sees who asks: {from}");
    assert!(carries(&mut client, &mut server, true));
    never_reaches(&lab.home, box_address, 9001);
    let port = SocketAddr::new(box_address, 9000);
    connect_as(&lab.home, router(), port).unwrap();
    connect_as(&lab.home, internet, port).unwrap_err();

    let _served = Server::listen(&inbound.namespace, 8080);
    let _connection = reach(&lab.the_box, inbound.addresses()[0], 8080);
    let _connection = reach(&lab.the_box, inbound.addresses()[1], 8080);
    never_reaches(&lab.the_box, inbound.addresses()[0], 90);

    net1.set_app_policy(&policy(r#""lan":{},"web":{},"in":{}"#)).await.unwrap();
    assert!(!carries(&mut client, &mut server, false));
    never_reaches(&lab.home, box_address, 9000);
}

/// Addresses by DHCPv6 alone: the box has none in the network that the router says is on the link.
#[tokio::test]
async fn a_network_without_an_address_of_the_box_is_home_and_others_are_not() {
    let mut lab = Lab::new();
    lab.home.ip("addr add 2620:77::1/64 dev lan0 nodad");
    lab.home.ip("addr add 2620:99::1/128 dev lo");
    lab.serve_dhcp(RANGE, &["--enable-ra", "--dhcp-range=2620:77::100,2620:77::1ff,64,10m"]).await;
    let net1 = lab.net1().await;
    let own = reported(&net1, "an address", |link| has_origin(link, AddressOrigin::Dhcpv6)).await;
    let own: IpAddr = own.parse().unwrap();
    assert!(lab.the_box.ip("-6 addr show dev eth0").contains(&format!("{own}/128")));
    net1.set_app_policy(&policy(
        r#""lan":{"grants":[{"to":"lan"}]},"web":{"grants":[{"to":"internet"}]},
           "in":{"grants":[{"to":"inbound","box_port":"tcp/9000","app_port":90}]}"#,
    ))
    .await
    .unwrap();
    let lan = App::attach(&net1, "lan").await;
    let web = App::attach(&net1, "web").await;
    let inbound = App::attach(&net1, "in").await;
    let _home = Server::listen(&lab.home, 8000);
    let [at_home, internet]: [IpAddr; 2] = ["2620:77::1", "2620:99::1"].map(|text| text.parse().unwrap());
    // The way out comes with the next advertisement, if not with the first.
    wait_until("the home network is known", async || {
        let found = lab.the_box.command("nft").args(["list", "set", "inet", "hearth", "home6"]).output();
        String::from_utf8(found.unwrap().stdout).unwrap().contains("2620:77::/64").then_some(())
    })
    .await;
    let _connection = reach(&lan.namespace, at_home, 8000);
    never_reaches(&web.namespace, at_home, 8000);
    let _connection = reach(&web.namespace, internet, 8000);
    never_reaches(&lan.namespace, internet, 8000);

    let _console = Server::listen(&lab.the_box, 443);
    let _inside = Server::listen(&inbound.namespace, 90);
    for port in [443, 9000].map(|port| SocketAddr::new(own, port)) {
        connect_as(&lab.home, at_home, port).unwrap();
        connect_as(&lab.home, internet, port).unwrap_err();
    }
}

#[tokio::test]
async fn names_are_answered_by_the_box_whomever_an_app_asks() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    net1.set_app_policy(&policy(
        r#""a":{"grants":[{"to":"domains","names":["allowed.example"]},{"to":"app","app":"b","port":"tcp/1"}]},"b":{}"#,
    ))
    .await
    .unwrap();
    let (a, _b) = (App::attach(&net1, "a").await, App::attach(&net1, "b").await);
    let servers: [IpAddr; 4] = [
        a.network.gateway4.into(),
        a.network.gateway6.into(),
        "8.8.8.8".parse().unwrap(),
        "2001:4860:4860::8888".parse().unwrap(),
    ];
    const REFUSED: u8 = 5;
    for server in servers {
        assert_eq!(ask(&a.namespace, server, "other.example", PATIENCE), Some(REFUSED), "{server}");
        assert_eq!(ask(&a.namespace, server, "b.internal", PATIENCE), Some(0), "{server}");
        assert_eq!(
            ask(&a.namespace, server, "c.internal", PATIENCE).filter(|code| *code == 0),
            None,
            "{server}"
        );
    }
}

#[tokio::test]
async fn the_home_network_may_ask_for_names_when_the_owner_says_so() {
    let (lab, net1) = lab_with_lease().await;
    let leased = lab.the_box.ip("-4 -o addr show dev eth0");
    let own: IpAddr =
        leased.split_whitespace().find_map(|word| word.strip_suffix("/24")).unwrap().parse().unwrap();
    assert_eq!(ask(&lab.home, own, "c.internal", IN_VAIN), None);
    net1.set_settings(r#"{"version":1,"resolver":{"serve_lan":true}}"#, 0).await.unwrap();
    wait_until("the box answers", async || ask(&lab.home, own, "c.internal", IN_VAIN)).await;
    let listening = lab.the_box.command("ss").args(["-Hlnu"]).output().unwrap().stdout;
    let listening = String::from_utf8(listening).unwrap();
    assert!(listening.contains(&format!("{own}:53")), "{listening}");
    net1.set_settings(r#"{"version":1}"#, 0).await.unwrap();
    wait_until("the box is silent", async || {
        ask(&lab.home, own, "c.internal", IN_VAIN).is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_attached_is_refused_and_leaves_nothing() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    net1.set_app_policy(&policy(r#""a":{}"#)).await.unwrap();
    let links = || lab.the_box.ip("-o link show").lines().count();
    let before = links();
    let namespace = Namespace::new("x");
    let (file, socket) = descriptors(&namespace);
    assert!(matches!(net1.attach_app("b", file, socket).await, Err(Net1Error::UnknownApp(_))));
    let (_, socket) = descriptors(&namespace);
    let no_namespace = zbus::OwnedFd::from(std::os::fd::OwnedFd::from(tempfile::tempfile().unwrap()));
    assert!(matches!(net1.attach_app("a", no_namespace, socket).await, Err(Net1Error::Refused(_))));
    let (file, _) = descriptors(&namespace);
    let no_socket = zbus::OwnedFd::from(std::os::fd::OwnedFd::from(tempfile::tempfile().unwrap()));
    assert!(matches!(net1.attach_app("a", file, no_socket).await, Err(Net1Error::Refused(_))));
    assert_eq!(links(), before);
    let a = App::attach(&net1, "a").await;
    let (file, socket) = descriptors(&namespace);
    assert!(matches!(net1.attach_app("a", file, socket).await, Err(Net1Error::AlreadyAttached(_))));
    let moved = r#"{"version":1,"workspaces":{"bob":{"apps":{"a":{}}}}}"#;
    assert!(matches!(net1.set_app_policy(moved).await, Err(Net1Error::Refused(_))));
    net1.detach_app(&a.key).await.unwrap();
    assert_eq!(links(), before);
    assert!(matches!(net1.detach_app(&a.key).await, Err(Net1Error::UnknownApp(_))));
}

#[tokio::test]
async fn a_namespace_that_ends_takes_its_rules_with_it() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    net1.set_app_policy(&policy(r#""a":{},"b":{}"#)).await.unwrap();
    let a = App::attach(&net1, "a").await;
    let rules = || lab.the_box.command("nft").args(["list", "ruleset"]).output().unwrap().stdout;
    assert!(String::from_utf8(rules()).unwrap().contains("ha1-2"));
    drop(a);
    wait_until("the rules are gone", async || {
        (!String::from_utf8(rules()).unwrap().contains("ha1-2")).then_some(())
    })
    .await;
    assert_eq!(App::attach(&net1, "a").await.network.ipv4.to_string(), "198.18.1.2");
}

#[tokio::test]
async fn netd_killed_leaves_the_rules_and_a_new_one_cuts_nothing() {
    let (mut lab, net1) = lab_with_lease().await;
    let wish = policy(r#""a":{"grants":[{"to":"app","app":"b","port":"tcp/5432"}]},"b":{}"#);
    net1.set_app_policy(&wish).await.unwrap();
    let (a, b) = (App::attach(&net1, "a").await, App::attach(&net1, "b").await);
    let server = Server::listen(&b.namespace, 5432);
    let _other = Server::listen(&b.namespace, 5433);
    let mut client = reach(&a.namespace, b.addresses()[0], 5432);
    let (mut inside, _) = server.accept();
    let before = packets(&net1, "app a to app b tcp/5432").await;
    for _ in 0..3 {
        lab.netd.kill();
        assert!(carries(&mut client, &mut inside, true), "without netd the rules stay");
        never_reaches(&a.namespace, b.addresses()[0], 5433);
        lab.start_netd_again();
        let net1 = lab.net1().await;
        let kept: AppPolicy = net1::read_answer(&net1.app_policy().await.unwrap()).unwrap();
        assert_eq!(kept, net1::read_answer(&wish).unwrap());
        assert!(carries(&mut client, &mut inside, true), "a new netd cuts nothing");
        assert!(carries(&mut inside, &mut client, true));
        never_reaches(&a.namespace, b.addresses()[0], 5433);
        assert!(packets(&net1, "app a to app b tcp/5432").await >= before, "counters go on");
        assert_eq!(net1.state().await.unwrap(), "ready", "{:?}", net1.reasons().await);
    }
    let net1 = lab.net1().await;
    net1.detach_app("a").await.unwrap();
    net1.detach_app("b").await.unwrap();
}

#[tokio::test]
async fn rules_that_somebody_else_changes_come_back() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    let nft = |words: &str| {
        let output = lab.the_box.command("nft").args(words.split(' ')).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    // Sets change as the link gets its addresses; this chain is always the same.
    let rules = || nft("-s list chain inet hearth forward");
    let planned = rules();
    assert!(planned.contains("refused: transit"), "{planned}");
    nft("flush chain inet hearth forward");
    wait_until("the rules are back", async || (rules() == planned).then_some(())).await;
    nft("delete table inet hearth");
    wait_until("the table is back", async || nft("list tables").contains("inet hearth").then_some(())).await;
    wait_until("all rules are back", async || (rules() == planned).then_some(())).await;
    nft("add table ip foreign");
    assert!(nft("list tables").contains("ip foreign"), "tables of others are left alone");
    assert_eq!(net1.state().await.unwrap(), "ready", "{:?}", net1.reasons().await);
}

/// A process that owns a table keeps everybody else from it (`NFT_TABLE_F_OWNER`): a refusal as the kernel makes it.
#[tokio::test]
async fn rules_that_the_kernel_refuses_degrade_the_box_with_its_reason_until_they_are_taken() {
    let lab = Lab::new();
    let net1 = lab.net1().await;
    net1.set_app_policy(&policy(r#""a":{}"#)).await.unwrap();
    let mut nft = lab.the_box.command("nft");
    let mut nft = nft.arg("-i").stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = nft.stdin.take().unwrap();
    // netd puts its own table back at once, so the two race until the owner wins.
    wait_until("the state is degraded", async || {
        lines.write_all(b"delete table inet hearth; add table inet hearth { flags owner; }\n").unwrap();
        (net1.state().await.unwrap() == "degraded").then_some(())
    })
    .await;
    let reasons = net1.reasons().await.unwrap().join("; ");
    assert!(reasons.contains("the kernel refused") && reasons.contains("not permitted"), "{reasons}");
    let namespace = Namespace::new("a");
    let (file, socket) = descriptors(&namespace);
    assert!(matches!(net1.attach_app("a", file, socket).await, Err(Net1Error::Refused(_))));
    assert!(matches!(net1.set_app_policy(&policy(r#""b":{}"#)).await, Err(Net1Error::Refused(_))));
    assert!(net1.app_policy().await.unwrap().contains(r#""a""#), "the policy before stays");
    drop(lines);
    nft.wait().unwrap();
    wait_until("the state is ready", async || (net1.state().await.unwrap() == "ready").then_some(())).await;
    let (file, socket) = descriptors(&namespace);
    net1.attach_app("a", file, socket).await.unwrap();
}
