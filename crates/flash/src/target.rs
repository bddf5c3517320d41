//! The disk that is written, in the few words that writing needs.

use std::io;

/// A disk.
pub trait Target {
    /// How many bytes it has.
    fn size(&self) -> u64;

    /// Writes bytes; they are on the disk only after [`Target::sync`].
    ///
    /// # Errors
    /// What the kernel says; some faults show only at the next sync.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything that was written is on the disk.
    ///
    /// # Errors
    /// What the kernel says.
    fn sync(&mut self) -> io::Result<()>;

    /// Reads what is on the disk, not what the computer remembers of it.
    ///
    /// # Errors
    /// What the kernel says.
    fn read_back(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}
