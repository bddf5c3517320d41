//! Block devices: size, giving blocks up, and adding or resizing one partition while others of the same disk are in use.
//!
//! `BLKRRPART` would refuse as soon as one partition is mounted; `BLKPG` (include/uapi/linux/blkpg.h) changes one
//! partition only.

// UNSAFETY: rustix' typed ioctl patterns are unsafe to construct, because the compiler cannot know that a number
// and a structure belong together; each use below says where the kernel states that they do.
#![expect(unsafe_code, reason = "ioctl numbers must be paired with their structures by hand")]

use std::ffi::c_int;
use std::ffi::c_longlong;
use std::ffi::c_void;
use std::os::fd::AsFd;

use rustix::io;
use rustix::ioctl::Getter;
use rustix::ioctl::Opcode;
use rustix::ioctl::Setter;
use rustix::ioctl::opcode;

/// A length or a place on a disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// Number of a partition as the kernel counts: the first entry of the table is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionNumber(pub u32);

/// What stands behind a partition number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte on the disk.
    pub start: Bytes,
    /// How long it is.
    pub length: Bytes,
}

/// `_IO(0x12, 105)`, include/uapi/linux/blkpg.h.
const BLKPG: Opcode = opcode::none(0x12, 105);
/// `_IOR(0x12, 114, size_t)`, include/uapi/linux/fs.h.
const BLKGETSIZE64: Opcode = opcode::read::<usize>(0x12, 114);
/// `_IO(0x12, 119)`, include/uapi/linux/fs.h.
const BLKDISCARD: Opcode = opcode::none(0x12, 119);
/// `_IO(0x12, 125)`, include/uapi/linux/fs.h.
const BLKSECDISCARD: Opcode = opcode::none(0x12, 125);
const BLKPG_ADD_PARTITION: c_int = 1;
const BLKPG_RESIZE_PARTITION: c_int = 3;

/// `struct blkpg_partition`.
#[repr(C)]
struct BlkpgPartition {
    start: c_longlong,
    length: c_longlong,
    pno: c_int,
    devname: [u8; 64],
    volname: [u8; 64],
}

/// `struct blkpg_ioctl_arg`.
#[repr(C)]
struct BlkpgArg {
    op: c_int,
    flags: c_int,
    datalen: c_int,
    data: *const c_void,
}

/// Size of a block device.
///
/// # Errors
/// What the kernel says: `ENOTTY` when `device` is no block device.
pub fn size(device: impl AsFd) -> io::Result<Bytes> {
    // SAFETY: BLKGETSIZE64 writes one 64-bit number (block/ioctl.c, `put_u64`) into the place rustix gives it.
    let getter = unsafe { Getter::<BLKGETSIZE64, u64>::new() };
    // SAFETY: the pattern above matches the ioctl.
    unsafe { rustix::ioctl::ioctl(device, getter) }.map(Bytes)
}

/// Tells the disk that it may forget these blocks. What is read from them afterwards is the disk's choice.
///
/// # Errors
/// What the kernel says: `EOPNOTSUPP` when the disk cannot, `EINVAL` when the extent is no multiple of the block size or leaves the
/// disk, `ENOTTY` when `device` is no block device.
pub fn discard(device: impl AsFd, extent: Extent) -> io::Result<()> {
    // SAFETY: BLKDISCARD reads two 64-bit numbers, start and length in bytes (block/ioctl.c, `blk_ioctl_discard`).
    let setter = unsafe { Setter::<BLKDISCARD, [u64; 2]>::new([extent.start.0, extent.length.0]) };
    // SAFETY: the pattern above matches the ioctl; the kernel only reads.
    unsafe { rustix::ioctl::ioctl(device, setter) }
}

