//! Gets an image into the store, wherever it comes from.
//!
//! Order of steps: what the name leads to → the manifest for this board → configuration → layers that are not there (several at
//! a time) → each unpacked beside the store → all made part of it, the record last. Whatever is refused leaves nothing; what broke
//! off leaves the layers on their way, to go on from.

mod fetch;

use crate::image::Digest;
use crate::image::Reference;
use crate::image::Refused;
use crate::image::Store;
use crate::image::manifest;
use crate::image::manifest::Config;
use crate::image::manifest::Descriptor;
use crate::image::manifest::Document;
use crate::image::manifest::Manifest;
use crate::image::pull::RegistryError;
use crate::image::store::Place;
use crate::image::store::Record;
use crate::image::store::StoreError;
use crate::image::store::record::Named;
use crate::image::unpack::Order;
use crate::image::unpack::UnpackError;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::io::Read;
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;

/// Indexes that lead to each other: a layout's own, and an image's.
const MAX_INDEXES: usize = 3;

/// What happens on the way, for whoever waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The image was found.
    Found {
        /// Its layers.
        layers: usize,
        /// Bytes of layers that have to be fetched.
        bytes: u64,
    },
    /// More of a layer is there.
    Fetched {
        /// The layer, as it is sent.
        layer: Digest,
        /// Bytes that are there.
        bytes: u64,
        /// Bytes that it has.
        of: u64,
    },
    /// A layer is about to be unpacked.
    Unpacking {
        /// The layer, as it is sent.
        layer: Digest,
    },
}

/// Told what happens; says whether to go on.
pub type Watch<'a> = &'a (dyn Fn(&Event) -> ControlFlow<()> + Sync);

/// Why an image is not in the store now.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// For a reason in the image.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The registry cannot be asked, or says no.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The registry stopped in the middle. What is there is kept, to go on from.
    #[error("the registry stopped sending {layer} after {bytes} of {of} bytes")]
    Stalled {
        /// The layer.
        layer: Digest,
        /// Bytes that are there.
        bytes: u64,
        /// Bytes that it has.
        of: u64,
    },
    /// The connection broke off again and again. What is there is kept, to go on from.
    #[error("the registry broke off {layer} after {bytes} of {of} bytes")]
    BrokeOff {
        /// The layer.
        layer: Digest,
        /// Bytes that are there.
        bytes: u64,
        /// Bytes that it has.
        of: u64,
        /// The last error.
        #[source]
        source: io::Error,
    },
    /// The file to import cannot be read.
    #[error("read {what}")]
    File {
        /// What.
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A layer cannot be unpacked, for a reason in this box.
    #[error(transparent)]
    Unpack(UnpackError),
    /// The store cannot take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever waited does not any more.
    #[error("it was called off")]
    CalledOff,
}

impl From<UnpackError> for GatherError {
    fn from(error: UnpackError) -> Self {
        if let UnpackError::Refused(refused) = error { Self::Refused(refused) } else { Self::Unpack(error) }
    }
}

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// The document.
    pub bytes: Vec<u8>,
    /// Its kind, as announced.
    pub media_type: Option<String>,
}

/// Where an image comes from. Nothing that it returns is believed.
pub trait Source: Sync {
    /// What the image's name leads to.
    ///
    /// # Errors
    /// When it cannot be had.
    fn top(&self) -> Result<Top, GatherError>;

    /// A manifest or configuration, of which no more is read than the descriptor says.
    ///
    /// # Errors
    /// When it cannot be had.
    fn document(&self, what: &str, wanted: &Descriptor) -> Result<Vec<u8>, GatherError>;

