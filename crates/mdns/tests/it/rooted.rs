//! Real sockets in network namespaces, with Avahi for a neighbour.

mod avahi;
mod home;
mod wait;

use crate::lan::name;
use avahi::Avahi;
use home::Hearth;
use home::Home;
use mdns::RecordType;
use mdns::State;
use mdns::packet::Packet;
use mdns::packet::decode;
use std::time::Duration;
use wait::wait_until;

fn announced_as(hearth: &Hearth, name: &str) {
    wait_until(&format!("announced as {name}"), || {
        let announced = hearth.announced();
        (announced.name == name && announced.state == State::Announced).then_some(())
    });
}

#[test]
fn a_neighbour_sees_the_box_and_its_services_until_it_says_goodbye() {
    let home = Home::new();
    let neighbour = home.machine(1, &["lan0"]);
    let avahi = Avahi::start(neighbour, "printer");
    let machine = home.machine(2, &["lan0"]);
    let mut hearth = Hearth::start(&machine, "hearth", &["notes"]);
    announced_as(&hearth, "hearth");

    for host in ["hearth.local", "notes.hearth.local"] {
        wait_until(host, || (avahi.resolve(host, "-4")? == "10.0.0.2").then_some(()));
        wait_until(host, || (avahi.resolve(host, "-6")? == "fe80::2").then_some(()));
    }
    wait_until("the reverse name", || (avahi.resolve_address("10.0.0.2")? == "hearth.local").then_some(()));
    for service in ["_https._tcp", "_hearth._tcp"] {
        wait_until(service, || {
            let found = avahi.browse(service);
            let shows = |protocol: &str, address: &str| {
                found.iter().any(|line| {
                    line.starts_with(&format!("=;eth0;{protocol};hearth;"))
                        && line.contains(&format!(";hearth.local;{address};443;"))
                })
            };
            // By IPv6 Avahi prefers what it knows of the host; one address of either kind is enough.
            let is_shown = |protocol| shows(protocol, "10.0.0.2") || shows(protocol, "fe80::2");
            (is_shown("IPv4") && is_shown("IPv6")).then_some(())
        });
    }

    hearth.stop();
    wait_until("the goodbye", || {
        let is_gone = |service| avahi.cached(service).iter().all(|line| !line.contains(";hearth;"));
        (is_gone("_https._tcp") && is_gone("_hearth._tcp")).then_some(())
    });
    assert_eq!(avahi.resolve("hearth.local", "-4"), None);
}

