//! Settings that are taken back unless they are confirmed. Pure.
//!
//! ```text
//!            set, no trial                    set, no trial
//!           ┌────────────┐                ┌──────────────────┐
//!           v            │                v                  │
//!  ──> confirmed ── set with trial ──> on trial ── confirm ──┤
//!           ^                             │ │ ^              │
//!           └──── time is up, restart ────┘ └─┘ set with trial (the same confirmed ones come back)
//! ```

use crate::moment::Moment;
use model::network::settings::NetworkSettings;
use std::time::Duration;

/// Settings in force, and those that come back when a trial ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    confirmed: NetworkSettings,
    on_trial: Option<(NetworkSettings, Moment)>,
}

impl Trial {
    /// Settings that were confirmed earlier.
    #[must_use]
    pub const fn new(confirmed: NetworkSettings) -> Self {
        Self { confirmed, on_trial: None }
    }

    /// Settings in force.
    #[must_use]
    pub const fn in_force(&self) -> &NetworkSettings {
        match &self.on_trial {
            Some((settings, _)) => settings,
            None => &self.confirmed,
        }
    }

    /// Settings that outlive a restart.
    #[must_use]
    pub const fn confirmed(&self) -> &NetworkSettings {
        &self.confirmed
    }

    /// When the trial ends.
    #[must_use]
    pub fn ends(&self) -> Option<Moment> {
        self.on_trial.as_ref().map(|(_, ends)| *ends)
    }

    /// New settings, for a while or for good.
    pub fn set(&mut self, settings: NetworkSettings, trial: Option<Duration>, now: Moment) {
        match trial {
            Some(time) => self.on_trial = Some((settings, now + time)),
            None => *self = Self::new(settings),
        }
    }

    /// Keeps what is on trial; says whether there was anything.
    pub fn confirm(&mut self) -> bool {
        match self.on_trial.take() {
            Some((settings, _)) => {
                self.confirmed = settings;
                true
            }
            None => false,
        }
    }

    /// Ends a trial whose time is up; says whether it did.
    pub fn expire(&mut self, now: Moment) -> bool {
        let is_over = self.ends().is_some_and(|ends| ends <= now);
        if is_over {
            self.on_trial = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(serve_lan: bool) -> NetworkSettings {
        let mut settings = NetworkSettings::default();
        settings.resolver.serve_lan = serve_lan;
        settings
    }

    const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

    #[test]
    fn a_trial_that_nobody_confirms_is_taken_back() {
        let mut trial = Trial::new(settings(false));
        trial.set(settings(true), MINUTE, Moment::from_secs(10));
        assert!(trial.in_force().resolver.serve_lan && !trial.confirmed().resolver.serve_lan);
        assert!(!trial.expire(Moment::from_secs(69)));
        assert!(trial.expire(Moment::from_secs(70)));
        assert_eq!(trial, Trial::new(settings(false)));
        assert!(!trial.confirm(), "too late");
    }

    #[test]
    fn a_second_trial_comes_back_to_what_was_confirmed() {
        let mut trial = Trial::new(settings(false));
        trial.set(settings(true), MINUTE, Moment::from_secs(0));
        let mut other = settings(true);
        other.resolver.private_names = vec!["a.b".parse().unwrap()];
        trial.set(other.clone(), MINUTE, Moment::from_secs(30));
        assert_eq!(trial.ends(), Some(Moment::from_secs(90)));
        assert!(trial.expire(Moment::from_secs(90)));
        assert_eq!(trial.in_force(), &settings(false));
        trial.set(other.clone(), MINUTE, Moment::from_secs(100));
        assert!(trial.confirm());
        assert_eq!((trial.confirmed(), trial.ends()), (&other, None));
    }

    #[test]
    fn settings_without_trial_end_one() {
        let mut trial = Trial::new(settings(false));
        trial.set(settings(true), MINUTE, Moment::from_secs(0));
        trial.set(settings(false), None, Moment::from_secs(1));
        assert_eq!(trial, Trial::new(settings(false)));
    }
}
