//! The last time that was known to be right, in a small file.
//!
//! Written at most once an hour and at the stop, because SD cards wear. It is a few lines of text with a checksum; anything
//! else is ignored with a reason, never half believed. Invariant: the file is whole, old or new, whatever happens meanwhile.

use std::fmt::Write as _;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write as _;
use std::path::Path;

use crate::steps::END;
use crate::time::Timestamp;

const HEAD: &str = "hearth-time 1";
/// More than any file has that was written here.
const LONGEST: u64 = 512;
/// Largest correction of a crystal that is kept, in ppm; see `discipline`.
const MOST_PPM: f64 = 500.0;

/// What is kept over a reboot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastKnown {
    /// The last time that was known to be right.
    pub time: Timestamp,
    /// The same, by servers that proved who they are.
    pub proved: Option<Timestamp>,
    /// By how much the clock must be sped up against its crystal, in parts per million.
    pub frequency_ppm: f64,
}

/// Why a file is ignored.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Reading it.
    #[error("reading the last known time")]
    Read(#[source] io::Error),
    /// It is no such file, or damaged.
    #[error("the file with the last known time is damaged: {0}")]
    Damaged(&'static str),
}

/// Why it could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("keeping the last known time: {step}")]
pub struct SaveError {
    step: &'static str,
    source: io::Error,
}

/// Reads the file; none when there is none.
///
/// # Errors
/// Why it is ignored.
pub fn load(path: &Path) -> Result<Option<LastKnown>, LoadError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LoadError::Read(error)),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(LoadError::Read)?;
    parse(&bytes).map(Some).map_err(LoadError::Damaged)
}

/// Writes the file: aside, to the disk, in place, and the folder to the disk.
///
/// # Errors
/// Which step failed.
pub fn save_blocking(path: &Path, known: &LastKnown) -> Result<(), SaveError> {
    let at = |step| move |source| SaveError { step, source };
    let aside = path.with_extension("new");
    let mut file = File::create(&aside).map_err(at("creating the file"))?;
    file.write_all(format(known).as_bytes()).map_err(at("writing the file"))?;
    file.sync_all().map_err(at("flushing the file"))?;
    fs::rename(&aside, path).map_err(at("renaming the file"))?;
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at("flushing the folder"))
}

fn format(known: &LastKnown) -> String {
    let mut text = format!("{HEAD}\ntime={}\n", known.time.secs());
    if let Some(proved) = known.proved {
        push(&mut text, "proved", proved.secs());
    }
    push(&mut text, "frequency", known.frequency_ppm);
    let sum = crc32fast::hash(text.as_bytes());
    push(&mut text, "crc32", format_args!("{sum:08x}"));
    text
}

fn push(text: &mut String, key: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    writeln!(text, "{key}={value}").unwrap_or_default();
}

/// Reads the bytes of the file.
///
/// # Errors
/// What is wrong with them.
pub fn parse(bytes: &[u8]) -> Result<LastKnown, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_not_text| "it is not text")?;
    let (body, sum) = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once("crc32="))
        .filter(|(body, _)| body.ends_with('\n'))
        .ok_or("it has no checksum")?;
    if sum != format!("{:08x}", crc32fast::hash(body.as_bytes())) {
        return Err("its checksum is wrong");
    }
    let mut lines = body.lines();
    if lines.next() != Some(HEAD) {
        return Err("it is of another kind");
    }
    let (mut time, mut proved, mut frequency_ppm) = (None, None, None);
    for line in lines {
        match line.split_once('=').ok_or("a line has no value")? {
            ("time", value) if time.is_none() => time = Some(date(value)?),
            ("proved", value) if proved.is_none() => proved = Some(date(value)?),
            ("frequency", value) if frequency_ppm.is_none() => frequency_ppm = Some(ppm(value)?),
            _ => return Err("a line is unknown or twice there"),
        }
    }
    match (time, frequency_ppm) {
        (Some(time), Some(frequency_ppm)) => Ok(LastKnown { time, proved, frequency_ppm }),
        _ => Err("a line is missing"),
    }
}

fn date(value: &str) -> Result<Timestamp, &'static str> {
    let seconds: i64 = value.parse().map_err(|_not_a_number| "a time is not a number")?;
    let possible = 0..END.secs();
    possible.contains(&seconds).then(|| Timestamp::from_secs(seconds)).ok_or("a time is impossible")
}

