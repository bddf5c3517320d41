//! Logs of containers: what they print, and what the box has to say of it.
//!
//! ```text
//!  pipes ─▶ lines ─▶ limit ─▶ waiting (in memory, bounded) ─▶ files (batched: every few seconds, or when somebody reads)
//! ```
//!
//! Whoever reads sees the disk alone, and what waited is written before: a number that was shown is never given to another line, also when
//! the daemon is killed. Two locks: one that is held for a moment only, and one for the disk, which is taken on threads that may block.

mod files;
mod limit;
mod lines;

pub use files::Files;
pub use files::MAX_BYTES;
pub use limit::BURST;
pub use limit::Limiter;
pub use limit::RATE;
pub use limit::Verdict;
pub use lines::Splitter;

use crate::runtime::ContainerId;
use model::containers::LogPage;
use model::containers::LogStream;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// Most bytes that wait for the disk: what comes while it hangs is left out.
const MAX_WAITING: usize = 1 << 20;

/// The moment, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since boot.
    pub uptime: Duration,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

/// Logs of all containers, in the folder of each app: what hides the data of an app hides its logs.
#[derive(Debug)]
pub struct Logs {
    root: PathBuf,
    logs: Mutex<BTreeMap<ContainerId, Arc<Log>>>,
}

/// The log of one container.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    waiting: Mutex<Waiting>,
    files: Mutex<Option<Files>>,
}

#[derive(Debug)]
struct Waiting {
    lines: Vec<(u64, LogStream, String)>,
    bytes: usize,
    limiter: Limiter,
    /// Left out because the disk did not take them.
    lost: u64,
}

impl Logs {
    /// In the folders of apps (`<root>/<app>/logs/<container>`); nothing is made before there is a line.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), logs: Mutex::default() }
    }

    /// The log of a container.
    pub fn of(&self, id: &ContainerId, now: Moment) -> Arc<Log> {
        let mut logs = lock(&self.logs);
        let log = logs.entry(id.clone()).or_insert_with(|| {
            let folder = self.root.join(id.app.as_str()).join("logs").join(id.name.as_str());
            Arc::new(Log::new(folder, now.uptime))
        });
        Arc::clone(log)
    }

    /// Writes what waits. Blocks.
    pub fn flush(&self, now: Moment) {
        let logs: Vec<Arc<Log>> = lock(&self.logs).values().cloned().collect();
        for log in logs {
            if let Err(error) = log.flush(now) {
                let folder = log.folder.display();
                tracing::warn!(error = &error as &dyn Error, %folder, "lines of a log were not written");
            }
        }
    }

    /// Writes what waits of an app and closes its files: its folder is about to be hidden or removed. Blocks.
    pub fn forget(&self, app: &AppKey, now: Moment) {
        let forgotten: Vec<_> = lock(&self.logs).extract_if(.., |id, _| id.app == *app).collect();
        for (id, log) in forgotten {
            if let Err(error) = log.finish(now) {
                tracing::warn!(error = &error as &dyn Error, container = %id, "the end of a log was not written");
            }
            *lock(&log.files) = None;
        }
    }
}

impl Log {
    fn new(folder: PathBuf, now: Duration) -> Self {
        let waiting = Waiting { lines: Vec::new(), bytes: 0, limiter: Limiter::new(now), lost: 0 };
        Self { folder, waiting: Mutex::new(waiting), files: Mutex::default() }
    }

    /// Takes a line that the container printed, if it may.
    pub fn take(&self, stream: LogStream, text: String, now: Moment) {
        let mut waiting = lock(&self.waiting);
        match waiting.limiter.take(text.len(), now.uptime) {
            Verdict::Keep => {}
            Verdict::KeepAfter(number) => waiting.push(LogStream::Box, left_out(number), now),
            Verdict::LeaveOut => return,
        }
        waiting.push(stream, text, now);
    }

    /// Takes a line of the box's own.
    pub fn say(&self, text: String, now: Moment) {
        lock(&self.waiting).push(LogStream::Box, text, now);
    }

    /// Writes what waits. Blocks.
    ///
    /// # Errors
    /// When the disk does not take it; those lines are counted and lost.
    pub fn flush(&self, now: Moment) -> io::Result<()> {
        let mut files = lock(&self.files);
        self.flush_to(&mut files, now)
    }

