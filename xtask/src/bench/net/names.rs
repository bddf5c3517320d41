//! Our resolver and Debian's unbound, one thread each, side by side: the same signed zone over TLS behind both, the same names cached,
//! the same questions.
//!
//! ```text
//! load ──┬─ UDP ──> resolver_serve ──┬─ TLS ──> unbound with the zone
//!        └─ UDP ──> unbound ─────────┘
//! ```

use crate::bars::Bars;
use crate::bench::net::example;
use crate::bench::net::figures::Load;
use crate::bench::net::figures::Names;
use crate::bench::net::figures::Server;
use crate::bench::spread::NoRounds;
use crate::bench::spread::Spread;
use crate::command::Program;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use image::progress::Progress;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

const ROUNDS: usize = 7;
/// Names that are asked for in turn.
const NAMES: usize = 100;
/// Questions of a round that measures speed and cost, and how many are under way.
const QUESTIONS: u32 = 100_000;
const OUTSTANDING: u32 = 32;
/// Questions of a round that measures how long one takes.
const ONE_BY_ONE: u32 = 20_000;
/// What the upstream is called in its certificate.
const UPSTREAM: &str = "dns.upstream.example";
/// For a server to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the servers and asks them in turns.
///
/// # Errors
/// When a server does not start or answers wrongly.
pub(crate) fn measure(folder: &Path, bars: &Bars) -> Result<Names> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    certificates(folder)?;
    let anchor = zone(folder)?;
    let [upstream_at, ours_at, peer_at] = [free_port()?, free_port()?, free_port()?];
    let _upstream = unbound(folder, "upstream", upstream_at, &upstream_settings(upstream_at))?;
    let ours = Daemon::start(
        ours_at,
        Command::new(example("resolver_serve"))
            .args([ours_at.to_string(), upstream_at.to_string(), UPSTREAM.to_owned()])
            .args([folder.join("ca.pem"), folder.join(&anchor)]),
    )?;
    let peer = unbound(folder, "peer", peer_at, &peer_settings(upstream_at, &anchor))?;
    let mut loads = [(); 4].map(|()| Vec::new());
    for round in 1..=ROUNDS {
        bars.step(&format!(
            "round {round} of {ROUNDS}: a hundred thousand names asked of ours and of unbound"
        ));
        let [ours_many, ours_one, peer_many, peer_one] = &mut loads;
        ours_many.push(ours.load(QUESTIONS, OUTSTANDING)?);
        peer_many.push(peer.load(QUESTIONS, OUTSTANDING)?);
        ours_one.push(ours.load(ONE_BY_ONE, 1)?);
        peer_one.push(peer.load(ONE_BY_ONE, 1)?);
    }
    let [ours_many, ours_one, peer_many, peer_one] = &loads;
    let questions = f64::from(QUESTIONS);
    let (hearth, unbound) =
        (server(ours_many, ours_one, questions)?, server(peer_many, peer_one, questions)?);
    Ok(Names { names: NAMES, hearth, unbound })
}

/// Many questions at once say how fast and how dear, one at a time how soon.
///
/// # Errors
/// When there was no round.
pub(crate) fn server(many: &[Load], one: &[Load], questions: f64) -> Result<Server, NoRounds> {
    let spread = |loads: &[Load], figure: fn(&Load) -> f64| {
        Spread::try_from(loads.iter().map(figure).collect::<Vec<_>>())
    };
    let costs: Vec<f64> = many.iter().map(|load| load.server_cpu_s * 1e6 / questions).collect();
    Ok(Server {
        queries_per_s: spread(many, |load| load.queries_per_s)?,
        cpu_ms_per_1000: Spread::try_from(costs)?,
        p50_us: spread(one, |load| load.p50_us)?,
        p99_us: spread(one, |load| load.p99_us)?,
        lost: many.iter().chain(one).map(|load| load.lost).sum(),
        pss_kib: one.last().ok_or(NoRounds)?.server_pss_kib,
    })
}

