//! A program that ends when its handle goes.

use anyhow::Context;
use anyhow::Result;
use std::fs;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;

/// What the kernel counts process times in on every architecture we run on: USER_HZ (include/asm-generic/param.h).
const TICKS_PER_SECOND: f64 = 100.0;

/// A running program. Dropping the handle kills it with SIGKILL and waits for it; nothing else is ever signalled.
#[derive(Debug)]
pub struct Owned {
    child: Child,
}

impl Owned {
    /// Starts a program.
    ///
    /// # Errors
    /// When it cannot be started; the text names it and says where it comes from.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}; `cargo xtask test` installs what is missing"))?;
        Ok(Self { child })
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot ask whether a program still runs")
    }

    /// Seconds of processor time it has used so far, in user and kernel mode, all threads.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let pid = self.child.id();
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("process {pid} has ended"))?;
        let ticks = parse_ticks(&text).with_context(|| format!("cannot read the times of process {pid}"))?;
        Ok(f64::from(ticks) / TICKS_PER_SECOND)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `utime` + `stime` of `/proc/<pid>/stat` (proc(5)); the name before may hold spaces and parentheses.
fn parse_ticks(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn times_are_read_behind_any_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 100 1 1";
        assert_eq!(parse_ticks(stat), Some(175));
        assert_eq!(parse_ticks(""), None);
    }

    #[test]
    fn dropping_the_handle_ends_the_program() {
        let mut sleeper = Owned::start(Command::new("sleep").arg("1000")).unwrap();
        let place = format!("/proc/{}", sleeper.child().id());
        assert!(sleeper.cpu_seconds().unwrap() < 10.0);
        assert!(sleeper.ended().unwrap().is_none());
        drop(sleeper);
        assert!(!Path::new(&place).exists());
    }
}
