//! On a real disk, and with the power going away before each change.

use super::*;
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

fn app() -> AppKey {
    "notes".parse().unwrap()
}

fn name(text: &str) -> PartName {
    text.parse().unwrap()
}

/// All volumes of the app: what each file of theirs holds.
fn content(volumes: &Volumes) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![volumes.folder(&app())];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(volumes.folder(&app())).unwrap().to_owned(), text);
            }
        }
    }
    found
}

fn write(volumes: &Volumes, text: &str) {
    volumes.ensure(&app(), &[], [(&name("db"), "/db"), (&name("files"), "/files")]).unwrap();
    fs::write(volumes.folder(&app()).join("db/rows"), text).unwrap();
    fs::write(volumes.folder(&app()).join("files/list"), text).unwrap();
}

fn is(volumes: &Volumes, text: &str) -> bool {
    let expected = ["db/rows", "files/list"].map(|path| (PathBuf::from(path), text.to_owned()));
    content(volumes) == BTreeMap::from(expected)
}

#[test]
fn volumes_are_made_once_and_keep_what_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::own(folder.path());
    write(&volumes, "one");
    volumes.ensure(&app(), &[], [(&name("db"), "/db"), (&name("new"), "/new")]).unwrap();
    assert!(is(&volumes, "one"));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(volumes.folder(&app()).join("new")), 0o755);
    assert_eq!(mode(volumes.folder(&app())), 0o700);
}

#[test]
fn a_snapshot_is_restored_once_and_another_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::own(folder.path());
    let before = name("before-2.0");
    write(&volumes, "one");
    volumes.snapshot(&app(), &before).unwrap();
    write(&volumes, "two");
    volumes.snapshot(&app(), &before).unwrap();
    write(&volumes, "three");
    assert_eq!(volumes.snapshots(&app()).unwrap(), BTreeSet::from([before.clone()]));
    volumes.restore(&app(), &before).unwrap();
    assert!(is(&volumes, "two"));
    assert!(matches!(volumes.restore(&app(), &before), Err(VolumeError::NoSnapshot(_))));
    assert!(volumes.snapshots(&app()).unwrap().is_empty());
    volumes.snapshot(&app(), &before).unwrap();
    for _ in 0..2 {
        volumes.remove_snapshot(&app(), &before).unwrap();
    }
    let left: Vec<_> =
        fs::read_dir(folder.path().join("notes")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "volumes" || name == "snapshots"), "{left:?}");
    volumes.remove(&app()).unwrap();
    assert!(!folder.path().join("notes").exists());
}

/// The power goes before the first change, the second, … until none is left; then the box starts again.
fn cuts(work: impl Fn(&Volumes) -> Result<(), VolumeError>, check: impl Fn(&Volumes, bool)) {
    for cut in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let plain = Volumes::own(folder.path());
        write(&plain, "one");
        plain.snapshot(&app(), &name("old")).unwrap();
        write(&plain, "two");
        let changes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&changes);
        let watched = Volumes::own(folder.path()).watched(move |_doing| {
            if counted.fetch_add(1, Ordering::SeqCst) < cut { Ok(()) } else { Err(io::Error::other("cut")) }
        });
        let done = work(&watched);
        let plain = Volumes::own(folder.path());
        plain.settle(&app()).unwrap();
        check(&plain, done.is_ok());
        if changes.load(Ordering::SeqCst) <= cut {
            done.unwrap();
            assert!(cut > 3, "{cut} changes");
            return;
        }
    }
}

#[test]
fn a_cut_leaves_the_volumes_from_before_or_those_of_the_snapshot() {
    let seen = std::cell::RefCell::new(BTreeSet::new());
    cuts(
        |volumes| volumes.restore(&app(), &name("old")),
        |volumes, is_done| {
            let is_new = is(volumes, "one");
            assert!(is_new || (is(volumes, "two") && !is_done), "{:?}", content(volumes));
            // What was taken is not there for a second time.
            assert_eq!(volumes.snapshots(&app()).unwrap().is_empty(), is_new);
            seen.borrow_mut().insert(is_new);
        },
    );
    assert_eq!(seen.into_inner().len(), 2);
}

