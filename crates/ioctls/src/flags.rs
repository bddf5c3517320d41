//! Flags of a file (ioctl_iflags(2)): whether it may be changed at all.

// UNSAFETY: rustix' typed ioctl patterns are unsafe to construct, because the compiler cannot know that a number
// and a structure belong together; the use below says where the kernel states that they do.
#![expect(unsafe_code, reason = "ioctl numbers must be paired with their structures by hand")]

use std::ffi::c_long;
use std::ffi::c_uint;
use std::os::fd::AsFd;

use rustix::io;
use rustix::ioctl::Getter;
use rustix::ioctl::Opcode;
use rustix::ioctl::Setter;
use rustix::ioctl::opcode;

/// Whether a file is protected from changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Immutable {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// `_IOR('f', 1, long)`, include/uapi/linux/fs.h. In spite of the number's size the kernel reads and writes an int.
const FS_IOC_GETFLAGS: Opcode = opcode::read::<c_long>(b'f', 1);
/// `_IOW('f', 2, long)`, likewise.
const FS_IOC_SETFLAGS: Opcode = opcode::write::<c_long>(b'f', 2);
/// `FS_IMMUTABLE_FL`, include/uapi/linux/fs.h.
const IMMUTABLE: c_uint = 0x10;

/// Whether a file is protected from changes.
///
/// # Errors
/// What the kernel says: `ENOTTY` when the file system has no flags.
pub fn immutable(file: impl AsFd) -> io::Result<Immutable> {
    let is_set = get(file)? & IMMUTABLE != 0;
    Ok(if is_set { Immutable::Yes } else { Immutable::No })
}

/// Protects a file from changes, or no longer.
///
/// # Errors
/// What the kernel says: `EPERM` without `CAP_LINUX_IMMUTABLE`, `ENOTTY` when the file system has no flags.
pub fn set_immutable(file: impl AsFd, immutable: Immutable) -> io::Result<()> {
    let before = get(file.as_fd())?;
    let after = match immutable {
        Immutable::Yes => before | IMMUTABLE,
        Immutable::No => before & !IMMUTABLE,
    };
    if before == after {
        return Ok(());
    }
    // SAFETY: FS_IOC_SETFLAGS reads an unsigned int (fs/file_attr.c, `ioctl_setflags`), which outlives the call.
    let setter = unsafe { Setter::<FS_IOC_SETFLAGS, c_uint>::new(after) };
    // SAFETY: the pattern above matches the ioctl; the kernel only reads.
    unsafe { rustix::ioctl::ioctl(file, setter) }
}

fn get(file: impl AsFd) -> io::Result<c_uint> {
    // SAFETY: FS_IOC_GETFLAGS writes an unsigned int (fs/file_attr.c, `ioctl_getflags`).
    let getter = unsafe { Getter::<FS_IOC_GETFLAGS, c_uint>::new() };
    // SAFETY: the pattern above matches the ioctl.
    unsafe { rustix::ioctl::ioctl(file, getter) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_opcodes_are_those_of_the_kernel_header() {
        assert_eq!((FS_IOC_GETFLAGS, FS_IOC_SETFLAGS), (0x8008_6601, 0x4008_6602));
    }

    #[test]
    fn what_has_no_flags_is_refused_by_the_kernel() {
        let null = std::fs::File::open("/proc/version").unwrap();
        assert_eq!(immutable(&null), Err(io::Errno::NOTTY));
        assert_eq!(set_immutable(&null, Immutable::No), Err(io::Errno::NOTTY));
    }
}
