use super::*;
use proptest::prelude::any;
use proptest::prelude::proptest;

const SECTOR: usize = 512;

/// What is recorded: sector, content, flags.
type Write<'a> = (u64, &'a [u8], u64);

fn log(writes: &[Write<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [MAGIC, VERSION, writes.len() as u64, SECTOR as u64] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.resize(SECTOR, 0);
    for (sector, content, flags) in writes {
        let sectors = (content.len() / SECTOR) as u64;
        for number in [*sector, sectors, *flags, 0] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
        bytes.extend_from_slice(content);
    }
    bytes
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

#[test]
fn a_disk_is_rebuilt_up_to_each_flush() {
    let (a, b, c) = ([b'a'; SECTOR], [b'b'; SECTOR], [b'c'; 2 * SECTOR]);
    let file =
        file(&log(&[(0, &a, 0), (0, &[], FLUSH), (0, &[], FLUSH), (1, &b, 0), (0, &c, 0), (0, &[], FLUSH)]));
    let log = BlockLog::read(file.path()).unwrap();
    assert_eq!(length(file.path()).unwrap(), 6);
    // The second flush adds nothing.
    assert_eq!(log.flush_points(), [2, 6]);

    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(2 * SECTOR as u64).unwrap();
    log.replay(file.path(), disk.path(), 2).unwrap();
    assert_eq!(std::fs::read(disk.path()).unwrap(), [a, [0; SECTOR]].concat());
    log.replay(file.path(), disk.path(), 4).unwrap();
    assert_eq!(std::fs::read(disk.path()).unwrap(), [a, b].concat());
    log.replay(file.path(), disk.path(), 6).unwrap();
    assert_eq!(std::fs::read(disk.path()).unwrap(), c);
}

#[test]
fn a_cut_leaves_parts_and_is_taken_back() {
    let (a, b, c) = ([b'a'; SECTOR], [b'b'; 2 * SECTOR], [b'c'; SECTOR]);
    let file = file(&log(&[(0, &a, 0), (0, &[], FLUSH), (0, &b, 0), (2, &c, 0)]));
    let log = BlockLog::read(file.path()).unwrap();
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(3 * SECTOR as u64).unwrap();
    let content = || std::fs::read(disk.path()).unwrap();
    let mut rebuild = Rebuild::begin(&log, file.path(), disk.path()).unwrap();
    assert_eq!(rebuild.settle(2).unwrap(), SECTOR as u64);
    assert_eq!(content(), [a, [0; SECTOR], [0; SECTOR]].concat());
    // The last write came, of the one before only a half.
    rebuild.cut(4, |sectors| sectors.div_ceil(2)).unwrap();
    assert_eq!(content(), [[b'b'; SECTOR], [0; SECTOR], c].concat());
    rebuild.cut(4, |sectors| if sectors == 1 { 1 } else { 0 }).unwrap();
    assert_eq!(content(), [a, [0; SECTOR], c].concat());
    rebuild.settle(4).unwrap();
    assert_eq!(content(), [&b[..], &c].concat());

    assert!(log.writes_within(2..4, &(1024..1025)) && !log.writes_within(0..3, &(1024..1025)));
    let other = log.reordered(0..2, 2..4);
    let mut rebuild = Rebuild::begin(&other, file.path(), disk.path()).unwrap();
    rebuild.settle(4).unwrap();
    assert_eq!(content(), [&a[..], &b[SECTOR..], &c].concat());
}

#[test]
fn a_write_that_flushes_first_is_not_before_its_flush() {
    let a = [b'a'; SECTOR];
    let file = file(&log(&[(0, &a, 0), (1, &a, FLUSH), (0, &[], FLUSH)]));
    assert_eq!(BlockLog::read(file.path()).unwrap().flush_points(), [1, 3]);
}

#[test]
fn a_discard_changes_nothing() {
    let mut bytes = log(&[(0, &[], DISCARD), (0, &[b'a'; SECTOR], 0)]);
    // A discard names sectors but has no content.
    bytes[SECTOR + 8] = 200;
    let file = file(&bytes);
    let disk = tempfile::NamedTempFile::new().unwrap();
    BlockLog::read(file.path()).unwrap().replay(file.path(), disk.path(), 2).unwrap();
    assert_eq!(std::fs::read(disk.path()).unwrap(), [b'a'; SECTOR]);
}

#[test]
fn broken_logs_are_refused() {
    let good = log(&[(0, &[b'a'; SECTOR], 0)]);
    for (at, byte) in [(0, 0_u8), (8, 2), (24, 3), (SECTOR + 17, 0xff), (SECTOR + 15, 0xff)] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        BlockLog::read(file(&bytes).path()).unwrap_err();
    }
    let mut cut = good;
    cut.truncate(2 * SECTOR + 5);
    assert!(matches!(BlockLog::read(file(&cut).path()), Err(LogError::Entry { index: 0 })));
}

proptest! {
    #[test]
    fn any_entry_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..64), at: u64, size: u64) {
        if let Some((entry, next)) = parse_entry(&bytes, at, 512, size) {
            assert!(next <= size && entry.length <= LONGEST && entry.log > at);
        }
    }
}
