//! What an acknowledged write costs: the store beside SQLite, on the same folder, in alternating rounds.
//!
//! ```text
//! cargo run --release -p store --example store_cost -- <folder> [rounds] [commits per round]
//! ```
//!
//! Prints one JSON document. A commit is one record of 200 bytes out of 100; SQLite runs in WAL mode with synchronous=FULL,
//! which also syncs once a commit. Bytes written are the process's own `write_bytes` of `/proc/self/io` (proc_pid_io(5)): what it made
//! dirty for a block device, without what the file system adds for its own journal; 0 on a tmpfs.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use store::Batch;
use store::Limits;
use store::SledStore;
use store::Store;
use store::StoreKey;

const RECORDS: u32 = 100;
const VALUE_BYTES: usize = 200;

type Failed = Box<dyn std::error::Error>;

/// What the commits of one kind have cost so far.
#[derive(Default)]
struct Cost {
    commits: Vec<Duration>,
    written: u64,
    acknowledged: u64,
}

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: store_cost <folder> [rounds] [commits]")?);
    let rounds = arguments.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let commits = arguments.next().map_or(Ok(1000), |commits| commits.parse())?;
    let folder = folder.join("store-cost");
    fs::create_dir_all(&folder)?;
    let key = StoreKey::generate()?;
    let (ours, _) = SledStore::open(&folder.join("store"), &key, Limits::default())?;
    let theirs = open_sqlite(&folder.join("sqlite.db"))?;
    let (mut store, mut sqlite) = (Cost::default(), Cost::default());
    for round in 0..rounds {
        // Whoever begins does not always begin.
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                store.measure(commits, |number, value| {
                    ours.commit(Batch::new().put("t", number.to_be_bytes(), value))?;
                    Ok(())
                })?;
            } else {
                sqlite.measure(commits, |number, value| {
                    theirs.execute("INSERT OR REPLACE INTO t VALUES (?1, ?2)", (number, value))?;
                    Ok(())
                })?;
            }
        }
    }
    print(rounds, commits, &store, &sqlite);
    drop((ours, theirs));
    fs::remove_dir_all(folder)?;
    Ok(())
}

fn open_sqlite(path: &Path) -> Result<rusqlite::Connection, Failed> {
    let connection = rusqlite::Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB NOT NULL)", ())?;
    Ok(connection)
}

impl Cost {
    fn measure(
        &mut self,
        commits: u32,
        mut commit: impl FnMut(u32, &[u8]) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let before = write_bytes()?;
        for number in 0..commits {
            let value = [number.to_le_bytes()[0]; VALUE_BYTES];
            let begun = Instant::now();
            commit(number % RECORDS, black_box(&value))?;
            self.commits.push(begun.elapsed());
            self.acknowledged += (VALUE_BYTES + size_of::<u32>()) as u64;
        }
        self.written += write_bytes()? - before;
        Ok(())
    }

    fn json(&self) -> String {
        let mut sorted = self.commits.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            sorted
                .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
                .copied()
                .unwrap_or_default()
        };
        let seconds = sorted.iter().sum::<Duration>().as_secs_f64();
        format!(
            "{{\"acknowledged_writes_per_second\": {:.0}, \"p50_ms\": {:.3}, \"p99_ms\": {:.3}, \
             \"bytes_written_per_acknowledged_byte\": {:.2}}}",
            sorted.len() as f64 / seconds,
            at(50).as_secs_f64() * 1e3,
            at(99).as_secs_f64() * 1e3,
            self.written as f64 / self.acknowledged as f64,
        )
    }
}

fn write_bytes() -> Result<u64, Failed> {
    let io = fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).ok_or("no write_bytes")?;
    Ok(line.parse()?)
}

#[expect(clippy::print_stdout, reason = "the program's one result")]
fn print(rounds: u32, commits: u32, store: &Cost, sqlite: &Cost) {
    println!(
        "{{\"rounds\": {rounds}, \"commits_per_round\": {commits}, \"value_bytes\": {VALUE_BYTES},\n \"store\": {},\n \
         \"sqlite\": {}}}",
        store.json(),
        sqlite.json()
    );
}
