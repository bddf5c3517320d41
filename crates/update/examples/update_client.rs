//! Fetches one release as a box does, for measuring: `update_client URL ROOT STORE BOARD CHANNEL VERSION SEED RUNNING OUTPUT WAY`.
//!
//! ROOT: the list of trusted keys; STORE: a folder for metadata; SEED: a slot file that is there, or one that is not; RUNNING: version and root
//! folder of the system that runs, as `VERSION:FOLDER`; WAY: `remakes`, `chunks` alone, or `full` for all of the slot file. What is in OUTPUT already counts. The answer is JSON.

use serde_json::json;
use std::fs;
use std::fs::File;
use update::Asker;
use update::Catalog;
use update::Clock;
use update::Flow;
use update::Http;
use update::HttpSettings;
use update::Job;
use update::Origin;
use update::Permit;
use update::Place;
use update::Progress;
use update::Running;
use update::Seed;
use update::Store;
use update::Trust;
use update::Watch;
use update::Way;

/// Looks away.
struct Unwatched;

impl Watch for Unwatched {
    fn progress(&mut self, _progress: &Progress) -> Flow {
        Flow::Go
    }
}

#[expect(clippy::print_stdout, reason = "the answer")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, root, store, board, channel, version, seed, running, output, way] = words.as_slice() else {
        return Err("update_client URL ROOT STORE BOARD CHANNEL VERSION SEED RUNNING OUTPUT WAY".into());
    };
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
    let clock = Clock { system: u64::try_from(now)?, at_least: 0, trust: Trust::Sure };
    let permit = Permit { asker: Asker::Box, origin: Origin::Network };
    let source = Http::new(&HttpSettings::new(url.clone()))?;
    let store = Store::open(store.into())?;
    let catalog = Catalog::load(&source, &fs::read(root)?, &store, &clock, permit)?;
    let place = Place { board: board.parse()?, channel: channel.parse()? };
    let mut release = catalog.find(&place, &version.parse()?, None)?.clone();
    let mut runs = None;
    match way.as_str() {
        "remakes" => {
            let (version, root) = running.split_once(':').ok_or("what runs is VERSION:FOLDER")?;
            runs = Some(Running { version: version.parse()?, root: root.into() });
        }
        "chunks" => {}
        "full" => release.chunks = None,
        other => return Err(format!("{other} is no way").into()),
    }
    let seeds = File::open(seed).map(|file| Seed { name: seed.clone(), reader: Box::new(file) });
    let job = Job { release: &release, source: &source, seeds: seeds.into_iter().collect(), running: runs };
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(output)?;
    let outcome = job.run(&mut file, &mut Unwatched)?;
    let Progress { needed, present, remade, seeded, received, fetched } = outcome.progress;
    let way = match outcome.way {
        Way::Chunks => "chunks",
        Way::Full => "full",
    };
    println!(
        "{}",
        json!({
            "way": way, "needed": needed, "present": present, "remade": remade, "seeded": seeded, "received": received,
            "fetched": fetched, "requests": outcome.requests,
        })
    );
    Ok(())
}
