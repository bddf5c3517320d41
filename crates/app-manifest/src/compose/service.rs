//! One service → one container.

use super::command;
use super::desk::At;
use super::desk::Desk;
use super::keys;
use super::mounts;
use super::mounts::Folders;
use super::quantity;
use super::yaml::Value;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeMap;

/// Bytes of the throw-away layer of a container that Compose lets write into its root.
const SCRATCH_BYTES: u64 = 128 << 20;

/// What services of one file share.
pub(super) struct Surroundings<'a> {
    /// Names of containers, by services.
    pub(super) names: &'a BTreeMap<String, String>,
    /// The app's folders.
    pub(super) folders: Folders,
}

/// Turns a service into a container. `ports` and `networks` are read by others.
pub(super) fn convert(at: At<'_>, around: &mut Surroundings<'_>, desk: &mut Desk<'_>) -> Json {
    let mut container = Map::new();
    let (mut temporary, mut limits, mut stop) = (Vec::new(), Map::new(), Map::new());
    let mut is_read_only = false;
    let entry = |name: &str| at.node.get(name);
    for (key, node) in at.node.entries() {
        let place = format!("{}.{key}", at.place);
        let at = At { place: &place, node };
        match key.as_str() {
            "image" => put(&mut container, "image", desk.text(at)),
            "user" => put(&mut container, "user", desk.text(at)),
            "working_dir" => put(&mut container, "working_folder", desk.text(at)),
            "environment" => {
                let variables = command::environment(at, desk);
                container.insert("environment".to_owned(), variables.into());
            }
            "healthcheck" => put(&mut container, "health", command::health(at, desk)),
            "volumes" => {
                let (volumes, in_memory) = mounts::read(at, &mut around.folders, desk);
                container.insert("volumes".to_owned(), volumes.into());
                temporary.extend(in_memory);
            }
            "tmpfs" => temporary.extend(mounts::temporary(at, desk)),
            "shm_size" => {
                if let Some(size) = desk.parsed(at, quantity::bytes, "a size such as 64m") {
                    temporary.push(json!({ "target": "/dev/shm", "size_bytes": size }));
                }
            }
            "read_only" => is_read_only = desk.flag(at),
            "restart" => put(&mut container, "restart", restart(at, desk)),
            "stop_signal" => {
                put(&mut stop, "signal", desk.parsed(at, quantity::signal, "a signal such as SIGTERM"));
            }
            "stop_grace_period" => {
                put(&mut stop, "grace_seconds", desk.parsed(at, quantity::seconds, "a time such as 1m30s"));
            }
            "mem_limit" => put(&mut limits, "memory_bytes", memory(at, desk)),
            "cpus" => {
                put(&mut limits, "cpu_millis", desk.parsed(at, quantity::cpu_millis, "a number such as 0.5"));
            }
            "pids_limit" => put(&mut limits, "tasks", tasks(at, desk)),
            "deploy" => deploy(at, &mut limits, &mut container, desk),
            "depends_on" => put(&mut container, "after", Some(after(at, around.names, desk))),
            "links" => links(at, around.names, desk),
            "security_opt" => security(at, desk),
            "network_mode" => network_mode(at, desk),
            "scale" => replicas(at, desk),
            "command" | "entrypoint" | "ports" | "networks" | "profiles" => {}
            key if key.starts_with("x-") => {}
            key => other(key, at, desk),
        }
    }
    let (entrypoint, arguments) = (format!("{}.entrypoint", at.place), format!("{}.command", at.place));
    let entrypoint = entry("entrypoint").map(|node| At { place: &entrypoint, node });
    let arguments = entry("command").map(|node| At { place: &arguments, node });
    command::programs(entrypoint, arguments, desk, &mut container);
    if entry("image").is_none() && entry("build").is_none() {
        desk.refuse(at, "it names no image");
    }
    if !limits.contains_key("memory_bytes") {
        desk.note(at, "no limit of memory is named: 512 MiB");
    }
    if !is_read_only {
        container.insert("scratch_bytes".to_owned(), SCRATCH_BYTES.into());
    }
    // Compose's own default.
    container.entry("restart").or_insert_with(|| "never".into());
    container.insert("temporary".to_owned(), temporary.into());
    container.insert("limits".to_owned(), limits.into());
    container.insert("stop".to_owned(), stop.into());
    container.into()
}

fn put(into: &mut Map<String, Json>, name: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        into.insert(name.to_owned(), value.into());
    }
}

fn other(key: &str, at: At<'_>, desk: &mut Desk<'_>) {
    if let Some(words) = keys::words(keys::LEFT_OUT, key) {
        desk.note(at, words);
    } else if let Some(words) = keys::words(keys::REFUSED, key) {
        if !at.node.is_nothing() {
            desk.refuse(at, words);
        }
    } else {
        desk.refuse(at, "this key is not known");
    }
}

fn restart(at: At<'_>, desk: &mut Desk<'_>) -> Option<&'static str> {
    let text = desk.text(at)?;
    match text.split_once(':').map_or(text.as_str(), |(policy, _)| policy) {
        // `no` without quotation marks is false in YAML 1.1.
        "no" | "false" | "never" | "none" => Some("never"),
        "always" | "unless-stopped" | "any" => Some("always"),
        "on-failure" => {
            if text.contains(':') {
                desk.note(at, "the number of attempts is left out: the box waits longer after each");
            }
            Some("on_failure")
        }
        _ => {
            desk.refuse(at, "write no, always, unless-stopped or on-failure");
            None
        }
    }
}

fn memory(at: At<'_>, desk: &mut Desk<'_>) -> Option<u64> {
    desk.parsed(at, quantity::bytes, "a size such as 512m")
}

