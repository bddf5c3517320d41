//! Files damaged in many ways: never a wrong value, never a panic that comes out, never a silent loss.
//!
//! Most trials are on a store that was closed in order and has two snapshots, two journals and sled's files. What each kind of
//! damage may cost is in docs/spec/storage.md.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use store::Batch;
use store::Finding;
use store::Loss;
use store::OpenError;
use store::Store;

use crate::sample::Closed;
use crate::sample::Outcome;
use crate::sample::Sample;
use crate::sample::contents;
use crate::sample::copy;
use crate::sample::files;
use crate::sample::flip;
use crate::sample::length;
use crate::sample::name;
use crate::sample::open;
use crate::sample::sample;
use crate::sample::truncate;
use crate::sample::try_damage;

/// Spreads some positions over a file, not at round numbers.
fn spread(length: usize, count: usize) -> impl Iterator<Item = usize> {
    let step = (length / count).max(1) | 1;
    (0..length).step_by(step)
}

#[test]
fn the_sample_has_all_kinds_of_files() {
    let sample = sample(Closed::InOrder);
    assert_eq!(files(&sample.path, "journal-").len(), 2);
    assert_eq!(files(&sample.path, "snapshot-").len(), 2);
    assert_eq!(files(&sample.path, "sled.seal").len(), 1);
    assert!(length(&files(&sample.path, "journal-")[1]) > 2000, "the newer journal has several frames");
    assert_eq!(try_damage(&sample, |_| ()), Outcome::Whole { told: false });
}

#[test]
fn flips_in_files_of_sled_cost_nothing_and_are_told() {
    let sample = sample(Closed::InOrder);
    let mut trials = 0;
    for file in files(&sample.path.join("sled"), "") {
        for position in spread(length(&file), 40) {
            let outcome =
                try_damage(&sample, |path| flip(&path.join("sled").join(name(&file)), position, 64));
            assert_eq!(outcome, Outcome::Whole { told: true }, "{} {position}", file.display());
            trials += 1;
        }
    }
    assert!(trials >= 80, "{trials}");
}

#[test]
fn missing_and_shortened_files_of_sled_cost_nothing_and_are_told() {
    let sample = sample(Closed::InOrder);
    for file in files(&sample.path.join("sled"), "") {
        let of = |path: &Path| path.join("sled").join(name(&file));
        assert_eq!(
            try_damage(&sample, |path| fs::remove_file(of(path)).unwrap()),
            Outcome::Whole { told: true }
        );
        for length in spread(length(&file), 4) {
            assert_eq!(
                try_damage(&sample, |path| truncate(&of(path), length)),
                Outcome::Whole { told: true }
            );
        }
    }
    let outcome = try_damage(&sample, |path| fs::remove_dir_all(path.join("sled")).unwrap());
    assert_eq!(outcome, Outcome::Whole { told: true });
}

#[test]
fn damaged_folders_of_sled_are_put_by_and_bounded() {
    let sample = sample(Closed::InOrder);
    for round in 0..6 {
        flip(&sample.path.join("sled/db"), 100 * round, 64);
        let (store, opened) = open(&sample.path).unwrap();
        let recovered = opened.recovered.unwrap();
        let kept_in = format!("sled.damaged-{}", round + 1);
        assert!(
            matches!(&recovered.findings[..], [Finding::SledDamaged { kept_in: Some(folder), .. }] if *folder == kept_in),
            "{recovered:?}"
        );
        assert!(recovered.to_string().ends_with("Nothing was lost."), "{recovered}");
        assert_eq!(contents(&store), *sample.models.last().unwrap());
    }
    let kept = fs::read_dir(&sample.path)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("sled.damaged-"));
    assert_eq!(kept.count(), 3);
}

#[test]
fn one_damaged_snapshot_costs_nothing() {
    for closed in [Closed::InOrder, Closed::Not] {
        let sample = sample(closed);
        let snapshots = files(&sample.path, "snapshot-");
        for position in spread(length(&snapshots[1]), 25) {
            let outcome = try_damage(&sample, |path| flip(&path.join(name(&snapshots[1])), position, 1));
            assert_eq!(outcome, Outcome::Whole { told: true }, "newer, {position}");
            let outcome = try_damage(&sample, |path| truncate(&path.join(name(&snapshots[1])), position));
            assert_eq!(outcome, Outcome::Whole { told: true }, "newer, length {position}");
        }
        let outcome = try_damage(&sample, |path| flip(&path.join(name(&snapshots[0])), 50, 1));
        assert_eq!(outcome, Outcome::Whole { told: false }, "older, not looked at");
    }
}

