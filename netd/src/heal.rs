//! Guards against a rival: another program that undoes what netd does would otherwise keep both busy for ever. Pure.
//!
//! A repair is a change that netd makes although nothing it was told has changed. A few are healing; many in a short time are a
//! fight, and netd steps back for a while that doubles, saying so.

use crate::moment::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// Repairs of one link within [`WINDOW`] that are still healing.
const PATIENCE: usize = 8;
/// How long repairs are counted.
const WINDOW: Duration = Duration::from_secs(30);
/// First and longest time to step back.
const FIRST_REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_secs(300);
/// After this long without a repair everything is forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// What is remembered of each link's repairs.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    links: BTreeMap<u32, History>,
}

#[derive(Clone, Debug, Default)]
struct History {
    repairs: Vec<Moment>,
    rest: Option<Duration>,
    rests_until: Option<Moment>,
}

impl Guard {
    /// Whether a link is left alone at present, and until when.
    #[must_use]
    pub fn rests_until(&self, index: u32, now: Moment) -> Option<Moment> {
        self.links.get(&index).and_then(|history| history.rests_until).filter(|until| now < *until)
    }

    /// A link was repaired. When that happens too often, it is left alone from now on.
    pub fn note_repair(&mut self, index: u32, now: Moment) {
        let history = self.links.entry(index).or_default();
        if history.repairs.last().is_some_and(|last| now.since(*last) > FORGIVEN_AFTER) {
            *history = History::default();
        }
        history.repairs.retain(|repair| now.since(*repair) <= WINDOW);
        history.repairs.push(now);
        // After a rest one more repair shows whether the fight goes on.
        let was_resting = history.rests_until.is_some_and(|until| now.since(until) <= WINDOW);
        if history.repairs.len() > PATIENCE || was_resting {
            let rest = history.rest.map_or(FIRST_REST, |rest| (rest * 2).min(LONGEST_REST));
            history.rest = Some(rest);
            history.rests_until = Some(now + rest);
            history.repairs = vec![now];
        }
    }

    /// Forgets links that are gone.
    pub fn retain(&mut self, exists: impl Fn(u32) -> bool) {
        self.links.retain(|index, _| exists(*index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Repairs whenever it may, once a second; returns how often within the time.
    fn fight(guard: &mut Guard, from: u64, seconds: u64) -> usize {
        let mut repairs = 0;
        for now in (from..from + seconds).map(Moment::from_secs) {
            if guard.rests_until(2, now).is_none() {
                guard.note_repair(2, now);
                repairs += 1;
            }
        }
        repairs
    }

    #[test]
    fn healing_is_not_hindered() {
        let mut guard = Guard::default();
        for now in (0..2000).step_by(5).map(Moment::from_secs) {
            guard.note_repair(2, now);
            assert_eq!(guard.rests_until(2, now), None, "every five seconds is no fight");
        }
    }

    #[test]
    fn a_fight_slows_down_and_is_forgotten_after_a_long_peace() {
        let mut guard = Guard::default();
        assert_eq!(fight(&mut guard, 0, 9), 9);
        assert_eq!(guard.rests_until(2, Moment::from_secs(9)), Some(Moment::from_secs(18)));
        assert_eq!(guard.rests_until(3, Moment::from_secs(9)), None, "other links are not punished");
        let in_an_hour = fight(&mut guard, 9, 3600);
        assert!(in_an_hour < 20, "{in_an_hour} repairs in an hour");
        let much_later = 10_000;
        assert_eq!(fight(&mut guard, much_later, 9), 9, "forgotten");
        guard.retain(|index| index != 2);
        assert_eq!(guard.rests_until(2, Moment::from_secs(much_later + 9)), None);
    }
}
