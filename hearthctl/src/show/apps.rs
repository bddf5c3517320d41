//! Apps in words.

use super::numbers::bytes;
use super::table::table;
use crate::answers::App;
use crate::answers::AppAsk;
use crate::answers::AppDetails;
use crate::answers::AppInspection;
use crate::answers::AppOperation;
use crate::answers::AppRemark;
use crate::answers::Apps;

/// All apps.
#[must_use]
pub fn apps(apps: &Apps) -> String {
    let row = |app: &App| {
        let whose = if app.scope == "system" { "household" } else { "yours" };
        vec![app.id.clone(), state(app), app.version.clone(), whose.to_owned(), app.title.clone()]
    };
    let mut text = table(&apps.apps.iter().map(row).collect::<Vec<_>>());
    if apps.apps.is_empty() {
        text.push_str("There are no apps yet. To install one:\n  hearthctl app install <hearth.json|docker-compose.yml|image>\n");
    }
    for app in &apps.apps {
        let told = app.reasons.iter().chain(&app.problem);
        text.extend(told.map(|words| format!("! {}: {words}\n", app.id)));
    }
    text.extend(apps.problem.iter().map(|problem| format!("! {problem}\n")));
    text
}

/// One app.
#[must_use]
pub fn app(details: &AppDetails) -> String {
    let app = &details.app;
    let mut text = format!("{} {} ({})\n", app.title, app.version, app.id);
    text.extend(details.description.iter().map(|words| format!("{words}\n")));
    let mut rows = vec![vec!["state".to_owned(), state(app)], vec!["key".to_owned(), app.key.clone()]];
    rows.extend(app.page.iter().map(|page| {
        vec!["page".to_owned(), format!("port {} of the box, over HTTP, at {}", page.port, page.path)]
    }));
    rows.extend(details.traffic.iter().map(|traffic| {
        let (received, sent) = (bytes(traffic.received_bytes), bytes(traffic.sent_bytes));
        vec!["network".to_owned(), format!("{received} received, {sent} sent")]
    }));
    rows.extend(details.storage.iter().map(|storage| {
        let (used, most) = (bytes(storage.used_bytes), bytes(storage.most_bytes));
        vec!["storage".to_owned(), format!("{used} of {most} at most")]
    }));
    for container in &details.containers {
        let mut words = container.state.replace('_', " ");
        if let Some(usage) = container.usage {
            words.push_str(&format!(", {} of memory, {} tasks", bytes(usage.memory_bytes), usage.tasks));
            if usage.tasks_refused > 0 {
                words.push_str(" and more refused");
            }
        }
        if container.restarts > 0 {
            words.push_str(&format!(", started anew {} times", container.restarts));
        }
        words.extend(container.reason.iter().map(|reason| format!(": {reason}")));
        rows.push(vec![format!("container {}", container.name), words]);
    }
    text.push_str(&table(&rows));
    text.push_str(&permissions(details));
    text.extend(app.reasons.iter().chain(&app.problem).map(|words| format!("! {words}\n")));
    text
}

/// What an app may do.
#[must_use]
pub fn permissions(details: &AppDetails) -> String {
    let row = |ask: &AppAsk| {
        let has = |name: &String| details.granted.contains(name);
        let mark = if ask.permissions.is_empty() {
            " "
        } else if ask.permissions.iter().all(has) {
            "yes"
        } else if ask.permissions.iter().any(has) {
            "partly"
        } else {
            "no"
        };
        vec![mark.to_owned(), ask.words.clone(), ask.permissions.join(" ")]
    };
    table(&details.asks.iter().map(row).collect::<Vec<_>>())
}

/// The permission screen.
#[must_use]
pub fn inspection(inspection: &AppInspection, is_update: bool) -> String {
    let by = inspection.author.as_ref().map(|author| format!(" by {author}")).unwrap_or_default();
    let mut text = format!("{} {}{by}\n", inspection.title, inspection.version);
    text.extend(inspection.description.iter().map(|words| format!("{words}\n")));
    for image in &inspection.images {
        text.push_str(&format!("  image {image}\n"));
    }
    text.push_str(match (is_update, inspection.asks.is_empty()) {
        (false, false) => "\nIt asks for:\n",
        (true, false) => "\nIt asks for more than it has:\n",
        (false, true) => "\nIt asks for nothing.\n",
        (true, true) => "\nIt asks for nothing more than it has.\n",
    });
    for ask in &inspection.asks {
        let mark = if ask.weight == "high" { "!" } else { "-" };
        text.push_str(&format!("{mark} {}\n", ask.words));
        text.extend(ask.reason.iter().map(|reason| format!("    it says: {reason}\n")));
    }
    if !inspection.notes.is_empty() {
        text.push_str("\nOtherwise than in the file:\n");
        text.extend(inspection.notes.iter().map(|note| format!("- {}\n", remark(note))));
    }
    text
}

/// Something about one place of a file.
#[must_use]
pub fn remark(remark: &AppRemark) -> String {
    match (&remark.place, remark.line) {
        (place, _) if place.is_empty() => remark.words.clone(),
        (place, Some(line)) => format!("{place} (line {line}): {}", remark.words),
        (place, None) => format!("{place}: {}", remark.words),
    }
}

/// How far an operation is.
#[must_use]
pub fn operation(operation: &AppOperation) -> String {
    let mut words = operation.step.clone();
    let share = operation.done_bytes.saturating_mul(100).checked_div(operation.total_bytes);
    words.extend(share.map(|percent| format!(", {} %", percent.min(100))));
    words.extend(operation.blocked.iter().map(|why| format!(", waiting: {why}")));
    words
}

fn state(app: &App) -> String {
    match &app.operation {
        Some(doing) => operation(doing),
        None if app.state == "removed" => "removed, its data is kept".to_owned(),
        None => app.state.clone(),
    }
}
