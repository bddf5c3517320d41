//! Clients on sockets: dig and kdig as judges.

use crate::clients::addresses;
use crate::clients::open_resolver;
use crate::clients::question;
use crate::clients::surroundings;
use crate::clients::with;
use crate::support::LOOPBACK;
use crate::support::SERVER_NAME;
use crate::support::free_port;
use crate::support::settings;
use crate::support::timing;
use crate::unbound::Unbound;
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use resolver::Listeners;
use resolver::Resolver;
use resolver::Settings;
use resolver::Surroundings;
use resolver::config::Limits;
use resolver::config::Timing;
use resolver::listen::ListenError;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::Command;

/// Runs a program and returns what it said.
async fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .await
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn dig_is_content() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    let port = free_port();
    let mut listeners = Listeners::new(resolver.clone());
    let address = SocketAddr::new(LOOPBACK, port);
    assert!(listeners.set(&BTreeSet::from([address])).is_empty());
    let port = port.to_string();
    let base = ["@127.0.0.1", "-p", &port, "+tries=1", "+time=30"];
    let dig = |more: &[&'static str]| {
        let arguments: Vec<String> = base.iter().chain(more).map(|&argument| argument.to_owned()).collect();
        async move { run("dig", &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    let said = dig(&["www.example", "A", "+dnssec"]).await;
    assert!(said.contains("status: NOERROR") && said.contains(" ad;") && said.contains("RRSIG"), "{said}");
    let said = dig(&["www.example", "A", "+noadflag"]).await;
    assert!(said.contains("192.0.2.1") && !said.contains(" ad;") && !said.contains("RRSIG"), "{said}");
    let said = dig(&["www.example", "A", "+tcp", "+short"]).await;
    assert_eq!(said.trim(), "192.0.2.1");
    // Cut over UDP, whole over TCP, which dig tries by itself.
    let said = dig(&["big.plain", "A", "+ignore"]).await;
    assert!(said.contains(" tc ") && !said.contains("198.51.100.7"), "{said}");
    let said = dig(&["big.plain", "A", "+short"]).await;
    assert_eq!(said.lines().filter(|line| line.starts_with("198.51.100.")).count(), 80, "{said}");
    let said = dig(&["www.example", "A", "+edns=1", "+noednsnegotiation"]).await;
    assert!(said.contains("status: BADVERS"), "{said}");
    let said = dig(&["version.bind", "CH", "TXT"]).await;
    assert!(said.contains("status: REFUSED"), "{said}");
    let said = dig(&["example", "AXFR"]).await;
    assert!(said.contains("Transfer failed"), "{said}");
    let said = dig(&["damaged.example", "A"]).await;
    assert!(said.contains("status: SERVFAIL") && said.contains("EDE: 6"), "{said}");
    for warning in ["Warning", "malformed", "mismatch", "recursion requested but not available"] {
        assert!(!said.contains(warning), "{said}");
    }
}

#[tokio::test]
async fn dns_over_tls_for_the_home() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_https()]), &unbound.zones.anchors);
    let identity = unbound.authority.issue(SERVER_NAME);
    let socket = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let listener = resolver.serve_tls(socket, identity.server_config()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, unbound.authority.root_pem()).unwrap();
    let port = listener.address().port().to_string();
    let trusted = format!("+tls-ca={}", root.display());
    let hostname = format!("+tls-hostname={SERVER_NAME}");
    let said = run(
        "kdig",
        &[
            "@127.0.0.1",
            "-p",
            &port,
            "+tls",
            &trusted,
            &hostname,
            "+dnssec",
            "www.example",
            "A",
            "+timeout=30",
        ],
    )
    .await;
    assert!(said.contains("192.0.2.1") && said.contains("TLS session"), "{said}");
}

#[tokio::test]
async fn listeners_come_and_go() {
    let resolver =
        Resolver::new(Settings { upstreams: Vec::new(), ..Settings::default() }, Surroundings::default())
            .unwrap();
    let mut listeners = Listeners::new(resolver.clone());
    let (one, two) = (SocketAddr::new(LOOPBACK, free_port()), SocketAddr::new(LOOPBACK, free_port()));
    assert!(listeners.set(&BTreeSet::from([one, two])).is_empty());
    assert_eq!(listeners.addresses().count(), 2);
    TcpStream::connect(two).await.unwrap();
    assert!(listeners.set(&BTreeSet::from([one])).is_empty());
    crate::support::wait_until("the port is free again", || {
        UdpSocket::bind(two).is_ok() && TcpListener::bind(two).is_ok()
    })
    .await;
    // Taken by somebody else: said, and had as soon as it can be.
    let taken = UdpSocket::bind(two).unwrap();
    assert!(
        matches!(&listeners.set(&BTreeSet::from([one, two]))[..], [ListenError::Bind { address, .. }] if *address == two)
    );
    drop(taken);
    assert!(listeners.set(&BTreeSet::from([one, two])).is_empty());
    // Every address at once is refused.
    let all = UdpSocket::bind("0.0.0.0:0").unwrap();
    assert!(matches!(resolver.serve_udp(all), Err(ListenError::Unspecified { .. })));
}

