//! The box's name on the home network, asked for with packets written by hand.

use crate::rooted::lab::Lab;
use crate::rooted::lab::Namespace;
use crate::rooted::lab::RANGE;
use crate::rooted::lab::ROUTER;
use crate::rooted::lab::leased;
use crate::rooted::lab::link_shows;
use crate::rooted::wait::DEADLINE;
use crate::rooted::wait::wait_until;
use ::mdns::Announced;
use ::mdns::Inputs;
use ::mdns::LinkAddress;
use ::mdns::LinkAddresses;
use ::mdns::State;
use ::mdns::Wanted;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::watch;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
const TYPE_A: u16 = 1;
const TYPE_PTR: u16 = 12;
const TYPE_AAAA: u16 = 28;

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// RFC 1035 section 4.1: a header with one question, and the question.
fn query(name: &str, kind: u16) -> Vec<u8> {
    [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], encoded(name).as_slice(), &kind.to_be_bytes(), &[0, 1]].concat()
}

/// Asks inside a namespace until an answer contains the name (or its first label) and these bytes of a record.
fn ask(namespace: &Namespace, name: &str, kind: u16, record: Vec<u8>) -> std::thread::JoinHandle<bool> {
    let query = query(name, kind);
    let first_label = encoded(name.split('.').next().unwrap());
    let label = first_label[..first_label.len() - 1].to_vec();
    namespace.thread(move || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT).into()).unwrap();
        let own: Ipv4Addr = ROUTER.parse().unwrap();
        socket.join_multicast_v4(&GROUP, &own).unwrap();
        socket.set_multicast_if_v4(&own).unwrap();
        socket.set_multicast_ttl_v4(255).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let socket = std::net::UdpSocket::from(socket);
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            socket.send_to(&query, (GROUP, PORT)).unwrap();
            let round = Instant::now() + Duration::from_secs(1);
            let mut bytes = [0; 9000];
            while let Ok((length, _from)) = socket.recv_from(&mut bytes) {
                let packet = &bytes[..length];
                let is_answer = packet.get(2).is_some_and(|flags| flags & 0x80 != 0);
                let holds = |part: &[u8]| packet.windows(part.len()).any(|window| window == part);
                if is_answer && holds(&label) && holds(&record) {
                    return true;
                }
                if Instant::now() > round {
                    break;
                }
            }
        }
        false
    })
}

/// Length and value of an address record.
fn address_record(address: &str) -> Vec<u8> {
    match address.split('/').next().unwrap().parse().unwrap() {
        IpAddr::V4(address) => [&[0, 4], address.octets().as_slice()].concat(),
        IpAddr::V6(address) => [&[0, 16], address.octets().as_slice()].concat(),
    }
}

