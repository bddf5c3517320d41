//! Layers as tools make them, and as attackers do; in this process, without owners.

use super::*;
use rustix::fs::getxattr;
use rustix::fs::lgetxattr;
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tar::Builder;
use tar::EntryType;
use tar::Header;
use tempfile::TempDir;

type Layer = Builder<Vec<u8>>;

fn put(layer: &mut Layer, kind: EntryType, path: &str, target: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_uid(1);
    header.set_gid(1);
    header.set_mtime(1_000_000);
    header.set_size(content.len() as u64);
    let name = &mut header.as_gnu_mut().unwrap().name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_link_name_literal(target).unwrap();
    header.set_cksum();
    layer.append(&header, content).unwrap();
}

fn file(layer: &mut Layer, path: &str, content: &[u8]) {
    put(layer, EntryType::Regular, path, "", content);
}

fn folder(layer: &mut Layer, path: &str) {
    put(layer, EntryType::Directory, path, "", b"");
}

fn layer_of(write: impl FnOnce(&mut Layer)) -> Vec<u8> {
    let mut layer = Builder::new(Vec::new());
    write(&mut layer);
    layer.into_inner().unwrap()
}

fn order(bytes: &[u8]) -> Order {
    Order {
        limits: Limits::default(),
        compressed: bytes.len() as u64,
        diff_id: Digest::of(bytes),
        free: 1 << 40,
        set_owners: false,
    }
}

fn unpack(bytes: &[u8]) -> (TempDir, Result<Unpacked, UnpackError>) {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("layer")).unwrap();
    let into = File::open(place.path().join("layer")).unwrap();
    let unpacked = layer(bytes, into.as_fd(), &order(bytes));
    (place, unpacked)
}

fn taken(write: impl FnOnce(&mut Layer)) -> TempDir {
    let (place, unpacked) = unpack(&layer_of(write));
    unpacked.unwrap();
    place
}

fn refused(write: impl FnOnce(&mut Layer)) -> Refused {
    let (place, unpacked) = unpack(&layer_of(write));
    // Nothing beside the layer's folder, whatever was tried.
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    let error = unpacked.unwrap_err();
    let UnpackError::Refused(refused) = error else { panic!("{error:?}") };
    refused
}

fn is_opaque(path: &Path) -> bool {
    let mut value = [0; 8];
    getxattr(path, OPAQUE, &mut value).is_ok_and(|length| &value[..length] == b"y")
}

fn is_whiteout(path: &Path) -> bool {
    let metadata = fs::symlink_metadata(path).unwrap();
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

#[test]
fn all_that_a_layer_may_have_is_placed() {
    let place = taken(|layer| {
        folder(layer, "./");
        folder(layer, "bin/");
        file(layer, "bin/app", b"program");
        put(layer, EntryType::Link, "bin/again", "./bin/app", b"");
        put(layer, EntryType::Symlink, "bin/far", "/../../etc/passwd", b"");
        put(layer, EntryType::Fifo, "pipe", "", b"");
        file(layer, "not/named/above", b"");
    });
    let root = place.path().join("layer");
    assert_eq!(fs::read(root.join("bin/app")).unwrap(), b"program");
    let app = fs::metadata(root.join("bin/app")).unwrap();
    assert_eq!((app.nlink(), app.mtime(), app.mode() & 0o7777), (2, 1_000_000, 0o755));
    assert_eq!(fs::read_link(root.join("bin/far")).unwrap(), Path::new("/../../etc/passwd"));
    assert!(fs::symlink_metadata(root.join("pipe")).unwrap().file_type().is_fifo());
    assert!(root.join("not/named/above").is_file());
    // Set after the last file was placed in it.
    assert_eq!(fs::metadata(root.join("bin")).unwrap().mtime(), 1_000_000);
}

#[test]
fn whiteouts_become_what_overlayfs_reads() {
    let place = taken(|layer| {
        file(layer, ".wh.gone", b"");
        folder(layer, "new/");
        file(layer, "new/.wh..wh..opq", b"");
        file(layer, "new/own", b"x");
        file(layer, "kept", b"x");
        file(layer, ".wh.kept", b"");
        folder(layer, "kept-folder/");
        file(layer, ".wh.kept-folder", b"");
        file(layer, ".wh.replaced", b"");
        folder(layer, "replaced/");
        file(layer, ".wh.replaced-by-file", b"");
        file(layer, "replaced-by-file", b"x");
        file(layer, ".wh.above", b"");
        file(layer, "above/file", b"x");
        file(layer, ".wh..wh.aufs", b"x");
    });
    let root = place.path().join("layer");
    assert!(is_whiteout(&root.join("gone")));
    assert!(is_opaque(&root.join("new")) && root.join("new/own").is_file());
    assert!(root.join("kept").is_file());
    for name in ["kept-folder", "replaced", "above"] {
        assert!(is_opaque(&root.join(name)), "{name}");
    }
    assert!(root.join("replaced-by-file").is_file());
    assert_eq!(
        fs::read_dir(&root)
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(".wh.") })
            .count(),
        0
    );
}

