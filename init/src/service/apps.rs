//! Apps on the way down: told to end, waited for, and ended.
//!
//! Containers are no services of init's: containerd-lite starts them, and they go on without it. When the box goes down it has ended before,
//! or it would start them again. The first process of each container passes the wish on as its app's own stop signal and ends all when the
//! app's time is over (docs/spec/containers.md), so only those are told.
//!
//! ```text
//!  begin ─▶ told (SIGTERM to each first process) ─▶ after 30 s: killed ─▶ after 5 s: given up on
//!             └── nothing runs any more ──────────────┴──▶ over
//! ```

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use model::paths;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;

/// How long all apps together may take to end.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long what was killed may take to go. What even that does not end hangs in the kernel.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Groups of apps are `<app>/<container>`; deeper ones are nobody's.
const DEPTH: usize = 4;

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Nobody was told.
    #[default]
    NotBegun,
    /// All were told.
    Told {
        /// When patience ends.
        until: Duration,
        /// When to look again.
        look: Duration,
    },
    /// All were killed.
    Killed {
        /// When they are given up on.
        until: Duration,
        /// When to look again.
        look: Duration,
    },
    /// Nothing of them runs, or nothing helps.
    Over,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell all to end.
    Tell,
    /// End all at once.
    Kill,
}

impl Ending {
    /// Goes on, given whether anything of apps runs.
    pub fn step(&mut self, is_running: bool, now: Duration) -> Option<Effect> {
        let look = now + LOOK;
        let (next, effect) = match *self {
            _ if !is_running => (Self::Over, None),
            Self::NotBegun => (Self::Told { until: now + PATIENCE, look }, Some(Effect::Tell)),
            Self::Told { until, .. } if now >= until => {
                (Self::Killed { until: now + KILL_PATIENCE, look }, Some(Effect::Kill))
            }
            Self::Killed { until, .. } if now >= until => (Self::Over, None),
            Self::Told { until, .. } => (Self::Told { until, look }, None),
            Self::Killed { until, .. } => (Self::Killed { until, look }, None),
            Self::Over => (Self::Over, None),
        };
        *self = next;
        effect
    }

    /// When to look again.
    #[must_use]
    pub fn due(self) -> Option<Duration> {
        match self {
            Self::Told { look, .. } | Self::Killed { look, .. } => Some(look),
            Self::NotBegun | Self::Over => None,
        }
    }
}

/// Whether anything of apps runs.
#[must_use]
pub fn are_running() -> bool {
    let events = fs::read_to_string(Path::new(paths::APP_CGROUPS).join("cgroup.events"));
    events.is_ok_and(|events| is_populated(&events))
}

fn is_populated(events: &str) -> bool {
    events.lines().any(|line| line == "populated 1")
}

/// Tells the first process of each container to end; how many were told.
#[must_use]
pub fn tell_all() -> usize {
    let mut all = Vec::new();
    collect(Path::new(paths::APP_CGROUPS), DEPTH, &mut all);
    all.into_iter().filter(|pid| tell(*pid)).count()
}

/// Ends all of all apps.
///
/// # Errors
/// When the group is not there.
pub fn kill_all() -> io::Result<()> {
    fs::write(Path::new(paths::APP_CGROUPS).join("cgroup.kill"), "1")
}

fn collect(group: &Path, depth: usize, all: &mut Vec<Pid>) {
    let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    all.extend(processes.lines().filter_map(|line| line.parse().ok().and_then(Pid::from_raw)));
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), depth, all);
        }
    }
}

fn tell(pid: Pid) -> bool {
    // Whoever has this number from now on is the one that is asked about and told.
    let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return false };
    let read = |file: &str| {
        fs::read_to_string(Path::new("/proc").join(pid.as_raw_pid().to_string()).join(file))
            .unwrap_or_default()
    };
    is_in_an_app(&read("cgroup"))
        && is_first(&read("status"))
        && rustix::process::pidfd_send_signal(&process, Signal::TERM).is_ok()
}

/// Whether `/proc/<pid>/cgroup` is that of a process of an app (cgroups(7)).
fn is_in_an_app(cgroup: &str) -> bool {
    cgroup.lines().any(|line| line.starts_with("0::/apps/"))
}

/// Whether `/proc/<pid>/status` is that of the first process of its container, or of one that is in no container (`NSpid`, proc(5)).
fn is_first(status: &str) -> bool {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let mut numbers = numbers.unwrap_or_default().split_whitespace().skip(1).peekable();
    numbers.peek().is_none() || numbers.last() == Some("1")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    #[test]
    fn without_apps_nobody_waits() {
        let mut ending = Ending::default();
        assert_eq!((ending.step(false, NOW), ending), (None, Ending::Over));
        assert_eq!(ending.due(), None);
    }

    #[test]
    fn apps_are_told_once_and_waited_for() {
        let mut ending = Ending::default();
        assert_eq!(ending.step(true, NOW), Some(Effect::Tell));
        let mut now = NOW;
        while now < NOW + PATIENCE - LOOK {
            assert_eq!(ending.due(), Some(now + LOOK));
            now += LOOK;
            assert_eq!(ending.step(true, now), None);
        }
        assert_eq!((ending.step(false, now), ending), (None, Ending::Over));
    }

    #[test]
    fn what_does_not_end_is_killed_once_and_then_given_up_on() {
        let mut ending = Ending::default();
        assert_eq!(ending.step(true, NOW), Some(Effect::Tell));
        assert_eq!(ending.step(true, NOW + PATIENCE), Some(Effect::Kill));
        assert_eq!(ending.step(true, NOW + PATIENCE + LOOK), None);
        assert_ne!(ending, Ending::Over);
        assert_eq!(ending.step(true, NOW + PATIENCE + KILL_PATIENCE), None);
        assert_eq!((ending, ending.step(true, NOW + PATIENCE * 2)), (Ending::Over, None));
    }

    #[test]
    fn only_first_processes_of_apps_are_told() {
        let status = |numbers: &str| format!("Name:\tx\nPid:\t812\nNSpid:\t{numbers}\nThreads:\t1\n");
        for (numbers, is_told) in [("812", true), ("812\t1", true), ("812\t12\t1", true), ("812\t7", false)] {
            assert_eq!(is_first(&status(numbers)), is_told, "{numbers}");
        }
        assert!(is_in_an_app("0::/apps/notes/web\n"));
        for other in ["0::/hearth/hostd\n", "0::/\n", "", "0::/appsy\n", "1:cpu:/apps/x\n"] {
            assert!(!is_in_an_app(other), "{other}");
        }
        assert!(is_populated("populated 1\nfrozen 0\n") && !is_populated("populated 0\nfrozen 0\n"));
    }
}
