//! A user namespace that nothing runs in: the kernel takes a table of ids for mounts only from one (mount_setattr(2), `MOUNT_ATTR_IDMAP`),
//! lets it be written only through a process in it (user_namespaces(7)), and unshare(2) would move the caller.

// UNSAFETY: clone(2) without a function to run is in no safe crate; below is why its child may run.
#![expect(unsafe_code, reason = "the child of clone(2) has to be kept from running the caller's code")]

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::WaitOptions;
use std::io;

/// A process that does nothing, in a user namespace of its own. It ends with this value, and with the process that made it.
#[derive(Debug)]
pub struct UserNamespace {
    holder: Pid,
}

impl UserNamespace {
    /// Makes one, without any ids in it. The process is a copy of the calling one, descriptors included, that never runs.
    ///
    /// # Errors
    /// What clone(2) says: the kernel has no user namespaces, or there are too many.
    pub fn new() -> io::Result<Self> {
        let flags = libc::c_long::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
        // SAFETY: arguments as clone(2) has them where the child gets a copy of the caller's memory and goes on on its stack. Whatever locks
        // other threads held are held for ever there; the child takes none, and never returns from here.
        let answer = unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
        match answer {
            0 => hold(),
            -1 => Err(io::Error::last_os_error()),
            child => {
                let child = i32::try_from(child).ok().and_then(Pid::from_raw);
                child.map(|holder| Self { holder }).ok_or_else(|| io::Error::from(Errno::SRCH))
            }
        }
    }

    /// The process; its tables are `/proc/PID/uid_map` and `gid_map`, the namespace is `/proc/PID/ns/user`.
    #[must_use]
    pub fn process(&self) -> Pid {
        self.holder
    }
}

impl Drop for UserNamespace {
    fn drop(&mut self) {
        // Ours until it is waited for, so the number is nobody else's; a process that is killed is waited for soon.
        let _it_may_be_dead = rustix::process::kill_process(self.holder, Signal::KILL);
        let _how_it_ended = rustix::process::waitpid(Some(self.holder), WaitOptions::empty());
    }
}

/// The child's life: system calls only.
fn hold() -> ! {
    // SAFETY: none of these calls touches memory of this process. Without its parent it would never end.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::c_ulong::from(libc::SIGKILL.unsigned_abs()), 0, 0, 0);
        loop {
            libc::pause();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn it_is_another_one_and_goes_with_its_value() {
        let namespace = UserNamespace::new().unwrap();
        let folder = format!("/proc/{}", namespace.process().as_raw_nonzero());
        let own = fs::read_link("/proc/self/ns/user").unwrap();
        assert_ne!(fs::read_link(format!("{folder}/ns/user")).unwrap(), own);
        assert_eq!(fs::read_to_string(format!("{folder}/uid_map")).unwrap(), "");
        drop(namespace);
        assert!(!fs::exists(folder).unwrap());
    }

    #[test]
    fn another_thread_may_hold_any_lock() {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = std::sync::Arc::clone(&stop);
        let busy = std::thread::spawn(move || {
            while !seen.load(std::sync::atomic::Ordering::Relaxed) {
                drop(vec![0_u8; 4096]);
            }
        });
        for _ in 0..20 {
            drop(UserNamespace::new().unwrap());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        busy.join().unwrap();
    }
}
