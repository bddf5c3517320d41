//! Layers: the files of packages, but for what only people read, and those that a Dockerfile would add.

use super::programs::Content;
use super::programs::Program;
use super::programs::USERS;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use std::collections::BTreeSet;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use tar::Archive;
use tar::Builder;
use tar::EntryType;
use tar::Header;

/// Folders that images of Debian leave out.
const LEFT_OUT: [&str; 7] = [
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/info/",
    "usr/share/locale/",
    "usr/share/lintian/",
    "usr/share/bug/",
    "usr/share/icons/",
];
/// Folders that are links to those of `/usr`, on every Debian that was installed by an installer.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];
/// Folders that installing makes links, and where they lead.
const MOVED: [(&str, &str); 2] = [("var/run", "run"), ("var/lock", "run/lock")];

/// The layer that all images share.
pub(crate) fn base(to: impl Write, packages: &[PathBuf]) -> Result<()> {
    let mut layer = Builder::new(to);
    for name in MERGED {
        let mut header = header(EntryType::Symlink, 0, 0o777);
        layer.append_link(&mut header, name, format!("usr/{name}"))?;
    }
    let mut folders = add_packages(&mut layer, packages)?;
    // What maintainer scripts would have made.
    folder(&mut layer, "tmp", 0, 0o1777)?;
    above(&mut layer, "run/lock", &mut folders)?;
    folder(&mut layer, "run/lock", 0, 0o1777)?;
    for (name, target) in MOVED {
        link(&mut layer, name, &format!("/{target}"))?;
    }
    link(&mut layer, "usr/bin/awk", "mawk")?;
    accounts(&mut layer, &[])?;
    layer.into_inner().map(|_| ()).context("cannot finish the layer")
}

/// The layer of a program.
pub(crate) fn program(to: impl Write, packages: &[PathBuf], program: &Program) -> Result<()> {
    let mut layer = Builder::new(to);
    let mut folders = add_packages(&mut layer, packages)?;
    above(&mut layer, "etc/passwd", &mut folders)?;
    accounts(&mut layer, program.users)?;
    for (path, owner, mode) in program.folders {
        above(&mut layer, path, &mut folders)?;
        folder(&mut layer, path, *owner, *mode)?;
        folders.insert((*path).to_owned());
    }
    for (path, content) in program.files {
        above(&mut layer, path, &mut folders)?;
        match content {
            Content::Text(text) => file(&mut layer, path, 0o644, text)?,
            Content::Script(text) => file(&mut layer, path, 0o755, text)?,
            Content::Link(target) => link(&mut layer, path, target)?,
        }
    }
    layer.into_inner().map(|_| ()).context("cannot finish the layer")
}

/// Users of every Debian, and those that packages make when they are installed.
fn accounts(layer: &mut Builder<impl Write>, more: &[(&str, u64, &str)]) -> Result<()> {
    let (mut users, mut groups) = (String::new(), String::new());
    for (name, id, home) in USERS.iter().chain(more) {
        users.push_str(&format!("{name}:x:{id}:{id}:{name}:{home}:/usr/sbin/nologin\n"));
        groups.push_str(&format!("{name}:x:{id}:\n"));
    }
    groups.push_str("tty:x:5:\nadm:x:4:\nnogroup:x:65534:\n");
    file(layer, "etc/passwd", 0o644, &users)?;
    file(layer, "etc/group", 0o644, &groups)?;
    file(layer, "etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files dns\n")
}

/// Adds the files of packages; the folders that there are then.
fn add_packages(layer: &mut Builder<impl Write>, packages: &[PathBuf]) -> Result<BTreeSet<String>> {
    // A file that two packages have is the later one's; a folder is written once.
    let mut folders = BTreeSet::new();
    for package in packages {
        let added = add_package(layer, package, &mut folders);
        added.with_context(|| format!("cannot take the files of {}", package.display()))?;
    }
    Ok(folders)
}

fn add_package(
    layer: &mut Builder<impl Write>,
    package: &Path,
    folders: &mut BTreeSet<String>,
) -> Result<()> {
    let mut command = Command::new("dpkg-deb");
    let mut unpacking = command
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start dpkg-deb")?;
    let mut stream = unpacking.stdout.take().context("dpkg-deb has no output")?;
    let taken = take(layer, &mut stream, folders);
    // It ends by itself, or because nobody reads any more.
    let rest = std::io::copy(&mut stream, &mut std::io::sink());
    drop(stream);
    let status = unpacking.wait().context("cannot wait for dpkg-deb")?;
    taken?;
    rest.context("cannot read the rest")?;
    ensure!(status.success(), "dpkg-deb failed");
    Ok(())
}

