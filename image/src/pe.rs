//! The few fields of a PE file (PE32+) that appending sections and signing touch.
//!
//! Source: "PE Format" of the Microsoft documentation. Every access is checked: a damaged stub is an error, not a panic.

/// Offset of the field that holds the offset of the PE header.
const LFANEW: usize = 0x3c;
/// Size of one row of the section table.
const ROW: usize = 40;
/// `IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ`
const READ_ONLY_DATA: u32 = 0x4000_0040;
/// Optional header's magic of PE32+.
const PE32_PLUS: u16 = 0x20b;

/// A section to append.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// At most 8 bytes, with the dot.
    pub name: &'a str,
    /// Its content.
    pub data: &'a [u8],
    /// Bytes it needs in memory, if more than its content.
    pub memory: u32,
}

/// A PE file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeError {
    /// It ends too early.
    #[error("the PE file is truncated at offset {offset}")]
    Truncated {
        /// Where something was expected.
        offset: usize,
    },
    /// It is something else.
    #[error("not a 64-bit PE file")]
    Format,
    /// The header has no room for more rows.
    #[error("the PE header has no room for section {name}")]
    NoRoom {
        /// The section.
        name: String,
    },
    /// More than 4 GiB.
    #[error("the PE file would be larger than its 32-bit fields allow")]
    TooLarge,
    /// A signature would be broken by a change.
    #[error("the PE file is signed already")]
    Signed,
    /// Names have 8 bytes.
    #[error("the section name {name:?} is longer than 8 bytes")]
    Name {
        /// The section.
        name: String,
    },
}

/// A section as whoever loads the file puts it into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InMemory<'a> {
    /// Its name, without padding.
    pub(crate) name: &'a [u8],
    /// What it has from the file.
    pub(crate) data: &'a [u8],
    /// Bytes of zero behind that.
    pub(crate) zeros: u32,
}

/// Where the fields of a PE file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    coff: usize,
    optional: usize,
    table: usize,
    sections: u16,
}

impl InMemory<'_> {
    /// Whether it takes no memory.
    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.zeros == 0
    }
}

impl Layout {
    /// Finds the fields.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, PeError> {
        let header = usize::try_from(u32_at(bytes, LFANEW)?).map_err(|_too_large| PeError::Format)?;
        let coff = header.checked_add(4).ok_or(PeError::Format)?;
        if bytes.get(..2) != Some(b"MZ") || bytes.get(header..coff) != Some(b"PE\0\0") {
            return Err(PeError::Format);
        }
        let optional = coff + 20;
        if u16_at(bytes, optional)? != PE32_PLUS {
            return Err(PeError::Format);
        }
        let table = optional + usize::from(u16_at(bytes, coff + 16)?);
        let layout = Self { coff, optional, table, sections: u16_at(bytes, coff + 2)? };
        // The directory of certificates, the fifth, must be there.
        if u32_at(bytes, optional + 108)? < 5 || layout.certificates() + 8 > table {
            return Err(PeError::Format);
        }
        Ok(layout)
    }

    /// The machine that it is for, as the specification of PE numbers them.
    pub(crate) fn machine(self, bytes: &[u8]) -> Result<u16, PeError> {
        u16_at(bytes, self.coff)
    }

    /// Offset of the checksum, which a signature does not cover.
    pub(crate) fn checksum(self) -> usize {
        self.optional + 64
    }

    /// Offset of the certificate table's entry (file offset, size), which a signature does not cover.
    pub(crate) fn certificates(self) -> usize {
        self.optional + 112 + 4 * 8
    }

    /// Size of the image in memory.
    pub(crate) fn image_size(self, bytes: &[u8]) -> Result<u32, PeError> {
        u32_at(bytes, self.optional + 56)
    }

    /// The certificate table's file offset and size; zeros when the file is not signed.
    pub(crate) fn certificate_table(self, bytes: &[u8]) -> Result<(u32, u32), PeError> {
        Ok((u32_at(bytes, self.certificates())?, u32_at(bytes, self.certificates() + 4)?))
    }

    /// Size of everything before the first section's content.
    pub(crate) fn header_size(self, bytes: &[u8]) -> Result<u32, PeError> {
        u32_at(bytes, self.optional + 60)
    }

    /// The sections as they are in memory, in the order of the table.
    pub(crate) fn in_memory(self, bytes: &[u8]) -> Result<Vec<InMemory<'_>>, PeError> {
        self.rows()
            .map(|row| {
                let name = bytes.get(row..row + 8).ok_or(PeError::Truncated { offset: row })?;
                let memory = u32_at(bytes, row + 8)?;
                let (size, offset) = (u32_at(bytes, row + 16)?.min(memory), u32_at(bytes, row + 20)?);
                let start = usize::try_from(offset).map_err(|_large| PeError::TooLarge)?;
                let end = usize::try_from(add(offset, size)?).map_err(|_large| PeError::TooLarge)?;
                let data = bytes.get(start..end).ok_or(PeError::Truncated { offset: start })?;
                let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
                Ok(InMemory { name: name.get(..end).unwrap_or_default(), data, zeros: memory - size })
            })
            .collect()
    }

    /// File offsets and sizes of the sections' content.
    pub(crate) fn contents(self, bytes: &[u8]) -> Result<Vec<(u32, u32)>, PeError> {
        self.rows().map(|row| Ok((u32_at(bytes, row + 20)?, u32_at(bytes, row + 16)?))).collect()
    }

    fn rows(self) -> impl Iterator<Item = usize> {
        (0..usize::from(self.sections)).map(move |number| self.table + number * ROW)
    }
}

