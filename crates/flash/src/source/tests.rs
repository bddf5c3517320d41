#![expect(clippy::cast_possible_truncation, reason = "the numbers of these tests are small")]

use super::*;
use crate::digest::Digest;
use crate::used;
use std::fs;
use std::io::Cursor;
use tempfile::TempDir;

struct Release {
    folder: TempDir,
    raw: Vec<u8>,
    compressed: Vec<u8>,
    map: String,
}

impl Release {
    /// An image and its block map; what else there is comes later.
    fn new() -> Self {
        let raw: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 1000 % 256) as u8).collect();
        let compressed = zstd::encode_all(raw.as_slice(), 3).unwrap();
        let map = used::block_map(&mut Cursor::new(&raw), raw.len() as u64).unwrap().encode();
        let release = Self { folder: tempfile::tempdir().unwrap(), raw, compressed, map };
        release.put("hearth.img.zst", &release.compressed);
        release.put("hearth.img.bmap", release.map.as_bytes());
        release
    }

    fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn without(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    fn manifest(&self, raw: &[u8], compressed: &[u8], map: &[u8]) -> String {
        let file = |name: &str, bytes: &[u8]| {
            format!(r#"{{"name":"{name}","size":{},"sha256":"{}"}}"#, bytes.len(), Digest::of(bytes))
        };
        let files =
            [file("hearth.img", raw), file("hearth.img.zst", compressed), file("hearth.img.bmap", map)];
        format!(r#"{{"kind":"hearth-image","files":[{}]}}"#, files.join(","))
    }

    fn open(&self, asked: Asked<'_>) -> Result<Image, SourceError> {
        open(&self.folder.path().join("hearth.img.zst"), asked, &mut |_done, _total| {})
    }

    fn asked(&self, sha256: &str) -> Asked<'_> {
        Asked { sha256: Some(sha256.parse().unwrap()), ..Asked::default() }
    }
}

fn unpacked(image: &mut Image) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.stream().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn an_image_is_checked_by_everything_that_lies_beside_it() {
    let release = Release::new();
    let mut image = release.open(Asked::default()).unwrap();
    assert!(image.checked_by.is_empty() && image.whole.is_none() && image.map.is_some());
    assert_eq!((image.size, unpacked(&mut image) == release.raw), (3_000_000, true));
    assert!(unpacked(&mut image) == release.raw, "from its start again");

    let digest = Digest::of(&release.compressed).to_string();
    release.put("hearth.img.zst.sha256", format!("{digest}  hearth.img.zst\n").as_bytes());
    release.put(
        "manifest.json",
        release.manifest(&release.raw, &release.compressed, release.map.as_bytes()).as_bytes(),
    );
    let image = release.open(release.asked(&digest)).unwrap();
    assert_eq!(image.checked_by, ["--sha256", "hearth.img.zst.sha256", "manifest.json"]);
    assert_eq!(image.whole, Some(Digest::of(&release.raw)));
}

#[test]
fn any_checksum_that_is_another_refuses_the_image() {
    let release = Release::new();
    let other = Digest::of(b"another").to_string();
    let by = |asked: Asked<'_>| {
        let failure = release.open(asked).unwrap_err();
        let SourceError::OtherDigest { by, path, .. } = failure else { panic!("{failure}") };
        (by, path.file_name().unwrap().to_string_lossy().into_owned())
    };
    let image = "hearth.img.zst".to_owned();
    assert_eq!(by(release.asked(&other)), ("--sha256".to_owned(), image.clone()));
    release.put("hearth.img.zst.sha256", other.as_bytes());
    assert_eq!(by(Asked::default()), ("hearth.img.zst.sha256".to_owned(), image.clone()));
    release.without("hearth.img.zst.sha256");
    release.put("manifest.json", release.manifest(&release.raw, b"other", release.map.as_bytes()).as_bytes());
    assert_eq!(by(Asked::default()), ("manifest.json".to_owned(), image));
    release.put("manifest.json", release.manifest(&release.raw, &release.compressed, b"other").as_bytes());
    assert_eq!(by(Asked::default()), ("manifest.json".to_owned(), "hearth.img.bmap".to_owned()));
    release.put(
        "manifest.json",
        release.manifest(b"short", &release.compressed, release.map.as_bytes()).as_bytes(),
    );
    assert!(matches!(release.open(Asked::default()), Err(SourceError::Sizes { .. })));
}

#[test]
fn what_cannot_be_understood_is_refused_before_anything_is_touched() {
    let release = Release::new();
    release.put("hearth.img.zst.sha256", b"no digest");
    assert!(matches!(release.open(Asked::default()), Err(SourceError::NoDigest { .. })));
    release.without("hearth.img.zst.sha256");
    release.put("manifest.json", b"{");
    assert!(matches!(release.open(Asked::default()), Err(SourceError::Manifest { .. })));
    release.without("manifest.json");
    release.put("hearth.img.bmap", &release.map.as_bytes()[..100]);
    assert!(matches!(release.open(Asked::default()), Err(SourceError::Map { .. })));
    release.put("hearth.img.bmap", &vec![b' '; (MAX_BESIDE + 1) as usize]);
    assert!(matches!(release.open(Asked::default()), Err(SourceError::TooLong { .. })));
    let absent = release.folder.path().join("absent.bmap");
    let failure = release.open(Asked { map: Some(&absent), ..Asked::default() }).unwrap_err();
    assert!(matches!(&failure, SourceError::Read { path, .. } if *path == absent), "{failure}");
}

#[test]
fn the_length_of_an_image_is_known_before_it_is_written() {
    let release = Release::new();
    release.without("hearth.img.bmap");
    assert_eq!(release.open(Asked::default()).unwrap().size, 3_000_000, "counted");
    let cut = &release.compressed[..release.compressed.len() / 2];
    release.put("hearth.img.zst", cut);
    assert!(matches!(release.open(Asked::default()), Err(SourceError::Read { .. })), "cut short");
    release.put("hearth.img.zst", &release.raw);
    let mut image = release.open(Asked::default()).unwrap();
    assert_eq!((image.size, unpacked(&mut image) == release.raw), (3_000_000, true), "not compressed");
}
