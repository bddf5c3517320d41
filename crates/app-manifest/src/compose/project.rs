//! The whole file → a manifest as a JSON document.

use super::Import;
use super::desk::At;
use super::desk::Desk;
use super::mounts;
use super::ports;
use super::ports::Published;
use super::service;
use super::service::Surroundings;
use super::yaml::Node;
use super::yaml::Value;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeMap;

/// A stand-in of one catalogue for its own proxy: it says where the app's page is.
const PROXY: &str = "app_proxy";
/// Why an imported app asks for the Internet.
const REASON: &str =
    "A docker-compose.yml does not say what the app reaches; take this away if it works without";

/// Turns the file into a manifest; what cannot be honoured is on the desk.
pub(super) fn convert(root: &Node, import: &Import, desk: &mut Desk<'_>) -> Json {
    let whole = At { place: "the file", node: root };
    top_level(root, desk);
    let services: Vec<&(String, Node)> = root
        .get("services")
        .map(Node::entries)
        .unwrap_or_default()
        .iter()
        .filter(|(name, node)| is_taken(name, node, desk))
        .collect();
    if services.is_empty() {
        desk.refuse(whole, "it has no services");
    }
    let names = names(&services, desk);
    let mut around = Surroundings { names: &names, folders: mounts::declarations(root, desk) };
    let (mut containers, mut published): (Map<String, Json>, Vec<Published>) = (Map::new(), Vec::new());
    for (name, node) in services {
        let at = At { place: &format!("services.{name}"), node };
        if let Some(node) = node.get("ports") {
            let at = At { place: &format!("{}.ports", at.place), node };
            ports::read(name, at, desk, &mut published);
        }
        networks_of(at, desk);
        let container = service::convert(at, &mut around, desk);
        containers.insert(names.get(name).cloned().unwrap_or_default(), container);
    }
    if let Some((outer, inner)) = around.folders.nested() {
        desk.refuse(
            whole,
            format!(
                "the folder {outer} has the folder {inner} in it; as folders of an app they would be apart"
            ),
        );
    }
    without_health(&mut containers, whole, desk);
    let (page, inbound) = ports::decide(page(root, desk), &published, whole, desk);
    let mut permissions = json!({ "inbound": inbound });
    if !is_internal(root, desk)
        && let Some(map) = permissions.as_object_mut()
    {
        map.insert("internet".to_owned(), json!({ "reason": REASON }));
    }
    let mut document = json!({
        "format": 1,
        "title": import.title,
        "version": import.version,
        "containers": containers,
        "permissions": permissions,
    });
    if let (Some(port), Some(map)) = (page, document.as_object_mut()) {
        map.insert("display".to_owned(), json!({ "port": port }));
    }
    document
}

fn top_level(root: &Node, desk: &mut Desk<'_>) {
    if !matches!(root.value, Value::Map(_)) {
        desk.refuse(At { place: "the file", node: root }, "a map with services belongs here");
    }
    for (key, node) in root.entries() {
        let at = At { place: key, node };
        match key.as_str() {
            "services" if !matches!(node.value, Value::Map(_)) => {
                desk.refuse(at, "a map of services belongs here");
            }
            "version" | "name" | "services" | "volumes" => {}
            "networks" => networks(at, desk),
            key if key.starts_with("x-") => {}
            _ if node.is_nothing() => {}
            "configs" | "secrets" => {
                desk.refuse(at, "files beside the docker-compose.yml are not taken along");
            }
            "include" => desk.refuse(at, "other files are not taken along"),
            _ => desk.refuse(at, "this key is not known"),
        }
    }
}

/// `networks` of the file: all become the app's own.
fn networks(at: At<'_>, desk: &mut Desk<'_>) {
    for (name, node) in at.node.entries() {
        let place = format!("{}.{name}", at.place);
        desk.note(At { place: &place, node }, "the containers of an app share one network of their own");
        for (key, node) in node.entries() {
            let at = At { place: &format!("{place}.{key}"), node };
            match key.as_str() {
                "driver" => {
                    if desk
                        .text(at)
                        .is_some_and(|driver| !["bridge", "default", "overlay"].contains(&driver.as_str()))
                    {
                        desk.refuse(at, "an app has a network of its own, behind the box");
                    }
                }
                "ipam" | "driver_opts" => desk.note(at, "left out: the box gives the addresses"),
                "name" | "external" | "internal" | "attachable" | "enable_ipv6" | "enable_ipv4"
                | "labels" => {}
                key if key.starts_with("x-") => {}
                _ => desk.refuse(at, "this key of a network is not known"),
            }
        }
    }
}

