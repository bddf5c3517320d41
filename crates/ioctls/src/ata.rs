//! What an ATA disk says of its health, by commands of the ATA set inside of SCSI ones (SAT-4, section 12.2.2; ACS-3, section 7.48).

// UNSAFETY: an ioctl number and its structure belong together only because the kernel's header says so; each use below names the place.
#![expect(unsafe_code, reason = "ioctl numbers must be paired with their structures by hand")]

use rustix::io;
use rustix::io::Errno;
use rustix::ioctl::Opcode;
use rustix::ioctl::Updater;
use std::ffi::c_int;
use std::ffi::c_uint;
use std::ffi::c_void;
use std::os::fd::AsFd;
use std::ptr;

/// Length of the page of attributes.
pub const SMART_DATA: usize = 512;
/// Most that is taken of what a command leaves besides its data.
pub const SENSE: usize = SENSE_ROOM as usize;
const SENSE_ROOM: u8 = 32;

/// ATA PASS-THROUGH (16), its protocols and what it says of the transfer.
const PASS_THROUGH: u8 = 0x85;
const PIO_IN: u8 = 4 << 1;
const NO_DATA: u8 = 3 << 1;
/// From the disk, in blocks of 512 bytes, their count in the sector count.
const ONE_BLOCK_IN: u8 = 0x08 | 0x04 | 0x02;
/// The registers are wanted, also after a command that went well.
const CHECK_CONDITION: u8 = 0x20;
/// The command SMART, its two features that are used, and the signature that it wants.
const SMART: u8 = 0xB0;
const READ_DATA: u8 = 0xD0;
const RETURN_STATUS: u8 = 0xDA;
const SIGNATURE: [u8; 2] = [0x4F, 0xC2];

/// `SG_IO`, include/scsi/sg.h.
const SG_IO: Opcode = 0x2285;
const SG_DXFER_NONE: c_int = -1;
const SG_DXFER_FROM_DEV: c_int = -3;
/// A disk that sleeps wakes up for it.
const TIMEOUT_MS: c_uint = 15_000;
/// A SCSI status: the sense says more.
const CHECKED: u8 = 2;
const COMMAND: u8 = 16;

/// `struct sg_io_hdr`, include/scsi/sg.h.
#[repr(C)]
struct Header {
    interface_id: c_int,
    direction: c_int,
    command_length: u8,
    sense_room: u8,
    pieces: u16,
    length: c_uint,
    data: *mut c_void,
    command: *mut u8,
    sense: *mut u8,
    timeout: c_uint,
    flags: c_uint,
    pack_id: c_int,
    user: *mut c_void,
    status: u8,
    masked_status: u8,
    message_status: u8,
    sense_length: u8,
    host_status: u16,
    driver_status: u16,
    residue: c_int,
    duration: c_uint,
    info: c_uint,
}

/// The page of attributes (SMART READ DATA). The disk may be in use.
///
/// # Errors
/// What the kernel says: `ENOTTY` when `disk` takes no such commands, `EPERM` without `CAP_SYS_RAWIO`; `EIO` when the disk refuses.
pub fn smart_data(disk: impl AsFd) -> io::Result<[u8; SMART_DATA]> {
    let mut data = [0; SMART_DATA];
    let mut command = smart(PIO_IN, ONE_BLOCK_IN, READ_DATA);
    // One block.
    command[6] = 1;
    let answer = send(disk, command, &mut data)?;
    if answer.status == 0 { Ok(data) } else { Err(Errno::IO) }
}

/// What SMART RETURN STATUS leaves: the sense, in which the registers are.
///
/// # Errors
/// As [`smart_data`].
pub fn smart_status(disk: impl AsFd) -> io::Result<[u8; SENSE]> {
    let answer = send(disk, smart(NO_DATA, CHECK_CONDITION, RETURN_STATUS), &mut [])?;
    if matches!(answer.status, 0 | CHECKED) { Ok(answer.sense) } else { Err(Errno::IO) }
}

fn smart(protocol: u8, transfer: u8, feature: u8) -> [u8; COMMAND as usize] {
    let mut command = [0; COMMAND as usize];
    command[..3].copy_from_slice(&[PASS_THROUGH, protocol, transfer]);
    command[4] = feature;
    [command[10], command[12]] = SIGNATURE;
    command[14] = SMART;
    command
}

struct Answer {
    status: u8,
    sense: [u8; SENSE],
}

fn send(disk: impl AsFd, mut command: [u8; COMMAND as usize], data: &mut [u8]) -> io::Result<Answer> {
    let mut sense = [0; SENSE];
    let mut header = Header {
        interface_id: c_int::from(b'S'),
        direction: if data.is_empty() { SG_DXFER_NONE } else { SG_DXFER_FROM_DEV },
        command_length: COMMAND,
        sense_room: SENSE_ROOM,
        pieces: 0,
        length: c_uint::try_from(data.len()).map_err(|_too_long| Errno::INVAL)?,
        data: data.as_mut_ptr().cast(),
        command: command.as_mut_ptr(),
        sense: sense.as_mut_ptr(),
        timeout: TIMEOUT_MS,
        flags: 0,
        pack_id: 0,
        user: ptr::null_mut(),
        status: 0,
        masked_status: 0,
        message_status: 0,
        sense_length: 0,
        host_status: 0,
        driver_status: 0,
        residue: 0,
        duration: 0,
        info: 0,
    };
    // SAFETY: SG_IO reads a `struct sg_io_hdr` and writes one back; it reads `command_length` bytes of the command, and writes at most
    // `length` bytes of data and `sense_room` of sense (block/scsi_ioctl.c, drivers/scsi/scsi_ioctl.c `sg_io`), all of which outlive
    // the call.
    let updater = unsafe { Updater::<SG_IO, Header>::new(&mut header) };
    // SAFETY: the pattern above matches the ioctl.
    unsafe { rustix::ioctl::ioctl(disk, updater) }?;
    // The command did not reach the disk, or its answer did not come back.
    if header.host_status != 0 {
        return Err(Errno::IO);
    }
    Ok(Answer { status: header.status, sense })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_has_the_size_of_the_kernel_header() {
        assert_eq!(size_of::<Header>(), 88);
    }

    #[test]
    fn commands_are_those_of_the_standard() {
        let read = [0x85, 0x08, 0x0E, 0, 0xD0, 0, 0, 0, 0, 0, 0x4F, 0, 0xC2, 0, 0xB0, 0];
        assert_eq!(smart(PIO_IN, ONE_BLOCK_IN, READ_DATA), read);
        let status = [0x85, 0x06, 0x20, 0, 0xDA, 0, 0, 0, 0, 0, 0x4F, 0, 0xC2, 0, 0xB0, 0];
        assert_eq!(smart(NO_DATA, CHECK_CONDITION, RETURN_STATUS), status);
    }

    #[test]
    fn what_is_no_such_disk_is_refused_by_the_kernel() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(smart_data(&null), Err(Errno::NOTTY));
        assert_eq!(smart_status(&null), Err(Errno::NOTTY));
    }
}
