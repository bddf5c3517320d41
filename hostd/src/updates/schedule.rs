//! When the repository is asked, and when the box restarts: pure.

use super::settings::OpenHours;
use super::settings::UpdateMode;
use std::time::Duration;

/// A wall clock before 2025-01-01T00:00:00Z, in seconds since 1970, was never set.
const EARLIEST: u64 = 1_735_689_600;
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;
/// After the start of the box it has other things to do first; then come as many seconds by chance.
const FIRST: u64 = 2 * 60;
const FIRST_SPREAD: u64 = 10 * 60;
/// Between two checks, and as many seconds by chance: six hours in the middle.
const EVERY: u64 = 5 * HOUR;
const SPREAD: u64 = 2 * HOUR;
/// After a failure; doubles with each one in a row, up to the usual pause.
const AGAIN: u64 = 5 * 60;
/// The box restarts by itself only when it has been up so long: whatever goes wrong, it is no loop.
const UP_BEFORE_RESTART: u64 = 20 * 60;
/// The clock may be set and settings changed meanwhile, so the schedule is asked at least this often.
const LOOK_EVERY: u64 = 5 * 60;

/// What the schedule goes by.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// How far updates go by themselves.
    pub mode: UpdateMode,
    /// When the box may restart, by the owner's clock as it is today.
    pub window: OpenHours,
    /// Seconds since the kernel started.
    pub uptime: u64,
    /// Seconds since 1970 by the machine's clock.
    pub wall: u64,
    /// Whether the clock was set by somebody.
    pub clock_is_set: bool,
    /// When the repository was last asked, in seconds since the kernel started.
    pub asked: Option<u64>,
    /// How often in a row that, or a download, failed.
    pub failures: u32,
    /// Whether something is armed.
    pub is_ready: bool,
    /// A number that stays the same for this box and differs between boxes.
    pub seed: u64,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the repository.
    Check,
    /// Restart into what is armed.
    Restart,
    /// Look again after that.
    Wait(Duration),
}

/// What to do now.
#[must_use]
pub fn next(facts: &Facts) -> Step {
    if facts.mode == UpdateMode::Off {
        return wait(LOOK_EVERY);
    }
    if facts.is_ready {
        let due = restart_in(facts);
        return match due {
            Some(0) if facts.mode == UpdateMode::Install => Step::Restart,
            Some(_) | None => wait(due.unwrap_or(LOOK_EVERY)),
        };
    }
    let due = check_at(facts);
    if facts.uptime >= due { Step::Check } else { wait(due - facts.uptime) }
}

/// When the box will restart by itself, in seconds since 1970; none where it will not, or nobody can tell.
#[must_use]
pub fn restart_at(facts: &Facts) -> Option<u64> {
    let will = facts.is_ready && facts.mode == UpdateMode::Install;
    will.then(|| restart_in(facts).map(|seconds| facts.wall.saturating_add(seconds))).flatten()
}

/// When the repository is asked next, in seconds since the kernel started; none where it is not.
#[must_use]
pub fn next_check(facts: &Facts) -> Option<u64> {
    (facts.mode != UpdateMode::Off && !facts.is_ready).then(|| check_at(facts))
}

fn check_at(facts: &Facts) -> u64 {
    let Some(asked) = facts.asked else { return FIRST + chance(facts.seed, 0) % FIRST_SPREAD };
    let usual = EVERY + chance(facts.seed, asked) % SPREAD;
    let pause = match facts.failures.checked_sub(1) {
        None => usual,
        Some(doublings) => {
            let again = AGAIN.saturating_mul(1_u64.checked_shl(doublings).unwrap_or(u64::MAX));
            again.saturating_add(chance(facts.seed, asked) % AGAIN).min(usual)
        }
    };
    asked.saturating_add(pause)
}

/// Seconds until the box may restart.
fn restart_in(facts: &Facts) -> Option<u64> {
    if !facts.clock_is_set || facts.wall < EARLIEST {
        return None;
    }
    let settled = UP_BEFORE_RESTART.saturating_sub(facts.uptime);
    Some(settled + opens_in(&facts.window, facts.wall.saturating_add(settled)))
}

/// Seconds until a window is open; 0 while it is.
fn opens_in(window: &OpenHours, wall: u64) -> u64 {
    let local = wall.saturating_add_signed(window.seconds_ahead.into()) % DAY;
    let (from, to) = (u64::from(window.from_minute) * 60, u64::from(window.to_minute) * 60);
    let since = (local + DAY - from) % DAY;
    let length = (to + DAY - from) % DAY;
    if since < length { 0 } else { DAY - since }
}