#[test]
fn the_box_finds_a_neighbour_by_name() {
    let home = Home::new();
    let avahi = Avahi::start(home.machine(1, &["lan0"]), "printer");
    let machine = home.machine(2, &["lan0"]);
    let hearth = Hearth::start(&machine, "hearth", &[]);
    wait_until("the neighbour knows itself", || avahi.resolve("printer.local", "-4"));
    let longest = Duration::from_secs(20);
    let addresses = hearth.query("printer.local", RecordType::A, longest);
    assert_eq!(addresses.iter().map(|record| record.data.to_string()).collect::<Vec<_>>(), ["10.0.0.1"]);
    let addresses = hearth.query("printer.local", RecordType::AAAA, longest);
    assert_eq!(addresses.iter().map(|record| record.data.to_string()).collect::<Vec<_>>(), ["fe80::1"]);
    assert_eq!(hearth.addresses("printer.local", longest), ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    let own = hearth.query("hearth.local", RecordType::A, longest);
    assert_eq!(own.iter().map(|record| record.data.to_string()).collect::<Vec<_>>(), ["10.0.0.2"]);
    assert!(hearth.query("nobody.local", RecordType::A, Duration::from_millis(500)).is_empty());
}

#[test]
fn the_box_yields_to_a_neighbour_that_has_its_name() {
    let home = Home::new();
    let avahi = Avahi::start(home.machine(1, &["lan0"]), "hearth");
    wait_until("the neighbour has the name", || avahi.resolve("hearth.local", "-4"));
    let machine = home.machine(2, &["lan0"]);
    let hearth = Hearth::start(&machine, "hearth", &[]);
    announced_as(&hearth, "hearth-2");
    let rival = hearth.announced().rival.expect("who has the name").to_string();
    assert!(["10.0.0.1", "fe80::1"].contains(&rival.as_str()), "{rival}");
    wait_until("both names", || {
        let first = avahi.resolve("hearth.local", "-4")?;
        let second = avahi.resolve("hearth-2.local", "-4")?;
        (first == "10.0.0.1" && second == "10.0.0.2").then_some(())
    });
}

#[test]
fn a_neighbour_yields_to_the_box_that_has_the_name() {
    let home = Home::new();
    let machine = home.machine(2, &["lan0"]);
    let hearth = Hearth::start(&machine, "hearth", &[]);
    announced_as(&hearth, "hearth");
    let avahi = Avahi::start(home.machine(1, &["lan0"]), "hearth");
    wait_until("both names", || {
        let first = avahi.resolve("hearth.local", "-4")?;
        let second = avahi.resolve("hearth-2.local", "-4")?;
        (first == "10.0.0.2" && second == "10.0.0.1").then_some(())
    });
    announced_as(&hearth, "hearth");
    assert_eq!(hearth.announced().rival, None);
}

#[test]
fn two_links_to_one_network_are_no_conflict() {
    let home = Home::new();
    let machine = home.machine(2, &["lan0", "lan0"]);
    let hearth = Hearth::start(&machine, "hearth", &[]);
    announced_as(&hearth, "hearth");
    let avahi = Avahi::start(home.machine(1, &["lan0"]), "printer");
    // It asks, and whatever the box answers on one link comes in on the other.
    for _ in 0..5 {
        wait_until("an answer", || avahi.resolve("hearth.local", "-6"));
        wait_until("the services", || avahi.browse("_https._tcp").first().cloned());
    }
    let announced = hearth.announced();
    assert_eq!(
        (announced.name.as_str(), announced.state, announced.rival),
        ("hearth", State::Announced, None)
    );
}

#[test]
fn two_networks_with_equal_names_are_joined() {
    let home = Home::new();
    let here = home.machine(2, &["lan0"]);
    let there = home.machine(3, &["lan1"]);
    let (first, second) = (Hearth::start(&here, "hearth", &[]), Hearth::start(&there, "hearth", &[]));
    announced_as(&first, "hearth");
    announced_as(&second, "hearth");
    home.join_networks();
    let avahi = Avahi::start(home.machine(1, &["lan0"]), "printer");
    wait_until("two names", || {
        // Nobody notices before somebody asks.
        avahi.resolve("hearth.local", "-4")?;
        let (first, second) = (first.announced(), second.announced());
        let are_settled = first.state == State::Announced && second.state == State::Announced;
        (are_settled && first.name != second.name).then_some(())
    });
    let mut names = [first.announced().name, second.announced().name];
    names.sort_unstable();
    assert_eq!(names, ["hearth", "hearth-2"]);
}

#[test]
fn a_resolver_that_knows_nothing_of_multicast_gets_a_plain_answer() {
    let home = Home::new();
    let machine = home.machine(2, &["lan0"]);
    let hearth = Hearth::start(&machine, "hearth", &[]);
    announced_as(&hearth, "hearth");
    let question = hickory_proto::op::Query::query(name("hearth.local"), RecordType::A);
    let query = Packet { id: 4711, questions: vec![question], ..Packet::default() };
    let (bytes, asker) = (query.encode().unwrap(), home.machine(1, &["lan0"]));
    let answer = asker.thread(move || {
        let socket = std::net::UdpSocket::bind("10.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        wait_until("an answer", || {
            // Both to the group and to the box alone.
            socket.send_to(&bytes, "10.0.0.2:5353").unwrap();
            let mut buffer = [0; 9000];
            let (length, from) = socket.recv_from(&mut buffer).ok()?;
            assert_eq!(from.port(), mdns::PORT);
            decode(buffer.get(..length)?).ok()
        })
    });
    let answer = answer.join().unwrap();
    assert_eq!((answer.id, answer.questions), (4711, query.questions));
    assert_eq!(answer.answers[0].data.to_string(), "10.0.0.2");
    assert!(answer.answers[0].ttl <= 10 && !answer.answers[0].mdns_cache_flush);
}
