//! Answers in words. Pure: snapshots in `tests/it/snapshots` show what comes out.

use crate::answers::Amount;
use crate::answers::Network;
use crate::answers::SettingsChanged;
use crate::answers::Status;
use crate::answers::System;
use model::network::report::NameReport;
use model::network::report::ResolverReport;
use model::network::report::TimeReport;

mod apps;
mod backups;
mod flash;
mod health;
mod links;
mod numbers;
mod registries;
mod rules;
mod storage;
mod table;
mod updates;
mod users;
mod vault;
mod wifi;

pub use apps::app;
pub use apps::apps;
pub use apps::inspection;
pub use apps::operation;
pub use apps::permissions;
pub use apps::remark;
pub use backups::backups;
pub use flash::Flashed;
pub use flash::bar;
pub use flash::called;
pub use flash::claim_url;
pub use flash::disks;
pub use flash::flashed;
pub use health::health;
pub use registries::registries;
pub use rules::Counters;
pub use rules::explanation;
pub use rules::policy;
pub use rules::rules;
pub use storage::CONFIRMED;
pub use storage::UNCONFIRMED;
pub use storage::recovery_key;
pub use storage::storage;
pub use updates::update_history;
pub use updates::update_progress;
pub use updates::updates;
pub use users::users;
pub use vault::private_files;
pub use vault::vault;
pub use wifi::wifi;

use numbers::bytes;
use numbers::count;
use numbers::duration;
use table::table;

/// How the box is; `system` only for who is logged in.
#[must_use]
pub fn status(status: &Status, system: Option<&System>) -> String {
    let state = match status.state.as_str() {
        "ready" => "is running, and all is well",
        "degraded" => "works, but not everything is as it should be",
        "locked" => "is locked: its encrypted disk is not open",
        "setup" => "has no owner yet: open it in a browser",
        other => other,
    };
    let mut text = format!("{}.local {state}\n", status.hostname);
    text.push_str(&reasons(&status.reasons));
    let version = format!("{}, slot {}, on {}", status.version, status.slot, status.board);
    let mut rows = vec![vec!["version".to_owned(), version]];
    match system {
        None => rows.push(vec!["more".to_owned(), "after hearthctl login".to_owned()]),
        Some(system) => {
            rows.push(vec!["running".to_owned(), duration(system.uptime_seconds)]);
            rows.push(vec!["memory".to_owned(), filled(system.memory)]);
            rows.push(vec!["disk".to_owned(), filled(system.disk)]);
            let services = system.services.iter().map(|service| match &service.reason {
                Some(reason) => format!("{} {} ({reason})", service.name, service.state),
                None => format!("{} {}", service.name, service.state),
            });
            rows.push(vec!["services".to_owned(), services.collect::<Vec<_>>().join(", ")]);
        }
    }
    text + &table(&rows)
}

fn filled(amount: Amount) -> String {
    if amount.total_bytes == 0 {
        return "not known".to_owned();
    }
    let used = amount.total_bytes.saturating_sub(amount.available_bytes);
    format!("{} of {} used", bytes(used), bytes(amount.total_bytes))
}

/// The network at a glance.
#[must_use]
pub fn network(network: &Network) -> String {
    let mut text =
        format!("{}.local{}\n", network.hostname, network.name.as_ref().map_or_else(String::new, name));
    text.push_str(&reasons(&network.reasons));
    if let Some(seconds) = network.trial_seconds_left {
        text.push_str(&on_trial(seconds));
    }
    text.push_str("\nLinks\n");
    text.push_str(&links::links(&network.links));
    if let Some(report) = &network.resolver {
        text.push_str("\nNames\n");
        text.push_str(&resolver(report));
    }
    if let Some(report) = &network.time {
        text.push_str(&format!("\nTime\n  {}\n", time(report)));
    }
    if let Some(report) = &network.firewall {
        text.push_str(&format!("\nFirewall\n  {}\n", rules::glance(report)));
    }
    text
}

fn name(report: &NameReport) -> String {
    match report.rival {
        Some(rival) if report.announced != report.wanted => {
            format!(", because the device at {rival} is called {}.local", report.wanted)
        }
        _ => String::new(),
    }
}

fn reasons(reasons: &[String]) -> String {
    reasons.iter().map(|reason| format!("  ! {reason}\n")).collect()
}

fn resolver(report: &ResolverReport) -> String {
    let rows: Vec<Vec<String>> = report
        .upstreams
        .iter()
        .map(|server| {
            let state = match &server.problem {
                Some(problem) => problem.clone(),
                None if server.queries == 0 => "not asked yet".to_owned(),
                None => "works".to_owned(),
            };
            let is_https = server.transport.to_ascii_lowercase().contains("https");
            let way = if is_https { "over HTTPS" } else { "over TLS" };
            vec![server.name.clone(), way.to_owned(), state]
        })
        .collect();
    let mut text = table(&rows);
    let home = if report.serves_lan { "may ask the box" } else { "may not ask the box" };
    text.push_str(&format!(
        "  {} questions, {} answered from memory; devices at home {home}\n",
        count(report.queries),
        count(report.cache_hits)
    ));
    for (number, what) in [
        (report.failed, "questions that no name server answered"),
        (report.rebinding_blocked, "public names with an address at home, blocked"),
        (report.bogus, "answers with a wrong signature"),
    ] {
        if number > 0 {
            text.push_str(&format!("  ! {what}: {}\n", count(number)));
        }
    }
    text
}

fn time(report: &TimeReport) -> String {
    if !report.synchronised {
        let why = report.reason.as_deref().unwrap_or("no time server has answered yet");
        return format!("not right: {why}");
    }
    let proof = if report.authenticated { "proved by its source" } else { "its source proves nothing" };
    // Six digits after the point are microseconds.
    let off = std::time::Duration::from_micros(report.offset_us.unsigned_abs()).as_secs_f64();
    let age = report.age_seconds.map_or_else(String::new, |age| format!(", {} ago", duration(age)));
    format!("right, {proof}; was {off:.3} s off at the last look{age}")
}

/// Settings were changed.
#[must_use]
pub fn changed(changed: SettingsChanged) -> String {
    changed.trial_seconds_left.map_or_else(|| "The settings are in force and stay.\n".to_owned(), on_trial)
}

fn on_trial(seconds: u32) -> String {
    format!(
        "The new settings are on trial: in {seconds} s the box goes back to those before, unless you run\n  \
         hearthctl network settings confirm\n"
    )
}
