//! The first boot on a simulated disk, cut at every sector of every write.

use ::gpt::GptConfig;
use proptest::prelude::*;

use super::super::gpt::tests::BLOCK;
use super::super::gpt::tests::geometry;
use super::super::gpt::tests::image;
use super::*;

const SMALL: usize = 4;
const LARGE: usize = 16;

/// An image that was written on a larger disk.
fn flashed(name: &str) -> Vec<u8> {
    let mut disk = image(SMALL, name);
    disk.resize(LARGE << 20, 0);
    disk
}

fn see(disk: &Vec<u8>) -> Seen {
    look(disk, geometry(disk))
}

fn apply(disk: &mut [u8], steps: &[Step]) {
    for step in steps {
        if let Step::Write { offset, bytes } = step {
            let start = usize::try_from(*offset).unwrap();
            disk[start..start + bytes.len()].copy_from_slice(bytes);
        }
    }
}

/// What a boot does to the table, with the file system left out.
fn boot(disk: &mut Vec<u8>) -> Layout {
    let layout = plan(&see(disk)).unwrap();
    apply(disk, &layout.steps);
    if layout.content == Content::Nothing {
        let rename = plan_rename(&see(disk), &layout, gpt::NAME_DATA);
        apply(disk, &rename);
    }
    layout
}

fn assert_finished(disk: &Vec<u8>) {
    let seen = see(disk);
    let layout = plan(&seen).unwrap();
    assert_eq!(layout.content, Content::FileSystem);
    assert_eq!(layout.steps, []);
    assert!(seen.primary.unwrap().same_content(&seen.backup.unwrap()));
    assert!(layout.length > 12 << 20, "{}", layout.length);
}

/// All sectors of a list of steps, in order, one write each.
fn sectors(steps: &[Step]) -> Vec<(u64, Vec<u8>)> {
    let mut all = Vec::new();
    for step in steps {
        if let Step::Write { offset, bytes } = step {
            for (n, sector) in bytes.chunks(BLOCK).enumerate() {
                all.push((offset + (n * BLOCK) as u64, sector.to_vec()));
            }
        }
    }
    all
}

#[test]
fn the_partition_fills_the_disk_and_others_can_read_it() {
    let mut disk = flashed(gpt::NAME_NEW);
    let layout = boot(&mut disk);
    assert_eq!(layout.start % (1 << 20), 0);
    assert_eq!((layout.start + layout.length) % (1 << 20), 0);
    assert_finished(&disk);
    let read = GptConfig::new().open_from_device(std::io::Cursor::new(&mut disk)).unwrap();
    assert_eq!(read.partitions()[&2].name, gpt::NAME_DATA);
    assert_eq!(read.partitions()[&2].bytes_len(read.logical_block_size().to_owned()).unwrap(), layout.length);
    assert_eq!(read.partitions()[&1].name, "esp");
}

#[test]
fn a_cut_after_any_sector_of_the_first_boot_is_repaired_by_the_next() {
    let start = flashed(gpt::NAME_NEW);
    let layout = plan(&see(&start)).unwrap();
    let mut grown = start.clone();
    apply(&mut grown, &layout.steps);
    let rename = plan_rename(&see(&grown), &layout, gpt::NAME_DATA);
    let mut renamed_copies = 0;
    let all = [sectors(&layout.steps), sectors(&rename)].concat();
    assert!(all.len() > 100, "{}", all.len());
    for cut in 0..=all.len() {
        let mut disk = start.clone();
        for (offset, sector) in &all[..cut] {
            apply(&mut disk, &[Step::Write { offset: *offset, bytes: sector.clone() }]);
        }
        let seen = plan(&see(&disk)).unwrap();
        if cut < sectors(&layout.steps).len() {
            assert_eq!(seen.content, Content::Nothing, "cut {cut}: nothing is stored before the rename");
        }
        renamed_copies += usize::from(seen.content == Content::FileSystem);
        boot(&mut disk);
        assert_finished(&disk);
    }
    assert!(renamed_copies > 0);
}

#[test]
fn once_both_copies_are_renamed_no_damage_to_one_brings_back_formatting() {
    let mut done = flashed(gpt::NAME_NEW);
    boot(&mut done);
    for block in [1, 2, geometry(&done).last_block(), geometry(&done).last_block() - 32] {
        let mut disk = done.clone();
        let start = usize::try_from(block).unwrap() * BLOCK;
        disk[start..start + 64].fill(0xa5);
        assert_eq!(plan(&see(&disk)).unwrap().content, Content::FileSystem, "block {block}");
        boot(&mut disk);
        assert_finished(&disk);
    }
}

