//! What the owner is asked, in plain words, the weightiest first.
//!
//! The box's words say what is asked; the app's own reason is apart from them, to be shown as its words.

use crate::manifest::Manifest;
use crate::manifest::Scope;
use crate::text::Reason;
use crate::text::VolumeName;
use model::apps::AppId;
use model::network::app_policy::Port;
use model::network::names::DomainPattern;
use serde::Serialize;
use std::collections::BTreeSet;
use std::num::NonZeroU16;

mod words;

/// One thing that the owner is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ask {
    /// How much it matters.
    pub weight: Weight,
    /// What it is about.
    pub subject: Subject,
    /// The box's words: one sentence.
    pub words: String,
    /// The app's own words, if it gave any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// How much a permission matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It reaches other people's data or devices, or everything.
    High,
    /// It opens something that is named.
    Medium,
    /// It is good to know.
    Low,
}

/// What an ask is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Subject {
    /// Devices at home.
    Lan,
    /// The Internet.
    Internet,
    /// The owner's other boxes.
    Mesh,
    /// One copy for everybody.
    Household,
    /// A port of the box that leads to the app.
    Inbound {
        /// Port of the box.
        port: Port,
        /// Port of the app.
        app_port: NonZeroU16,
    },
    /// Another app's port.
    App {
        /// Its ID.
        app: AppId,
        /// Its port.
        port: Port,
    },
    /// Hosts by name.
    Domains {
        /// Names.
        names: BTreeSet<DomainPattern>,
    },
    /// Folders that last.
    Data {
        /// Their names.
        folders: BTreeSet<VolumeName>,
    },
    /// APIs for others.
    Exports {
        /// Their names.
        apis: BTreeSet<String>,
    },
    /// Memory, all containers together.
    Memory {
        /// Bytes at most.
        bytes: u64,
    },
}

/// What the owner is asked before an app is installed.
#[must_use]
pub fn asks(manifest: &Manifest) -> Vec<Ask> {
    of(wishes(manifest))
}

/// What a new version asks beyond what an older one was granted. What is the same in other words is not asked again.
#[must_use]
pub fn added_by(old: &Manifest, new: &Manifest) -> Vec<Ask> {
    let had = wishes(old);
    let had_internet = had.iter().any(|(subject, _)| *subject == Subject::Internet);
    let is_new = |(subject, reason): (Subject, Option<Reason>)| {
        let left = match subject {
            Subject::Domains { .. } if had_internet => None,
            Subject::Domains { names } => {
                let granted = |name: &DomainPattern| had.iter().any(|(subject, _)| covers(subject, name));
                let names: BTreeSet<_> = names.into_iter().filter(|name| !granted(name)).collect();
                (!names.is_empty()).then_some(Subject::Domains { names })
            }
            Subject::Data { folders } => {
                let old = folders_of(old);
                let folders: BTreeSet<_> = folders.into_iter().filter(|name| !old.contains(name)).collect();
                (!folders.is_empty()).then_some(Subject::Data { folders })
            }
            Subject::Exports { apis } => {
                let old = apis_of(old);
                let apis: BTreeSet<_> = apis.into_iter().filter(|api| !old.contains(api)).collect();
                (!apis.is_empty()).then_some(Subject::Exports { apis })
            }
            Subject::Memory { bytes } => (bytes > memory_of(old)).then_some(Subject::Memory { bytes }),
            Subject::Lan
            | Subject::Internet
            | Subject::Mesh
            | Subject::Household
            | Subject::Inbound { .. }
            | Subject::App { .. } => (!had.iter().any(|(known, _)| *known == subject)).then_some(subject),
        };
        left.map(|subject| (subject, reason))
    };
    of(wishes(new).into_iter().filter_map(is_new).collect())
}

/// Whether a name is within what an older version was granted.
fn covers(subject: &Subject, name: &DomainPattern) -> bool {
    let Subject::Domains { names } = subject else { return false };
    let (text, is_below) = match name.as_str().strip_prefix("*.") {
        Some(parent) => (parent, true),
        None => (name.as_str(), false),
    };
    names.iter().any(|granted| {
        // `*.example.com` has all of `*.mail.example.com`, and is not had by `example.com`.
        granted == name || (granted.as_str().starts_with("*.") || !is_below) && granted.matches(text)
    })
}

fn of(wishes: Vec<(Subject, Option<Reason>)>) -> Vec<Ask> {
    let mut asks: Vec<Ask> = wishes
        .into_iter()
        .map(|(subject, reason)| Ask {
            weight: weight(&subject),
            words: words::of(&subject),
            subject,
            reason,
        })
        .collect();
    // Stable: within a weight the order below stays.
    asks.sort_by_key(|ask| ask.weight);
    asks
}

fn weight(subject: &Subject) -> Weight {
    match subject {
        Subject::Lan | Subject::Internet | Subject::Mesh | Subject::Household => Weight::High,
        Subject::Inbound { .. } | Subject::App { .. } | Subject::Domains { .. } => Weight::Medium,
        Subject::Data { .. } | Subject::Exports { .. } | Subject::Memory { .. } => Weight::Low,
    }
}

/// Everything, in the order in which it is asked.
fn wishes(manifest: &Manifest) -> Vec<(Subject, Option<Reason>)> {
    let wishes = &manifest.permissions;
    let one = |wish: &Option<crate::manifest::Wish>, subject: Subject| {
        wish.as_ref().map(|wish| (subject, Some(wish.reason.clone())))
    };
    let mut all = Vec::new();
    all.extend(one(&wishes.lan, Subject::Lan));
    all.extend(one(&wishes.internet, Subject::Internet));
    all.extend(one(&wishes.mesh, Subject::Mesh));
    if manifest.scope == Scope::System {
        all.push((Subject::Household, None));
    }
    all.extend(wishes.inbound.iter().map(|wish| {
        let app_port = wish.app_port.unwrap_or(wish.port.number);
        (Subject::Inbound { port: wish.port, app_port }, Some(wish.reason.clone()))
    }));
    all.extend(
        wishes
            .apps
            .iter()
            .map(|wish| (Subject::App { app: wish.app.clone(), port: wish.port }, Some(wish.reason.clone()))),
    );
    all.extend(
        wishes
            .domains
            .iter()
            .map(|wish| (Subject::Domains { names: wish.names.clone() }, Some(wish.reason.clone()))),
    );
    let folders = folders_of(manifest);
    if !folders.is_empty() {
        all.push((Subject::Data { folders }, None));
    }
    let apis = apis_of(manifest);
    if !apis.is_empty() {
        all.push((Subject::Exports { apis }, None));
    }
    all.push((Subject::Memory { bytes: memory_of(manifest) }, None));
    all
}

fn folders_of(manifest: &Manifest) -> BTreeSet<VolumeName> {
    let volumes = manifest.containers.values().flat_map(|container| &container.volumes);
    volumes.map(|volume| volume.name.clone()).collect()
}

fn apis_of(manifest: &Manifest) -> BTreeSet<String> {
    manifest.exports.iter().map(|export| export.api.to_string()).collect()
}

/// 16 containers of at most 64 GiB: no overflow.
fn memory_of(manifest: &Manifest) -> u64 {
    manifest.containers.values().map(|container| container.limits.memory_bytes).sum()
}

#[cfg(test)]
mod tests;
