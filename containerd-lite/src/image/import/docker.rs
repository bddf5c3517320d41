//! Archives of `docker save` before they were OCI layouts too: `manifest.json` names a configuration and layers by file. They have no
//! manifest and no digests; the manifest is written here, and what each layer must be stands in the configuration.

use crate::image::Digest;
use crate::image::Refused;
use crate::image::Store;
use crate::image::digest::Hashing;
use crate::image::gather::GatherError;
use crate::image::gather::Source;
use crate::image::gather::Top;
use crate::image::import::choose;
use crate::image::import::files::Files;
use crate::image::import::files::failed;
use crate::image::manifest;
use crate::image::manifest::Descriptor;
use crate::image::manifest::OCI_CONFIG;
use crate::image::manifest::OCI_LAYER;
use crate::image::manifest::OCI_MANIFEST;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::io::Read;

pub(super) struct DockerArchive<'a> {
    files: &'a Files,
    manifest: Vec<u8>,
    config: Vec<u8>,
    layers: BTreeMap<Digest, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl<'a> DockerArchive<'a> {
    pub(super) fn open(files: &'a Files, wanted: Option<&str>, store: &Store) -> Result<Self, GatherError> {
        let limits = &store.limits;
        let bytes = files.document("manifest.json", "manifest", limits.document)?;
        let rows: Vec<Row> =
            serde_json::from_slice(&bytes).map_err(|error| Refused::document("manifest", &error))?;
        let named = rows.into_iter().map(|row| (row.repo_tags.clone().unwrap_or_default(), row)).collect();
        let row: Row = choose(named, wanted)?;
        if row.layers.len() > limits.layers {
            return Err(Refused::Layers { found: row.layers.len(), limit: limits.layers }.into());
        }
        let config = files.document(&row.config, "configuration", limits.document)?;
        let mut layers = BTreeMap::new();
        let mut descriptors = Vec::new();
        for path in row.layers {
            let descriptor = hashed(files, &path)?;
            layers.insert(descriptor.digest, path);
            descriptors.push(descriptor);
        }
        let of_config = Descriptor {
            media_type: OCI_CONFIG.to_owned(),
            digest: Digest::of(&config),
            size: config.len() as u64,
        };
        let manifest = manifest::write(&of_config, &descriptors);
        Ok(Self { files, manifest, config, layers })
    }
}

fn hashed(files: &Files, path: &str) -> Result<Descriptor, GatherError> {
    let mut reader = Hashing::new(files.reader(path, 0)?.1);
    io::copy(&mut reader, &mut io::sink()).map_err(|source| failed(path, source))?;
    let size = reader.hasher.length();
    Ok(Descriptor { media_type: OCI_LAYER.to_owned(), digest: reader.hasher.finish(), size })
}

impl Source for DockerArchive<'_> {
    fn top(&self) -> Result<Top, GatherError> {
        Ok(Top { bytes: self.manifest.clone(), media_type: Some(OCI_MANIFEST.to_owned()) })
    }

    fn document(&self, _what: &str, _wanted: &Descriptor) -> Result<Vec<u8>, GatherError> {
        Ok(self.config.clone())
    }

    fn layer(&self, wanted: &Descriptor, from: u64) -> Result<(u64, Box<dyn Read + Send + '_>), GatherError> {
        let path = self.layers.get(&wanted.digest).ok_or_else(|| Refused::archive("a layer is missing"))?;
        Ok((from, self.files.reader(path, from)?.1))
    }

    fn patience(&self) -> u32 {
        0
    }
}
