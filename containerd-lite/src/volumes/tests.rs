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
    let image = IMAGE_IDS;
    let owner = |path: &Path| (fs::metadata(path).unwrap().uid(), fs::metadata(path).unwrap().gid());
    assert_eq!((owner(&rows), owner(rows.parent().unwrap())), ((8, 9), (image, image)));
}

/// What new volumes begin with; owners and mounts are root's alone.
#[cfg(feature = "rooted")]
mod begins {
    use super::*;
    use crate::runtime::IMAGE_IDS;
    use std::os::unix::fs::chown;
    use std::os::unix::fs::symlink;

    /// Layers with these files, whose text is their path; a name that ends with `/` is a folder. All belongs to this user of the image.
    fn layers(place: &Path, files: [&[&str]; 2]) -> Vec<PathBuf> {
        let layer = |(number, files): (usize, &&[&str])| {
            let layer = place.join(format!("layer{number}"));
            for file in *files {
                let path = layer.join(file);
                if file.ends_with('/') {
                    fs::create_dir_all(&path).unwrap();
                } else {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(&path, file).unwrap();
                }
            }
            let mut all = vec![layer.clone()];
            while let Some(path) = all.pop() {
                let id = IMAGE_IDS + 33;
                chown(&path, Some(id), Some(id + u32::try_from(number).unwrap())).unwrap();
                if path.is_dir() {
                    all.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                }
            }
            layer
        };
        files.iter().enumerate().map(layer).collect()
    }

    #[test]
    fn a_new_volume_begins_with_what_the_image_has_there() {
        let place = tempfile::tempdir().unwrap();
        let layers = layers(
            place.path(),
            [&["srv/site/index", "srv/site/old/page", "data/"], &["srv/site/new", "srv/site/old/"]],
        );
        // What overlayfs reads as "all below is gone".
        let gone = layers[1].join("srv/site/old");
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&gone, "user.overlay.opaque", b"y", flags).unwrap();
        symlink("/srv/site", layers[1].join("www")).unwrap();
        fs::set_permissions(layers[0].join("data"), fs::Permissions::from_mode(0o2770)).unwrap();
        let volumes = Volumes::new(&place.path().join("apps"), 0);
        let wanted = [
            ("site", "/srv/site"),
            ("linked", "/www/"),
            ("data", "/data"),
            ("none", "/none"),
            ("out", "/../../data"),
        ]
        .map(|(volume, target)| (name(volume), target));
        volumes.ensure(&app(), &layers, wanted.iter().map(|(volume, target)| (volume, *target))).unwrap();
        let found: BTreeMap<_, _> = content(&volumes).into_iter().collect();
        let expected = ["site", "linked"].into_iter().flat_map(|volume| {
            let file = |file: &str| (PathBuf::from(volume).join(file), format!("srv/site/{file}"));
            [file("index"), file("new")]
        });
        assert_eq!(found, expected.collect());
        let facts = |volume: &str| {
            let facts = fs::metadata(volumes.folder(&app()).join(volume)).unwrap();
            (facts.uid() - IMAGE_IDS, facts.gid() - IMAGE_IDS, facts.mode() & 0o7777)
        };
        assert_eq!(["site", "data", "none"].map(facts), [(33, 34, 0o755), (33, 33, 0o2770), (0, 0, 0o755)]);
        assert_eq!(facts("out"), facts("data"), "nothing leads out of the image");
        assert_eq!((facts("site/index"), facts("site/new").1), ((33, 33, 0o644), 34));
        // It is there now, and is the app's.
        fs::remove_file(volumes.folder(&app()).join("site/index")).unwrap();
        volumes.ensure(&app(), &layers, [(&name("site"), "/srv/site")]).unwrap();
        assert!(!volumes.folder(&app()).join("site/index").exists());
    }

    #[test]
    fn a_folder_that_nobody_of_the_image_owns_counts_for_nothing() {
        let place = tempfile::tempdir().unwrap();
        let layers = layers(place.path(), [&["data/file"], &[]]);
        chown(layers[0].join("data"), Some(0), Some(0)).unwrap();
        let volumes = Volumes::new(&place.path().join("apps"), 0);
        volumes.ensure(&app(), &layers[..1], [(&name("data"), "/data")]).unwrap();
        assert!(content(&volumes).is_empty());
        let full = Volumes::new(&place.path().join("apps"), u64::MAX);
        chown(layers[0].join("data"), Some(IMAGE_IDS), Some(IMAGE_IDS)).unwrap();
        let refused = full.ensure(&app(), &layers[..1], [(&name("more"), "/data")]).unwrap_err();
        assert!(matches!(refused, VolumeError::Copy(CopyError::NoRoom { .. })), "{refused:?}");
        assert!(!volumes.folder(&app()).join("more").exists());
    }
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
        volumes.ensure(&app(), &[], [(&name("new"), "/new")]).unwrap_err();
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
