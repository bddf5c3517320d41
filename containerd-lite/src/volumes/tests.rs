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
    volumes.ensure(&app(), [(&name("db"), Like::default()), (&name("files"), Like::default())]).unwrap();
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
    volumes.ensure(&app(), [(&name("db"), Like::default()), (&name("new"), Like::default())]).unwrap();
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

/// Root alone may give files away.
#[cfg(feature = "rooted")]
#[test]
fn owners_are_kept_and_volumes_are_of_the_users_of_images() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes { has_owners: true, ..Volumes::own(folder.path()) };
    write(&volumes, "one");
    let rows = volumes.folder(&app()).join("db/rows");
    std::os::unix::fs::chown(&rows, Some(8), Some(9)).unwrap();
    volumes.snapshot(&app(), &name("x")).unwrap();
    volumes.restore(&app(), &name("x")).unwrap();
    let image = crate::runtime::IMAGE_IDS;
    let owner = |path: &Path| (fs::metadata(path).unwrap().uid(), fs::metadata(path).unwrap().gid());
    assert_eq!((owner(&rows), owner(rows.parent().unwrap())), ((8, 9), (image, image)));
}

/// On a file system that encrypts: an ext4 in a file.
#[cfg(feature = "rooted")]
mod covered {
    use super::*;
    use std::process::Command;

    const MARKER: &str = "the-gardener-keeps-bees-in-the-attic";

    struct Disk(tempfile::TempDir);

    impl Disk {
        fn new() -> Self {
            let disk = Self(tempfile::tempdir().unwrap());
            let image = disk.0.path().join("image");
            File::create(&image).unwrap().set_len(32 << 20).unwrap();
            fs::create_dir(disk.root()).unwrap();
            run(Command::new("mkfs.ext4").args(["-q", "-O", "encrypt"]).arg(&image));
            run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(&image).arg(disk.root()));
            disk
        }

        fn root(&self) -> PathBuf {
            self.0.path().join("root")
        }

        /// Whether a text is anywhere in the raw file system.
        fn holds(&self, text: &str) -> bool {
            rustix::fs::syncfs(File::open(self.root()).unwrap()).unwrap();
            let bytes = fs::read(self.0.path().join("image")).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            run(Command::new("umount").arg(self.root()));
        }
    }

    fn run(command: &mut Command) {
        let status = command.status().unwrap();
        assert!(status.success(), "{command:?}: {status}");
    }

    /// Names and contents of all that somebody with all rights sees below a folder.
    fn seen(folder: &Path) -> String {
        let mut all = String::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            all.push_str(&path.to_string_lossy());
            if path.is_dir() {
                all.push_str(&seen(&path));
            } else {
                all.push_str(&fs::read_to_string(&path).unwrap_or_default());
            }
        }
        all
    }

    #[test]
    fn without_its_key_nobody_sees_or_makes_anything_of_an_app() {
        let disk = Disk::new();
        let volumes = Volumes::new(&disk.root().join("apps"), 0);
        let (key, other) = (DirectoryKey::from_bytes(&[1; 64]), DirectoryKey::from_bytes(&[2; 64]));
        assert!(!volumes.is_open(&app()).unwrap());
        volumes.lock(&app()).unwrap();
        volumes.unlock(&app(), &key).unwrap();
        volumes.unlock(&app(), &key).unwrap();
        assert!(volumes.is_open(&app()).unwrap());
        write(&volumes, MARKER);
        volumes.snapshot(&app(), &name("before")).unwrap();
        let file = File::open(volumes.folder(&app()).join("db/rows")).unwrap();
        let busy = volumes.lock(&app()).unwrap_err();
        assert!(matches!(busy, VolumeError::InUse(_)), "{busy:?}");
        drop(file);
        volumes.lock(&app()).unwrap();
        volumes.lock(&app()).unwrap();
        assert!(!volumes.is_open(&app()).unwrap());
        let all = seen(&disk.root());
        assert!(!all.contains(MARKER) && !all.contains("volumes") && all.contains("notes"), "{all}");
        assert!(!disk.holds(MARKER) && !disk.holds("snapshots"));
        volumes.ensure(&app(), [(&name("new"), Like::default())]).unwrap_err();
        let wrong = volumes.unlock(&app(), &other).unwrap_err();
        assert!(matches!(wrong, VolumeError::Cover(DirectoryError::OtherKey { .. })), "{wrong:?}");
        volumes.unlock(&app(), &key).unwrap();
        assert!(is(&volumes, MARKER));
        volumes.restore(&app(), &name("before")).unwrap();
        assert!(is(&volumes, MARKER));
        // What is hidden goes as well as what is shown, and its key with it.
        volumes.lock(&app()).unwrap();
        volumes.remove(&app()).unwrap();
        assert!(!disk.root().join("apps/notes").exists());
        volumes.unlock(&app(), &other).unwrap();
        assert_eq!(content(&volumes).len(), 0);
        volumes.remove(&app()).unwrap();
    }

    #[test]
    fn what_was_never_encrypted_is_not_taken_for_an_apps_data() {
        let disk = Disk::new();
        let volumes = Volumes::new(&disk.root().join("apps"), 0);
        fs::create_dir_all(volumes.folder(&app())).unwrap();
        assert!(!volumes.is_open(&app()).unwrap());
        let plain = volumes.unlock(&app(), &DirectoryKey::from_bytes(&[1; 64])).unwrap_err();
        assert!(matches!(plain, VolumeError::Cover(DirectoryError::NotEmpty { .. })), "{plain:?}");
        volumes.lock(&app()).unwrap();
        volumes.remove(&app()).unwrap();
    }
}