    /// The bytes of a layer from a place on, or from the beginning when that cannot be: with where they begin.
    ///
    /// # Errors
    /// When they cannot be had.
    fn layer(&self, wanted: &Descriptor, from: u64) -> Result<(u64, Box<dyn Read + Send + '_>), GatherError>;

    /// How often a layer that broke off is asked for again without any more of it.
    fn patience(&self) -> u32;
}

struct Found {
    named: Named,
    manifest: Manifest,
    manifest_bytes: Vec<u8>,
    config: Config,
    config_bytes: Vec<u8>,
}

/// Gets an image into the store under a name.
///
/// # Errors
/// When it is refused or cannot be had; the store is as it was then.
pub fn gather(
    store: &Store,
    name: &Reference,
    source: &dyn Source,
    watch: Watch<'_>,
) -> Result<Record, GatherError> {
    let _changing = store.change();
    store.clear(Place::Staging)?;
    let found = find(store, name, source)?;
    // A layer may be several times in an image.
    let missing: BTreeMap<Digest, Descriptor> = found
        .config
        .diff_ids
        .iter()
        .zip(&found.manifest.layers)
        .filter(|(diff_id, _)| !store.has_layer(**diff_id))
        .map(|(diff_id, layer)| (*diff_id, layer.clone()))
        .collect();
    let bytes = missing.values().map(|layer| layer.size).sum();
    tell(watch, &Event::Found { layers: found.manifest.layers.len(), bytes })?;
    let kept = fetch::all(store, source, missing.values(), watch)
        .and_then(|()| keep(store, name, &found, &missing, watch));
    if matches!(kept, Ok(_) | Err(GatherError::Refused(_))) {
        for layer in missing.values() {
            store.disk.remove_all(&store.folder(Place::Ingest).join(layer.digest.hex()))?;
        }
    }
    if kept.is_err() {
        store.clear(Place::Staging)?;
    }
    kept
}

fn find(store: &Store, name: &Reference, source: &dyn Source) -> Result<Found, GatherError> {
    let top = source.top()?;
    let resolved = Digest::of(&top.bytes);
    if let Some(expected) = name.digest().filter(|expected| *expected != resolved) {
        return Err(Refused::Digest { what: "the manifest".to_owned(), expected, found: resolved }.into());
    }
    let (manifest_bytes, manifest) = choose(store, source, top)?;
    let config_bytes = document(source, "configuration", &manifest.config)?;
    let config = manifest::parse_config(&config_bytes, &store.limits)?;
    config.check(&manifest, &store.board)?;
    let named = Named { resolved, manifest: Digest::of(&manifest_bytes), config: manifest.config.digest };
    Ok(Found { named, manifest, manifest_bytes, config, config_bytes })
}

/// From an index to the manifest for this board.
fn choose(store: &Store, source: &dyn Source, top: Top) -> Result<(Vec<u8>, Manifest), GatherError> {
    let (mut bytes, mut announced) = (top.bytes, top.media_type);
    for _index in 0..MAX_INDEXES {
        let entry = match manifest::parse(&bytes, announced.as_deref(), &store.limits)? {
            Document::Manifest(manifest) => return Ok((bytes, manifest)),
            Document::Index(index) => index.choose(&store.board)?.clone(),
        };
        bytes = document(source, "manifest", &entry)?;
        announced = Some(entry.media_type);
    }
    Err(Refused::document("manifest", &"lists lead to lists").into())
}

fn document(source: &dyn Source, what: &str, wanted: &Descriptor) -> Result<Vec<u8>, GatherError> {
    let bytes = source.document(what, wanted)?;
    let length = bytes.len() as u64;
    if length != wanted.size {
        return Err(
            Refused::Length { what: format!("the {what}"), expected: wanted.size, found: length }.into()
        );
    }
    let found = Digest::of(&bytes);
    if found != wanted.digest {
        return Err(Refused::Digest { what: format!("the {what}"), expected: wanted.digest, found }.into());
    }
    Ok(bytes)
}

fn keep(
    store: &Store,
    name: &Reference,
    found: &Found,
    missing: &BTreeMap<Digest, Descriptor>,
    watch: Watch<'_>,
) -> Result<Record, GatherError> {
    for (diff_id, layer) in missing {
        tell(watch, &Event::Unpacking { layer: layer.digest })?;
        unpack(store, *diff_id, layer)?;
    }
    let bytes = found.manifest.layers.iter().map(|layer| layer.size).sum();
    let record = Record::new(name.clone(), found.named, found.config.diff_ids.clone(), bytes);
    let fresh: Vec<Digest> = missing.keys().copied().collect();
    let documents = [
        (found.named.manifest, found.manifest_bytes.as_slice()),
        (found.named.config, found.config_bytes.as_slice()),
    ];
    store.keep(&record, &fresh, &documents)?;
    Ok(record)
}

fn unpack(store: &Store, diff_id: Digest, layer: &Descriptor) -> Result<(), GatherError> {
    let into = store.folder(Place::Staging).join(diff_id.hex());
    store.disk.create_folder(&into)?;
    let order = Order {
        limits: store.limits.clone(),
        compressed: layer.size,
        diff_id,
        free: store.free()?,
        set_owners: false,
    };
    let open = |path: &std::path::Path| {
        File::open(path).map_err(|source| StoreError::Disk { doing: "open", path: path.to_owned(), source })
    };
    let bytes = open(&store.folder(Place::Ingest).join(layer.digest.hex()))?;
    // The root of an image is readable unless the layer says otherwise.
    fs::set_permissions(&into, Permissions::from_mode(0o755)).map_err(|source| StoreError::Disk {
        doing: "set the permissions of",
        path: into.clone(),
        source,
    })?;
    store.unpacker.unpack(bytes, open(&into)?.as_fd(), &order)?;
    store.disk.sync_tree(&into)?;
    Ok(())
}

pub(crate) fn tell(watch: Watch<'_>, event: &Event) -> Result<(), GatherError> {
    if watch(event).is_break() { Err(GatherError::CalledOff) } else { Ok(()) }
}
