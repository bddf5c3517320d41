//! What a program or library needs to be started: its loader and its shared libraries, by name.

use object::Endianness;
use object::elf;
use object::read::elf::Dyn as _;
use object::read::elf::FileHeader as _;
use object::read::elf::ProgramHeader as _;

/// What an ELF file needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Path of the dynamic loader (`PT_INTERP`); none in libraries and static programs.
    pub interpreter: Option<String>,
    /// Names of shared libraries (`DT_NEEDED`).
    pub libraries: Vec<String>,
    /// Folders of its own in which the loader looks for them first (`DT_RPATH`, `DT_RUNPATH`), as written: with colons.
    pub search: Option<String>,
}

/// The file is no sound 64-bit ELF file.
#[derive(Debug, thiserror::Error)]
#[error("not a sound 64-bit ELF file")]
pub struct ElfError(#[source] object::Error);

/// Whether these are the first bytes of an ELF file.
#[must_use]
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(&elf::ELFMAG)
}

/// Reads what the file needs.
///
/// # Errors
/// When the file is not a sound 64-bit ELF file.
pub fn needs(bytes: &[u8]) -> Result<Needs, ElfError> {
    let header = elf::FileHeader64::<Endianness>::parse(bytes).map_err(ElfError)?;
    let endian = header.endian().map_err(ElfError)?;
    let mut needs = Needs::default();
    for segment in header.program_headers(endian, bytes).map_err(ElfError)? {
        if let Some(path) = segment.interpreter(endian, bytes).map_err(ElfError)? {
            needs.interpreter = Some(String::from_utf8_lossy(path).into_owned());
        }
    }
    let sections = header.sections(endian, bytes).map_err(ElfError)?;
    if let Some((entries, strings)) = sections.dynamic(endian, bytes).map_err(ElfError)? {
        let strings = sections.strings(endian, bytes, strings).map_err(ElfError)?;
        for entry in entries {
            let text = || -> Result<String, ElfError> {
                let text = entry.string(endian, strings).map_err(ElfError)?;
                Ok(String::from_utf8_lossy(text).into_owned())
            };
            match entry.tag32(endian) {
                Some(elf::DT_NEEDED) => needs.libraries.push(text()?),
                Some(elf::DT_RPATH | elf::DT_RUNPATH) => needs.search = Some(text()?),
                Some(_) | None => {}
            }
        }
    }
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_test_program_needs_the_c_library() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needs(&own).unwrap();
        assert!(needs.libraries.iter().any(|name| name == "libc.so.6"), "{needs:?}");
        assert!(needs.interpreter.unwrap().contains("ld-linux"));
    }

    proptest! {
        #[test]
        fn damaged_files_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut file = b"\x7fELF\x02\x01\x01".to_vec();
            file.extend(bytes);
            let _refused_or_read = needs(&file).is_ok();
        }
    }
}
