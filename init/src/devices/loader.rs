//! Loads what devices ask for, each module at most once.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::ALWAYS;
use super::alias;
use super::coldplug;
use super::depends::Dependencies;
use super::uevent::Arrival;
use super::uevent::Socket;
use crate::console;
use crate::console::Level;
use crate::modules;

/// What a round of events brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// A disk or partition came or changed.
    pub block: bool,
    /// An input device came or went.
    pub input: bool,
    /// A watchdog came.
    pub watchdog: bool,
}

/// The modules of the running kernel.
#[derive(Debug)]
pub struct Loader {
    folder: PathBuf,
    aliases: alias::Index,
    dependencies: Dependencies,
    loaded: HashSet<String>,
    seen: HashSet<String>,
}

impl Loader {
    /// Reads depmod's lists in `/usr/lib/modules/<release>`; a missing list is an empty one.
    #[must_use]
    pub fn open() -> Self {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        Self::read(&Path::new("/usr/lib/modules").join(release))
    }

    fn read(folder: &Path) -> Self {
        let text = |name: &str| {
            fs::read_to_string(folder.join(name)).unwrap_or_else(|error| {
                console::note(Level::Warning, &format!("{name}: {error}"));
                String::new()
            })
        };
        Self {
            folder: folder.to_owned(),
            aliases: alias::Index::parse(&text("modules.alias")),
            dependencies: Dependencies::parse(&text("modules.dep"), &text("modules.softdep")),
            loaded: HashSet::new(),
            seen: HashSet::new(),
        }
    }

    /// Loads [`ALWAYS`] and what all present devices ask for.
    pub fn coldplug(&mut self) {
        for (name, _reason) in ALWAYS {
            self.load(name);
        }
        self.devices();
    }

    /// Takes all waiting events; never blocks.
    pub fn take_events(&mut self, socket: &Socket) -> News {
        let mut news = News::default();
        loop {
            match socket.next() {
                Ok(Arrival::Event(event)) => {
                    let came = event.action == "add" || event.action == "change";
                    news.block |= came && event.subsystem == "block";
                    news.input |= event.subsystem == "input";
                    news.watchdog |= came && event.subsystem == "watchdog";
                    if let Some(modalias) = event.modalias.filter(|_| came) {
                        self.wanted(&modalias);
                    }
                }
                Ok(Arrival::Lost) => {
                    self.devices();
                    news = News { block: true, input: true, watchdog: true };
                }
                Ok(Arrival::Nothing) => return news,
                Err(error) => {
                    console::note(Level::Warning, &format!("device events: {error}"));
                    return news;
                }
            }
        }
    }

    fn devices(&mut self) {
        for modalias in coldplug::modaliases(Path::new("/sys")) {
            self.wanted(&modalias);
        }
    }

    fn wanted(&mut self, modalias: &str) {
        if !self.seen.insert(modalias.to_owned()) {
            return;
        }
        let names: Vec<String> = self.aliases.modules(modalias).into_iter().map(str::to_owned).collect();
        for name in names {
            self.load(&name);
        }
    }

    /// Loads a module with what it needs. A module that fails is not tried again: the next device of its kind would
    /// meet the same error.
    pub fn load(&mut self, name: &str) {
        for file in self.dependencies.files(name, &self.aliases, &mut self.loaded) {
            if let Err(error) = modules::load(&self.folder.join(&file)) {
                console::note(Level::Warning, &format!("module {file}: {error}"));
            }
        }
    }
}
