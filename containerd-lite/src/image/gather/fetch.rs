//! Fetches layers: several at a time, each from where it broke off, none believed before its digest is known.

use crate::image::Digest;
use crate::image::Refused;
use crate::image::Store;
use crate::image::digest::Hasher;
use crate::image::gather::Event;
use crate::image::gather::GatherError;
use crate::image::gather::Source;
use crate::image::gather::Watch;
use crate::image::gather::tell;
use crate::image::manifest::Descriptor;
use crate::image::store::Place;
use crate::image::store::StoreError;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

/// Layers that are fetched at a time.
const AT_A_TIME: usize = 3;
const BUFFER: usize = 256 << 10;

/// Fetches layers to `ingest`; ends with the first error.
pub(super) fn all<'a>(
    store: &Store,
    source: &dyn Source,
    layers: impl Iterator<Item = &'a Descriptor>,
    watch: Watch<'_>,
) -> Result<(), GatherError> {
    let distinct: BTreeMap<Digest, &Descriptor> = layers.map(|layer| (layer.digest, layer)).collect();
    let needed = distinct.values().map(|layer| layer.size).fold(0_u64, u64::saturating_add);
    let (free, reserve) = (store.free()?, store.limits.reserve);
    if needed > free.saturating_sub(reserve) {
        return Err(Refused::NoRoom { free, reserve }.into());
    }
    let queue = Mutex::new(distinct.into_values());
    let first_error = Mutex::new(None);
    let work = || {
        loop {
            let failed = first_error.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(layer) = next.filter(|_layer| !failed) else { return };
            if let Err(error) = one(store, source, layer, watch) {
                first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    thread::scope(|scope| {
        for _worker in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    first_error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// A layer on its way.
struct Part<'a> {
    layer: &'a Descriptor,
    path: PathBuf,
    file: File,
    hasher: Hasher,
}

fn one(store: &Store, source: &dyn Source, layer: &Descriptor, watch: Watch<'_>) -> Result<(), GatherError> {
    let path = store.folder(Place::Ingest).join(layer.digest.hex());
    let mut part = Part { file: store.disk.open_part(&path)?, path, layer, hasher: Hasher::default() };
    part.take_up()?;
    // What an earlier run left may have been damaged since.
    let mut left_over = part.hasher.length() > 0;
    let mut tries = source.patience();
    loop {
        let before = part.hasher.length();
        match part.run(source, watch) {
            Ok(()) => match part.verify() {
                Err(GatherError::Refused(_)) if left_over => {
                    left_over = false;
                    part.restart()?;
                }
                verified => return verified,
            },
            Err(Broken::Reading(_)) if part.hasher.length() > before => tries = source.patience(),
            Err(Broken::Reading(_)) if tries > 0 => tries -= 1,
            Err(broken) => return Err(broken.explained(&part)),
        }
    }
}

enum Broken {
    Reading(io::Error),
    Other(GatherError),
}

impl From<GatherError> for Broken {
    fn from(error: GatherError) -> Self {
        Self::Other(error)
    }
}

impl Broken {
    fn explained(self, part: &Part<'_>) -> GatherError {
        let (layer, bytes, of) = (part.layer.digest, part.hasher.length(), part.layer.size);
        match self {
            Self::Other(error) => error,
            Self::Reading(error) if error.kind() == io::ErrorKind::TimedOut => {
                GatherError::Stalled { layer, bytes, of }
            }
            Self::Reading(source) => GatherError::BrokeOff { layer, bytes, of, source },
        }
    }
}

impl Part<'_> {
    /// Hashes what is there already.
    fn take_up(&mut self) -> Result<(), GatherError> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = self.file.read(&mut buffer).map_err(failed("read", &self.path))?;
            if length == 0 {
                break;
            }
            self.hasher.update(&buffer[..length]);
        }
        if self.hasher.length() > self.layer.size { self.restart() } else { Ok(()) }
    }

    fn restart(&mut self) -> Result<(), GatherError> {
        self.hasher = Hasher::default();
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map(|_start| ()).map_err(failed("empty", &self.path))
    }

    /// Asks once, and takes what comes.
    fn run(&mut self, source: &dyn Source, watch: Watch<'_>) -> Result<(), Broken> {
        let of = self.layer.size;
        if self.hasher.length() == of {
            return Ok(());
        }
        let (start, reader) = source.layer(self.layer, self.hasher.length())?;
        if start != self.hasher.length() {
            self.restart()?;
        }
        // One byte more than there should be shows that there is more.
        let mut reader = reader.take(of - self.hasher.length() + 1);
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Reading(error)),
            };
            self.hasher.update(&buffer[..length]);
            let bytes = self.hasher.length();
            if bytes > of {
                break;
            }
            self.file.write_all(&buffer[..length]).map_err(failed("write", &self.path))?;
            tell(watch, &Event::Fetched { layer: self.layer.digest, bytes, of })?;
        }
        Ok(())
    }

    fn verify(&self) -> Result<(), GatherError> {
        let what = || "a layer".to_owned();
        let (expected, found) = (self.layer.size, self.hasher.length());
        if expected != found {
            return Err(Refused::Length { what: what(), expected, found }.into());
        }
        let (expected, found) = (self.layer.digest, self.hasher.clone().finish());
        if expected != found {
            return Err(Refused::Digest { what: what(), expected, found }.into());
        }
        Ok(())
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> GatherError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Disk { doing, path, source }.into()
}