#[test]
fn a_damaged_journal_costs_nothing_while_sled_was_closed_in_order() {
    let sample = sample(Closed::InOrder);
    let journal = &files(&sample.path, "journal-")[1];
    for position in spread(length(journal), 80) {
        let outcome = try_damage(&sample, |path| flip(&path.join(name(journal)), position, 3));
        // Behind the last frame lies its acknowledgement, which is needed no more.
        let is_needed = position < length(journal) - 120;
        assert!(matches!(outcome, Outcome::Whole { told } if told || !is_needed), "{position}: {outcome:?}");
        let outcome = try_damage(&sample, |path| truncate(&path.join(name(journal)), position));
        assert!(
            matches!(outcome, Outcome::Whole { told } if told || !is_needed),
            "length {position}: {outcome:?}"
        );
    }
    let outcome = try_damage(&sample, |path| fs::remove_file(path.join(name(journal))).unwrap());
    assert_eq!(outcome, Outcome::Whole { told: true });
}

#[test]
fn a_damaged_journal_after_a_power_cut_falls_back_and_says_so() {
    let sample = sample(Closed::Not);
    let journal = &files(&sample.path, "journal-")[1];
    let mut earlier = Vec::new();
    // Damage that takes the last frame and its acknowledgement together looks like an append that was cut short.
    for position in spread(length(journal), 80).filter(|position| *position < length(journal) - 123) {
        let outcome = try_damage(&sample, |path| flip(&path.join(name(journal)), position, 3));
        let Outcome::Earlier(number) = outcome else { panic!("{position}: {outcome:?}") };
        assert!(number < sample.models.len() - 1);
        earlier.push(number);
    }
    assert!(earlier.is_sorted() && earlier.first() < earlier.last(), "the later the damage the less is lost");
    let outcome = try_damage(&sample, |path| fs::remove_file(path.join(name(journal))).unwrap());
    assert!(matches!(outcome, Outcome::Earlier(_)), "{outcome:?}");
}

#[test]
fn frames_swapped_in_the_journal_are_noticed() {
    let sample = sample(Closed::Not);
    let journal = &files(&sample.path, "journal-")[1];
    let bytes = fs::read(journal).unwrap();
    let mut starts = Vec::new();
    let mut start = 112;
    while start < bytes.len() {
        starts.push(start);
        start +=
            usize::try_from(u32::from_le_bytes(bytes[start + 4..start + 8].try_into().unwrap())).unwrap();
    }
    let frames: Vec<_> = starts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
    assert!(frames.len() >= 3);
    for first in 0..frames.len() - 1 {
        let mut swapped = frames.clone();
        swapped.swap(first, first + 1);
        let changed = [&bytes[..112], &swapped.concat()].concat();
        let outcome = try_damage(&sample, |path| fs::write(path.join(name(journal)), changed).unwrap());
        assert!(matches!(outcome, Outcome::Earlier(_)), "{first}: {outcome:?}");
    }
}

#[test]
fn files_exchanged_for_older_ones_are_noticed() {
    let sample = sample(Closed::Not);
    let (journals, snapshots) = (files(&sample.path, "journal-"), files(&sample.path, "snapshot-"));
    for pair in [journals, snapshots] {
        let outcome = try_damage(&sample, |path| {
            fs::copy(path.join(name(&pair[0])), path.join(name(&pair[1]))).unwrap();
        });
        assert!(matches!(outcome, Outcome::Earlier(_) | Outcome::Whole { told: true }), "{outcome:?}");
    }
}

