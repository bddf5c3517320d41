//! Older copies of a store's files, put back one by one and all together.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use store::Anchor;
use store::Batch;
use store::Finding;
use store::Ledger;
use store::Loss;
use store::MemoryAnchor;
use store::OpenError;
use store::OpenOptions;
use store::Opened;
use store::Rollback;
use store::SledStore;
use store::Store;
use store::StoreKey;
use tempfile::TempDir;

use crate::sample::Closed;
use crate::sample::LIMITS;
use crate::sample::Model;
use crate::sample::contents;
use crate::sample::copy;

const OPENINGS: u8 = 5;

fn key() -> StoreKey {
    StoreKey::from_bytes([4; 32])
}

fn open(path: &Path, anchor: Option<&dyn Anchor>) -> Result<(SledStore, Opened), OpenError> {
    let key = key();
    let options = OpenOptions::new(&key).limits(LIMITS);
    match anchor {
        Some(anchor) => options.anchor(anchor).open(path),
        None => options.open(path),
    }
}

/// A store that was opened several times, a copy of its folder after each, and where the anchor stands.
struct Copies {
    dir: TempDir,
    models: Vec<Model>,
    anchor: u64,
}

impl Copies {
    fn path(&self, opening: usize) -> PathBuf {
        self.dir.path().join(opening.to_string())
    }

    fn newest(&self) -> usize {
        self.models.len() - 1
    }
}

fn copies(closed: Closed) -> Copies {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let anchor = MemoryAnchor::new(17);
    let mut models = Vec::new();
    for opening in 0..OPENINGS {
        let (store, _) = open(&path, Some(&anchor)).unwrap();
        for number in 0..9u8 {
            store
                .commit(Batch::new().put("t", [number], vec![opening; 30 + 20 * usize::from(number)]))
                .unwrap();
        }
        models.push(contents(&store));
        drop(store);
        let copied = dir.path().join(opening.to_string());
        copy(&path, &copied);
        if closed == Closed::Not {
            fs::remove_file(copied.join("sled.seal")).unwrap();
        }
    }
    Copies { dir, models, anchor: anchor.read().unwrap().unwrap() }
}

/// Names of all files below a folder.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            found.extend(names(&path).into_iter().map(|below| name.join(below)));
        } else {
            found.push(name);
        }
    }
    found
}

fn bytes_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    names(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn all_files_put_back_together_are_noticed_with_an_anchor() {
    for closed in [Closed::InOrder, Closed::Not] {
        let copies = copies(closed);
        for older in 0..copies.newest() {
            let before = bytes_of(&copies.path(older));
            let anchor = MemoryAnchor::at(copies.anchor);
            let error = open(&copies.path(older), Some(&anchor)).unwrap_err();
            let OpenError::RolledBack { rollback } = error else { panic!("{older}: {error:?}") };
            assert_eq!(rollback.anchor, copies.anchor);
            assert_eq!(rollback.store, Some(copies.anchor - (copies.newest() - older) as u64));
            assert_eq!(bytes_of(&copies.path(older)), before, "what is refused is left as it is");
            assert_eq!(anchor.raised(), 0);
            // The control: without an anchor nothing tells the copy from the real one.
            let (store, opened) = open(&copies.path(older), None).unwrap();
            assert_eq!((contents(&store), opened.recovered), (copies.models[older].clone(), None));
        }
        let anchor = MemoryAnchor::at(copies.anchor);
        let (store, opened) = open(&copies.path(copies.newest()), Some(&anchor)).unwrap();
        assert_eq!((contents(&store), opened.recovered), (copies.models[copies.newest()].clone(), None));
        assert_eq!(anchor.raised(), 1);
    }
}

/// Puts every file of every older copy back by itself; hands over what opening then leads to.
fn for_each_file_put_back(
    closed: Closed,
    is_anchored: bool,
    look: impl Fn(&str, &Copies, Result<(SledStore, Opened), OpenError>),
) {
    let copies = copies(closed);
    let mut trials = 0;
    for older in 0..copies.newest() {
        for name in names(&copies.path(older)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("store");
            copy(&copies.path(copies.newest()), &path);
            fs::create_dir_all(path.join(&name).parent().unwrap()).unwrap();
            fs::copy(copies.path(older).join(&name), path.join(&name)).unwrap();
            let anchor = MemoryAnchor::at(copies.anchor);
            let opened = open(&path, is_anchored.then_some(&anchor as &dyn Anchor));
            look(&format!("{} of opening {older}", name.display()), &copies, opened);
            trials += 1;
        }
    }
    assert!(trials >= 20, "{trials}");
}

#[test]
fn one_file_put_back_after_closing_in_order_is_noticed_or_harmless_without_an_anchor() {
    for_each_file_put_back(Closed::InOrder, false, |what, copies, opened| {
        let (store, opened) = opened.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(contents(&store), copies.models[copies.newest()], "{what}");
        assert!(opened.recovered.is_none_or(|recovered| recovered.loss == Loss::None), "{what}");
    });
}

#[test]
fn one_file_put_back_after_a_power_cut_is_noticed_or_harmless_with_an_anchor() {
    for_each_file_put_back(Closed::Not, true, |what, copies, opened| match opened {
        Ok((store, _)) => assert_eq!(contents(&store), copies.models[copies.newest()], "{what}"),
        Err(OpenError::RolledBack { .. }) => {}
        Err(error) => panic!("{what}: {error:?}"),
    });
}

#[test]
fn an_accepted_rollback_is_told_and_begins_a_new_epoch() {
    let copies = copies(Closed::InOrder);
    let anchor = MemoryAnchor::at(copies.anchor);
    let seen = Rollback { store: Some(copies.anchor - 2), anchor: copies.anchor };
    let (path, key) = (copies.path(2), key());
    let options = OpenOptions::new(&key).limits(LIMITS).anchor(&anchor);
    let other = Rollback { store: Some(copies.anchor - 3), ..seen };
    let refused = options.accept_rollback(other).open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::RolledBack { rollback } if rollback == seen), "{refused:?}");
    assert!(seen.to_string().contains("older copy"), "{seen}");
    let (store, opened) = options.accept_rollback(seen).open(&path).unwrap();
    assert_eq!(contents(&store), copies.models[2]);
    let recovered = opened.recovered.unwrap();
    assert_eq!(recovered.findings, [Finding::RollbackAccepted { rollback: seen }]);
    assert!(matches!(recovered.loss, Loss::After(_)), "{recovered}");
    drop(store);
    assert_eq!(open(&path, Some(&anchor)).unwrap().1.recovered, None);
    // The one that was the newest is an older copy now.
    let refused = open(&copies.path(4), Some(&anchor)).unwrap_err();
    assert!(matches!(refused, OpenError::RolledBack { .. }), "{refused:?}");
}

