//! The serial console: kept in a file, searchable by line, and quick to say that the guest is dead.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// Lines after which waiting for anything else is in vain.
const FATAL: [&str; 5] = [
    "Kernel panic - not syncing",
    "Oops: ",
    "BUG: unable to handle",
    "kernel BUG at",
    "hearth: boot refused",
];

/// What is called with every line.
pub type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// What a guest may say without failing the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// A refused boot, an oops and a panic end every wait.
    Nothing,
    /// They are what the test looks for.
    Everything,
}

/// The console of one machine over all its boots.
#[derive(Clone)]
pub struct Serial {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    tolerance: Tolerance,
    sink: Option<LineSink>,
}

struct State {
    log: File,
    lines: Vec<String>,
    partial: Vec<u8>,
    fatal: Option<String>,
    open: bool,
}

impl Serial {
    /// A console that keeps what it reads in a file.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, tolerance: Tolerance, sink: Option<LineSink>) -> Result<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("cannot open {} for the serial log", path.display()))?;
        let state = State { log, lines: Vec::new(), partial: Vec::new(), fatal: None, open: false };
        Ok(Self {
            shared: Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), tolerance, sink }),
        })
    }

    /// Reads a machine's console until it ends. The console of an earlier machine is read to its end first.
    pub fn follow(&self, mut source: impl Read + Send + 'static) {
        let ended = self.shared.changed.wait_while(self.lock(), |state| state.open);
        ended.unwrap_or_else(PoisonError::into_inner).open = true;
        let serial = self.clone();
        // Ends by itself with the machine, whose output it reads.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = source.read(&mut bytes) {
                serial.take(bytes.get(..count).unwrap_or_default());
            }
            serial.take(b"\n");
            serial.lock().open = false;
            serial.shared.changed.notify_all();
        });
    }

    /// How many lines there are: the place to search from later.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.lock().lines.len()
    }

    /// All lines from a place on.
    #[must_use]
    pub fn since(&self, mark: usize) -> Vec<String> {
        self.lock().lines.get(mark..).unwrap_or_default().to_vec()
    }

    /// Waits for a line with this text, from a place on, and returns the line.
    ///
    /// # Errors
    /// When the guest is dead, when the machine has ended, or when there is no such line in time.
    pub fn wait_line(&self, mark: usize, text: &str, deadline: Duration) -> Result<String> {
        self.wait_for(mark, &format!("\u{201c}{text}\u{201d}"), deadline, |line| line.contains(text))
    }

    /// Waits for a line that fits.
    ///
    /// # Errors
    /// As [`Self::wait_line`].
    pub fn wait_for(
        &self,
        mark: usize,
        what: &str,
        deadline: Duration,
        fits: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let start = Instant::now();
        let mut state = self.lock();
        let mut searched = mark;
        loop {
            let news = state.lines.get(searched..).unwrap_or_default();
            if let Some(line) = news.iter().find(|line| fits(line)) {
                return Ok(line.clone());
            }
            searched = state.lines.len().max(mark);
            if let Some(line) = &state.fatal {
                bail!("the guest is dead while waiting for {what} on the console: {line}");
            }
            if !state.open {
                bail!("the machine ended while waiting for {what} on the console");
            }
            let Some(left) = deadline.checked_sub(start.elapsed()) else {
                let last = state.lines.last().map_or("nothing", String::as_str);
                bail!(
                    "waited {} s in vain for {what} on the console; the last line is: {last}",
                    deadline.as_secs()
                );
            };
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the guest can still do anything.
    ///
    /// # Errors
    /// When the machine has ended, or when the guest has panicked or refused to boot and the test does not look for that.
    pub fn check(&self) -> Result<()> {
        let state = self.lock();
        match &state.fatal {
            Some(line) => bail!("the guest is dead: {line}"),
            None if !state.open => bail!("the machine has ended"),
            None => Ok(()),
        }
    }

    fn take(&self, bytes: &[u8]) {
        let mut state = self.lock();
        // A log that cannot be written must not end the test; its lines are still searched.
        drop(state.log.write_all(bytes));
        let mut fresh = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                fresh.push(readable(&std::mem::take(&mut state.partial)));
            } else {
                state.partial.push(*byte);
            }
        }
        if self.shared.tolerance == Tolerance::Nothing && state.fatal.is_none() {
            state.fatal = fresh.iter().find(|line| FATAL.iter().any(|text| line.contains(text))).cloned();
        }
        state.lines.extend(fresh.iter().cloned());
        drop(state);
        self.shared.changed.notify_all();
        if let Some(sink) = &self.shared.sink {
            fresh.iter().for_each(|line| sink(line));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serial").field("lines", &self.mark()).finish_non_exhaustive()
    }
}

/// A line without carriage returns and terminal sequences (ECMA-48 5.4), which firmware writes a lot.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut line = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                if letters.next() == Some('[') {
                    // The final byte of a sequence is between @ and ~.
                    letters.by_ref().find(|letter| ('@'..='~').contains(letter));
                }
            }
            '\r' => {}
            letter => line.push(letter),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    const SOON: Duration = Duration::from_secs(20);

    fn console(tolerance: Tolerance) -> (Serial, UnixStream, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let serial = Serial::create(&folder.path().join("serial.log"), tolerance, None).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        serial.follow(theirs);
        (serial, ours, folder)
    }

    #[test]
    fn a_line_is_found_from_the_mark_on() {
        let (serial, mut guest, folder) = console(Tolerance::Nothing);
        guest.write_all(b"\x1b[2J\x1b[01;01Hhearth: sta").unwrap();
        guest.write_all(b"te=setup\r\n").unwrap();
        assert_eq!(serial.wait_line(0, "state=", SOON).unwrap(), "hearth: state=setup");
        let mark = serial.mark();
        guest.write_all(b"hearth: state=ready\n").unwrap();
        assert_eq!(serial.wait_line(mark, "state=", SOON).unwrap(), "hearth: state=ready");
        drop(guest);
        serial.wait_line(0, "never", SOON).unwrap_err();
        let log = std::fs::read_to_string(folder.path().join("serial.log")).unwrap();
        assert!(log.contains("state=setup"), "{log}");
    }

    #[test]
    fn a_panic_ends_the_wait_at_once() {
        let (serial, mut guest, _folder) = console(Tolerance::Nothing);
        guest.write_all(b"[    1.0] Kernel panic - not syncing: no init\n").unwrap();
        let error = serial.wait_line(0, "never", SOON).unwrap_err().to_string();
        assert!(error.contains("no init"), "{error}");
        serial.check().unwrap_err();
    }

    #[test]
    fn a_test_may_look_for_a_refused_boot() {
        let (serial, mut guest, _folder) = console(Tolerance::Everything);
        guest.write_all(b"hearth: boot refused: wrong hash\n").unwrap();
        assert!(serial.wait_line(0, "boot refused", SOON).unwrap().ends_with("wrong hash"));
        serial.check().unwrap();
    }
}
