//! Writing cpio archives in the "newc" format that the kernel unpacks as an initramfs.
//!
//! Source: `Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel. Everything belongs to root, all times are zero and
//! inode numbers count up, so that equal contents give equal bytes.

use std::fmt::Write as _;

/// What an entry is.
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

/// Grows an archive in memory.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

/// An entry cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpioError {
    /// The format has 32 bits for a size.
    #[error("{name} has {size} bytes, more than a cpio archive can hold")]
    TooLarge {
        /// Name of the entry.
        name: String,
        /// Its size, bytes.
        size: usize,
    },
    /// The kernel would put it elsewhere or not find it.
    #[error("{name:?} is no relative path without . and ..")]
    Name {
        /// Name of the entry.
        name: String,
    },
}

impl Archive {
    /// Adds a folder with mode 0755.
    ///
    /// # Errors
    /// When the name is no plain relative path.
    pub fn folder(&mut self, name: &str) -> Result<(), CpioError> {
        self.entry(name, DIRECTORY | 0o755, &[])
    }

    /// Adds a file with these permissions.
    ///
    /// # Errors
    /// When the name is no plain relative path or the data is too large.
    pub fn file(&mut self, name: &str, permissions: u32, data: &[u8]) -> Result<(), CpioError> {
        self.entry(name, REGULAR | (permissions & 0o777), data)
    }

    /// The finished archive.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.header("TRAILER!!!", 0, 0);
        // Readers of tapes want whole blocks.
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, data: &[u8]) -> Result<(), CpioError> {
        if name.is_empty()
            || name.contains('\0')
            || name.split('/').any(|part| matches!(part, "" | "." | ".."))
        {
            return Err(CpioError::Name { name: name.to_owned() });
        }
        // The kernel's file size field is 32 bits wide, read as unsigned.
        let Ok(size) = u32::try_from(data.len()) else {
            return Err(CpioError::TooLarge { name: name.to_owned(), size: data.len() });
        };
        self.header(name, mode, size);
        self.bytes.extend_from_slice(data);
        self.pad();
        Ok(())
    }

    fn header(&mut self, name: &str, mode: u32, size: u32) {
        self.entries += 1;
        let links = if mode & DIRECTORY == 0 { 1 } else { 2 };
        let name_size = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
        let mut header = "070701".to_owned();
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        for field in [self.entries, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0] {
            let written = write!(header, "{field:08X}");
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
        }
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads an archive as the kernel's `init/initramfs.c` does: header, name, padding, data, padding.
    fn read(bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        let mut at = 0;
        loop {
            assert_eq!(&bytes[at..at + 6], b"070701");
            let field = |number: usize| {
                let start = at + 6 + 8 * number;
                u32::from_str_radix(std::str::from_utf8(&bytes[start..start + 8]).unwrap(), 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let name = String::from_utf8(bytes[at + 110..at + 110 + name_size - 1].to_vec()).unwrap();
            let data = (at + 110 + name_size).next_multiple_of(4);
            if name == "TRAILER!!!" {
                return entries;
            }
            entries.push((name, mode, bytes[data..data + size].to_vec()));
            at = (data + size).next_multiple_of(4);
        }
    }

    #[test]
    fn odd_names_are_refused() {
        let mut archive = Archive::default();
        for name in ["", "/init", "a//b", "../a", "a/.", "a\0b"] {
            assert_eq!(archive.folder(name), Err(CpioError::Name { name: name.to_owned() }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            files in proptest::collection::vec(("[a-z]{1,9}(/[a-z]{1,9})?", 0_u32..0o777, proptest::collection::vec(any::<u8>(), 0..50)), 0..6),
        ) {
            let mut archive = Archive::default();
            archive.folder("modules").unwrap();
            for (name, mode, data) in &files {
                archive.file(name, *mode, data).unwrap();
            }
            let bytes = archive.finish();
            prop_assert_eq!(bytes.len() % 512, 0);
            let mut expected = vec![("modules".to_owned(), 0o040_755, Vec::new())];
            expected.extend(files.into_iter().map(|(name, mode, data)| (name, 0o100_000 | mode, data)));
            prop_assert_eq!(read(&bytes), expected);
        }
    }
}
