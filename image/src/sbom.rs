//! The bill of materials, as SPDX 2.3 in JSON: the distribution's packages and the Rust crates of our programs.
//!
//! The document is derived from the inputs only: its name space holds their digest, its time is the epoch.

pub mod crates;

use crate::digest::Sha256;
use crate::manifest::Manifest;
use crate::parts::Package;
use crate::tool::ToolError;
use crates::Crate;
use serde::Serialize;
use std::path::Path;

/// Our programs: what they are made from is in the image.
const PROGRAMS: [&str; 6] = ["containerd-lite", "hostd", "init", "installer", "netd", "storaged"];

/// A document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<SpdxPackage>,
    relationships: Vec<Relationship>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct CreationInfo {
    created: &'static str,
    creators: [&'static str; 1],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    version_info: String,
    download_location: &'static str,
    files_analyzed: bool,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: &'static str,
    relationship_type: &'static str,
    related_spdx_element: String,
}

/// The bill of materials cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// cargo failed.
    #[error("cannot list the Rust crates")]
    Cargo(#[source] ToolError),
    /// cargo said something unexpected.
    #[error("cannot understand cargo's list of crates")]
    Metadata(#[source] serde_json::Error),
    /// Cargo.lock cannot be understood.
    #[error("cannot understand Cargo.lock")]
    Lock(#[source] toml::de::Error),
    /// Cargo.lock cannot be read.
    #[error("cannot read Cargo.lock")]
    ReadLock(#[source] std::io::Error),
    /// A program of ours is not in the workspace.
    #[error("the workspace has no crate {0}")]
    NoProgram(String),
}

/// Makes the document for the workspace in `repo` and the packages.
pub(crate) fn document(
    repo: &Path,
    version: &str,
    manifest: &Manifest,
    packages: &[Package],
) -> Result<Document, SbomError> {
    let crates = crates::of_programs(repo, &PROGRAMS, manifest.board.arch)?;
    Ok(assemble(version, &manifest.board.name, packages, &crates))
}

fn assemble(version: &str, board: &str, packages: &[Package], crates: &[Crate]) -> Document {
    let mut all = vec![image(version, board)];
    all.extend(
        packages.iter().map(|part| if part.is_from_buildroot() { from_source(part) } else { debian(part) }),
    );
    all.extend(crates.iter().map(rust));
    let digest = Sha256::of(format!("{version} {board} {packages:?} {crates:?}").as_bytes());
    let image = all.first().map(|package| package.id.clone()).unwrap_or_default();
    let mut relationships = vec![Relationship {
        spdx_element_id: "SPDXRef-DOCUMENT",
        relationship_type: "DESCRIBES",
        related_spdx_element: image,
    }];
    relationships.extend(all.iter().skip(1).map(|package| Relationship {
        spdx_element_id: "SPDXRef-image",
        relationship_type: "CONTAINS",
        related_spdx_element: package.id.clone(),
    }));
    Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: "SPDXRef-DOCUMENT",
        name: format!("hearth-{board}-{version}"),
        document_namespace: format!("urn:hearth:sbom:{digest}"),
        creation_info: CreationInfo {
            created: "1970-01-01T00:00:00Z",
            creators: [concat!("Tool: hearth-image-", env!("CARGO_PKG_VERSION"))],
        },
        packages: all,
        relationships,
    }
}

fn image(version: &str, board: &str) -> SpdxPackage {
    SpdxPackage {
        id: "SPDXRef-image".to_owned(),
        license_declared: "NOASSERTION".to_owned(),
        ..package(&format!("hearth-{board}"), version)
    }
}

fn debian(part: &Package) -> SpdxPackage {
    SpdxPackage {
        id: format!("SPDXRef-deb-{}", id_text(&format!("{}-{}", part.package, part.version))),
        // The distribution states licences per file, in each source package's copyright file, not per package.
        license_declared: "NOASSERTION".to_owned(),
        source_info: Some(format!("built from the Debian source package {}", part.source)),
        checksums: vec![sha256(part.sha256.to_string())],
        external_refs: vec![purl(format!(
            "pkg:deb/debian/{}@{}?arch={}",
            part.package,
            purl_text(&part.version),
            part.architecture
        ))],
        ..package(&part.package, &part.version)
    }
}

/// Compiled by Buildroot. Its statements of licences are near SPDX, but no SPDX expressions.
fn from_source(part: &Package) -> SpdxPackage {
    SpdxPackage {
        id: format!("SPDXRef-buildroot-{}", id_text(&format!("{}-{}", part.package, part.version))),
        license_declared: "NOASSERTION".to_owned(),
        source_info: Some(format!("built from source by Buildroot: {}", part.source)),
        checksums: vec![sha256(part.sha256.to_string())],
        external_refs: vec![purl(format!("pkg:generic/{}@{}", part.package, purl_text(&part.version)))],
        ..package(&part.package, &part.version)
    }
}

fn rust(part: &Crate) -> SpdxPackage {
    SpdxPackage {
        id: format!("SPDXRef-crate-{}", id_text(&format!("{}-{}", part.name, part.version))),
        license_declared: part.license.clone().unwrap_or_else(|| "NOASSERTION".to_owned()),
        checksums: part.checksum.iter().cloned().map(sha256).collect(),
        external_refs: vec![purl(format!("pkg:cargo/{}@{}", part.name, purl_text(&part.version)))],
        ..package(&part.name, &part.version)
    }
}

fn package(name: &str, version: &str) -> SpdxPackage {
    SpdxPackage {
        id: String::new(),
        name: name.to_owned(),
        version_info: version.to_owned(),
        download_location: "NOASSERTION",
        files_analyzed: false,
        license_concluded: "NOASSERTION",
        license_declared: String::new(),
        copyright_text: "NOASSERTION",
        source_info: None,
        checksums: Vec::new(),
        external_refs: Vec::new(),
    }
}

fn sha256(digest: String) -> Checksum {
    Checksum { algorithm: "SHA256", checksum_value: digest }
}

fn purl(locator: String) -> ExternalRef {
    ExternalRef { reference_category: "PACKAGE-MANAGER", reference_type: "purl", reference_locator: locator }
}

/// Identifiers have letters, digits, dots and dashes only (SPDX 2.3, 3.2); others are written so that two names stay two.
fn id_text(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                c.to_string()
            } else {
                format!(".{:x}.", u32::from(c))
            }
        })
        .collect()
}

