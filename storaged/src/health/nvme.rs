//! What an NVMe disk says of itself (NVM Express Base Specification 2.0, figure 207). Numbers are little-endian.

use super::Said;

/// Critical warnings that mean the data: spare blocks run out, it is no longer reliable, it only reads, its memory is not saved when the
/// power goes. Heat (bit 1) passes.
const FAILING: u8 = 0b1_1101;
/// "Thousands of 512 byte units".
const UNIT: u128 = 512_000;
const ZERO_CELSIUS: i16 = 273;

/// Reads the log page.
#[must_use]
pub fn decode(log: &[u8; ioctls::nvme::SMART_LOG]) -> Said {
    let [warnings, low, high, spare, _threshold, used, ..] = *log;
    let kelvin = i16::try_from(u16::from_le_bytes([low, high])).ok().filter(|kelvin| *kelvin > 0);
    Said {
        is_failing: Some(warnings & FAILING != 0),
        life_used_percent: Some(used),
        spare_percent: (spare <= 100).then_some(spare),
        temperature_celsius: kelvin.map(|kelvin| kelvin - ZERO_CELSIUS),
        power_on_hours: bounded(number(log, 128)),
        replaced_sectors: None,
        unreadable: bounded(number(log, 160)),
        ever_bytes: bounded(number(log, 48).saturating_mul(UNIT)),
    }
}

fn number(log: &[u8], place: usize) -> u128 {
    let bytes = log.get(place..place.saturating_add(16)).unwrap_or_default();
    bytes.try_into().map_or(0, u128::from_le_bytes)
}

/// What does not fit is nonsense.
fn bounded(number: u128) -> Option<u64> {
    u64::try_from(number).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A log as a drive of two years in a home server shows it.
    pub(in crate::health) fn log() -> [u8; 512] {
        let mut log = [0; 512];
        log[..6].copy_from_slice(&[0, 0x3B, 0x01, 100, 10, 7]);
        log[32..40].copy_from_slice(&21_540_992_u64.to_le_bytes());
        log[48..56].copy_from_slice(&38_003_417_u64.to_le_bytes());
        log[112..120].copy_from_slice(&61_u64.to_le_bytes());
        log[128..136].copy_from_slice(&17_288_u64.to_le_bytes());
        log[144..152].copy_from_slice(&19_u64.to_le_bytes());
        log
    }

    #[test]
    fn a_real_looking_log_is_read() {
        let expected = Said {
            is_failing: Some(false),
            life_used_percent: Some(7),
            spare_percent: Some(100),
            temperature_celsius: Some(42),
            power_on_hours: Some(17_288),
            replaced_sectors: None,
            unreadable: Some(0),
            ever_bytes: Some(38_003_417 * 512_000),
        };
        assert_eq!(decode(&log()), expected);
    }

    #[test]
    fn heat_is_no_failure_and_everything_else_is() {
        for (warnings, is_failing) in [(0, false), (1, true), (2, false), (4, true), (8, true), (16, true)] {
            let mut log = log();
            log[0] = warnings;
            assert_eq!(decode(&log).is_failing, Some(is_failing), "{warnings}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_logs_never_panic(bytes in proptest::collection::vec(any::<u8>(), 512)) {
            let said = decode(&bytes.try_into().unwrap());
            prop_assert!(said.spare_percent.is_none_or(|spare| spare <= 100));
        }
    }
}