/// The same, and the disk erases every copy it has made of them; eMMC has it.
///
/// # Errors
/// As [`discard`].
pub fn discard_securely(device: impl AsFd, extent: Extent) -> io::Result<()> {
    // SAFETY: BLKSECDISCARD reads what BLKDISCARD does (block/ioctl.c, `blk_ioctl_secure_erase`).
    let setter = unsafe { Setter::<BLKSECDISCARD, [u64; 2]>::new([extent.start.0, extent.length.0]) };
    // SAFETY: the pattern above matches the ioctl; the kernel only reads.
    unsafe { rustix::ioctl::ioctl(device, setter) }
}

/// Tells the kernel of a partition that it does not know yet.
///
/// # Errors
/// What the kernel says: `EBUSY` when the number is taken or the extent overlaps another partition, `EINVAL` when
/// the extent is no multiple of the block size or leaves the disk, `ENOTTY` when `disk` is no disk.
pub fn add_partition(disk: impl AsFd, number: PartitionNumber, extent: Extent) -> io::Result<()> {
    blkpg(disk, BLKPG_ADD_PARTITION, number, extent)
}

/// Changes the length of a partition that the kernel knows, also while it is mounted.
///
/// # Errors
/// What the kernel says: `ENXIO` when there is no such partition, `EBUSY` on overlap, `EINVAL` when the start
/// differs from what the kernel knows, `ENOTTY` when `disk` is no disk.
pub fn resize_partition(disk: impl AsFd, number: PartitionNumber, extent: Extent) -> io::Result<()> {
    blkpg(disk, BLKPG_RESIZE_PARTITION, number, extent)
}

fn blkpg(disk: impl AsFd, op: c_int, number: PartitionNumber, extent: Extent) -> io::Result<()> {
    let out_of_range = |_| io::Errno::INVAL;
    let partition = BlkpgPartition {
        start: extent.start.0.try_into().map_err(out_of_range)?,
        length: extent.length.0.try_into().map_err(out_of_range)?,
        pno: number.0.try_into().map_err(out_of_range)?,
        devname: [0; 64],
        volname: [0; 64],
    };
    let argument = BlkpgArg {
        op,
        flags: 0,
        datalen: size_of::<BlkpgPartition>().try_into().map_err(out_of_range)?,
        data: (&raw const partition).cast(),
    };
    // SAFETY: BLKPG reads a `struct blkpg_ioctl_arg` and, through its pointer, a `struct blkpg_partition`
    // (block/ioctl.c, `blkpg_do_ioctl`); both have the layout of the header and outlive the call.
    let setter = unsafe { Setter::<BLKPG, BlkpgArg>::new(argument) };
    // SAFETY: the pattern above matches the ioctl; the kernel only reads.
    unsafe { rustix::ioctl::ioctl(disk, setter) }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn structures_have_the_size_of_the_kernel_header() {
        assert_eq!(size_of::<BlkpgPartition>(), 152);
        assert_eq!(size_of::<BlkpgArg>(), 24);
    }

    #[test]
    fn opcodes_are_those_of_the_kernel_header() {
        assert_eq!(BLKPG, 0x1269);
        assert_eq!(BLKGETSIZE64, 0x8008_1272);
        assert_eq!((BLKDISCARD, BLKSECDISCARD), (0x1277, 0x127d));
    }

    #[test]
    fn what_is_no_block_device_is_refused_by_the_kernel() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let extent = Extent { start: Bytes(1 << 20), length: Bytes(1 << 20) };
        assert_eq!(size(&file), Err(io::Errno::NOTTY));
        assert_eq!(add_partition(&file, PartitionNumber(1), extent), Err(io::Errno::NOTTY));
        assert_eq!(resize_partition(&file, PartitionNumber(1), extent), Err(io::Errno::NOTTY));
        assert_eq!(discard(&file, extent), Err(io::Errno::NOTTY));
        assert_eq!(discard_securely(&file, extent), Err(io::Errno::NOTTY));
    }

    #[test]
    fn lengths_beyond_the_kernels_signed_range_never_reach_it() {
        let file = File::open("/dev/null").unwrap();
        let extent = Extent { start: Bytes(0), length: Bytes(u64::MAX) };
        assert_eq!(add_partition(&file, PartitionNumber(1), extent), Err(io::Errno::INVAL));
    }
}
