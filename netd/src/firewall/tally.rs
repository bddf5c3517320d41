//! Counters by name, over all replacements of the rules. Pure.

use crate::firewall::compile;
use crate::firewall::permission::Permission;
use crate::firewall::refusal::Refusal;
use model::network::explanation::Rule;
use netlink::nft::Counter;
use netlink::nft::Ruleset;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// What rules counted that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    retired: BTreeMap<String, (u64, u64)>,
}

impl Tally {
    /// Lets the rules go on counting where those before stand, and keeps what rules counted that will not be there any more.
    pub fn carry_over(&mut self, rules: &mut Ruleset, counters: &[Counter]) {
        let stays: BTreeSet<(&str, &str)> = rules
            .tables
            .iter()
            .flat_map(|table| &table.chains)
            .flat_map(|chain| {
                let comments = chain.rules.iter().filter_map(|rule| rule.comment.as_ref());
                comments.map(|comment| (chain.name.as_str(), comment.as_str()))
            })
            .collect();
        for counter in counters {
            if let Some(comment) = &counter.comment
                && !stays.contains(&(counter.chain.as_str(), comment.as_str()))
            {
                add(self.retired.entry(comment.clone()).or_default(), counter);
            }
        }
        rules.carry_over(counters);
    }

    /// Every rule in plain words: what is allowed, then what is refused.
    #[must_use]
    pub fn rules(&self, permissions: &BTreeSet<Permission>, counters: &[Counter]) -> Vec<Rule> {
        let totals = self.totals(counters);
        let open = Rule {
            name: compile::OPEN_CONNECTIONS.to_owned(),
            words: "connections that were allowed go on".to_owned(),
            allows: true,
            packets: 0,
            bytes: 0,
        };
        let mut rules: Vec<Rule> = std::iter::once(open)
            .chain(permissions.iter().map(allowing))
            .chain(Refusal::ALL.into_iter().map(refusing))
            .collect();
        for rule in &mut rules {
            (rule.packets, rule.bytes) = totals.get(rule.name.as_str()).copied().unwrap_or_default();
        }
        rules
    }

    fn totals<'a>(&'a self, counters: &'a [Counter]) -> BTreeMap<&'a str, (u64, u64)> {
        let retired = self.retired.iter().map(|(name, total)| (name.as_str(), *total));
        let mut totals: BTreeMap<&str, (u64, u64)> = retired.collect();
        for counter in counters {
            if let Some(comment) = &counter.comment {
                add(totals.entry(comment.as_str()).or_default(), counter);
            }
        }
        totals
    }
}

fn add(total: &mut (u64, u64), counter: &Counter) {
    total.0 = total.0.saturating_add(counter.packets);
    total.1 = total.1.saturating_add(counter.bytes);
}

/// The rule of a permission, not counted yet.
#[must_use]
pub fn allowing(permission: &Permission) -> Rule {
    Rule { name: compile::label(permission), words: permission.words(), allows: true, packets: 0, bytes: 0 }
}

/// The rule of a refusal, not counted yet.
#[must_use]
pub fn refusing(refusal: Refusal) -> Rule {
    Rule {
        name: refusal.name().to_owned(),
        words: refusal.words().to_owned(),
        allows: false,
        packets: 0,
        bytes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::permission::permissions;
    use hostapi::net1::MAX_ANSWER;
    use model::network::app_policy::AppAccess;
    use model::network::app_policy::AppPolicy;
    use model::network::app_policy::Grant;
    use model::network::app_policy::MAX_APPS;
    use model::network::app_policy::MAX_NEIGHBOURS;
    use model::network::app_policy::MAX_PERMISSIONS;
    use netlink::nft::Chain;
    use netlink::nft::Comment;
    use netlink::nft::Family;
    use netlink::nft::Name;
    use netlink::nft::Table;
    use std::num::NonZeroU16;

    fn counter(chain: &str, comment: &str, packets: u64) -> Counter {
        Counter {
            family: Family::Inet,
            table: "hearth".to_owned(),
            chain: chain.to_owned(),
            comment: Some(comment.to_owned()),
            packets,
            bytes: packets * 100,
        }
    }

    fn rules(chain: &str) -> Ruleset {
        let comment = Comment::new(Refusal::AppOut.name()).unwrap();
        let rule = netlink::nft::Rule::new().count().comment(comment);
        let mut table = Table::new(Family::Inet, Name::new("hearth").unwrap());
        table.chains.push(Chain::new(Name::new(chain).unwrap(), [rule]));
        Ruleset { tables: vec![table] }
    }

    #[test]
    fn the_report_on_the_longest_rules_of_the_largest_policy_fits_an_answer() {
        let label = |length: usize| "x".repeat(length);
        let name = |number: usize| {
            format!("n{number:02}.{}", [label(63), label(63), label(63), label(57)].join("."))
        };
        let names = (0..16).map(|number| name(number).parse().unwrap()).collect();
        let access = AppAccess { grants: [Grant::Domains { names }].into(), ..AppAccess::default() };
        let mut policy = AppPolicy { gateway_port: NonZeroU16::new(65_535), ..AppPolicy::default() };
        for number in 0..MAX_APPS {
            let workspace = policy.workspaces.entry(format!("w{}", number / MAX_NEIGHBOURS).parse().unwrap());
            let app = format!("{number:04}{}", label(59)).parse().unwrap();
            workspace.or_default().apps.insert(app, access.clone());
        }
        assert_eq!(policy.check(), Ok(()));
        let mut rules = Tally::default().rules(&permissions(&policy, true), &[]);
        assert!(rules.len() > MAX_PERMISSIONS);
        for rule in &mut rules {
            (rule.packets, rule.bytes) = (u64::MAX, u64::MAX);
        }
        let length = serde_json::to_string(&rules).unwrap().len();
        // A quarter is left for everything else in a report.
        assert!(length < MAX_ANSWER / 4 * 3, "{length}");
    }

    #[test]
    fn what_chains_counted_is_kept_when_they_go() {
        let mut tally = Tally::default();
        let name = Refusal::AppOut.name();
        tally.carry_over(&mut rules("from_ha1-2"), &[counter("from_ha1-2", name, 3)]);
        assert_eq!(tally, Tally::default(), "the chain stays and counts on by itself");
        tally.carry_over(&mut rules("from_ha1-3"), &[counter("from_ha1-2", name, 5)]);
        let shown = tally.rules(&BTreeSet::new(), &[counter("from_ha1-3", name, 2), counter("x", name, 1)]);
        let refused = shown.iter().find(|rule| rule.name == name).unwrap();
        assert_eq!((refused.packets, refused.bytes, refused.allows), (8, 800, false));
    }
}
