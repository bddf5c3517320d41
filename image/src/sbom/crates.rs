//! The Rust crates that our programs are made from, by cargo's own resolution.

use super::SbomError;
use crate::manifest::Arch;
use crate::tool;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// SHA-256 of the crate file; none for crates of this repository.
    pub(crate) checksum: Option<String>,
}

/// The part of `cargo metadata` that is read.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct MetadataPackage {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
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

/// The part of `Cargo.lock` that is read.
#[derive(Debug, Default, Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<LockPackage>,
}

#[derive(Debug, Deserialize)]
struct LockPackage {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// Crates that end up in `programs`: their normal dependencies, not those of build scripts and tests.
pub(super) fn of_programs(repo: &Path, programs: &[&str], arch: Arch) -> Result<Vec<Crate>, SbomError> {
    // The cargo that runs us, if one does.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = tool::command(cargo);
    command.current_dir(repo).args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        arch.triple(),
    ]);
    let metadata = tool::output(&mut command).map_err(SbomError::Cargo)?;
    let lock = fs::read_to_string(repo.join("Cargo.lock")).map_err(SbomError::ReadLock)?;
    reachable(
        &serde_json::from_str(&metadata).map_err(SbomError::Metadata)?,
        &toml::from_str(&lock).map_err(SbomError::Lock)?,
        programs,
    )
}

fn reachable(metadata: &Metadata, lock: &Lock, programs: &[&str]) -> Result<Vec<Crate>, SbomError> {
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut open = Vec::new();
    for program in programs {
        let own =
            metadata.packages.iter().find(|package| package.name == *program && package.source.is_none());
        open.push(own.ok_or_else(|| SbomError::NoProgram((*program).to_owned()))?.id.as_str());
    }
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let deps = nodes.get(id).map_or(&[][..], |node| node.deps.as_slice());
        open.extend(
            deps.iter()
                .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()))
                .map(|dep| dep.pkg.as_str()),
        );
    }
    let checksums: BTreeMap<(&str, &str), &String> = lock
        .package
        .iter()
        .filter_map(|package| {
            Some(((package.name.as_str(), package.version.as_str()), package.checksum.as_ref()?))
        })
        .collect();
    let mut crates: Vec<Crate> = metadata
        .packages
        .iter()
        .filter(|package| seen.contains(package.id.as_str()))
        .map(|package| Crate {
            name: package.name.clone(),
            version: package.version.clone(),
            license: package.license.clone(),
            checksum: checksums.get(&(package.name.as_str(), package.version.as_str())).copied().cloned(),
        })
        .collect();
    crates.sort();
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
      "packages": [
        {"id":"i","name":"init","version":"0.1.0","license":"Apache-2.0","source":null},
        {"id":"s","name":"serde","version":"1.0.1","license":"MIT","source":"registry"},
        {"id":"c","name":"cc","version":"1.2.0","license":"MIT","source":"registry"},
        {"id":"p","name":"proptest","version":"1.0.0","license":"MIT","source":"registry"},
        {"id":"x","name":"other","version":"1.0.0","license":null,"source":"registry"}
      ],
      "resolve": {"nodes": [
        {"id":"i","deps":[
          {"pkg":"s","dep_kinds":[{"kind":null},{"kind":"dev"}]},
          {"pkg":"c","dep_kinds":[{"kind":"build"}]},
          {"pkg":"p","dep_kinds":[{"kind":"dev"}]}]},
        {"id":"s","deps":[]}, {"id":"c","deps":[]}, {"id":"p","deps":[]}, {"id":"x","deps":[]}
      ]}
    }"#;

    #[test]
    fn only_what_ends_up_in_a_program_is_listed() {
        let metadata = serde_json::from_str(METADATA).unwrap();
        let lock = "[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nchecksum = \"ab\"\n";
        let crates = reachable(&metadata, &toml::from_str(lock).unwrap(), &["init"]).unwrap();
        let names: Vec<&str> = crates.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["init", "serde"]);
        assert_eq!(crates[1].checksum.as_deref(), Some("ab"));
        let error = reachable(&metadata, &Lock::default(), &["serde"]).unwrap_err();
        assert!(matches!(error, SbomError::NoProgram(name) if name == "serde"));
    }
}