async fn answered(question: std::thread::JoinHandle<bool>) -> bool {
    tokio::task::spawn_blocking(move || question.join().unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_name_is_answered_with_both_kinds_of_address_and_the_services_are_listed() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    let link = link_shows(&net1, "eth0", "both kinds of address", |link| {
        leased(link).is_some() && link.addresses.iter().any(|address| address.starts_with("fe80"))
    })
    .await;
    let v4 = address_record(leased(&link).unwrap());
    let v6 = address_record(link.addresses.iter().find(|address| address.starts_with("fe80")).unwrap());
    assert!(answered(ask(&lab.home, "hearth.local", TYPE_A, v4.clone())).await, "A");
    assert!(answered(ask(&lab.home, "hearth.local", TYPE_AAAA, v6)).await, "AAAA");
    let instance = b"\x06hearth".to_vec();
    assert!(answered(ask(&lab.home, "_https._tcp.local", TYPE_PTR, instance.clone())).await, "_https");
    assert!(answered(ask(&lab.home, "_hearth._tcp.local", TYPE_PTR, instance)).await, "_hearth");

    net1.set_host_name("attic").await.unwrap();
    assert!(answered(ask(&lab.home, "attic.local", TYPE_A, v4)).await, "the new name");
    wait_until("the new name is shown", || async {
        (net1.host_name().await.unwrap() == "attic").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_address_that_comes_later_does_not_make_the_box_its_own_rival() {
    let mut lab = Lab::new();
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    let link = link_shows(&net1, "eth0", "both kinds of address", |link| {
        leased(link).is_some() && link.addresses.iter().any(|address| address.starts_with("fe80"))
    })
    .await;
    let local = address_record(link.addresses.iter().find(|address| address.starts_with("fe80")).unwrap());
    assert!(answered(ask(&lab.home, "hearth.local", TYPE_AAAA, local)).await, "the first address");

    lab.serve_dhcp("fd77::,ra-only,64,10m", &["--enable-ra", "--ra-param=lan0,4,600"]).await;
    let is_global = |address: &&String| address.starts_with("fd77:");
    let link = link_shows(&net1, "eth0", "an address of the advertised prefix", |link| {
        link.addresses.iter().any(|address| is_global(&address))
    })
    .await;
    let global = address_record(link.addresses.iter().find(is_global).unwrap());
    assert!(answered(ask(&lab.home, "hearth.local", TYPE_AAAA, global)).await, "the later address");
    assert_eq!(net1.host_name().await.unwrap(), "hearth");
}

/// A device that has the name, until the test is over and its end of the channel dropped.
fn be_called_hearth(lan0: u32, announced: &mpsc::Sender<()>, stopped: &mpsc::Receiver<()>) {
    let own = LinkAddress { address: ROUTER.parse().unwrap(), prefix: 24 };
    let links = vec![LinkAddresses { index: lan0, name: "lan0".to_owned(), addresses: vec![own] }];
    let wanted = Wanted { host: "hearth".parse().unwrap(), extra_hosts: Vec::new(), services: Vec::new() };
    let (wish, links) = (watch::Sender::new(wanted), watch::Sender::new(links));
    let shown = watch::Sender::new(Announced::default());
    let (_, questions) = ::mdns::querier();
    let inputs = Inputs { wish: wish.subscribe(), links: links.subscribe(), questions };
    let mut seen = shown.subscribe();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let responder = tokio::spawn(::mdns::run(inputs, shown));
        seen.wait_for(|seen| seen.state == State::Announced).await.unwrap();
        announced.send(()).unwrap();
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(wish);
        responder.await.unwrap();
    });
}

#[tokio::test]
async fn a_name_that_another_device_has_gets_a_number() {
    let (stop, stopped) = mpsc::channel::<()>();
    let mut lab = Lab::with_neighbour(|home, the_box| {
        // The cable needs both ends up to carry the neighbour's announcement.
        the_box.ip("link set eth0 up");
        let (announced, is_announced) = mpsc::channel();
        let shown = home.ip("-o link show lan0");
        let index = shown.split(':').next().unwrap().parse().unwrap();
        drop(home.thread(move || be_called_hearth(index, &announced, &stopped)));
        is_announced.recv_timeout(DEADLINE).expect("the neighbour is announced");
    });
    lab.serve_dhcp(RANGE, &[]).await;
    let net1 = lab.net1().await;
    let link = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    wait_until("a numbered name", || async { (net1.host_name().await.unwrap() == "hearth-2").then_some(()) })
        .await;
    let v4 = address_record(leased(&link).unwrap());
    assert!(answered(ask(&lab.home, "hearth-2.local", TYPE_A, v4)).await, "the numbered name is answered");

    net1.set_host_name("attic").await.unwrap();
    wait_until("a free name", || async { (net1.host_name().await.unwrap() == "attic").then_some(()) }).await;
    net1.set_host_name("hearth").await.unwrap();
    wait_until("the number again", || async {
        (net1.host_name().await.unwrap() == "hearth-2").then_some(())
    })
    .await;
    drop(stop);
}