/// Appends read-only data sections to an unsigned PE file.
///
/// # Errors
/// When the file is damaged, signed, or has no room.
pub fn append(stub: &[u8], sections: &[Section<'_>]) -> Result<Vec<u8>, PeError> {
    let layout = Layout::of(stub)?;
    if layout.certificate_table(stub)? != (0, 0) {
        return Err(PeError::Signed);
    }
    let memory_step = u32_at(stub, layout.optional + 32)?;
    let file_step = u32_at(stub, layout.optional + 36)?;
    let headers = usize::try_from(layout.header_size(stub)?).map_err(|_large| PeError::TooLarge)?;
    let mut address = 0;
    for row in layout.rows() {
        let end = add(u32_at(stub, row + 12)?, u32_at(stub, row + 8)?)?;
        address = address.max(align(end, memory_step)?);
    }
    let mut bytes = stub.to_vec();
    let mut row = layout.table + usize::from(layout.sections) * ROW;
    let mut added = 0_u32;
    for section in sections {
        if row + ROW > headers {
            return Err(PeError::NoRoom { name: section.name.to_owned() });
        }
        let mut name = [0; 8];
        let Some(room) = name.get_mut(..section.name.len()) else {
            return Err(PeError::Name { name: section.name.to_owned() });
        };
        room.copy_from_slice(section.name.as_bytes());
        let offset = align(length(bytes.len())?, file_step)?;
        let size = length(section.data.len())?;
        let raw = align(size, file_step)?;
        bytes.resize(usize::try_from(offset).map_err(|_large| PeError::TooLarge)?, 0);
        bytes.extend_from_slice(section.data);
        let end = usize::try_from(add(offset, raw)?).map_err(|_large| PeError::TooLarge)?;
        bytes.resize(end, 0);
        put(&mut bytes, row, &name)?;
        let memory = size.max(section.memory);
        for (field, value) in [
            (8, memory),
            (12, address),
            (16, raw),
            (20, offset),
            (24, 0),
            (28, 0),
            (32, 0),
            (36, READ_ONLY_DATA),
        ] {
            put(&mut bytes, row + field, &value.to_le_bytes())?;
        }
        address = align(add(address, memory)?, memory_step)?;
        added = add(added, raw)?;
        row += ROW;
    }
    let count = u16::try_from(sections.len()).map_err(|_many| PeError::TooLarge)?;
    let count = layout.sections.checked_add(count).ok_or(PeError::TooLarge)?;
    put(&mut bytes, layout.coff + 2, &count.to_le_bytes())?;
    let data = add(u32_at(stub, layout.optional + 8)?, added)?;
    put(&mut bytes, layout.optional + 8, &data.to_le_bytes())?;
    put(&mut bytes, layout.optional + 56, &address.to_le_bytes())?;
    // Firmware does not check it; zero says that nobody computed it.
    put(&mut bytes, layout.checksum(), &[0; 4])?;
    Ok(bytes)
}

pub(crate) fn put(bytes: &mut [u8], offset: usize, value: &[u8]) -> Result<(), PeError> {
    let end = offset.checked_add(value.len()).ok_or(PeError::TooLarge)?;
    bytes.get_mut(offset..end).ok_or(PeError::Truncated { offset })?.copy_from_slice(value);
    Ok(())
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, PeError> {
    array(bytes, offset).map(u32::from_le_bytes)
}

fn u16_at(bytes: &[u8], offset: usize) -> Result<u16, PeError> {
    array(bytes, offset).map(u16::from_le_bytes)
}

fn array<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], PeError> {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).copied().ok_or(PeError::Truncated { offset })
}

fn length(length: usize) -> Result<u32, PeError> {
    u32::try_from(length).map_err(|_large| PeError::TooLarge)
}

fn add(a: u32, b: u32) -> Result<u32, PeError> {
    a.checked_add(b).ok_or(PeError::TooLarge)
}

