//! The system key: store keys outlive its rotation, wherever the power goes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use crate::DecodeError;
use crate::KeyName;
use crate::StoreKey;
use crate::SystemDocument;
use crate::SystemError;
use crate::SystemKey;

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

#[test]
fn keys_open_under_their_own_name_and_system_key_only() {
    let system = SystemKey::random().unwrap();
    let (document, key) = SystemDocument::create(&system).new_store_key(&system, &name("hostd")).unwrap();
    let (document, lookup) = document.new_lookup_key(&system, &name("hostd")).unwrap();
    let document = SystemDocument::decode(&document.encode()).unwrap();
    assert_eq!(document.store_key(&system, &name("hostd")).unwrap().expose(), key.expose());
    let again = document.lookup_key(&system, &name("hostd")).unwrap();
    assert_eq!(again.tag(&[b"a", b"b"]), lookup.tag(&[b"a", b"b"]));
    assert_ne!(again.tag(&[b"a", b"b"]), lookup.tag(&[b"ab"]));

    let other = SystemKey::random().unwrap();
    assert!(!document.is_opened_by(&other));
    let error = document.store_key(&other, &name("hostd")).unwrap_err();
    assert!(matches!(error, SystemError::WrongSystemKey));
    let error = document.store_key(&system, &name("netd")).unwrap_err();
    assert!(matches!(error, SystemError::NoSuchKey { .. }));
    let error = document.new_store_key(&system, &name("hostd")).unwrap_err();
    assert!(matches!(error, SystemError::Exists { .. }));

    // A wrap under another name or for another purpose is none.
    let mut json: Value = serde_json::from_slice(&document.encode()).unwrap();
    let ring = &mut json["rings"][0];
    ring["stores"]["netd"] = ring["stores"]["hostd"].clone();
    ring["stores"]["hostd"] = ring["lookups"]["hostd"].clone();
    let mixed = SystemDocument::decode(json.to_string().as_bytes()).unwrap();
    for damaged in ["netd", "hostd"] {
        let error = mixed.store_key(&system, &name(damaged)).unwrap_err();
        assert!(matches!(error, SystemError::Damaged { .. }), "{damaged}");
    }
}

#[test]
fn a_store_key_that_lay_in_a_file_is_taken_in() {
    let system = SystemKey::random().unwrap();
    let key = StoreKey::random().unwrap();
    let document = SystemDocument::create(&system).adopt_store_key(&system, &name("hostd"), &key).unwrap();
    assert_eq!(document.store_key(&system, &name("hostd")).unwrap().expose(), key.expose());
}

#[test]
fn what_no_document_has_is_refused() {
    let system = SystemKey::random().unwrap();
    let json: Value = serde_json::from_slice(&SystemDocument::create(&system).encode()).unwrap();
    for rings in [Vec::new(), vec![json["rings"][0].clone(); 2], vec![json["rings"][0].clone(); 3]] {
        let mut changed = json.clone();
        changed["rings"] = rings.into();
        let error = SystemDocument::decode(changed.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Content { .. }));
    }
}

#[test]
fn a_full_document_can_still_be_rotated_and_read() {
    let (system, new) = (SystemKey::random().unwrap(), SystemKey::random().unwrap());
    let mut document = SystemDocument::create(&system);
    let long = |index: usize| name(&format!("{index:064}"));
    for index in 0..64 {
        document = document.new_store_key(&system, &long(index)).unwrap().0;
        document = document.new_lookup_key(&system, &long(index)).unwrap().0;
    }
    let error = document.new_store_key(&system, &long(64)).unwrap_err();
    assert!(matches!(error, SystemError::TooMany));
    let rotating = document.begin_rotation(&system, &new).unwrap();
    assert!(SystemDocument::decode(&rotating.encode()).unwrap().is_opened_by(&new));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    NewStore(u8),
    NewLookup(u8),
    Begin,
    PutKeyIntoFile,
    Finish,
    /// The power goes: what was only in memory is gone.
    PowerCut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6u8).prop_map(Step::NewStore),
        (0..6u8).prop_map(Step::NewLookup),
        Just(Step::Begin),
        Just(Step::PutKeyIntoFile),
        Just(Step::Finish),
        Just(Step::PowerCut),
    ]
}

proptest! {
    #[test]
    fn the_key_in_the_file_always_opens_everything(steps in prop::collection::vec(step(), 1..40)) {
        let mut file = SystemKey::random().unwrap();
        let mut waiting: Option<SystemKey> = None;
        let mut disk = SystemDocument::create(&file).encode();
        let mut stores = BTreeMap::new();
        let mut lookups = BTreeMap::new();
        for step in steps {
            let document = SystemDocument::decode(&disk).unwrap();
            match step {
                Step::NewStore(which) => {
                    let name = name(&format!("store-{which}"));
                    if let Ok((next, key)) = document.new_store_key(&file, &name) {
                        stores.insert(name, *key.expose());
                        disk = next.encode();
                    } else {
                        prop_assert!(document.is_rotating() || stores.contains_key(&name));
                    }
                }
                Step::NewLookup(which) => {
                    let name = name(&format!("lookup-{which}"));
                    if let Ok((next, key)) = document.new_lookup_key(&file, &name) {
                        lookups.insert(name, key.tag(&[b"x"]));
                        disk = next.encode();
                    } else {
                        prop_assert!(document.is_rotating() || lookups.contains_key(&name));
                    }
                }
                Step::Begin => {
                    let new = SystemKey::random().unwrap();
                    disk = document.begin_rotation(&file, &new).unwrap().encode();
                    waiting = Some(new);
                }
                Step::PutKeyIntoFile => {
                    if let Some(new) = waiting.take() {
                        file = new;
                    }
                }
                Step::Finish => {
                    disk = document.finish_rotation(&file).unwrap().encode();
                    waiting = None;
                }
                Step::PowerCut => waiting = None,
            }
            let document = SystemDocument::decode(&disk).unwrap();
            for (name, key) in &stores {
                prop_assert!(document.store_key(&file, name).unwrap().expose() == key);
            }
            for (name, tag) in &lookups {
                prop_assert_eq!(&document.lookup_key(&file, name).unwrap().tag(&[b"x"]), tag);
            }
        }
    }
}
