//! OCI layouts (OCI image specification, `image-layout.md`): `index.json` and `blobs/`.

use crate::image::Digest;
use crate::image::Refused;
use crate::image::Store;
use crate::image::gather::GatherError;
use crate::image::gather::Source;
use crate::image::gather::Top;
use crate::image::import::choose;
use crate::image::import::files::Files;
use crate::image::manifest;
use crate::image::manifest::Descriptor;
use crate::image::manifest::Document;
use std::collections::BTreeMap;
use std::io::Read;

pub(super) struct Layout<'a> {
    files: &'a Files,
    top: Descriptor,
}

impl<'a> Layout<'a> {
    pub(super) fn open(files: &'a Files, wanted: Option<&str>, store: &Store) -> Result<Self, GatherError> {
        let bytes = files.document("index.json", "manifest", store.limits.document)?;
        let Document::Index(index) = manifest::parse(&bytes, None, &store.limits)? else {
            return Err(Refused::document("manifest", &"the index of the layout is none").into());
        };
        // The same name may stand there for several platforms.
        let suits = |entry: &manifest::IndexEntry| {
            entry.platform.as_ref().is_none_or(|platform| store.board.runs(platform))
        };
        if wanted.is_none() && !index.entries.is_empty() && !index.entries.iter().any(suits) {
            index.choose(&store.board)?;
        }
        // An image with two names stands there twice.
        let mut images: BTreeMap<Digest, (Vec<String>, Descriptor)> = BTreeMap::new();
        for entry in index.entries.into_iter().filter(suits) {
            let (names, _) =
                images.entry(entry.descriptor.digest).or_insert_with(|| (Vec::new(), entry.descriptor));
            names.extend(entry.names);
        }
        Ok(Self { files, top: choose(images.into_values().collect(), wanted)? })
    }
}

impl Source for Layout<'_> {
    fn top(&self) -> Result<Top, GatherError> {
        let bytes = self.document("manifest", &self.top)?;
        let (expected, found) = (self.top.digest, Digest::of(&bytes));
        if expected != found {
            return Err(Refused::Digest { what: "the manifest".to_owned(), expected, found }.into());
        }
        Ok(Top { bytes, media_type: Some(self.top.media_type.clone()) })
    }

    fn document(&self, what: &str, wanted: &Descriptor) -> Result<Vec<u8>, GatherError> {
        self.files.document(&path(wanted), what, wanted.size)
    }

    fn layer(&self, wanted: &Descriptor, from: u64) -> Result<(u64, Box<dyn Read + Send + '_>), GatherError> {
        let (length, reader) = self.files.reader(&path(wanted), from)?;
        if length != wanted.size {
            return Err(
                Refused::Length { what: "a layer".to_owned(), expected: wanted.size, found: length }.into()
            );
        }
        Ok((from, reader))
    }

    fn patience(&self) -> u32 {
        0
    }
}

fn path(wanted: &Descriptor) -> String {
    format!("blobs/sha256/{}", wanted.digest.hex())
}
