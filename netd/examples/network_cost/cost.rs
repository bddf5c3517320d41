//! Processor time, user and system together, in milliseconds. The kernel counts it in nanoseconds (`CLOCK_PROCESS_CPUTIME_ID`) or
//! tells it in microseconds (`getrusage(2)`); only its parts, user and system, are guessed from ticks.

use anyhow::Context;
use anyhow::Result;
use nix::sys::resource::UsageWho;
use nix::sys::resource::getrusage;
use nix::sys::time::TimeValLike;
use nix::time::ClockId;
use nix::unistd::Pid;
use std::time::Duration;
use std::time::Instant;

/// How often a process is looked at, and for how long it must use nothing to be at rest: netd waits 50 ms for more news.
const LOOK: Duration = Duration::from_millis(20);
const REST: Duration = Duration::from_millis(150);
/// A process that is never at rest is measured all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// Of this process.
pub(crate) fn own() -> Result<f64> {
    usage(UsageWho::RUSAGE_SELF)
}

/// Of all child processes that have ended and were waited for.
pub(crate) fn children() -> Result<f64> {
    usage(UsageWho::RUSAGE_CHILDREN)
}

fn usage(who: UsageWho) -> Result<f64> {
    let usage = getrusage(who).context("reading the processor time")?;
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Duration::from_micros(microseconds.unsigned_abs()).as_secs_f64() * 1e3)
}

/// Of another process, with all its threads.
pub(crate) fn of(process: Pid) -> Result<f64> {
    let clock = ClockId::pid_cpu_clock_id(process).context("finding netd's processor time")?;
    let time = clock.now().context("reading netd's processor time")?;
    Ok(Duration::from(time).as_secs_f64() * 1e3)
}

/// The same, once it uses no more: what it does after it answered is part of the price.
pub(crate) async fn of_at_rest(process: Pid) -> Result<f64> {
    let begun = Instant::now();
    let (mut last, mut since) = (of(process)?, Instant::now());
    while since.elapsed() < REST && begun.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        let now = of(process)?;
        if now > last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last)
}

/// Wall time in milliseconds.
pub(crate) fn wall(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
