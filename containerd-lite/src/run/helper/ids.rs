//! A user namespace as a table of ids for mounts (mount_setattr(2), `MOUNT_ATTR_IDMAP`): what is an image's on the disk is the app's through
//! the mount. The kernel takes such a table only from a namespace, and a namespace only from a process: a child that does nothing else.

use crate::run::spec::IDS;
use crate::runtime::IMAGE_IDS;
use anyhow::Context as _;
use anyhow::ensure;
use nix::sched::CloneFlags;
use std::fs;
use std::fs::File;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

/// Tells the child that it is one.
pub(super) const WORD: &str = "ids";
/// Says that it is in its namespace.
const READY: &[u8; 1] = b"r";

/// The child: leaves the user namespace of the box, and waits to be killed or left alone.
pub(super) fn hold() -> anyhow::Result<()> {
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER).context("leave the user namespace of the box")?;
    std::io::stdout().write_all(READY).and_then(|()| std::io::stdout().flush()).context("say so")?;
    std::io::stdin().read_to_end(&mut Vec::new()).context("wait").map(|_| ())
}

/// The namespace that maps ids of images on the disk to those of an app.
pub(super) fn table(first_id: u32) -> anyhow::Result<OwnedFd> {
    let mut child = Command::new("/proc/self/exe")
        .arg(WORD)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the child that holds it")?;
    let made = table_of(&mut child, first_id);
    drop(child.kill());
    child.wait().context("wait for that child")?;
    made
}

fn table_of(child: &mut std::process::Child, first_id: u32) -> anyhow::Result<OwnedFd> {
    let mut ready = [0; 1];
    let mut stdout = child.stdout.take().context("the child has no output")?;
    stdout.read_exact(&mut ready).context("hear from the child")?;
    ensure!(&ready == READY, "the child says something else");
    let folder = Path::new("/proc").join(child.id().to_string());
    for name in ["uid_map", "gid_map"] {
        fs::write(folder.join(name), format!("{IMAGE_IDS} {first_id} {IDS}\n"))
            .with_context(|| format!("write {name}"))?;
    }
    Ok(File::open(folder.join("ns/user")).context("open the namespace")?.into())
}
