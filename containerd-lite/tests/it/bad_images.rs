//! Every kind of bad image is refused with its own reason, and the store is as it was.

use crate::world::Fake;
use crate::world::Image;
use crate::world::go_on;
use crate::world::header;
use crate::world::image;
use crate::world::image_for;
use crate::world::layer;
use crate::world::layer_with;
use crate::world::limits;
use crate::world::listing;
use crate::world::send;
use crate::world::sound;
use crate::world::store;
use crate::world::store_with;
use containerd_lite::image::Digest;
use containerd_lite::image::Limits;
use containerd_lite::image::Refused;
use containerd_lite::image::gather::GatherError;
use containerd_lite::image::pull::pull;
use containerd_lite::image::store::Disk;
use flate2::write::GzEncoder;
use std::fs;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use tar::EntryType;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Pulls from a registry that answers so, into a store that has an image already.
fn failure_with(
    limits: Limits,
    answers: impl Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> GatherError {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with(folder.path(), Disk::default(), limits);
    let good = image(&[layer("good", b"good")]);
    let honest = Fake::start(Box::new(move |path, _headers, stream| sound(&good, path, stream)));
    pull(&store, &honest.name(), &honest.registries(), &go_on).unwrap();
    let before = listing(folder.path());
    let fake = Fake::start(Box::new(move |path, _headers, stream| answers(path, stream)));
    let error = pull(&store, &fake.name(), &fake.registries(), &go_on).unwrap_err();
    assert_eq!(listing(folder.path()), before, "{error}");
    if matches!(error, GatherError::Refused(_)) {
        // Nothing to go on from either.
        assert_eq!(fs::read_dir(folder.path().join("ingest")).unwrap().count(), 0, "{error}");
    }
    error
}

fn refused(image: Image) -> Refused {
    refused_by(move |path, stream| sound(&image, path, stream))
}

fn refused_by(answers: impl Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Refused {
    let error = failure_with(limits(), answers);
    let GatherError::Refused(refused) = error else { panic!("{error:?}") };
    refused
}

#[test]
fn content_that_is_not_what_its_name_says() {
    let image = image(&[layer("f", b"content")]);
    let wanted = image.layers[0];
    let refused = refused_by(move |path, stream| {
        if path.contains(&wanted.hex()) {
            let mut other = image.blobs[&wanted].clone();
            other[600] ^= 1;
            return send(stream, "200 OK", "", &other);
        }
        sound(&image, path, stream)
    });
    assert!(matches!(refused, Refused::Digest { expected, .. } if expected == wanted), "{refused}");
}

#[test]
fn a_manifest_other_than_the_digest_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let image = image(&[layer("f", b"")]);
    let found = Digest::of(&image.manifest);
    let fake = Fake::start(Box::new(move |path, _headers, stream| sound(&image, path, stream)));
    let expected = Digest::of(b"another");
    let error = pull(&store, &fake.name().at(expected), &fake.registries(), &go_on).unwrap_err();
    let what = "the manifest".to_owned();
    assert_eq!(error.to_string(), Refused::Digest { what, expected, found }.to_string());
}

#[test]
fn a_manifest_over_the_limit_however_it_is_sent() {
    let long = Refused::DocumentSize { what: "manifest".into(), limit: 4 << 20 };
    let announced =
        refused_by(|_path, stream| write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 4194305\r\n\r\n"));
    assert_eq!(announced, long);
    let endless = refused_by(|_path, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 65536])?;
        }
    });
    assert_eq!(endless, long);
}

#[test]
fn another_board_an_old_kind_and_no_image() {
    let layers = [layer("f", b"")];
    let other = refused(image_for("s390x", &layers, &layers));
    assert_eq!(other, Refused::Platform { wanted: "linux/amd64".into(), found: "linux/s390x".into() });
    let mut old = image(&layers);
    old.manifest = br#"{"schemaVersion":1,"name":"app","fsLayers":[]}"#.to_vec();
    let plain = "content-type: application/json\r\n";
    assert_eq!(
        refused_by(move |_path, stream| send(stream, "200 OK", plain, &old.manifest)),
        Refused::Schema1
    );
    let signed = "content-type: application/vnd.docker.distribution.manifest.v1+prettyjws\r\n";
    assert_eq!(refused_by(move |_path, stream| send(stream, "200 OK", signed, b"{}")), Refused::Schema1);
}

