//! Variables of the Boot Loader Interface, as files of efivarfs.
//!
//! Such a file has four bytes of attributes (little-endian, `Documentation/filesystems/efivarfs.rst`), then the value: UTF-16LE, with a
//! zero at the end.

/// Vendor GUID of the Boot Loader Interface; a variable's file is `<name>-<GUID>`.
pub const VENDOR: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// The entry that was started.
pub const SELECTED: &str = "LoaderEntrySelected";
/// The entry whose try was counted, as a path from the root of its partition.
pub const COUNTED: &str = "LoaderBootCountPath";
/// Name and version of the loader.
pub const INFO: &str = "LoaderInfo";
/// The entry to choose once; the loader removes the variable before it does. Entries are named in lower case.
pub const ONE_SHOT: &str = "LoaderEntryOneShot";

/// How long a variable's file may be, in bytes: attributes and 511 characters.
pub const MAX_FILE: usize = 4 + 2 * 512;

/// Non-volatile, for boot services and the running system (UEFI 2.10, 8.2).
const ATTRIBUTES: u32 = 0x7;

/// Why a variable's file tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// No attributes, or half a character.
    #[error("the variable is cut")]
    Cut,
    /// Longer than [`MAX_FILE`].
    #[error("the variable has more than {MAX_FILE} bytes")]
    Long,
    /// No UTF-16, or more behind the end.
    #[error("the variable is no text")]
    Text,
}

/// Reads a variable's file.
///
/// # Errors
/// When it is cut, too long or no text.
pub fn decode(file: &[u8]) -> Result<String, VariableError> {
    if file.len() > MAX_FILE {
        return Err(VariableError::Long);
    }
    let value = file.get(4..).ok_or(VariableError::Cut)?;
    let (pairs, rest) = value.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(VariableError::Cut);
    }
    let mut units: Vec<u16> = pairs.iter().copied().map(u16::from_le_bytes).collect();
    // One zero ends it; the loader always writes it, other programs forget it.
    units.pop_if(|last| *last == 0);
    if units.contains(&0) {
        return Err(VariableError::Text);
    }
    String::from_utf16(&units).map_err(|_not_utf16| VariableError::Text)
}

/// Makes the file of a variable that lasts until the loader removes it.
///
/// # Errors
/// When the text is too long or has a zero in it.
pub fn encode(text: &str) -> Result<Vec<u8>, VariableError> {
    if text.contains('\0') {
        return Err(VariableError::Text);
    }
    let units = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
    let file: Vec<u8> = ATTRIBUTES.to_le_bytes().into_iter().chain(units).collect();
    if file.len() > MAX_FILE { Err(VariableError::Long) } else { Ok(file) }
}

/// Whether the loader is the one whose behaviour this crate relies on. `info` is the text of [`INFO`], such as `systemd-boot 257.13-1`.
#[must_use]
pub fn is_systemd_boot(info: &str) -> bool {
    info.split_once(' ').is_some_and(|(name, version)| name == "systemd-boot" && !version.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_variable_is_read() {
        let file = b"\x06\0\0\0h\0i\0\0\0";
        assert_eq!(decode(file).as_deref(), Ok("hi"));
        assert_eq!(decode(&file[..8]).as_deref(), Ok("hi"));
        assert_eq!(decode(&file[..4]).as_deref(), Ok(""));
        assert_eq!(encode("hi").unwrap(), b"\x07\0\0\0h\0i\0\0\0");
    }

    #[test]
    fn damage_is_told() {
        for (file, why) in [
            (b"".as_slice(), VariableError::Cut),
            (b"\x06\0\0", VariableError::Cut),
            (b"\x06\0\0\0h", VariableError::Cut),
            (b"\x06\0\0\0\x00\xd8", VariableError::Text),
            (b"\x06\0\0\0h\0\0\0i\0", VariableError::Text),
            (b"\x06\0\0\0h\0\0\0\0\0", VariableError::Text),
            (&[0; MAX_FILE + 1], VariableError::Long),
        ] {
            assert_eq!(decode(file), Err(why), "{file:?}");
        }
        assert_eq!(encode("a\0b"), Err(VariableError::Text));
        assert_eq!(encode(&"a".repeat(512)), Err(VariableError::Long));
        assert_eq!(encode(&"a".repeat(511)).unwrap().len(), MAX_FILE);
    }

    #[test]
    fn the_loader_says_who_it_is() {
        assert!(is_systemd_boot("systemd-boot 257.13-1~deb13u1"));
        for other in ["", "systemd-boot", "systemd-boot ", "GRUB 2.12", "systemd-stub 257"] {
            assert!(!is_systemd_boot(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[^\0]{0,60}") {
            prop_assert_eq!(decode(&encode(&text).unwrap()), Ok(text));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(file in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(text) = decode(&file) {
                prop_assert!(text.encode_utf16().count() * 2 <= file.len());
            }
        }
    }
}
