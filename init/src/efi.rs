//! EFI variables of the boot loader interface (systemd's BOOT_LOADER_INTERFACE), read from efivarfs.

use std::fs;
use std::path::Path;

/// Where efivarfs is mounted.
pub const EFIVARS: &str = "/sys/firmware/efi/efivars";

/// Vendor GUID of the boot loader interface.
const LOADER: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// A text variable of the loader, if there is one.
#[must_use]
pub fn loader_variable(folder: &Path, name: &str) -> Option<String> {
    decode(&fs::read(folder.join(format!("{name}-{LOADER}"))).ok()?)
}

/// Four bytes of attributes (efivarfs.rst), then UTF-16 with or without a final zero.
fn decode(content: &[u8]) -> Option<String> {
    let units: Vec<u16> = content
        .get(4..)?
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok().map(u16::from_le_bytes))
        .take_while(|&unit| unit != 0)
        .collect();
    String::from_utf16(&units).ok().filter(|text| !text.is_empty())
}

/// Name of the running slot: the loader's entry, else the command line's word, else `direct`.
#[must_use]
pub fn slot_name(entry: Option<&str>, word: Option<&str>) -> String {
    entry.and_then(entry_stem).or_else(|| word.and_then(checked)).unwrap_or_else(|| "direct".to_owned())
}

/// `hearth_1.2+3-1.efi` → `hearth_1.2`.
fn entry_stem(entry: &str) -> Option<String> {
    let name = entry.rsplit(['/', '\\']).next().unwrap_or(entry);
    let stem = match name.len().checked_sub(4) {
        Some(end) if name.get(end..).is_some_and(|suffix| suffix.eq_ignore_ascii_case(".efi")) => {
            name.get(..end)?
        }
        _ => name,
    };
    checked(stem.split('+').next()?)
}

/// A slot's name goes into console lines and file names.
fn checked(name: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~');
    let fine = (1..=100).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.');
    fine.then(|| name.to_owned())
}

/// A GUID's text as the 16 bytes of a GPT: the first three fields little-endian (UEFI 2.10, appendix A).
#[must_use]
pub fn guid(text: &str) -> Option<[u8; 16]> {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let groups: Vec<&str> = text.split('-').collect();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
        return None;
    }
    let digits: Vec<u8> =
        groups.concat().chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let mut bytes = [0; 16];
    for (&place, pair) in ORDER.iter().zip(digits.chunks_exact(2)) {
        *bytes.get_mut(place)? = (pair.first()? << 4) | pair.get(1)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(text: &str) -> Vec<u8> {
        [6, 0, 0, 0].into_iter().chain(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes)).collect()
    }

    #[test]
    fn a_loader_variable_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("LoaderEntrySelected-{LOADER}"));
        fs::write(file, variable("hearth_1.0+2-1.efi")).unwrap();
        let entry = loader_variable(folder.path(), "LoaderEntrySelected");
        assert_eq!(entry.as_deref(), Some("hearth_1.0+2-1.efi"));
        assert_eq!(loader_variable(folder.path(), "LoaderDevicePartUUID"), None);
        for damaged in [b"".as_slice(), b"\x06\0\0", b"\x06\0\0\0", b"\x06\0\0\0\0\0", b"\x06\0\0\0\x00\xd8"]
        {
            assert_eq!(decode(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn slot_names_have_no_counters_and_no_suffix() {
        for (entry, word, expected) in [
            (Some("hearth_1.0.efi"), None, "hearth_1.0"),
            (Some("hearth_1.0+2-1.efi"), Some("word"), "hearth_1.0"),
            (Some("hearth_1.0+3.EFI"), None, "hearth_1.0"),
            (Some("\\EFI\\Linux\\hearth_2.efi"), None, "hearth_2"),
            (Some("a b.efi"), Some("word"), "word"),
            (Some("+1.efi"), None, "direct"),
            (None, Some("test"), "test"),
            (None, Some("bad/name"), "direct"),
            (None, None, "direct"),
        ] {
            assert_eq!(slot_name(entry, word), expected, "{entry:?}");
        }
    }

    #[test]
    fn guids_are_mixed_endian() {
        let esp = guid("C12A7328-F81F-11D2-BA4B-00A0C93EC93B").unwrap();
        assert_eq!(
            esp,
            [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b]
        );
        assert_eq!(guid("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"), Some(esp));
        for bad in
            ["", "C12A7328F81F11D2BA4B00A0C93EC93B", "G12A7328-F81F-11D2-BA4B-00A0C93EC93B", "--------"]
        {
            assert_eq!(guid(bad), None, "{bad}");
        }
    }
}
