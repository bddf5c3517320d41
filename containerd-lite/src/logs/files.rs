//! A log on the disk: a few files, the oldest of which goes when there is no room.
//!
//! A file is named by the number of its first line. A line is `number<TAB>milliseconds<TAB>stream<TAB>text`; one that a cut left half is
//! passed over, and each run begins a file of its own, so that nothing is ever added to half a line.

use model::containers::LogLine;
use model::containers::LogPage;
use model::containers::LogStream;
use std::fmt::Write as _;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

/// Most bytes of a container's log.
pub const MAX_BYTES: u64 = 2 << 20;
/// A file that is longer is not added to.
const MAX_FILE: u64 = 256 << 10;
/// Most files: short runs of the box leave short ones.
const MAX_FILES: usize = 64;
/// No file is longer: a full one, and what was waiting when it was almost full.
const MAX_READ: u64 = 4 << 20;
/// Most bytes of text in an answer; JSON may make six of each.
const MAX_PAGE: usize = 2 << 20;

/// The files of one container.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    next: u64,
    /// Number of its first line, and its length.
    current: Option<(u64, u64)>,
}

impl Files {
    /// Takes up what is there; nothing is made before the first line.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut next = 1;
        for first in segments(folder)?.into_iter().rev() {
            next = next.max(first);
            // The newest file may have no whole line.
            if let Some(last) = read(folder, first)?.last() {
                next = next.max(last.number.saturating_add(1));
                break;
            }
        }
        Ok(Self { folder: folder.to_owned(), next, current: None })
    }

    /// The number of the next line.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Adds lines; they get their numbers here.
    ///
    /// # Errors
    /// When the disk does not take them. Some may be there nonetheless.
    pub fn append(&mut self, lines: &[(u64, LogStream, String)]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let first = self.next;
        let (start, length) = match self.current {
            Some((start, length)) if length < MAX_FILE => (start, length),
            Some(_) | None => (first, 0),
        };
        let mut text = String::new();
        for (number, (unix_ms, stream, line)) in (first..).zip(lines) {
            writeln!(text, "{number}\t{unix_ms}\t{}\t{line}", letter(*stream)).map_err(io::Error::other)?;
        }
        // Numbers are used up whatever comes of it: half of the lines may be there.
        self.next = self.next.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        self.current = None;
        fs::create_dir_all(&self.folder)?;
        let path = path(&self.folder, start);
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        self.current = Some((start, length.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX))));
        self.make_room()
    }

    /// Writes out what was added.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sync(&self) -> io::Result<()> {
        let Some((start, _)) = self.current else { return Ok(()) };
        File::open(path(&self.folder, start))?.sync_data()
    }

    fn make_room(&self) -> io::Result<()> {
        let segments = segments(&self.folder)?;
        let mut total = 0_u64;
        for (place, first) in segments.iter().rev().enumerate() {
            let path = path(&self.folder, *first);
            total = total.saturating_add(fs::metadata(&path)?.len());
            // The newest one stays in any case.
            if place > 0 && (total > MAX_BYTES || place >= MAX_FILES) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Lines from a number on, or the last ones with number 0; at most so many.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn page(&self, from: u64, limit: usize) -> io::Result<LogPage> {
        let segments = segments(&self.folder)?;
        let mut lines: Vec<LogLine> = Vec::new();
        if from == 0 {
            for first in segments.into_iter().rev() {
                lines.splice(0..0, read(&self.folder, first)?);
                if lines.len() >= limit {
                    break;
                }
            }
            lines.drain(..lines.len().saturating_sub(limit));
            let mut bytes = 0_usize;
            let fits = lines.iter().rev().take_while(|line| is_within(&mut bytes, line)).count();
            lines.drain(..lines.len().saturating_sub(fits));
        } else {
            let begin = segments.iter().rposition(|first| *first <= from).unwrap_or(0);
            let mut bytes = 0_usize;
            'files: for first in segments.into_iter().skip(begin) {
                for line in read(&self.folder, first)?.into_iter().filter(|line| line.number >= from) {
                    if lines.len() >= limit || !is_within(&mut bytes, &line) {
                        break 'files;
                    }
                    lines.push(line);
                }
            }
        }
        Ok(LogPage { lines, next: self.next })
    }
}

