//! Mends the folders that the `fatfs` crate (0.3.6) writes.
//!
//! The crate puts long-name entries before `.` and `..`, and lets `..` of a folder in the top folder name the top folder's cluster. The
//! specification (Microsoft, "FAT32 File System Specification", 6.5) wants `.` and `..` as the first two entries, without long names,
//! and cluster 0 for the top folder. Checkers complain, and firmware may be as strict.

use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;

const ENTRY: usize = 32;
const FOLDER: u8 = 0x10;
const LONG_NAME: u8 = 0x0f;
const DELETED: u8 = 0xe5;
const SELF: &[u8; 11] = b".          ";
const PARENT: &[u8; 11] = b"..         ";

/// Where clusters are.
#[derive(Clone, Copy, Debug)]
struct Volume {
    cluster_bytes: usize,
    data_start: u64,
    root: u32,
}

/// Mends every folder of a fresh FAT32 volume.
pub(super) fn mend<D: Read + Write + Seek>(device: &mut D) -> io::Result<()> {
    let mut boot = [0; 512];
    device.seek(SeekFrom::Start(0))?;
    device.read_exact(&mut boot)?;
    let sector = u64::from(u16_at(&boot, 11)?);
    let fats = u64::from(u16_at(&boot, 14)?) + u64::from(byte_at(&boot, 16)?) * u64::from(u32_at(&boot, 36)?);
    let volume = Volume {
        cluster_bytes: usize::from(byte_at(&boot, 13)?) * usize::from(u16_at(&boot, 11)?),
        data_start: fats * sector,
        root: u32_at(&boot, 44)?,
    };
    let mut open: Vec<(u32, u32)> =
        children(&volume.read(device, volume.root)?)?.into_iter().map(|child| (child, 0)).collect();
    while let Some((cluster, parent)) = open.pop() {
        let mut folder = volume.read(device, cluster)?;
        mend_folder(&mut folder, parent)?;
        volume.write(device, cluster, &folder)?;
        open.extend(children(&folder)?.into_iter().map(|child| (child, cluster)));
    }
    Ok(())
}

impl Volume {
    /// The first cluster of a folder: ours hold a handful of files.
    fn read<D: Read + Seek>(self, device: &mut D, cluster: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.cluster_bytes];
        device.seek(self.offset(cluster)?)?;
        device.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn write<D: Write + Seek>(self, device: &mut D, cluster: u32, bytes: &[u8]) -> io::Result<()> {
        device.seek(self.offset(cluster)?)?;
        device.write_all(bytes)
    }

    fn offset(self, cluster: u32) -> io::Result<SeekFrom> {
        let number = u64::from(cluster.checked_sub(2).ok_or_else(odd)?);
        let bytes = u64::try_from(self.cluster_bytes).map_err(|_large| odd())?;
        Ok(SeekFrom::Start(self.data_start + number * bytes))
    }
}

/// `[long name] . [long name] ..` becomes `. .. [deleted] [deleted]`.
fn mend_folder(folder: &mut [u8], parent: u32) -> io::Result<()> {
    let mut own = entry(folder, 1)?;
    let mut up = entry(folder, 3)?;
    if !own.starts_with(SELF) || !up.starts_with(PARENT) {
        return Err(odd());
    }
    let [low0, low1, high0, high1] = parent.to_le_bytes();
    for (offset, value) in [(20, high0), (21, high1), (26, low0), (27, low1)] {
        *up.get_mut(offset).ok_or_else(odd)? = value;
    }
    let mut deleted = [0; ENTRY];
    if let Some(first) = deleted.first_mut() {
        *first = DELETED;
    }
    // Times of "." are those of the folder; the crate sets both the same.
    own.truncate(ENTRY);
    let start = [own.as_slice(), &up, &deleted, &deleted].concat();
    folder.get_mut(..start.len()).ok_or_else(odd)?.copy_from_slice(&start);
    Ok(())
}

/// First clusters of the folders in a folder.
fn children(folder: &[u8]) -> io::Result<Vec<u32>> {
    let mut clusters = Vec::new();
    for entry in folder.chunks_exact(ENTRY).take_while(|entry| entry.first() != Some(&0)) {
        let attributes = byte_at(entry, 11)?;
        let skipped = entry.first() == Some(&DELETED) || entry.first() == Some(&b'.');
        if !skipped && attributes != LONG_NAME && attributes & FOLDER != 0 {
            clusters.push(u32::from(u16_at(entry, 20)?) << 16 | u32::from(u16_at(entry, 26)?));
        }
    }
    Ok(clusters)
}

fn entry(folder: &[u8], number: usize) -> io::Result<Vec<u8>> {
    folder.chunks_exact(ENTRY).nth(number).map(<[u8]>::to_vec).ok_or_else(odd)
}

fn byte_at(bytes: &[u8], offset: usize) -> io::Result<u8> {
    bytes.get(offset).copied().ok_or_else(odd)
}

fn u16_at(bytes: &[u8], offset: usize) -> io::Result<u16> {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).copied().map(u16::from_le_bytes).ok_or_else(odd)
}

fn u32_at(bytes: &[u8], offset: usize) -> io::Result<u32> {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).copied().map(u32::from_le_bytes).ok_or_else(odd)
}

fn odd() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file system has folders of an unknown shape")
}