#[test]
fn both_snapshots_damaged_is_survived_by_sled_or_refused() {
    let damage = |path: &Path| files(path, "snapshot-").iter().for_each(|file| flip(file, 200, 8));
    assert_eq!(try_damage(&sample(Closed::InOrder), damage), Outcome::Whole { told: true });
    let sample = sample(Closed::Not);
    let before: Vec<_> = files(&sample.path, "").iter().map(|path| name(path)).collect();
    damage(&sample.path);
    assert!(matches!(open(&sample.path), Err(OpenError::Damaged)));
    let after: Vec<_> = files(&sample.path, "").iter().map(|path| name(path)).collect();
    assert_eq!(before, after, "a store that is refused is left as it is");
}

/// Damages a stretch of a file in one of several ways.
fn damage_somehow(path: &Path, start: usize, stretch: usize, way: u8, filler: u8) {
    let mut bytes = fs::read(path).unwrap();
    let start = start % bytes.len();
    let end = (start + stretch).min(bytes.len());
    match way {
        0 => bytes[start..end].fill(filler),
        1 => bytes[start..end].iter_mut().for_each(|byte| *byte ^= filler | 1),
        2 => bytes.truncate(start),
        3 => drop(bytes.drain(start..end)),
        4 => bytes.copy_within(..end - start, start),
        _ => bytes.extend_from_within(start..end),
    }
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_to_one_file_costs_anything_after_closing_in_order(
        file in any::<Index>(), start in any::<usize>(), stretch in 1usize..600, way in 0u8..6, filler: u8,
    ) {
        static SAMPLE: LazyLock<Sample> = LazyLock::new(|| sample(Closed::InOrder));
        let mut all = files(&SAMPLE.path, "");
        all.extend(files(&SAMPLE.path.join("sled"), ""));
        all.retain(|path| length(path) > 0);
        let damaged = file.get(&all).strip_prefix(&SAMPLE.path).unwrap();
        let outcome = try_damage(&SAMPLE, |path| damage_somehow(&path.join(damaged), start, stretch, way, filler));
        prop_assert!(matches!(outcome, Outcome::Whole { .. }), "{damaged:?} {outcome:?}");
    }

    #[test]
    fn no_damage_to_several_files_gives_a_state_that_never_was(
        damages in vec((any::<Index>(), any::<usize>(), 1usize..600, 0u8..6, any::<u8>()), 2..6),
    ) {
        static SAMPLE: LazyLock<Sample> = LazyLock::new(|| sample(Closed::Not));
        let mut all = files(&SAMPLE.path, "");
        all.retain(|path| length(path) > 0);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        copy(&SAMPLE.path, &path);
        for (file, start, stretch, way, filler) in damages {
            let damaged = path.join(file.get(&all).strip_prefix(&SAMPLE.path).unwrap());
            if length(&damaged) > 0 {
                damage_somehow(&damaged, start, stretch, way, filler);
            }
        }
        if let Ok((store, _)) = open(&path) {
            let found = contents(&store);
            prop_assert!(SAMPLE.models.contains(&found), "{found:?}");
        }
    }
}

#[test]
fn an_emptied_folder_with_sled_left_is_no_new_store() {
    let sample = sample(Closed::Not);
    for file in files(&sample.path, "") {
        fs::remove_file(file).unwrap();
    }
    assert!(matches!(open(&sample.path), Err(OpenError::Damaged)));
}

#[test]
fn a_seal_that_belongs_to_other_files_is_noticed() {
    let sample = sample(Closed::InOrder);
    let seal = fs::read(sample.path.join("sled.seal")).unwrap();
    let (store, _) = open(&sample.path).unwrap();
    store.commit(Batch::new().put("t", [0], "newer")).unwrap();
    let expected = contents(&store);
    drop(store);
    fs::write(sample.path.join("sled.seal"), seal).unwrap();
    let (store, opened) = open(&sample.path).unwrap();
    assert_eq!(contents(&store), expected);
    assert_eq!(opened.recovered.unwrap().loss, Loss::None);
}

#[test]
fn a_file_with_an_absurd_number_is_refused() {
    for (file, refused) in
        [("journal-fffffffffffffffe", true), ("snapshot-ffffffffffffffff", true), ("journal-zz", false)]
    {
        let sample = sample(Closed::InOrder);
        fs::write(sample.path.join(file), "nonsense").unwrap();
        assert_eq!(open(&sample.path).is_err(), refused, "{file}");
    }
}
