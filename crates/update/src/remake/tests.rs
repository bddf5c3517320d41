use super::*;

fn file(path: &str, offset: u64) -> Remake {
    Remake {
        path: path.to_owned(),
        base: Base { length: 9000, sha256: Sha256([1; 32]) },
        length: 20_100,
        offset,
        stored: 12_288,
        sha256: Sha256([2; 32]),
        extents: vec![Extent { taken: 20_000, stored: 8192 }, Extent { taken: 100, stored: 4096 }],
        body: 500,
        body_sha256: Sha256([3; 32]),
    }
}

fn header() -> RemakeHeader {
    RemakeHeader {
        length: 100_000,
        packing: Packing { cluster: 65_536, segment: 16 << 20, level: 12 },
        files: vec![file("usr/lib/hearth/hostd", 4), file("usr/lib/libc.so.6", 12_292)],
    }
}

#[test]
fn a_header_and_back() {
    let bytes = header().encode();
    assert_eq!(RemakeHeader::decode(&bytes), Ok(header()));
    assert_eq!(header().whole_length(), bytes.len() as u64 + 1000);
}

#[test]
fn cut_off_headers_and_longer_ones_are_refused() {
    let bytes = header().encode();
    for end in 0..bytes.len() {
        assert!(RemakeHeader::decode(&bytes[..end]).is_err(), "{end}");
    }
    assert_eq!(RemakeHeader::decode(&[&bytes[..], &[0]].concat()), Err(RemakeHeaderError::Length));
    assert_eq!(RemakeHeader::decode(&vec![0; (256 << 10) + 1]), Err(RemakeHeaderError::Length));
    assert_eq!(RemakeHeader::decode(b"hearth-remake-2\n"), Err(RemakeHeaderError::Magic));
}

#[test]
fn what_cannot_be_right_is_refused() {
    let refused = |edit: fn(&mut RemakeHeader)| {
        let mut edited = header();
        edit(&mut edited);
        RemakeHeader::decode(&edited.encode()).unwrap_err()
    };
    let numbers: [fn(&mut RemakeHeader); 17] = [
        |header| header.length = 0,
        |header| header.length = MAX_SLOT + 1,
        |header| header.packing.cluster = 0,
        |header| header.packing.cluster = 4097,
        |header| header.packing.cluster = MAX_CLUSTER + BLOCK,
        |header| header.packing.segment = 4096,
        |header| header.packing.level = 13,
        |header| header.packing.level = 2,
        |header| header.files.clear(),
        |header| header.files[0].base.length = 0,
        |header| header.files[0].base.length = MAX_CONTENT + 1,
        |header| header.files[0].length = MAX_CONTENT + 1,
        |header| header.files[0].body = MAX_BODY + 1,
        |header| header.files[0].extents[0].stored = 8191,
        |header| header.files[0].extents[0].stored = 0,
        |header| header.files[0].extents[1].taken = 0,
        |header| header.files[0].extents[1].stored = 8192,
    ];
    for edit in numbers {
        assert_eq!(refused(edit), RemakeHeaderError::Number);
    }
    let sums: [fn(&mut RemakeHeader); 6] = [
        |header| header.files[0].length += 1,
        |header| header.files[0].stored += 4096,
        |header| header.files[0].extents.clear(),
        |header| header.files[0].offset = 5,
        |header| header.files.swap(0, 1),
        |header| header.files[1].offset = u64::MAX,
    ];
    for edit in sums {
        assert_eq!(refused(edit), RemakeHeaderError::Sum);
    }
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for path in ["", "/", "/usr/x", "usr//x", "usr/", "..", "usr/../etc/x", "./x", "a\0b", "a b", "a\u{e9}"] {
        assert!(!is_path(path), "{path:?}");
        let mut edited = header();
        edited.files[0].path = path.to_owned();
        assert_eq!(RemakeHeader::decode(&edited.encode()), Err(RemakeHeaderError::Path), "{path:?}");
    }
    assert!(!is_path(&"x".repeat(MAX_PATH + 1)));
    for path in ["usr/lib/hearth/hostd", "x", "usr/lib/libstdc++.so.6", "a/.b"] {
        assert!(is_path(path), "{path}");
    }
}

/// What a box is asked to do is bounded, however many files there are.
#[test]
fn too_much_work_is_refused() {
    let mut many = header();
    many.length = MAX_SLOT;
    many.files.clear();
    for at in 0..5_u32 {
        let mut file = file("usr/lib/x", u64::from(at) * 1_000_000);
        file.length = 60 << 20;
        (file.extents, file.stored) = (vec![Extent { taken: 60 << 20, stored: 65_536 }], 65_536);
        many.files.push(file);
    }
    assert_eq!(RemakeHeader::decode(&many.encode()), Err(RemakeHeaderError::Sum));
    many.files.truncate(4);
    assert_eq!(RemakeHeader::decode(&many.encode()).map(|header| header.files.len()), Ok(4));
    let crowd: Vec<Remake> = (0..=u64::from(MAX_FILES)).map(|at| file("usr/lib/x", at * 12_288)).collect();
    many.files = crowd;
    assert_eq!(RemakeHeader::decode(&many.encode()), Err(RemakeHeaderError::Number));
}