/// -1 and 0 are no limit in Compose, and the box's usual one here.
fn tasks(at: At<'_>, desk: &mut Desk<'_>) -> Option<u64> {
    let number = desk.parsed(at, |text| text.parse::<i64>().ok(), "a number")?;
    u64::try_from(number).ok().filter(|number| *number > 0)
}

fn deploy(
    at: At<'_>,
    limits: &mut Map<String, Json>,
    container: &mut Map<String, Json>,
    desk: &mut Desk<'_>,
) {
    for (key, node) in at.node.entries() {
        let at = At { place: &format!("{}.{key}", at.place), node };
        match key.as_str() {
            "resources" => resources(at, limits, desk),
            "replicas" => replicas(at, desk),
            "restart_policy" => {
                for (key, node) in node.entries() {
                    let at = At { place: &format!("{}.{key}", at.place), node };
                    match key.as_str() {
                        "condition" => put(container, "restart", restart(at, desk)),
                        _ => desk.note(at, "left out: the box has its own times"),
                    }
                }
            }
            "mode" | "placement" | "labels" | "update_config" | "rollback_config" | "endpoint_mode" => {
                desk.note(at, "left out: there is one box");
            }
            key if key.starts_with("x-") => {}
            _ => desk.refuse(at, "this key is not known"),
        }
    }
}

fn resources(at: At<'_>, limits: &mut Map<String, Json>, desk: &mut Desk<'_>) {
    for (kind, node) in at.node.entries() {
        for (key, node) in node.entries() {
            let at = At { place: &format!("{}.{kind}.{key}", at.place), node };
            match (kind.as_str(), key.as_str()) {
                ("limits", "memory") => put(limits, "memory_bytes", memory(at, desk)),
                ("limits", "cpus") => {
                    put(limits, "cpu_millis", desk.parsed(at, quantity::cpu_millis, "a number such as 0.5"));
                }
                ("limits", "pids") => put(limits, "tasks", tasks(at, desk)),
                ("reservations", "memory" | "cpus") => {
                    desk.note(at, "left out: the box shares by its own rules");
                }
                (_, "devices") if node.is_nothing() => {}
                (_, "devices") => desk.refuse(at, "no app may have devices of the box so far"),
                _ => desk.refuse(at, "this key is not known"),
            }
        }
    }
}

fn replicas(at: At<'_>, desk: &mut Desk<'_>) {
    if desk.text(at).is_some_and(|count| count != "1") {
        desk.refuse(at, "each service runs once");
    }
}

/// `depends_on`, list or map.
fn after(at: At<'_>, names: &BTreeMap<String, String>, desk: &mut Desk<'_>) -> Vec<Json> {
    let mut before = Vec::new();
    let listed = named(at, desk);
    for (service, place, node) in listed {
        let at = At { place: &place, node };
        let condition = node.get("condition").and_then(|node| desk.text(At { place: &place, node }));
        let until = match condition.as_deref() {
            None | Some("service_started") => "started",
            Some("service_healthy") => "healthy",
            Some("service_completed_successfully") => "completed",
            Some(_) => {
                desk.refuse(at, "this condition is not known");
                continue;
            }
        };
        for (key, _) in
            node.entries().iter().filter(|(key, _)| !["condition", "required"].contains(&key.as_str()))
        {
            desk.note(at, format!("{key} is left out"));
        }
        match names.get(&service) {
            Some(name) => before.push(json!({ "container": name, "until": until })),
            None => desk.refuse(at, format!("there is no service {:?}", crate::text::beginning(&service))),
        }
    }
    before
}

/// Names of a list, or keys of a map, with their places.
fn named<'n>(at: At<'n>, desk: &mut Desk<'_>) -> Vec<(String, String, &'n super::yaml::Node)> {
    let items = at.node.items().iter().enumerate().filter_map(|(number, node)| {
        let place = format!("{}[{number}]", at.place);
        desk.text(At { place: &place, node }).map(|name| (name, place, node))
    });
    let items: Vec<_> = items.collect();
    let entries =
        at.node.entries().iter().map(|(key, node)| (key.clone(), format!("{}.{key}", at.place), node));
    items.into_iter().chain(entries).collect()
}

fn links(at: At<'_>, names: &BTreeMap<String, String>, desk: &mut Desk<'_>) {
    for (link, place, node) in named(at, desk) {
        let at = At { place: &place, node };
        match link.split_once(':') {
            Some((service, alias)) if service != alias => {
                desk.refuse(at, "a service has only its own name in the app");
            }
            _ if names.contains_key(link.split(':').next().unwrap_or_default()) => {
                desk.note(at, "left out: containers of an app reach each other anyway");
            }
            _ => desk.refuse(at, "there is no such service"),
        }
    }
}

/// What tightens the sandbox is so already; what loosens it is refused.
fn security(at: At<'_>, desk: &mut Desk<'_>) {
    for option in desk.texts(at) {
        match option.replace('=', ":").as_str() {
            "no-new-privileges" | "no-new-privileges:true" => {
                desk.note(at, "left out: it is so for every app");
            }
            _ => desk.refuse(
                at,
                format!("{:?}: the sandbox is one for all apps", crate::text::beginning(&option)),
            ),
        }
    }
}

fn network_mode(at: At<'_>, desk: &mut Desk<'_>) {
    if let Value::Null = at.node.value {
        return;
    }
    match desk.text(at).as_deref() {
        Some("bridge" | "default") | None => {}
        Some(mode) if mode.starts_with("service:") => {
            desk.note(at, "left out: all containers of an app share one network");
        }
        Some("host") => desk.refuse(
            at,
            "no app has the network of the box; publish ports, or ask for the home network in a hearth.json",
        ),
        Some(_) => desk.refuse(at, "an app has a network of its own"),
    }
}