    /// What was said of a flood that goes on would only come with its end: it is said now. Then all is written out to the disk. Blocks.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn finish(&self, now: Moment) -> io::Result<()> {
        {
            let mut waiting = lock(&self.waiting);
            let number = waiting.limiter.told();
            if number > 0 {
                waiting.push(LogStream::Box, left_out(number), now);
            }
        }
        let mut files = lock(&self.files);
        self.flush_to(&mut files, now)?;
        files.as_ref().map_or(Ok(()), Files::sync)
    }

    /// Lines from a number on, or the last ones with number 0. Blocks.
    ///
    /// # Errors
    /// When the disk does not give them.
    pub fn page(&self, from: u64, limit: usize, now: Moment) -> io::Result<LogPage> {
        let mut files = lock(&self.files);
        if let Err(error) = self.flush_to(&mut files, now) {
            tracing::warn!(error = &error as &dyn Error, "lines of a log were not written");
        }
        self.opened(&mut files)?.page(from, limit)
    }

    fn flush_to(&self, files: &mut Option<Files>, now: Moment) -> io::Result<()> {
        let (lines, lost) = {
            let mut waiting = lock(&self.waiting);
            waiting.bytes = 0;
            (std::mem::take(&mut waiting.lines), std::mem::take(&mut waiting.lost))
        };
        let mut all = lines;
        let number = u64::try_from(all.len()).unwrap_or(u64::MAX);
        if lost > 0 {
            all.push((
                now.unix_ms,
                LogStream::Box,
                format!("{lost} lines were lost: the disk did not take them"),
            ));
        }
        if all.is_empty() {
            return Ok(());
        }
        let written = self.opened(files).and_then(|files| files.append(&all));
        if written.is_err() {
            let mut waiting = lock(&self.waiting);
            waiting.lost = waiting.lost.saturating_add(lost).saturating_add(number);
        }
        written
    }

    fn opened<'a>(&self, files: &'a mut Option<Files>) -> io::Result<&'a mut Files> {
        match files {
            Some(files) => Ok(files),
            None => Ok(files.insert(Files::open(&self.folder)?)),
        }
    }
}

impl Waiting {
    fn push(&mut self, stream: LogStream, text: String, now: Moment) {
        let bytes = self.bytes.saturating_add(text.len() + 64);
        if bytes > MAX_WAITING {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        self.bytes = bytes;
        // A line of ours is one line, too.
        let text = if text.contains('\n') { text.replace('\n', " ") } else { text };
        self.lines.push((now.unix_ms, stream, text));
    }
}

fn left_out(number: u64) -> String {
    format!("{number} lines were left out: at most {RATE} bytes a second are kept in the long run")
}

/// What is under these locks is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn moment(seconds: u64) -> Moment {
        Moment { uptime: Duration::from_secs(seconds), unix_ms: seconds * 1000 }
    }

    fn id() -> ContainerId {
        ContainerId { app: "notes".parse().unwrap(), name: "web".parse().unwrap() }
    }

    fn texts(page: &LogPage) -> Vec<&str> {
        page.lines.iter().map(|line| &*line.text).collect()
    }

    #[test]
    fn who_reads_sees_what_waits_and_the_numbers_outlive_the_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(folder.path());
        let log = logs.of(&id(), moment(1));
        log.take(LogStream::Stdout, "one".to_owned(), moment(1));
        log.say("it\nended".to_owned(), moment(2));
        let page = log.page(0, 10, moment(2)).unwrap();
        assert_eq!((texts(&page), page.next), (vec!["one", "it ended"], 3));
        // A daemon that was killed.
        let logs = Logs::new(folder.path());
        let log = logs.of(&id(), moment(3));
        log.take(LogStream::Stderr, "two".to_owned(), moment(3));
        logs.flush(moment(3));
        assert_eq!(log.page(2, 10, moment(3)).unwrap().lines[1].number, 3);
        log.take(LogStream::Stderr, "three".to_owned(), moment(4));
        logs.forget(&id().app, moment(4));
        logs.forget(&id().app, moment(4));
        let place = folder.path().join("notes/logs/web");
        let open =
            fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        assert_eq!(open.filter(|file| file.starts_with(&place)).count(), 0);
        assert_eq!(texts(&logs.of(&id(), moment(5)).page(4, 10, moment(5)).unwrap()), ["three"]);
    }

    #[test]
    fn a_flood_fills_neither_memory_nor_disk_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(folder.path());
        let log = logs.of(&id(), moment(1));
        for _ in 0..100_000 {
            log.take(LogStream::Stdout, "x".repeat(100), moment(1));
        }
        assert!(lock(&log.waiting).bytes <= MAX_WAITING);
        log.finish(moment(1)).unwrap();
        let page = log.page(0, 1, moment(1)).unwrap();
        assert!(texts(&page)[0].contains("lines were left out"), "{page:?}");
        let kept = page.next - 2;
        assert!(texts(&page)[0].starts_with(&(100_000 - kept).to_string()));
        assert!(kept * 132 <= BURST);
    }

    #[test]
    fn what_the_disk_does_not_take_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        // A file where the folder is to be.
        fs::write(folder.path().join("notes"), "").unwrap();
        let logs = Logs::new(folder.path());
        let log = logs.of(&id(), moment(1));
        log.take(LogStream::Stdout, "one".to_owned(), moment(1));
        log.flush(moment(1)).unwrap_err();
        fs::remove_file(folder.path().join("notes")).unwrap();
        log.take(LogStream::Stdout, "two".to_owned(), moment(2));
        let page = log.page(0, 10, moment(2)).unwrap();
        assert_eq!(texts(&page), ["two", "1 lines were lost: the disk did not take them"]);
    }
}
