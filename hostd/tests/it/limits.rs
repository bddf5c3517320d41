//! Strangers who are slow, large or many: others still get their answer.

use crate::harness::Client;
use crate::harness::plain;
use crate::harness::read_answer;
use crate::harness::settings;
use crate::harness::setup_body;
use crate::harness::wait_until;
use hostd::server::MAX_CONNECTIONS;
use rustix::process::Resource;
use rustix::process::Rlimit;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Both ends of every connection live in this process.
fn allow_many_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum.map(|most| most.min(8192)).or(Some(8192)), ..limit };
    rustix::process::setrlimit(Resource::Nofile, wanted).unwrap();
}

#[tokio::test]
async fn a_thousand_idle_connections_do_not_keep_others_out() {
    allow_many_files();
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let client = Client::of(&running);
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(TcpStream::connect(running.https).await.unwrap());
    }
    wait_until("all places are taken", async || running.connections.count() == MAX_CONNECTIONS).await;
    assert_eq!(client.get("/api/v1/status").await.status, 200);
    let page = plain(running.http, "GET / HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\n\r\n").await;
    assert_eq!(page.status, 200);
    assert!(running.connections.count() <= MAX_CONNECTIONS);
}

#[tokio::test]
async fn connections_that_trickle_a_body_do_not_keep_others_out() {
    allow_many_files();
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let client = Client::of(&running);
    let mut slow = Vec::new();
    for _ in 0..MAX_CONNECTIONS + 20 {
        let mut stream = client.connect("hearth.local").await.unwrap();
        let head = b"POST /api/v1/session HTTP/1.1\r\nhost: hearth.local\r\n\
                     content-type: application/json\r\ncontent-length: 60000\r\n\r\n{";
        stream.write_all(head).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(client.get("/api/v1/status").await.status, 200);
}

#[tokio::test]
async fn a_head_that_never_ends_ends_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let client = Client::of(&running);
    let mut slow = client.connect("hearth.local").await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: hearth.local\r\nx-").await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(slow);
    // A byte now and then must not prolong it.
    let trickle = tokio::spawn(async move {
        while writing.write_all(b"a").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    assert_eq!(client.get("/api/v1/status").await.status, 200);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(crate::harness::DEADLINE, reading.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection was left open");
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    trickle.abort();
    wait_until("its place is free", async || running.connections.count() == 0).await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_and_ends_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let client = Client::of(&running);
    let mut slow = client.connect("hearth.local").await.unwrap();
    let head = b"POST /api/v1/session HTTP/1.1\r\nhost: hearth.local\r\n\
                 content-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"name\":";
    slow.write_all(head).await.unwrap();
    assert_eq!(client.get("/api/v1/status").await.status, 200);
    let answer = tokio::time::timeout(crate::harness::DEADLINE, read_answer(&mut slow)).await.unwrap();
    assert_eq!(answer.error(), (408, "too_slow".to_owned(), None));
}

#[tokio::test]
async fn a_farewell_closes_idle_connections_and_waits_for_answers_only() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let (http, https, client) = (running.http, running.https, Client::of(&running));
    let mut fresh = TcpStream::connect(http).await.unwrap();
    let mut idle = client.connect("hearth.local").await.unwrap();
    idle.write_all(b"HEAD /api/v1/status HTTP/1.1\r\nhost: hearth.local\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let mut asking = client.connect("hearth.local").await.unwrap();
    let begun = b"POST /api/v1/session HTTP/1.1\r\nhost: hearth.local\r\n\
                  content-type: application/json\r\ncontent-length: 2\r\n\r\n{";
    asking.write_all(begun).await.unwrap();
    wait_until("all three are there", async || running.connections.count() == 3).await;
    // A whole exchange after it, so that its head was read.
    assert_eq!(client.get("/api/v1/status").await.status, 200);
    let stopping = tokio::spawn(running.stop_within(crate::harness::DEADLINE));
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert_eq!(fresh.read(&mut head).await.unwrap(), 0);
    wait_until("nobody listens", async || TcpStream::connect(https).await.is_err()).await;
    assert!(!stopping.is_finished(), "one answer is still due");
    asking.write_all(b"}").await.unwrap();
    assert_eq!(read_answer(&mut asking).await.error().0, 422);
    stopping.await.unwrap();
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let client = Client::of(&running);
    for path in ["/api/v1/session", "/api/v1/setup"] {
        let answer = client.post(path, &"x".repeat(500_000)).await;
        assert_eq!(answer.error(), (413, "too_large".to_owned(), None), "{path}");
    }
    let chunked = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        100_000,
        "x".repeat(100_000)
    );
    assert_eq!(client.exchange("hearth.local", chunked.as_bytes()).await.status, 413);
    let head = format!(
        "GET /api/v1/status HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\nx: {}\r\n\r\n",
        "x".repeat(17_000)
    );
    assert_eq!(client.exchange("hearth.local", head.as_bytes()).await.status, 431);
    let many = "x: y\r\n".repeat(100);
    let many = format!("GET / HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\n{many}\r\n");
    assert_eq!(client.exchange("hearth.local", many.as_bytes()).await.status, 431);
    let nonsense = client.exchange("hearth.local", b"\x00\x01\x02 nonsense\r\n\r\n").await;
    assert_eq!(nonsense.status, 400);
}

#[tokio::test]
async fn racing_set_ups_over_real_connections_leave_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let client = Client::of(&running);
    let body = setup_body(&crate::harness::claim_code(&running.app));
    let race = (0..5).map(|_| client.post("/api/v1/setup", &body));
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(race).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409]);
}
