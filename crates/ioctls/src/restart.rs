//! Restarting with a word for whoever is told of it (reboot(2), `LINUX_REBOOT_CMD_RESTART2`).

// UNSAFETY: reboot(2) takes the word by pointer, and libc's wrapper has no parameter for it; the use below says why it fits.
#![expect(unsafe_code, reason = "no safe crate passes the word on")]

use std::ffi::CStr;

use rustix::io;

/// Restarts at once; nothing is synced. Returns only when the kernel refuses, with its error (`EPERM` without the right).
///
/// The kernel takes at most 255 bytes of the word.
#[must_use]
pub fn with_word(word: &CStr) -> io::Errno {
    // SAFETY: the numbers are those of reboot(2); the word ends with a zero, outlives the call and is only read.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_reboot,
            libc::LINUX_REBOOT_MAGIC1,
            libc::LINUX_REBOOT_MAGIC2,
            libc::LINUX_REBOOT_CMD_RESTART2,
            word.as_ptr(),
        )
    };
    debug_assert!(answer < 0, "the kernel restarts or refuses");
    let number = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    io::Errno::from_raw_os_error(number)
}
