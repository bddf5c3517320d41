//! `hearth.img.bmap`: which blocks of the image have to be written to a disk (`flash::used`).

use super::BuildError;
use super::at;
use flash::used;
use std::fs::File;
use std::path::Path;

/// Writes the map of `image` to `map`.
pub(super) fn write(image: &Path, map: &Path) -> Result<(), BuildError> {
    let mut file = File::open(image).map_err(at(image))?;
    let size = file.metadata().map_err(at(image))?.len();
    let made = used::block_map(&mut file, size)
        .map_err(|source| BuildError::BlockMap { path: image.to_owned(), source })?;
    super::write(map, made.encode().as_bytes())
}
