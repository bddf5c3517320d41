//! What an ATA disk says of itself: the page of attributes, which makers agree on without a standard, and its own verdict
//! (ACS-3, section 7.48.8; SAT-4, section 12.2.2.6).

use super::Said;

/// Where attributes begin, how long one is, how many there are.
const ATTRIBUTES: usize = 2;
const ATTRIBUTE: usize = 12;
const MOST: usize = 30;
const REPLACED: u8 = 5;
const POWER_ON_HOURS: u8 = 9;
const TEMPERATURE: u8 = 194;
const PENDING: u8 = 197;
const UNCORRECTABLE: u8 = 198;
/// In sectors of 512 bytes with most makers; some count in larger pieces, so it may be told too low.
const WRITTEN: u8 = 241;
const SECTOR: u64 = 512;

/// Sense in descriptor format, and the descriptor "ATA Status Return" in it.
const DESCRIPTORS: u8 = 0x72;
const REGISTERS: u8 = 0x09;
/// Registers LBA mid and high: within the maker's thresholds, or beyond.
const GOOD: [u8; 2] = [0x4F, 0xC2];
const BAD: [u8; 2] = [0xF4, 0x2C];

/// Reads the page; nothing when its checksum is wrong.
#[must_use]
pub fn decode(page: &[u8; ioctls::ata::SMART_DATA]) -> Option<Said> {
    if page.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
        return None;
    }
    let raw = |id| raw(page, id);
    Some(Said {
        replaced_sectors: raw(REPLACED),
        unreadable: [raw(PENDING), raw(UNCORRECTABLE)].into_iter().flatten().max(),
        // The upper bytes of these hold minutes, or extremes of the past.
        power_on_hours: raw(POWER_ON_HOURS).map(|hours| hours & 0xFFFF_FFFF),
        temperature_celsius: raw(TEMPERATURE).map(|degrees| i16::from(degrees.to_le_bytes()[0])),
        ever_bytes: raw(WRITTEN).and_then(|sectors| sectors.checked_mul(SECTOR)),
        ..Said::default()
    })
}

/// The raw value of an attribute: 48 bits.
fn raw(page: &[u8], id: u8) -> Option<u64> {
    let attributes = page.get(ATTRIBUTES..)?.chunks_exact(ATTRIBUTE).take(MOST);
    let found = attributes.into_iter().find(|attribute| attribute.first() == Some(&id))?;
    let mut number = [0; 8];
    number.get_mut(..6)?.copy_from_slice(found.get(5..11)?);
    Some(u64::from_le_bytes(number))
}

/// Whether the disk says that it is failing, from the sense behind SMART RETURN STATUS; nothing when it says neither.
#[must_use]
pub fn verdict(sense: &[u8; ioctls::ata::SENSE]) -> Option<bool> {
    if sense[0] & 0x7F != DESCRIPTORS || sense[8] != REGISTERS {
        return None;
    }
    match [sense[17], sense[19]] {
        GOOD => Some(false),
        BAD => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (id, value, raw) as a disk of 2 TB with a few bad sectors shows them.
    const SHOWN: [(u8, u8, u64); 9] = [
        (1, 117, 143_224_552),
        (3, 96, 0),
        (5, 100, 24),
        (9, 61, 0x0A3C_0000_8689),
        (12, 100, 97),
        (194, 34, 0x000F_0000_0022),
        (197, 100, 8),
        (198, 100, 8),
        (241, 100, 48_828_125_000),
    ];

    fn page() -> [u8; 512] {
        let mut page = [0; 512];
        page[0] = 10;
        for ((id, value, raw), place) in SHOWN.into_iter().zip(page[2..362].chunks_exact_mut(12)) {
            place[..5].copy_from_slice(&[id, 0x32, 0, value, value]);
            place[5..11].copy_from_slice(&raw.to_le_bytes()[..6]);
        }
        sum_up(&mut page);
        page
    }

    fn sum_up(page: &mut [u8; 512]) {
        page[511] = 0;
        page[511] = 0_u8.wrapping_sub(page.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
    }

    fn sense(mid: u8, high: u8) -> [u8; 32] {
        let mut sense = [0; 32];
        sense[..8].copy_from_slice(&[0x72, 0x01, 0x00, 0x1D, 0, 0, 0, 14]);
        sense[8..22].copy_from_slice(&[0x09, 0x0C, 0, 0, 0, 0, 0, 0, 0, mid, 0, high, 0, 0x50]);
        sense
    }

    #[test]
    fn a_real_looking_page_is_read() {
        let expected = Said {
            replaced_sectors: Some(24),
            unreadable: Some(8),
            power_on_hours: Some(34_441),
            temperature_celsius: Some(34),
            ever_bytes: Some(48_828_125_000 * 512),
            ..Said::default()
        };
        assert_eq!(decode(&page()), Some(expected));
    }

    #[test]
    fn a_page_with_a_wrong_checksum_says_nothing() {
        let mut page = page();
        page[40] ^= 1;
        assert_eq!(decode(&page), None);
        assert_eq!(decode(&[0; 512]), Some(Said::default()));
    }

    #[test]
    fn the_verdict_is_in_the_registers() {
        assert_eq!(verdict(&sense(0x4F, 0xC2)), Some(false));
        assert_eq!(verdict(&sense(0xF4, 0x2C)), Some(true));
        assert_eq!(verdict(&sense(0, 0)), None);
        // Fixed format, which some bridges answer in, holds no such descriptor.
        let mut fixed = sense(0xF4, 0x2C);
        fixed[0] = 0x70;
        assert_eq!(verdict(&fixed), None);
    }

    proptest! {
        #[test]
        fn arbitrary_pages_and_senses_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 512),
            sense in proptest::collection::vec(any::<u8>(), 32),
        ) {
            let mut page: [u8; 512] = bytes.try_into().unwrap();
            sum_up(&mut page);
            prop_assert!(decode(&page).is_some());
            let _either = verdict(&sense.try_into().unwrap());
        }
    }
}