fn align(value: u32, step: u32) -> Result<u32, PeError> {
    value.checked_next_multiple_of(step.max(1)).ok_or(PeError::TooLarge)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use object::Object;
    use object::ObjectSection;
    use object::read::pe::PeFile64;
    use proptest::prelude::*;

    /// A small valid PE file with one `.text` section and room for `room` more rows.
    pub(crate) fn stub(room: usize) -> Vec<u8> {
        let mut bytes = vec![0; 0x200.max((0x40 + 24 + 240 + ROW * (1 + room)).next_multiple_of(0x200))];
        let headers = u32::try_from(bytes.len()).unwrap();
        put(&mut bytes, 0, b"MZ").unwrap();
        put(&mut bytes, LFANEW, &0x40_u32.to_le_bytes()).unwrap();
        put(&mut bytes, 0x40, b"PE\0\0").unwrap();
        let (coff, optional) = (0x44, 0x58);
        put(&mut bytes, coff, &0x8664_u16.to_le_bytes()).unwrap();
        put(&mut bytes, coff + 2, &1_u16.to_le_bytes()).unwrap();
        put(&mut bytes, coff + 16, &240_u16.to_le_bytes()).unwrap();
        put(&mut bytes, coff + 18, &0x22_u16.to_le_bytes()).unwrap();
        put(&mut bytes, optional, &PE32_PLUS.to_le_bytes()).unwrap();
        for (field, value) in [(32, 0x1000), (36, 0x200), (56, 0x2000), (60, headers), (108, 16_u32)] {
            put(&mut bytes, optional + field, &value.to_le_bytes()).unwrap();
        }
        let row = optional + 240;
        put(&mut bytes, row, b".text\0\0\0").unwrap();
        for (field, value) in [(8, 0x10_u32), (12, 0x1000), (16, 0x200), (20, headers), (36, 0x6000_0020)] {
            put(&mut bytes, row + field, &value.to_le_bytes()).unwrap();
        }
        bytes.extend_from_slice(&[0x90; 0x200]);
        bytes
    }

    #[test]
    fn sections_are_found_by_another_reader() {
        let data = vec![5; 1000];
        let sections = [
            Section { name: ".cmdline", data: b"quiet", memory: 0 },
            Section { name: ".linux", data: &data, memory: 0x3001 },
        ];
        let bytes = append(&stub(4), &sections).unwrap();
        let file = PeFile64::parse(bytes.as_slice()).unwrap();
        let cmdline = file.section_by_name(".cmdline").unwrap();
        assert_eq!(cmdline.address() - file.relative_address_base(), 0x2000);
        assert_eq!(cmdline.data().unwrap(), b"quiet");
        let linux = file.section_by_name(".linux").unwrap();
        assert_eq!(linux.size(), 0x3001);
        assert_eq!(&linux.data().unwrap()[..1000], data.as_slice());
        let layout = Layout::of(&bytes).unwrap();
        assert_eq!(layout.image_size(&bytes), Ok(0x7000));
        assert_eq!(bytes.len() % 0x200, 0);
        assert_eq!(layout.machine(&bytes), Ok(crate::arch::Arch::Amd64.pe_machine()));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let section = Section { name: ".a", data: b"x", memory: 0 };
        let full = stub(0);
        let room = (full.len() - 0x200 - 0x58 - 240) / ROW - 1;
        append(&full, &vec![section; room]).unwrap();
        assert!(matches!(append(&full, &vec![section; room + 1]), Err(PeError::NoRoom { .. })));
        let long = Section { name: ".cmdlines", data: b"", memory: 0 };
        assert!(matches!(append(&full, &[long]), Err(PeError::Name { .. })));
        let mut signed = stub(2);
        let certificates = Layout::of(&signed).unwrap().certificates();
        put(&mut signed, certificates, &[1; 8]).unwrap();
        assert_eq!(append(&signed, &[section]), Err(PeError::Signed));
        let huge = Section { memory: u32::MAX, ..section };
        assert_eq!(append(&stub(2), &[huge]), Err(PeError::TooLarge));
        assert_eq!(Layout::of(b"MZ"), Err(PeError::Truncated { offset: LFANEW }));
    }

    proptest! {
        #[test]
        fn damaged_files_are_refused_without_panic(
            at in 0_usize..0x200, value in any::<u32>(), cut in 0_usize..0x600,
        ) {
            let mut bytes = stub(2);
            put(&mut bytes, at, &value.to_le_bytes()).unwrap();
            bytes.truncate(cut.max(4));
            // Steps and sizes may be damaged as well, but must not make gigabytes.
            if let Ok(layout) = Layout::of(&bytes) {
                prop_assume!(u32_at(&bytes, layout.optional + 36).is_ok_and(|step| step < 1 << 20));
            }
            let _refused_or_made = append(&bytes, &[Section { name: ".a", data: b"x", memory: 0 }]).is_ok();
        }
    }
}
