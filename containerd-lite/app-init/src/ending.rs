//! How the app's program ended, in the words that the box reads.

use rustix::process::WaitStatus;
use std::io;

/// Codes as shells give them: this process itself failed, the program cannot be run, there is none.
pub(crate) const BROKEN: u8 = 125;
const NOT_RUNNABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
}

impl Ending {
    /// Of a program that was waited for.
    pub(crate) fn of(status: WaitStatus) -> Self {
        let number = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok());
        match (number(status.exit_status()), number(status.terminating_signal())) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Code(BROKEN),
        }
    }

    /// Of a program that could not be started.
    pub(crate) fn of_failed_start(error: &io::Error) -> Self {
        Self::Code(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE })
    }

    /// The line in the box's file.
    pub(crate) fn line(self) -> String {
        match self {
            Self::Code(code) => format!("code {code}\n"),
            Self::Signal(signal) => format!("signal {signal}\n"),
        }
    }

    /// The code of this process.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[expect(
        clippy::zombie_processes,
        reason = "waited for below, by the call that the program itself makes"
    )]
    fn of(script: &str) -> Ending {
        let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let (_, status) =
            rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap().unwrap();
        Ending::of(status)
    }

    #[test]
    fn codes_and_signals_are_told_apart() {
        assert_eq!(of("exit 7").line(), "code 7\n");
        assert_eq!(of("exit 255").line(), "code 255\n");
        assert_eq!(of("kill -9 $$"), Ending::Signal(9));
        assert_eq!((Ending::Signal(9).line(), Ending::Signal(9).code()), ("signal 9\n".to_owned(), 137));
    }

    #[test]
    fn a_program_that_is_not_there_is_no_program_that_cannot_run() {
        let code = |kind| Ending::of_failed_start(&io::Error::from(kind)).code();
        assert_eq!(code(io::ErrorKind::NotFound), 127);
        assert_eq!(code(io::ErrorKind::PermissionDenied), 126);
    }
}