#[test]
fn a_disk_that_grew_later_is_grown_without_formatting() {
    let mut disk = flashed(gpt::NAME_NEW);
    boot(&mut disk);
    disk.resize(24 << 20, 0);
    let layout = boot(&mut disk);
    assert_eq!(layout.content, Content::FileSystem);
    assert!(layout.length > 20 << 20);
    assert_finished(&disk);
}

#[test]
fn nothing_is_guessed() {
    let none = image(SMALL, "other");
    assert_eq!(plan(&see(&none)).unwrap_err(), NoData::NoPartition);

    let mut two = image(SMALL, gpt::NAME_NEW);
    let mut table = see(&two).primary.unwrap();
    table.set_name(0, gpt::NAME_DATA);
    let steps = steps(&see(&two), &table);
    apply(&mut two, &steps);
    assert_eq!(plan(&see(&two)).unwrap_err(), NoData::Several { count: 2 });

    let mut blank = flashed(gpt::NAME_NEW);
    blank[..34 * BLOCK].fill(0);
    assert!(matches!(plan(&see(&blank)), Err(NoData::NoTable { .. })));

    let mut shrunk = flashed(gpt::NAME_NEW);
    boot(&mut shrunk);
    shrunk.truncate(8 << 20);
    assert!(matches!(plan(&see(&shrunk)), Err(NoData::NoTable { .. })));
}

#[test]
fn a_partition_behind_ours_is_never_run_over() {
    let mut disk = image(SMALL, gpt::NAME_NEW);
    let mut table = see(&disk).primary.unwrap();
    table.set_name(0, gpt::NAME_NEW);
    table.set_name(1, "other");
    let before = table.partitions()[0].clone();
    let change = steps(&see(&disk), &table);
    apply(&mut disk, &change);
    disk.resize(LARGE << 20, 0);
    let layout = plan(&see(&disk)).unwrap();
    assert_eq!(layout.index, 0);
    assert_eq!(layout.length, (before.last - before.first + 1) * BLOCK as u64);
}

/// Erased: at every cut of the renaming the partition is ours, and the next boot makes it or is asked to erase it again.
#[test]
fn renaming_back_survives_a_cut_at_every_sector() {
    let mut whole = flashed(gpt::NAME_NEW);
    boot(&mut whole);
    let layout = plan(&see(&whole)).unwrap();
    let steps = plan_rename(&see(&whole), &layout, gpt::NAME_NEW);
    let all = sectors(&steps);
    assert!(!all.is_empty());
    for stop in 0..=all.len() {
        let mut disk = whole.clone();
        for (offset, bytes) in &all[..stop] {
            apply(&mut disk, &[Step::Write { offset: *offset, bytes: bytes.clone() }]);
        }
        let again = plan(&see(&disk)).unwrap();
        let rest = plan_rename(&see(&disk), &again, gpt::NAME_NEW);
        apply(&mut disk, &rest);
        let seen = see(&disk);
        assert_eq!(plan(&seen).unwrap().content, Content::Nothing, "cut at {stop}");
        assert!(seen.primary.unwrap().same_content(&seen.backup.unwrap()));
    }
}

proptest! {
    /// Between two syncs a disk may write in any order or not at all.
    #[test]
    fn a_cut_with_reordered_sectors_is_repaired_too(seed in proptest::collection::vec(any::<bool>(), 64), stop in 0usize..8) {
        let mut disk = flashed(gpt::NAME_NEW);
        let layout = plan(&see(&disk)).unwrap();
        let mut grown = disk.clone();
        apply(&mut grown, &layout.steps);
        let all = [layout.steps.clone(), plan_rename(&see(&grown), &layout, gpt::NAME_DATA)].concat();
        let parts: Vec<&[Step]> = all.split(|step| *step == Step::Sync).collect();
        let stop = stop.min(parts.len() - 1);
        for part in &parts[..stop] {
            apply(&mut disk, part);
        }
        for (n, (offset, bytes)) in sectors(parts[stop]).into_iter().enumerate() {
            if seed[n % seed.len()] {
                apply(&mut disk, &[Step::Write { offset, bytes }]);
            }
        }
        boot(&mut disk);
        assert_finished(&disk);
    }
}
