use super::super::list::SealedFile;
use super::*;
use proptest::prelude::any;
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::proptest;
use std::io::Cursor;

const KEY: ArchiveKey = ArchiveKey::of_bytes([9; 32]);

fn file(path: &str, bytes: usize) -> SealedFile {
    SealedFile { path: path.to_owned(), bytes: bytes as u64, modified: (1_780_315_200, 5) }
}

fn sealed(key: &ArchiveKey, file: &SealedFile, content: &[u8]) -> Vec<u8> {
    let digest = digest(content, file.bytes, || true).unwrap();
    let mut sealed = Vec::new();
    let mut sealing =
        Sealing::new(key, &Identity::of(file), digest, file.bytes, Cursor::new(content.to_vec()));
    sealing.read_to_end(&mut sealed).unwrap();
    sealed
}

fn opened(key: &ArchiveKey, file: &SealedFile, sealed: &[u8]) -> Result<Vec<u8>, UnsealError> {
    let mut plain = Vec::new();
    open(key, &Identity::of(file), file.bytes, sealed, &mut plain).map(|()| plain)
}

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 31 + at / 251) % 256).unwrap()).collect()
}

#[test]
fn every_length_comes_back_and_is_as_long_as_was_said() {
    for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7] {
        let (file, content) = (file("a", length), noise(length));
        let bytes = sealed(&KEY, &file, &content);
        assert_eq!(bytes.len() as u64, sealed_length(file.bytes));
        assert_eq!(plain_length(bytes.len() as u64), Some(file.bytes));
        assert_eq!(opened(&KEY, &file, &bytes).unwrap(), content);
    }
    assert_eq!(plain_length(HEADER as u64), None);
    assert_eq!(plain_length(sealed_length(PIECE as u64) + 3), None);
}

#[test]
fn the_same_file_is_the_same_bytes_and_no_other_is_like_it() {
    let content = noise(5000);
    let first = file("a", 5000);
    let bytes = sealed(&KEY, &first, &content);
    assert_eq!(sealed(&KEY, &first, &content), bytes);
    let mut changed = content.clone();
    changed[4999] ^= 1;
    let later = SealedFile { modified: (first.modified.0, 6), ..first.clone() };
    let others = [
        sealed(&KEY, &file("b", 5000), &content),
        sealed(&KEY, &later, &content),
        sealed(&KEY, &first, &changed),
        sealed(&ArchiveKey::of_bytes([8; 32]), &first, &content),
    ];
    let shares_a_block = |other: &[u8]| {
        let both = other[KIND.len()..].chunks(16).zip(bytes[KIND.len()..].chunks(16));
        both.into_iter().any(|(left, right)| left == right)
    };
    assert!(others.iter().all(|other| !shares_a_block(other)));
    assert!(!bytes.windows(16).any(|window| content.windows(16).any(|plain| plain == window)));
}

#[test]
fn every_flipped_byte_and_every_cut_is_refused() {
    let (file, content) = (file("a", 300), noise(300));
    let good = sealed(&KEY, &file, &content);
    for at in 0..good.len() {
        for bit in [1, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            assert!(matches!(opened(&KEY, &file, &bad), Err(UnsealError::Damaged)), "{at}");
        }
        assert!(matches!(opened(&KEY, &file, &good[..at]), Err(UnsealError::Damaged)), "{at}");
    }
    assert!(matches!(opened(&KEY, &file, &[&good[..], b"x"].concat()), Err(UnsealError::Damaged)));
}

