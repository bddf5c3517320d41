//! Exports, and what is refused before anything is written.

use std::fs;
use std::path::Path;

use store::Batch;
use store::ImportError;
use store::Limits;
use store::MemoryAnchor;
use store::Migrations;
use store::OpenError;
use store::OpenOptions;
use store::Sealing;
use store::SledStore;
use store::Store;
use store::StoreKey;

use crate::sample::LIMITS;
use crate::sample::contents;

fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

fn exported() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let known = Migrations::new();
    let anchor = MemoryAnchor::new(5);
    let store_key = key(1);
    let options = OpenOptions::new(&store_key).limits(LIMITS).migrations(&known).anchor(&anchor);
    let (store, _) = options.open(&dir.path().join("store")).unwrap();
    for number in 0..40u8 {
        store.commit(Batch::new().put("t", [number % 9], [number; 40])).unwrap();
    }
    let mut bytes = Vec::new();
    store.export(&Sealing { key: &key(2), store: "hostd" }, &mut bytes).unwrap();
    bytes
}

fn import(path: &Path, bytes: &[u8]) -> Result<u64, ImportError> {
    let sealing = Sealing { key: &key(2), store: "hostd" };
    SledStore::import(path, &key(3), LIMITS, &sealing, &mut &*bytes).map(store::Generation::get)
}

#[test]
fn what_was_exported_is_a_store_again() {
    let bytes = exported();
    assert!(!bytes.windows(20).any(|window| window == [39; 20]), "values are not in clear");
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for path in [dir.path().join("new"), empty] {
        let generation = import(&path, &bytes).unwrap();
        let known = Migrations::new();
        let store_key = key(3);
        let options = OpenOptions::new(&store_key).limits(LIMITS).migrations(&known);
        let (store, opened) = options.open(&path).unwrap();
        assert_eq!((opened.recovered, opened.schema), (None, Some(1)));
        assert_eq!(opened.generation.get(), generation);
        let expected =
            (0..9u8).map(|record| (vec![record], vec![if record < 4 { 36 } else { 27 } + record; 40]));
        assert_eq!(contents(&store), expected.collect());
        store.commit(Batch::new().put("t", "after", "1")).unwrap();
        drop(store);
        assert_eq!(SledStore::open(&path, &key(3), LIMITS).unwrap().1.recovered, None);
        // The board remembers the store that was lost: a person says that this one is wanted.
        let anchor = MemoryAnchor::at(30);
        let error = options.anchor(&anchor).open(&path).unwrap_err();
        let OpenError::RolledBack { rollback } = error else { panic!("{error:?}") };
        options.anchor(&anchor).accept_rollback(rollback).open(&path).unwrap();
        assert_eq!(options.anchor(&anchor).open(&path).unwrap().1.recovered, None);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left aside");
}

#[test]
fn every_flipped_byte_and_every_length_is_refused_before_anything_is_written() {
    let bytes = exported();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    for position in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[position] ^= 1 << (position % 8);
        import(&path, &flipped).unwrap_err();
        import(&path, &bytes[..position]).unwrap_err();
    }
    assert!(matches!(import(&path, &[&bytes[..], b"x"].concat()), Err(ImportError::Damaged)));
    assert!(!path.exists());
}

#[test]
fn another_store_another_key_and_a_used_folder_are_refused() {
    let bytes = exported();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let import_as = |number, store, limits| {
        SledStore::import(
            &path,
            &key(3),
            limits,
            &Sealing { key: &key(number), store },
            &mut bytes.as_slice(),
        )
    };
    assert!(matches!(import_as(2, "vault", LIMITS), Err(ImportError::OtherStore { .. })));
    assert!(matches!(import_as(4, "hostd", LIMITS), Err(ImportError::WrongKey)));
    let small = Limits { total_bytes: 300, ..LIMITS };
    assert!(matches!(import_as(2, "hostd", small), Err(ImportError::TooLarge)));
    assert!(!path.exists());
    fs::create_dir(&path).unwrap();
    fs::write(path.join("letter"), "dear").unwrap();
    assert!(matches!(import_as(2, "hostd", LIMITS), Err(ImportError::NotEmpty { .. })));
    fs::remove_file(path.join("letter")).unwrap();
    import_as(2, "hostd", LIMITS).unwrap();
    assert!(matches!(import_as(2, "hostd", LIMITS), Err(ImportError::NotEmpty { .. })));
}
