//! What the owner is told.

use super::Keeper;
use super::KeeperError;
use crate::apps::wiring::Wiring;
use crate::firewall::explain;
use crate::firewall::explain::UnknownApp;
use crate::firewall::filter::PacketFilter;
use crate::firewall::tally;
use model::network::endpoint::Endpoint;
use model::network::explanation::Explanation;
use model::network::explanation::Rule;
use model::network::report::AppReport;
use model::network::report::FirewallReport;
use std::error::Error;

impl<F: PacketFilter, W: Wiring> Keeper<F, W> {
    /// Every rule with its counters, as they are now.
    pub fn firewall_report(&mut self) -> FirewallReport {
        let (rules, unread) = match self.rules() {
            Ok(rules) => (rules, None),
            Err(error) => (Vec::new(), Some(crate::words::chain(&error))),
        };
        FirewallReport {
            in_force: self.is_loaded && self.problem.is_none(),
            problem: self.problem.clone().or(unread),
            loads: self.loads,
            rules,
        }
    }

    /// Apps with a network.
    #[must_use]
    pub fn app_reports(&self) -> Vec<AppReport> {
        let reports = self.roster.members().map(|(app, member)| AppReport {
            app: app.clone(),
            workspace: member.workspace.clone(),
            ipv4: member.place.ipv4(),
            ipv6: member.place.ipv6(self.prefix6),
            link: member.place.link(),
        });
        reports.collect()
    }

    /// Whether one end may reach the other, and by which rule.
    ///
    /// # Errors
    /// When an app is asked for that is not in the policy.
    pub fn explain(&mut self, from: &Endpoint, to: &Endpoint) -> Result<Explanation, UnknownApp> {
        let explained = explain::explain(&self.policy, &self.permissions, from, to)?;
        let counted = self.rules().unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn Error, "counters not read");
            Vec::new()
        });
        let with_counters =
            |rule: Rule| counted.iter().find(|other| other.name == rule.name).cloned().unwrap_or(rule);
        Ok(Explanation {
            from: from.clone(),
            to: to.clone(),
            answer: explained.answer,
            words: explained.words,
            rules: explained.permissions.iter().map(tally::allowing).map(with_counters).collect(),
            otherwise: with_counters(tally::refusing(explained.otherwise)),
        })
    }

    fn rules(&mut self) -> Result<Vec<Rule>, KeeperError> {
        let counts = self.filter.counts()?;
        Ok(self.tally.rules(&self.permissions, &counts))
    }
}
