//! Keeps the rules in force and the apps' links laid. One owner of both, so that no link carries a packet before its rules are loaded.
//!
//! ```text
//! bus ── policy, attach, detach, explain, report ──┐
//! reconciler ── home network ──────────────────────┤
//! settings ── serve the home network ──────────────┼─> Keeper ─> compile ─> one batch ─> kernel
//! resolver ── addresses of names ──────────────────┤      └───> links of apps
//! kernel ── a link has gone, foreign rules ────────┘      └───> admissions (for the resolver)
//! ```
//!
//! Everything here waits for nothing: the kernel answers netlink at once. A batch that is refused leaves the rules before it in
//! force; the reason is kept and the batch is tried again.

mod attach;
mod recover;
mod report;
pub mod run;

pub use attach::APP_DOMAIN;

use crate::apps::addressing::Place;
use crate::apps::addressing::Prefix6;
use crate::apps::roster::NoPlace;
use crate::apps::roster::Roster;
use crate::apps::wiring::Wiring;
use crate::apps::wiring::WiringError;
use crate::documents;
use crate::documents::Lasting;
use crate::firewall::admission::Admissions;
use crate::firewall::compile;
use crate::firewall::compile::CompileError;
use crate::firewall::filter::Counts;
use crate::firewall::filter::FilterError;
use crate::firewall::filter::PacketFilter;
use crate::firewall::learned;
use crate::firewall::learned::Learned;
use crate::firewall::permission::Permission;
use crate::firewall::permission::permissions;
use crate::firewall::situation::Home;
use crate::firewall::situation::Situation;
use crate::firewall::tally::Tally;
use crate::moment::Moment;
use model::network::app_policy::AppPolicy;
use model::network::names::AppKey;
use model::network::names::DomainPattern;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::error::Error;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Why something was not done; what was in force before still is.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The rules could not be made.
    #[error("make the rules")]
    Compile(#[from] CompileError),
    /// The kernel refused.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A link.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// There is no place.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// The app is not in the policy.
    #[error("app {0} is not in the policy")]
    NotInPolicy(AppKey),
    /// The app has no network.
    #[error("app {0} is not attached")]
    NotAttached(AppKey),
    /// An attached app would change its workspace.
    #[error("app {0} is attached in another workspace; detach it first")]
    Moves(AppKey),
    /// There are no rules.
    #[error("no rules are in force, so no app gets a network")]
    NoRules,
}

/// Where the keeper's documents lie.
#[derive(Clone, Debug)]
pub struct Files {
    /// The policy, in RAM.
    pub policy: PathBuf,
    /// The apps' places, in RAM.
    pub roster: PathBuf,
    /// The box's IPv6 prefix, on the disk.
    pub prefix6: PathBuf,
}

/// The rules and the apps' links.
#[derive(Debug)]
pub struct Keeper<F, W> {
    filter: F,
    wiring: W,
    files: Files,
    prefix6: Prefix6,
    policy: AppPolicy,
    roster: Roster,
    home: Home,
    serves_home: bool,
    learned: Learned,
    tally: Tally,
    /// What the rules in force allow.
    permissions: BTreeSet<Permission>,
    /// Permissions that went since the last sweep that was made; unknown before the first.
    unswept: Option<BTreeSet<Permission>>,
    /// Whether rules are in force at all.
    is_loaded: bool,
    /// Whether the box passes packets on.
    is_prepared: bool,
    /// Why the rules in force are not those wished for, or no packets are passed on.
    problem: Option<String>,
    /// Loads that were tried, and how many of them [`Keeper::take_changed`] has told of.
    tried: u64,
    told: u64,
    loads: u64,
    /// The kernel's number of the state that was made here.
    generation: Option<u32>,
}

