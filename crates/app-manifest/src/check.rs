//! What no schema can say: names that must lead somewhere, places that only one may have, sums.

use crate::manifest::After;
use crate::manifest::Container;
use crate::manifest::Export;
use crate::manifest::Manifest;
use crate::manifest::Permissions;
use crate::manifest::Until;
use crate::mistakes::Mistakes;
use crate::mistakes::below;
use crate::text::ContainerName;
use model::network::app_policy::MAX_DOMAINS;
use model::network::app_policy::RESERVED_PORTS;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Where only the box mounts something in a container; shared memory is an app's own.
const RESERVED_FOLDERS: [&str; 4] = ["/proc", "/sys", "/dev", "/.hearth"];

/// Adds all that is wrong.
pub(crate) fn check(manifest: &Manifest, mistakes: &mut Mistakes) {
    for (name, container) in &manifest.containers {
        let place = below("/containers", name);
        check_mounts(container, &place, mistakes);
        check_health(container, &place, mistakes);
        for (number, after) in container.after.iter().enumerate() {
            check_after(manifest, name, after, &below(&below(&place, "after"), number), mistakes);
        }
    }
    if let Some(name) = first_of_a_ring(manifest) {
        let place = below(&below("/containers", name), "after");
        mistakes.add(place, "it waits for containers that wait for it; let one of them not wait");
    }
    check_exports(&manifest.exports, mistakes);
    check_permissions(manifest, mistakes);
}

fn check_mounts(container: &Container, place: &str, mistakes: &mut Mistakes) {
    let volumes = container.volumes.iter().map(|volume| ("volumes", &volume.target)).enumerate();
    let temporary = container.temporary.iter().map(|folder| ("temporary", &folder.target)).enumerate();
    let mut targets = BTreeSet::new();
    for (number, (list, target)) in volumes.chain(temporary) {
        let place = below(&below(&below(place, list), number), "target");
        let target = target.as_str();
        let is_below = |folder: &str| {
            target.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if target == "/" || target != "/dev/shm" && RESERVED_FOLDERS.into_iter().any(is_below) {
            mistakes.add(
                place,
                format!("nothing may lie at {target:?}; /, /proc, /sys, /dev and /.hearth are the box's"),
            );
        } else if !targets.insert(target) {
            mistakes.add(place, format!("two folders lie at {target:?}; give one another place"));
        }
    }
}

fn check_health(container: &Container, place: &str, mistakes: &mut Mistakes) {
    let Some(health) = &container.health else { return };
    if health.command.is_some() == health.http.is_some() {
        mistakes.add(below(place, "health"), "write either command or http");
    }
}

fn check_after(
    manifest: &Manifest,
    name: &ContainerName,
    after: &After,
    place: &str,
    mistakes: &mut Mistakes,
) {
    let Some(first) = manifest.containers.get(&after.container).filter(|_| after.container != *name) else {
        let others: Vec<_> =
            manifest.containers.keys().filter(|n| *n != name).map(ContainerName::as_str).collect();
        let known = if others.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there are {}", others.join(", "))
        };
        mistakes
            .add(below(place, "container"), format!("{} is not another container; {known}", after.container));
        return;
    };
    if after.until == Until::Healthy && first.health.is_none() {
        let sentence = format!("{} has no health check; give it one, or write \"started\"", after.container);
        mistakes.add(below(place, "until"), sentence);
    }
}

/// A container that, by way of others, waits for itself.
fn first_of_a_ring(manifest: &Manifest) -> Option<&ContainerName> {
    let mut waiting: BTreeMap<&ContainerName, BTreeSet<&ContainerName>> = manifest
        .containers
        .iter()
        .map(|(name, container)| {
            let known = |after: &&After| manifest.containers.contains_key(&after.container);
            (name, container.after.iter().filter(known).map(|after| &after.container).collect())
        })
        .collect();
    while let Some(ready) = waiting.iter().find(|(_, before)| before.is_empty()).map(|(name, _)| *name) {
        waiting.remove(ready);
        for before in waiting.values_mut() {
            before.remove(ready);
        }
    }
    // Those that wait only for themselves were told already.
    waiting.into_iter().find(|(name, before)| before.iter().any(|other| other != name)).map(|(name, _)| name)
}

fn check_exports(exports: &[Export], mistakes: &mut Mistakes) {
    let mut apis = BTreeSet::new();
    for (number, export) in exports.iter().enumerate() {
        if !apis.insert((&export.api, export.transport as u8)) {
            let place = below(&below("/exports", number), "api");
            mistakes.add(
                place,
                format!("{} is exported twice by the same transport; once is enough", export.api),
            );
        }
    }
}

fn check_permissions(manifest: &Manifest, mistakes: &mut Mistakes) {
    let Permissions { internet: _, domains, lan: _, mesh: _, inbound, apps, devices } = &manifest.permissions;
    let names: usize = domains.iter().map(|wish| wish.names.len()).sum();
    if names > MAX_DOMAINS {
        mistakes
            .add("/permissions/domains", format!("it has {names} names in all; {MAX_DOMAINS} are the most"));
    }
    let mut ports = BTreeSet::new();
    for (number, wish) in inbound.iter().enumerate() {
        let place = below(&below("/permissions/inbound", number), "port");
        if RESERVED_PORTS.contains(&wish.port.number.get()) {
            let sentence =
                format!("{} is the box's own; take another and name the app's own in app_port", wish.port);
            mistakes.add(place, sentence);
        } else if !ports.insert(wish.port) {
            mistakes.add(place, format!("{} is asked for twice; once is enough", wish.port));
        }
    }
    let mut links = BTreeSet::new();
    for (number, wish) in apps.iter().enumerate() {
        let place = below("/permissions/apps", number);
        if manifest.id.as_ref() == Some(&wish.app) {
            mistakes.add(
                below(&place, "app"),
                "it is the app itself; its containers reach each other without asking",
            );
        } else if !links.insert((&wish.app, wish.port)) {
            mistakes.add(place, format!("{} of {} is asked for twice; once is enough", wish.port, wish.app));
        }
    }
    for (number, wish) in devices.iter().enumerate() {
        let sentence = format!("{}: no app may have devices of the box so far; leave it out", wish.path);
        mistakes.add(below("/permissions/devices", number), sentence);
    }
}