async fn exchange(stream: &mut TcpStream, message: &Message) -> Message {
    write(stream, message).await;
    read(stream).await.unwrap()
}

async fn write(stream: &mut TcpStream, message: &Message) {
    let bytes = message.to_vec().unwrap();
    stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
}

async fn read(stream: &mut TcpStream) -> Option<Message> {
    let length = stream.read_u16().await.ok()?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(Message::from_vec(&bytes).unwrap())
}

#[tokio::test]
async fn a_connection_takes_many_questions_and_no_nonsense() {
    let unbound = Unbound::start().await;
    let timing = Timing { idle_client: Duration::from_secs(2), ..timing() };
    let limits = Limits { connections_per_client: 2, ..Limits::default() };
    let surroundings = Surroundings { timing, limits, ..surroundings(&unbound.zones.anchors) };
    let resolver = with(settings(&unbound.authority, vec![unbound.over_tls()]), surroundings);
    let listener = resolver.serve_tcp(TcpListener::bind((LOOPBACK, 0)).unwrap()).unwrap();
    let mut stream = TcpStream::connect(listener.address()).await.unwrap();
    // Sent together; answers come as they are ready and belong by their id.
    let names = ["host.plain.", "www.example.", "localhost.", "time.plain."];
    let questions = names.map(|name| question(name, RecordType::A));
    for message in &questions {
        write(&mut stream, message).await;
    }
    for _ in &questions {
        let answer = read(&mut stream).await.unwrap();
        let asked = questions.iter().find(|message| message.metadata.id == answer.metadata.id).unwrap();
        assert_eq!((&answer.queries, addresses(&answer).len()), (&asked.queries, 1));
    }
    // A third connection of one client has no place.
    let _second = TcpStream::connect(listener.address()).await.unwrap();
    let mut third = TcpStream::connect(listener.address()).await.unwrap();
    assert!(read(&mut third).await.is_none());
    // An idle client is let go.
    assert!(read(&mut stream).await.is_none());
    // What is no question ends the connection.
    for nonsense in [&b"\0\x04abcd"[..], &[0xff; 8][..], &b"\0\0"[..]] {
        let mut stream = loop {
            let mut stream = TcpStream::connect(listener.address()).await.unwrap();
            // The places of the connections before are given back a moment later.
            if exchange_or_closed(&mut stream).await {
                break stream;
            }
        };
        stream.write_all(nonsense).await.unwrap();
        while read(&mut stream).await.is_some() {}
    }
}

async fn exchange_or_closed(stream: &mut TcpStream) -> bool {
    let bytes = question("localhost.", RecordType::A).to_vec().unwrap();
    let mut framed = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    framed.extend(bytes);
    stream.write_all(&framed).await.is_ok() && read(stream).await.is_some()
}

#[tokio::test]
async fn datagrams_are_answered_at_once_or_later() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    let listener = resolver.serve_udp(UdpSocket::bind((LOOPBACK, 0)).unwrap()).unwrap();
    let socket = tokio::net::UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    socket.connect(listener.address()).await.unwrap();
    let mut buffer = [0; 4096];
    for name in ["host.plain.", "host.plain.", "localhost.", "nas."] {
        let message = question(name, RecordType::A);
        socket.send(&message.to_vec().unwrap()).await.unwrap();
        let length = socket.recv(&mut buffer).await.unwrap();
        assert_eq!(Message::from_vec(&buffer[..length]).unwrap().metadata.id, message.metadata.id);
    }
    // A datagram that is an answer is not answered; the next question is.
    socket.send(&question("localhost.", RecordType::A).into_response().to_vec().unwrap()).await.unwrap();
    let message = question("localhost.", RecordType::A);
    socket.send(&message.to_vec().unwrap()).await.unwrap();
    let length = socket.recv(&mut buffer).await.unwrap();
    assert_eq!(Message::from_vec(&buffer[..length]).unwrap().metadata.id, message.metadata.id);
}

#[tokio::test]
async fn a_stream_keeps_answering_one_after_another() {
    let unbound = Unbound::start().await;
    let resolver =
        open_resolver(settings(&unbound.authority, vec![unbound.over_tls()]), &unbound.zones.anchors);
    let listener = resolver.serve_tcp(TcpListener::bind((LOOPBACK, 0)).unwrap()).unwrap();
    let mut stream = TcpStream::connect(listener.address()).await.unwrap();
    for _ in 0..50 {
        let answer = exchange(&mut stream, &question("big.plain.", RecordType::A)).await;
        assert_eq!(addresses(&answer).len(), 80);
    }
}
