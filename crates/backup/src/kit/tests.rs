use super::*;
use crate::secret::Secret;
use crate::targets::S3Target;
use proptest::prelude::any;
use proptest::prop_assert;
use proptest::proptest;

fn kit() -> RecoveryKit {
    RecoveryKit {
        household: HouseholdId::new("3f1c2a6e-0000-4000-8000-00000000beef").unwrap(),
        box_name: "Attic <&>".into(),
        target: Some(Target::S3(S3Target {
            endpoint: "https://s3.example.org".into(),
            bucket: "family".into(),
            region: "eu-west-1".into(),
            access_key: "AKIA123".into(),
            secret_key: Secret::new("very-secret"),
            path: String::new(),
        })),
        key: BackupKey::from_bytes(std::array::from_fn(|index| u8::try_from(index * 7 % 256).unwrap())),
        made: 1_780_315_200,
    }
}

fn typed(kit: &RecoveryKit) -> Vec<String> {
    kit.to_text()
        .unwrap()
        .lines()
        .filter(|line| line.as_bytes().get(1) == Some(&b':'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_is_scanned_is_the_kit() {
    let kit = kit();
    assert_eq!(RecoveryKit::parse(&kit.scan_text().unwrap()).unwrap(), kit);
    assert_eq!(RecoveryKit::parse(&kit.to_text().unwrap()).unwrap(), kit);
    let lean = RecoveryKit { target: kit.target.as_ref().map(Target::redacted), ..kit };
    let text = lean.to_text().unwrap();
    assert!(!text.contains("very-secret") && text.contains("2026-06-01"));
    assert_eq!(RecoveryKit::parse(&text).unwrap(), lean);
}

#[test]
fn the_numbered_lines_are_enough() {
    let kit = kit();
    let lines = typed(&kit);
    assert!((4..=8).contains(&lines.len()), "{lines:?}");
    // As people type: small letters, letters for digits, spaces.
    let sloppy = lines.join("\n").to_lowercase().replace('-', " ").replace(" 0", " o");
    for text in [lines.join("\n"), sloppy, format!("My kit\n\n{}\nthe end", lines.join("\n\n"))] {
        let read = RecoveryKit::parse(&text).unwrap();
        assert_eq!((read.household, read.key), (kit.household.clone(), kit.key.clone()));
    }
}

#[test]
fn slips_are_named_by_line() {
    let lines = typed(&kit());
    for number in 1..=lines.len() {
        let mut wrong = lines.clone();
        let slip = if wrong[number - 1].contains('7') { ("7", "8") } else { ("-", "-2") };
        wrong[number - 1] = wrong[number - 1].replacen(slip.0, slip.1, 1);
        let error = RecoveryKit::parse(&wrong.join("\n")).unwrap_err();
        assert!(matches!(error, KitError::Line { number: found } if found == number), "{number}: {error}");
        let mut missing = lines.clone();
        missing.remove(number - 1);
        let error = RecoveryKit::parse(&missing.join("\n")).unwrap_err();
        assert!(
            matches!(error, KitError::MissingLine { number: found } if found == number),
            "{number}: {error}"
        );
    }
}

#[test]
fn lines_of_two_kits_do_not_mix() {
    let other = RecoveryKit { key: BackupKey::from_bytes([9; 32]), ..kit() };
    let mut lines = typed(&kit());
    lines[0].clone_from(&typed(&other)[0]);
    assert!(matches!(RecoveryKit::parse(&lines.join("\n")).unwrap_err(), KitError::Checksum));
}

#[test]
fn what_was_scanned_wrongly_is_refused() {
    let text = kit().scan_text().unwrap();
    let newer = text.replacen(":1:", ":2:", 1);
    assert!(matches!(RecoveryKit::parse(&newer).unwrap_err(), KitError::Version { .. }));
    let other = text.replacen("Attic", "Attik", 1);
    assert!(matches!(RecoveryKit::parse(&other).unwrap_err(), KitError::Damaged));
    for length in KIND.len() + 1..text.len() {
        RecoveryKit::parse(&text[..length]).unwrap_err();
    }
    assert!(matches!(RecoveryKit::parse("Dear Sir or Madam").unwrap_err(), KitError::NotAKit));
}

#[test]
fn the_kit_of_another_household_is_refused() {
    let kit = kit();
    kit.check_household(&kit.household).unwrap();
    let other = HouseholdId::new("birch").unwrap();
    assert!(matches!(kit.check_household(&other).unwrap_err(), KitError::OtherHousehold { .. }));
}

#[test]
fn the_page_is_complete_and_safe() {
    let html = kit().to_html().unwrap();
    assert!(html.contains("<svg") && html.contains("Attic &lt;&amp;&gt;") && !html.contains("Attic <"));
    let shown = format!("{:?}", kit());
    assert!(!shown.contains("very-secret"), "{shown}");
    let long = RecoveryKit { box_name: "x".repeat(65), ..kit() };
    assert!(matches!(long.to_text().unwrap_err(), KitError::Field { field: "box name" }));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        prop_assert!(RecoveryKit::parse(&text).is_err());
        for beginning in ["hearth-kit:1:", "1: "] {
            prop_assert!(RecoveryKit::parse(&(beginning.to_owned() + &text)).is_err());
        }
    }
}
