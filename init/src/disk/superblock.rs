//! The ext4 superblock, as far as init needs it (Documentation/filesystems/ext4/super.rst).

/// Where it starts in the file system, in bytes.
pub const OFFSET: u64 = 1024;
/// How long it is, in bytes.
pub const LENGTH: usize = 1024;

const MAGIC: u16 = 0xef53;
const STATE_CLEAN: u16 = 1;
const STATE_ERRORS: u16 = 2;
const INCOMPAT_64BIT: u32 = 0x80;
const RO_COMPAT_PROJECT: u32 = 0x2000;

/// What init looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Length of the file system in bytes.
    pub length: u64,
    /// Whether e2fsck must look before the mount. An unreplayed journal alone is no reason: the mount replays it.
    pub check: Check,
    /// Whether files belong to projects, whose use of the disk can be limited.
    pub counts_projects: bool,
}

/// Need for a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// May be mounted.
    NotNeeded,
    /// The kernel noticed damage, or the file system was never marked good.
    Needed,
}

/// Why the bytes are no superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExt4 {
    /// Too short.
    #[error("the superblock is cut")]
    Cut,
    /// Another content.
    #[error("there is no ext4 file system")]
    Magic,
    /// Sizes that ext4 does not have.
    #[error("the superblock says what cannot be")]
    Implausible,
}

/// Reads the superblock's bytes.
///
/// # Errors
/// When they are none.
pub fn parse(bytes: &[u8]) -> Result<Superblock, NotExt4> {
    if u16_at(bytes, 0x38)? != MAGIC {
        return Err(NotExt4::Magic);
    }
    let log_block_size = u32_at(bytes, 0x18)?;
    // 64 KiB is the largest block (EXT4_MAX_BLOCK_LOG_SIZE 16, less the 10 of 1 KiB).
    if log_block_size > 6 {
        return Err(NotExt4::Implausible);
    }
    let high = if u32_at(bytes, 0x60)? & INCOMPAT_64BIT == 0 { 0 } else { u32_at(bytes, 0x150)? };
    let blocks = (u64::from(high) << 32) | u64::from(u32_at(bytes, 0x4)?);
    let length = blocks.checked_mul(1024 << log_block_size).filter(|&length| length > 0);
    let state = u16_at(bytes, 0x3a)?;
    let damaged = state & STATE_ERRORS != 0 || state & STATE_CLEAN == 0 || u32_at(bytes, 0x194)? > 0;
    Ok(Superblock {
        length: length.ok_or(NotExt4::Implausible)?,
        check: if damaged { Check::Needed } else { Check::NotNeeded },
        counts_projects: u32_at(bytes, 0x64)? & RO_COMPAT_PROJECT != 0,
    })
}

fn u16_at(bytes: &[u8], offset: usize) -> Result<u16, NotExt4> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, NotExt4> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], NotExt4> {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().ok_or(NotExt4::Cut)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; LENGTH];
        let clean: [(usize, &[u8]); 4] =
            [(0x38, &[0x53, 0xef]), (0x3a, &[1, 0]), (0x18, &[2]), (0x4, &[0, 0, 4, 0])];
        for (offset, value) in clean.iter().chain(fields) {
            bytes[*offset..offset + value.len()].copy_from_slice(value);
        }
        bytes
    }

    #[test]
    fn a_clean_file_system_needs_no_check() {
        let clean = Superblock { length: 1 << 30, check: Check::NotNeeded, counts_projects: false };
        assert_eq!(parse(&block(&[])), Ok(clean));
        assert_eq!(parse(&block(&[(0x64, &[0, 0x20])])), Ok(Superblock { counts_projects: true, ..clean }));
    }

    #[test]
    fn an_unreplayed_journal_is_left_to_the_mount() {
        assert_eq!(parse(&block(&[(0x60, &[0x4])])).unwrap().check, Check::NotNeeded);
    }

    #[test]
    fn damage_wants_a_check() {
        for damage in [(0x3a, [3, 0]), (0x3a, [0, 0]), (0x194, [1, 0])] {
            assert_eq!(parse(&block(&[(damage.0, &damage.1)])).unwrap().check, Check::Needed, "{damage:?}");
        }
    }

    #[test]
    fn large_file_systems_count_in_64_bits() {
        assert_eq!(parse(&block(&[(0x60, &[0x80]), (0x150, &[1])])).unwrap().length, (1 << 44) + (1 << 30));
        assert_eq!(parse(&block(&[(0x150, &[1])])).unwrap().length, 1 << 30);
    }

    #[test]
    fn what_is_no_superblock_is_refused() {
        assert_eq!(parse(&[0; LENGTH]), Err(NotExt4::Magic));
        assert_eq!(parse(&[]), Err(NotExt4::Cut));
        assert_eq!(parse(&block(&[(0x18, &[7])])), Err(NotExt4::Implausible));
        assert_eq!(parse(&block(&[(0x4, &[0, 0, 0, 0])])), Err(NotExt4::Implausible));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..LENGTH), magic in any::<bool>()) {
            let mut bytes = bytes;
            if magic && bytes.len() > 0x40 {
                bytes[0x38..0x3a].copy_from_slice(&[0x53, 0xef]);
            }
            let _any_answer = parse(&bytes);
        }
    }
}