#[test]
fn an_emptied_folder_is_no_new_store_in_front_of_an_anchor() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let anchor = MemoryAnchor::at(7);
    let error = open(&path, Some(&anchor)).unwrap_err();
    let OpenError::RolledBack { rollback } = error else { panic!("{error:?}") };
    assert_eq!(rollback, Rollback { store: None, anchor: 7 });
    assert_eq!(names(&path), [PathBuf::from("lock")]);
    let key = key();
    OpenOptions::new(&key).anchor(&anchor).accept_rollback(rollback).open(&path).unwrap();
    assert_eq!(anchor.read().unwrap(), Some(8));
    assert_eq!(open(&path, Some(&anchor)).unwrap().1.recovered, None);
}

#[test]
fn a_cleared_anchor_is_told_and_guards_again_afterwards() {
    let copies = copies(Closed::InOrder);
    let anchor = MemoryAnchor::new(3);
    let newest = copies.path(copies.newest());
    let recovered = open(&newest, Some(&anchor)).unwrap().1.recovered.unwrap();
    assert_eq!((recovered.findings.as_slice(), recovered.loss), (&[Finding::AnchorLost][..], Loss::Unknown));
    assert_eq!(anchor.read().unwrap(), Some(copies.anchor + 1));
    assert_eq!(open(&newest, Some(&anchor)).unwrap().1.recovered, None);
    let refused = open(&copies.path(3), Some(&anchor)).unwrap_err();
    assert!(matches!(refused, OpenError::RolledBack { .. }), "{refused:?}");
}

#[test]
fn an_anchor_that_does_not_answer_keeps_the_store_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let anchor = MemoryAnchor::new(1);
    drop(open(&path, Some(&anchor)).unwrap());
    anchor.set_unreachable(true);
    let before = bytes_of(&path);
    assert!(matches!(open(&path, Some(&anchor)), Err(OpenError::Anchor { .. })));
    assert_eq!(bytes_of(&path), before);
    anchor.set_unreachable(false);
    assert_eq!(open(&path, Some(&anchor)).unwrap().1.recovered, None);
}

#[test]
fn one_counter_guards_several_stores() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger_path, ada_path) = (dir.path().join("ledger"), dir.path().join("ada"));
    let anchor = MemoryAnchor::new(50);
    let open_both = || -> Result<(), OpenError> {
        let (ledger, _) = open(&ledger_path, Some(&anchor))?;
        let ledger = Ledger::new(Arc::new(ledger));
        let (ada, opened) = open(&ada_path, Some(&ledger.entry("ada")))?;
        assert_eq!(opened.recovered, None);
        drop(ada);
        let (apps, opened) = open(&dir.path().join("apps"), Some(&ledger.entry("apps")))?;
        assert_eq!(opened.recovered, None);
        drop(apps);
        Ok(())
    };
    open_both().unwrap();
    let older = dir.path().join("older");
    fs::create_dir(&older).unwrap();
    copy(&ledger_path, &older.join("ledger"));
    copy(&ada_path, &older.join("ada"));
    let raised = anchor.raised();
    open_both().unwrap();
    open_both().unwrap();
    assert_eq!(anchor.raised(), raised + 2, "once for all of them");
    let newest = dir.path().join("newest");
    fs::create_dir(&newest).unwrap();
    copy(&ledger_path, &newest.join("ledger"));
    copy(&ada_path, &newest.join("ada"));
    for (ledger, ada) in [("older", "newest"), ("newest", "older"), ("older", "older")] {
        for (from, to) in [
            (dir.path().join(ledger).join("ledger"), &ledger_path),
            (dir.path().join(ada).join("ada"), &ada_path),
        ] {
            fs::remove_dir_all(to).unwrap();
            copy(&from, to);
        }
        // Refused openings raise nothing but the ledger's counter, so each case gets one as it was.
        let anchor = MemoryAnchor::at(anchor.read().unwrap().unwrap());
        let opened = open(&ledger_path, Some(&anchor))
            .and_then(|(store, _)| open(&ada_path, Some(&Ledger::new(Arc::new(store)).entry("ada"))));
        assert!(matches!(opened, Err(OpenError::RolledBack { .. })), "{ledger} {ada}: {opened:?}");
    }
}