fn ppm(value: &str) -> Result<f64, &'static str> {
    let ppm: f64 = value.parse().map_err(|_not_a_number| "the frequency is not a number")?;
    // Not a number is not within the range either.
    if ppm.abs() <= MOST_PPM { Ok(ppm) } else { Err("the frequency is impossible") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> LastKnown {
        LastKnown {
            time: Timestamp::from_secs(1_800_000_000),
            proved: Some(Timestamp::from_secs(1_799_999_000)),
            frequency_ppm: -12.345,
        }
    }

    fn with_checksum(body: &str) -> String {
        format!("{body}crc32={:08x}\n", crc32fast::hash(body.as_bytes()))
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-known-time");
        assert_eq!(load(&path).unwrap(), None);
        let plain = LastKnown { proved: None, ..known() };
        for known in [known(), plain, known()] {
            save_blocking(&path, &known).unwrap();
            assert_eq!(load(&path).unwrap(), Some(known));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn half_a_file_left_aside_is_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-known-time");
        save_blocking(&path, &known()).unwrap();
        fs::write(path.with_extension("new"), "hearth-ti").unwrap();
        assert_eq!(load(&path).unwrap(), Some(known()));
        save_blocking(&path, &LastKnown { proved: None, ..known() }).unwrap();
        assert_eq!(load(&path).unwrap().unwrap().proved, None);
    }

    #[test]
    fn no_part_of_a_file_and_no_changed_bit_is_believed() {
        let text = format(&known());
        for length in 0..text.len() {
            assert!(parse(&text.as_bytes()[..length]).is_err(), "{length} bytes");
        }
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_damage_has_its_reason() {
        let cases = [
            ("hearth-time 2\ntime=1\nfrequency=0\n", "it is of another kind"),
            ("hearth-time 1\nfrequency=0\n", "a line is missing"),
            ("hearth-time 1\ntime=1\n", "a line is missing"),
            ("hearth-time 1\ntime=1\ntime=1\nfrequency=0\n", "a line is unknown or twice there"),
            ("hearth-time 1\ntime=1\nfrequency=0\nmood=fine\n", "a line is unknown or twice there"),
            ("hearth-time 1\ntime\n", "a line has no value"),
            ("hearth-time 1\ntime=soon\n", "a time is not a number"),
            ("hearth-time 1\ntime=-1\n", "a time is impossible"),
            ("hearth-time 1\ntime=4102444800\n", "a time is impossible"),
            ("hearth-time 1\ntime=1\nfrequency=fast\n", "the frequency is not a number"),
            ("hearth-time 1\ntime=1\nfrequency=NaN\n", "the frequency is impossible"),
            ("hearth-time 1\ntime=1\nfrequency=501\n", "the frequency is impossible"),
        ];
        for (body, reason) in cases {
            assert_eq!(parse(with_checksum(body).as_bytes()), Err(reason), "{body}");
        }
        assert_eq!(parse(b"hearth-time 1\ntime=1\nfrequency=0\n"), Err("it has no checksum"));
        assert_eq!(parse(&[0xff]), Err("it is not text"));
    }

    #[test]
    fn an_endless_file_is_read_no_further_than_needed() {
        load(Path::new("/dev/zero")).unwrap_err();
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(load(folder.path()).unwrap_err(), LoadError::Read(_)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(parse(&bytes).is_err());
        }

        #[test]
        fn any_lines_with_a_good_checksum_are_read_or_refused(lines in "(hearth-time 1\n)?([a-z]{0,9}=?[0-9.eE+-]{0,22}\n){0,5}") {
            if let Ok(known) = parse(with_checksum(&lines).as_bytes()) {
                prop_assert!(known.time < END && known.frequency_ppm.is_finite());
            }
        }

        #[test]
        fn whatever_is_written_is_read(time in 0..END.secs(), proved in prop::option::of(0..END.secs()), ppm in -500.0..500.0) {
            let known = LastKnown {
                time: Timestamp::from_secs(time),
                proved: proved.map(Timestamp::from_secs),
                frequency_ppm: ppm,
            };
            prop_assert_eq!(parse(format(&known).as_bytes()), Ok(known));
        }
    }
}
