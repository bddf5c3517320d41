//! Schemas and their migrations, and the tables that are the store's own.

use std::error::Error;
use std::path::Path;

use store::Batch;
use store::CommitError;
use store::Generation;
use store::MemoryStore;
use store::Migrations;
use store::OpenError;
use store::OpenOptions;
use store::Opened;
use store::ReadError;
use store::SledStore;
use store::Store;
use store::StoreKey;
use store::Tables;

type Changes = Result<Batch, Box<dyn Error + Send + Sync>>;

fn open(path: &Path, known: Option<&Migrations>) -> Result<(SledStore, Opened), OpenError> {
    let key = StoreKey::from_bytes([6; 32]);
    let options = OpenOptions::new(&key);
    match known {
        Some(known) => options.migrations(known).open(path),
        None => options.open(path),
    }
}

/// Users move into a table of their own.
fn to_2(tables: &Tables) -> Changes {
    let moved = tables.scan("old").into_iter();
    Ok(moved.fold(Batch::new(), |batch, (key, value)| batch.delete("old", &key).put("users", &key, &value)))
}

/// Each gets a number; needs what the step before made.
fn to_3(tables: &Tables) -> Changes {
    let users = tables.scan("users").into_iter().zip(1u8..);
    Ok(users.fold(Batch::new(), |batch, ((key, _), number)| {
        batch.require_absent("numbers", &key).put("numbers", &key, [number])
    }))
}

fn failing(_: &Tables) -> Changes {
    Err("no".into())
}

/// A store of a program that knew nothing of schemas.
fn old_store(path: &Path) -> Generation {
    let (store, _) = open(path, None).unwrap();
    store.commit(Batch::new().put("old", "ada", "1").put("old", "bob", "2")).unwrap()
}

#[test]
fn all_steps_are_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let before = old_store(&path);
    let known = Migrations::new().then(to_2).then(to_3);
    let (store, opened) = open(&path, Some(&known)).unwrap();
    assert_eq!((opened.schema, opened.generation.get()), (Some(3), before.get() + 1));
    assert_eq!(store.scan("old").unwrap(), []);
    assert_eq!(store.get("users", b"bob").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(store.get("numbers", b"bob").unwrap().as_deref(), Some(&[2][..]));
    drop(store);
    let (_, again) = open(&path, Some(&known)).unwrap();
    assert_eq!((again.schema, again.generation), (Some(3), opened.generation), "nothing is left to do");
}

#[test]
fn steps_begin_where_the_store_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    old_store(&path);
    assert_eq!(open(&path, Some(&Migrations::new())).unwrap().1.schema, Some(1));
    assert_eq!(open(&path, Some(&Migrations::new().then(to_2))).unwrap().1.schema, Some(2));
    // The first step would fail now.
    let (store, opened) = open(&path, Some(&Migrations::new().then(failing).then(to_3))).unwrap();
    assert_eq!((opened.schema, store.scan("numbers").unwrap().len()), (Some(3), 2));
}

#[test]
fn a_new_store_is_of_the_present_schema_without_any_step() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let (_, opened) = open(&path, Some(&Migrations::new().then(failing))).unwrap();
    assert_eq!(opened.schema, Some(2));
}

#[test]
fn a_newer_store_is_refused_unless_it_says_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    old_store(&path);
    let (two, three) = (Migrations::new().then(to_2), Migrations::new().then(to_2).then(to_3).usable_by(2));
    let (_, newest) = open(&path, Some(&three)).unwrap();
    let (store, opened) = open(&path, Some(&two)).unwrap();
    assert_eq!((opened.schema, opened.generation), (Some(3), newest.generation));
    store.commit(Batch::new().put("users", "eve", "3")).unwrap();
    drop(store);
    let error = open(&path, Some(&Migrations::new())).unwrap_err();
    let OpenError::NewerSchema { source } = error else { panic!("{error:?}") };
    assert_eq!((source.store, source.min_reader, source.known), (3, 2, 1));
    assert_eq!(open(&path, Some(&three)).unwrap().1.schema, Some(3), "it stays what it was");
}

#[test]
fn as_long_as_a_way_back_is_kept_only_steps_that_older_programs_bear_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let before = old_store(&path);
    let key = StoreKey::from_bytes([6; 32]);
    let careful =
        |known: &Migrations| OpenOptions::new(&key).migrations(known).keep_way_back(true).open(&path);
    let strict = Migrations::new().then(to_2);
    assert!(matches!(careful(&strict), Err(OpenError::NoWayBack { from: 1, to: 2 })));
    let (store, opened) = open(&path, Some(&Migrations::new())).unwrap();
    assert_eq!((opened.schema, store.scan("old").unwrap().len()), (Some(1), 2), "{before:?}");
    drop(store);
    // One that older programs bear is made, and so is none at all.
    let mild = Migrations::new().then(to_2).usable_by(1);
    assert_eq!(careful(&mild).unwrap().1.schema, Some(2));
    assert_eq!(careful(&mild).unwrap().1.schema, Some(2));
    assert_eq!(open(&path, Some(&Migrations::new())).unwrap().1.schema, Some(2), "the way back is open");
}

#[test]
fn a_step_that_fails_leaves_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let before = old_store(&path);
    let known = Migrations::new().then(to_2).then(failing);
    assert!(matches!(open(&path, Some(&known)), Err(OpenError::Migrate { .. })));
    let twice = Migrations::new().then(to_2).then(to_3).then(to_3);
    assert!(matches!(open(&path, Some(&twice)), Err(OpenError::Migrate { .. })), "its requirement fails");
    let (store, opened) = open(&path, None).unwrap();
    assert_eq!((opened.generation, store.scan("old").unwrap().len()), (before, 2));
}

#[test]
fn the_stores_own_tables_are_out_of_reach() {
    let dir = tempfile::tempdir().unwrap();
    let (real, _) = open(&dir.path().join("store"), Some(&Migrations::new())).unwrap();
    let stores: [&dyn Store; 2] = [&real, &MemoryStore::new()];
    for store in stores {
        assert!(matches!(store.scan(".store"), Err(ReadError::InvalidTable { .. })));
        assert!(matches!(store.get(".store", b"schema"), Err(ReadError::InvalidTable { .. })));
        let changed = store.commit(Batch::new().put(".store", "schema", "9"));
        assert!(matches!(changed, Err(CommitError::InvalidTable { .. })));
    }
}
