//! What may speak to the box, and that bad company does not keep others away.

use crate::household::expect;
use crate::household::expect_page;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use qemu_tests::scenario::scenario;
use qemu_tests::web;
use qemu_tests::web::NAME;
use qemu_tests::web::Secure;
use qemu_tests::web::Web;
use qemu_tests::web::connect;
use qemu_tests::web::plain;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// Connections that do nothing.
const IDLE: usize = 1000;

#[test]
fn only_tls_1_3_with_the_household_ca_and_redirects_to_it() {
    scenario("tls-versions", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).start()?;
        let good = vm.wait_web()?;
        expect_page(&good)?;

        let answer = tls_1_2_hello(vm.ports().https)?;
        // Record: alert, version, length 2; fatal, protocol_version (RFC 8446 section 6.2).
        ensure!(answer.first() == Some(&21) && answer.get(5..7) == Some(&[2, 70]), "no alert but {answer:?}");

        let error = good.clone().named("other.local").open().err().context("a certificate for any name")?;
        ensure!(format!("{error:#}").contains("certificate"), "{error:#}");
        redirects(&vm, &good)
    });
}

fn redirects(vm: &Vm, good: &Web) -> Result<()> {
    let get =
        |path: &str, host: &str| plain(vm.ports(), &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let welcome = get("/", NAME)?;
    expect(&welcome, 200)?;
    ensure!(welcome.text().contains("ca.crt"), "the welcome page offers no certificate: {}", welcome.text());
    let moved = get("/api/v1/status?x=1", NAME)?;
    expect(&moved, 308)?;
    ensure!(
        moved.header("location") == Some("https://hearth.local/api/v1/status?x=1"),
        "{:?}",
        moved.headers
    );
    let foreign = get("/somewhere", "evil.example")?;
    ensure!(foreign.header("location").is_none_or(|to| !to.contains("evil")), "{:?}", foreign.headers);
    ensure!(foreign.status != 200, "a foreign name is served: {}", foreign.text());
    ensure!(good.get("/api/v1/ca.crt")?.body == web::fetch_authority(vm.ports())?, "two different CAs");
    Ok(())
}

/// Offers TLS 1.2 only and returns what the server says.
fn tls_1_2_hello(port: u16) -> Result<Vec<u8>> {
    let mut stream = connect(port)?;
    stream.write_all(&client_hello())?;
    let mut answer = vec![0; 512];
    let length = stream.read(&mut answer).context("no answer to a TLS 1.2 hello")?;
    answer.truncate(length);
    Ok(answer)
}

/// A hello of TLS 1.2 (RFC 5246 section 7.4.1.2) with suites, curves and signatures that every server of that time knows.
fn client_hello() -> Vec<u8> {
    let suites = [0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30];
    let name = NAME.as_bytes();
    let sized = |bytes: &[u8]| [&short(bytes.len())[..], bytes].concat();
    let extension = |kind: u8, content: &[u8]| [&[0, kind][..], &sized(content)].concat();
    let extensions = [
        extension(0, &sized(&[&[0][..], &sized(name)].concat())),
        extension(10, &sized(&[0, 29, 0, 23])),
        extension(11, &[1, 0]),
        extension(13, &sized(&[4, 3, 8, 4, 4, 1, 8, 7])),
    ]
    .concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &sized(&suites), &[1, 0], &sized(&extensions)].concat();
    let handshake = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&handshake)].concat()
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_be_bytes()
}

#[test]
fn the_tls_1_2_hello_is_one_that_a_tls_1_2_server_takes() {
    let folder = tempfile::tempdir().unwrap();
    let [key, certificate] = ["key", "crt"].map(|name| folder.path().join(name).display().to_string());
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let new_key = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -x509 -subj /CN=hearth.local";
    assert!(openssl(&format!("{new_key} -keyout {key} -out {certificate}")).status().unwrap().success());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("s_server -accept 127.0.0.1:{port} -key {key} -cert {certificate} -tls1_2");
    let _server = qemu_tests::process::Owned::start(&mut openssl(&server)).unwrap();
    let answer = qemu_tests::wait_until(BOOT, "openssl's server", || Ok(tls_1_2_hello(port).ok())).unwrap();
    // Record: handshake; message: server hello.
    assert_eq!((answer[0], answer[5]), (22, 2));
}

#[test]
fn endless_requests_and_idle_connections_do_not_keep_others_away() {
    scenario("tls-bad-company", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent).start()?;
        let web = vm.wait_web()?;
        let mut agent = vm.agent()?;
        let mut endless = Vec::new();
        for _ in 0..10 {
            endless.push(Trickle::begin(&web, "GET / HTTP/1.1\r\nHost: hearth.local\r\nX-Endless: ")?);
            let head =
                "POST /api/v1/setup HTTP/1.1\r\nHost: hearth.local\r\nContent-Type: application/json\r\n";
            endless.push(Trickle::begin(&web, &format!("{head}Content-Length: 60000\r\n\r\n"))?);
        }
        expect_page(&web).context("beside requests that never end")?;
        qemu_tests::wait_until(BOOT, "the box to hang up on requests that never end", || {
            endless.retain_mut(Trickle::goes_on);
            Ok(endless.is_empty().then_some(()))
        })?;

        let met_before = taken_connections(&agent.read("/proc/net/snmp")?)?;
        let mut idle = Vec::new();
        for number in 0..IDLE {
            idle.push(connect(vm.ports().https).with_context(|| format!("connection {number}"))?);
            // QEMU's forward has room for one waiting connection; one more is tried again a second later.
            thread::sleep(Duration::from_millis(4));
        }
        // hostd may let the quietest ones go, but the box has met them all.
        let mut met = 0;
        let all = vm.wait_until("all connections to reach the box", || {
            met = taken_connections(&agent.read("/proc/net/snmp")?)? - met_before;
            Ok((met >= IDLE).then_some(()))
        });
        all.with_context(|| format!("{met} of {IDLE} did"))?;
        for _ in 0..3 {
            expect_page(&web).context("beside 1,000 idle connections")?;
        }
        drop(idle);
        expect_page(&web).map(|_| ())
    });
}

/// How many TCP connections the box has taken so far: `PassiveOpens` (RFC 2012), the sixth number after `Tcp:`.
fn taken_connections(snmp: &str) -> Result<usize> {
    let numbers = snmp.lines().filter(|line| line.starts_with("Tcp: ")).nth(1).context("no TCP counters")?;
    Ok(numbers.split(' ').nth(6).context("no count of connections")?.parse()?)
}

/// A request that goes on for ever, a byte at a time.
struct Trickle(Secure);

impl Trickle {
    fn begin(web: &Web, head: &str) -> Result<Self> {
        let mut stream = web.open()?;
        stream.write_all(head.as_bytes())?;
        stream.flush()?;
        stream.sock.set_read_timeout(Some(Duration::from_millis(10)))?;
        Ok(Self(stream))
    }

    /// Sends one more byte; false when the box has answered or hung up.
    fn goes_on(&mut self) -> bool {
        let mut byte = [0];
        let is_sent = self.0.write_all(b"a").and_then(|()| self.0.flush()).is_ok();
        let is_quiet =
            |error: io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        is_sent && self.0.read(&mut byte).is_err_and(is_quiet)
    }
}
