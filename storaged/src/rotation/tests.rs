use super::*;
use crate::luks::metadata::TokenId;
use crate::luks::token::Token;
use serde_json::Value;

const TPM: Purpose = Purpose::Tpm { sealed: Value::Null };
const RECOVERY: Purpose = Purpose::Recovery { is_confirmed: true };

/// A header with these slots, and a key for each: its number, eight times.
fn header(slots: &[(u8, Purpose)]) -> (Metadata, BTreeMap<Slot, Key>) {
    // Tokens in another order than slots.
    let tokens = slots.iter().zip(0..).map(|((slot, purpose), id)| {
        (TokenId(20 - id), Token { slot: Slot(*slot), purpose: purpose.clone() })
    });
    let metadata = Metadata {
        slots: slots.iter().map(|(slot, _)| Slot(*slot)).collect(),
        tokens: tokens.collect(),
        ..Metadata::default()
    };
    let keys = metadata.slots.iter().map(|slot| (*slot, Key::from_bytes(vec![b'0' + slot.0; 8]))).collect();
    (metadata, keys)
}

#[test]
fn every_key_is_given_in_the_order_of_the_slots() {
    let (metadata, keys) = header(&[(1, RECOVERY), (0, TPM)]);
    let made = plan(&metadata, &keys).unwrap();
    assert_eq!(*made.lines, b"00000000\n11111111\n");
    assert_eq!(made.cost, Cost::Random);
    assert_eq!(format!("{made:?}"), "Plan(Random, …)");
    let (metadata, keys) = header(&[(3, RECOVERY), (7, Purpose::Passphrase {})]);
    let made = plan(&metadata, &keys).unwrap();
    assert_eq!(*made.lines, b"33333333\n77777777\n");
    assert_eq!(made.cost, Cost::Typed);
}

#[test]
fn no_key_is_ever_left_behind() {
    let (good, keys) = header(&[(0, Purpose::BootKey {}), (1, RECOVERY)]);
    let refused = |metadata: &Metadata, keys: &BTreeMap<Slot, Key>| plan(metadata, keys).unwrap_err();
    for (slot, kind) in [(Slot(0), KeyKind::BootKey), (Slot(1), KeyKind::Recovery)] {
        let mut fewer = keys.clone();
        fewer.remove(&slot);
        assert_eq!(refused(&good, &fewer), NotRotatable::Unknown(kind));
        let mut torn = keys.clone();
        torn.insert(slot, Key::from_bytes(b"two\nlines".to_vec()));
        assert_eq!(refused(&good, &torn), NotRotatable::NotALine(kind));
    }
    assert_eq!(refused(&Metadata { is_reencrypting: true, ..good.clone() }, &keys), NotRotatable::UnderWay);
    let foreign = [(TokenId(9), [Slot(1)].into())].into();
    assert_eq!(refused(&Metadata { foreign, ..good.clone() }, &keys), NotRotatable::Foreign);
    let mut orphaned = good;
    orphaned.slots.insert(Slot(4));
    assert_eq!(refused(&orphaned, &keys), NotRotatable::Foreign);
    let shown = Purpose::Recovery { is_confirmed: false };
    let (metadata, keys) = header(&[(0, TPM), (1, RECOVERY), (2, shown)]);
    assert_eq!(refused(&metadata, &keys), NotRotatable::Unconfirmed);
    let (metadata, keys) = header(&[(0, TPM)]);
    assert_eq!(refused(&metadata, &keys), NotRotatable::NoRecoveryKey);
    let many: Vec<(u8, Purpose)> = (0..16).map(|slot| (slot, RECOVERY)).collect();
    let (metadata, keys) = header(&many);
    assert_eq!(refused(&metadata, &keys), NotRotatable::Full);
}

#[test]
fn progress_is_read_from_lines_and_everything_else_is_none() {
    let line = |done: &str, all: &str| {
        format!(
            r#"{{"device":"/dev/vda2","device_bytes":"{done}","device_size":"{all}","speed":"1","eta_ms":"0","time_ms":"7"}}"#
        )
    };
    assert_eq!(percent(&line("0", "200")), Some(0));
    assert_eq!(percent(&line("199", "200")), Some(99));
    assert_eq!(percent(&line("200", "200")), Some(100));
    assert_eq!(percent(&line("18446744073709551615", "18446744073709551615")), Some(100));
    for strange in ["", "Finished", "{}", &line("1", "0"), &line("-1", "7"), &line("", "")] {
        assert_eq!(percent(strange), None, "{strange}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_said_it_is_at_most_all(done: u64, all: u64, text: String) {
        let line = format!(r#"{{"device_bytes":"{done}","device_size":"{all}"}}"#);
        assert!(percent(&line).is_none_or(|percent| percent <= 100));
        assert_eq!(percent(&format!("{text}{{")), None);
    }
}