#[test]
fn layers_that_lead_out_or_hold_what_they_must_not() {
    use EntryType as E;
    let file = |path| (E::Regular, path, "");
    let link = |target| Refused::HardLink { path: "h".into(), target: String::from(target) };
    let through = |path| Refused::ThroughSymlink { path: String::from(path) };
    let device = || Refused::Device { path: "dev/x".into() };
    for (entries, reason) in [
        (vec![file("../x")], Refused::Escape { path: "../x".into() }),
        (vec![file("a/../../x")], Refused::Escape { path: "a/../../x".into() }),
        (vec![file("/etc/x")], Refused::Escape { path: "/etc/x".into() }),
        (vec![(E::Symlink, "l", "/"), file("l/x")], through("l/x")),
        (vec![(E::Symlink, "l", "../.."), (E::Directory, "l/x", "")], through("l/x")),
        (vec![(E::Symlink, "l", ".."), file("l/.wh.x")], through("l/.wh.x")),
        (vec![(E::Link, "h", "/etc/passwd")], link("/etc/passwd")),
        (vec![(E::Link, "h", "../../x")], link("../../x")),
        (vec![(E::Symlink, "l", "/etc"), (E::Link, "h", "l/passwd")], link("l/passwd")),
        (vec![(E::Char, "dev/x", "")], device()),
        (vec![(E::Block, "dev/x", "")], device()),
        (vec![file("a/.wh...")], Refused::Whiteout { path: "a/.wh...".into() }),
        (vec![file(".wh.a/x")], Refused::Whiteout { path: ".wh.a/x".into() }),
        (vec![(E::Symlink, ".wh.x", "/")], Refused::Whiteout { path: ".wh.x".into() }),
    ] {
        // A sound layer before it is taken back too.
        let bad = layer_with(&entries, b"");
        assert_eq!(refused(image(&[layer("sound", &bad), bad])), reason);
    }
}

#[test]
fn layers_that_unpack_to_too_much() {
    let small = Limits { ratio_free: 1 << 20, ratio: 10, ..limits() };
    let unpacked = layer("zeros", &vec![0; 8 << 20]);
    let sent = gzip(&unpacked);
    let bomb = Refused::Bomb { limit: small.unpacked(sent.len() as u64), compressed: sent.len() as u64 };
    let image = image_for("amd64", &[sent], &[unpacked]);
    let error = failure_with(small, move |path, stream| sound(&image, path, stream));
    assert_eq!(error.to_string(), bomb.to_string());
    // With the limits that boxes have: some ten kilobytes of zstd for most of a gibibyte.
    let head = header(EntryType::Regular, "zeros", "", 640 << 20);
    let zeros = head.as_bytes().chain(io::repeat(0).take(640 << 20));
    let sent = zstd::encode_all(zeros, 3).unwrap();
    let compressed = sent.len() as u64;
    let limit = limits().unpacked(compressed);
    assert_eq!(refused(image_for("amd64", &[sent], &[Vec::new()])), Refused::Bomb { limit, compressed });
}

#[test]
fn a_million_empty_files() {
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for number in 0..1_000_000 {
        let path = format!("{}/{}/{number}", number % 100, number % 10_000 / 100);
        gzip.write_all(header(EntryType::Regular, &path, "", 0).as_bytes()).unwrap();
    }
    let many = image_for("amd64", &[gzip.finish().unwrap()], &[Vec::new()]);
    // Boxes take no million either, but making half of one takes minutes on the disks of some machines that test.
    assert!(limits().entries < 1_000_000);
    let few = Limits { entries: 20_000, ..limits() };
    let error = failure_with(few, move |path, stream| sound(&many, path, stream));
    assert_eq!(error.to_string(), Refused::Entries { limit: 20_000 }.to_string());
}

#[test]
fn layers_that_end_too_early() {
    let unpacked = layer("f", &(0..50_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    for whole in [gzip(&unpacked), zstd::encode_all(unpacked.as_slice(), 3).unwrap()] {
        let cut = whole[..whole.len() - 20].to_vec();
        let refused = refused(image_for("amd64", &[cut], std::slice::from_ref(&unpacked)));
        assert_eq!(refused, Refused::Truncated { what: "in its compressed bytes".into() });
    }
}

#[test]
fn other_content_than_the_configuration_says() {
    let refused = refused(image_for("amd64", &[layer("f", b"a")], &[layer("f", b"b")]));
    assert!(
        matches!(refused, Refused::Digest { expected, .. } if expected == Digest::of(&layer("f", b"b"))),
        "{refused}"
    );
}

#[test]
fn a_registry_that_lies_about_the_length() {
    for (more, announced) in [(true, true), (true, false), (false, true), (false, false)] {
        let image = image(&[layer("f", b"content")]);
        let wanted = image.layers[0];
        let length = image.blobs[&wanted].len() as u64;
        let refused = refused_by(move |path, stream| {
            if !path.contains(&wanted.hex()) {
                return sound(&image, path, stream);
            }
            let mut bytes = image.blobs[&wanted].clone();
            if more {
                bytes.extend([0; 10_000]);
            } else {
                bytes.truncate(100);
            }
            if announced {
                return send(stream, "200 OK", "", &bytes);
            }
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            stream.write_all(&bytes)
        });
        assert!(matches!(refused, Refused::Length { expected, .. } if expected == length), "{refused}");
    }
}