/// `networks` of a service.
fn networks_of(at: At<'_>, desk: &mut Desk<'_>) {
    let Some(networks) = at.node.get("networks") else { return };
    for (name, node) in networks.entries() {
        for (key, node) in node.entries() {
            let at = At { place: &format!("{}.networks.{name}.{key}", at.place), node };
            match key.as_str() {
                "ipv4_address" | "ipv6_address" | "mac_address" | "link_local_ips" => {
                    desk.refuse(at, "an app does not choose addresses; name the service instead");
                }
                "aliases" => desk.refuse(at, "a service has only its own name in the app"),
                "priority" | "gw_priority" | "interface_name" | "driver_opts" => {
                    desk.note(at, "left out: there is one network");
                }
                key if key.starts_with("x-") => {}
                _ => desk.refuse(at, "this key of a network is not known"),
            }
        }
    }
}

/// Whether a service becomes a container.
fn is_taken(name: &str, node: &Node, desk: &mut Desk<'_>) -> bool {
    let at = At { place: &format!("services.{name}"), node };
    if name == PROXY && node.get("image").is_none() {
        desk.note(at, "left out: the box has a gateway of its own");
        return false;
    }
    if node.get("profiles").is_some_and(|profiles| !profiles.is_nothing()) {
        desk.note(at, "left out: its profile is not on by default");
        return false;
    }
    true
}

/// The page that the stand-in names.
fn page(root: &Node, desk: &mut Desk<'_>) -> Option<u16> {
    let proxy = root.get("services")?.get(PROXY).filter(|node| node.get("image").is_none())?;
    let node = proxy.get("environment")?.get("APP_PORT")?;
    let at = At { place: &format!("services.{PROXY}.environment.APP_PORT"), node };
    desk.parsed(at, |text| text.parse().ok().filter(|port| *port != 0), "a port")
}

/// Names of containers: those of services, in the characters that containers have.
fn names(services: &[&(String, Node)], desk: &mut Desk<'_>) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (service, node) in services {
        let place = format!("services.{service}");
        let at = At { place: &place, node };
        let name = service.to_ascii_lowercase().replace(['_', '.'], "-");
        if names.values().any(|taken| *taken == name) {
            desk.refuse(at, format!("two services would be called {name}"));
        } else if name != *service {
            desk.note(at, format!("it is called {name} here, and reached by that name in the app"));
        }
        names.insert(service.clone(), name);
    }
    names
}

/// Whether all networks are closed to the outside.
fn is_internal(root: &Node, desk: &mut Desk<'_>) -> bool {
    let networks = root.get("networks").map(Node::entries).unwrap_or_default();
    let mut is_flag = |(name, node): &(String, Node)| {
        let place = format!("networks.{name}.internal");
        node.get("internal").is_some_and(|node| desk.flag(At { place: &place, node }))
    };
    !networks.is_empty() && networks.iter().all(&mut is_flag)
}

/// Who waits for the health of a container whose check lies in its image waits for its start: images' own checks are not used.
fn without_health(containers: &mut Map<String, Json>, whole: At<'_>, desk: &mut Desk<'_>) {
    let has = |container: &Json| container.get("health").is_some();
    let checked: Vec<String> =
        containers.iter().filter(|(_, c)| has(c)).map(|(name, _)| name.clone()).collect();
    for (name, container) in containers {
        for after in container.get_mut("after").and_then(Json::as_array_mut).into_iter().flatten() {
            let first = after.get("container").and_then(Json::as_str).unwrap_or_default().to_owned();
            if after.get("until").and_then(Json::as_str) == Some("healthy") && !checked.contains(&first) {
                desk.note(
                    whole,
                    format!("{name} waits for the start of {first}, which has no health check here"),
                );
                if let Some(map) = after.as_object_mut() {
                    map.insert("until".to_owned(), "started".into());
                }
            }
        }
    }
}
