//! Single flipped bits in all files of a store, and records exchanged for each other.
//!
//! The seed is printed; `STORE_SEED` repeats a run.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::sample::Closed;
use crate::sample::Outcome;
use crate::sample::files;
use crate::sample::length;
use crate::sample::name;
use crate::sample::sample;
use crate::sample::try_damage;

const FLIPS: usize = 200;

/// splitmix64
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}

fn seed() -> u64 {
    let seed = match std::env::var("STORE_SEED") {
        Ok(seed) => seed.parse().expect("STORE_SEED is a number"),
        Err(_) => {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).unwrap();
            u64::from_le_bytes(bytes)
        }
    };
    eprintln!("STORE_SEED={seed}");
    seed
}

/// How many of the flips were harmless, told, cost commits (told), and led to a refusal.
#[derive(Debug, Default)]
struct Tally {
    harmless: usize,
    told: usize,
    earlier: usize,
    refused: usize,
}

/// Flips bits one at a time in copies of a store. That none gives wrong data or a silent loss is checked in [`try_damage`].
fn flip_many(closed: Closed) -> Tally {
    let sample = sample(closed);
    let mut all = files(&sample.path, "");
    all.extend(files(&sample.path.join("sled"), ""));
    all.retain(|path| length(path) > 0);
    let mut chance = Chance(seed());
    let mut tally = Tally::default();
    for _ in 0..FLIPS {
        let file = &all[chance.below(all.len())];
        let (position, bit) = (chance.below(length(file)), chance.below(8));
        let below = file.strip_prefix(&sample.path).unwrap();
        let outcome = try_damage(&sample, |path| {
            let mut bytes = fs::read(path.join(below)).unwrap();
            bytes[position] ^= 1 << bit;
            fs::write(path.join(below), bytes).unwrap();
        });
        match outcome {
            Outcome::Whole { told: false } => tally.harmless += 1,
            Outcome::Whole { told: true } => tally.told += 1,
            Outcome::Earlier(_) => tally.earlier += 1,
            Outcome::Refused => tally.refused += 1,
        }
    }
    eprintln!("{tally:?}");
    tally
}

#[test]
fn every_flip_after_closing_in_order_is_noticed_or_harmless_and_costs_nothing() {
    let tally = flip_many(Closed::InOrder);
    assert_eq!((tally.earlier, tally.refused), (0, 0));
    assert!(tally.told > FLIPS / 4, "{tally:?}");
}

#[test]
fn every_flip_after_a_power_cut_is_noticed_or_harmless() {
    let tally = flip_many(Closed::Not);
    assert_eq!(tally.refused, 0, "one flip leaves enough to go on with");
    assert!(tally.earlier > 0, "the newer journal is one of the files");
}

/// Where the sealed values of a snapshot lie: behind 96 bytes of header, `length ‖ name ‖ length ‖ sealed value` each.
fn sealed_values(bytes: &[u8]) -> Vec<(usize, usize)> {
    let number =
        |at: usize| usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
    let (mut at, mut found) = (96, Vec::new());
    while at < bytes.len() - 32 {
        let sealed = at + 4 + number(at);
        found.push((sealed + 4, number(sealed)));
        at = sealed + 4 + number(sealed);
    }
    found
}

#[test]
fn records_exchanged_in_a_snapshot_are_noticed() {
    for closed in [Closed::InOrder, Closed::Not] {
        let sample = sample(closed);
        for file in files(&sample.path, "snapshot-") {
            let bytes = fs::read(&file).unwrap();
            let values = sealed_values(&bytes);
            assert!(values.len() >= 5);
            for pair in values.windows(2) {
                let ((first, first_length), (second, second_length)) = (pair[0], pair[1]);
                let shorter = first_length.min(second_length);
                let mut exchanged = bytes.clone();
                exchanged[first..first + shorter].copy_from_slice(&bytes[second..second + shorter]);
                exchanged[second..second + shorter].copy_from_slice(&bytes[first..first + shorter]);
                let outcome =
                    try_damage(&sample, |path| fs::write(path.join(name(&file)), &exchanged).unwrap());
                assert!(matches!(outcome, Outcome::Whole { .. }), "{}: {outcome:?}", name(&file));
            }
        }
    }
}

#[test]
fn files_exchanged_for_each_other_are_noticed() {
    for closed in [Closed::InOrder, Closed::Not] {
        let sample = sample(closed);
        let all: Vec<PathBuf> = files(&sample.path, "").into_iter().filter(|path| length(path) > 0).collect();
        for first in &all {
            for second in all.iter().filter(|second| *second != first) {
                // What must hold whatever is done is checked in there.
                try_damage(&sample, |path: &Path| {
                    let (first, second, spare) =
                        (path.join(name(first)), path.join(name(second)), path.join("spare"));
                    fs::rename(&first, &spare).unwrap();
                    fs::rename(&second, &first).unwrap();
                    fs::rename(&spare, &second).unwrap();
                });
            }
        }
    }
}
