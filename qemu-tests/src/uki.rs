//! A slot file (UKI) as its bytes: tests look at its parts and damage them in place.
//!
//! Only the section table of the PE format is read ("PE Format", Microsoft; sections "MS-DOS Stub" to "Section Table").

use std::ops::Range;

/// Bytes of one entry of the section table.
const ENTRY: usize = 40;

/// A slot file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uki {
    bytes: Vec<u8>,
    sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    name: [u8; 8],
    /// Where the entry is in the file.
    entry: usize,
    /// Where the content is in the file, as long as it is said to be.
    content: Range<usize>,
    /// Bytes reserved for it in the file.
    room: usize,
}

/// Why bytes are no slot file, or a change does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UkiError {
    /// No PE file.
    #[error("not a PE file: {0}")]
    Format(&'static str),
    /// A section is not there.
    #[error("the slot file has no section {0}")]
    NoSection(String),
    /// The new content is longer than the old one's place.
    #[error("{wanted} bytes do not fit into section {name}, which has {room}")]
    NoRoom {
        /// The section.
        name: String,
        /// Length of the new content.
        wanted: usize,
        /// Length of the place.
        room: usize,
    },
}

impl Uki {
    /// Reads the section table.
    ///
    /// # Errors
    /// When this is no PE file or a section lies outside of it.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, UkiError> {
        let format = |what| move || UkiError::Format(what);
        if bytes.get(..2) != Some(b"MZ") {
            return Err(UkiError::Format("no MZ"));
        }
        let header = number(&bytes, 0x3c, 4).ok_or_else(format("it is too short"))?;
        if bytes.get(header..header.saturating_add(4)) != Some(b"PE\0\0") {
            return Err(UkiError::Format("no PE signature"));
        }
        let count = number(&bytes, header + 6, 2).ok_or_else(format("the file header is cut"))?;
        let optional = number(&bytes, header + 20, 2).ok_or_else(format("the file header is cut"))?;
        let table = header + 24 + optional;
        let sections = (0..count)
            .map(|index| {
                section(&bytes, table + index * ENTRY)
                    .ok_or_else(format("a section lies outside of the file"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { bytes, sections })
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The content of a section, such as `.initrd`.
    ///
    /// # Errors
    /// When there is no such section.
    pub fn section(&self, name: &str) -> Result<&[u8], UkiError> {
        let content = self.find(name)?.content.clone();
        self.bytes.get(content).ok_or(UkiError::Format("a section lies outside of the file"))
    }

    /// The kernel command line.
    ///
    /// # Errors
    /// When there is none.
    pub fn command_line(&self) -> Result<String, UkiError> {
        let text = String::from_utf8_lossy(self.section(".cmdline")?);
        Ok(text.trim_end_matches(['\0', '\n', ' ']).to_owned())
    }

    /// Puts other content into a section, at most as long as its place in the file.
    ///
    /// # Errors
    /// When there is no such section or the content does not fit.
    pub fn replace(&mut self, name: &str, content: &[u8]) -> Result<(), UkiError> {
        let section = self.find(name)?.clone();
        let too_long = UkiError::NoRoom { name: name.to_owned(), wanted: content.len(), room: section.room };
        if content.len() > section.room {
            return Err(too_long);
        }
        let start = section.content.start;
        let outside = UkiError::Format("a section lies outside of the file");
        let place = self.bytes.get_mut(start..start + section.room).ok_or_else(|| outside.clone())?;
        place.fill(0);
        place.iter_mut().zip(content).for_each(|(old, new)| *old = *new);
        let length = u32::try_from(content.len()).map_err(|_too_long| too_long)?;
        let entry = section.entry;
        self.bytes.get_mut(entry + 8..entry + 12).ok_or(outside)?.copy_from_slice(&length.to_le_bytes());
        *self = Self::parse(std::mem::take(&mut self.bytes))?;
        Ok(())
    }

    fn find(&self, name: &str) -> Result<&Section, UkiError> {
        let mut padded = [0; 8];
        padded.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
        let found = self.sections.iter().find(|section| section.name == padded);
        found.ok_or_else(|| UkiError::NoSection(name.to_owned()))
    }
}

fn section(bytes: &[u8], entry: usize) -> Option<Section> {
    let name = bytes.get(entry..entry.checked_add(8)?)?.try_into().ok()?;
    let length = number(bytes, entry + 8, 4)?;
    let room = number(bytes, entry + 16, 4)?;
    let start = number(bytes, entry + 20, 4)?;
    let end = start.checked_add(length.min(room))?;
    (start.checked_add(room)? <= bytes.len()).then_some(Section { name, entry, content: start..end, room })
}

/// A little-endian number of at most four bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| (number << 8) | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prelude::proptest;

    /// A file with two sections, the second one's content at 0x200 with 0x20 bytes of room.
    fn file() -> Vec<u8> {
        let mut bytes = vec![0; 0x220];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x40;
        bytes[0x40..0x44].copy_from_slice(b"PE\0\0");
        bytes[0x46] = 2;
        bytes[0x54] = 8;
        let table = 0x40 + 24 + 8;
        for (index, (name, length, room, start)) in
            [(b".text\0\0\0", 4_u32, 4_u32, 0x100_u32), (b".cmdline", 9, 0x20, 0x200)].into_iter().enumerate()
        {
            let entry = table + index * ENTRY;
            bytes[entry..entry + 8].copy_from_slice(name);
            bytes[entry + 8..entry + 12].copy_from_slice(&length.to_le_bytes());
            bytes[entry + 16..entry + 20].copy_from_slice(&room.to_le_bytes());
            bytes[entry + 20..entry + 24].copy_from_slice(&start.to_le_bytes());
        }
        bytes[0x200..0x209].copy_from_slice(b"a=1 b=2\n\0");
        bytes
    }

    #[test]
    fn sections_are_read_and_replaced_in_place() {
        let mut uki = Uki::parse(file()).unwrap();
        assert_eq!(uki.command_line().unwrap(), "a=1 b=2");
        uki.replace(".cmdline", b"a=1 b=3 c=4").unwrap();
        assert_eq!(uki.section(".cmdline").unwrap(), b"a=1 b=3 c=4");
        assert_eq!(uki.bytes().len(), file().len());
        uki.replace(".cmdline", b"a").unwrap();
        assert_eq!(uki.section(".cmdline").unwrap(), b"a");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut uki = Uki::parse(file()).unwrap();
        assert!(matches!(uki.replace(".cmdline", &[1; 0x21]), Err(UkiError::NoRoom { room: 0x20, .. })));
        assert_eq!(uki.section(".linux"), Err(UkiError::NoSection(".linux".to_owned())));
        let mut cut = file();
        cut.truncate(0x210);
        Uki::parse(cut).unwrap_err();
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..600), at in 0_usize..0x220) {
            drop(Uki::parse(bytes.clone()));
            let mut near = file();
            near[at] = bytes.first().copied().unwrap_or_default();
            drop(Uki::parse(near));
        }
    }
}
