//! What Buildroot cannot make by itself: crates, a key for modules, and with substitutes Hearth's programs.

use crate::command::Program;
use crate::command::cargo;
use crate::command::repository;
use crate::command::target;
use crate::host_packages::say;
use crate::programs;
use crate::toolchain::Toolchain;
use anyhow::Context;
use anyhow::Result;
use image::parts::Choice;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// All crates of Cargo.lock, so that nothing is downloaded while building.
pub(super) fn crates(out: &Path) -> Result<PathBuf> {
    let folder = crates_folder(out);
    let stamp = out.join("crates.lock");
    let lock = fs::read(repository().join("Cargo.lock")).context("reading Cargo.lock")?;
    if folder.is_dir() && fs::read(&stamp).is_ok_and(|kept| kept == lock) {
        return Ok(folder);
    }
    say("collecting the crates");
    let path = folder.to_string_lossy().into_owned();
    cargo(["vendor", "--locked", "--versioned-dirs", "--quiet", &path]).output()?;
    fs::write(&stamp, lock).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(folder)
}

/// Where [`crates`] collects them.
pub(super) fn crates_folder(out: &Path) -> PathBuf {
    out.join("crates")
}

/// Where [`programs`] puts them.
pub(super) fn programs_folder(out: &Path) -> PathBuf {
    out.join("programs")
}

/// The key that signs kernel modules, made once and kept: a new key at each build would make each kernel another one.
pub(super) fn module_key(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("modules.pem");
    if path.is_file() {
        return Ok(path);
    }
    say(&format!("making a development key for kernel modules: {}", path.display()));
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let (key, certificate) = (folder.join("modules.key"), folder.join("modules.crt"));
    // RSA, because its signatures are the same each time.
    let text = "req -x509 -newkey rsa:4096 -sha512 -nodes -batch -days 36500 -subj /CN=Hearth-development-modules -keyout";
    let words =
        text.split(' ').map(str::to_owned).chain([shown(&key), "-out".to_owned(), shown(&certificate)]);
    Program::new("openssl", words).output()?;
    let mut both = fs::read(&key).with_context(|| format!("reading {}", key.display()))?;
    both.extend(fs::read(&certificate).with_context(|| format!("reading {}", certificate.display()))?);
    fs::write(&path, both).with_context(|| format!("writing {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("protecting {}", path.display()))?;
    for file in [key, certificate] {
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    }
    Ok(path)
}

/// Hearth's programs for the board as this machine's cargo builds them, and the image builder for this machine, in one folder.
pub(super) fn programs(board: &str, out: &Path) -> Result<PathBuf> {
    let built = programs::build(&Toolchain::of_board(board, Choice::Kept)?)?;
    cargo(["build", "--release", "--package", "image", "--bin", "hearth-image"]).run()?;
    let folder = programs_folder(out);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for (name, path) in [
        ("app-init", &built.app_init),
        ("containerd-lite", &built.containerd_lite),
        ("containerd-lite-run", &built.containerd_lite_run),
        ("containerd-lite-unpack", &built.containerd_lite_unpack),
        ("hostd", &built.hostd),
        ("init", &built.init),
        ("installer", &built.installer),
        ("netd", &built.netd),
        ("storaged", &built.storaged),
        ("hearth-image", &target().join("release/hearth-image")),
    ] {
        fs::copy(path, folder.join(name)).with_context(|| format!("copying {}", path.display()))?;
    }
    Ok(folder)
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