const fn wait(seconds: u64) -> Step {
    let bounded = if seconds > LOOK_EVERY { LOOK_EVERY } else { seconds };
    Step::Wait(Duration::from_secs(if bounded == 0 { 1 } else { bounded }))
}

/// A number that nobody foresees and that is the same each time it is asked for (splitmix64).
const fn chance(seed: u64, turn: u64) -> u64 {
    let mixed = seed.wrapping_add(turn.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::updates::settings::RestartWindow;

    /// 2026-01-01T00:00:00Z.
    const MIDNIGHT: u64 = 1_767_225_600;

    fn facts() -> Facts {
        Facts {
            mode: UpdateMode::Install,
            window: RestartWindow::default().hours_at(MIDNIGHT),
            uptime: DAY,
            wall: MIDNIGHT,
            clock_is_set: true,
            asked: Some(DAY),
            failures: 0,
            is_ready: false,
            seed: 7,
        }
    }

    #[test]
    fn boxes_ask_about_every_six_hours_and_not_at_once() {
        let mut first = Vec::new();
        for seed in 0..200 {
            let at = next_check(&Facts { asked: None, uptime: 0, seed, ..facts() }).unwrap();
            assert!((FIRST..FIRST + FIRST_SPREAD).contains(&at));
            first.push(at);
            let again = next_check(&Facts { seed, ..facts() }).unwrap() - DAY;
            assert!((5 * HOUR..7 * HOUR).contains(&again), "{again}");
        }
        first.sort_unstable();
        first.dedup();
        assert!(first.len() > 100, "{}", first.len());
    }

    #[test]
    fn a_failure_is_tried_again_sooner_each_time_later() {
        let pause = |failures| next_check(&Facts { failures, ..facts() }).unwrap() - DAY;
        assert!(pause(1) < 10 * 60 && pause(1) >= 5 * 60);
        assert!(pause(2) > pause(1) && pause(3) > pause(2) && pause(4) > pause(3));
        for many in [20, 64, u32::MAX] {
            assert_eq!(pause(many), pause(0));
        }
    }

    #[test]
    fn the_next_step() {
        let step = |change: &dyn Fn(&mut Facts)| {
            let mut facts = facts();
            change(&mut facts);
            next(&facts)
        };
        assert!(matches!(step(&|_| {}), Step::Wait(_)));
        assert_eq!(step(&|facts| facts.uptime = DAY + 7 * HOUR), Step::Check);
        assert!(matches!(
            step(&|facts| {
                facts.uptime = DAY + 7 * HOUR;
                facts.mode = UpdateMode::Off;
            }),
            Step::Wait(_)
        ));
        let night = |facts: &mut Facts| {
            facts.is_ready = true;
            facts.wall = MIDNIGHT + 3 * HOUR;
        };
        assert_eq!(step(&night), Step::Restart);
        let refused: [&dyn Fn(&mut Facts); 5] = [
            &|facts| facts.mode = UpdateMode::Ask,
            &|facts| facts.wall = MIDNIGHT + 5 * HOUR,
            &|facts| facts.clock_is_set = false,
            &|facts| facts.wall = 3 * HOUR,
            &|facts| facts.uptime = 60,
        ];
        for change in refused {
            let step = step(&|facts| {
                night(facts);
                change(facts);
            });
            assert!(matches!(step, Step::Wait(wait) if wait >= Duration::from_secs(1)), "{step:?}");
        }
    }

    #[test]
    fn windows_over_midnight_and_in_other_zones() {
        let window = |from: u16, to: u16, zone: i32| OpenHours {
            from_minute: from * 60,
            to_minute: to * 60,
            seconds_ahead: zone * 3600,
        };
        for (from, to, zone, hour, opens_in_hours) in [
            (3, 5, 0, 0, 3),
            (3, 5, 0, 4, 0),
            (3, 5, 0, 5, 22),
            (23, 1, 0, 0, 0),
            (23, 1, 0, 1, 22),
            (3, 5, 2, 1, 0),
            (3, 5, 2, 3, 22),
            (3, 5, -5, 8, 0),
            (3, 5, -5, 7, 1),
        ] {
            let seconds = opens_in(&window(from, to, zone), MIDNIGHT + hour * HOUR);
            assert_eq!(seconds, opens_in_hours * HOUR, "{from} {to} {zone} {hour}");
        }
    }

    #[test]
    fn a_restart_is_foretold() {
        let ready = Facts { is_ready: true, ..facts() };
        assert_eq!(restart_at(&ready), Some(MIDNIGHT + 3 * HOUR));
        assert_eq!(restart_at(&Facts { mode: UpdateMode::Ask, ..ready }), None);
        assert_eq!(restart_at(&Facts { clock_is_set: false, ..ready }), None);
        assert_eq!(restart_at(&facts()), None);
    }
}
