use proptest::prelude::*;

use super::*;

/// Writes any entries, also wrong ones.
fn written(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let all = entries.iter().copied().chain([(TRAILER, 0, &[][..])]);
    for ((name, mode, content), number) in all.zip(1_u32..) {
        let (length, size) = (u32::try_from(content.len()).unwrap(), u32::try_from(name.len() + 1).unwrap());
        bytes.extend(MAGIC);
        for field in [number, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, size, 0] {
            bytes.extend(format!("{field:08X}").bytes());
        }
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

const FILE: u32 = REGULAR | PERMISSIONS;

fn with(more: &[(&str, u32, &[u8])]) -> Vec<u8> {
    written(&[&[(LABEL, FILE, &b"1.2\n"[..]), (BOARD, FILE, b"rpi4\n")], more].concat())
}

/// Version, board, and each file's name and content.
type Decoded = (String, String, Vec<(String, Vec<u8>)>);

fn decoded(bytes: &[u8]) -> Result<Decoded, ArchiveError> {
    let mut reader = Reader::open(bytes)?;
    let mut files = Vec::new();
    while let Some(member) = reader.next_member()? {
        let mut content = vec![0; member.length.try_into().unwrap()];
        reader.read_exact(&mut content).map_err(read)?;
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        files.push((member.title.to_string(), content));
    }
    Ok((reader.version().to_string(), reader.board().to_owned(), files))
}

fn refused(bytes: &[u8]) -> String {
    format!("{:?}", decoded(bytes).unwrap_err())
}

#[test]
fn what_is_written_is_read() {
    let bytes = with(&[("a.dtb", FILE, b"tree"), ("initrd", FILE, b""), ("vmlinuz", FILE, &[7; 1000])]);
    let (version, board, files) = decoded(&bytes).unwrap();
    assert_eq!((version.as_str(), board.as_str()), ("1.2", "rpi4"));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, files[2].1.len()), (vec!["a.dtb", "initrd", "vmlinuz"], 1000));
    // Contents need not be read.
    let mut reader = Reader::open(bytes.as_slice()).unwrap();
    while reader.next_member().unwrap().is_some() {}
}

#[test]
fn names_are_plain() {
    for name in ["a", "start4.elf", "bcm2712-d-rpi-5-b.dtb", "hearth_x", &"a".repeat(MAX_NAME)] {
        assert!(Title::new(name).is_some(), "{name}");
    }
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "/a",
        "a\\b",
        ".a",
        "a.",
        "a b",
        "ä",
        "a\0",
        "~1",
        "a:b",
        &"a".repeat(MAX_NAME + 1),
    ] {
        assert!(Title::new(name).is_none(), "{name}");
        let bytes = with(&[(name, FILE, b"x")]);
        assert!(["Name { number: 3 }", "Header { number: 3 }"].contains(&refused(&bytes).as_str()), "{name}");
    }
}

#[test]
fn order_and_count_are_one() {
    for more in [
        [("b", FILE, &b""[..]), ("a", FILE, b"")],
        [("a", FILE, b""), ("a", FILE, b"")],
        // Equal to FAT.
        [("A", FILE, b""), ("a", FILE, b"")],
        [("b", FILE, b""), ("hearth-Version", FILE, b"")],
    ] {
        assert_eq!(refused(&with(&more)), "Order { number: 4 }", "{more:?}");
    }
    let names: Vec<String> = (0..100).map(|number| format!("f{number:03}")).collect();
    let files = |count: usize| {
        let files: Vec<_> = names.iter().take(count).map(|name| (name.as_str(), FILE, &b"x"[..])).collect();
        with(&files)
    };
    assert_eq!(decoded(&files(62)).unwrap().2.len(), 62);
    assert_eq!(refused(&files(63)), "Crowd");
}

#[test]
fn it_says_version_and_board_first() {
    let (version, board) = ((LABEL, FILE, &b"1.2\n"[..]), (BOARD, FILE, &b"rpi4\n"[..]));
    for (entries, why) in [
        (vec![], "Label"),
        (vec![version], "Label"),
        (vec![board, version], "Label"),
        (vec![(LABEL, FILE, b"1.2"), board], "Label"),
        (vec![(LABEL, FILE, b"1 2\n"), board], "Label"),
        (vec![(LABEL, FILE, b"\xff\n"), board], "Label"),
        (vec![(LABEL, FILE, &[b'1'; MAX_VERSION + 2]), board], "Label"),
        (vec![(LABEL, FILE, b"1_2\n"), board], "Version(Character)"),
        (vec![version, (BOARD, FILE, b"\n")], "Label"),
        (vec![version, (BOARD, FILE, &[b'b'; MAX_BOARD + 2])], "Label"),
    ] {
        assert_eq!(refused(&written(&entries)), why, "{entries:?}");
    }
}

#[test]
fn there_is_one_way_to_write_it() {
    let whole = with(&[("a", FILE, b"x")]);
    for mode in [0, 0o40_755, REGULAR | 0o644, 0o120_777] {
        assert_eq!(refused(&with(&[("a", mode, b"x")])), "Header { number: 3 }", "{mode:o}");
    }
    assert_eq!(refused(&[&whole[..], &[0]].concat()), "Behind");
    for length in [0, 100, 200, whole.len() - 1] {
        assert_eq!(refused(&whole[..length]), "Short", "{length}");
    }
    // Whatever byte is another one, it is refused or says something else.
    let said = decoded(&whole).unwrap();
    for at in 0..whole.len() {
        for flip in [1, 0x20, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            assert!(decoded(&changed).ok().as_ref() != Some(&said), "{at} {flip}");
        }
    }
}

#[test]
fn a_length_that_lies_reserves_nothing() {
    let mut bytes = with(&[("a", FILE, b"x")]);
    let size = bytes.windows(8).rposition(|window| window == b"00000001").unwrap();
    bytes[size..size + 8].copy_from_slice(b"FFFFFFFF");
    decoded_without_content(&bytes).unwrap_err();
}

fn decoded_without_content(bytes: &[u8]) -> Result<(), ArchiveError> {
    let mut reader = Reader::open(bytes)?;
    while reader.next_member()?.is_some() {}
    Ok(())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), at in 0_usize..500, value in any::<u8>()) {
        let _any_answer = decoded_without_content(&bytes);
        let mut damaged = with(&[("a", FILE, b"x")]);
        damaged[at] = value;
        let _any_answer = decoded_without_content(&damaged);
    }
}
