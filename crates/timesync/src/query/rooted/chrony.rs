//! Debian's chronyd as a server, in a network namespace of its own.
//!
//! It runs with `-x` (it does not touch the clock) and without the right to: the machine's clock is never set.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use nix::sched::CloneFlags;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::RootCertStore;
use tempfile::TempDir;

/// The name in its certificate.
pub(super) const NAME: &str = "time.example.org";

/// A running server at 127.0.0.1.
pub(super) struct Chrony {
    process: Child,
    folder: TempDir,
    pub(super) roots: RootCertStore,
}

/// Puts this thread, and what it starts, into a network of its own. nextest runs every test in its own process.
pub(super) fn enter_network() {
    nix::sched::unshare(CloneFlags::CLONE_NEWNET).unwrap();
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
    assert!(up.success());
}

/// Of somebody who vouches for another server of that name.
pub(super) fn other_roots() -> RootCertStore {
    write_certificate(tempfile::tempdir().unwrap().path())
}

impl Chrony {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let roots = write_certificate(folder.path());
        let process = run(folder.path());
        Self { process, folder, roots }
    }

    /// Stops it and starts it again with new keys for cookies.
    pub(super) fn forget_keys(&mut self) {
        self.stop();
        fs::remove_dir_all(self.folder.path().join("keys")).unwrap();
        self.process = run(self.folder.path());
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Chrony {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(folder: &Path) -> Child {
    let at = folder.display();
    let configuration = format!(
        "port 123\nntsport 4460\nntsserverkey {at}/key.pem\nntsservercert {at}/certificate.pem\nntsdumpdir {at}/keys\n\
         local stratum 3\nallow 127.0.0.0/8\nbindaddress 127.0.0.1\ncmdport 0\nbindcmdaddress /\npidfile {at}/pid\nuser root\n"
    );
    fs::create_dir_all(folder.join("keys")).unwrap();
    fs::write(folder.join("chrony.conf"), configuration).unwrap();
    Command::new("setpriv")
        .args(["--bounding-set=-sys_time", "--inh-caps=-sys_time", "chronyd", "-x", "-d", "-f"])
        .arg(folder.join("chrony.conf"))
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

fn write_certificate(folder: &Path) -> RootCertStore {
    let mut issuer = CertificateParams::default();
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(folder.join("certificate.pem"), certificate.pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    roots
}
