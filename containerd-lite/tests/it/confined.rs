//! The program that unpacks layers: what it does, and what it is kept from.

use containerd_lite::image::Digest;
use containerd_lite::image::Limits;
use containerd_lite::image::Refused;
use containerd_lite::image::unpack::Confined;
use containerd_lite::image::unpack::Order;
use containerd_lite::image::unpack::Owners;
use containerd_lite::image::unpack::Unpack as _;
use containerd_lite::image::unpack::UnpackError;
use containerd_lite::image::unpack::Unpacked;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use std::fs;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use tar::Builder;
use tar::Header;
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_containerd-lite-unpack");

fn layer(path: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_mode(0o4755);
    header.set_uid(1000);
    header.set_gid(50);
    header.set_mtime(7);
    header.set_size(content.len() as u64);
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    builder.append(&header, content).unwrap();
    builder.into_inner().unwrap()
}

pub(crate) fn unpack(
    program: &str,
    owners: Owners,
    bytes: &[u8],
) -> (TempDir, Result<Unpacked, UnpackError>) {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("layer.tar");
    fs::write(&source, bytes).unwrap();
    let unpacked = unpack_from(File::open(source).unwrap(), &place, (program, owners), bytes);
    (place, unpacked)
}

fn unpack_from(
    source: File,
    place: &TempDir,
    (program, owners): (&str, Owners),
    bytes: &[u8],
) -> Result<Unpacked, UnpackError> {
    let into = place.path().join("layer");
    fs::create_dir(&into).unwrap();
    let order = Order {
        limits: Limits::default(),
        compressed: bytes.len() as u64,
        diff_id: Digest::of(bytes),
        free: 1 << 40,
        set_owners: false,
    };
    Confined::new(Path::new(program), owners).unpack(source, File::open(into).unwrap().as_fd(), &order)
}

#[test]
fn it_unpacks() {
    let bytes = layer("a/b", b"content");
    let (place, unpacked) = unpack(PROGRAM, Owners::Own, &bytes);
    assert_eq!(unpacked.unwrap(), Unpacked { entries: 1, bytes: bytes.len() as u64, attributes_left_out: 0 });
    assert_eq!(fs::read(place.path().join("layer/a/b")).unwrap(), b"content");
}

#[test]
fn it_says_why_it_refuses() {
    let (_place, unpacked) = unpack(PROGRAM, Owners::Own, &layer("../x", b""));
    let UnpackError::Refused(refused) = unpacked.unwrap_err() else { panic!("refused otherwise") };
    assert_eq!(refused, Refused::Escape { path: "../x".into() });
}

#[test]
fn another_program_or_none_is_an_error_and_no_reason() {
    for program in ["/nonexistent", "/bin/true"] {
        let (_place, unpacked) = unpack(program, Owners::Own, &layer("x", b""));
        assert!(matches!(unpacked.unwrap_err(), UnpackError::Program { .. }), "{program}");
    }
}

