//! A disk with all layers unpacked, as the image store unpacks them: owners moved up to a range that no process of a box has.
//!
//! Whoever runs the tests may be nobody special: `fakeroot` keeps the owners between unpacking and `mke2fs`.

use super::layout;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use image::digest::Sha256;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use tar::Archive;
use tar::Builder;
use tar::EntryType;

/// User 0 of every image is this one on the disk; as `containerd_lite::runtime` has it.
const IMAGE_IDS: u64 = 0x1000_0000;

/// Makes `disk` of the layers of `oci`.
pub(crate) fn make(folder: &Path, layers: &BTreeSet<Sha256>) -> Result<()> {
    let tree = folder.join("tree");
    fs::create_dir(&tree).context("cannot make a folder")?;
    let owners = folder.join("owners");
    let mut unpacking = fakeroot(&owners, "-s")
        .args(["tar", "--extract", "--preserve-permissions", "--numeric-owner", "--directory"])
        .arg(&tree)
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start fakeroot; `cargo xtask test` installs it")?;
    let input = unpacking.stdin.take().context("tar has no input")?;
    let mut bytes = 64 << 20;
    let mut output = Builder::new(std::io::BufWriter::new(input));
    for layer in layers {
        let path = layout::layer_file(&folder.join("oci"), layer);
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        // Room for what a file takes beside its bytes.
        bytes += file.metadata().context("cannot look at a layer")?.len() * 5 / 4;
        pass_on(std::io::BufReader::new(file), &mut output, &layer.to_string())?;
    }
    output.into_inner().and_then(|mut output| output.flush()).context("cannot unpack the layers")?;
    ensure!(unpacking.wait().context("cannot wait for tar")?.success(), "the layers cannot be unpacked");
    let disk = folder.join("disk");
    File::create(&disk).and_then(|file| file.set_len(bytes)).context("cannot make the disk")?;
    let made = fakeroot(&owners, "-i")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .args(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d"])
        .args([tree.as_os_str(), disk.as_os_str()])
        .output()
        .context("cannot start fakeroot")?;
    ensure!(made.status.success(), "mke2fs failed: {}", String::from_utf8_lossy(&made.stderr));
    fs::remove_dir_all(&tree).context("cannot remove the unpacked layers")
}

fn fakeroot(owners: &Path, option: &str) -> Command {
    let mut command = Command::new("fakeroot");
    command.args([OsStr::new(option), owners.as_os_str(), OsStr::new("--")]);
    command
}

/// Everything of a layer below a folder of this name, with owners moved up.
fn pass_on(layer: impl Read, output: &mut Builder<impl Write>, folder: &str) -> Result<()> {
    let mut root = tar::Header::new_gnu();
    root.set_entry_type(EntryType::Directory);
    root.set_mode(0o755);
    root.set_uid(IMAGE_IDS);
    root.set_gid(IMAGE_IDS);
    root.set_size(0);
    output.append_data(&mut root, format!("{folder}/"), std::io::empty())?;
    for entry in Archive::new(layer).entries()? {
        let mut entry = entry?;
        let mut header = entry.header().clone();
        header.set_uid(header.uid()? + IMAGE_IDS);
        header.set_gid(header.gid()? + IMAGE_IDS);
        let place = Path::new(folder).join(entry.path()?);
        let target = entry.link_name()?.map(std::borrow::Cow::into_owned);
        match (header.entry_type(), target) {
            (EntryType::Symlink, Some(target)) => output.append_link(&mut header, place, target)?,
            (EntryType::Link, Some(target)) => {
                output.append_link(&mut header, place, Path::new(folder).join(target))?;
            }
            _ => output.append_data(&mut header, place, &mut entry)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_moved_up() {
        let mut layer = Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_uid(33);
        header.set_gid(65_534);
        header.set_size(1);
        layer.append_data(&mut header, "a", &b"x"[..]).unwrap();
        let mut output = Builder::new(Vec::new());
        pass_on(&*layer.into_inner().unwrap(), &mut output, "f").unwrap();
        let bytes = output.into_inner().unwrap();
        let mut archive = Archive::new(&*bytes);
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                (entry.path().unwrap().into_owned(), header.uid().unwrap(), header.gid().unwrap())
            })
            .collect();
        let first = IMAGE_IDS;
        assert_eq!(found, [("f".into(), first, first), ("f/a".into(), first + 33, first + 65_534)]);
    }
}
