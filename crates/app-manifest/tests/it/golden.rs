//! Files and what becomes of them. `HEARTH_BLESS=1` writes what is expected anew; the difference is for a reviewer.

use app_manifest::ComposeError;
use app_manifest::Import;
use app_manifest::Manifest;
use app_manifest::asks;
use app_manifest::import_compose;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn inputs(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = crate_folder().join("tests/data").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Compares with a file, or writes it.
fn hold(path: &Path, is: &str) {
    if std::env::var_os("HEARTH_BLESS").is_some() {
        fs::write(path, is).unwrap();
    }
    let wanted = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(is, wanted, "{}: see HEARTH_BLESS", path.display());
}

fn shown(manifest: &Manifest) -> String {
    let mut text = String::new();
    for ask in asks(manifest) {
        let reason = ask.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        writeln!(text, "{:?}: {}{reason}", ask.weight, ask.words).unwrap();
    }
    text
}

/// With its keys in order, whichever map serde_json was built with.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> =
                map.iter().map(|(key, value)| (key.clone(), in_order(value))).collect();
            sorted.into_iter().collect()
        }
        Value::Array(list) => list.iter().map(in_order).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let path = crate_folder().join("../../docs/spec/hearth.schema.json");
    let text = serde_json::to_string_pretty(&in_order(&app_manifest::schema())).unwrap() + "\n";
    if std::env::var_os("HEARTH_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let published: Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap_or_default()).unwrap_or_default();
    assert_eq!(published, app_manifest::schema(), "docs/spec/hearth.schema.json: see HEARTH_BLESS");
}

/// A keyword that the comparison does not know would be a promise that nobody keeps.
#[test]
fn the_schema_has_only_what_documents_are_compared_with() {
    const KNOWN: [&str; 25] = [
        "$defs",
        "$ref",
        "$schema",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "oneOf",
        "pattern",
        "properties",
        "propertyNames",
        "required",
        "title",
    ];
    fn walk(schema: &Value, found: &mut BTreeSet<String>) {
        for (key, value) in schema.as_object().into_iter().flatten() {
            found.insert(key.clone());
            match key.as_str() {
                "properties" | "$defs" => {
                    value.as_object().into_iter().flatten().for_each(|(_, value)| walk(value, found));
                }
                "anyOf" | "oneOf" => {
                    value.as_array().into_iter().flatten().for_each(|value| walk(value, found));
                }
                "items" | "additionalProperties" | "propertyNames" => walk(value, found),
                _ => {}
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&app_manifest::schema(), &mut found);
    let known: BTreeSet<_> = KNOWN.into_iter().chain(["type", "uniqueItems"]).collect();
    let unknown: Vec<_> = found.iter().filter(|key| !known.contains(key.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn good_manifests_are_read_written_and_asked_about() {
    for path in inputs("manifest/good", "json") {
        let manifest =
            Manifest::read(&fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let written = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::read(&written), Ok(manifest.clone()), "{}", path.display());
        hold(&path.with_extension("asks"), &shown(&manifest));
    }
}

#[test]
fn bad_manifests_are_refused_with_all_their_mistakes() {
    for path in inputs("manifest/bad", "json") {
        let mistakes = Manifest::read(&fs::read(&path).unwrap()).unwrap_err();
        let lines: Vec<_> = mistakes.0.iter().map(|mistake| format!("{mistake}\n")).collect();
        hold(&path.with_extension("mistakes"), &lines.concat());
    }
}

fn import() -> Import {
    Import {
        title: "Imported".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        variables: BTreeMap::from([("APP_PASSWORD".to_owned(), "a-secret".to_owned())]),
    }
}

#[test]
fn good_compose_files_become_manifests() {
    for path in inputs("compose/good", "yml") {
        let imported = import_compose(&fs::read(&path).unwrap(), &import());
        let imported = imported.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let written = serde_json::to_value(&imported.manifest).unwrap();
        let text = serde_json::to_string_pretty(&in_order(&written)).unwrap() + "\n";
        assert_eq!(Manifest::read(text.as_bytes()), Ok(imported.manifest.clone()), "{}", path.display());
        hold(&path.with_extension("json"), &text);
        let notes: Vec<_> = imported.notes.iter().map(|note| format!("{note}\n")).collect();
        hold(&path.with_extension("notes"), &notes.concat());
    }
}

#[test]
fn bad_compose_files_are_refused_with_all_their_reasons() {
    for path in inputs("compose/bad", "yml") {
        let error = import_compose(&fs::read(&path).unwrap(), &import()).unwrap_err();
        let text = match error {
            ComposeError::Refused(remarks) => remarks.iter().map(|remark| format!("{remark}\n")).collect(),
            other @ (ComposeError::TooLarge(_) | ComposeError::NoText | ComposeError::Yaml { .. }) => {
                format!("{other}\n")
            }
        };
        hold(&path.with_extension("refusal"), &text);
    }
}
