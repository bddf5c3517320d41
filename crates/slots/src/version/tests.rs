use proptest::prelude::*;

use super::*;

#[test]
fn the_examples_of_the_specification_hold() {
    use Ordering::Equal;
    use Ordering::Greater;
    use Ordering::Less;
    for (left, expected, right) in [
        ("11", Equal, "11"),
        ("systemd-123", Equal, "systemd-123"),
        ("bar-123", Less, "foo-123"),
        ("123a", Greater, "123"),
        ("123.a", Greater, "123"),
        ("123.a", Less, "123.b"),
        ("123a", Greater, "123.a"),
        ("11α", Equal, "11β"),
        ("B", Less, "a"),
        ("", Less, "0"),
        ("0.", Greater, "0"),
        ("0.0", Greater, "0"),
        ("0", Greater, "~"),
        ("", Greater, "~"),
        ("1_", Equal, "1"),
        ("_1", Equal, "1"),
        ("1_", Less, "1.2"),
        ("1_2_3", Greater, "1.3.3"),
        ("1+", Equal, "1"),
        ("+1", Equal, "1"),
        ("1+", Less, "1.2"),
        ("1+2+3", Greater, "1.3.3"),
    ] {
        assert_eq!(compare(left, right), expected, "{left:?} {right:?}");
        assert_eq!(compare(right, left), expected.reverse(), "{right:?} {left:?}");
    }
}

#[test]
fn the_chain_of_the_specification_rises() {
    let chain = [
        "122.1",
        "123~rc1-1",
        "123",
        "123-a",
        "123-a.1",
        "123-1",
        "123-1.1",
        "123^post1",
        "123.a-1",
        "123.1-1",
        "123a-1",
        "124-1",
    ];
    for (place, left) in chain.iter().enumerate() {
        for (other, right) in chain.iter().enumerate() {
            assert_eq!(compare(left, right), place.cmp(&other), "{left} {right}");
        }
    }
}

#[test]
fn numbers_are_numbers_however_long() {
    assert_eq!(compare("1.9", "1.10"), Ordering::Less);
    assert_eq!(compare("99999999999999999999999", "100000000000000000000000"), Ordering::Less);
    assert_eq!(compare("1.08", "1.8"), Ordering::Equal);
    // As the loader has it, not as the specification's text.
    assert_eq!(compare("0", "a"), Ordering::Greater);
    assert_eq!(compare("1.0", "1.a"), Ordering::Greater);
}

#[test]
fn the_loaders_own_names_sort_by_version() {
    for (newer, older) in [
        ("hearth_0.10.0.efi", "hearth_0.9.0+1-0.efi"),
        ("hearth_0.10.0+1-0.efi", "hearth_0.9.0.efi"),
        ("hearth_1.0.0.efi", "hearth_1.0.0~rc1.efi"),
    ] {
        assert_eq!(compare(newer, older), Ordering::Greater, "{newer} {older}");
    }
}

#[test]
fn versions_are_narrow() {
    for fine in ["0.1.0", "2026.08.1", "1.0.0~rc1", "1.0-g00ab", "a", "1^post1"] {
        assert_eq!(fine.parse::<Version>().unwrap().to_string(), fine);
    }
    for (bad, why) in [
        ("", VersionError::Length),
        (&"1".repeat(MAX_VERSION + 1), VersionError::Length),
        ("1+2", VersionError::Character),
        ("1_2", VersionError::Character),
        ("1/2", VersionError::Character),
        ("1.0A", VersionError::Character),
        ("1é", VersionError::Character),
        (".1", VersionError::Ends),
        ("1~", VersionError::Ends),
    ] {
        assert_eq!(bad.parse::<Version>(), Err(why), "{bad}");
    }
    serde_json::from_str::<Version>("\"1+2\"").unwrap_err();
    let version: Version = serde_json::from_str("\"1.2\"").unwrap();
    assert_eq!(serde_json::to_string(&version).unwrap(), "\"1.2\"");
}

proptest! {
    #[test]
    fn any_texts_have_an_order(left in ".{0,12}", right in ".{0,12}") {
        prop_assert_eq!(compare(&left, &right), compare(&right, &left).reverse());
        prop_assert_eq!(compare(&left, &left), Ordering::Equal);
    }

    #[test]
    fn the_order_is_one_row(mut texts in proptest::collection::vec("[ab01.~^_-]{0,6}", 3)) {
        texts.sort_by(|left, right| compare(left, right));
        for (place, left) in texts.iter().enumerate() {
            for right in texts.iter().skip(place) {
                prop_assert_ne!(compare(left, right), Ordering::Greater, "{:?}", texts);
            }
        }
    }

    #[test]
    fn versions_are_equal_only_to_themselves(left in "[a1][a01.~^-]{0,4}1", right in "[a1][a01.~^-]{0,4}1") {
        let (one, two): (Version, Version) = (left.parse().unwrap(), right.parse().unwrap());
        prop_assert_eq!(one.cmp(&two) == Ordering::Equal, left == right);
    }
}
