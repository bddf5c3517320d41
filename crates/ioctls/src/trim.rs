//! Giving the free blocks of a mounted file system back to the disk.

// UNSAFETY: rustix' typed ioctl patterns are unsafe to construct, because the compiler cannot know that a number
// and a structure belong together; the use below says where the kernel states that they do.
#![expect(unsafe_code, reason = "ioctl numbers must be paired with their structures by hand")]

use crate::block::Bytes;
use crate::block::Extent;
use rustix::io;
use rustix::ioctl::Opcode;
use rustix::ioctl::Updater;
use rustix::ioctl::opcode;
use std::os::fd::AsFd;

/// `struct fstrim_range`, include/uapi/linux/fs.h.
#[repr(C)]
struct Range {
    start: u64,
    length: u64,
    shortest: u64,
}

/// `_IOWR('X', 121, struct fstrim_range)`, include/uapi/linux/fs.h.
const FITRIM: Opcode = opcode::read_write::<Range>(b'X', 121);

/// Trims the free blocks of a part of the file system on which `file` lies; tells how much was trimmed.
///
/// # Errors
/// What the kernel says: `EOPNOTSUPP` when the disk or what lies between cannot, `EPERM` without `CAP_SYS_ADMIN`, `EINVAL` behind the
/// file system's end, `ENOTTY` when it has nothing to trim.
pub fn free_blocks(file: impl AsFd, part: Extent) -> io::Result<Bytes> {
    let mut range = Range { start: part.start.0, length: part.length.0, shortest: 0 };
    // SAFETY: FITRIM reads a `struct fstrim_range` and writes one back (fs/ext4/ioctl.c); it has the layout of the header and
    // outlives the call.
    let updater = unsafe { Updater::<FITRIM, Range>::new(&mut range) };
    // SAFETY: the pattern above matches the ioctl.
    unsafe { rustix::ioctl::ioctl(file, updater) }?;
    Ok(Bytes(range.length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opcode_is_that_of_the_kernel_header() {
        assert_eq!(FITRIM, 0xC018_5879);
    }

    #[test]
    fn what_has_no_free_blocks_is_refused_by_the_kernel() {
        let null = std::fs::File::open("/dev/null").unwrap();
        let part = Extent { start: Bytes(0), length: Bytes(u64::MAX) };
        assert_eq!(free_blocks(&null, part).map(|_| ()), Err(io::Errno::NOTTY));
    }
}
