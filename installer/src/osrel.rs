//! The version in a slot file itself: section `.osrel`, line `IMAGE_VERSION`. The loader sorts by it, not by the file's name.
//!
//! Sources: UAPI.5 (Unified Kernel Image), os-release(5), "PE Format" of the Microsoft documentation.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use object::LittleEndian as LE;
use object::pe::ImageDosHeader;
use object::pe::ImageNtHeaders64;
use object::read::pe::ImageNtHeaders as _;
use slots::Version;
use slots::VersionError;

/// How much of a file's beginning is looked at: headers and section table, which take one page in files that we build.
pub const MAX_HEADERS: usize = 16 * 1024;
/// Longest `.osrel`, in bytes; ours has some 200.
pub const MAX_OS_RELEASE: usize = 4096;

const SECTION: &[u8] = b".osrel";
const KEY: &str = "IMAGE_VERSION";

/// Where a section's content lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// From the file's beginning.
    pub offset: u64,
    /// How long it is.
    pub length: usize,
}

/// Why a file tells no version.
#[derive(Debug, thiserror::Error)]
pub enum OsRelError {
    /// Reading.
    #[error("reading the slot file")]
    Read(#[source] io::Error),
    /// Another kind of file.
    #[error("it is no 64-bit program for the firmware")]
    Format,
    /// No such section, more than one, or one that is too long.
    #[error("it does not say once, in at most {MAX_OS_RELEASE} bytes, which system it is")]
    Section,
    /// No such line, or more than one.
    #[error("it does not say once which version it is")]
    Line,
    /// The line's text.
    #[error("what it calls its version is none")]
    Version(#[source] VersionError),
}

/// Reads the version.
///
/// # Errors
/// When the file does not tell one.
pub fn read(file: &File) -> Result<Version, OsRelError> {
    let headers = read_at(file, Extent { offset: 0, length: MAX_HEADERS })?;
    let extent = find(&headers)?;
    let section = read_at(file, extent)?;
    if section.len() != extent.length {
        return Err(OsRelError::Section);
    }
    image_version(&section)
}

/// Finds the section, from the file's first bytes.
///
/// # Errors
/// When it is no such file, or the section is not there once.
pub fn find(headers: &[u8]) -> Result<Extent, OsRelError> {
    let format = |_error| OsRelError::Format;
    let dos = ImageDosHeader::parse(headers).map_err(format)?;
    let mut offset = dos.nt_headers_offset().into();
    let (nt, _directories) = ImageNtHeaders64::parse(headers, &mut offset).map_err(format)?;
    let sections = nt.sections(headers, offset).map_err(format)?;
    let mut found = sections.iter().filter(|section| section.raw_name() == SECTION);
    let (Some(section), None) = (found.next(), found.next()) else { return Err(OsRelError::Section) };
    // What the file has beyond the size in memory is padding.
    let length = section.virtual_size.get(LE).min(section.size_of_raw_data.get(LE));
    let length = usize::try_from(length).ok().filter(|length| (1..=MAX_OS_RELEASE).contains(length));
    let length = length.ok_or(OsRelError::Section)?;
    Ok(Extent { offset: section.pointer_to_raw_data.get(LE).into(), length })
}

/// The version in the text of an os-release file.
///
/// # Errors
/// When no line or more than one tells it, or it is none.
pub fn image_version(text: &[u8]) -> Result<Version, OsRelError> {
    let text = std::str::from_utf8(text).map_err(|_not_utf8| OsRelError::Line)?;
    let value = |line: &str| line.trim().strip_prefix(KEY)?.strip_prefix('=').map(unquoted);
    let mut found = text.trim_end_matches('\0').lines().filter_map(value);
    match (found.next(), found.next()) {
        (Some(version), None) => version.parse().map_err(OsRelError::Version),
        _ => Err(OsRelError::Line),
    }
}

fn unquoted(value: &str) -> String {
    let bare = ['"', '\''].into_iter().find_map(|mark| value.strip_prefix(mark)?.strip_suffix(mark));
    bare.unwrap_or(value).to_owned()
}

/// As much as there is.
fn read_at(file: &File, extent: Extent) -> Result<Vec<u8>, OsRelError> {
    let mut bytes = vec![0; extent.length];
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let offset = extent.offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        match file.read_at(rest, offset) {
            Ok(0) => break,
            Ok(length) => done += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(OsRelError::Read(error)),
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// A file of headers, a section table and sections that lie behind each other.
    fn file(sections: &[(&[u8; 8], &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; 0x40];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x40;
        bytes.extend(b"PE\0\0\x64\x86");
        bytes.extend(u16::try_from(sections.len()).unwrap().to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend(240_u16.to_le_bytes());
        bytes.extend([0x22, 0]);
        let mut optional = vec![0; 240];
        optional[..2].copy_from_slice(&0x20b_u16.to_le_bytes());
        optional[108] = 16;
        bytes.extend(optional);
        let mut at = u32::try_from(bytes.len() + 40 * sections.len()).unwrap();
        for (name, data) in sections {
            let length = u32::try_from(data.len()).unwrap();
            bytes.extend(*name);
            bytes.extend(length.to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(length.to_le_bytes());
            bytes.extend(at.to_le_bytes());
            bytes.extend([0; 16]);
            at += length;
        }
        sections.iter().for_each(|(_, data)| bytes.extend(*data));
        bytes
    }

    fn version(bytes: &[u8]) -> Result<Version, OsRelError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(&file)
    }

    const OSREL: &[u8; 8] = b".osrel\0\0";
    const OTHER: &[u8; 8] = b".linux\0\0";

    #[test]
    fn the_version_is_found() {
        for text in ["ID=hearth\nIMAGE_VERSION=1.2\n", "IMAGE_VERSION=\"1.2\"", "IMAGE_VERSION='1.2'\n\0\0"] {
            let bytes = file(&[(OTHER, b"kernel"), (OSREL, text.as_bytes())]);
            assert_eq!(version(&bytes).unwrap().as_str(), "1.2", "{text:?}");
        }
    }

    #[test]
    fn what_is_unclear_is_refused() {
        let text = b"IMAGE_VERSION=1\n".as_slice();
        let whole = file(&[(OSREL, text)]);
        let cut = &whole[..whole.len() - 1];
        let long = [b'#'; MAX_OS_RELEASE + 1];
        for (bytes, why) in [
            (b"".as_slice(), "Format"),
            (b"MZ", "Format"),
            (&whole[..0x60], "Format"),
            (&file(&[(OTHER, text)]), "Section"),
            (&file(&[(OSREL, text), (OSREL, text)]), "Section"),
            (&file(&[(OSREL, b"")]), "Section"),
            (&file(&[(OSREL, &long)]), "Section"),
            (cut, "Section"),
            (&file(&[(OSREL, b"VERSION=1\n")]), "Line"),
            (&file(&[(OSREL, b"IMAGE_VERSION=1\nIMAGE_VERSION=2\n")]), "Line"),
            (&file(&[(OSREL, b"IMAGE_VERSION=\xff\n")]), "Line"),
            (&file(&[(OSREL, b"IMAGE_VERSION=1_0\n")]), "Version(Character)"),
        ] {
            assert_eq!(format!("{:?}", version(bytes).unwrap_err()), why);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..300, value in any::<u8>()) {
            let _any_answer = find(&bytes);
            let _any_answer = image_version(&bytes);
            let mut damaged = file(&[(OSREL, b"IMAGE_VERSION=1\n")]);
            damaged[at] = value;
            let _any_answer = version(&damaged);
        }
    }
}
