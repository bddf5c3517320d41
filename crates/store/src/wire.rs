//! Bytes of the files: the preamble that all of them begin with, and a reader that cannot run past the end.

use crate::seal::KeyCheck;
use crate::seal::Keys;
use crate::seal::StoreId;

/// Length of every file's preamble: kind (7), version (1), store (16), key check (16).
pub(crate) const PREAMBLE_BYTES: usize = 40;
/// Version of the formats that this code writes, and the only one it reads.
pub(crate) const VERSION: u8 = 1;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Journal,
    Snapshot,
    Export,
    SledSeal,
}

impl Kind {
    fn magic(self) -> [u8; 7] {
        *match self {
            Self::Journal => b"HRTHJNL",
            Self::Snapshot => b"HRTHSNP",
            Self::Export => b"HRTHEXP",
            Self::SledSeal => b"HRTHSLD",
        }
    }
}

/// The first bytes of a file; not authenticated by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preamble {
    pub(crate) version: u8,
    pub(crate) store: StoreId,
    pub(crate) check: KeyCheck,
}

impl Preamble {
    /// Returns the preamble of all files of a store.
    pub(crate) fn of(keys: &Keys) -> Self {
        Self { version: VERSION, store: keys.store(), check: keys.check() }
    }

    /// Appends the preamble of a file of this kind.
    pub(crate) fn write(&self, kind: Kind, out: &mut Vec<u8>) {
        out.extend_from_slice(&kind.magic());
        out.push(self.version);
        out.extend_from_slice(&self.store);
        out.extend_from_slice(&self.check);
    }

    /// Takes the preamble off the front of a file; `None` where the file is no such file.
    pub(crate) fn read(kind: Kind, from: &mut Reader<'_>) -> Option<Self> {
        if from.array::<7>()? != kind.magic() {
            return None;
        }
        Some(Self { version: from.u8()?, store: from.array()?, check: from.array()? })
    }
}

/// Takes values off the front of a slice; `None` where too little is left.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*head)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes a slice that is preceded by its length in 32 bits.
    pub(crate) fn counted(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.u32()?).ok()?;
        self.bytes(count)
    }
}

/// Appends a slice preceded by its length in 32 bits.
///
/// Names and values are far below 4 GiB ([`crate::Limits`]), so the length always fits.
pub(crate) fn write_counted(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&length32(bytes.len()).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Returns a length as 32 bits; lengths in these formats are bounded far below (see [`crate::Limits`]).
pub(crate) fn length32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
