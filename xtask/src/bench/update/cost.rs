//! What a program costs, its children included, by `time` of Debian: a small program between this one and the measured one, because a child
//! begins with the peak of whoever started it (`ru_maxrss`, getrusage(2)).

use crate::command::Program;
use anyhow::Context;
use anyhow::Result;
use serde::Serialize;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// Seconds that passed, of the processor in user mode and in the kernel, and the largest resident set in KiB: time(1).
const FORMAT: &str = "%e %U %S %M";

/// What one run cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cost {
    /// Of the clock.
    pub(crate) seconds: f64,
    /// Of the processor.
    pub(crate) cpu_seconds: f64,
    /// Of the largest of its processes.
    pub(crate) peak_kib: u64,
}

/// Runs it to its end in a folder.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn of(words: &[OsString], folder: &Path) -> Result<Cost> {
    let report = folder.join("time.txt");
    let own = ["-f".into(), FORMAT.into(), "-o".into(), report.clone().into_os_string()];
    Program::new("time", own.into_iter().chain(words.iter().cloned())).folder(folder).output()?;
    let text = fs::read_to_string(&report).with_context(|| format!("reading {}", report.display()))?;
    parse(&text).with_context(|| format!("what is this cost: {text}"))
}

fn parse(text: &str) -> Option<Cost> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [seconds, user, system, peak] = words.as_slice() else { return None };
    let cpu_seconds = user.parse::<f64>().ok()? + system.parse::<f64>().ok()?;
    Some(Cost { seconds: seconds.parse().ok()?, cpu_seconds, peak_kib: peak.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_read() {
        let cost = Cost { seconds: 2.5, cpu_seconds: 1.75, peak_kib: 10_240 };
        assert_eq!(parse("2.50 1.50 0.25 10240\n"), Some(cost));
        for text in ["", "1 2 3", "1 2 3 4 5", "1 2 x 4"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
