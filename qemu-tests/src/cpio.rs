//! The archive format of an initrd: "newc" (Documentation/driver-api/early-userspace/buffer-format.rst in the kernel).
//!
//! An initrd may be several archives one behind the other; a file in a later one replaces the same file of an earlier one.

/// Bytes of a header: a magic number and 13 numbers of eight hexadecimal digits.
const HEADER: usize = 110;
/// Name of the entry that ends an archive.
const END: &str = "TRAILER!!!";

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// Name without a leading slash.
    pub name: &'a str,
    /// Type and permission bits (stat(2)).
    pub mode: u32,
    /// Content.
    pub content: &'a [u8],
}

/// Why bytes are no archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the archive is broken at byte {at}")]
pub struct Broken {
    /// Where the broken entry begins.
    pub at: usize,
}

/// One archive with these programs, each owned by root with mode 0755, its length a multiple of four.
#[must_use]
pub fn archive(programs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, (name, content)) in programs.iter().enumerate() {
        push(&mut bytes, number + 1, 0o100_755, name, content);
    }
    push(&mut bytes, 0, 0, END, &[]);
    bytes
}

/// All files of an initrd of uncompressed archives, in order.
///
/// # Errors
/// At the first entry that is broken or cut.
pub fn read(bytes: &[u8]) -> Result<Vec<File<'_>>, Broken> {
    let mut files = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        // Zeros may lie between archives and behind the last one.
        if rest.starts_with(&[0]) {
            at += 1;
            continue;
        }
        let (file, length) = entry(rest).ok_or(Broken { at })?;
        if file.name != END {
            files.push(file);
        }
        at = at.checked_add(length).ok_or(Broken { at })?;
    }
    Ok(files)
}

fn entry(bytes: &[u8]) -> Option<(File<'_>, usize)> {
    let header = bytes.get(..HEADER)?;
    if !header.starts_with(b"070701") {
        return None;
    }
    let mode = u32::try_from(field(header, 1)?).ok()?;
    let content_length = field(header, 6)?;
    let name_length = field(header, 11)?;
    let name_end = HEADER.checked_add(name_length)?;
    let name = std::str::from_utf8(bytes.get(HEADER..name_end)?).ok()?.trim_end_matches('\0');
    let start = name_end.checked_next_multiple_of(4)?;
    let end = start.checked_add(content_length)?;
    let content = bytes.get(start..end)?;
    Some((File { name, mode, content }, end.checked_next_multiple_of(4)?))
}

fn field(header: &[u8], index: usize) -> Option<usize> {
    let digits = header.get(6 + index * 8..14 + index * 8)?;
    usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn push(bytes: &mut Vec<u8>, inode: usize, mode: u32, name: &str, content: &[u8]) {
    let links = 1;
    let [length, name_length] = [content.len(), name.len() + 1];
    // Inode, mode, owner, group, links, time, length, device (2), special device (2), length of the name, checksum.
    let header = format!(
        "070701{inode:08x}{mode:08x}{0:08x}{0:08x}{links:08x}{0:08x}{length:08x}{0:08x}{0:08x}{0:08x}{0:08x}{name_length:08x}{0:08x}",
        0
    );
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    pad(bytes);
    bytes.extend_from_slice(content);
    pad(bytes);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prelude::proptest;

    #[test]
    fn archives_behind_each_other_are_read_as_one() {
        let mut bytes = archive(&[("init", b"first"), ("root.erofs", b"1234567")]);
        bytes.extend_from_slice(&[0; 512]);
        bytes.extend(archive(&[("agent", b"x")]));
        let files = read(&bytes).unwrap();
        let names: Vec<_> = files.iter().map(|file| (file.name, file.content)).collect();
        assert_eq!(names, [("init", &b"first"[..]), ("root.erofs", b"1234567"), ("agent", b"x")]);
        assert_eq!(files[0].mode, 0o100_755);
        assert_eq!(read(&bytes[..40]), Err(Broken { at: 0 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(tail in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_usize..200) {
            drop(read(&tail));
            let mut bytes = archive(&[("a", b"b")]);
            bytes.truncate(cut);
            bytes.extend(tail);
            drop(read(&bytes));
        }
    }
}