/// Percent-encoding of a package URL's version.
fn purl_text(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~') {
                c.to_string()
            } else {
                format!("%{:02X}", u32::from(c))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn part(name: &str, version: &str) -> Package {
        Package {
            package: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
            source: format!("{name} ({version})"),
            file: format!("{name}.deb"),
            size: 1,
            sha256: Sha256::of(name.as_bytes()),
        }
    }

    #[test]
    fn every_part_is_contained_once_under_its_own_identifier() {
        let packages = [part("libc6", "2.41-12+deb13u4"), part("zlib1g", "1:1.3.dfsg+really1.3.1-1")];
        let crates = [Crate {
            name: "serde".to_owned(),
            version: "1.0.0".to_owned(),
            license: Some("MIT".to_owned()),
            checksum: None,
        }];
        let document = assemble("0.1.0", "x86_64", &packages, &crates);
        let ids: BTreeSet<&str> = document.packages.iter().map(|package| package.id.as_str()).collect();
        assert_eq!(ids.len(), 4);
        let contained = document.relationships.iter().filter(|r| r.relationship_type == "CONTAINS").count();
        assert_eq!(contained, 3);
        assert!(ids.iter().all(|id| id.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')));
        let json = serde_json::to_value(&document).unwrap();
        assert_eq!(
            json["packages"][2]["externalRefs"][0]["referenceLocator"],
            "pkg:deb/debian/zlib1g@1%3A1.3.dfsg%2Breally1.3.1-1?arch=amd64"
        );
        assert_eq!(json["packages"][3]["licenseDeclared"], "MIT");
        assert_eq!(json["SPDXID"], "SPDXRef-DOCUMENT");
        assert_eq!(document, assemble("0.1.0", "x86_64", &packages, &crates));
    }
}