/// The unpacking program of this process that is confined, once there is one.
fn confined_child() -> u32 {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        for entry in fs::read_dir("/proc").unwrap() {
            let entry = entry.unwrap();
            // Processes come and go.
            let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
            let has = |line: &str| status.lines().any(|other| other == line);
            if has(&format!("PPid:\t{}", std::process::id())) && has("Seccomp:\t2") {
                return entry.file_name().to_str().unwrap().parse().unwrap();
            }
        }
        assert!(Instant::now() < deadline, "no program is confined");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn before_the_first_byte_it_has_given_up_everything_and_its_end_is_a_reason() {
    let place = tempfile::tempdir().unwrap();
    // A layer of which nothing comes.
    let (reader, writer) = std::io::pipe().unwrap();
    thread::scope(|scope| {
        let source = File::from(OwnedFd::from(reader));
        let unpacking = scope.spawn(|| unpack_from(source, &place, (PROGRAM, Owners::Own), b""));
        let child = Path::new("/proc").join(confined_child().to_string());
        for namespace in ["user", "net", "mnt", "ipc", "uts", "cgroup"] {
            let of = |process: &Path| fs::read_link(process.join("ns").join(namespace)).unwrap();
            assert_ne!(of(&child), of(Path::new("/proc/self")), "{namespace}");
        }
        let status = fs::read_to_string(child.join("status")).unwrap();
        assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
        let limits = fs::read_to_string(child.join("limits")).unwrap();
        for (limit, value) in [("Max address space", 512 << 20), ("Max open files", 32), ("Max processes", 1)]
        {
            let line = limits.lines().find(|line| line.starts_with(limit)).unwrap();
            assert_eq!(line[limit.len()..].split_whitespace().next().unwrap(), value.to_string(), "{limit}");
        }
        assert_eq!(fs::read_dir(child.join("task")).unwrap().count(), 1);
        let pid = child.file_name().unwrap().to_str().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        let UnpackError::Refused(refused) = unpacking.join().unwrap().unwrap_err() else { panic!("other") };
        assert_eq!(refused, Refused::Broke { how: "was ended by signal 9".into() });
    });
    drop(writer);
}

#[cfg(feature = "rooted")]
mod rooted {
    use super::*;
    use crate::world::header;
    use rustix::fs::lgetxattr;
    use std::os::unix::fs::MetadataExt as _;
    use tar::EntryType;

    /// Of no user of this machine.
    const FIRST: u32 = 0x7000_0000;

    #[test]
    fn files_belong_to_ids_that_nobody_has() {
        let (place, unpacked) = unpack(PROGRAM, Owners::Range { first: FIRST }, &layer("a/su", b"x"));
        unpacked.unwrap();
        let root = place.path().join("layer");
        let of = |path: &str| fs::metadata(root.join(path)).unwrap();
        assert_eq!((of("a/su").uid(), of("a/su").gid()), (FIRST + 1000, FIRST + 50));
        assert_eq!(of("a/su").mode() & 0o7777, 0o4755);
        assert_eq!((of("a").uid(), of("").uid()), (FIRST, FIRST));
    }

    #[test]
    fn all_kinds_of_entries_belong_to_the_image() {
        let mut builder = Builder::new(Vec::new());
        for (kind, path, target) in [
            (EntryType::Directory, "./", ""),
            (EntryType::Symlink, "s", "nowhere"),
            (EntryType::Fifo, "p", ""),
            (EntryType::Directory, "closed/", ""),
        ] {
            let mut header = header(kind, path, target, 0);
            header.set_mode(0o500);
            header.set_uid(65_535);
            header.set_gid(65_535);
            header.set_cksum();
            builder.append(&header, &b""[..]).unwrap();
        }
        // Into a folder of another user, with a file capability, a second name, and a whiteout beside it.
        let records: [(&str, &[u8]); 2] =
            [("SCHILY.xattr.security.capability", &[1; 20]), ("SCHILY.xattr.user.k", b"v")];
        builder.append_pax_extensions(records).unwrap();
        for (kind, path, target) in [
            (EntryType::Regular, "closed/f", ""),
            (EntryType::Link, "closed/again", "closed/f"),
            (EntryType::Regular, "closed/.wh.gone", ""),
            (EntryType::Regular, "closed/.wh..wh..opq", ""),
        ] {
            builder.append(&header(kind, path, target, 0), &b""[..]).unwrap();
        }
        let (place, unpacked) =
            unpack(PROGRAM, Owners::Range { first: FIRST }, &builder.into_inner().unwrap());
        assert_eq!(unpacked.unwrap().attributes_left_out, 1);
        let root = place.path().join("layer");
        for path in ["", "s", "p", "closed"] {
            let there = fs::symlink_metadata(root.join(path)).unwrap();
            assert_eq!((there.uid(), there.gid()), (FIRST + 65_535, FIRST + 65_535), "{path}");
        }
        let file = fs::symlink_metadata(root.join("closed/f")).unwrap();
        assert_eq!((file.uid(), file.nlink()), (FIRST, 2));
        let mut value = [0; 32];
        assert_eq!(lgetxattr(root.join("closed/f"), "user.k", &mut value).unwrap(), 1);
        lgetxattr(root.join("closed/f"), "security.capability", &mut value).unwrap_err();
        assert_eq!(fs::symlink_metadata(root.join("closed/gone")).unwrap().rdev(), 0);
    }
}
