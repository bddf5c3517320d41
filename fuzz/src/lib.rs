//! Decoders of bytes from outside, as a table: each takes any bytes and must neither panic nor run on nor eat memory.
//!
//! `cargo xtask fuzz` builds this crate with LLVM's coverage counters and libFuzzer around it, plays the corpus and then looks for
//! inputs that reach new code. A target returns nothing: what is wrong shows as a panic, a time-out or a limit of memory.
//!
//! A new decoder gets a row in a table below `targets`, and a few valid messages in `corpus/<name>/`.

mod targets;

use std::fmt;

/// A decoder.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name; also the folder of its corpus.
    pub name: &'static str,
    /// Whose bytes these are.
    pub source: &'static str,
    /// Longest input that can come from there, in bytes, or enough to reach every branch.
    pub longest: usize,
    /// Takes the bytes.
    pub run: fn(&[u8]),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All of them.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    targets::TABLES.iter().flat_map(|table| table.iter())
}

/// The one of this name. [`CANARY`] is none of the table.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    std::iter::once(&CANARY).chain(targets()).find(|target| target.name == name)
}

/// Panics, but for one input only that nobody finds by chance: finding it shows that the engine is led by what the code does.
pub const CANARY: Target = Target {
    name: "canary",
    source: "nobody",
    longest: 64,
    run: |bytes| {
        if let [b'c', b'a', b'n', b'a', b'r', b'y', rest @ ..] = bytes {
            assert!(!rest.starts_with(b"sings"), "the canary sings");
        }
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// A seed is a message, not a recording.
    const LARGEST_SEED: u64 = 1024;

    #[test]
    fn every_target_takes_its_corpus() {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        for target in targets() {
            let mut seeds = 0;
            for entry in fs::read_dir(corpora.join(target.name)).expect(target.name) {
                let path = entry.unwrap().path();
                assert!(fs::metadata(&path).unwrap().len() <= LARGEST_SEED, "{}", path.display());
                (target.run)(&fs::read(&path).unwrap());
                seeds += 1;
            }
            assert!(seeds > 0, "{} has no corpus", target.name);
        }
    }

    #[test]
    fn names_are_different_and_every_corpus_belongs_to_one() {
        let names: BTreeSet<_> = targets().map(|target| target.name).collect();
        assert_eq!(names.len(), targets().count());
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(names.contains(name.to_str().unwrap()), "{name:?} belongs to no target");
        }
    }

    #[test]
    fn bytes_of_nothing_are_taken() {
        for target in targets() {
            for bytes in [&[][..], &[0; 64], &[0xff; 64]] {
                (target.run)(bytes);
            }
        }
    }
}
