//! What became of each file of a backup that is running, in the order of the walk.
//!
//! Files are read by several threads and end out of order; unchanged ones are never read. Each file carries a
//! [`Ticket`], and a ticket that is dropped says what happened. Lines wait here until those before them are known.

use crate::control::Control;
use crate::control::Progress;
use crate::guard::lock;
use crate::manifest::Line;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::time::Duration;

/// Names of files that were left out are kept up to this many; all are counted.
const MAX_NAMED: usize = 50;

/// Why something is not in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// It could not be read: no permission, or the disk failed.
    Unreadable,
    /// It was gone before it was read.
    Vanished,
    /// It is neither file, folder nor link.
    Special,
    /// A link that leads out of its source.
    LinkLeads,
    /// Another file system is mounted there.
    OtherFileSystem,
    /// Its name or place is longer than a backup takes.
    TooLong,
}

/// What is known at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) links: u64,
    pub(crate) unchanged: u64,
    pub(crate) left_out: BTreeMap<LeftOut, u64>,
    pub(crate) named: Vec<(LeftOut, String)>,
}

struct State {
    issued: u64,
    /// The next line to write.
    next: u64,
    waiting: BTreeMap<u64, Option<Line>>,
    spool: BufWriter<File>,
    totals: Totals,
    progress: Progress,
    failed: Option<io::Error>,
    /// A file was neither read nor known from before.
    lost: bool,
    /// A file of a sealed source is not what its list says.
    changed: bool,
}

pub(crate) struct Tally {
    state: Mutex<State>,
    changed: Condvar,
    control: Control,
}

/// What happened to the file of a ticket.
enum Outcome {
    Unopened,
    Reading,
    Read { size: u64, sha256: String },
    LeftOut(LeftOut),
    Changed,
}

/// A file on its way.
pub(crate) struct Ticket {
    tally: Arc<Tally>,
    number: u64,
    path: String,
    size: u64,
    known: Option<String>,
    outcome: Outcome,
}

impl Tally {
    pub(crate) fn new(spool: File, progress: Progress, control: Control) -> Arc<Self> {
        let state = State {
            issued: 0,
            next: 0,
            waiting: BTreeMap::new(),
            spool: BufWriter::new(spool),
            totals: Totals::default(),
            progress,
            failed: None,
            lost: false,
            changed: false,
        };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new(), control })
    }

    /// A line that is known at once.
    pub(crate) fn push(&self, line: Line) {
        let mut state = lock(&self.state);
        let number = state.issued;
        state.issued += 1;
        state.totals.links += u64::from(matches!(line, Line::Link { .. }));
        state.settle(number, Some(line));
    }

    /// A file that is about to be saved; `known` is its SHA-256 in the parent snapshot.
    pub(crate) fn issue(self: &Arc<Self>, path: String, size: u64, known: Option<String>) -> Ticket {
        let mut state = lock(&self.state);
        let number = state.issued;
        state.issued += 1;
        Ticket { tally: Arc::clone(self), number, path, size, known, outcome: Outcome::Unopened }
    }

    pub(crate) fn leave_out(&self, why: LeftOut, path: String) {
        lock(&self.state).leave_out(why, path);
    }

    /// Waits until all files so far are known, and ends the manifest. `None` when the backup must not become a
    /// snapshot.
    pub(crate) fn finish(&self) -> Option<Totals> {
        let mut state = lock(&self.state);
        while state.next < state.issued {
            if self.control.cancel.is_cancelled() {
                return None;
            }
            let waited = self.changed.wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        let end = Line::End { files: state.totals.files, bytes: state.totals.bytes };
        state.write(&end);
        if let Err(error) = state.spool.flush() {
            state.failed.get_or_insert(error);
        }
        (!state.lost && state.failed.is_none() && !self.control.cancel.is_cancelled())
            .then(|| state.totals.clone())
    }

    /// Whether the parent's manifest did not fit the parent's tree.
    pub(crate) fn lost(&self) -> bool {
        lock(&self.state).lost
    }

    /// Whether files of a sealed source were changed while they were saved.
    pub(crate) fn changed(&self) -> bool {
        lock(&self.state).changed
    }

    /// The error of the scratch file, if it failed.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        lock(&self.state).failed.take()
    }

    pub(crate) fn totals(&self) -> Totals {
        lock(&self.state).totals.clone()
    }
}

impl State {
    fn settle(&mut self, number: u64, line: Option<Line>) {
        self.waiting.insert(number, line);
        while let Some(line) = self.waiting.remove(&self.next) {
            self.next += 1;
            if let Some(line) = line {
                self.write(&line);
            }
        }
    }

