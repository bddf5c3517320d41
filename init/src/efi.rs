//! What the loader said of this boot, read from efivarfs, and the slots that it chose from (docs/spec/slots.md).

use std::fs;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use slots::Notes;
use slots::uefi;
use slots::uefi::Boot;
use slots::uefi::FileName;
use slots::uefi::Seen;
use slots::uefi::variable;

/// Where efivarfs is mounted.
pub const EFIVARS: &str = "/sys/firmware/efi/efivars";
/// How many names in the folder of slots are looked at.
const MAX_NAMES: usize = 4096;

/// A text variable of the loader, if there is one.
#[must_use]
pub fn loader_variable(folder: &Path, name: &str) -> Option<String> {
    let text = variable::decode(&read(folder, name)?).ok();
    text.filter(|text| !text.is_empty())
}

/// What runs and what lies beside it, without notes: those lie on the data partition. What cannot be read is not there, and then the system
/// counts as kept: it is never rebooted for that.
#[must_use]
pub fn slots(folder: &Path, esp: &Path) -> Seen {
    let selected = read(folder, variable::SELECTED);
    let counted = read(folder, variable::COUNTED);
    let entries = fs::read_dir(esp.join(uefi::FOLDER)).into_iter().flatten().take(MAX_NAMES).flatten();
    Seen {
        names: entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect(),
        boot: Boot::read(selected.as_deref(), counted.as_deref()),
        notes: Notes::default(),
    }
}

/// The slot file that runs, for reading; none where the loader did not start one.
#[must_use]
pub fn running_system(folder: &Path, esp: &Path) -> Option<File> {
    let seen = slots(folder, esp);
    let version = seen.running().ok()?.version;
    let name = seen.names.iter().find(|name| name.version == version && name.is_visible())?;
    File::open(esp.join(uefi::FOLDER).join(name.to_string())).ok()
}

fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    let file = File::open(folder.join(format!("{name}-{}", variable::VENDOR))).ok()?;
    let mut bytes = Vec::new();
    let bound = u64::try_from(variable::MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Name of the running slot: the loader's entry, else the command line's word, else `direct`.
#[must_use]
pub fn slot_name(entry: Option<&str>, word: Option<&str>) -> String {
    let version = entry.and_then(|entry| entry.parse::<FileName>().ok()).map(|name| name.version);
    version
        .map(|version| format!("hearth_{version}"))
        .or_else(|| word.and_then(checked))
        .unwrap_or_else(|| "direct".to_owned())
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
        let file = folder.path().join(format!("LoaderEntrySelected-{}", variable::VENDOR));
        fs::write(file, variable("hearth_1.0+2-1.efi")).unwrap();
        let entry = loader_variable(folder.path(), "LoaderEntrySelected");
        assert_eq!(entry.as_deref(), Some("hearth_1.0+2-1.efi"));
        assert_eq!(loader_variable(folder.path(), "LoaderDevicePartUUID"), None);
        let file = folder.path().join(format!("LoaderEntrySelected-{}", variable::VENDOR));
        let long = [6; variable::MAX_FILE + 1];
        for damaged in [b"".as_slice(), b"\x06\0\0", b"\x06\0\0\0\0\0", b"\x06\0\0\0\x00\xd8", &long] {
            fs::write(&file, damaged).unwrap();
            assert_eq!(loader_variable(folder.path(), variable::SELECTED), None, "{damaged:?}");
        }
    }

    #[test]
    fn slot_names_have_no_counters_and_no_suffix() {
        for (entry, word, expected) in [
            (Some("hearth_1.0.efi"), None, "hearth_1.0"),
            (Some("hearth_1.0+2-1.efi"), Some("word"), "hearth_1.0"),
            (Some("hearth_1.0+3.EFI"), None, "hearth_1.0"),
            (Some("a b.efi"), Some("word"), "word"),
            (Some("debian.efi"), None, "direct"),
            (Some("+1.efi"), None, "direct"),
            (None, Some("test"), "test"),
            (None, Some("bad/name"), "direct"),
            (None, None, "direct"),
        ] {
            assert_eq!(slot_name(entry, word), expected, "{entry:?}");
        }
    }

    #[test]
    fn a_trial_is_seen_until_the_slot_is_good() {
        let folder = tempfile::tempdir().unwrap();
        let slots_folder = folder.path().join(uefi::FOLDER);
        let standing = || slots(folder.path(), folder.path()).running().map(|running| running.standing);
        standing().unwrap_err();
        fs::create_dir_all(&slots_folder).unwrap();
        let file = folder.path().join(format!("LoaderEntrySelected-{}", variable::VENDOR));
        fs::write(file, variable("hearth_2+1-0.efi")).unwrap();
        assert!(running_system(folder.path(), folder.path()).is_none());
        fs::write(slots_folder.join("hearth_2+0-1.efi"), "the second").unwrap();
        fs::write(slots_folder.join("hearth_1.efi"), "the first").unwrap();
        let mut running = String::new();
        running_system(folder.path(), folder.path()).unwrap().read_to_string(&mut running).unwrap();
        assert_eq!(running, "the second");
        assert_eq!(standing(), Ok(::slots::Standing::OnTrial));
        fs::rename(slots_folder.join("hearth_2+0-1.efi"), slots_folder.join("hearth_2.efi")).unwrap();
        assert_eq!(standing(), Ok(::slots::Standing::Kept));
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