fn is_within(bytes: &mut usize, line: &LogLine) -> bool {
    *bytes = bytes.saturating_add(line.text.len() + 64);
    *bytes <= MAX_PAGE
}

fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.log"))
}

/// First numbers of all files, in order.
fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut segments = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        segments.extend(name.to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok()));
    }
    segments.sort_unstable();
    Ok(segments)
}

fn read(folder: &Path, first: u64) -> io::Result<Vec<LogLine>> {
    let mut bytes = Vec::new();
    match File::open(path(folder, first)) {
        // It went to make room.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?.take(MAX_READ).read_to_end(&mut bytes)?,
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default());
    Ok(text.lines().filter_map(parse).collect())
}

fn parse(text: &str) -> Option<LogLine> {
    let mut parts = text.splitn(4, '\t');
    let (number, unix_ms) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let stream = match parts.next()? {
        "o" => LogStream::Stdout,
        "e" => LogStream::Stderr,
        "b" => LogStream::Box,
        _ => return None,
    };
    Some(LogLine { number, unix_ms, stream, text: parts.next()?.to_owned() })
}

fn letter(stream: LogStream) -> char {
    match stream {
        LogStream::Stdout => 'o',
        LogStream::Stderr => 'e',
        LogStream::Box => 'b',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<(u64, LogStream, String)> {
        texts.iter().map(|text| (7, LogStream::Stdout, (*text).to_owned())).collect()
    }

    fn numbers(page: &LogPage) -> Vec<u64> {
        page.lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn lines_are_read_as_they_were_written_and_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::open(&folder.path().join("web")).unwrap();
        assert_eq!(files.page(0, 10).unwrap(), LogPage { lines: Vec::new(), next: 1 });
        files
            .append(&[(5, LogStream::Stderr, "a\tb".to_owned()), (6, LogStream::Box, String::new())])
            .unwrap();
        files.append(&lines(&["c"])).unwrap();
        files.sync().unwrap();
        let page = files.page(1, 10).unwrap();
        assert_eq!(page.lines[0].text, "a\tb");
        assert_eq!((page.lines[1].stream, page.lines[1].unix_ms, page.next), (LogStream::Box, 6, 4));
        let mut files = Files::open(&folder.path().join("web")).unwrap();
        files.append(&lines(&["d"])).unwrap();
        assert_eq!(numbers(&files.page(0, 2).unwrap()), [3, 4]);
        assert_eq!(numbers(&files.page(2, 2).unwrap()), [2, 3]);
        assert_eq!(numbers(&files.page(4, 9).unwrap()), [4]);
        assert_eq!(numbers(&files.page(5, 9).unwrap()), [0; 0]);
    }

    #[test]
    fn half_a_line_is_passed_over_and_nothing_is_added_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::open(folder.path()).unwrap();
        files.append(&lines(&["one", "two"])).unwrap();
        let path = path(folder.path(), 1);
        let length = fs::metadata(&path).unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 2).unwrap();
        let mut files = Files::open(folder.path()).unwrap();
        assert_eq!(files.next(), 2);
        files.append(&lines(&["three"])).unwrap();
        let texts: Vec<String> = files.page(0, 9).unwrap().lines.into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["one", "three"]);
    }

    #[test]
    fn the_oldest_lines_go_when_there_is_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::open(folder.path()).unwrap();
        let long = "x".repeat(1000);
        for _ in 0..400 {
            files.append(&lines(&[&*long; 10])).unwrap();
        }
        let bytes: u64 =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
        assert!((MAX_BYTES / 2..=MAX_BYTES).contains(&bytes), "{bytes}");
        let oldest = files.page(1, 1).unwrap();
        assert!(oldest.lines[0].number > 1000 && oldest.next == 4001);
        // And an answer has its bounds too.
        assert!(files.page(oldest.lines[0].number, 100_000).unwrap().lines.len() < 2100);
        assert_eq!(*numbers(&files.page(0, 100_000).unwrap()).last().unwrap(), 4000);
    }

    #[test]
    fn many_short_runs_leave_not_too_many_files() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..MAX_FILES + 10 {
            Files::open(folder.path()).unwrap().append(&lines(&["x"])).unwrap();
        }
        assert_eq!(segments(folder.path()).unwrap().len(), MAX_FILES);
        assert_eq!(Files::open(folder.path()).unwrap().next(), u64::try_from(MAX_FILES).unwrap() + 11);
    }
}
