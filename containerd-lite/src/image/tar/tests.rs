//! Archives as tools write them, and as they must not be.

use super::*;
use proptest::prelude::*;
use tar::Builder;
use tar::EntryType;

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o4755);
    header.set_uid(7);
    header.set_gid(8);
    header.set_mtime(9);
    header
}

fn walk(bytes: &[u8]) -> Walk<&[u8]> {
    Walk::new(bytes, Limits::default())
}

fn refusal(bytes: &[u8], limits: Limits) -> Refused {
    let mut walk = Walk::new(bytes, limits);
    loop {
        match walk.next_entry() {
            Ok(Some(_entry)) => {}
            Ok(None) => panic!("it was taken"),
            Err(WalkError::Refused(refused)) => return refused,
            Err(WalkError::Read(error)) => panic!("{error}"),
        }
    }
}

fn sample() -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    builder.append_data(&mut header(EntryType::Directory, 0), "d/", &b""[..]).unwrap();
    let long = format!("d/{}", "n".repeat(200));
    builder.append_data(&mut header(EntryType::Regular, 5), &long, &b"hello"[..]).unwrap();
    builder.append_pax_extensions([("SCHILY.xattr.user.k", &b"v\n"[..]), ("mtime", b"12.5")]).unwrap();
    builder.append_data(&mut header(EntryType::Regular, 3), "d/x", &b"abc"[..]).unwrap();
    builder.append_link(&mut header(EntryType::Symlink, 0), "d/s", "../else").unwrap();
    builder.append_link(&mut header(EntryType::Link, 0), "d/h", "d/x").unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn what_was_written_is_seen() {
    let bytes = sample();
    let mut walk = walk(&bytes);
    let folder = walk.next_entry().unwrap().unwrap();
    assert_eq!((folder.path.as_slice(), &folder.kind), (&b"d/"[..], &Kind::Folder));
    assert_eq!((folder.mode, folder.uid, folder.gid, folder.mtime), (0o4755, 7, 8, 9));
    let long = walk.next_entry().unwrap().unwrap();
    assert_eq!(long.path.len(), 202);
    assert_eq!(long.kind, Kind::File { size: 5, extents: None });
    let with_attribute = walk.next_entry().unwrap().unwrap();
    assert_eq!(with_attribute.attributes, [(b"user.k".to_vec(), b"v\n".to_vec())]);
    assert_eq!(with_attribute.mtime, 12);
    let mut text = String::new();
    walk.read_to_string(&mut text).unwrap();
    assert_eq!(text, "abc");
    assert_eq!(walk.next_entry().unwrap().unwrap().kind, Kind::Symlink { target: b"../else".to_vec() });
    assert_eq!(walk.next_entry().unwrap().unwrap().kind, Kind::HardLink { target: b"d/x".to_vec() });
    assert_eq!(walk.next_entry().unwrap(), None);
}

#[test]
fn archives_cut_anywhere_are_refused_or_end() {
    let bytes = sample();
    for length in 1..bytes.len() {
        let mut walk = walk(&bytes[..length]);
        while let Ok(Some(_entry)) = walk.next_entry() {}
    }
    let refused = refusal(&bytes[..600], Limits::default());
    assert_eq!(refused, Refused::Truncated { what: "in a header".into() });
}

#[test]
fn a_wrong_sum_and_an_unknown_type_are_refused() {
    let mut bytes = sample();
    bytes[0] ^= 1;
    assert_eq!(refusal(&bytes, Limits::default()), Refused::archive("the sum of a header is wrong"));
    let mut builder = Builder::new(Vec::new());
    builder.append_data(&mut header(EntryType::new(b'V'), 0), "volume", &b""[..]).unwrap();
    let refused = refusal(&builder.into_inner().unwrap(), Limits::default());
    assert_eq!(refused, Refused::Kind { path: "volume".into(), kind: "type 0x56".into() });
}

#[test]
fn a_million_headers_are_too_many() {
    let mut one = header(EntryType::Regular, 0);
    one.set_path("f").unwrap();
    one.set_cksum();
    let million = std::iter::repeat_n(*one.as_bytes(), 10_000).flatten().collect::<Vec<u8>>();
    let limits = Limits { entries: 1000, ..Limits::default() };
    assert_eq!(refusal(&million, limits), Refused::Entries { limit: 1000 });
}

#[test]
fn long_headers_are_refused() {
    for kind in [EntryType::GNULongName, EntryType::XHeader, EntryType::XGlobalHeader] {
        let mut long = header(kind, 1 << 40);
        long.set_path("long").unwrap();
        long.set_cksum();
        assert_eq!(
            refusal(long.as_bytes(), Limits::default()),
            Refused::archive("an extended header is too long")
        );
    }
}

