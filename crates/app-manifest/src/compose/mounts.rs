//! `volumes` and `tmpfs`: folders that last, and folders in memory.

use super::desk::At;
use super::desk::Desk;
use super::quantity;
use super::yaml::Node;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Files of the box that many mount to have its time zone, which comes by `TZ`.
const TIME_ZONE: [&str; 2] = ["/etc/localtime", "/etc/timezone"];
/// Where some catalogues keep the folders of apps; the next part is the app.
const APP_FOLDERS: &str = "/DATA/AppData/";

/// Names of the app's folders, by what the file calls them.
#[derive(Default)]
pub(super) struct Folders {
    declared: BTreeSet<String>,
    names: BTreeMap<String, String>,
}

impl Folders {
    /// With the volumes that the file declares.
    pub(super) fn new(declared: impl Iterator<Item = String>) -> Self {
        Self { declared: declared.collect(), names: BTreeMap::new() }
    }

    /// A name of its own for each source.
    fn name(&mut self, source: &str) -> String {
        if let Some(name) = self.names.get(source) {
            return name.clone();
        }
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        let slug: String =
            source.to_ascii_lowercase().chars().take(50).map(|c| if is_plain(c) { c } else { '-' }).collect();
        let slug = slug.trim_matches(['-', '_', '.']);
        let slug = if slug.is_empty() { "data" } else { slug };
        let is_free = |name: &String| !self.names.values().any(|taken| taken == name);
        let numbered = (2..).map(|number: u32| format!("{slug}-{number}"));
        let name = std::iter::once(slug.to_owned()).chain(numbered).find(is_free).unwrap_or_default();
        self.names.insert(source.to_owned(), name.clone());
        name
    }

    /// Folders of the app's own folder of which one has the other: as two volumes they would not.
    pub(super) fn nested(&self) -> Option<(&str, &str)> {
        let own: Vec<&str> =
            self.names.keys().filter(|source| source.starts_with('.')).map(String::as_str).collect();
        let has = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
                || outer == "." && inner != "."
        };
        own.iter().find_map(|outer| own.iter().find(|inner| has(outer, inner)).map(|inner| (*outer, *inner)))
    }
}

/// One mount as it was written.
struct Mount {
    kind: String,
    source: Option<String>,
    target: String,
    read_only: bool,
    size: Option<u64>,
}

/// Reads the mounts of a service: volumes and folders in memory.
pub(super) fn read(at: At<'_>, folders: &mut Folders, desk: &mut Desk<'_>) -> (Vec<Json>, Vec<Json>) {
    let (mut volumes, mut temporary) = (Vec::new(), Vec::new());
    if at.node.items().is_empty() && !at.node.is_nothing() {
        desk.refuse(at, "a list of volumes belongs here");
    }
    for (number, node) in at.node.items().iter().enumerate() {
        let at = At { place: &format!("{}[{number}]", at.place), node };
        let mount = if node.entries().is_empty() { short(at, desk) } else { long(at, desk) };
        let Some(mount) = mount else { continue };
        if mount.kind == "tmpfs" {
            temporary.push(in_memory(&mount.target, mount.size));
        } else if let Some(name) = volume(&mount, at, folders, desk) {
            volumes.push(
                json!({ "name": name, "target": trimmed(&mount.target), "read_only": mount.read_only }),
            );
        }
    }
    (volumes, temporary)
}

fn in_memory(target: &str, size: Option<u64>) -> Json {
    json!({ "target": trimmed(target), "size_bytes": size.unwrap_or_else(crate::manifest::usual_temporary) })
}

/// Compose takes a slash at the end, a manifest does not.
fn trimmed(target: &str) -> &str {
    if target.len() > 1 { target.trim_end_matches('/') } else { target }
}

/// `source:target[:options]` or `target`.
fn short(at: At<'_>, desk: &mut Desk<'_>) -> Option<Mount> {
    let text = desk.text(at)?;
    let mut parts = text.splitn(3, ':');
    let first = parts.next().unwrap_or_default().to_owned();
    let (source, target) = match parts.next() {
        Some(target) => (Some(first), target.to_owned()),
        None => (None, first),
    };
    let mut read_only = false;
    for option in parts.next().into_iter().flat_map(|options| options.split(',')) {
        match option {
            "ro" => read_only = true,
            // Marks for SELinux and for slow disks of other systems, without meaning here.
            "rw" | "z" | "Z" | "cached" | "delegated" | "consistent" | "nocopy" => {}
            other => desk.refuse(at, format!("the option {:?} is not known", crate::text::beginning(other))),
        }
    }
    Some(Mount { kind: "any".to_owned(), source, target, read_only, size: None })
}

fn long(at: At<'_>, desk: &mut Desk<'_>) -> Option<Mount> {
    let mut mount = Mount {
        kind: "volume".to_owned(),
        source: None,
        target: String::new(),
        read_only: false,
        size: None,
    };
    for (key, node) in at.node.entries() {
        let at = At { place: &format!("{}.{key}", at.place), node };
        match key.as_str() {
            "type" => mount.kind = desk.text(at)?,
            "source" => mount.source = desk.text(at),
            "target" => mount.target = desk.text(at)?,
            "read_only" => mount.read_only = desk.flag(at),
            "consistency" => {}
            "volume" | "bind" | "tmpfs" => options(at, &mut mount, desk),
            key if key.starts_with("x-") => {}
            _ => desk.refuse(at, "this key of a volume is not known"),
        }
    }
    if !["volume", "bind", "tmpfs"].contains(&mount.kind.as_str()) {
        desk.refuse(at, "volumes are of the types volume, bind and tmpfs");
        return None;
    }
    Some(mount)
}

