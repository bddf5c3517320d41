//! Archives as the tools of others write them: GNU tar in each of its formats, and skopeo.

use crate::confined::PROGRAM;
use crate::confined::unpack;
use crate::world::go_on;
use crate::world::image;
use crate::world::layer;
use crate::world::store;
use crate::world::write_layout;
use containerd_lite::image::import::import;
use containerd_lite::image::unpack::Owners;
use rustix::fs::XattrFlags;
use rustix::fs::lgetxattr;
use rustix::fs::lsetxattr;
use std::fmt::Write as _;
use std::fs;
use std::fs::File;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// The value of an attribute, with what ends records and texts elsewhere.
const ATTRIBUTE: &str = "a\nb=\0c";

/// What a folder has, as text: kinds, permissions, times, links, contents, attributes.
fn described(root: &Path) -> String {
    let mut lines = Vec::new();
    let mut paths = vec![root.to_owned()];
    while let Some(path) = paths.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let kind = metadata.file_type();
        let mut line = format!("{} {:o} ", path.strip_prefix(root).unwrap().display(), metadata.mode());
        if kind.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if kind.is_symlink() {
            write!(line, "to {}", fs::read_link(&path).unwrap().display()).unwrap();
        } else if !kind.is_fifo() {
            let (mut attribute, content) = ([0; 16], fs::read(&path).unwrap());
            let length = lgetxattr(&path, "user.k", &mut attribute).unwrap_or(0);
            let attribute = String::from_utf8_lossy(&attribute[..length]).into_owned();
            let digest = containerd_lite::image::Digest::of(&content);
            write!(line, "{} {} {digest} {attribute:?}", metadata.nlink(), metadata.mtime()).unwrap();
        }
        lines.push(line);
    }
    lines.sort();
    lines.join("\n")
}

fn run(program: &str, words: &[&str]) {
    let done = Command::new(program).args(words).output().expect(program);
    assert!(done.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A bit of everything; long names only where the format has them.
fn tree(root: &Path, long: bool) {
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    fs::write(root.join("usr/bin/app"), "program").unwrap();
    fs::set_permissions(root.join("usr/bin/app"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::hard_link(root.join("usr/bin/app"), root.join("usr/bin/again")).unwrap();
    symlink("usr/bin", root.join("bin")).unwrap();
    fs::write(root.join("grüße"), "").unwrap();
    if long {
        let folder = root.join("a-long-name".repeat(20)).join("b".repeat(200));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("c".repeat(150)), "deep").unwrap();
        fs::hard_link(folder.join("c".repeat(150)), root.join("shallow")).unwrap();
        symlink("t/".repeat(200), root.join("far")).unwrap();
    }
    let holes = File::create(root.join("holes")).unwrap();
    for number in 0..40_u64 {
        std::os::unix::fs::FileExt::write_all_at(&holes, b"bytes", number * 1_000_000).unwrap();
    }
    run("mkfifo", &[root.join("pipe").to_str().unwrap()]);
    fs::create_dir(root.join("closed")).unwrap();
    fs::write(root.join("closed/f"), "x").unwrap();
    fs::set_permissions(root.join("closed"), fs::Permissions::from_mode(0o1555)).unwrap();
}

#[test]
fn what_gnu_tar_packed_comes_out_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    tree(&of("short"), false);
    tree(&of("long"), true);
    lsetxattr(of("long/holes"), "user.k", ATTRIBUTE.as_bytes(), XattrFlags::empty()).unwrap();
    for (number, (tree, further)) in [
        ("short", &["--format=v7"][..]),
        ("short", &["--format=ustar"]),
        ("short", &["--format=oldgnu"]),
        ("long", &["--format=gnu"]),
        ("long", &["--format=gnu", "--sparse"]),
        ("long", &["--format=pax", "--xattrs"]),
        ("long", &["--format=pax", "--sparse", "--sparse-version=1.0"]),
        ("long", &["--format=pax", "--numeric-owner", "--pax-option=globexthdr.name=g,comment=words"]),
    ]
    .iter()
    .enumerate()
    {
        let archive = of(&format!("{number}.tar"));
        let source = of(tree);
        let fixed = ["--owner=0", "--group=0", "--directory", source.to_str().unwrap(), "--create", "--file"];
        // A named pipe has no kind in the oldest format.
        let without = if number == 0 { "--exclude=./pipe" } else { "--exclude=./nothing" };
        let words = [*further, &[without], &fixed, &[archive.to_str().unwrap(), "."]].concat();
        run("tar", &words);
        let (place, unpacked) = unpack(PROGRAM, Owners::Own, &fs::read(&archive).unwrap());
        unpacked.unwrap();
        let (mut wanted, found) = (described(&source), described(&place.path().join("layer")));
        if number == 0 {
            wanted = wanted.lines().filter(|line| !line.starts_with("pipe ")).collect::<Vec<_>>().join("\n");
        }
        if !further.contains(&"--xattrs") {
            wanted = wanted.replace(&format!("{ATTRIBUTE:?}"), "\"\"");
        }
        assert_eq!(found, wanted, "{further:?}");
        let blocks = fs::metadata(place.path().join("layer/holes")).unwrap().blocks();
        assert!(blocks * 512 < 1 << 20, "{further:?} fills holes");
    }
}

#[test]
fn what_skopeo_wrote_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = image(&[layer("first", b"1"), layer("second", b"2"), layer("first", b"1")]);
    write_layout(Path::new(&of("layout")), &made, "latest");
    let store = store(Path::new(&of("store")));
    for (kind, file) in [("oci-archive", "oci.tar"), ("docker-archive", "docker.tar"), ("oci", "folder")] {
        let target = format!("{kind}:{}:localhost/home/app:1", of(file));
        run("skopeo", &["--insecure-policy", "copy", &format!("oci:{}", of("layout")), &target]);
        let name = format!("localhost/{kind}").parse().unwrap();
        let wanted = Some("localhost/home/app:1");
        let kept = import(&store, File::open(of(file)).unwrap(), wanted, &name, &go_on).unwrap();
        assert_eq!(kept.layers, made.layers, "{kind}");
        // The layer that is there twice counts once.
        let layers = store.layers(&kept);
        assert_eq!(layers.len(), 2);
        assert_eq!(fs::read(layers[0].join("second")).unwrap(), b"2");
        assert_eq!(fs::read(layers[1].join("first")).unwrap(), b"1");
    }
}
