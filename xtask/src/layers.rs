//! Who may depend on whom (STYLE: a daemon never depends on another daemon; `init` never links tokio, zbus or the
//! network; `model` does no I/O).
//!
//! Of our own crates each knows those that the last column of the table in `ARCHITECTURE.md` names, and no others; what else must
//! not be linked is listed here.

use crate::command::repository;
use crate::metadata::Metadata;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

/// A crate and what must not be linked into it.
struct Rule {
    krate: &'static str,
    never: &'static [&'static str],
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        krate: "init",
        never: &["tokio", "zbus", "hyper", "rustls", "hostapi", "store", "netd", "hostd", "image"],
        reason: "PID 1 parses nothing from the network and runs no executor",
    },
    Rule {
        krate: "model",
        never: &["tokio", "zbus", "rustix", "nix", "libc", "sled", "hyper"],
        reason: "shared types do no I/O",
    },
    Rule {
        krate: "slots",
        never: &["tokio", "zbus", "rustix", "nix", "libc"],
        reason: "what decides over slots does no I/O, or no test could look at all of it",
    },
    Rule {
        krate: "netd",
        never: &["hostd", "init", "image", "store"],
        reason: "daemons know each other over D-Bus",
    },
    Rule {
        krate: "containerd-lite",
        never: &["netd", "hostd", "storaged", "init", "image", "store"],
        reason: "daemons know each other over D-Bus",
    },
    Rule { krate: "hostd", never: &["netd", "init", "image"], reason: "daemons know each other over D-Bus" },
    Rule {
        krate: "hearthctl",
        never: &["hostd", "netd", "init", "image", "store", "hostapi", "zbus", "tokio"],
        reason: "the owner's program speaks HTTP only (its tests may start a hostd: they are not linked into it)",
    },
    Rule {
        krate: "image",
        never: &["netd", "hostd", "init", "qemu-tests"],
        reason: "the builder takes programs as files",
    },
    Rule {
        krate: "installer",
        never: &["zbus", "init", "netd", "hostd", "image"],
        reason: "what writes the boot partition speaks to nobody",
    },
    Rule { krate: "ioctls", never: &["tokio", "serde_json"], reason: "the unsafe crate stays small" },
    Rule {
        krate: "hearth-agent",
        never: &["tokio", "init", "netd", "hostd"],
        reason: "the agent is one small program",
    },
];

/// Checks every rule.
///
/// # Errors
/// Names every crate that links what it must not.
pub(crate) fn check() -> Result<()> {
    let metadata = Metadata::load()?;
    let mut faults = Vec::new();
    for rule in RULES {
        let Some(package) = metadata.member(rule.krate) else {
            faults.push(format!("the rule for `{}` names no crate of the workspace", rule.krate));
            continue;
        };
        let linked = metadata.linked_by(package);
        for name in rule.never.iter().filter(|name| linked.contains(**name)) {
            faults.push(format!("`{}` links `{name}`: {}", rule.krate, rule.reason));
        }
    }
    let map = repository().join("ARCHITECTURE.md");
    let text = fs::read_to_string(&map).with_context(|| format!("reading {}", map.display()))?;
    faults.extend(strays(&metadata, &table(&text)));
    if faults.is_empty() { Ok(()) } else { bail!("layering:\n  {}", faults.join("\n  ")) }
}

/// The folders of the table with what each knows of.
fn table(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", folder, .., known, ""] = cells.as_slice() else { return None };
        let (_, folder) = folder.strip_suffix(')')?.split_once("](")?;
        // Every second part stands between backticks.
        Some((folder, known.split('`').skip(1).step_by(2).collect()))
    });
    rows.collect()
}

/// Crates that are not in the table, or know others than it says.
fn strays(metadata: &Metadata, table: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let own = metadata.packages.iter().filter(|package| metadata.workspace_members.contains(&package.id));
    own.filter_map(|package| {
        let folder = package.manifest_path.parent()?.strip_prefix(repository()).ok()?.to_str()?;
        let name = &package.name;
        let Some(said) = table.get(folder) else {
            return Some(format!("`{name}` ({folder}) has no row in ARCHITECTURE.md"));
        };
        let known = metadata.known_to(package);
        (known != *said).then(|| format!("`{name}` knows of {known:?}, and ARCHITECTURE.md says {said:?}"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_is_read() {
        let text = "# `x`\n| folder | what | knows of |\n|---|---|---|\n| [`a/b`](a/b) | `c` of `d` | `e`, `f-g` |\n\
                    | [`h`](h) | | – |\n";
        let found = table(text);
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), ["a/b", "h"]);
        assert_eq!(found["a/b"], BTreeSet::from(["e", "f-g"]));
        assert_eq!(found["h"], BTreeSet::new());
    }
}
