//! The first load: takes up what an earlier netd left.

use super::Files;
use super::Keeper;
use super::KeeperError;
use crate::apps::addressing::Prefix6;
use crate::apps::roster::Roster;
use crate::apps::wiring::Wiring;
use crate::documents;
use crate::documents::Lasting;
use crate::firewall::filter::PacketFilter;
use crate::firewall::learned::Learned;
use crate::firewall::permission::Mark;
use crate::firewall::permission::Permission;
use crate::firewall::permission::permissions;
use crate::firewall::situation::Home;
use crate::firewall::tally::Tally;
use crate::moment::Moment;
use model::network::app_policy::AppPolicy;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

impl<F: PacketFilter, W: Wiring> Keeper<F, W> {
    /// Loads the rules for the policy and the apps of an earlier run, or those of a box without apps.
    ///
    /// The home network is the one that the kernel shows now: rules that know none would close the box to whoever is at home, for as
    /// long as netd needs for its first pass, and for longer if it dies before that.
    ///
    /// What was left and cannot be read is left out, with a line in the log: apps are attached anew by who runs them.
    pub fn start(filter: F, wiring: W, files: Files, home: Home, serves_home: bool, now: Moment) -> Self {
        let policy =
            left(&files.policy).filter(|policy: &AppPolicy| policy.check().is_ok()).unwrap_or_default();
        let roster: Roster = left(&files.roster).unwrap_or_default();
        let prefix6 = prefix6(&files.prefix6);
        let mut keeper = Self {
            filter,
            wiring,
            files,
            prefix6,
            policy,
            roster,
            home,
            serves_home,
            learned: Learned::default(),
            tally: Tally::default(),
            permissions: BTreeSet::new(),
            unswept: None,
            is_loaded: false,
            is_prepared: false,
            problem: None,
            tried: 0,
            told: 0,
            loads: 0,
            generation: None,
        };
        keeper.forget_strays();
        if let Err(error) = keeper.take_up_addresses(now) {
            tracing::warn!(
                error = &error as &dyn Error,
                "addresses of names were not taken up; apps must ask again"
            );
        }
        // Counters of an earlier netd go on.
        keeper.is_loaded = keeper.filter.counts().is_ok_and(|counts| !counts.is_empty());
        keeper.refresh(now);
        keeper
    }

    /// Apps whose namespace went while there was no netd.
    fn forget_strays(&mut self) {
        let laid: Vec<_> = self
            .roster
            .members()
            .map(|(app, member)| (app.clone(), member.place))
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|(_, place)| self.wiring.is_laid(*place))
            .collect();
        let policy = &self.policy;
        self.roster.retain(|app, member| {
            let is_laid = laid.iter().any(|(other, _)| other == app);
            is_laid && policy.app(app).is_none_or(|(workspace, _)| *workspace == member.workspace)
        });
    }

    /// Addresses of names in the kernel's maps, so that a restart closes no way that is open. One that belonged to several names of an app
    /// is known for the one that would have lasted longest.
    fn take_up_addresses(&mut self, now: Moment) -> Result<(), KeeperError> {
        let of_names = permissions(&self.policy, self.serves_home)
            .into_iter()
            .filter(|permission| matches!(permission, Permission::Domain { .. }));
        let by_mark: HashMap<Mark, Permission> =
            of_names.map(|permission| (permission.mark(), permission)).collect();
        for reachable in self.filter.reachable()? {
            let permission = by_mark.get(&reachable.mark);
            let member = permission.and_then(Permission::app).and_then(|app| self.roster.member(app));
            if let (Some(permission), Some(member)) = (permission, member)
                && member.place.link() == reachable.link.as_str()
            {
                self.learned.note(permission, &[reachable.address], now + reachable.left);
            }
        }
        Ok(())
    }
}

fn left<T: DeserializeOwned>(path: &Path) -> Option<T> {
    documents::read(path).unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn Error, "what an earlier netd left cannot be used");
        None
    })
}

/// The box's own prefix: made once, at random (RFC 4193 section 3.2.2 wants that it is never the same as a neighbour's).
fn prefix6(path: &Path) -> Prefix6 {
    if let Some([a, b, c, d, e]) = left::<[u8; 5]>(path) {
        return Prefix6::from_random([a, b, c, d, e]);
    }
    let mut random = [0; 5];
    if let Err(error) = getrandom::fill(&mut random) {
        // A neighbour may have the same one: not for longer than this run.
        tracing::error!(error = &error as &dyn Error, "no random numbers for the IPv6 prefix");
        return Prefix6::from_random(random);
    }
    if let Err(error) = documents::write(path, &random, Lasting::ForGood) {
        tracing::warn!(error = &error as &dyn Error, "the IPv6 prefix is only for this run");
    }
    Prefix6::from_random(random)
}
