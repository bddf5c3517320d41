//! Manifests, indexes and configurations, of OCI and of Docker (schema 2): pure decoders of bounded documents.
//!
//! Sources: OCI image specification 1.1 (`manifest.md`, `image-index.md`, `config.md`), Docker's image manifest V2 schema 2.
//! A document that could be read as a manifest and as an index is refused: two programs would see two images (CVE-2021-41190).

use crate::image::Digest;
use crate::image::Limits;
use crate::image::Platform;
use crate::image::Refused;
use crate::image::refused::clip;
use serde::Deserialize;
use serde::Serialize;

/// What is asked for, the best first; also what is understood.
pub const ACCEPTED: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A manifest of OCI.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A configuration of OCI.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer without compression.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Annotations that name an image in a layout.
const NAMES: [&str; 2] = ["org.opencontainers.image.ref.name", "io.containerd.image.name"];
const SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/// What lies under the name of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// The same image for several platforms.
    Index(Index),
}

/// Some content: its kind, name and length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its media type.
    pub media_type: String,
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// One image: its configuration and its layers, the lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The configuration.
    pub config: Descriptor,
    /// The layers.
    pub layers: Vec<Descriptor>,
}

/// Manifests for several platforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Each with what it is for, and the name it has in a layout.
    pub entries: Vec<IndexEntry>,
}

/// A row of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The manifest, or a further index.
    pub descriptor: Descriptor,
    /// What it is for; in a layout there may be no word of it.
    pub platform: Option<Platform>,
    /// The names that it has in a layout: the specification's, and the whole one that `docker save` writes beside it.
    pub names: Vec<String>,
}

/// The parts of a configuration that the store needs; the rest is for whoever runs the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What it is for.
    pub platform: Platform,
    /// The digests of the layers, unpacked, the lowest first.
    pub diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDocument {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<WireDescriptor>,
    layers: Option<Vec<WireDescriptor>>,
    manifests: Option<Vec<WireDescriptor>>,
    // Docker's schema 1.
    fs_layers: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDescriptor {
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct WireConfig {
    #[serde(flatten)]
    platform: Platform,
    rootfs: WireRootfs,
}

#[derive(Deserialize)]
struct WireRootfs {
    diff_ids: Vec<String>,
}

/// Reads what a registry or a layout has under a name.
///
/// # Errors
/// When it is too long, of an old or unknown kind, or does not hold together.
pub fn parse(bytes: &[u8], announced: Option<&str>, limits: &Limits) -> Result<Document, Refused> {
    bounded("manifest", bytes, limits)?;
    let announced = announced.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if announced.is_some_and(|kind| SCHEMA_1.contains(&kind)) {
        return Err(Refused::Schema1);
    }
    let wire: WireDocument =
        serde_json::from_slice(bytes).map_err(|error| Refused::document("manifest", &error))?;
    if wire.schema_version == Some(1) || wire.fs_layers.is_some() {
        return Err(Refused::Schema1);
    }
    if wire.schema_version != Some(2) {
        return Err(Refused::document("manifest", &"its schemaVersion is not 2"));
    }
    // Registries that know nothing better announce plain JSON.
    let announced = announced.filter(|kind| ACCEPTED.contains(kind));
    if let (Some(announced), Some(written)) = (announced, &wire.media_type)
        && announced != written
    {
        return Err(Refused::document("manifest", &"it says another kind than the registry says"));
    }
    let kind = wire.media_type.as_deref().or(announced);
    if let Some(kind) = kind.filter(|kind| !ACCEPTED.contains(kind)) {
        return Err(Refused::MediaType { kind: clip(kind) });
    }
    let says_index = kind.map(|kind| kind == OCI_INDEX || kind == DOCKER_LIST);
    match (wire.manifests, wire.config, wire.layers) {
        (Some(manifests), None, None) if says_index != Some(false) => {
            index(manifests, limits).map(Document::Index)
        }
        (None, Some(config), Some(layers)) if says_index != Some(true) => {
            manifest(config, layers, limits).map(Document::Manifest)
        }
        _ => Err(Refused::document("manifest", &"it is neither one image nor a list of them")),
    }
}

/// Reads a configuration.
///
/// # Errors
/// When it is too long or does not hold together.
pub fn parse_config(bytes: &[u8], limits: &Limits) -> Result<Config, Refused> {
    bounded("configuration", bytes, limits)?;
    let wire: WireConfig =
        serde_json::from_slice(bytes).map_err(|error| Refused::document("configuration", &error))?;
    let diff_ids = wire.rootfs.diff_ids.iter();
    Ok(Config {
        platform: wire.platform,
        diff_ids: diff_ids
            .map(|text| text.parse().map_err(|why| Refused::digest_kind("a layer", why)))
            .collect::<Result<_, _>>()?,
    })
}

impl Index {
    /// The manifest for a board.
    ///
    /// # Errors
    /// When there is none: then it says what there is.
    pub fn choose(&self, board: &Platform) -> Result<&Descriptor, Refused> {
        let suits =
            |entry: &&IndexEntry| entry.platform.as_ref().is_some_and(|platform| board.runs(platform));
        if let Some(entry) = self.entries.iter().find(suits) {
            return Ok(&entry.descriptor);
        }
        let found: Vec<String> = self
            .entries
            .iter()
            .filter_map(|entry| entry.platform.as_ref())
            .map(Platform::to_string)
            .collect();
        let found = if found.is_empty() { "no platform by name".to_owned() } else { clip(&found.join(", ")) };
        Err(Refused::Platform { wanted: board.to_string(), found })
    }
}

impl Config {
    /// Checks that a board can run this and that it belongs to the manifest.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, manifest: &Manifest, board: &Platform) -> Result<(), Refused> {
        if !board.runs(&self.platform) {
            let found = clip(&self.platform.to_string());
            return Err(Refused::Platform { wanted: board.to_string(), found });
        }
        let (layers, diffs) = (manifest.layers.len(), self.diff_ids.len());
        if layers != diffs {
            return Err(Refused::LayerCount { manifest: layers, config: diffs });
        }
        Ok(())
    }
}

/// The manifest of an image that came without one, as an archive of `docker save` does.
#[must_use]
pub fn write(config: &Descriptor, layers: &[Descriptor]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Written<'a> {
        media_type: &'a str,
        digest: Digest,
        size: u64,
    }
    let written = |from: &'_ Descriptor| {
        serde_json::json!(Written { media_type: &from.media_type, digest: from.digest, size: from.size })
    };
    let layers: Vec<_> = layers.iter().map(written).collect();
    serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": written(config), "layers": layers })
        .to_string()
        .into_bytes()
}