/// A server; ends with the value.
struct Daemon {
    child: Child,
    address: SocketAddr,
}

impl Daemon {
    /// Starts it and waits until it listens.
    fn start(address: SocketAddr, command: &mut Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let mut daemon = Self { child, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if daemon.child.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                bail!("{command:?} does not listen");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(daemon)
    }

    fn load(&self, questions: u32, outstanding: u32) -> Result<Load> {
        let fixed = [self.address.to_string(), questions.to_string(), outstanding.to_string()];
        let arguments = fixed.into_iter().chain([self.child.id().to_string()]).chain((0..NAMES).map(name));
        let text = Program::new(example("resolver_load"), arguments.map(OsString::from)).output()?;
        serde_json::from_str(&text).context("reading what the load generator measured")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    listener.local_addr().context("finding a free port")
}

fn name(number: usize) -> String {
    format!("host{number}.measured.")
}

/// An authority and the upstream's certificate.
fn certificates(folder: &Path) -> Result<()> {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30";
    let openssl =
        |words: String| Program::new("openssl", words.split(' ')).folder(folder).output().map(|_said| ());
    openssl(format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority"))?;
    openssl(format!(
        "req -x509 -CA ca.pem -CAkey ca.key {key} -keyout upstream.key -out upstream.pem -subj /CN=upstream \
         -addext subjectAltName=DNS:{UPSTREAM} -addext basicConstraints=critical,CA:FALSE"
    ))
}

/// A signed root zone that has all names; returns the file of its key.
fn zone(folder: &Path) -> Result<String> {
    let mut text =
        ". 86400 IN SOA ns. who. 1 3600 600 86400 60\n. 86400 IN NS ns.\nns. 86400 IN A 127.0.0.1\n"
            .to_owned();
    for number in 0..NAMES {
        writeln!(text, "{} 86400 IN A 192.0.2.{number}", name(number))?;
    }
    fs::write(folder.join("root.zone"), text).context("writing the zone")?;
    let tool = |program: &str, words: &str| Program::new(program, words.split(' ')).folder(folder).output();
    let key = tool("ldns-keygen", "-a ECDSAP256SHA256 -k .")?.trim().to_owned();
    tool("ldns-signzone", &format!("-o . -f root.signed root.zone {key}"))?;
    Ok(format!("{key}.key"))
}

/// unbound with what both have in common: one thread, no log, nothing but loopback.
fn unbound(folder: &Path, role: &str, address: SocketAddr, settings: &str) -> Result<Daemon> {
    let (ip, port) = (address.ip(), address.port());
    let text = format!(
        "server:\n directory: \"{}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n \
         logfile: \"{role}.log\"\n verbosity: 0\n num-threads: 1\n do-ip6: no\n do-not-query-localhost: no\n \
         interface: {ip}@{port}\n access-control: 127.0.0.0/8 allow\n{settings}\nremote-control:\n control-enable: no\n",
        folder.display()
    );
    let file = folder.join(format!("{role}.conf"));
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    Daemon::start(address, Command::new("/usr/sbin/unbound").arg("-d").arg("-c").arg(&file))
}

fn upstream_settings(address: SocketAddr) -> String {
    format!(
        " tls-port: {}\n tls-service-key: upstream.key\n tls-service-pem: upstream.pem\n module-config: iterator\n\
         auth-zone:\n name: \".\"\n zonefile: root.signed\n for-downstream: no\n for-upstream: yes\n fallback-enabled: no",
        address.port()
    )
}

fn peer_settings(upstream: SocketAddr, anchor: &str) -> String {
    format!(
        " module-config: \"validator iterator\"\n trust-anchor-file: \"{anchor}\"\n tls-cert-bundle: ca.pem\n\
         forward-zone:\n name: \".\"\n forward-tls-upstream: yes\n forward-addr: {}@{}#{UPSTREAM}",
        upstream.ip(),
        upstream.port()
    )
}
