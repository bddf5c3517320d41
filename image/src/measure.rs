//! What PCR 11 will hold after the boot stub has measured a slot file: known before it ever boots.
//!
//! systemd-stub (257) measures for each section that it knows, in a fixed order, first the name with its closing zero and then
//! the section as it lies in memory (`src/boot/stub.c`, `measure_sections`; the order is `UnifiedSection` in
//! `src/fundamental/uki.h`). Nothing else is measured into this register before userspace. The signature over the result,
//! `.pcrsig`, is not measured.

use crate::pe::InMemory;
use crate::pe::Layout;
use crate::pe::PeError;
use pcr::Digest;
use sha2::Digest as _;
use sha2::Sha256;

/// The register.
pub const REGISTER: u32 = 11;

/// Sections that are measured, in the order of the stub.
const MEASURED: [&str; 10] =
    [".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey"];

/// Sections of which the stub takes some or none, as the machine or a choice in the menu has it.
const DEPENDS_ON_MACHINE: [&str; 4] = [".profile", ".dtbauto", ".hwids", ".efifw"];

/// PCR 11 of a slot file cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// It is no sound PE file.
    #[error("the slot file to measure is not sound")]
    Pe(#[source] PeError),
    /// A section whose measurement is not the same everywhere.
    #[error("what is measured of section {name} depends on the machine")]
    DependsOnMachine {
        /// The section.
        name: &'static str,
    },
    /// The stub would take one of them only.
    #[error("the slot file has more than one section {name}")]
    Twice {
        /// The section.
        name: &'static str,
    },
}

/// The value of PCR 11 after the stub has measured this slot file.
///
/// # Errors
/// When the file is not sound, or has sections whose measurement cannot be told beforehand.
pub fn pcr_11(slot: &[u8]) -> Result<Digest, MeasureError> {
    let sections = Layout::of(slot).and_then(|layout| layout.in_memory(slot)).map_err(MeasureError::Pe)?;
    let named = |name: &'static str| sections.iter().filter(move |section| section.name == name.as_bytes());
    if let Some(name) = DEPENDS_ON_MACHINE.into_iter().find(|name| named(name).next().is_some()) {
        return Err(MeasureError::DependsOnMachine { name });
    }
    let mut register = Digest::ZERO;
    for name in MEASURED {
        let mut found = named(name);
        // The stub leaves out a section without size as if it were not there (src/boot/pe.h, PE_SECTION_VECTOR_IS_SET).
        let Some(section) = found.next().filter(|section| !section.is_empty()) else { continue };
        if found.next().is_some() {
            return Err(MeasureError::Twice { name });
        }
        register = pcr::measure(&register, format!("{name}\0").as_bytes());
        register = pcr::extend(&register, &digest(section));
    }
    Ok(register)
}

fn digest(section: &InMemory<'_>) -> Digest {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut hash = Sha256::new();
    hash.update(section.data);
    let mut left = usize::try_from(section.zeros).unwrap_or(usize::MAX);
    while left > 0 {
        let length = left.min(ZEROS.len());
        hash.update(ZEROS.get(..length).unwrap_or_default());
        left -= length;
    }
    Digest(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pe;
    use crate::pe::Section;
    use crate::pe::tests::stub;
    use proptest::prelude::*;

    fn slot(sections: &[(&str, &[u8], u32)]) -> Vec<u8> {
        let sections: Vec<Section<'_>> =
            sections.iter().map(|(name, data, memory)| Section { name, data, memory: *memory }).collect();
        pe::append(&stub(8), &sections).unwrap()
    }

    /// The value was computed by systemd-measure 257.13: `systemd-measure calculate --bank=sha256 --json=short
    /// --linux=… --osrel=… --cmdline=… --initrd=… --uname=… --pcrpkey=…` of files with these contents.
    #[test]
    fn the_same_as_systemd_measure() {
        let slot = slot(&[
            (".osrel", b"ID=hearth\n", 0),
            (".uname", b"6.12", 0),
            (".cmdline", b"quiet", 0),
            (".pcrpkey", b"a key\n", 0),
            (".pcrsig", b"a signature", 0),
            (".initrd", b"the initrd", 0),
            (".linux", b"the kernel", 0),
        ]);
        assert_eq!(pcr_11(&slot).unwrap().to_string(), VECTOR);
    }

    const VECTOR: &str = "aa2350288d6e1892136a7a30ca4cbc6ca727bd45bf815587aea819a3378c8c77";

    #[test]
    fn each_measured_byte_counts_and_the_signature_does_not() {
        let base: [(&str, &[u8], u32); 3] =
            [(".linux", b"kernel", 0), (".cmdline", b"a", 0), (".pcrsig", b"s", 0)];
        let value = |sections: &[(&str, &[u8], u32)]| pcr_11(&slot(sections)).unwrap();
        let before = value(&base);
        assert_eq!(value(&[base[1], base[2], base[0]]), before, "the order of the table is of no matter");
        assert_eq!(value(&[base[0], base[1], (".pcrsig", b"another", 0)]), before);
        assert_eq!(value(&[base[0], base[1], base[2], (".other", b"x", 0), (".ucode", b"", 0)]), before);
        for other in [(".cmdline", b"b".as_slice(), 0), (".cmdline", b"a", 2), (".osrel", b"a", 0)] {
            assert_ne!(value(&[base[0], other]), before, "{other:?}");
        }
    }

    #[test]
    fn memory_beyond_the_file_is_measured_as_zeros() {
        let value = |data: &[u8], memory| pcr_11(&slot(&[(".linux", data, memory)])).unwrap();
        let mut padded = b"kernel".to_vec();
        padded.resize(10_000, 0);
        assert_eq!(value(b"kernel", 10_000), value(&padded, 0));
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        let error = pcr_11(&slot(&[(".profile", b"x", 0)])).unwrap_err();
        assert_eq!(error, MeasureError::DependsOnMachine { name: ".profile" });
        let error = pcr_11(&slot(&[(".initrd", b"x", 0), (".initrd", b"y", 0)])).unwrap_err();
        assert_eq!(error, MeasureError::Twice { name: ".initrd" });
        assert!(matches!(pcr_11(b"MZ"), Err(MeasureError::Pe(_))));
    }

    proptest! {
        #[test]
        fn damaged_files_are_measured_or_refused(at in 0_usize..0x800, value: u32, cut in 0_usize..0x1000) {
            let mut bytes = slot(&[(".linux", b"kernel", 0)]);
            let at = at.min(bytes.len() - 4);
            pe::put(&mut bytes, at, &value.to_le_bytes()).unwrap();
            bytes.truncate(cut.max(4));
            // Memory of gigabytes would be hashed, correctly and for long.
            let zeros = Layout::of(&bytes).and_then(|layout| layout.in_memory(&bytes));
            prop_assume!(zeros.is_ok_and(|all| all.iter().all(|section| section.zeros < 1 << 20)));
            let _measured_or_refused = pcr_11(&bytes).is_ok();
        }
    }
}
