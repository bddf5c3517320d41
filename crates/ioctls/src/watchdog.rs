//! Hardware watchdogs (Documentation/watchdog/watchdog-api.rst). Petting is a plain write and needs no ioctl.

// UNSAFETY: rustix' typed ioctl patterns are unsafe to construct, because the compiler cannot know that a number
// and a structure belong together; the use below says where the kernel states that they do.
#![expect(unsafe_code, reason = "ioctl numbers must be paired with their structures by hand")]

use std::ffi::c_int;
use std::os::fd::AsFd;

use rustix::io;
use rustix::ioctl::Opcode;
use rustix::ioctl::Updater;
use rustix::ioctl::opcode;

/// A watchdog's time-out in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u16);

/// `_IOWR('W', 6, int)`, include/uapi/linux/watchdog.h.
const WDIOC_SETTIMEOUT: Opcode = opcode::read_write::<c_int>(b'W', 6);

/// Asks for a time-out and returns the one that the hardware granted, which may be shorter or longer.
///
/// # Errors
/// What the kernel says: `EINVAL` when the hardware cannot do it, `EOPNOTSUPP` when its time-out is fixed, `ENOTTY`
/// when `device` is no watchdog.
pub fn set_timeout(device: impl AsFd, wanted: Seconds) -> io::Result<Seconds> {
    let mut seconds = c_int::from(wanted.0);
    // SAFETY: WDIOC_SETTIMEOUT reads and writes one int (drivers/watchdog/watchdog_dev.c), which outlives the call.
    let updater = unsafe { Updater::<WDIOC_SETTIMEOUT, c_int>::new(&mut seconds) };
    // SAFETY: the pattern above matches the ioctl.
    unsafe { rustix::ioctl::ioctl(device, updater) }?;
    u16::try_from(seconds).map(Seconds).map_err(|_negative_or_huge| io::Errno::RANGE)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn the_opcode_is_that_of_the_kernel_header() {
        assert_eq!(WDIOC_SETTIMEOUT, 0xC004_5706);
    }

    #[test]
    fn what_is_no_watchdog_is_refused_by_the_kernel() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(set_timeout(&file, Seconds(60)), Err(io::Errno::NOTTY));
    }
}