#[test]
fn a_cut_leaves_the_snapshot_from_before_or_the_new_one() {
    cuts(
        |volumes| volumes.snapshot(&app(), &name("old")),
        |volumes, is_done| {
            assert!(is(volumes, "two"));
            volumes.restore(&app(), &name("old")).unwrap();
            assert!(is(volumes, "two") || (is(volumes, "one") && !is_done));
        },
    );
}

#[test]
fn a_copy_has_all_that_the_files_had() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let at = |path: &str| from.join(path);
    fs::create_dir_all(at("sub/empty")).unwrap();
    fs::write(at("sub/file"), "text").unwrap();
    fs::set_permissions(at("sub/file"), fs::Permissions::from_mode(0o4751)).unwrap();
    rustix::fs::setxattr(at("sub/file"), "user.note", b"kept", rustix::fs::XattrFlags::empty()).unwrap();
    fs::hard_link(at("sub/file"), at("twin")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("pipe"),
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o640),
        0,
    )
    .unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let sparse = File::create(at("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    sparse.write_all_at(b"begin", 0).unwrap();
    sparse.write_all_at(b"middle", 32 << 20).unwrap();
    let old = rustix::fs::Timespec { tv_sec: 1_000_000_000, tv_nsec: 5 };
    let times = rustix::fs::Timestamps { last_access: old, last_modification: old };
    let nofollow = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    for path in ["sub/file", "link", "pipe", "sub", "sparse"] {
        rustix::fs::utimensat(rustix::fs::CWD, at(path), &times, nofollow).unwrap();
    }

    copy::copy_tree(&from, &to, 0).unwrap();

    let fact = |path: &str| fs::symlink_metadata(to.join(path)).unwrap();
    assert_eq!(
        (fact("sub/file").mode() & 0o7777, fs::read_to_string(to.join("twin")).unwrap()),
        (0o4751, "text".to_owned())
    );
    assert_eq!(fact("sub/file").ino(), fact("twin").ino());
    assert_ne!(fact("sub/file").ino(), fs::metadata(at("twin")).unwrap().ino());
    let mut note = [0; 8];
    assert_eq!(rustix::fs::getxattr(to.join("twin"), "user.note", &mut note[..]).unwrap(), 4);
    assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/etc/passwd"));
    for path in ["sub/file", "link", "pipe", "sub", "sparse"] {
        assert_eq!((fact(path).mtime(), fact(path).mtime_nsec()), (1_000_000_000, 5), "{path}");
    }
    assert_eq!(fact("pipe").mode() & 0o7777, 0o640);
    assert!(fact("sub/empty").is_dir() && !to.join("socket").exists());
    let (source, copied) = (fs::read(at("sparse")).unwrap(), fs::read(to.join("sparse")).unwrap());
    assert!(source == copied);
    assert!(fact("sparse").blocks() * 512 < 1 << 20, "{} blocks", fact("sparse").blocks());
}

#[test]
fn a_folder_that_goes_too_deep_or_has_no_room_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::own(folder.path());
    write(&volumes, "one");
    let mut deep = volumes.folder(&app()).join("db");
    for _ in 0..copy::MAX_DEPTH {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let refused = volumes.snapshot(&app(), &name("x")).unwrap_err();
    assert!(matches!(refused, VolumeError::Copy(CopyError::TooDeep(_))), "{refused:?}");
    assert!(volumes.snapshots(&app()).unwrap().is_empty() && !folder.path().join("notes/staging").exists());
    fs::remove_dir_all(volumes.folder(&app()).join("db/d")).unwrap();
    let full = Volumes { has_owners: false, ..Volumes::new(folder.path(), u64::MAX) };
    let refused = full.snapshot(&app(), &name("x")).unwrap_err();
    assert!(matches!(refused, VolumeError::Copy(CopyError::NoRoom { .. })), "{refused:?}");
}

/// Owners, mounts and encryption are root's alone.
#[cfg(feature = "rooted")]
mod rooted;
