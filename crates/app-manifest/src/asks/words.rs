//! The box's words for each ask.

use super::Subject;
use model::network::names::DomainPattern;
use std::collections::BTreeSet;

/// Most names that one sentence lists.
const LISTED: usize = 5;

pub(super) fn of(subject: &Subject) -> String {
    match subject {
        Subject::Lan => "May reach every device in your home network".to_owned(),
        Subject::Internet => "May reach every computer on the Internet".to_owned(),
        Subject::Mesh => "May reach your other boxes".to_owned(),
        Subject::Household => {
            "Runs once for the whole household, with one set of data for everybody".to_owned()
        }
        Subject::Inbound { port, .. } => {
            let protocol = port.protocol.as_str().to_uppercase();
            format!("Other devices at home may reach it at port {} ({protocol})", port.number)
        }
        Subject::App { app, port } => format!("May reach your app {app} at {port}"),
        Subject::Domains { names } => format!("May reach {} on the Internet", listed(names)),
        Subject::Data { folders } => format!("Keeps data in {}", counted(folders.len(), "folder")),
        Subject::Exports { apis } => format!("Offers {} to your other apps", counted(apis.len(), "service")),
        Subject::Memory { bytes } => format!("May use up to {} of memory", size(*bytes)),
    }
}

fn listed(names: &BTreeSet<DomainPattern>) -> String {
    let shown = names.iter().take(LISTED).map(|name| match name.as_str().strip_prefix("*.") {
        Some(parent) => format!("everything below {parent}"),
        None => name.to_string(),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// In whole MiB, or in GiB with one digit.
fn size(bytes: u64) -> String {
    let (mib, gib) = (bytes >> 20, 1 << 30);
    if bytes < gib {
        return format!("{mib} MiB");
    }
    match (bytes % gib) * 10 / gib {
        0 => format!("{} GiB", bytes / gib),
        tenth => format!("{}.{tenth} GiB", bytes / gib),
    }
}
