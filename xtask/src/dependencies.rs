//! Licences, banned crates and duplicate versions, as `deny.toml` says.
//!
//! `cargo deny check` does the same and more where it is installed; building it costs minutes, so the part that CI
//! needs is read from the same file here.

use crate::command::repository;
use crate::metadata::Metadata;
use crate::metadata::Package;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

#[derive(Debug, Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    clarify: Vec<Clarification>,
}

/// The licence of a crate that only ships its text.
#[derive(Debug, Deserialize)]
struct Clarification {
    #[serde(rename = "crate")]
    krate: String,
    expression: String,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
    skip: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    krate: String,
    reason: String,
}

/// Checks all three.
///
/// # Errors
/// Names every crate at fault.
pub(crate) fn check() -> Result<()> {
    let path = repository().join("deny.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let deny: Deny = toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    let metadata = Metadata::load()?;
    let foreign: Vec<&Package> =
        metadata.packages.iter().filter(|package| package.source.is_some()).collect();
    let mut faults = licence_faults(&foreign, &deny.licenses);
    for ban in &deny.bans.deny {
        if foreign.iter().any(|package| package.name == ban.krate) {
            faults.push(format!("`{}` is banned: {}", ban.krate, ban.reason));
        }
    }
    faults.extend(duplicate_faults(&foreign, &deny.bans.skip));
    if faults.is_empty() { Ok(()) } else { bail!("dependencies (deny.toml):\n  {}", faults.join("\n  ")) }
}

fn licence_faults(packages: &[&Package], licenses: &Licenses) -> Vec<String> {
    let Licenses { allow, clarify } = licenses;
    let allowed: Vec<spdx::Licensee> =
        allow.iter().filter_map(|name| spdx::Licensee::parse(name).ok()).collect();
    let mut faults: Vec<String> = allow
        .iter()
        .filter(|name| spdx::Licensee::parse(name).is_err())
        .map(|name| format!("`{name}` in licenses.allow is no SPDX licence"))
        .collect();
    for package in packages {
        let clarified = clarify.iter().find(|entry| entry.krate == package.name);
        if package.license.is_some() && clarified.is_some() {
            faults.push(format!("`{}` is clarified, and says its licence by itself", package.name));
        }
        let clarified = clarified.map(|entry| entry.expression.as_str());
        let expression = package.license.as_deref().or(clarified).unwrap_or("none");
        let fits = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX).is_ok_and(|parsed| {
            parsed.evaluate(|requirement| allowed.iter().any(|licensee| licensee.satisfies(requirement)))
        });
        if !fits {
            faults
                .push(format!("{} {}: licence `{expression}` is not allowed", package.name, package.version));
        }
    }
    faults
}

fn duplicate_faults(packages: &[&Package], skip: &[Ban]) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let mut faults = Vec::new();
    for (name, versions) in &versions {
        let skipped = skip.iter().any(|entry| entry.krate == *name);
        if versions.len() > 1 && !skipped {
            let list: Vec<&str> = versions.iter().copied().collect();
            faults.push(format!("`{name}` has several versions ({})", list.join(", ")));
        }
        if versions.len() == 1 && skipped {
            faults.push(format!("`{name}` is skipped without need"));
        }
    }
    let known: BTreeSet<&str> = versions.keys().copied().collect();
    faults.extend(
        skip.iter()
            .filter(|entry| !known.contains(entry.krate.as_str()))
            .map(|entry| format!("`{}` is skipped but not used", entry.krate)),
    );
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, license: &str) -> Package {
        Package {
            id: format!("{name} {version}"),
            name: name.to_owned(),
            version: version.to_owned(),
            license: Some(license.to_owned()),
            source: Some("registry".to_owned()),
            manifest_path: "Cargo.toml".into(),
        }
    }

    #[test]
    fn a_licence_passes_when_one_alternative_is_allowed() {
        let good = package("good", "1.0.0", "GPL-3.0 OR MIT");
        let slash = package("old", "1.0.0", "MIT/Apache-2.0");
        let bad = package("bad", "1.0.0", "GPL-3.0-only AND MIT");
        let licenses = Licenses { allow: vec!["MIT".to_owned()], clarify: Vec::new() };
        let faults = licence_faults(&[&good, &slash, &bad], &licenses);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with("bad 1.0.0"), "{faults:?}");
    }

    #[test]
    fn a_licence_is_clarified_only_where_none_is_said() {
        let silent = Package { license: None, ..package("silent", "1.0.0", "") };
        let entry = |krate: &str| Clarification { krate: krate.to_owned(), expression: "MIT".to_owned() };
        let faults = |package: &Package, clarify| {
            licence_faults(&[package], &Licenses { allow: vec!["MIT".to_owned()], clarify }).len()
        };
        assert_eq!(faults(&silent, vec![]), 1);
        assert_eq!(faults(&silent, vec![entry("silent")]), 0);
        assert_eq!(faults(&package("loud", "1.0.0", "MIT"), vec![entry("loud")]), 1);
    }

    #[test]
    fn duplicates_are_faults_unless_skipped_and_skips_must_be_needed() {
        let one = package("twice", "1.0.0", "MIT");
        let two = package("twice", "2.0.0", "MIT");
        assert_eq!(duplicate_faults(&[&one, &two], &[]).len(), 1);
        let skip = [Ban { krate: "twice".to_owned(), reason: String::new() }];
        assert!(duplicate_faults(&[&one, &two], &skip).is_empty());
        assert_eq!(duplicate_faults(&[&one], &skip).len(), 1);
    }
}
