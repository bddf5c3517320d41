//! Debian's unbound as an upstream over TLS and HTTPS; the private internet behind it is served by NSD.

use crate::support::Authority;
use crate::support::LOOPBACK;
use crate::support::SERVER_NAME;
use crate::support::free_port;
use crate::support::over_https;
use crate::support::over_tls;
use crate::support::wait_until;
use crate::zones;
use crate::zones::Zones;
use resolver::config::Upstream;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use tempfile::TempDir;

/// A running unbound; ends with the value.
pub(crate) struct Unbound {
    daemons: Vec<Child>,
    folder: TempDir,
    pub(crate) zones: Zones,
    pub(crate) authority: Authority,
    address: IpAddr,
    tls_port: u16,
    https_port: u16,
}

impl Unbound {
    pub(crate) async fn start() -> Self {
        Self::start_at(LOOPBACK).await
    }

    /// The same on another address of this (or this thread's) network.
    pub(crate) async fn start_at(address: IpAddr) -> Self {
        let folder = TempDir::new().unwrap();
        let zones = zones::make(folder.path()).unwrap();
        let authority = Authority::new();
        let identity = authority.issue(SERVER_NAME);
        let path = |name: &str| folder.path().join(name);
        fs::write(path("key.pem"), &identity.key_pem).unwrap();
        fs::write(path("cert.pem"), &identity.certificate_pem).unwrap();
        let (tls_port, https_port, nsd_port) = (free_port(), free_port(), free_port());
        let here = folder.path().display();
        let mut nsd = format!(
            "server:\n ip-address: 127.0.0.1\n port: {nsd_port}\n chroot: \"\"\n username: \"\"\n zonesdir: \"{here}\"\n \
             database: \"\"\n pidfile: \"\"\n logfile: \"{here}/nsd.log\"\n server-count: 1\n zonelistfile: \"{here}/zone.list\"\n \
             xfrdfile: \"\"\n xfrdir: \"{here}\"\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n"
        );
        let mut unbound = format!(
            "server:\n directory: \"{here}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n \
             logfile: \"{here}/log\"\n verbosity: 2\n num-threads: 1\n interface: {address}@{tls_port}\n \
             interface: {address}@{https_port}\n tls-port: {tls_port}\n https-port: {https_port}\n \
             tls-service-key: \"{here}/key.pem\"\n tls-service-pem: \"{here}/cert.pem\"\n \
             http-endpoint: \"/dns-query\"\n module-config: \"iterator\"\n do-ip6: no\n log-queries: yes\n \
             do-not-query-localhost: no\n access-control: 0.0.0.0/0 allow\nremote-control:\n control-enable: no\n"
        );
        for (name, file) in &zones.files {
            write!(nsd, "zone:\n name: \"{name}\"\n zonefile: \"{}\"\n", file.display()).unwrap();
            write!(
                unbound,
                "stub-zone:\n name: \"{name}\"\n stub-addr: 127.0.0.1@{nsd_port}\n stub-no-cache: no\n"
            )
            .unwrap();
        }
        fs::write(path("nsd.conf"), nsd).unwrap();
        fs::write(path("unbound.conf"), unbound).unwrap();
        let daemons = [("/usr/sbin/nsd", "nsd.conf"), ("/usr/sbin/unbound", "unbound.conf")].map(
            |(program, config)| {
                Command::new(program)
                    .arg("-d")
                    .arg("-c")
                    .arg(path(config))
                    .stdin(Stdio::null())
                    .spawn()
                    .unwrap_or_else(|error| {
                        panic!("starting {program}, of the package of that name: {error}")
                    })
            },
        );
        let log = path("log");
        wait_until("unbound serves", || {
            fs::read_to_string(&log).is_ok_and(|log| log.contains("start of service"))
        })
        .await;
        wait_until("NSD listens", || TcpStream::connect((LOOPBACK, nsd_port)).is_ok()).await;
        wait_until("unbound listens", || {
            [tls_port, https_port].iter().all(|&port| TcpStream::connect((address, port)).is_ok())
        })
        .await;
        Self { daemons: daemons.into(), folder, address, zones, authority, tls_port, https_port }
    }

    pub(crate) fn over_tls(&self) -> Upstream {
        Upstream { addresses: vec![self.address], ..over_tls("unbound over TLS", self.tls_port) }
    }

    pub(crate) fn over_https(&self) -> Upstream {
        Upstream { addresses: vec![self.address], ..over_https("unbound over HTTPS", self.https_port) }
    }

    /// How often unbound was asked for a name, as `name type`, by its own log.
    pub(crate) fn asked(&self, question: &str) -> usize {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        log.lines().filter(|line| line.contains(" info: 127.0.0.1 ") && line.contains(question)).count()
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            // NSD has children of its own, which end with it at SIGTERM only.
            if let Some(process) = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw)
                && kill_process(process, Signal::TERM).is_ok()
            {
                drop(daemon.wait());
            }
        }
    }
}
