//! A folder in memory that records what is asked of it, and can be looked at as it would be after a power cut.
//!
//! What was synced survives a cut. Of everything else, any part may have reached the disk in any order: each sector of
//! each write on its own, each change of a length, each change of a name.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use crate::medium::Aside;
use crate::medium::Medium;
use crate::medium::MediumFile;

/// Smallest piece that a disk writes whole, in bytes.
const SECTOR: usize = 512;

/// File contents by name.
pub(super) type Image = BTreeMap<String, Vec<u8>>;

/// What was asked of the disk, and what was promised to whoever uses the store.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Create {
        inode: usize,
        name: String,
    },
    Write {
        inode: usize,
        offset: usize,
        bytes: Vec<u8>,
    },
    SetLength {
        inode: usize,
        length: usize,
    },
    Sync {
        inode: usize,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        name: String,
    },
    /// Names in this folder.
    SyncNames {
        folder: &'static str,
    },
    /// The store's folder and the one aside change places.
    Exchange,
    RemoveAside,
    /// Which folder is in which place.
    SyncBeside,
    /// The counter in the TPM was raised to this number.
    Anchored(u64),
    /// The commit with this number was begun.
    Begun(usize),
    /// The commit with this number was acknowledged.
    Acknowledged(usize),
}

/// Which syncs the disk leaves out while claiming to have done them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lies {
    #[default]
    None,
    Contents,
    Names,
}

/// Faults to come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// How many bytes all files together may have.
    pub(super) room: Option<usize>,
    /// Lets the next sync of contents fail.
    pub(super) fail_sync: bool,
    /// Lets the next cut of a file fail.
    pub(super) fail_set_length: bool,
    /// Lets the next sync of what lies beside the folder fail.
    pub(super) fail_sync_beside: bool,
}

/// The recording disk, seen from one of its two folders; clones are the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk {
    inner: Arc<Mutex<Inner>>,
    /// What all names of this folder begin with.
    folder: &'static str,
}

/// The folder of the store.
const STORE: &str = "";
/// The folder beside it.
const ASIDE: &str = "aside/";

#[derive(Default)]
struct Inner {
    inodes: Vec<Vec<u8>>,
    names: BTreeMap<String, usize>,
    events: Vec<Event>,
    lies: Lies,
    faults: Faults,
}

struct OpenFile {
    disk: Disk,
    inode: usize,
}

/// What becomes of writes that were not synced.
pub(super) enum Unsynced<'a> {
    Lost,
    Kept,
    /// Each piece is kept or lost by the toss of a coin.
    Tossed(&'a mut dyn FnMut() -> bool),
}

impl Disk {
    pub(super) fn new(image: &Image, lies: Lies) -> Self {
        let disk = Self::default();
        let mut inner = disk.inner();
        inner.lies = lies;
        for (name, contents) in image {
            let inode = inner.inodes.len();
            inner.inodes.push(contents.clone());
            inner.names.insert(name.clone(), inode);
        }
        drop(inner);
        disk
    }

    pub(super) fn note(&self, event: Event) {
        self.inner().events.push(event);
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.inner().faults = faults;
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.inner().events.clone()
    }

    /// Returns the files as running programs see them.
    pub(super) fn image(&self) -> Image {
        let inner = self.inner();
        inner.names.iter().map(|(name, inode)| (name.clone(), inner.inodes[*inode].clone())).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }
}

/// Says which of the two folders a name is in.
fn folder_of(name: &str) -> &'static str {
    if name.starts_with(ASIDE) { ASIDE } else { STORE }
}

/// Lets the names of the two folders change places.
fn exchange(names: &mut BTreeMap<String, usize>) {
    let exchanged = std::mem::take(names).into_iter().map(|(name, inode)| {
        let name = match name.strip_prefix(ASIDE) {
            Some(name) => name.to_owned(),
            None => format!("{ASIDE}{name}"),
        };
        (name, inode)
    });
    *names = exchanged.collect();
}

/// Returns the files that a disk that began with `before` holds when the power goes after `events`.
pub(super) fn after_cut(before: &Image, events: &[Event], mut unsynced: Unsynced<'_>) -> Image {
    let mut inodes: Vec<Vec<u8>> = before.values().cloned().collect();
    let mut names: BTreeMap<String, usize> = before.keys().cloned().zip(0..).collect();
    for (position, event) in events.iter().enumerate() {
        let later = &events[position + 1..];
        let mut reaches_disk = |is_synced: bool| {
            is_synced
                || match &mut unsynced {
                    Unsynced::Lost => false,
                    Unsynced::Kept => true,
                    Unsynced::Tossed(toss) => toss(),
                }
        };
        let names_synced = |name: &str| {
            let of = folder_of(name);
            later.iter().any(|event| matches!(event, Event::SyncNames { folder } if *folder == of))
        };
        let beside_synced = later.iter().any(|event| matches!(event, Event::SyncBeside));
        let synced = |inode: usize| {
            later.iter().any(|event| matches!(event, Event::Sync { inode: other } if *other == inode))
        };
        match event {
            Event::Create { inode, name } => {
                assert_eq!(inodes.len(), *inode);
                inodes.push(Vec::new());
                if reaches_disk(names_synced(name)) {
                    names.insert(name.clone(), *inode);
                }
            }
            Event::Rename { from, to } => {
                if reaches_disk(names_synced(to))
                    && let Some(inode) = names.remove(from)
                {
                    names.insert(to.clone(), inode);
                }
            }
            Event::Remove { name } => {
                if reaches_disk(names_synced(name)) {
                    names.remove(name);
                }
            }
            Event::SetLength { inode, length } => {
                if reaches_disk(synced(*inode)) {
                    inodes[*inode].resize(*length, 0);
                }
            }
            Event::Write { inode, offset, bytes } => {
                let is_synced = synced(*inode);
                write_sectors(&mut inodes[*inode], *offset, bytes, || reaches_disk(is_synced));
            }
            Event::Exchange => {
                if reaches_disk(beside_synced) {
                    exchange(&mut names);
                }
            }
            Event::RemoveAside => {
                // Removed name by name: any of them may be left.
                names.retain(|name, _| folder_of(name) == STORE || !reaches_disk(beside_synced));
            }
            Event::Sync { .. }
            | Event::SyncNames { .. }
            | Event::SyncBeside
            | Event::Anchored(_)
            | Event::Begun(_)
            | Event::Acknowledged(_) => {}
        }
    }
    names.into_iter().map(|(name, inode)| (name, inodes[inode].clone())).collect()
}

