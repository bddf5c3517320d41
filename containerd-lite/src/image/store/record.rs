//! What the store knows of an image.

use crate::image::Digest;
use crate::image::Reference;
use serde::Deserialize;
use serde::Serialize;

/// The kind of the document, and the version that is written.
const VERSION: u32 = 1;

/// An image in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: Version,
    /// Its name.
    pub name: Reference,
    /// What the name led to in its registry: the digest to pull the same image by again.
    pub resolved: Digest,
    /// The manifest for this board.
    pub manifest: Digest,
    /// The configuration.
    pub config: Digest,
    /// The layers, by diff id, the lowest first.
    pub layers: Vec<Digest>,
    /// Bytes of the layers as they were sent.
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct Version;

impl TryFrom<u32> for Version {
    type Error = &'static str;

    fn try_from(version: u32) -> Result<Self, Self::Error> {
        if version == VERSION { Ok(Self) } else { Err("a version that is not known") }
    }
}

impl From<Version> for u32 {
    fn from(Version: Version) -> Self {
        VERSION
    }
}

/// The digests of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) resolved: Digest,
    pub(crate) manifest: Digest,
    pub(crate) config: Digest,
}

impl Record {
    pub(crate) fn new(name: Reference, named: Named, layers: Vec<Digest>, bytes: u64) -> Self {
        let Named { resolved, manifest, config } = named;
        Self { version: Version, name, resolved, manifest, config, layers, bytes }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
