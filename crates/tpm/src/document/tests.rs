use proptest::prelude::*;

use super::*;

fn sealed() -> Sealed {
    Sealed {
        storage: Digest([1; 32]),
        key: Digest([2; 32]),
        registers: vec![(0, Digest([3; 32])), (7, Digest([4; 32]))],
        public: vec![5; 80],
        private: vec![6; 200],
    }
}

#[test]
fn the_document_has_a_fixed_form() {
    let hex = |byte: &str| byte.repeat(32);
    let expected = format!(
        r#"{{"version":1,"storage":"{}","policy_key":"{}","pcrs":{{"0":"{}","7":"{}"}},"public":"BQUF","private":"BgYG"}}"#,
        hex("01"),
        hex("02"),
        hex("03"),
        hex("04"),
    );
    let sealed = Sealed { public: vec![5; 3], private: vec![6; 3], ..sealed() };
    assert_eq!(sealed.to_json(), expected);
    assert_eq!(Sealed::from_json(expected.as_bytes()).unwrap(), sealed);
}

#[test]
fn other_documents_are_refused() {
    let good = sealed().to_json();
    let long = STANDARD.encode(vec![5; MAX_AREA + 1]);
    let bad = [
        String::new(),
        "{}".to_owned(),
        good.replace(r#""version":1"#, r#""version":2"#),
        good.replace(r#""version":1"#, r#""version":1,"more":1"#),
        good.replace(r#""7":"#, r#""11":"#),
        good.replace(r#""7":"#, r#""24":"#),
        good.replace(&STANDARD.encode([5; 80]), ""),
        good.replace(&STANDARD.encode([5; 80]), "!"),
        good.replace(&STANDARD.encode([5; 80]), &long),
        format!("{good}{good}"),
    ];
    for document in bad {
        let error = Sealed::from_json(document.as_bytes()).unwrap_err();
        assert!(matches!(error, DocumentError::Form(_)), "{document}: {error}");
    }
    let padded = format!("{good}{}", " ".repeat(MAX_DOCUMENT));
    assert!(matches!(Sealed::from_json(padded.as_bytes()).unwrap_err(), DocumentError::TooLong(_)));
}

fn any_sealed() -> impl Strategy<Value = Sealed> {
    let area = || proptest::collection::vec(any::<u8>(), 1..300);
    let register = (0..24_u32).prop_filter("approved, not fixed", |register| *register != 11);
    let registers = proptest::collection::btree_map(register, any::<[u8; 32]>(), 1..5);
    (any::<[u8; 32]>(), any::<[u8; 32]>(), registers, area(), area()).prop_map(
        |(storage, key, registers, public, private)| {
            let registers =
                registers.into_iter().map(|(register, value)| (register, Digest(value))).collect();
            Sealed { storage: Digest(storage), key: Digest(key), registers, public, private }
        },
    )
}

proptest! {
    #[test]
    fn a_document_comes_back(sealed in any_sealed()) {
        prop_assert_eq!(Sealed::from_json(sealed.to_json().as_bytes()).unwrap(), sealed);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        prop_assert!(Sealed::from_json(&bytes).is_err());
    }

    #[test]
    fn a_cut_or_changed_document_never_panics(sealed in any_sealed(), at: prop::sample::Index, byte: u8) {
        let mut document = sealed.to_json().into_bytes();
        let at = at.index(document.len());
        prop_assert!(Sealed::from_json(&document[..at]).is_err());
        document[at] = byte;
        if let Ok(read) = Sealed::from_json(&document) {
            prop_assert!(!read.registers.is_empty());
        }
    }
}
