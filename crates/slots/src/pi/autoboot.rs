//! `autoboot.txt`, and what the firmware leaves in the device tree.

use std::fmt;
use std::str::FromStr;

use super::Boot;
use super::MAX_NUMBERS;
use super::Side;

/// Its name, on the first partition.
pub const FILE: &str = "autoboot.txt";

/// The name of a new `autoboot.txt` that was not put in place yet.
#[must_use]
pub fn numbered(number: u8) -> String {
    format!("autoboot.{number}")
}

/// The number in such a name.
#[must_use]
pub fn number_of(name: &str) -> Option<u8> {
    // FAT does not tell cases apart.
    let number = name.to_ascii_lowercase().strip_prefix("autoboot.")?.parse().ok()?;
    (number < MAX_NUMBERS).then_some(number)
}

/// How long the firmware lets the file be, in bytes.
pub const MAX_AUTOBOOT: usize = 512;

/// The content of `autoboot.txt`: which side boots; with the flag it is the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Autoboot {
    /// The side that boots without the flag.
    pub committed: Side,
}

/// The file is not as we write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutobootError {
    /// Longer than the firmware reads.
    #[error("autoboot.txt has more than {MAX_AUTOBOOT} bytes")]
    Long,
    /// Another content: damaged, or written by somebody else.
    #[error("autoboot.txt is not as this system writes it")]
    Content,
}

/// Why the device tree tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// Not four bytes.
    #[error("a number of the firmware has four bytes, not {length}")]
    Length {
        /// How many there are.
        length: usize,
    },
    /// A partition without a slot.
    #[error("the firmware started partition {number}, which is no slot")]
    Partition {
        /// Which.
        number: u32,
    },
}

impl Autoboot {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not, byte for byte, what [`Display`](fmt::Display) makes.
    pub fn decode(file: &[u8]) -> Result<Self, AutobootError> {
        if file.len() > MAX_AUTOBOOT {
            return Err(AutobootError::Long);
        }
        std::str::from_utf8(file).map_err(|_not_utf8| AutobootError::Content)?.parse()
    }
}

impl fmt::Display for Autoboot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (committed, tried) = (self.committed.partition(), self.committed.other().partition());
        write!(f, "[all]\ntryboot_a_b=1\nboot_partition={committed}\n[tryboot]\nboot_partition={tried}\n")
    }
}

impl FromStr for Autoboot {
    type Err = AutobootError;

    fn from_str(text: &str) -> Result<Self, AutobootError> {
        [Side::A, Side::B]
            .map(|committed| Self { committed })
            .into_iter()
            .find(|autoboot| autoboot.to_string() == text)
            .ok_or(AutobootError::Content)
    }
}

impl Boot {
    /// Reads the two files below `/proc/device-tree/chosen/bootloader`: `partition`, and `tryboot`, which may be missing. Each is a big-endian
    /// number of four bytes.
    ///
    /// # Errors
    /// When one is no such number, or the partition is no slot.
    pub fn read(partition: &[u8], tryboot: Option<&[u8]>) -> Result<Self, BootError> {
        let number = number(partition)?;
        let side = Side::of_partition(number).ok_or(BootError::Partition { number })?;
        let has_tryboot = tryboot.map(self::number).transpose()?.is_some_and(|flag| flag != 0);
        Ok(Self { side, has_tryboot })
    }
}

fn number(file: &[u8]) -> Result<u32, BootError> {
    file.try_into().map(u32::from_be_bytes).map_err(|_other_length| BootError::Length { length: file.len() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_file_is_as_documented() {
        let a = "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n";
        let b = "[all]\ntryboot_a_b=1\nboot_partition=3\n[tryboot]\nboot_partition=2\n";
        for (text, committed) in [(a, Side::A), (b, Side::B)] {
            assert_eq!(Autoboot { committed }.to_string(), text);
            assert_eq!(Autoboot::decode(text.as_bytes()), Ok(Autoboot { committed }));
        }
        assert_eq!(a.len(), b.len());
    }

    #[test]
    fn anything_else_is_refused() {
        let file = Autoboot { committed: Side::A }.to_string();
        for bad in [
            "",
            &file[..file.len() - 1],
            &file.replace('\n', "\r\n"),
            &file.replace('3', "2"),
            &(file.clone() + "\n"),
        ] {
            assert_eq!(Autoboot::decode(bad.as_bytes()), Err(AutobootError::Content), "{bad:?}");
        }
        assert_eq!(Autoboot::decode(&[b'['; MAX_AUTOBOOT + 1]), Err(AutobootError::Long));
        assert_eq!(Autoboot::decode(b"\xff"), Err(AutobootError::Content));
    }

    #[test]
    fn the_firmware_says_where_the_system_came_from() {
        let two = [0, 0, 0, 2].as_slice();
        let flag = [0, 0, 0, 1].as_slice();
        assert_eq!(Boot::read(two, None), Ok(Boot { side: Side::A, has_tryboot: false }));
        assert_eq!(Boot::read(two, Some(&[0; 4])), Ok(Boot { side: Side::A, has_tryboot: false }));
        assert_eq!(Boot::read(&[0, 0, 0, 3], Some(flag)), Ok(Boot { side: Side::B, has_tryboot: true }));
        assert_eq!(Boot::read(&[2, 0, 0, 0], None), Err(BootError::Partition { number: 0x0200_0000 }));
        assert_eq!(Boot::read(&[0, 0, 0, 1], None), Err(BootError::Partition { number: 1 }));
        assert_eq!(Boot::read(&[], None), Err(BootError::Length { length: 0 }));
        assert_eq!(Boot::read(two, Some(&[0; 5])), Err(BootError::Length { length: 5 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoders_panic(file in proptest::collection::vec(any::<u8>(), 0..80), cut in 0_usize..80) {
            prop_assert_eq!(Autoboot::decode(&file), Err(AutobootError::Content));
            let (partition, tryboot) = file.split_at(cut.min(file.len()));
            let _any_answer = Boot::read(partition, Some(tryboot));
        }
    }
}
