//! What `cargo metadata` says of the workspace, as far as the checks need it.

use crate::command::cargo;
use anyhow::Context;
use anyhow::Result;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The answer of `cargo metadata`.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// All packages, of the workspace and of others.
    pub(crate) packages: Vec<Package>,
    /// Ids of the workspace's own.
    pub(crate) workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

/// One package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Opaque id.
    pub(crate) id: String,
    /// Crate name.
    pub(crate) name: String,
    /// Version.
    pub(crate) version: String,
    /// SPDX expression.
    pub(crate) license: Option<String>,
    /// Registry it comes from; none for our own.
    pub(crate) source: Option<String>,
    /// Its `Cargo.toml`.
    pub(crate) manifest_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo.
    ///
    /// # Errors
    /// When cargo fails or answers in another shape.
    pub(crate) fn load() -> Result<Self> {
        let text = cargo([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .output()?;
        serde_json::from_str(&text).context("reading the answer of `cargo metadata`")
    }

    /// The workspace's own package of that name.
    pub(crate) fn member(&self, name: &str) -> Option<&Package> {
        self.packages
            .iter()
            .find(|package| package.name == name && self.workspace_members.contains(&package.id))
    }

    /// Names of the workspace's own packages that `root` itself depends on, not for tests or builds.
    pub(crate) fn known_to(&self, root: &Package) -> BTreeSet<&str> {
        let node = self.resolve.nodes.iter().find(|node| node.id == root.id);
        let normal = |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
        let known: BTreeSet<&str> = node
            .map_or(&[][..], |node| &node.deps)
            .iter()
            .filter(normal)
            .map(|dependency| dependency.pkg.as_str())
            .collect();
        let own = self.packages.iter().filter(|package| self.workspace_members.contains(&package.id));
        own.filter(|package| known.contains(package.id.as_str()))
            .map(|package| package.name.as_str())
            .collect()
    }

    /// Names of everything that ends up in a program built from `root`: normal dependencies, all the way down.
    pub(crate) fn linked_by(&self, root: &Package) -> BTreeSet<&str> {
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let names: BTreeMap<&str, &str> =
            self.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
        let mut seen = BTreeSet::new();
        let mut queue = vec![root.id.as_str()];
        while let Some(id) = queue.pop() {
            if !seen.insert(id) {
                continue;
            }
            let dependencies = nodes.get(id).map_or(&[][..], |node| &node.deps);
            let normal =
                |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
            queue.extend(dependencies.iter().filter(normal).map(|dependency| dependency.pkg.as_str()));
        }
        seen.into_iter().filter(|id| *id != root.id).filter_map(|id| names.get(id).copied()).collect()
    }
}
