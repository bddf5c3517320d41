//! What makers of apps write.

use super::ignore;
use super::text;
use crate::Target;
use app_manifest::Import;
use app_manifest::Manifest;
use model::apps::AppId;
use std::collections::BTreeMap;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "app-manifest",
        source: "makers of apps",
        longest: 8192,
        run: |bytes| {
            if let Ok(manifest) = Manifest::read(bytes) {
                uses(&manifest);
            }
        },
    },
    Target {
        name: "compose",
        source: "makers of apps, and whoever copies their docker-compose.yml",
        longest: 8192,
        run: |bytes| {
            let (Ok(title), Ok(version)) = ("App".parse(), "1.0.0".parse()) else { return };
            let import = Import { title, version, variables: BTreeMap::new() };
            if let Ok(imported) = app_manifest::import_compose(bytes, &import) {
                uses(&imported.manifest);
            }
        },
    },
    Target {
        name: "app-id",
        source: "people, by way of the console and hearthctl",
        longest: 128,
        run: |bytes| ignore(text(bytes).map(str::parse::<AppId>)),
    },
];

/// What is taken is written and read the same, asks nothing new of itself, and is a policy.
fn uses(manifest: &Manifest) {
    let written = serde_json::to_vec(manifest).unwrap_or_default();
    assert!(Manifest::read(&written).is_ok_and(|again| again == *manifest), "a manifest is read otherwise");
    assert!(!app_manifest::asks(manifest).is_empty(), "an app asks for no memory");
    assert!(app_manifest::added_by(manifest, manifest).is_empty(), "a manifest asks more than itself");
    ignore(app_manifest::access(manifest, |id| id.as_str().parse().ok()));
}
