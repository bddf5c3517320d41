//! Imports images from files: OCI layouts (a folder, or an archive of one), and archives of `docker save`.

mod docker;
mod files;
mod layout;

use crate::image::Reference;
use crate::image::Refused;
use crate::image::Store;
use crate::image::gather::GatherError;
use crate::image::gather::Watch;
use crate::image::gather::gather;
use crate::image::refused::clip;
use crate::image::store::Record;
use docker::DockerArchive;
use files::Files;
use layout::Layout;
use std::fs::File;

/// Imports the image of a file into the store, under a name.
///
/// The file is an archive (not compressed as a whole), or a folder that was opened. With several images in it, `wanted` says which
/// one: the name that it has there.
///
/// # Errors
/// When the file is none of the known formats, has no such image, or the image is refused; the store is as it was then.
pub fn import(
    store: &Store,
    file: File,
    wanted: Option<&str>,
    name: &Reference,
    watch: Watch<'_>,
) -> Result<Record, GatherError> {
    let files = Files::open(file, &store.limits)?;
    if files.has("oci-layout") && files.has("index.json") {
        return gather(store, name, &Layout::open(&files, wanted, store)?, watch);
    }
    if files.has("manifest.json") {
        return gather(store, name, &DockerArchive::open(&files, wanted, store)?, watch);
    }
    Err(Refused::Format.into())
}

/// The one that is wanted; without a wish the only one there is.
fn choose<T>(images: Vec<(Vec<String>, T)>, wanted: Option<&str>) -> Result<T, Refused> {
    let names: Vec<String> = images.iter().flat_map(|(names, _)| names).map(|name| clip(name)).collect();
    let suits = |names: &[String]| wanted.is_none_or(|wanted| names.iter().any(|name| name == wanted));
    let mut suiting = images.into_iter().filter(|(names, _)| suits(names));
    match (suiting.next(), suiting.next()) {
        (Some((_, image)), None) => Ok(image),
        _ => Err(Refused::NoSuchImage {
            found: if names.is_empty() { "no name".to_owned() } else { clip(&names.join(", ")) },
        }),
    }
}
