//! Counters by name, over all replacements of the rules. Pure.

use crate::firewall::compile;
use crate::firewall::filter::Counts;
use crate::firewall::permission::Mark;
use crate::firewall::permission::Permission;
use crate::firewall::refusal::Refusal;
use model::network::explanation::Rule;
use netlink::nft::Count;
use netlink::nft::Counter;
use netlink::nft::Ruleset;
use netlink::nft::Span;
use netlink::nft::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// What rules counted that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    retired: BTreeMap<String, (u64, u64)>,
}

impl Tally {
    /// Lets rules and marks go on counting where those before stand, and keeps what was counted by those that will not be there any
    /// more; `before` are the permissions whose marks these were.
    pub fn carry_over(&mut self, rules: &mut Ruleset, counts: &Counts, before: &BTreeSet<Permission>) {
        self.carry_over_rules(rules, &counts.rules);
        let mut connections = counts.connections.clone();
        let sets = rules.tables.iter_mut().flat_map(|table| &mut table.sets);
        for element in sets.filter(|set| set.name.as_str() == compile::LIVE).flat_map(|set| &mut set.elements)
        {
            if let Some(Value::Mark(mark)) = element.key.first().and_then(Span::single) {
                element.count = connections.remove(&Mark(mark.0)).filter(|count| *count != Count::default());
            }
        }
        for permission in before {
            if let Some(Count { packets, bytes }) = connections.remove(&permission.mark()) {
                add(self.retired.entry(compile::label(permission)).or_default(), (packets, bytes));
            }
        }
    }

    fn carry_over_rules(&mut self, rules: &mut Ruleset, counters: &[Counter]) {
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
                add(self.retired.entry(comment.clone()).or_default(), (counter.packets, counter.bytes));
            }
        }
        rules.carry_over(counters);
    }

    /// Every rule in plain words: what is allowed, with all packets of its connections both ways, then what is refused.
    #[must_use]
    pub fn rules(&self, permissions: &BTreeSet<Permission>, counts: &Counts) -> Vec<Rule> {
        let totals = self.totals(&counts.rules);
        let counted = |mut rule: Rule, more: (u64, u64)| {
            let mut total = totals.get(rule.name.as_str()).copied().unwrap_or_default();
            add(&mut total, more);
            (rule.packets, rule.bytes) = total;
            rule
        };
        let of_mark = |permission: &Permission| {
            let count = counts.connections.get(&permission.mark()).copied().unwrap_or_default();
            (count.packets, count.bytes)
        };
        let allowed = permissions.iter().map(|permission| counted(allowing(permission), of_mark(permission)));
        let refused = Refusal::ALL.into_iter().map(|refusal| counted(refusing(refusal), (0, 0)));
        allowed.chain(refused).collect()
    }

    fn totals<'a>(&'a self, counters: &'a [Counter]) -> BTreeMap<&'a str, (u64, u64)> {
        let retired = self.retired.iter().map(|(name, total)| (name.as_str(), *total));
        let mut totals: BTreeMap<&str, (u64, u64)> = retired.collect();
        for counter in counters {
            if let Some(comment) = &counter.comment {
                add(totals.entry(comment.as_str()).or_default(), (counter.packets, counter.bytes));
            }
        }
        totals
    }
}

fn add(total: &mut (u64, u64), (packets, bytes): (u64, u64)) {
    total.0 = total.0.saturating_add(packets);
    total.1 = total.1.saturating_add(bytes);
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
    use netlink::nft::Element;
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
        let mut rules = Tally::default().rules(&permissions(&policy, true), &Counts::default());
        assert!(rules.len() > MAX_PERMISSIONS);
        for rule in &mut rules {
            (rule.packets, rule.bytes) = (u64::MAX, u64::MAX);
        }
        let length = serde_json::to_string(&rules).unwrap().len();
        // A quarter is left for everything else in a report.
        assert!(length < MAX_ANSWER / 4 * 3, "{length}");
    }

    fn counts(rules: Vec<Counter>) -> Counts {
        Counts { rules, ..Counts::default() }
    }

    #[test]
    fn what_chains_counted_is_kept_when_they_go() {
        let (mut tally, none) = (Tally::default(), BTreeSet::new());
        let name = Refusal::AppOut.name();
        tally.carry_over(&mut rules("stays"), &counts(vec![counter("stays", name, 3)]), &none);
        assert_eq!(tally, Tally::default(), "the chain stays and counts on by itself");
        tally.carry_over(&mut rules("other"), &counts(vec![counter("gone", name, 5)]), &none);
        let now = counts(vec![counter("other", name, 2), counter("x", name, 1)]);
        let shown = tally.rules(&none, &now);
        let refused = shown.iter().find(|rule| rule.name == name).unwrap();
        assert_eq!((refused.packets, refused.bytes, refused.allows), (8, 800, false));
    }

    #[test]
    fn marks_count_on_and_what_they_counted_is_kept_when_they_go() {
        let permission = |app: &str| Permission::Lan { app: app.parse().unwrap() };
        let (stays, goes) = (permission("stays"), permission("goes"));
        let before = BTreeSet::from([stays.clone(), goes.clone()]);
        let count = |packets| Count { packets, bytes: packets * 100 };
        let connections = [(stays.mark(), count(3)), (goes.mark(), count(5))].into();
        let counted = Counts { rules: vec![counter("x", &goes.to_string(), 1)], connections };
        let mut table = Table::new(Family::Inet, Name::new("hearth").unwrap());
        let marks = [stays.mark().0, 7].map(|mark| Element::new(netlink::nft::Mark(mark)));
        table.sets.push(compile::live_set().unwrap().elements(marks));
        let mut rules = Ruleset { tables: vec![table] };
        let mut tally = Tally::default();
        tally.carry_over(&mut rules, &counted, &before);
        let carried: Vec<_> = rules.tables[0].sets[0].elements.iter().map(|element| element.count).collect();
        assert_eq!(carried, [Some(count(3)), None]);
        let shown =
            tally.rules(&before, &Counts { rules: vec![], connections: [(stays.mark(), count(4))].into() });
        let packets: Vec<u64> = shown.iter().take(2).map(|rule| rule.packets).collect();
        assert_eq!((packets, shown[0].name.as_str()), (vec![6, 4], "app goes to lan"));
    }
}
