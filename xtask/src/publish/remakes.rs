//! How boxes make programs of a new system from those that they run: the difference to earlier releases.

use crate::bars::Bars;
use crate::command::repository;
use crate::command::target;
use crate::host_packages::say;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use image::unpack;
use image::unpack::UnpackInputs;
use serde_json::Value;
use slots::Version;
use std::cmp::Ordering;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use update::Folder;
use update::MAX_SLOT;
use update::Place;
use update::publish::LeftOut;
use update::publish::Program;
use update::publish::RemakeFile;
use update::publish::Repository;
use update::publish::SEGMENT;
use update::publish::remake;
use update::remake::Packing;

/// Shorter files are fetched: their chunks cost little.
const SHORTEST: u64 = 32 << 10;
/// Modules are packed by another algorithm.
const OTHERWISE_PACKED: &str = "ko";

/// The new system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Built<'a> {
    /// The folder of the build.
    pub(crate) folder: &'a Path,
    /// Its `manifest.json`.
    pub(crate) manifest: &'a Value,
    /// Its slot file.
    pub(crate) slot: &'a [u8],
    /// Its version.
    pub(crate) version: &'a Version,
}

/// A file of both systems.
struct Pair {
    path: String,
    old: Vec<u8>,
    new: Vec<u8>,
}

/// The slot file of the release before, from the repository.
pub(super) fn before(
    folder: &Path,
    repository: &Repository,
    place: &Place,
    version: &Version,
) -> Result<Option<Vec<u8>>> {
    let catalog = match repository.catalog() {
        Ok(catalog) => catalog,
        // As one is before its first list; adding to it does not depend on this.
        Err(error) => {
            say(&format!("nothing is remade from the release before: {error}"));
            return Ok(None);
        }
    };
    let older = |release: &&update::Release| {
        release.place == *place && release.version.order(version) == Ordering::Less
    };
    let Some(release) = catalog.releases().iter().find(older) else { return Ok(None) };
    let slot = update::read_all(&Folder::new(folder.to_owned()), &release.slot(), MAX_SLOT);
    slot.map(Some).with_context(|| format!("reading version {} of the repository", release.version))
}

/// Makes the remakes for boxes that run the system in this slot file.
///
/// # Errors
/// It is no slot file with a root, or its root cannot be unpacked.
pub(crate) fn from(slot: &[u8], board: &str, built: &Built<'_>) -> Result<Option<RemakeFile>> {
    let version = unpack::version_of(slot).context("the slot file to start from names no version")?;
    let version: Version = version.parse().with_context(|| format!("{version} is no version"))?;
    if version.order(built.version) != Ordering::Less {
        bail!("version {version} is not before {}", built.version);
    }
    let hearth = target().join("hearth");
    let old = hearth.join(format!("{board}-before"));
    let bars = Bars::new();
    let (repo, cache) = (repository(), hearth.join("parts-cache"));
    let inputs = UnpackInputs { repo: &repo, board, cache: &cache, progress: &bars };
    unpack::unpack(slot, &old, &inputs)?;
    bars.finish();
    let pairs = pairs(&old, &built.folder.join("root"))?;
    let programs: Vec<Program<'_>> =
        pairs.iter().map(|Pair { path, old, new }| Program { path, old, new }).collect();
    let remade = remake(built.slot, &version, &programs, packing(built.manifest)?)?;
    for (path, why) in &remade.left_out {
        say(&format!("{path} is fetched by boxes that run {version}: {}", words(*why)));
    }
    let Some(file) = remade.file else { return Ok(None) };
    for made in &file.header.files {
        say(&format!("{}: {} bytes from {} of version {version}", made.path, made.stored, made.body));
    }
    Ok(Some(file))
}

/// How the root was packed, as the image's manifest says.
fn packing(manifest: &Value) -> Result<Packing> {
    let root =
        manifest.pointer("/manifest/root").context("manifest.json does not say how the root is packed")?;
    let level = root.get("compression").and_then(Value::as_str).and_then(|text| text.strip_prefix("lz4hc,"));
    let level = level.and_then(|level| level.parse().ok()).context("the root is not packed by lz4hc")?;
    let cluster =
        root.get("cluster_bytes").and_then(Value::as_u64).and_then(|bytes| u32::try_from(bytes).ok());
    Ok(Packing {
        cluster: cluster.context("manifest.json names no size of clusters")?,
        segment: SEGMENT,
        level,
    })
}

/// Files that are in both folders and differ.
fn pairs(old: &Path, new: &Path) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut folders = vec![new.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in list(&folder)? {
            let about =
                fs::symlink_metadata(&path).with_context(|| format!("looking at {}", path.display()))?;
            if about.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(new).context("a file lies elsewhere")?;
            let before = old.join(below);
            let is_program = about.is_file() && about.len() >= SHORTEST;
            let is_packed = path.extension().is_none_or(|extension| extension != OTHERWISE_PACKED);
            let was_there = fs::symlink_metadata(&before).is_ok_and(|about| about.is_file());
            if !(is_program && is_packed && was_there) {
                continue;
            }
            let (old, new) = (super::read(&before)?, super::read(&path)?);
            if old != new {
                pairs.push(Pair {
                    path: below.to_str().context("a file has no name in UTF-8")?.to_owned(),
                    old,
                    new,
                });
            }
        }
    }
    pairs.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(pairs)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn words(why: LeftOut) -> &'static str {
    match why {
        LeftOut::Length => "it is empty or too long",
        LeftOut::Path => "its path has letters that boxes do not take",
        LeftOut::Packed => "it is packed otherwise than the compressor here does",
        LeftOut::Difference => "the difference is as long as it is",
        LeftOut::Crowd => "too many files changed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_that_changed_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let long = |byte: u8| vec![byte; 40_000];
        for (path, content) in [
            ("old/usr/lib/hearth/hostd", long(1)),
            ("new/usr/lib/hearth/hostd", long(2)),
            ("old/usr/lib/same", long(1)),
            ("new/usr/lib/same", long(1)),
            ("old/usr/lib/short", vec![1]),
            ("new/usr/lib/short", vec![2]),
            ("old/usr/lib/a.ko", long(1)),
            ("new/usr/lib/a.ko", long(2)),
            ("new/usr/lib/fresh", long(2)),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let link = folder.path().join("new/usr/lib/link");
        std::os::unix::fs::symlink("same", link).unwrap();
        let pairs = pairs(&folder.path().join("old"), &folder.path().join("new")).unwrap();
        let paths: Vec<&str> = pairs.iter().map(|pair| pair.path.as_str()).collect();
        assert_eq!(paths, ["usr/lib/hearth/hostd"]);
        assert_eq!((pairs[0].old[0], pairs[0].new[0]), (1, 2));
    }

    #[test]
    fn how_the_root_is_packed_comes_from_the_manifest() {
        let manifest = json!({"manifest": {"root": {"compression": "lz4hc,12", "cluster_bytes": 65_536}}});
        assert_eq!(packing(&manifest).unwrap(), Packing { cluster: 65_536, segment: SEGMENT, level: 12 });
        let other = json!({"manifest": {"root": {"compression": "zstd,level=9", "cluster_bytes": 65_536}}});
        assert!(packing(&other).unwrap_err().to_string().contains("lz4hc"));
        packing(&json!({})).unwrap_err();
    }
}
