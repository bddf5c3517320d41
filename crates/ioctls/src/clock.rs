//! Whether the kernel holds the clock for right (adjtimex(2)).

// UNSAFETY: adjtimex(2) fills a structure by pointer; the use below says why it fits.
#![expect(unsafe_code, reason = "no safe crate only asks for the clock's state")]

use std::mem::MaybeUninit;

use rustix::io;

/// Whether the clock was set from a source, and its error has not grown beyond bounds since: `STA_UNSYNC` is not set. Changes nothing.
///
/// # Errors
/// What the kernel says: `EPERM` or `ENOSYS` where a filter forbids the call.
pub fn is_synchronised() -> io::Result<bool> {
    // SAFETY: zeros are a valid `struct timex` (bits/timex.h: integers only), and with `modes` 0 one that changes nothing.
    let mut state: libc::timex = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the kernel reads and writes one `struct timex`, which outlives the call.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    if answer < 0 {
        let number = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        return Err(io::Errno::from_raw_os_error(number));
    }
    Ok(state.status & libc::STA_UNSYNC == 0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_answers() {
        super::is_synchronised().unwrap();
    }
}