fn take(
    layer: &mut Builder<impl Write>,
    stream: &mut impl Read,
    folders: &mut BTreeSet<String>,
) -> Result<()> {
    let mut archive = Archive::new(stream);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = text(entry.path()?.as_ref())?;
        let Some(place) = place(&name) else { continue };
        above(layer, &place, folders)?;
        let mut header = entry.header().clone();
        header.set_mtime(0);
        let kind = header.entry_type();
        if kind == EntryType::Directory {
            if folders.insert(place.clone()) {
                layer.append_data(&mut header, format!("{place}/"), std::io::empty())?;
            }
        } else if kind == EntryType::Symlink || kind == EntryType::Link {
            let target = text(entry.link_name()?.context("a link leads nowhere")?.as_ref())?;
            let is_hard = kind == EntryType::Link;
            let target =
                if is_hard { self::place(&target).context("a link to what is left out")? } else { target };
            layer.append_link(&mut header, place, target)?;
        } else {
            layer.append_data(&mut header, place, &mut entry)?;
        }
    }
    Ok(())
}

/// Where a file of a package goes; none when it is left out.
fn place(name: &str) -> Option<String> {
    let name = name.trim_start_matches("./").trim_end_matches('/');
    let (first, rest) = name.split_once('/').unwrap_or((name, ""));
    let is_merged = MERGED.contains(&first);
    // The links themselves are the base's.
    if name.is_empty() || name == "." || (is_merged && rest.is_empty()) {
        return None;
    }
    let moved = MOVED.iter().find_map(|(from, to)| Some((name.strip_prefix(from)?, to)));
    let place = match moved {
        Some(("", _)) => return None,
        Some((rest, to)) if rest.starts_with('/') => format!("{to}{rest}"),
        Some(_) | None if is_merged => format!("usr/{name}"),
        Some(_) | None => name.to_owned(),
    };
    let is_in = |folder: &&str| place.starts_with(*folder) || format!("{place}/") == **folder;
    (!LEFT_OUT.iter().any(is_in)).then_some(place)
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a name is no text")?.to_owned())
}

fn folder(layer: &mut Builder<impl Write>, path: &str, owner: u64, mode: u32) -> Result<()> {
    let mut header = header(EntryType::Directory, owner, mode);
    Ok(layer.append_data(&mut header, format!("{path}/"), std::io::empty())?)
}

/// The folders above that no package has: whoever unpacks a layer may make them somebody else's.
fn above(layer: &mut Builder<impl Write>, path: &str, folders: &mut BTreeSet<String>) -> Result<()> {
    for (end, _) in path.match_indices('/') {
        if folders.insert(path[..end].to_owned()) {
            folder(layer, &path[..end], 0, 0o755)?;
        }
    }
    Ok(())
}

fn link(layer: &mut Builder<impl Write>, path: &str, target: &str) -> Result<()> {
    Ok(layer.append_link(&mut header(EntryType::Symlink, 0, 0o777), path, target)?)
}

fn file(layer: &mut Builder<impl Write>, path: &str, mode: u32, text: &str) -> Result<()> {
    let mut header = header(EntryType::Regular, 0, mode);
    header.set_size(u64::try_from(text.len())?);
    Ok(layer.append_data(&mut header, path, text.as_bytes())?)
}

fn header(kind: EntryType, owner: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_go_where_a_merged_root_has_them() {
        for (name, at) in [
            ("./bin/bash", Some("usr/bin/bash")),
            ("./lib64/ld.so", Some("usr/lib64/ld.so")),
            ("./usr/lib/x/", Some("usr/lib/x")),
            ("./library", Some("library")),
            ("./lib/", None),
            ("./var/run/", None),
            ("./var/run/x", Some("run/x")),
            ("./var/lock/x", Some("run/lock/x")),
            ("./var/runner", Some("var/runner")),
            ("./", None),
            ("./usr/share/doc/x/copyright", None),
            ("./usr/share/doc/", None),
            ("./usr/share/docs", Some("usr/share/docs")),
        ] {
            assert_eq!(place(name).as_deref(), at, "{name}");
        }
    }

    #[test]
    fn a_package_becomes_the_same_layer_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, package) = (folder.path().join("tree"), folder.path().join("p.deb"));
        for part in ["DEBIAN", "bin", "etc", "usr/share/doc/p"] {
            fs::create_dir_all(tree.join(part)).unwrap();
        }
        let control =
            "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: n <n@example.com>\nDescription: d\n";
        fs::write(tree.join("DEBIAN/control"), control).unwrap();
        fs::write(tree.join("bin/p"), "program").unwrap();
        fs::write(tree.join("usr/share/doc/p/copyright"), "words").unwrap();
        let built =
            Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).arg(&tree).arg(&package).output();
        assert!(built.unwrap().status.success());
        let made = || {
            let mut bytes = Vec::new();
            base(&mut bytes, std::slice::from_ref(&package)).unwrap();
            bytes
        };
        let bytes = made();
        assert_eq!(bytes, made());
        let mut archive = Archive::new(&*bytes);
        let names: Vec<String> =
            archive.entries().unwrap().map(|entry| text(&entry.unwrap().path().unwrap()).unwrap()).collect();
        assert!(
            names.contains(&"usr/bin/p".to_owned()) && names.contains(&"etc/passwd".to_owned()),
            "{names:?}"
        );
        assert!(!names.iter().any(|name| name.contains("copyright")), "{names:?}");
    }
}