#[test]
fn pieces_cannot_be_cut_off_exchanged_repeated_or_taken_from_elsewhere() {
    let length = 3 * PIECE;
    let (file, content) = (file("a", length), noise(length));
    let good = sealed(&KEY, &file, &content);
    let (header, body) = good.split_at(HEADER);
    let pieces: Vec<&[u8]> = body.chunks(PIECE + PIECE_TAG).collect();
    let of = |order: &[usize]| {
        let pieces = order.iter().map(|at| pieces[*at]).collect::<Vec<_>>().concat();
        [header, &pieces].concat()
    };
    opened(&KEY, &file, &of(&[0, 1, 2])).unwrap();
    for order in [&[1, 0, 2][..], &[0, 0, 2], &[0, 2, 1], &[0, 1, 1], &[0, 1], &[0, 2], &[0, 1, 2, 2]] {
        assert!(matches!(opened(&KEY, &file, &of(order)), Err(UnsealError::Damaged)), "{order:?}");
        // Neither as what it would be without the rest.
        let shorter = SealedFile { bytes: (order.len() * PIECE) as u64, ..file.clone() };
        assert!(matches!(opened(&KEY, &shorter, &of(order)), Err(UnsealError::Damaged)), "{order:?}");
    }
    let other =
        sealed(&KEY, &super::super::list::SealedFile { path: "b".to_owned(), ..file.clone() }, &content);
    let mixed = [&good[..HEADER + PIECE + PIECE_TAG], &other[HEADER + PIECE + PIECE_TAG..]].concat();
    assert!(matches!(opened(&KEY, &file, &mixed), Err(UnsealError::Damaged)));
}

#[test]
fn a_file_opens_only_as_itself_and_with_its_key() {
    let (anna, content) = (file("a", 300), noise(300));
    let bytes = sealed(&KEY, &anna, &content);
    let older = SealedFile { modified: (anna.modified.0 - 1, 5), ..anna.clone() };
    for other in [file("b", 300), file("a", 299), older] {
        assert!(matches!(opened(&KEY, &other, &bytes), Err(UnsealError::Damaged)), "{other:?}");
    }
    let foreign = opened(&ArchiveKey::of_bytes([8; 32]), &anna, &bytes);
    assert!(matches!(foreign, Err(UnsealError::Damaged)));
    let mut plain = Vec::new();
    let as_list = open(&KEY, &Identity::list(), 300, bytes.as_slice(), &mut plain);
    assert!(matches!(as_list, Err(UnsealError::Damaged)));
}

#[test]
fn a_file_that_changes_between_its_two_readings_is_never_sealed_whole() {
    let (file, content) = (file("a", 300), noise(300));
    let digest = digest(content.as_slice(), 300, || true).unwrap();
    let mut changed = content.clone();
    changed[7] ^= 1;
    for now in [changed, content[..299].to_vec(), [&content[..], b"x"].concat()] {
        let mut sealing = Sealing::new(&KEY, &Identity::of(&file), digest, 300, Cursor::new(now));
        let mut bytes = Vec::new();
        sealing.read_to_end(&mut bytes).unwrap_err();
        sealing.read_to_end(&mut bytes).unwrap_err();
        assert_eq!(bytes.len(), HEADER, "what was not sealed was given");
        assert!(opened(&KEY, &file, &bytes).is_err_and(|error| matches!(error, UnsealError::Damaged)));
    }
    super::digest(content.as_slice(), 299, || true).unwrap_err();
    super::digest(content.as_slice(), 301, || true).unwrap_err();
    super::digest(content.as_slice(), 300, || false).unwrap_err();
}

/// Computed apart from this code, in Python: hmac and hashlib for tag and key, XChaCha20-Poly1305 for the piece.
#[test]
fn seals_as_ever() {
    let bytes = sealed(&KEY, &file("letter", 8), b"Dear all");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, EXPECTED);
}

const EXPECTED: &str = "6865617274684601ea622319c8ce542ad284910f8b6b321e77872a8c0d129988c7363d6c057c7a26\
                        c7f0d6c1e3069886b77ce8ab4ae6289726c03362c2f46ad1";

proptest! {
    #[test]
    fn any_content_comes_back(content in proptest::collection::vec(any::<u8>(), 0..200_000)) {
        let file = file("a", content.len());
        let bytes = sealed(&KEY, &file, &content);
        prop_assert_eq!(bytes.len() as u64, sealed_length(file.bytes));
        prop_assert!(opened(&KEY, &file, &bytes).unwrap() == content);
    }

    #[test]
    fn arbitrary_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..400), length in 0_u64..400) {
        let file = SealedFile { bytes: length, ..file("a", 0) };
        prop_assert!(opened(&KEY, &file, &bytes).is_err());
        let kind = [&KIND[..], &bytes].concat();
        prop_assert!(opened(&KEY, &file, &kind).is_err());
    }
}
