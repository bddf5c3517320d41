//! The loader itself: replaced by the one that the running system carries, when that is newer.
//!
//! Only a system that is kept does so, with nothing armed, and never in one boot with an installation: whatever does not start afterwards,
//! it is known what was changed. Each file is written aside, read back from the disk and renamed on top, first the one that the firmware's
//! entry names, then the one that it falls back to; after a cut both are whole.

use std::fs::File;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use object::pe::IMAGE_DIRECTORY_ENTRY_SECURITY;
use object::pe::ImageDosHeader;
use object::pe::ImageNtHeaders64;
use object::read::pe::ImageNtHeaders as _;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::approve::Hash;
use crate::durable;
use crate::places::Places;
use crate::read_back;

/// Longest loader, in bytes; systemd-boot has some 130 KiB.
pub const MAX_LOADER: usize = 4 << 20;
/// What systemd-boot says of itself in a section of its own (`.sdmagic`), which bootctl(1) compares as well.
const MARK: &[u8] = b"#### LoaderInfo: systemd-boot ";
const END: &[u8] = b" ####";
/// Longest version behind the mark, in bytes.
const MAX_VERSION: usize = 64;
/// Where it is written first.
const ASIDE: &str = "hearth-loader.new";

/// The loader's names for this processor, from the root of the boot partition.
#[cfg(target_arch = "x86_64")]
const NAMES: [&str; 2] = ["EFI/systemd/systemd-bootx64.efi", "EFI/BOOT/BOOTX64.EFI"];
/// The loader's names for this processor, from the root of the boot partition.
#[cfg(target_arch = "aarch64")]
const NAMES: [&str; 2] = ["EFI/systemd/systemd-bootaa64.efi", "EFI/BOOT/BOOTAA64.EFI"];

/// Why the loader was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// A file.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The new one says nothing of itself.
    #[error("the loader that this system carries does not say which version it is")]
    NoVersion,
    /// Firmware with Secure Boot would not start it.
    #[error("the loader that this system carries is not signed, and the one that starts the box is")]
    Unsigned,
    /// The disk changed it.
    #[error("the disk does not hold what was written to it")]
    Differs,
}

/// Folders of the loader on the boot partition.
#[must_use]
pub fn folders(places: &Places) -> Vec<PathBuf> {
    let paths = NAMES.iter().map(|name| places.esp.join(name));
    paths.filter_map(|path| path.parent().map(Path::to_owned)).collect()
}

/// Replaces what is older; true when something was. A system that carries no loader replaces nothing.
///
/// # Errors
/// When a file cannot be replaced; the one before is still there, whole.
pub fn replace(places: &Places) -> Result<bool, LoaderError> {
    let carried = Path::new(NAMES[0]).file_name().map(|name| places.trust.join(name)).unwrap_or_default();
    let Some(new) = read(&carried)? else { return Ok(false) };
    let mut is_changed = false;
    for path in NAMES.iter().map(|name| places.esp.join(name)) {
        let Some(old) = read(&path)? else { continue };
        if is_wanted(&new, &old)? {
            put(&path, &new)?;
            is_changed = true;
        }
    }
    Ok(is_changed)
}

/// Whether a loader takes the place of another. One that is no systemd-boot is somebody else's.
///
/// # Errors
/// When the new one says no version, or is not signed where the old one is.
pub fn is_wanted(new: &[u8], old: &[u8]) -> Result<bool, LoaderError> {
    let version = version(new).ok_or(LoaderError::NoVersion)?;
    let is_newer = self::version(old).is_some_and(|old| slots::compare(version, old).is_gt());
    if is_newer && is_signed(old) && !is_signed(new) {
        return Err(LoaderError::Unsigned);
    }
    Ok(is_newer)
}

/// The version that a loader says of itself.
#[must_use]
pub fn version(file: &[u8]) -> Option<&str> {
    let from = file.windows(MARK.len()).position(|window| window == MARK)?.checked_add(MARK.len())?;
    let rest = file.get(from..)?;
    let rest = rest.get(..rest.len().min(MAX_VERSION + END.len()))?;
    let length = rest.windows(END.len()).position(|window| window == END)?;
    std::str::from_utf8(rest.get(..length)?).ok().filter(|text| !text.is_empty())
}

