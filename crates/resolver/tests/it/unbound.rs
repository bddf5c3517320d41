//! Debian's unbound as an upstream over TLS and HTTPS, with a private internet behind it.

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
use std::fmt::Write;
use std::fs;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use tempfile::TempDir;

/// A running unbound; ends with the value.
pub(crate) struct Unbound {
    child: Child,
    folder: TempDir,
    pub(crate) zones: Zones,
    pub(crate) authority: Authority,
    tls_port: u16,
    https_port: u16,
}

impl Unbound {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let zones = zones::make(folder.path()).unwrap();
        let authority = Authority::new();
        let identity = authority.issue(SERVER_NAME);
        let path = |name: &str| folder.path().join(name);
        fs::write(path("key.pem"), &identity.key_pem).unwrap();
        fs::write(path("cert.pem"), &identity.certificate_pem).unwrap();
        let (tls_port, https_port) = (free_port(), free_port());
        let folder_name = folder.path().display();
        let mut config = format!(
            "server:\n directory: \"{folder_name}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n \
             logfile: \"{folder_name}/log\"\n verbosity: 2\n num-threads: 1\n interface: 127.0.0.1@{tls_port}\n \
             interface: 127.0.0.1@{https_port}\n tls-port: {tls_port}\n https-port: {https_port}\n \
             tls-service-key: \"{folder_name}/key.pem\"\n tls-service-pem: \"{folder_name}/cert.pem\"\n \
             http-endpoint: \"/dns-query\"\n module-config: \"iterator\"\n do-ip6: no\n log-queries: yes\n \
             local-zone: \"test.\" nodefault\n minimal-responses: no\nremote-control:\n control-enable: no\n"
        );
        for (name, file) in &zones.files {
            write!(
                config,
                "auth-zone:\n name: \"{name}\"\n zonefile: \"{}\"\n for-downstream: no\n for-upstream: yes\n",
                file.display()
            )
            .unwrap();
        }
        fs::write(path("unbound.conf"), config).unwrap();
        let child = Command::new("/usr/sbin/unbound")
            .arg("-d")
            .arg("-c")
            .arg(path("unbound.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("starting unbound (package unbound)");
        wait_until("unbound listens", || {
            [tls_port, https_port].iter().all(|&port| TcpStream::connect((LOOPBACK, port)).is_ok())
        })
        .await;
        Self { child, folder, zones, authority, tls_port, https_port }
    }

    pub(crate) fn over_tls(&self) -> Upstream {
        over_tls("unbound over TLS", self.tls_port)
    }

    pub(crate) fn over_https(&self) -> Upstream {
        over_https("unbound over HTTPS", self.https_port)
    }

    /// How often unbound was asked for a name, as `name type`, by its own log.
    pub(crate) fn asked(&self, question: &str) -> usize {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        log.lines().filter(|line| line.contains(" info: 127.0.0.1 ") && line.contains(question)).count()
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
