//! Our view of a PE file, as the `authenticode` crate asks for it.

use crate::digest::Sha256;
use crate::pe::Layout;
use authenticode::PeOffsetError;
use authenticode::PeOffsets;
use authenticode::PeTrait;
use sha2::Digest as _;
use std::ops::Range;

/// A PE file with its fields found.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeFile<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) layout: Layout,
}

impl PeTrait for PeFile<'_> {
    fn data(&self) -> &[u8] {
        self.bytes
    }

    fn num_sections(&self) -> usize {
        self.layout.contents(self.bytes).map_or(0, |contents| contents.len())
    }

    fn section_data_range(&self, index: usize) -> Result<Range<usize>, PeOffsetError> {
        let contents = self.layout.contents(self.bytes).map_err(|_truncated| PeOffsetError)?;
        let number = index.checked_sub(1).ok_or(PeOffsetError)?;
        let (offset, size) = *contents.get(number).ok_or(PeOffsetError)?;
        range(offset, size)
    }

    fn certificate_table_range(&self) -> Result<Option<Range<usize>>, PeOffsetError> {
        match self.layout.certificate_table(self.bytes).map_err(|_truncated| PeOffsetError)? {
            (_, 0) => Ok(None),
            (offset, size) => range(offset, size).map(Some),
        }
    }

    fn offsets(&self) -> Result<PeOffsets, PeOffsetError> {
        let header = self.layout.header_size(self.bytes).map_err(|_truncated| PeOffsetError)?;
        Ok(PeOffsets {
            check_sum: self.layout.checksum(),
            after_check_sum: self.layout.checksum() + 4,
            security_data_dir: self.layout.certificates(),
            after_security_data_dir: self.layout.certificates() + 8,
            after_header: usize::try_from(header).map_err(|_large| PeOffsetError)?,
        })
    }
}

fn range(offset: u32, size: u32) -> Result<Range<usize>, PeOffsetError> {
    let end = offset.checked_add(size).ok_or(PeOffsetError)?;
    let index = |value| usize::try_from(value).map_err(|_large| PeOffsetError);
    Ok(index(offset)?..index(end)?)
}

/// Digests what the crate says is covered.
#[derive(Clone, Debug, Default)]
pub(super) struct Covered(sha2::Sha256);

impl Covered {
    pub(super) fn finish(self) -> Sha256 {
        Sha256::from(<[u8; 32]>::from(self.0.finalize()))
    }
}

impl sha2::digest::Update for Covered {
    fn update(&mut self, data: &[u8]) {
        sha2::Digest::update(&mut self.0, data);
    }
}
