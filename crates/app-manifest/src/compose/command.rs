//! Programs: command and entry point, variables, the health check.

use super::desk::At;
use super::desk::Desk;
use super::quantity;
use super::yaml::Value;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

/// `entrypoint` and `command` → `entrypoint` and `arguments`.
pub(super) fn programs(
    entrypoint: Option<At<'_>>,
    command: Option<At<'_>>,
    desk: &mut Desk<'_>,
    into: &mut Map<String, Json>,
) {
    let arguments = command.filter(is_there).map(|at| words(at, desk));
    match entrypoint.filter(is_there).map(|at| (at, words(at, desk))) {
        None => {
            if let Some(arguments) = arguments {
                into.insert("arguments".to_owned(), json!(arguments));
            }
        }
        // An emptied entry point has the command as the program.
        Some((at, program)) if program.is_empty() => match arguments {
            Some(arguments) if !arguments.is_empty() => {
                into.insert("entrypoint".to_owned(), json!(arguments));
            }
            _ => desk.refuse(at, "the image's program is taken away and no other is named"),
        },
        Some((_, program)) => {
            into.insert("entrypoint".to_owned(), json!(program));
            into.insert("arguments".to_owned(), json!(arguments.unwrap_or_default()));
        }
    }
}

fn is_there(at: &At<'_>) -> bool {
    !matches!(at.node.value, Value::Null)
}

/// Words of a list, or of a text as a shell splits it.
fn words(at: At<'_>, desk: &mut Desk<'_>) -> Vec<String> {
    if !matches!(at.node.value, Value::Text(_)) {
        return desk.texts(at);
    }
    let split = |text: &str| shell_words::split(text).ok();
    desk.parsed(at, split, "a command: a quotation mark is not closed").unwrap_or_default()
}

/// `environment`, list or map.
pub(super) fn environment(at: At<'_>, desk: &mut Desk<'_>) -> Map<String, Json> {
    let mut variables = Map::new();
    for (name, node) in at.node.entries() {
        let at = At { place: &format!("{}.{name}", at.place), node };
        match &node.value {
            Value::Null => passed_on(at, name, desk, &mut variables),
            Value::Text(_) | Value::List(_) | Value::Map(_) => {
                if let Some(value) = desk.text(at) {
                    variables.insert(name.clone(), value.into());
                }
            }
        }
    }
    for (number, node) in at.node.items().iter().enumerate() {
        let at = At { place: &format!("{}[{number}]", at.place), node };
        let Some(text) = desk.text(at) else { continue };
        match text.split_once('=') {
            Some((name, value)) => {
                variables.insert(name.to_owned(), value.into());
            }
            None => passed_on(at, &text, desk, &mut variables),
        }
    }
    if let Value::Text(_) = at.node.value {
        desk.refuse(at, "a map or a list of NAME=value belongs here");
    }
    variables
}

/// A variable without a value is the importer's.
fn passed_on(at: At<'_>, name: &str, desk: &mut Desk<'_>, variables: &mut Map<String, Json>) {
    match desk.value_of(name).map(str::to_owned) {
        Some(value) => {
            variables.insert(name.to_owned(), value.into());
        }
        None => desk.note(at, "left out: it has no value, and none was given"),
    }
}

/// `healthcheck`; none if it is turned off.
pub(super) fn health(at: At<'_>, desk: &mut Desk<'_>) -> Option<Json> {
    let mut health = Map::new();
    let mut is_off = false;
    for (key, node) in at.node.entries() {
        let at = At { place: &format!("{}.{key}", at.place), node };
        match key.as_str() {
            "test" => match test(at, desk) {
                Some(command) => {
                    health.insert("command".to_owned(), json!(command));
                }
                None => is_off = true,
            },
            "disable" => is_off |= desk.flag(at),
            "interval" => seconds(at, "interval_seconds", 1, desk, &mut health),
            "timeout" => seconds(at, "timeout_seconds", 1, desk, &mut health),
            "start_period" => seconds(at, "start_seconds", 0, desk, &mut health),
            "retries" => {
                if let Some(retries) = desk.parsed(at, |text| text.parse::<u32>().ok(), "a number") {
                    health.insert("retries".to_owned(), retries.max(1).into());
                }
            }
            "start_interval" => desk.note(at, "left out: checks have one interval"),
            key if key.starts_with("x-") => {}
            _ => desk.refuse(at, "this key of a health check is not known"),
        }
    }
    if is_off {
        return None;
    }
    if !health.contains_key("command") {
        desk.note(at, "left out: it names no test, and the image's own is not used");
        return None;
    }
    Some(health.into())
}

fn seconds(at: At<'_>, name: &str, least: u64, desk: &mut Desk<'_>, into: &mut Map<String, Json>) {
    if let Some(seconds) = desk.parsed(at, quantity::seconds, "a time such as 1m30s") {
        into.insert(name.to_owned(), seconds.max(least).into());
    }
}

/// `test`; none if it is `NONE`.
fn test(at: At<'_>, desk: &mut Desk<'_>) -> Option<Vec<String>> {
    let shell = |command: String| vec!["/bin/sh".to_owned(), "-c".to_owned(), command];
    let texts = desk.texts(at);
    if let Value::Text(_) = at.node.value {
        return texts.into_iter().next().map(shell);
    }
    let mut texts = texts.into_iter();
    let kind = texts.next().unwrap_or_default();
    let rest: Vec<String> = texts.collect();
    match kind.as_str() {
        "NONE" => None,
        "CMD" if !rest.is_empty() => Some(rest),
        "CMD-SHELL" if rest.len() == 1 => rest.into_iter().next().map(shell),
        _ => {
            desk.refuse(at, "a list here begins with CMD, CMD-SHELL or NONE");
            None
        }
    }
}
