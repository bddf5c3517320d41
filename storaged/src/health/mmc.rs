//! What soldered flash memory says of itself (JEDEC eMMC 5.1, section 7.4; drivers/mmc/core/mmc.c, "life_time", "pre_eol_info").
//! Memory cards have no such thing.

use super::Said;

/// Steps of a tenth; the last says that more than all of it is used.
const MOST: u8 = 0x0B;

/// Reads both files; what they do not define is not said.
#[must_use]
pub fn decode(life_time: &str, pre_eol_info: &str) -> Said {
    // Of the two kinds of memory inside, the one that is more worn counts.
    let used = life_time.split_whitespace().filter_map(byte).filter(|used| (1..=MOST).contains(used)).max();
    let end = byte(pre_eol_info.trim());
    Said {
        life_used_percent: used.map(|tenths| tenths.saturating_mul(10)),
        spare_percent: match end {
            Some(2) => Some(20),
            Some(3) => Some(10),
            _ => None,
        },
        is_failing: end.filter(|end| (1..=3).contains(end)).map(|end| end == 3),
        ..Said::default()
    }
}

fn byte(text: &str) -> Option<u8> {
    u8::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wear_is_that_of_the_more_worn_half() {
        for (life_time, end, used, spare, is_failing) in [
            ("0x01 0x01\n", "0x01\n", Some(10), None, Some(false)),
            ("0x02 0x09\n", "0x02\n", Some(90), Some(20), Some(false)),
            ("0x0b 0x00\n", "0x03\n", Some(110), Some(10), Some(true)),
            ("0x00 0x00\n", "0x00\n", None, None, None),
            ("0xff", "", None, None, None),
        ] {
            let said = decode(life_time, end);
            let told = (said.life_used_percent, said.spare_percent, said.is_failing);
            assert_eq!(told, (used, spare, is_failing), "{life_time} {end}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(life_time in ".{0,40}", end in ".{0,40}") {
            let said = decode(&life_time, &end);
            prop_assert!(said.life_used_percent.is_none_or(|used| used <= 110));
        }
    }
}