/// Writes those sectors of a write that reach the disk; the length may grow without them.
fn write_sectors(file: &mut Vec<u8>, offset: usize, bytes: &[u8], mut reaches_disk: impl FnMut() -> bool) {
    let end = offset + bytes.len();
    if file.len() < end && reaches_disk() {
        file.resize(end, 0);
    }
    let mut position = offset;
    while position < end {
        let next = ((position / SECTOR + 1) * SECTOR).min(end);
        if reaches_disk() {
            if file.len() < next {
                file.resize(next, 0);
            }
            file[position..next].copy_from_slice(&bytes[position - offset..next - offset]);
        }
        position = next;
    }
}

impl Medium for Disk {
    fn names(&self) -> io::Result<Vec<String>> {
        let inner = self.inner();
        let names = inner.names.keys().filter(|name| folder_of(name) == self.folder);
        Ok(names.map(|name| name[self.folder.len()..].to_owned()).collect())
    }

    fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let name = self.full(name);
        let inner = self.inner();
        let contents = &inner.inodes[*inner.names.get(&name).ok_or(io::ErrorKind::NotFound)?];
        if contents.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(contents.clone())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        let name = self.full(name);
        let mut inner = self.inner();
        // As O_TRUNC does: a file of that name is emptied, not replaced.
        let inode = inner.names.get(&name).copied().unwrap_or(inner.inodes.len());
        if inode < inner.inodes.len() {
            inner.inodes[inode].clear();
            inner.events.push(Event::SetLength { inode, length: 0 });
        } else {
            inner.inodes.push(Vec::new());
            inner.names.insert(name.clone(), inode);
            inner.events.push(Event::Create { inode, name });
        }
        Ok(Box::new(OpenFile { disk: self.clone(), inode }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        let inode = *self.inner().names.get(&self.full(name)).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(OpenFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.full(from), self.full(to));
        let mut inner = self.inner();
        let inode = inner.names.remove(&from).ok_or(io::ErrorKind::NotFound)?;
        inner.names.insert(to.clone(), inode);
        inner.events.push(Event::Rename { from, to });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let name = self.full(name);
        let mut inner = self.inner();
        inner.names.remove(&name).ok_or(io::ErrorKind::NotFound)?;
        inner.events.push(Event::Remove { name });
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.lies != Lies::Names {
            inner.events.push(Event::SyncNames { folder: self.folder });
        }
        Ok(())
    }

    fn make_aside(&self) -> io::Result<Aside> {
        self.remove_aside()?;
        let medium = Arc::new(Self { inner: Arc::clone(&self.inner), folder: ASIDE });
        Ok(Aside { medium, lock: None })
    }

    fn exchange_aside(&self) -> io::Result<()> {
        let mut inner = self.inner();
        exchange(&mut inner.names);
        inner.events.push(Event::Exchange);
        Ok(())
    }

    fn remove_aside(&self) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.names.keys().any(|name| folder_of(name) == ASIDE) {
            inner.names.retain(|name, _| folder_of(name) == STORE);
            inner.events.push(Event::RemoveAside);
        }
        Ok(())
    }

    fn sync_beside(&self) -> io::Result<()> {
        let mut inner = self.inner();
        if std::mem::take(&mut inner.faults.fail_sync_beside) {
            return Err(io::Error::other("no sync"));
        }
        if inner.lies != Lies::Names {
            inner.events.push(Event::SyncBeside);
        }
        Ok(())
    }
}

impl MediumFile for OpenFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let offset = usize::try_from(offset).unwrap();
        let used: usize = inner.names.values().map(|inode| inner.inodes[*inode].len()).sum();
        let grows = (offset + bytes.len()).saturating_sub(inner.inodes[self.inode].len());
        let room = inner.faults.room.map_or(usize::MAX, |room| room.saturating_sub(used));
        // As the kernel does: what fits is written, then the error comes.
        let fits = bytes.len() - grows.saturating_sub(room).min(bytes.len());
        let file = &mut inner.inodes[self.inode];
        if fits > 0 {
            file.resize(file.len().max(offset + fits), 0);
            file[offset..offset + fits].copy_from_slice(&bytes[..fits]);
            inner.events.push(Event::Write { inode: self.inode, offset, bytes: bytes[..fits].to_vec() });
        }
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut inner = self.disk.inner();
        if std::mem::take(&mut inner.faults.fail_set_length) {
            return Err(io::Error::other("no cut"));
        }
        let length = usize::try_from(length).unwrap();
        inner.inodes[self.inode].resize(length, 0);
        inner.events.push(Event::SetLength { inode: self.inode, length });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        if std::mem::take(&mut inner.faults.fail_sync) {
            return Err(io::Error::other("no sync"));
        }
        if inner.lies != Lies::Contents {
            inner.events.push(Event::Sync { inode: self.inode });
        }
        Ok(())
    }
}
