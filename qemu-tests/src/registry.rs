//! A registry of images on this machine's loopback: Debian's docker-registry, filled by skopeo.

use crate::process::Owned;
use crate::wait::wait_until;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;
use std::fs;
use std::fs::File;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// A registry; it ends with this.
#[derive(Debug)]
pub struct Registry {
    _program: Owned,
    port: u16,
}

impl Registry {
    /// Starts one with its images in a folder.
    ///
    /// # Errors
    /// When it does not begin.
    pub fn start(folder: &Path) -> Result<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let port = free.context("cannot find a free port")?.port();
        let settings = folder.join("registry.yml");
        let files = folder.join("registry");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            files.display()
        );
        fs::write(&settings, text).context("cannot write the settings of the registry")?;
        let log = File::create(folder.join("registry.log")).context("cannot make the registry's log")?;
        let errors = log.try_clone().context("cannot share the registry's log")?;
        let mut command = Command::new("docker-registry");
        let registry = Self {
            _program: Owned::start(command.arg("serve").arg(&settings).stdout(log).stderr(errors))?,
            port,
        };
        wait_until(PATIENCE, "the registry to begin", || {
            Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok())
        })?;
        Ok(registry)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Pushes an image of an OCI layout; the digest of its manifest.
    ///
    /// # Errors
    /// When skopeo refuses.
    pub fn push(&self, layout: &Path, image: &str, name: &str) -> Result<String> {
        let there = format!("docker://127.0.0.1:{}/{name}", self.port);
        let from = format!("oci:{}:{image}", layout.display());
        skopeo(&["copy", "--dest-tls-verify=false", &from, &there])?;
        let seen: Value = serde_json::from_str(&skopeo(&["inspect", "--tls-verify=false", &there])?)
            .with_context(|| format!("no sense in what skopeo says of {there}"))?;
        let digest = seen["Digest"].as_str().with_context(|| format!("no digest in {seen}"))?;
        Ok(digest.to_owned())
    }
}

fn skopeo(words: &[&str]) -> Result<String> {
    let output = Command::new("skopeo")
        .arg("--insecure-policy")
        .args(words)
        .output()
        .context("cannot start skopeo; `cargo xtask test` installs it")?;
    ensure!(output.status.success(), "skopeo {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("skopeo wrote no text")
}