#[test]
fn no_way_leads_out() {
    let outside = "../outside";
    assert_eq!(refused(|layer| file(layer, outside, b"")), Refused::Escape { path: outside.into() });
    assert_eq!(refused(|layer| file(layer, "/etc/x", b"")), Refused::Escape { path: "/etc/x".into() });
    let through = Refused::ThroughSymlink { path: "l/x".into() };
    for target in ["..", "/", "../../..", "."] {
        let refused = refused(|layer| {
            put(layer, EntryType::Symlink, "l", target, b"");
            file(layer, "l/x", b"");
        });
        assert_eq!(refused, through, "{target}");
    }
    let hidden = refused(|layer| {
        put(layer, EntryType::Symlink, "l", "..", b"");
        file(layer, "l/.wh.x", b"");
    });
    assert_eq!(hidden, Refused::ThroughSymlink { path: "l/.wh.x".into() });
    let beneath_file = refused(|layer| {
        file(layer, "f", b"");
        file(layer, "f/x", b"");
    });
    assert_eq!(beneath_file, Refused::ThroughFile { path: "f/x".into() });
}

#[test]
fn a_file_replaces_a_link_and_is_not_written_through_it() {
    let place = taken(|layer| {
        put(layer, EntryType::Symlink, "l", "../outside", b"");
        file(layer, "l", b"content");
    });
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    assert!(fs::symlink_metadata(place.path().join("layer/l")).unwrap().is_file());
}

fn folder_with(layer: &mut Layer, path: &str, mode: u32, mtime: u64) {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Directory);
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(mode);
    header.set_mtime(mtime);
    header.set_cksum();
    layer.append(&header, &b""[..]).unwrap();
}

#[test]
fn of_a_folder_that_is_there_twice_the_last_word_counts() {
    let place = taken(|layer| {
        for (mode, mtime) in [(0o700, 1), (0o1777, 2)] {
            for path in ["/", "tmp/", "tmp/-/", "-/"] {
                folder_with(layer, path, mode, mtime);
            }
        }
        file(layer, "tmp/-/f", b"");
        // The same folder otherwise written.
        folder_with(layer, "./tmp/.//-", 0o750, 3);
    });
    let root = place.path().join("layer");
    for (path, mode, mtime) in [("", 0o1777, 2), ("tmp", 0o1777, 2), ("tmp/-", 0o750, 3), ("-", 0o1777, 2)] {
        let there = fs::metadata(root.join(path)).unwrap();
        assert_eq!((there.mode() & 0o7777, there.mtime()), (mode, mtime), "{path}");
    }
}

#[test]
fn a_later_entry_replaces_an_earlier_one_but_a_file_no_folder() {
    let place = taken(|layer| {
        file(layer, "grown", b"x");
        folder(layer, "grown/");
        file(layer, "grown/inside", b"y");
        put(layer, EntryType::Symlink, "usr", "elsewhere", b"");
        folder(layer, "usr/");
        file(layer, "usr/f", b"z");
        file(layer, "first", b"one");
        put(layer, EntryType::Link, "second", "first", b"");
        file(layer, "first", b"other");
        put(layer, EntryType::Symlink, "s", "first", b"");
        put(layer, EntryType::Link, "s2", "s", b"");
    });
    let root = place.path().join("layer");
    assert_eq!(fs::read(root.join("grown/inside")).unwrap(), b"y");
    assert!(fs::symlink_metadata(root.join("usr")).unwrap().is_dir());
    // A link to what was replaced since keeps what it led to.
    assert_eq!(fs::read(root.join("second")).unwrap(), b"one");
    assert_eq!(fs::read(root.join("first")).unwrap(), b"other");
    // A second name of a symbolic link is one of the link itself.
    assert_eq!(fs::read_link(root.join("s2")).unwrap(), Path::new("first"));
    let shrunk = refused(|layer| {
        folder(layer, "d/");
        file(layer, "d", b"");
    });
    assert_eq!(shrunk, Refused::archive("a file takes the place of a folder"));
    for kind in [EntryType::Symlink, EntryType::Fifo, EntryType::Link] {
        let root = refused(|layer| put(layer, kind, "./", "x", b""));
        assert_eq!(root, Refused::Path { path: "./".into() });
    }
    let nowhere = refused(|layer| put(layer, EntryType::Symlink, "s", "", b""));
    assert_eq!(nowhere, Refused::archive("a symbolic link leads nowhere"));
}

