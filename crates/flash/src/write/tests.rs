#![expect(clippy::cast_possible_truncation, reason = "the numbers of these tests are small")]

use super::*;
use crate::testing::FakeDisk;
use crate::testing::Fixture;
use crate::testing::MIB;
use crate::testing::Unsynced;
use crate::testing::has_table;
use crate::used;
use std::io::Cursor;

const PRESET: &[u8] = b"{\"version\":1,\"host_name\":\"attic\"}\n";

#[derive(Default)]
struct Heard(Vec<(Step, u64, u64)>);

impl Progress for Heard {
    fn at(&mut self, step: Step, done: u64, total: u64) {
        self.0.push((step, done, total));
    }
}

struct World {
    fixture: Fixture,
    image: Vec<u8>,
    map: BlockMap,
}

impl World {
    fn new() -> Self {
        let fixture = Fixture::new();
        let image = fixture.image();
        let map = used::block_map(&mut Cursor::new(&image), image.len() as u64).unwrap();
        Self { fixture, image, map }
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            size: self.image.len() as u64,
            map: Some(&self.map),
            whole: Some(Digest::of(&self.image)),
            preset: Some(PRESET),
        }
    }

    fn write(&self, wish: &Wish<'_>, disk: &mut FakeDisk) -> Result<Written, WriteError> {
        write(wish, &mut self.image.as_slice(), disk, &mut Heard::default())
    }

    /// Everything that is to be on the disk is there.
    fn assert_whole(&self, disk: &[u8], case: &str) {
        self.fixture.assert_boots(disk);
        assert_eq!(Fixture::read(disk, boot_partition::FILE).as_deref(), Some(PRESET), "{case}");
    }
}

#[test]
fn an_image_with_its_preset_is_on_a_larger_disk_that_held_another_system() {
    let world = World::new();
    let mut disk = FakeDisk::new(Fixture::old().image());
    let mut heard = Heard::default();
    let written = write(&world.wish(), &mut world.image.as_slice(), &mut disk, &mut heard).unwrap();
    assert_eq!(written.bytes + written.skipped, world.image.len() as u64);
    assert!(written.bytes < 8 << 20, "{written:?}");
    world.fixture.assert_boots(disk.content());
    world.fixture.fsck(disk.content());
    assert_eq!(Fixture::read(disk.content(), boot_partition::FILE).unwrap(), PRESET);
    for step in [Step::Writing, Step::Verifying] {
        let last = heard.0.iter().rfind(|(heard, ..)| *heard == step).unwrap();
        assert_eq!((last.1, last.2), (written.bytes, written.bytes), "{step:?}");
    }
    assert!(heard.0.is_sorted_by_key(|(step, done, _)| (*step as u8, *done)), "never backwards");
}

#[test]
fn without_a_map_every_byte_is_on_the_disk() {
    let world = World::new();
    let wish = Wish { map: None, preset: None, ..world.wish() };
    let mut disk = FakeDisk::new(vec![0xe5; world.image.len()]);
    let written = world.write(&wish, &mut disk).unwrap();
    assert_eq!(written, Written { bytes: world.image.len() as u64, skipped: 0 });
    assert!(disk.content() == world.image);
}

/// Where an old disk was, a cut at any write or sync, with any of the unsynced sectors lost, leaves no table or the whole.
#[test]
fn a_cut_at_every_step_never_leaves_half_of_it() {
    let world = World::new();
    let wish = Wish { whole: None, ..world.wish() };
    for before in [Fixture::old().image(), vec![0xe5; world.image.len()]] {
        let mut whole = FakeDisk::new(before.clone());
        world.write(&wish, &mut whole).unwrap();
        let (mut without, mut with) = (0, 0);
        // The first steps wipe the old table: until they are synced the disk is still the old one.
        let wiped = 4;
        for lives in 0..whole.steps {
            let mut disk = FakeDisk::with_lives(before.clone(), lives);
            let failure = world.write(&wish, &mut disk).unwrap_err();
            assert!(
                matches!(
                    failure,
                    WriteError::Disk { .. } | WriteError::ReadBack { .. } | WriteError::Preset { .. }
                ),
                "{failure}"
            );
            for unsynced in
                [Unsynced::Lost, Unsynced::Kept, Unsynced::Mixed(1), Unsynced::Mixed(lives as u64)]
            {
                if !disk.has_table_after_cut(unsynced) {
                    without += 1;
                } else if lives < wiped {
                    Fixture::old().assert_boots(&disk.after_cut(unsynced));
                } else {
                    world.assert_whole(&disk.after_cut(unsynced), &format!("{lives} {unsynced:?}"));
                    with += 1;
                }
            }
        }
        assert!(without > 40 && with > 0, "both kinds were seen: {without} {with}");
    }
}