fn bounded(what: &str, bytes: &[u8], limits: &Limits) -> Result<(), Refused> {
    if bytes.len() as u64 > limits.document {
        return Err(Refused::DocumentSize { what: what.to_owned(), limit: limits.document });
    }
    Ok(())
}

fn index(manifests: Vec<WireDescriptor>, limits: &Limits) -> Result<Index, Refused> {
    let mut entries = Vec::new();
    for wire in manifests {
        let names = NAMES.iter().filter_map(|key| wire.annotations.get(*key).cloned()).collect();
        let platform = wire.platform.clone();
        entries.push(IndexEntry { descriptor: document("manifest", wire, limits)?, platform, names });
    }
    Ok(Index { entries })
}

fn manifest(
    config: WireDescriptor,
    layers: Vec<WireDescriptor>,
    limits: &Limits,
) -> Result<Manifest, Refused> {
    if ![OCI_CONFIG, DOCKER_CONFIG].contains(&config.media_type.as_str()) {
        // Charts, signatures and the like lie in registries too.
        return Err(Refused::MediaType { kind: clip(&config.media_type) });
    }
    if layers.len() > limits.layers {
        return Err(Refused::Layers { found: layers.len(), limit: limits.layers });
    }
    let config = document("configuration", config, limits)?;
    let layers = layers.into_iter().map(layer).collect::<Result<Vec<_>, _>>()?;
    let total = layers.iter().fold(0_u64, |total, layer| total.saturating_add(layer.size));
    if total > limits.image_bytes {
        return Err(Refused::ImageSize { found: total, limit: limits.image_bytes });
    }
    Ok(Manifest { config, layers })
}

fn document(what: &str, wire: WireDescriptor, limits: &Limits) -> Result<Descriptor, Refused> {
    if wire.size > limits.document {
        return Err(Refused::DocumentSize { what: what.to_owned(), limit: limits.document });
    }
    descriptor(what, wire)
}

fn layer(wire: WireDescriptor) -> Result<Descriptor, Refused> {
    let kind = wire.media_type.as_str();
    let plain = kind
        .strip_suffix("+gzip")
        .or_else(|| kind.strip_suffix("+zstd"))
        .or_else(|| kind.strip_suffix(".gzip"))
        .or_else(|| kind.strip_suffix(".zstd"));
    // A layer "with urls" is not in the registry; encrypted ones have a suffix of their own.
    if ![OCI_LAYER, DOCKER_LAYER].contains(&plain.unwrap_or(kind)) || !wire.urls.is_empty() {
        return Err(Refused::LayerKind { kind: clip(kind) });
    }
    descriptor("layer", wire)
}

fn descriptor(what: &str, wire: WireDescriptor) -> Result<Descriptor, Refused> {
    let digest = wire.digest.parse().map_err(|why| Refused::digest_kind(what, why))?;
    Ok(Descriptor { media_type: wire.media_type, digest, size: wire.size })
}

#[cfg(test)]
mod tests;
