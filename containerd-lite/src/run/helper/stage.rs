//! The stage: a file system in memory on which a container's root is put together. Only the mount namespace of this process has it.
//!
//! ```text
//! stage/layers/<n>/    each layer, owners mapped, read-only
//! stage/upper work/    what is thrown away with the container, and the box's own files over the image's
//! stage/root/          all of them over each other
//! stage/volumes/<n>/   each volume, owners mapped
//! stage/state/         libcontainer's notes
//! stage/config.json    the specification
//! ```

use super::Impossible;
use super::tree;
use crate::run::user::MAX_FILE;
use crate::runtime::Start;
use anyhow::Context as _;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::openat2;
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use std::fs;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;

/// Bytes for places to mount on and the box's own files; an image with a read-only root has no more.
const OWN_BYTES: u64 = 1 << 20;
/// Bytes of the throw-away layer for each file in it, at least.
const BYTES_PER_FILE: u64 = 4096;
/// Files that are there in any case.
const OWN_FILES: u64 = 1024;

/// The stage of a container.
#[derive(Debug)]
pub(super) struct Stage {
    folder: PathBuf,
    first_id: u32,
}

impl Stage {
    /// Mounts an empty one on the folder.
    pub(super) fn mount(folder: PathBuf, start: &Start) -> anyhow::Result<Self> {
        let scratch = start.scratch_bytes.unwrap_or_default();
        let size = scratch.saturating_add(OWN_BYTES).to_string();
        let files = (scratch / BYTES_PER_FILE).saturating_add(OWN_FILES).to_string();
        // Root of the container, to the box nobody special, must come through to what is mounted below.
        let options =
            [("size", Some(size.as_str())), ("nr_inodes", Some(files.as_str())), ("mode", Some("0711"))];
        tree::attach(&tree::fresh("tmpfs", &options, tree::PLAIN)?, &folder)?;
        let stage = Self { folder, first_id: start.first_id };
        for name in ["layers", "upper", "work", "root", "volumes", "state"] {
            fs::create_dir(stage.folder.join(name)).with_context(|| format!("make {name} of the stage"))?;
        }
        Ok(stage)
    }

    /// A place on it.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Lays the layers over each other.
    pub(super) fn lay(&self, start: &Start, table: BorrowedFd<'_>) -> anyhow::Result<()> {
        if start.layers.is_empty() {
            return Err(Impossible("the image has no layers".to_owned()).into());
        }
        self.own_files(start).context("write the box's files for the container")?;
        let mut lower = Vec::new();
        for (number, layer) in start.layers.iter().enumerate() {
            let flags = tree::PLAIN | MountAttrFlags::MOUNT_ATTR_RDONLY;
            lower.push(self.map(layer, "layers", number, (table, flags))?.to_string_lossy().into_owned());
        }
        let (upper, work) = (self.place("upper"), self.place("work"));
        let (upper, work) = (upper.to_string_lossy(), work.to_string_lossy());
        let mut options = vec![("userxattr", None)];
        // The highest comes first.
        options.extend(lower.iter().rev().map(|layer| ("lowerdir+", Some(layer.as_str()))));
        options.extend([("upperdir", Some(upper.as_ref())), ("workdir", Some(work.as_ref()))]);
        let root = tree::fresh("overlay", &options, tree::PLAIN).context("lay the layers over each other")?;
        tree::attach(&root, &self.place("root"))
    }

    /// Mounts the volumes; where they lie, in the order of the start's.
    pub(super) fn volumes(&self, start: &Start, table: BorrowedFd<'_>) -> anyhow::Result<Vec<PathBuf>> {
        let mount = |(number, volume): (usize, &crate::runtime::Volume)| {
            let access =
                if volume.read_only { MountAttrFlags::MOUNT_ATTR_RDONLY } else { MountAttrFlags::empty() };
            self.map(&volume.source, "volumes", number, (table, tree::PLAIN | access))
        };
        start.volumes.iter().enumerate().map(mount).collect()
    }

    /// A file of the image, its links followed inside of it; empty when there is none, and cut at [`MAX_FILE`].
    pub(super) fn read(&self, path: &str) -> anyhow::Result<String> {
        // Not to wait for whoever would write to a pipe of this name.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let Some(file) = self.open(path, flags)? else { return Ok(String::new()) };
        let file = File::from(file);
        if !file.metadata().with_context(|| format!("look at {path} of the image"))?.is_file() {
            return Err(Impossible(format!("{path} of the image is no file")).into());
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes).with_context(|| format!("read {path} of the image"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether the image has a folder of this name, its links followed inside of it.
    pub(super) fn has_folder(&self, path: &str) -> anyhow::Result<bool> {
        self.open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC).map(|folder| folder.is_some())
    }

    /// Opens something of the image; none when it is not there.
    fn open(&self, path: &str, flags: OFlags) -> anyhow::Result<Option<OwnedFd>> {
        let root = tree::open_folder(&self.place("root"))?;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(&root, path, flags, Mode::empty(), resolve) {
            Ok(opened) => Ok(Some(opened)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("open {path} of the image")),
        }
    }

    /// Mounts a folder of the box at its number, owners mapped.
    fn map(
        &self,
        source: &Path,
        kind: &str,
        number: usize,
        (table, flags): (BorrowedFd<'_>, MountAttrFlags),
    ) -> anyhow::Result<PathBuf> {
        let place = self.place(kind).join(number.to_string());
        fs::create_dir(&place).with_context(|| format!("make {}", place.display()))?;
        let tree = tree::mapped(tree::open_folder(source)?.as_fd(), table, flags)
            .with_context(|| format!("mount {}", source.display()))?;
        tree::attach(&tree, &place)?;
        Ok(place)
    }

    /// What every container has from the box, in the place of whatever its image has there.
    fn own_files(&self, start: &Start) -> std::io::Result<()> {
        let host_name = format!("{}\n", start.host_name);
        let upper = self.place("upper");
        for folder in ["", "etc", ".hearth"] {
            let folder = upper.join(folder);
            if !folder.exists() {
                fs::create_dir(&folder)?;
            }
            self.give(&folder)?;
        }
        for (name, text) in [
            ("etc/resolv.conf", start.resolv_conf.as_str()),
            ("etc/hosts", start.hosts.as_str()),
            ("etc/hostname", host_name.as_str()),
            (".hearth/init", ""),
        ] {
            fs::write(upper.join(name), text)?;
            self.give(&upper.join(name))?;
        }
        Ok(())
    }

    /// Has it belong to root of the container.
    fn give(&self, path: &Path) -> std::io::Result<()> {
        chown(path, Some(self.first_id), Some(self.first_id))
    }
}