/// Whether it carries a signature at all; whether that is good is the firmware's to say.
#[must_use]
pub fn is_signed(file: &[u8]) -> bool {
    let signature = || {
        let dos = ImageDosHeader::parse(file).ok()?;
        let mut offset = dos.nt_headers_offset().into();
        let (_nt, directories) = ImageNtHeaders64::parse(file, &mut offset).ok()?;
        directories.get(IMAGE_DIRECTORY_ENTRY_SECURITY).copied()
    };
    signature().is_some_and(|entry| entry.size.get(object::LittleEndian) > 0)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, LoaderError> {
    match durable::read(path, MAX_LOADER) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LoaderError::Io { doing: "reading", path: path.to_owned(), source }),
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), LoaderError> {
    let folder = path.parent().unwrap_or(path);
    let aside = folder.join(ASIDE);
    let failed = |doing| {
        let path = path.to_owned();
        move |source| LoaderError::Io { doing, path: path.clone(), source }
    };
    let write = || {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(&aside, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(bytes)?;
        file.sync_all()?;
        let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let direct = File::from(rustix::fs::open(&aside, flags, Mode::empty())?);
        read_back::hash(&direct, u64::try_from(MAX_LOADER).unwrap_or(u64::MAX), &mut |_| ())
    };
    if write().map_err(failed("writing"))?.sha256 != Hash::of(bytes) {
        return Err(LoaderError::Differs);
    }
    let settle = || {
        std::fs::rename(&aside, path)?;
        let folder = File::open(folder)?;
        rustix::fs::syncfs(&folder)?;
        folder.sync_all()
    };
    settle().map_err(failed("replacing"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A program with headers, signed or not, that says its version.
    fn loader(version: &str, is_signed: bool) -> Vec<u8> {
        let mut bytes = vec![0; 0x40];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x40;
        bytes.extend(b"PE\0\0\x64\x86\0\0");
        bytes.extend([0; 12]);
        bytes.extend([240, 0, 0x22, 0]);
        let mut optional = vec![0; 240];
        optional[..2].copy_from_slice(&0x20b_u16.to_le_bytes());
        optional[108] = 16;
        let entry = 112 + 8 * IMAGE_DIRECTORY_ENTRY_SECURITY;
        [optional[entry], optional[entry + 4]] = [u8::from(is_signed); 2];
        bytes.extend(optional);
        bytes.extend(format!("#### LoaderInfo: systemd-boot {version} ####\0").bytes());
        bytes
    }

    #[test]
    fn only_a_newer_one_of_the_same_kind_is_wanted() {
        let old = loader("257.9-1", false);
        for (new, expected) in [("257.13-1~deb13u1", true), ("258", true), ("257.9-1", false), ("256", false)]
        {
            assert_eq!(is_wanted(&loader(new, false), &old).unwrap(), expected, "{new}");
        }
        assert!(!is_wanted(&loader("258", false), b"somebody else's").unwrap());
        assert!(matches!(is_wanted(b"nothing", &old), Err(LoaderError::NoVersion)));
        let long = loader(&"2".repeat(MAX_VERSION + 1), false);
        assert!(matches!(is_wanted(&long, &old), Err(LoaderError::NoVersion)));
    }

    #[test]
    fn a_box_with_secure_boot_keeps_a_signed_one() {
        let signed = loader("257", true);
        assert!(is_signed(&signed) && !is_signed(&loader("257", false)) && !is_signed(b"MZ"));
        assert!(matches!(is_wanted(&loader("258", false), &signed), Err(LoaderError::Unsigned)));
        assert!(is_wanted(&loader("258", true), &signed).unwrap());
    }

    #[test]
    fn both_files_are_replaced_and_what_is_missing_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let places = Places { esp: at("esp"), trust: at("trust"), ..Places::default() };
        assert!(!replace(&places).unwrap());
        fs::create_dir_all(&places.trust).unwrap();
        for folder in folders(&places) {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(places.trust.join("systemd-bootx64.efi"), loader("258", false)).unwrap();
        assert!(!replace(&places).unwrap());
        for name in NAMES {
            fs::write(places.esp.join(name), loader("257", false)).unwrap();
        }
        assert!(replace(&places).unwrap() && !replace(&places).unwrap());
        for name in NAMES {
            let path = places.esp.join(name);
            assert_eq!(fs::read(&path).unwrap(), loader("258", false));
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        }
    }
}
