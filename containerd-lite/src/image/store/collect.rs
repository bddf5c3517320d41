//! Takes away what no image names.

use crate::image::Digest;
use crate::image::store::Place;
use crate::image::store::Store;
use crate::image::store::StoreError;
use std::collections::BTreeSet;
use std::ffi::OsString;

/// How much was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Unpacked layers.
    pub layers: usize,
    /// Documents.
    pub documents: usize,
    /// Layers on their way.
    pub parts: usize,
}

impl Store {
    /// Takes away layers and documents that no image names, and layers on their way. An app's layers must be named by an image as long
    /// as it is mounted.
    ///
    /// # Errors
    /// When a record cannot be read, before anything is taken away, or when the disk does not allow it.
    pub fn collect(&self) -> Result<Collected, StoreError> {
        self.collect_but(&BTreeSet::new())
    }

    /// The same, but for these layers: an app may still run on them though its image has changed.
    ///
    /// # Errors
    /// As [`Self::collect`].
    pub fn collect_but(&self, in_use: &BTreeSet<Digest>) -> Result<Collected, StoreError> {
        let _changing = self.change();
        let (mut documents, mut layers) = (BTreeSet::new(), BTreeSet::new());
        layers.extend(in_use.iter().map(|diff_id| OsString::from(diff_id.hex())));
        for image in self.images()? {
            documents.extend([image.manifest, image.config].map(|digest| OsString::from(digest.hex())));
            layers.extend(image.layers.iter().map(|diff_id| OsString::from(diff_id.hex())));
        }
        Ok(Collected {
            layers: self.take_away(Place::Layers, &layers)?,
            documents: self.take_away(Place::Blobs, &documents)?,
            parts: self.take_away(Place::Ingest, &BTreeSet::new())?,
        })
    }

    /// A layer goes in one step: what is half removed would be taken for whole by the next image that has it.
    fn take_away(&self, place: Place, named: &BTreeSet<OsString>) -> Result<usize, StoreError> {
        let mut taken = 0;
        for name in self.list(place)?.into_iter().filter(|name| !named.contains(name)) {
            let aside = self.folder(Place::Staging).join(&name);
            self.disk.remove_all(&aside)?;
            self.disk.rename(&self.folder(place).join(&name), &aside)?;
            self.disk.sync_folder(&self.folder(place))?;
            self.disk.remove_all(&aside)?;
            taken += 1;
        }
        Ok(taken)
    }
}