fn options(at: At<'_>, mount: &mut Mount, desk: &mut Desk<'_>) {
    for (key, node) in at.node.entries() {
        let at = At { place: &format!("{}.{key}", at.place), node };
        match key.as_str() {
            "size" => mount.size = desk.parsed(at, quantity::bytes, "a size such as 64m"),
            "nocopy" | "create_host_path" | "selinux" | "mode" | "labels" => {}
            _ => desk.refuse(at, "this option of a volume cannot be honoured"),
        }
    }
}

/// The name of the volume that a mount becomes; none if it is refused or left out.
fn volume(mount: &Mount, at: At<'_>, folders: &mut Folders, desk: &mut Desk<'_>) -> Option<String> {
    let Some(source) = mount.source.as_deref().filter(|source| !source.is_empty()) else {
        desk.note(at, "a volume without a name lasts here");
        return Some(folders.name(mount.target.trim_matches('/')));
    };
    if source.ends_with("docker.sock") || source.ends_with("podman.sock") {
        desk.refuse(at, "whoever controls the container runtime controls the box");
        return None;
    }
    if TIME_ZONE.contains(&source) {
        desk.note(at, "left out: the time zone is set with the variable TZ");
        return None;
    }
    let own =
        source.strip_prefix(APP_FOLDERS).map(|rest| rest.split_once('/').map_or("", |(_, below)| below));
    let own = own.or_else(|| source.strip_prefix("./")).or_else(|| (source == ".").then_some(""));
    if let Some(below) = own {
        return own_folder(below, mount, at, folders, desk);
    }
    if source.starts_with(['/', '~', '.']) || source.contains('/') || source.contains('\\') {
        desk.refuse(
            at,
            format!(
                "{:?} is a folder of the computer; apps have only folders of their own",
                crate::text::beginning(source)
            ),
        );
        return None;
    }
    if !folders.declared.contains(source) {
        desk.refuse(
            at,
            format!("the volume {:?} is not declared under volumes", crate::text::beginning(source)),
        );
        return None;
    }
    Some(folders.name(source))
}

/// A path below the app's own folder.
fn own_folder(
    below: &str,
    mount: &Mount,
    at: At<'_>,
    folders: &mut Folders,
    desk: &mut Desk<'_>,
) -> Option<String> {
    let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        desk.refuse(at, "the path leads out of the app's own folder");
        return None;
    }
    // `conf.d` is a folder, `nginx.conf` is not: files beside the docker-compose.yml do not come along.
    let is_file = |name: &&str| {
        name.trim_start_matches('.')
            .rsplit_once('.')
            .is_some_and(|(stem, end)| !stem.is_empty() && end != "d")
    };
    let target = mount.target.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if parts.last().is_some_and(is_file) && is_file(&target) {
        desk.refuse(at, "a single file beside the docker-compose.yml is not taken along");
        return None;
    }
    desk.note(at, "becomes a folder of the app's own, empty at first");
    let path = std::iter::once(".").chain(parts).collect::<Vec<_>>().join("/");
    Some(folders.name(&path))
}

/// `tmpfs`: `path[:options]`, one or several.
pub(super) fn temporary(at: At<'_>, desk: &mut Desk<'_>) -> Vec<Json> {
    let texts = desk.texts(at);
    let mut folders = Vec::new();
    for text in texts {
        let (target, options) = text.split_once(':').unwrap_or((&text, ""));
        let mut size = None;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("size", text)) => match quantity::bytes(text) {
                    Some(bytes) => size = Some(bytes),
                    None => desk.refuse(at, format!("{:?} is no size", crate::text::beginning(text))),
                },
                _ => desk.note(at, format!("the option {:?} is left out", crate::text::beginning(option))),
            }
        }
        folders.push(in_memory(target, size));
    }
    folders
}

/// Looks through `volumes` of the file.
pub(super) fn declarations(root: &Node, desk: &mut Desk<'_>) -> Folders {
    let Some(node) = root.get("volumes") else { return Folders::default() };
    for (name, node) in node.entries() {
        for (key, node) in node.entries() {
            let at = At { place: &format!("volumes.{name}.{key}"), node };
            match key.as_str() {
                "driver" if desk.text(at).is_some_and(|driver| driver == "local") => {}
                "name" | "labels" => {}
                "external" if node.is_nothing() => {}
                "external" => desk.note(at, "the folder is the app's own here, empty at first"),
                "driver_opts" if node.is_nothing() => {}
                "driver" | "driver_opts" => desk.refuse(at, "folders lie on the box's own disk"),
                key if key.starts_with("x-") => {}
                _ => desk.refuse(at, "this key of a volume is not known"),
            }
        }
    }
    Folders::new(node.entries().iter().map(|(name, _)| name.clone()))
}
