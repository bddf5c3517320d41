//! Who may depend on whom (STYLE: a daemon never depends on another daemon; `init` never links tokio, zbus or the
//! network; `model` does no I/O).

use crate::metadata::Metadata;
use anyhow::Result;
use anyhow::bail;

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
        krate: "netd",
        never: &["hostd", "init", "image", "store"],
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
    Rule { krate: "ioctls", never: &["tokio", "serde"], reason: "the unsafe crate stays small" },
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
    if faults.is_empty() { Ok(()) } else { bail!("layering:\n  {}", faults.join("\n  ")) }
}