#[test]
fn long_names_and_targets_come_from_either_kind_of_header() {
    let long = "n/".repeat(150) + "end";
    let mut builder = Builder::new(Vec::new());
    // GNU: headers of their own for name and target.
    builder.append_link(&mut header(EntryType::Link, 0), &long, &long).unwrap();
    // PAX: the same as records, which come before what the header says.
    builder.append_pax_extensions([("path", long.as_bytes()), ("linkpath", long.as_bytes())]).unwrap();
    builder.append_link(&mut header(EntryType::Link, 0), "short", "short").unwrap();
    // ustar: the beginning in a field of its own.
    let mut ustar = Header::new_ustar();
    ustar.set_entry_type(EntryType::Regular);
    ustar.set_size(0);
    let field = ustar.as_ustar_mut().unwrap();
    field.name[..3].copy_from_slice(b"end");
    field.prefix[..long.len() / 2].copy_from_slice(&long.as_bytes()[..long.len() / 2]);
    ustar.set_cksum();
    builder.append(&ustar, &b""[..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    let mut walk = walk(&bytes);
    for _kind in ["gnu", "pax"] {
        let entry = walk.next_entry().unwrap().unwrap();
        assert_eq!(entry.path, long.as_bytes());
        assert_eq!(entry.kind, Kind::HardLink { target: long.clone().into_bytes() });
    }
    let entry = walk.next_entry().unwrap().unwrap();
    assert_eq!(entry.path, [&long.as_bytes()[..long.len() / 2], b"/end"].concat());
    // What a record or a header says is about one entry only.
    assert_eq!(walk.next_entry().unwrap(), None);
}

#[test]
fn numbers_too_large_for_digits_are_read() {
    let mut binary = header(EntryType::Regular, 3);
    binary.set_path("f").unwrap();
    let field = binary.as_old_mut();
    // Base 256 (GNU tar manual, "Extensions to tar"): the highest bit of the first byte is set.
    field.size = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3];
    field.uid = [0x80, 0, 0, 0, 0, 0x20, 0, 0];
    field.mtime = [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0];
    binary.set_cksum();
    let mut records = header(EntryType::Regular, 0);
    records.set_path("g").unwrap();
    records.set_cksum();
    let mut builder = Builder::new([binary.as_bytes().as_slice(), b"abc", &[0; 509]].concat());
    builder
        .append_pax_extensions([("size", &b"3"[..]), ("uid", b"2097152"), ("mtime", b"8589934592")])
        .unwrap();
    let bytes = builder.into_inner().unwrap();
    let bytes = [&bytes[..bytes.len() - 1024], records.as_bytes(), b"abc", &[0; 509]].concat();
    let mut walk = walk(&bytes);
    for name in ["f", "g"] {
        let entry = walk.next_entry().unwrap().unwrap();
        assert_eq!((entry.path.as_slice(), entry.uid, entry.mtime), (name.as_bytes(), 1 << 21, 1 << 33));
        assert_eq!(entry.kind, Kind::File { size: 3, extents: None });
        let mut text = String::new();
        walk.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
    assert_eq!(walk.next_entry().unwrap(), None);
    let mut huge = header(EntryType::Regular, 0);
    huge.set_path("f").unwrap();
    huge.as_old_mut().size = [0xff; 12];
    huge.set_cksum();
    assert_eq!(
        refusal(huge.as_bytes(), Limits::default()),
        Refused::LayerSize { limit: Limits::default().layer_bytes }
    );
}

#[test]
fn old_and_unfinished_archives_are_read() {
    // Of 1979: no magic, a zero for files, a slash for folders, no blocks of zeros at the end, the last block not filled.
    let mut old = Header::new_old();
    old.as_old_mut().name[..2].copy_from_slice(b"d/");
    old.as_old_mut().linkflag = [0];
    old.set_size(0);
    old.set_cksum();
    let mut file = old.clone();
    file.as_old_mut().name[..3].copy_from_slice(b"d/f");
    file.set_size(3);
    file.set_cksum();
    let bytes = [old.as_bytes().as_slice(), file.as_bytes(), b"abc"].concat();
    let mut walk = walk(&bytes);
    assert_eq!(walk.next_entry().unwrap().unwrap().kind, Kind::Folder);
    assert_eq!(walk.next_entry().unwrap().unwrap().kind, Kind::File { size: 3, extents: None });
    assert_eq!(walk.next_entry().unwrap(), None);
}

#[test]
fn both_forms_of_sparse_files_are_read() {
    let mut old = header(EntryType::GNUSparse, 3);
    old.set_path("old").unwrap();
    let gnu = old.as_gnu_mut().unwrap();
    gnu.set_real_size(10_000);
    gnu.sparse[0].offset = *b"00000010000\0";
    gnu.sparse[0].numbytes = *b"00000000003\0";
    old.set_cksum();
    let mut bytes = old.as_bytes().to_vec();
    bytes.extend([b"abc".as_slice(), &[0; 509]].concat());
    let mut map = b"1\n4096\n3\n".to_vec();
    map.resize(512, 0);
    map.extend(b"abc");
    let mut builder = Builder::new(bytes);
    let records: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"new"),
        ("GNU.sparse.realsize", b"10000"),
    ];
    builder.append_pax_extensions(records).unwrap();
    builder.append_data(&mut header(EntryType::Regular, 515), "GNUSparseFile.0/new", map.as_slice()).unwrap();
    let bytes = builder.into_inner().unwrap();
    let mut walk = walk(&bytes);
    for name in ["old", "new"] {
        let entry = walk.next_entry().unwrap().unwrap();
        assert_eq!(entry.path, name.as_bytes());
        let extents = Some(vec![Extent { offset: 4096, length: 3 }]);
        assert_eq!(entry.kind, Kind::File { size: 10_000, extents });
        let mut text = String::new();
        walk.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
    assert_eq!(walk.next_entry().unwrap(), None);
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let mut walk = walk(&bytes);
        while let Ok(Some(_entry)) = walk.next_entry() {}
    }

    /// Headers that get further: an archive with a byte changed, and its sums mended.
    #[test]
    fn changed_archives_end(at in 0_usize..10_000, byte in any::<u8>()) {
        let mut bytes = sample();
        let at = at % bytes.len();
        bytes[at] = byte;
        let start = at / 512 * 512;
        let mut block = Header::from_byte_slice(&bytes[start..start + 512]).clone();
        block.set_cksum();
        bytes[start..start + 512].copy_from_slice(block.as_bytes());
        let mut walk = walk(&bytes);
        while let Ok(Some(_entry)) = walk.next_entry() {}
    }
}