impl<F: PacketFilter, W: Wiring> Keeper<F, W> {
    /// Puts the rules of these permissions in force; then forgets the connections they no longer allow.
    fn load(&mut self, policy: &AppPolicy, now: Moment) -> Result<(), KeeperError> {
        self.tried += 1;
        let permissions = permissions(policy, self.serves_home);
        self.learned.tidy(&permissions, now);
        let places = self.places();
        let mut rules = compile::compile(&self.situation(&permissions, &places, now))?;
        let counts = if self.is_loaded { self.filter.counts()? } else { Counts::default() };
        let mut tally = self.tally.clone();
        tally.carry_over(&mut rules, &counts, &self.permissions);
        let before = self.filter.generation().ok();
        self.filter.replace(&rules)?;
        self.generation = before.map(next_generation);
        self.tally = tally;
        self.is_loaded = true;
        self.loads += 1;
        self.problem = None;
        if let Some(unswept) = &mut self.unswept {
            unswept.extend(self.permissions.iter().cloned());
            unswept.retain(|permission| !permissions.contains(permission));
        }
        self.permissions = permissions;
        self.sweep();
        self.prepare();
        Ok(())
    }

    /// Lets the box pass packets on. The rules are in force whether it does or not.
    fn prepare(&mut self) {
        if self.is_prepared {
            return;
        }
        match self.wiring.prepare(self.prefix6) {
            Ok(()) => self.is_prepared = true,
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "the box passes no packets on");
                self.problem = Some(crate::words::chain(&error));
            }
        }
    }

    /// Forgets connections of permissions that are gone. When none has gone there is nothing to find, and looking is dear: the kernel
    /// walks its whole table, 2^18 rows on a large box, however few connections there are.
    ///
    /// A mark that one of them shared with one that stays goes too: what is forgotten is judged anew.
    fn sweep(&mut self) {
        if self.unswept.as_ref().is_some_and(BTreeSet::is_empty) {
            return;
        }
        let mut alive: BTreeSet<u32> =
            self.permissions.iter().map(|permission| permission.mark().0).collect();
        for gone in self.unswept.iter().flatten() {
            alive.remove(&gone.mark().0);
        }
        match self.filter.sweep(&|mark| alive.contains(&mark)) {
            Ok(cut) => {
                self.unswept = Some(BTreeSet::new());
                if cut > 0 {
                    tracing::info!(cut, "connections without permission forgotten");
                }
            }
            // They are cut all the same, but for those with a shared mark: their mark is not in force.
            Err(error) => tracing::warn!(error = &error as &dyn Error, "connections not swept"),
        }
    }

    /// Whether somebody else changed rules since they were loaded here. What changed between is not asked for after every change of
    /// our own, which would take theirs for ours; that each of ours counts for one is what is known.
    pub fn is_overruled(&mut self) -> bool {
        let latest = self.filter.generation().ok();
        self.generation.is_some() && latest.is_some() && self.generation != latest
    }

    /// Loads the rules of the policy in force again; a failure is kept as the problem.
    pub fn refresh(&mut self, now: Moment) {
        let policy = self.policy.clone();
        if let Err(error) = self.load(&policy, now) {
            tracing::error!(error = &error as &dyn Error, "the rules wished for are not in force");
            self.problem = Some(crate::words::chain(&error));
        }
    }

    /// Brings a policy into force.
    ///
    /// # Errors
    /// When an attached app would move, or the kernel refuses; then the one before stays.
    pub fn set_policy(&mut self, policy: AppPolicy, now: Moment) -> Result<(), KeeperError> {
        for (app, member) in self.roster.members() {
            if policy.app(app).is_some_and(|(workspace, _)| *workspace != member.workspace) {
                return Err(KeeperError::Moves(app.clone()));
            }
        }
        self.load(&policy, now)?;
        self.policy = policy;
        // It is in force all the same.
        if let Err(error) = documents::write(&self.files.policy, &self.policy, Lasting::UntilReboot) {
            tracing::error!(error = &error as &dyn Error, "the policy was not kept for a new netd");
        }
        Ok(())
    }

    /// Keeps the places of apps for a new netd; what is attached or detached is so all the same.
    fn keep_roster(&self) {
        if let Err(error) = documents::write(&self.files.roster, &self.roster, Lasting::UntilReboot) {
            tracing::error!(error = &error as &dyn Error, "the places of apps were not kept for a new netd");
        }
    }

    /// Takes note of the home network; says whether it changed.
    pub fn set_home(&mut self, home: Home, now: Moment) -> bool {
        let changed = self.home != home;
        if changed {
            self.home = home;
            self.refresh(now);
        }
        changed
    }

    /// Serves names to the home network, or no longer.
    pub fn set_serves_home(&mut self, serves_home: bool, now: Moment) {
        if self.serves_home != serves_home {
            self.serves_home = serves_home;
            self.refresh(now);
        }
    }

    /// Lets an app reach the addresses of a name it may reach, before it is told them.
    ///
    /// # Errors
    /// When the kernel refuses; then the app must not be told.
    pub fn learn(
        &mut self,
        app: &AppKey,
        name: &DomainPattern,
        addresses: &[IpAddr],
        ttl: Duration,
        now: Moment,
    ) -> Result<(), KeeperError> {
        let permission = Permission::Domain { app: app.clone(), name: name.clone() };
        if !self.permissions.contains(&permission) || self.roster.member(app).is_none() {
            return Err(KeeperError::NotInPolicy(app.clone()));
        }
        // The grant is for hosts of the Internet. The resolver knows which addresses are private, but not which others are at home.
        let addresses: Vec<IpAddr> =
            addresses.iter().copied().filter(|address| self.home.has_in_internet(*address)).collect();
        if addresses.is_empty() {
            return Ok(());
        }
        let before = self.learned.ends(&permission);
        let noted = self.learned.note(&permission, &addresses, now + learned::lifetime(ttl));
        let places = self.places();
        let situation = self.situation(&self.permissions, &places, now);
        let touched = noted.kept.into_keys().chain(noted.given_up);
        let change = compile::address_change(&situation, app, touched)?;
        if let Err(error) = self.filter.put(&change) {
            self.learned.set_ends(permission, before);
            return Err(error.into());
        }
        self.generation = self.generation.map(next_generation);
        Ok(())
    }

    /// Who may ask the resolver, and for what.
    #[must_use]
    pub fn admissions(&self) -> Admissions {
        let addresses = |place: Place| vec![IpAddr::V4(place.ipv4()), IpAddr::V6(place.ipv6(self.prefix6))];
        let known = self.roster.members().map(|(app, member)| (app.clone(), addresses(member.place)));
        Admissions::of(&self.permissions, &known.collect())
    }

    /// The policy in force.
    #[must_use]
    pub const fn policy(&self) -> &AppPolicy {
        &self.policy
    }

    /// The box's own IPv6 prefix.
    #[must_use]
    pub const fn prefix6(&self) -> Prefix6 {
        self.prefix6
    }

    /// Why the rules in force are not those wished for, or no packets are passed on.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Whether there may be something new in what others see, since this was asked last.
    pub const fn take_changed(&mut self) -> bool {
        std::mem::replace(&mut self.told, self.tried) != self.tried
    }

    const fn situation<'a>(
        &'a self,
        permissions: &'a BTreeSet<Permission>,
        places: &'a BTreeMap<AppKey, Place>,
        now: Moment,
    ) -> Situation<'a> {
        Situation {
            permissions,
            places,
            home: &self.home,
            prefix6: self.prefix6,
            learned: &self.learned,
            now,
        }
    }

    /// Places of apps that are attached.
    fn places(&self) -> BTreeMap<AppKey, Place> {
        self.roster.members().map(|(app, member)| (app.clone(), member.place)).collect()
    }
}

/// The number of rules after one change (`nf_tables_commit` leaves out 0).
const fn next_generation(before: u32) -> u32 {
    match before.wrapping_add(1) {
        0 => 1,
        next => next,
    }
}

#[cfg(test)]
mod tests;
