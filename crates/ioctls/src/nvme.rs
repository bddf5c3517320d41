//! What an NVMe disk says of its health (NVM Express Base Specification 2.0, section 5.16.1.3).

// UNSAFETY: an ioctl number and its structure belong together only because the kernel's header says so; each use below names the place.
#![expect(unsafe_code, reason = "ioctl numbers must be paired with their structures by hand")]

use rustix::io;
use rustix::io::Errno;
use rustix::ioctl::Ioctl;
use rustix::ioctl::IoctlOutput;
use rustix::ioctl::Opcode;
use rustix::ioctl::opcode;
use std::ffi::c_void;
use std::os::fd::AsFd;

/// Length of the log.
pub const SMART_LOG: usize = LOG_BYTES as usize;
const LOG_BYTES: u32 = 512;
/// Command "Get Log Page".
const GET_LOG_PAGE: u8 = 0x02;
/// Log page "SMART / Health Information", and its length in words of four bytes less one, in the upper half.
const SMART: u32 = 0x02 | (LOG_BYTES / 4 - 1) << 16;
/// The log is of the whole disk.
const EVERY_NAMESPACE: u32 = u32::MAX;
/// A disk that does not answer must not hold anybody up.
const TIMEOUT_MS: u32 = 5000;

/// `struct nvme_passthru_cmd`, include/uapi/linux/nvme_ioctl.h.
#[repr(C)]
#[derive(Default)]
struct Command {
    opcode: u8,
    flags: u8,
    reserved: u16,
    nsid: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    addr: u64,
    metadata_len: u32,
    data_len: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12: u32,
    cdw13: u32,
    cdw14: u32,
    cdw15: u32,
    timeout_ms: u32,
    result: u32,
}

/// `_IOWR('N', 0x41, struct nvme_admin_cmd)`, include/uapi/linux/nvme_ioctl.h.
const ADMIN: Opcode = opcode::read_write::<Command>(b'N', 0x41);

struct Admin<'a>(&'a mut Command);

// SAFETY: NVME_IOCTL_ADMIN_CMD reads a `struct nvme_passthru_cmd` and writes its result back (drivers/nvme/host/ioctl.c, `nvme_user_cmd`);
// what it returns is the disk's status, which 0 says is good.
unsafe impl Ioctl for Admin<'_> {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        ADMIN
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut *self.0).cast()
    }

    unsafe fn output_from_ptr(status: IoctlOutput, _command: *mut c_void) -> io::Result<()> {
        if status == 0 { Ok(()) } else { Err(Errno::IO) }
    }
}

/// Reads the log. The disk may be in use.
///
/// # Errors
/// What the kernel says: `ENOTTY` when `disk` is no NVMe disk, `EACCES` without `CAP_SYS_ADMIN`; `EIO` when the disk refuses.
pub fn smart_log(disk: impl AsFd) -> io::Result<[u8; SMART_LOG]> {
    let mut log = [0; SMART_LOG];
    let mut command = Command {
        opcode: GET_LOG_PAGE,
        nsid: EVERY_NAMESPACE,
        addr: (&raw mut log).expose_provenance() as u64,
        data_len: LOG_BYTES,
        cdw10: SMART,
        timeout_ms: TIMEOUT_MS,
        ..Command::default()
    };
    // SAFETY: the pattern matches the ioctl, and the kernel writes `data_len` bytes at `addr`, which is the log.
    unsafe { rustix::ioctl::ioctl(disk, Admin(&mut command)) }?;
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_and_opcode_are_those_of_the_kernel_header() {
        assert_eq!(size_of::<Command>(), 72);
        assert_eq!(ADMIN, 0xC048_4E41);
    }

    #[test]
    fn what_is_no_such_disk_is_refused_by_the_kernel() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(smart_log(&null), Err(Errno::NOTTY));
    }
}
