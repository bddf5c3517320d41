//! Rules, permissions and explanations in words.

use super::numbers::bytes;
use super::numbers::count;
use super::table::right_aligned;
use crate::answers::Access;
use crate::answers::Granted;
use crate::answers::Policy;
use model::network::app_policy::Grant;
use model::network::explanation::Answer;
use model::network::explanation::Explanation;
use model::network::explanation::Rule;
use model::network::report::FirewallReport;
use std::collections::BTreeMap;

/// Whether packets and bytes are shown beside the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counters {
    /// They are.
    Shown,
    /// They are not.
    Hidden,
}

/// Whose rule it is; in the order they are shown in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Box,
    App(String),
    Refused,
}

/// One line on the firewall.
pub(super) fn glance(report: &FirewallReport) -> String {
    let refused: u64 =
        report.rules.iter().filter(|rule| !rule.allows).fold(0, |sum, rule| sum.saturating_add(rule.packets));
    let rules = report.rules.len();
    match (&report.problem, report.in_force) {
        (None, true) => format!("in force: {rules} rules; {} packets refused so far", count(refused)),
        (problem, _) => {
            format!("NOT in force: {}", problem.as_deref().unwrap_or("its rules were not loaded yet"))
        }
    }
}

/// Every rule, grouped by whose it is.
#[must_use]
pub fn rules(report: &FirewallReport, counters: Counters) -> String {
    let mut groups: BTreeMap<Owner, Vec<&Rule>> = BTreeMap::new();
    for rule in &report.rules {
        groups.entry(owner(rule)).or_default().push(rule);
    }
    let mut text = format!("Firewall {}\n", glance(report));
    for (owner, rules) in groups {
        let title = match owner {
            Owner::Box => "The box".to_owned(),
            Owner::App(app) => format!("App {app}"),
            Owner::Refused => "Refused".to_owned(),
        };
        text.push_str(&format!("\n{title}\n{}", lines(&rules, counters)));
    }
    text
}

/// netd names a permission after its ends, `app notes to lan` or `lan to app notes tcp/80 as 80`, and a refusal `refused: …`.
fn owner(rule: &Rule) -> Owner {
    let words: Vec<&str> = rule.name.split(' ').collect();
    match words.as_slice() {
        _ if !rule.allows => Owner::Refused,
        ["app", app, ..] | [_, "to", "app", app, ..] => Owner::App((*app).to_owned()),
        _ => Owner::Box,
    }
}

fn lines(rules: &[&Rule], counters: Counters) -> String {
    let rows: Vec<Vec<String>> = rules
        .iter()
        .map(|rule| match counters {
            Counters::Shown => {
                let packets = if rule.packets == 1 { "packet " } else { "packets" };
                vec![format!("{} {packets}", count(rule.packets)), bytes(rule.bytes), rule.words.clone()]
            }
            Counters::Hidden => vec![rule.words.clone()],
        })
        .collect();
    right_aligned(&rows, if counters == Counters::Shown { 2 } else { 0 })
}

/// The answer to "may A reach B?".
#[must_use]
pub fn explanation(explanation: &Explanation) -> String {
    let answer = match explanation.answer {
        Answer::Yes => "Yes",
        Answer::Partly => "Partly",
        Answer::No => "No",
    };
    // netd's sentence begins with the answer as well.
    let words =
        ["yes: ", "no: ", "only this: "].iter().find_map(|answer| explanation.words.strip_prefix(answer));
    let words = words.unwrap_or(&explanation.words);
    let mut text = format!("{} to {}: {answer}\n  {words}\n", explanation.from, explanation.to);
    if !explanation.rules.is_empty() {
        let rules: Vec<&Rule> = explanation.rules.iter().collect();
        text.push_str(&format!("\nLet through by\n{}", lines(&rules, Counters::Shown)));
    }
    text.push_str(&format!(
        "\nAnything else is stopped by\n{}",
        lines(&[&explanation.otherwise], Counters::Shown)
    ));
    text
}

/// Who may reach what.
#[must_use]
pub fn policy(policy: &Policy) -> String {
    if policy.workspaces.values().all(|workspace| workspace.apps.is_empty()) {
        return "There are no apps with a network. Nothing is granted, so everything is refused.\n"
            .to_owned();
    }
    let mut text = String::new();
    for (key, workspace) in &policy.workspaces {
        for (app, access) in &workspace.apps {
            text.push_str(&format!("App {app} of {key}\n"));
            for line in granted(access) {
                text.push_str(&format!("  {line}\n"));
            }
        }
    }
    text.push_str("Everything else is refused.\n");
    text
}

fn granted(access: &Access) -> Vec<String> {
    let grants = access.grants.iter().map(|grant| match grant {
        Granted::Known(grant) => known(grant),
        Granted::Unknown(grant) => format!("has a permission that a newer hearthctl can explain: {grant}"),
    });
    let served = access.serves.iter().map(|port| format!("serves the box at {port}"));
    let lines: Vec<String> = grants.chain(served).collect();
    if lines.is_empty() { vec!["may reach nothing".to_owned()] } else { lines }
}

fn known(grant: &Grant) -> String {
    match grant {
        Grant::Lan {} => "may reach the home network".to_owned(),
        Grant::Internet {} => "may reach the Internet".to_owned(),
        Grant::Mesh {} => "may reach your other boxes".to_owned(),
        Grant::Domains { names } => {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            format!("may reach {} in the Internet", names.join(", "))
        }
        Grant::Inbound { box_port, app_port } => {
            format!("may be reached from the home network at {box_port} of the box (its port {app_port})")
        }
        Grant::App { app, port } => format!("may reach {app} at {port}"),
    }
}