#[test]
fn a_disk_that_is_too_small_is_not_touched() {
    let world = World::new();
    let before = Fixture::old().image()[..38 * MIB].to_vec();
    let mut disk = FakeDisk::new(before.clone());
    let failure = world.write(&world.wish(), &mut disk).unwrap_err();
    assert!(matches!(failure, WriteError::TooSmall { .. }), "{failure}");
    assert!(disk.steps == 0 && disk.content() == before);
}

#[test]
fn a_damaged_image_is_found_and_leaves_no_table() {
    let world = World::new();
    let other = Some(Digest::of(b"another"));
    for (what, wish, at) in [
        ("in a block that is used", world.wish(), 1 << 20),
        ("at its start", world.wish(), 5),
        ("at its end", world.wish(), world.image.len() - 5),
        ("in a block that is free", world.wish(), 36 << 20),
        ("as a whole", Wish { whole: other, map: None, ..world.wish() }, 0),
    ] {
        let mut image = world.image.clone();
        image[at] ^= u8::from(wish.whole != other);
        let mut disk = FakeDisk::new(Fixture::old().image());
        let failure = write(&wish, &mut image.as_slice(), &mut disk, &mut Heard::default()).unwrap_err();
        assert!(matches!(failure, WriteError::Damaged { .. }), "{what}: {failure}");
        assert!(!has_table(&disk.after_cut(Unsynced::Kept)), "{what}");
    }
}

#[test]
fn an_image_of_another_length_leaves_no_table() {
    let world = World::new();
    let longer = [world.image.as_slice(), &[0]].concat();
    for (image, wanted) in [(&world.image[..30 << 20], Length::Fewer), (&longer, Length::More)] {
        let mut disk = FakeDisk::new(Fixture::old().image());
        let failure = write(&world.wish(), &mut &*image, &mut disk, &mut Heard::default()).unwrap_err();
        assert!(matches!(failure, WriteError::Length(found) if found == wanted), "{failure}");
        assert!(!has_table(&disk.after_cut(Unsynced::Kept)));
    }
}

#[test]
fn a_disk_that_does_not_hold_what_was_written_is_found() {
    let world = World::new();
    for worn in [5, 1000, MIB + 5, 3 * MIB, world.image.len() - 5, 38 * MIB - 1] {
        let mut disk = FakeDisk::new(Fixture::old().image());
        disk.worn = Some(worn);
        let failure = world.write(&world.wish(), &mut disk).unwrap_err();
        let shown = failure.to_string();
        assert!(matches!(failure, WriteError::Different { .. }), "{worn}: {shown}");
        let mut left = disk.content().to_vec();
        // The worn byte itself is what it is.
        left[worn] = 0;
        assert!(!has_table(&left), "{worn}");
    }
}

#[test]
fn a_preset_needs_a_boot_partition() {
    let image = vec![0x11; 3 * MIB];
    let wish = Wish { size: image.len() as u64, map: None, whole: None, preset: Some(PRESET) };
    let mut disk = FakeDisk::new(vec![0; 4 * MIB]);
    let failure = write(&wish, &mut image.as_slice(), &mut disk, &mut Heard::default()).unwrap_err();
    let WriteError::Preset { source: PresetError::NoBootPartition } = failure else { panic!("{failure}") };
    assert!(disk.content()[..MIB].iter().all(|byte| *byte == 0));
}

#[test]
fn small_images_are_all_edges() {
    for size in [1, 511, 513, MIB - 1, MIB + 1, 2 * MIB, 2 * MIB + 3] {
        let image: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let wish = Wish { size: size as u64, map: None, whole: Some(Digest::of(&image)), preset: None };
        for room in [0, 5, 3 * MIB] {
            let mut disk = FakeDisk::new(vec![0xe5; size + room]);
            write(&wish, &mut image.as_slice(), &mut disk, &mut Heard::default()).unwrap();
            assert!(disk.content()[..size] == image, "{size} {room}");
        }
    }
}
