//! Documents that somebody else wrote, or half of each of two.

use proptest::prelude::*;
use serde_json::Value;

use super::credentials::passkey;
use super::credentials::password;
use super::credentials::user;
use crate::DecodeError;
use crate::OpenError;
use crate::RecoveryCode;
use crate::SystemDocument;
use crate::VaultDocument;
use crate::document::DOCUMENT_MAX;

fn refused(bytes: &[u8], code: &RecoveryCode) -> bool {
    VaultDocument::decode(bytes).is_ok_and(|document| document.open(code).is_err())
        || VaultDocument::decode(bytes).is_err()
}

#[test]
fn every_changed_byte_and_every_length_is_noticed() {
    let code = RecoveryCode::random().unwrap();
    let (document, vault) = VaultDocument::create(user(), &code).unwrap();
    let (document, _vault) = document.begin_rotation(&vault).unwrap();
    let bytes = document.encode();
    for place in 0..bytes.len() {
        for bit in [0, 3, 5] {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            assert!(refused(&changed, &code), "bit {bit} of byte {place}: {}", changed.escape_ascii());
        }
        assert!(refused(&bytes[..place], &code), "length {place}");
    }
}

#[test]
fn two_halves_make_no_document() {
    let code = RecoveryCode::random().unwrap();
    let (document, vault) = VaultDocument::create(user(), &code).unwrap();
    let (document, _id) = document.add(&vault, &password("one")).unwrap();
    let (rotating, vault) = document.begin_rotation(&vault).unwrap();
    let (rotated, _vault) = rotating.finish_rotation(&vault).unwrap();
    let states: Vec<Value> =
        [&document, &rotating, &rotated].map(|state| serde_json::from_slice(&state.encode()).unwrap()).into();
    let mut tried = 0;
    for (a, b) in [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)] {
        for field in ["generation", "key_number", "previous", "credentials", "seal"] {
            let mut mixed = states[a].clone();
            mixed[field] = states[b][field].clone();
            if mixed != states[a] {
                assert!(refused(mixed.to_string().as_bytes(), &code), "{field} of {b} in {a}");
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn who_cannot_open_it_cannot_add_to_it() {
    let code = RecoveryCode::random().unwrap();
    let (document, _vault) = VaultDocument::create(user(), &code).unwrap();
    let (theirs, mallory) = VaultDocument::create(user(), &password("mallory")).unwrap();
    let (theirs, _id) = theirs.add(&mallory, &passkey(6)).unwrap();

    // A credential of theirs beside the user's.
    let mut joined = document.clone();
    joined.credentials.extend(theirs.credentials.iter().filter(|entry| !entry.kind.is_usable()).cloned());
    assert!(matches!(joined.open(&code).unwrap_err(), OpenError::Altered));
    // Their vault key wrapped for the user, and the document sealed with it: they lack the anchor.
    let mut replaced = document.clone();
    let (entry, place) = {
        let entry = &replaced.credentials[0];
        (entry, entry.place(&replaced.user).of_current(1))
    };
    let forged =
        crate::seal::wrap_for(&entry.public, &mallory.anchor, &place, mallory.current.expose()).unwrap();
    replaced.credentials[0].current = forged;
    let replaced = replaced.sealed(&mallory.current).unwrap();
    assert!(matches!(replaced.open(&code).unwrap_err(), OpenError::Altered));
}

#[test]
fn what_no_document_has_is_refused() {
    let (document, _vault) = VaultDocument::create(user(), &password("one")).unwrap();
    let json: Value = serde_json::from_slice(&document.encode()).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = json.clone();
        change(&mut changed);
        VaultDocument::decode(changed.to_string().as_bytes()).unwrap_err()
    };
    let unknown = with(&|json| json["colour"] = "red".into());
    assert!(matches!(unknown, DecodeError::Shape { .. }));
    let unknown = with(&|json| json["credentials"][0]["colour"] = "red".into());
    assert!(matches!(unknown, DecodeError::Shape { .. }));
    let other = with(&|json| json["kind"] = "hearth-system-keys".into());
    assert!(matches!(other, DecodeError::Shape { .. }));
    let later = with(&|json| {
        json["version"] = 2.into();
        json["colour"] = "red".into();
    });
    assert!(matches!(later, DecodeError::Version { version: 2 }));
    let none = with(&|json| json["credentials"] = Vec::<Value>::new().into());
    assert!(matches!(none, DecodeError::Content { .. }));
    let huge = with(&|json| json["generation"] = u64::MAX.into());
    assert!(matches!(huge, DecodeError::Content { .. }));
    let twice = with(&|json| json["credentials"] = vec![json["credentials"][0].clone(); 2].into());
    assert!(matches!(twice, DecodeError::Content { .. }));
    let long = VaultDocument::decode(&vec![b' '; DOCUMENT_MAX + 1]).unwrap_err();
    assert!(matches!(long, DecodeError::TooLong { .. }));
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        VaultDocument::decode(&bytes).unwrap_err();
        SystemDocument::decode(&bytes).unwrap_err();
    }
}
