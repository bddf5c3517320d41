use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_FIXED;
use ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;
use ring::signature::KeyPair;
use ring::signature::UnparsedPublicKey;

use super::*;
use crate::policy_pcr;
use crate::to_be_signed;

fn key_pair() -> (EcdsaKeyPair, PolicyKey) {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let mut spki = PolicyKey::from_pem(include_str!("../../tests/data/policy-key.pem")).unwrap().to_spki();
    spki[26..].copy_from_slice(point);
    let key = PolicyKey::from_spki(&spki).unwrap();
    (pair, key)
}

fn entry(key: &PolicyKey, policy: Digest) -> Signature {
    Signature { pcrs: vec![11], key: key.fingerprint(), policy, signature: [7; 64] }
}

#[test]
fn a_signature_made_by_another_library_over_the_policy_verifies() {
    let (pair, key) = key_pair();
    let policy = policy_pcr(&[(11, Digest([3; 32]))]);
    // The library hashes by itself: what it signs is then the hash called aHash.
    assert_eq!(to_be_signed(&policy), Digest::of(&[&policy.0]).0);
    let signature = pair.sign(&SystemRandom::new(), &policy.0).unwrap();
    let entry = Signature { signature: signature.as_ref().try_into().unwrap(), ..entry(&key, policy) };
    let (x, y) = key.coordinates();
    let point = [&[4], x.as_slice(), y].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(&policy.0, &entry.signature).unwrap();
}

#[test]
fn the_document_has_the_form_that_the_loader_carries() {
    let (_, key) = key_pair();
    let signatures = Signatures { entries: vec![entry(&key, Digest([0xab; 32]))] };
    let expected = format!(
        r#"{{"sha256":[{{"pcrs":[11],"pkfp":"{}","pol":"{}","sig":"{}Bw=="}}]}}"#,
        key.fingerprint(),
        "ab".repeat(32),
        "BwcH".repeat(21), // python3: base64.b64encode(bytes([7] * 64))
    );
    let json = signatures.to_json();
    assert_eq!(json, expected);
    assert_eq!(Signatures::from_json(json.as_bytes()).unwrap(), signatures);
    assert_eq!(Signatures::from_json(format!("{json}\0\0\0").as_bytes()).unwrap(), signatures);
}

#[test]
fn the_entry_for_the_key_and_the_policy_is_chosen() {
    let (_, key) = key_pair();
    let (_, stranger) = key_pair();
    let (a, b, c) = (Digest([1; 32]), Digest([2; 32]), Digest([3; 32]));
    let signatures = Signatures { entries: vec![entry(&stranger, c), entry(&key, a), entry(&key, b)] };
    assert_eq!(signatures.choose(&key, &[11], &b), Choice::Found(&signatures.entries[2]));
    assert_eq!(signatures.choose(&key, &[11], &c), Choice::OtherPolicy);
    assert_eq!(signatures.choose(&key, &[11, 12], &a), Choice::OtherPolicy);
    assert_eq!(Signatures { entries: vec![entry(&stranger, a)] }.choose(&key, &[11], &a), Choice::OtherKey);
    assert_eq!(Signatures::default().choose(&key, &[11], &a), Choice::OtherKey);
}

#[test]
fn other_documents_are_refused() {
    let (_, key) = key_pair();
    let good = Signatures { entries: vec![entry(&key, Digest([1; 32]))] }.to_json();
    let bad = [
        "".to_owned(),
        "{}".to_owned(),
        r#"{"sha256":{}}"#.to_owned(),
        good.replace("sha256", "sha1"),
        good.replace(r#""pcrs""#, r#""more":1,"pcrs""#),
        good.replace(r#""sha256""#, r#""sha1":[],"sha256""#),
        good.replace("==", ""),
        good.replace("[11]", "[-1]"),
        format!("{good}{good}"),
    ];
    for document in bad {
        let error = Signatures::from_json(document.as_bytes()).unwrap_err();
        assert!(matches!(error, SignaturesError::Form(_)), "{document}: {error}");
    }
    let long = format!("{good}{}", " ".repeat(MAX_DOCUMENT));
    assert!(matches!(Signatures::from_json(long.as_bytes()).unwrap_err(), SignaturesError::TooLong(_)));
}

fn any_entry() -> impl Strategy<Value = Signature> {
    let numbers = (proptest::collection::vec(any::<u32>(), 0..5), any::<[u8; 32]>(), any::<[u8; 32]>());
    (numbers, any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|((pcrs, key, policy), r, s)| Signature {
        pcrs,
        key: Digest(key),
        policy: Digest(policy),
        signature: [r, s].concat().try_into().unwrap(),
    })
}

proptest! {
    #[test]
    fn a_document_comes_back(entries in proptest::collection::vec(any_entry(), 0..8)) {
        let signatures = Signatures { entries };
        prop_assert_eq!(Signatures::from_json(signatures.to_json().as_bytes()).unwrap(), signatures);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        prop_assert!(Signatures::from_json(&bytes).is_err());
    }

    #[test]
    fn a_cut_or_changed_document_never_panics(entry in any_entry(), at: prop::sample::Index, byte: u8) {
        let mut document = Signatures { entries: vec![entry] }.to_json().into_bytes();
        let at = at.index(document.len());
        prop_assert!(Signatures::from_json(&document[..at]).is_err());
        document[at] = byte;
        if let Ok(signatures) = Signatures::from_json(&document) {
            prop_assert_eq!(signatures.entries.len(), 1);
        }
    }
}
