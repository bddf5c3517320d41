//! Histories with the power going at any write, and the real folder.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Two files whose power goes at a write that was chosen beforehand.
#[derive(Clone, Debug, Default)]
struct Disk {
    files: BTreeMap<Part, Vec<u8>>,
    /// Writes until the power goes, and whether that last one still reaches the disk.
    cut: Option<(usize, bool)>,
}

impl Files for &mut Disk {
    fn read(&self, part: Part) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.files.get(&part).cloned().map(Zeroizing::new))
    }

    fn replace(&mut self, part: Part, bytes: &[u8]) -> io::Result<()> {
        match &mut self.cut {
            Some((0, reaches)) => {
                if std::mem::take(reaches) {
                    self.files.insert(part, bytes.to_vec());
                }
                Err(io::Error::other("the power is gone"))
            }
            cut => {
                *cut = cut.map(|(left, reaches)| (left - 1, reaches));
                self.files.insert(part, bytes.to_vec());
                Ok(())
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Key(u8),
    Adopt(u8),
    Rotate,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![(0..4_u8).prop_map(Step::Key), (4..8_u8).prop_map(Step::Adopt), Just(Step::Rotate)]
}

fn name(number: u8) -> KeyName {
    format!("store-{number}").parse().unwrap()
}

/// Does one step; tells the key that the store has afterwards.
fn take(disk: &mut Disk, step: &Step) -> Result<Option<(u8, [u8; 32])>, KeyTreeError> {
    let mut tree = KeyTree::open(disk)?;
    match step {
        Step::Key(number) => Ok(Some((*number, *tree.store_key(&name(*number))?.expose()))),
        Step::Adopt(number) => {
            let own = [*number; 32];
            tree.adopt_store_key(&name(*number), &StoreKey::from_bytes(Zeroizing::new(own)))?;
            Ok(Some((*number, own)))
        }
        Step::Rotate => tree.rotate().map(|()| None),
    }
}

proptest! {
    /// Every store keeps the key that it was given, wherever the power goes, and there is one system key afterwards.
    #[test]
    fn no_cut_loses_a_key_or_leaves_two_system_keys(
        steps in proptest::collection::vec((step(), proptest::option::of((0..4_usize, any::<bool>()))), 1..12)
    ) {
        let (mut disk, mut known) = (Disk::default(), BTreeMap::new());
        for (step, cut) in steps {
            disk.cut = cut;
            let done = take(&mut disk, &step);
            disk.cut = None;
            if let Ok(Some((number, key))) = done {
                prop_assert_eq!(*known.entry(number).or_insert(key), key);
            }
            let mut tree = KeyTree::open(&mut disk).unwrap();
            prop_assert!(!tree.document.is_rotating() && tree.document.is_opened_by(&tree.system));
            for (number, key) in &known {
                let found = tree.store_key(&name(*number)).unwrap();
                prop_assert_eq!(found.expose(), key);
            }
        }
    }
}

#[test]
fn a_rotation_is_cut_at_every_write_and_the_old_key_opens_nothing_after_it() {
    let mut before = Disk::default();
    let key = *KeyTree::open(&mut before).unwrap().store_key(&name(0)).unwrap().expose();
    let old = before.files[&Part::SystemKey].clone();
    let mut changed = Vec::new();
    for (writes, reaches) in (0..4).flat_map(|writes| [(writes, false), (writes, true)]) {
        let mut disk = Disk { cut: Some((writes, reaches)), ..before.clone() };
        let done = take(&mut disk, &Step::Rotate);
        assert_eq!(done.is_ok(), writes == 3, "a rotation is three writes");
        disk.cut = None;
        let mut tree = KeyTree::open(&mut disk).unwrap();
        assert_eq!(tree.store_key(&name(0)).unwrap().expose(), &key);
        let old_key = as_key(&old).unwrap();
        let is_new = tree.system.expose() != old_key.expose();
        assert_eq!(tree.document.is_opened_by(&old_key), !is_new);
        changed.push(is_new);
    }
    // It counts from the second write on, the key's file.
    assert_eq!(changed, [false, false, false, true, true, true, true, true]);
}

#[test]
fn a_store_that_brings_another_key_than_it_has_is_refused() {
    let mut disk = Disk::default();
    let mut tree = KeyTree::open(&mut disk).unwrap();
    let made = tree.store_key(&name(0)).unwrap();
    tree.adopt_store_key(&name(0), &made).unwrap();
    let refused = tree.adopt_store_key(&name(0), &StoreKey::from_bytes(Zeroizing::new([7; 32]))).unwrap_err();
    assert!(matches!(refused, KeyTreeError::OtherKey(_)), "{refused}");
    assert_eq!(tree.store_key(&name(0)).unwrap().expose(), made.expose());
}

#[test]
fn what_is_damaged_or_gone_is_told_and_left_alone() {
    let mut whole = Disk::default();
    KeyTree::open(&mut whole).unwrap().store_key(&name(0)).unwrap();
    let other = {
        let mut disk = Disk::default();
        KeyTree::open(&mut disk).unwrap();
        disk.files[&Part::SystemKey].clone()
    };
    for (part, bytes, said) in [
        (Part::SystemKey, None, "is gone"),
        (Part::SystemKey, Some(vec![1; 31]), "31 bytes"),
        (Part::SystemKey, Some(other), "another system key"),
        (Part::Document, Some(b"{}".to_vec()), "list of keys"),
    ] {
        let mut disk = whole.clone();
        disk.files.remove(&part);
        disk.files.extend(bytes.map(|bytes| (part, bytes)));
        let before = disk.files.clone();
        let error = KeyTree::open(&mut disk).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(disk.files, before);
    }
}

#[test]
fn the_folder_keeps_whole_files_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    // As a cut left it.
    fs::write(folder.path().join("system.aside"), "half").unwrap();
    let key = *KeyTree::open(Folder::at(folder.path())).unwrap().store_key(&name(0)).unwrap().expose();
    let mut tree = KeyTree::open(Folder::at(folder.path())).unwrap();
    tree.rotate().unwrap();
    let mut again = KeyTree::open(Folder::at(folder.path())).unwrap();
    assert_eq!(again.store_key(&name(0)).unwrap().expose(), &key);
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            entry.file_name().into_string().unwrap()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["system.json", "system.key"]);
}

#[test]
fn without_its_folder_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("storaged");
    let error = KeyTree::open(Folder::at(&missing)).unwrap_err();
    assert!(matches!(error, KeyTreeError::File { doing: "read", .. }), "{error}");
    assert!(!missing.exists());
}
