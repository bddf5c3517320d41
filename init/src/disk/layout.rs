//! What to write so that the data partition fills the disk: pure, from what is seen to a list of writes.
//!
//! The order keeps one good copy of the table at any cut. When both are good or only the primary is, the backup is
//! written and synced first; when only the backup is, the primary is. Inside a copy the entries go before the header,
//! whose checksum makes the copy valid only when both are there.

use super::gpt;
use super::gpt::Flaw;
use super::gpt::Geometry;
use super::gpt::ReadAt;
use super::gpt::Table;

/// Growth below this is left alone: alignment and the backup's own blocks take some.
const LEAST_GROWTH: u64 = 1 << 20;

/// What a disk's table looks like.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The disk.
    pub geometry: Geometry,
    /// The copy behind the protective MBR.
    pub primary: Result<Table, Flaw>,
    /// The copy at the disk's end.
    pub backup: Result<Table, Flaw>,
}

/// One step of a change, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes to write at an offset.
    Write {
        /// From the disk's start.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Everything so far must be on the disk before the next step.
    Sync,
}

/// Whether a partition's content is worth anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `hearth-new`: to be formatted.
    Nothing,
    /// `hearth-data`: never to be formatted.
    FileSystem,
}

/// The data partition as it shall be.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Steps to get there; empty when the disk is as it should be.
    pub steps: Vec<Step>,
    /// The table after these steps.
    pub table: Table,
    /// Place of the data partition's entry.
    pub index: usize,
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub length: u64,
    /// What is in it.
    pub content: Content,
}

/// Why a disk has no data partition for us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoData {
    /// Both copies are unusable.
    #[error("both copies of the partition table are damaged (first: {primary}, second: {backup})")]
    NoTable {
        /// What is wrong with the primary.
        primary: Flaw,
        /// What is wrong with the backup.
        backup: Flaw,
    },
    /// No entry with one of our names.
    #[error("the disk has no partition named {} or {}", gpt::NAME_NEW, gpt::NAME_DATA)]
    NoPartition,
    /// More than one, and a wrong guess would destroy data.
    #[error("the disk has {count} partitions named {} or {}", gpt::NAME_NEW, gpt::NAME_DATA)]
    Several {
        /// How many.
        count: usize,
    },
    /// The entry leaves the disk or its table is cut.
    #[error("the data partition reaches beyond the disk's end")]
    BeyondDisk,
}

/// Reads both copies.
pub fn look(disk: &impl ReadAt, geometry: Geometry) -> Seen {
    let primary = gpt::read(disk, geometry, 1);
    let backup = gpt::read(disk, geometry, geometry.last_block());
    Seen { geometry, primary, backup }
}

impl Seen {
    /// The copy that counts.
    ///
    /// # Errors
    /// When there is none.
    pub fn table(&self) -> Result<&Table, NoData> {
        match (&self.primary, &self.backup) {
            (Ok(table), _) | (Err(_), Ok(table)) => Ok(table),
            (Err(primary), Err(backup)) => {
                Err(NoData::NoTable { primary: primary.clone(), backup: backup.clone() })
            }
        }
    }
}

/// Decides what the table shall be and how to get there.
///
/// # Errors
/// When the disk has no, or no single, data partition.
pub fn plan(seen: &Seen) -> Result<Layout, NoData> {
    let geometry = seen.geometry;
    let old = seen.table()?;
    let partitions = old.partitions();
    let ours: Vec<_> = partitions
        .iter()
        .filter(|entry| entry.name == gpt::NAME_NEW || entry.name == gpt::NAME_DATA)
        .collect();
    let entry = match ours.as_slice() {
        [] => return Err(NoData::NoPartition),
        [one] => *one,
        several => return Err(NoData::Several { count: several.len() }),
    };
    let last_usable = geometry.last_block().saturating_sub(old.entries_blocks(geometry) + 1);
    if entry.first > entry.last || partitions.iter().any(|other| other.last > last_usable) {
        return Err(NoData::BeyondDisk);
    }
    let mut table = old.clone();
    let last = grown_last(geometry, entry, &partitions, last_usable);
    table.set_last(entry.index, last);
    table.last_usable = last_usable;
    let content = if entry.name == gpt::NAME_NEW { Content::Nothing } else { Content::FileSystem };
    Ok(Layout {
        steps: steps(seen, &table),
        index: entry.index,
        start: geometry.offset(entry.first),
        length: geometry.offset(last - entry.first + 1),
        content,
        table,
    })
}

/// Steps that give the partition's entry another name: `hearth-data` when its file system is finished, `hearth-new` when it was
/// erased. `seen` is the disk as it is now.
#[must_use]
pub fn plan_rename(seen: &Seen, layout: &Layout, name: &str) -> Vec<Step> {
    let mut table = layout.table.clone();
    table.set_name(layout.index, name);
    steps(seen, &table)
}

/// The last block after growing: the disk's end, aligned to 1 MiB, when nothing lies between.
fn grown_last(geometry: Geometry, entry: &gpt::Entry, all: &[gpt::Entry], last_usable: u64) -> u64 {
    let unit = (LEAST_GROWTH / geometry.block_size as u64).max(1);
    let limit = all
        .iter()
        .filter(|other| other.first > entry.last)
        .map(|other| other.first)
        .fold(last_usable + 1, u64::min);
    let target = (limit / unit).saturating_mul(unit).saturating_sub(1);
    if target >= entry.last.saturating_add(unit) { target } else { entry.last }
}

fn steps(seen: &Seen, wanted: &Table) -> Vec<Step> {
    let geometry = seen.geometry;
    let entries_blocks = wanted.entries_blocks(geometry);
    let last = geometry.last_block();
    let primary = wanted.placed(1, last, 2);
    let backup = wanted.placed(last, 1, last.saturating_sub(entries_blocks));
    let primary_done = seen.primary.as_ref() == Ok(&primary);
    let backup_done = seen.backup.as_ref() == Ok(&backup);
    let mut steps = Vec::new();
    // The copy that was good is written last.
    let order = if seen.primary.is_ok() {
        [(&backup, backup_done), (&primary, primary_done)]
    } else {
        [(&primary, primary_done), (&backup, backup_done)]
    };
    for (table, done) in order {
        if !done {
            write_copy(table, geometry, &mut steps);
        }
    }
    steps
}

fn write_copy(table: &Table, geometry: Geometry, steps: &mut Vec<Step>) {
    let (entries, header) = (table.encode_entries(geometry), table.encode_header(geometry));
    steps.push(Step::Write { offset: geometry.offset(table.entries_block), bytes: entries });
    steps.push(Step::Sync);
    steps.push(Step::Write { offset: geometry.offset(table.my_block), bytes: header });
    steps.push(Step::Sync);
}

#[cfg(test)]
mod tests;