    fn write(&mut self, line: &Line) {
        let written = serde_json::to_writer(&mut self.spool, line).map_err(io::Error::from);
        if let Err(error) = written.and_then(|()| self.spool.write_all(b"\n")) {
            self.failed.get_or_insert(error);
        }
    }

    fn leave_out(&mut self, why: LeftOut, path: String) {
        *self.totals.left_out.entry(why).or_default() += 1;
        if self.totals.named.len() < MAX_NAMED {
            self.totals.named.push((why, path));
        }
    }
}

impl Ticket {
    pub(crate) fn reading(&mut self) {
        self.outcome = Outcome::Reading;
        let mut state = lock(&self.tally.state);
        state.progress.current = Some(self.path.clone());
    }

    pub(crate) fn read_some(&self, bytes: u64) {
        let mut state = lock(&self.tally.state);
        let before = state.progress.bytes >> 20;
        state.progress.bytes += bytes;
        let shown = (state.progress.bytes >> 20 != before).then(|| state.progress.clone());
        drop(state);
        if let Some(progress) = shown {
            self.tally.control.tell(&progress);
        }
    }

    pub(crate) fn read_all(&mut self, size: u64, sha256: String) {
        self.outcome = Outcome::Read { size, sha256 };
    }

    pub(crate) fn leave_out(&mut self, why: LeftOut) {
        self.outcome = Outcome::LeftOut(why);
    }

    /// The file is not what its list says: no snapshot may be made of the rest.
    pub(crate) fn was_changed(&mut self) {
        self.outcome = Outcome::Changed;
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.tally.control.cancel.is_cancelled()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        let mut state = lock(&self.tally.state);
        let file = match (std::mem::replace(&mut self.outcome, Outcome::Reading), self.known.take()) {
            (Outcome::Read { size, sha256 }, _) => Some((size, sha256)),
            (Outcome::Unopened, Some(sha256)) => {
                state.totals.unchanged += 1;
                state.progress.bytes += self.size;
                Some((self.size, sha256))
            }
            (Outcome::LeftOut(why), _) => {
                state.leave_out(why, path.clone());
                None
            }
            (Outcome::Unopened, None) | (Outcome::Reading, _) => {
                state.lost = true;
                None
            }
            (Outcome::Changed, _) => {
                (state.lost, state.changed) = (true, true);
                None
            }
        };
        let line = file.map(|(size, sha256)| {
            state.totals.files += 1;
            state.totals.bytes += size;
            state.progress.files += 1;
            Line::File { path, size, sha256 }
        });
        state.settle(self.number, line);
        let progress = state.progress.clone();
        drop(state);
        self.tally.changed.notify_all();
        self.tally.control.tell(&progress);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Phase;
    use std::fs;

    fn tally(folder: &tempfile::TempDir) -> Arc<Tally> {
        let spool = File::create(folder.path().join("spool")).unwrap();
        Tally::new(spool, Progress::begin(Phase::Saving), Control::default())
    }

    #[test]
    fn lines_keep_the_order_of_the_walk() {
        let folder = tempfile::tempdir().unwrap();
        let tally = tally(&folder);
        let mut first = tally.issue("a".into(), 1, None);
        let second = tally.issue("b".into(), 2, Some("bb".into()));
        let mut third = tally.issue("c".into(), 3, None);
        third.leave_out(LeftOut::Vanished);
        drop(third);
        drop(second);
        first.read_all(9, "aa".into());
        drop(first);
        let totals = tally.finish().unwrap();
        assert_eq!((totals.files, totals.bytes, totals.unchanged), (2, 11, 1));
        assert_eq!(totals.named, [(LeftOut::Vanished, "c".to_owned())]);
        let text = fs::read_to_string(folder.path().join("spool")).unwrap();
        let sums: Vec<&str> = text.split("sha256\":\"").skip(1).map(|rest| &rest[..2]).collect();
        assert_eq!(sums, ["aa", "bb"], "{text}");
    }

    #[test]
    fn a_file_that_is_not_known_makes_no_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let unknown = tally(&folder);
        drop(unknown.issue("a".into(), 1, None));
        assert!(unknown.finish().is_none() && unknown.lost());
        let broken = tally(&folder);
        let mut ticket = broken.issue("a".into(), 1, None);
        ticket.reading();
        drop(ticket);
        assert!(broken.finish().is_none() && broken.lost());
    }
}