#[test]
fn hard_links_stay_in_the_layer() {
    for target in ["../outside", "/etc/passwd", "missing", "missing/x", "folder", "link/x", "h", ""] {
        let refused = refused(|layer| {
            folder(layer, "folder/");
            put(layer, EntryType::Symlink, "link", "/etc", b"");
            put(layer, EntryType::Link, "h", target, b"");
        });
        assert_eq!(refused, Refused::HardLink { path: "h".into(), target: target.into() });
    }
}

#[test]
fn devices_and_odd_whiteouts_are_refused() {
    for kind in [EntryType::Char, EntryType::Block] {
        assert_eq!(
            refused(|layer| put(layer, kind, "dev/x", "", b"")),
            Refused::Device { path: "dev/x".into() }
        );
    }
    for path in [".wh.", ".wh..", ".wh...", "a/.wh..."] {
        assert_eq!(refused(|layer| file(layer, path, b"")), Refused::Whiteout { path: path.into() });
    }
    for path in [".wh.x", ".wh..wh..opq"] {
        let linked = refused(|layer| put(layer, EntryType::Symlink, path, "/", b""));
        assert_eq!(linked, Refused::Whiteout { path: path.into() });
    }
}

#[test]
fn attributes_that_are_obeyed_are_refused_and_others_set_or_left_out() {
    for name in ["user.overlay.opaque", "trusted.overlay.redirect"] {
        let refused = refused(|layer| {
            layer.append_pax_extensions([(format!("SCHILY.xattr.{name}").as_str(), &b"y"[..])]).unwrap();
            file(layer, "f", b"");
        });
        assert_eq!(refused, Refused::Attribute { path: "f".into(), name: name.into() });
    }
    let bytes = layer_of(|layer| {
        let records: [(&str, &[u8]); 2] =
            [("SCHILY.xattr.user.k", b"v"), ("SCHILY.xattr.security.capability", b"\x01")];
        layer.append_pax_extensions(records).unwrap();
        file(layer, "f", b"");
    });
    let (place, unpacked) = unpack(&bytes);
    assert_eq!(unpacked.unwrap().attributes_left_out, 1);
    let path = place.path().join("layer/f");
    let mut value = [0; 8];
    assert_eq!(lgetxattr(&path, "user.k", &mut value).unwrap(), 1);
    lgetxattr(&path, "security.capability", &mut value).unwrap_err();
}

#[test]
fn owners_beyond_an_app_are_refused() {
    let mut header = Header::new_gnu();
    header.set_path("f").unwrap();
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(0);
    header.set_gid(0);
    header.set_uid(65_536);
    header.set_cksum();
    let refused = refused(|layer| layer.append(&header, &b""[..]).unwrap());
    assert_eq!(refused, Refused::Owner { path: "f".into(), id: 65_536 });
}

#[test]
fn holes_stay_holes_and_bytes_bytes() {
    let mut content = vec![0; 3 << 20];
    content[1_000_000] = 7;
    content[3_000_000..3_000_003].copy_from_slice(b"abc");
    let place = taken(|layer| file(layer, "f", &content));
    let path = place.path().join("layer/f");
    assert!(fs::read(&path).unwrap() == content);
    assert!(fs::metadata(&path).unwrap().blocks() * 512 < 64 << 10);
}

#[test]
fn setuid_is_kept_and_unwritable_folders_are_filled() {
    let mut header = Header::new_gnu();
    header.set_path("d/su").unwrap();
    header.set_mode(0o4755);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let mut closed = header.clone();
    closed.set_entry_type(EntryType::Directory);
    closed.set_path("d/").unwrap();
    closed.set_mode(0o555);
    closed.set_cksum();
    let place = taken(|layer| {
        layer.append(&closed, &b""[..]).unwrap();
        layer.append(&header, &b""[..]).unwrap();
    });
    let root = place.path().join("layer");
    assert_eq!(fs::metadata(root.join("d/su")).unwrap().mode() & 0o7777, 0o4755);
    assert_eq!(fs::metadata(root.join("d")).unwrap().mode() & 0o7777, 0o555);
    // So that the folder can be removed again without root.
    fs::set_permissions(root.join("d"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn other_bytes_than_were_promised_are_refused() {
    let bytes = layer_of(|layer| file(layer, "f", b"x"));
    let place = tempfile::tempdir().unwrap();
    let into = File::open(place.path()).unwrap();
    let wrong = Order { diff_id: Digest::of(b""), ..order(&bytes) };
    let error = layer(bytes.as_slice(), into.as_fd(), &wrong).unwrap_err();
    let what = "a layer, decompressed,".to_owned();
    let refused = Refused::Digest { what, expected: Digest::of(b""), found: Digest::of(&bytes) };
    assert_eq!(error.to_string(), refused.to_string());
}
