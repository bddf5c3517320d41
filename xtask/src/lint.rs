//! Format, clippy, and the text rules that clippy cannot see.

use crate::command::cargo;
use crate::command::repository;
use crate::dependencies;
use crate::layers;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Longest source file; a longer one is more than one room.
const LINES: usize = 600;

/// Names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "base", "core", "helpers"];

/// Runs everything.
///
/// # Errors
/// At the first part that finds something, with all its findings.
pub(crate) fn lint() -> Result<()> {
    cargo(["fmt", "--all", "--check"]).run()?;
    text_rules()?;
    layers::check()?;
    dependencies::check()?;
    cargo(["clippy", "--release", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])
        .run()
}

/// Checks the text rules of all crates.
fn text_rules() -> Result<()> {
    let mut faults = Vec::new();
    for manifest in manifests(&repository())? {
        let text =
            fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
        let folder = manifest.parent().unwrap_or(&manifest);
        let sources = sources(folder)?;
        faults.extend(manifest_faults(&manifest, &text, &sources)?);
        for source in &sources {
            faults.extend(source_faults(source, &sources));
        }
    }
    if faults.is_empty() { Ok(()) } else { bail!("text rules:\n  {}", faults.join("\n  ")) }
}

/// A source file and its text.
struct Source {
    path: PathBuf,
    text: String,
}

fn manifests(root: &Path) -> Result<Vec<PathBuf>> {
    let text = fs::read_to_string(root.join("Cargo.toml")).context("reading the workspace's Cargo.toml")?;
    let table: toml::Table = text.parse().context("reading the workspace's Cargo.toml")?;
    let members = table
        .get("workspace")
        .and_then(|workspace| workspace.get("members"))
        .and_then(toml::Value::as_array)
        .context("the workspace's Cargo.toml has no members")?;
    Ok(members
        .iter()
        .filter_map(toml::Value::as_str)
        .map(|member| root.join(member).join("Cargo.toml"))
        .collect())
}

/// All `.rs` files of a crate; a folder below with a manifest of its own is another crate.
fn sources(folder: &Path) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut queue = vec![folder.to_path_buf()];
    while let Some(folder) = queue.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
            let path = entry.with_context(|| format!("listing {}", folder.display()))?.path();
            if path.is_dir() {
                let skipped = path.join("Cargo.toml").exists()
                    || path.ends_with("node_modules")
                    || path.ends_with("target");
                if !skipped {
                    queue.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                found.push(Source { path, text });
            }
        }
    }
    Ok(found)
}

fn manifest_faults(manifest: &Path, text: &str, sources: &[Source]) -> Result<Vec<String>> {
    let table: toml::Table = text.parse().with_context(|| format!("reading {}", manifest.display()))?;
    let shown = shown(manifest);
    let mut faults = Vec::new();
    let inherits = table.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
    if inherits != Some(true) {
        faults.push(format!("{shown}: does not take the workspace's lints"));
    }
    for section in ["dependencies", "dev-dependencies"] {
        for name in
            table.get(section).and_then(toml::Value::as_table).into_iter().flatten().map(|(name, _)| name)
        {
            let identifier = name.replace('-', "_");
            if !sources.iter().any(|source| source.text.contains(&identifier)) {
                faults.push(format!("{shown}: nothing uses `{name}`"));
            }
        }
    }
    Ok(faults)
}

fn source_faults(source: &Source, all: &[Source]) -> Vec<String> {
    let shown = shown(&source.path);
    let stem = source.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut faults = Vec::new();
    let lines = source.text.lines().count();
    if lines > LINES {
        faults.push(format!("{shown}: {lines} lines, more than {LINES}"));
    }
    if EMPTY_NAMES.contains(&stem.as_str()) {
        faults.push(format!("{shown}: the name says nothing"));
    }
    if is_orphan(source, &stem, all) {
        faults.push(format!("{shown}: no `mod {stem};` names it"));
    }
    let mut explained = false;
    for (number, line) in source.text.lines().enumerate() {
        let place = format!("{shown}:{}", number + 1);
        // Pieces, so that this file does not find itself.
        if line.contains(concat!("%", "err")) || line.contains(concat!("= %", "e,")) {
            faults.push(format!(
                "{place}: logs an error without its causes; write `error = &err as &dyn Error`"
            ));
        }
        if line.contains(concat!("expect(", "unsafe_code")) && !explained {
            faults.push(format!("{place}: unsafe code without an `UNSAFETY:` comment above"));
        }
        if line.trim_start().starts_with(concat!("#[", "ignore]")) {
            faults.push(format!("{place}: an ignored test needs a reason and an issue number"));
        }
        // The explanation holds for the attribute that follows its comment, which may take several lines each.
        let trimmed = line.trim_start();
        let goes_on = trimmed.starts_with("//") || trimmed.starts_with("#");
        explained = trimmed.starts_with("// UNSAFETY:") || explained && goes_on;
    }
    faults
}

/// Whether no other file declares this one; roots of targets need no declaration.
fn is_orphan(source: &Source, stem: &str, all: &[Source]) -> bool {
    let folder =
        source.path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let roots: BTreeSet<&str> = ["main", "lib", "build"].into();
    if roots.contains(stem)
        || ["tests", "programs", "examples", "benches", "bin", "fuzz_targets"].contains(&folder.as_str())
            && stem != "tests"
            && !declared(stem, all)
    {
        return false;
    }
    !declared(stem, all)
}

fn declared(stem: &str, all: &[Source]) -> bool {
    let declaration = format!("mod {stem};");
    all.iter().any(|source| source.text.contains(&declaration))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: PathBuf::from(path), text: text.to_owned() }
    }

    #[test]
    fn an_undeclared_file_is_an_orphan() {
        let all = [
            source("x/src/lib.rs", "mod known;\n"),
            source("x/src/known.rs", ""),
            source("x/src/lost.rs", ""),
        ];
        assert!(source_faults(&all[0], &all).is_empty());
        assert!(source_faults(&all[1], &all).is_empty());
        assert_eq!(source_faults(&all[2], &all).len(), 1);
    }

    #[test]
    fn an_error_logged_without_causes_is_a_fault() {
        let text = format!("warn!(error = {}err, \"x\");\n", "%");
        let all = [source("x/src/lib.rs", &text)];
        assert_eq!(source_faults(&all[0], &all).len(), 1);
    }

    #[test]
    fn an_unused_dependency_is_a_fault() {
        let manifest = "[dependencies]\nused-one = \"1\"\nidle = \"1\"\n[lints]\nworkspace = true\n";
        let all = [source("x/src/lib.rs", "use used_one::Thing;\n")];
        let faults = manifest_faults(Path::new("x/Cargo.toml"), manifest, &all).unwrap();
        assert_eq!(faults, ["x/Cargo.toml: nothing uses `idle`"]);
    }
}
