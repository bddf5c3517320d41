//! Keys for Secure Boot, made for one test: enrolled in firmware variables, used to sign what boots.

use crate::artifacts::target;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// The firmware variable editor, from the Python package index.
const EDITOR: &str = "virt-firmware";
/// Owner written beside the keys; any will do.
const OWNER: &str = "5f1a3b0c-33f5-4a4e-9d5e-0e8a3f5a8d11";
/// Empty firmware variables (Debian's package ovmf).
const EMPTY_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// A key pair with a certificate.
#[derive(Clone, Debug)]
pub struct Key {
    key: PathBuf,
    certificate: PathBuf,
}

/// Firmware variables with keys enrolled, and the key that the firmware trusts.
#[derive(Clone, Debug)]
pub struct SecureBoot {
    variables: PathBuf,
    trusted: Key,
}

impl Key {
    /// Makes a key in a folder.
    ///
    /// # Errors
    /// When openssl fails.
    pub fn make(folder: &Path, name: &str) -> Result<Self> {
        let made =
            Self { key: folder.join(format!("{name}.key")), certificate: folder.join(format!("{name}.crt")) };
        run(Command::new("openssl")
            .args(["req", "-newkey", "rsa:2048", "-nodes", "-x509", "-sha256", "-days", "3650"])
            .args(["-subj", &format!("/CN=Hearth test {name}/")])
            .arg("-keyout")
            .arg(&made.key)
            .arg("-out")
            .arg(&made.certificate))?;
        Ok(made)
    }

    /// Signs a program for UEFI.
    ///
    /// # Errors
    /// When sbsign fails.
    pub fn sign(&self, program: &[u8]) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().context("cannot make a folder to sign in")?;
        let (plain, signed) = (folder.path().join("plain.efi"), folder.path().join("signed.efi"));
        fs::write(&plain, program).context("cannot write what is to be signed")?;
        run(Command::new("sbsign")
            .arg("--key")
            .arg(&self.key)
            .arg("--cert")
            .arg(&self.certificate)
            .arg("--output")
            .arg(&signed)
            .arg(&plain))?;
        fs::read(&signed).context("cannot read what was signed")
    }
}

impl SecureBoot {
    /// Makes platform, exchange and signature keys and firmware variables in which Secure Boot is on.
    ///
    /// # Errors
    /// When a tool is missing or fails.
    pub fn prepare(folder: &Path) -> Result<Self> {
        let [platform, exchange, trusted] =
            [Key::make(folder, "platform")?, Key::make(folder, "exchange")?, Key::make(folder, "trusted")?];
        let variables = folder.join("enrolled.fd");
        run(Command::new(editor()?)
            .args(["--input", EMPTY_VARIABLES, "--output"])
            .arg(&variables)
            .args(["--set-pk", OWNER])
            .arg(&platform.certificate)
            .args(["--add-kek", OWNER])
            .arg(&exchange.certificate)
            .args(["--add-db", OWNER])
            .arg(&trusted.certificate)
            .arg("--secure-boot"))?;
        Ok(Self { variables, trusted })
    }

    /// The key that the firmware trusts.
    #[must_use]
    pub fn trusted(&self) -> &Key {
        &self.trusted
    }

    pub(crate) fn variables(&self) -> &Path {
        &self.variables
    }
}

/// The variable editor, installed into a folder of its own at first use.
fn editor() -> Result<PathBuf> {
    let tools = target().join("tools");
    let (place, program) = (tools.join(EDITOR), tools.join(EDITOR).join("bin/virt-fw-vars"));
    if program.is_file() {
        return Ok(program);
    }
    fs::create_dir_all(&tools).with_context(|| format!("cannot make {}", tools.display()))?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
    run(Command::new(place.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        EDITOR,
    ]))?;
    Ok(program)
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot start {name}; `cargo xtask test` installs what is missing"))?;
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
