//! Loads what devices ask for, each module at most once.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use rustix::io::Errno;

use super::AFTER;
use super::EARLY;
use super::NEEDED;
use super::WANTED;
use super::alias;
use super::coldplug;
use super::depends;
use super::depends::Dependencies;
use super::is_urgent;
use super::uevent::Arrival;
use super::uevent::Socket;
use crate::console;
use crate::console::Level;
use crate::modules;

/// What a round of events brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a kind of device")]
pub struct News {
    /// A disk or partition came or changed.
    pub block: bool,
    /// An input device came or went.
    pub input: bool,
    /// A watchdog came.
    pub watchdog: bool,
    /// A wireless device came.
    pub wireless: bool,
}

/// The modules of the running kernel.
#[derive(Debug)]
pub struct Loader {
    folder: PathBuf,
    aliases: alias::Index,
    dependencies: Dependencies,
    loaded: HashSet<String>,
    seen: HashSet<String>,
    /// Modaliases and names that can wait.
    queue: VecDeque<Wish>,
    patience: Patience,
}

#[derive(Debug)]
enum Wish {
    Device(String),
    Module(&'static str),
}

/// What happens to devices that are not urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// They wait in the queue.
    Queue,
    /// Their modules are loaded at once.
    None,
}

impl Loader {
    /// Reads depmod's lists in `/usr/lib/modules/<release>`; a missing list is an empty one.
    #[must_use]
    pub fn open() -> Self {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let mut loader = Self::read(&Path::new("/usr/lib/modules").join(release));
        // Stage 1 loaded some; the kernel checks the signature of a module before it finds that it has it.
        let present = fs::read_to_string("/proc/modules").unwrap_or_default();
        loader.loaded =
            present.lines().filter_map(|line| line.split(' ').next()).map(depends::module_name).collect();
        loader
    }

    fn read(folder: &Path) -> Self {
        let text = |name: &str| {
            fs::read_to_string(folder.join(name)).unwrap_or_else(|error| {
                console::note(Level::Warning, &format!("{name}: {error}"));
                String::new()
            })
        };
        let mut softdep = text("modules.softdep");
        for (driver, after, _reason) in AFTER {
            softdep.push_str(&format!("softdep {driver} post: {after}\n"));
        }
        Self {
            folder: folder.to_owned(),
            aliases: alias::Index::parse(&text("modules.alias")),
            dependencies: Dependencies::parse(&text("modules.dep"), &softdep),
            loaded: HashSet::new(),
            seen: HashSet::new(),
            queue: VecDeque::new(),
            patience: Patience::Queue,
        }
    }

    /// Loads [`NEEDED`] and what urgent devices ask for; the rest is queued.
    pub fn coldplug(&mut self) {
        for (name, _reason) in NEEDED {
            self.load(name);
        }
        self.queue.extend(WANTED.iter().map(|(name, _reason)| Wish::Module(name)));
        self.devices();
    }

    /// Loads for one queued device. False when none is left; from then on nothing is queued any more.
    pub fn work_off_one(&mut self) -> bool {
        match self.queue.pop_front() {
            Some(Wish::Device(modalias)) => self.load_for(&modalias),
            Some(Wish::Module(name)) => self.load(name),
            None => {
                self.patience = Patience::None;
                return false;
            }
        }
        true
    }

    /// Whether nothing waits and nothing ever will.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.patience == Patience::None
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
                    news.wireless |= came && event.subsystem == "ieee80211";
                    if let Some(modalias) = event.modalias.filter(|_| came) {
                        self.wanted(modalias);
                    }
                }
                Ok(Arrival::Lost) => {
                    self.devices();
                    news = News { block: true, input: true, watchdog: true, wireless: true };
                }
                Ok(Arrival::Nothing) => return news,
                Err(error) => {
                    console::note(Level::Warning, &format!("device events: {error}"));
                    return news;
                }
            }
        }
    }

    /// Loads a module with what it needs. A module that fails is not tried again: the next device of its kind would
    /// meet the same error.
    pub fn load(&mut self, name: &str) {
        for file in self.dependencies.files(name, &self.aliases, &mut self.loaded) {
            let Err(error) = modules::load(&self.folder.join(&file)) else { continue };
            // ENODEV: made for another processor. An alias such as "aes" brings those too, and the general one serves.
            let is_foreign = error.raw_os_error() == Some(Errno::NODEV.raw_os_error());
            let level = if is_foreign { Level::Info } else { Level::Warning };
            console::note(level, &format!("module {file}: {error}"));
        }
    }

    fn devices(&mut self) {
        for modalias in coldplug::modaliases(Path::new("/sys")) {
            self.wanted(modalias);
        }
    }

    fn wanted(&mut self, modalias: String) {
        if !self.seen.insert(modalias.clone()) {
            return;
        }
        if self.patience == Patience::None || is_urgent(&modalias) || self.is_early(&modalias) {
            self.load_for(&modalias);
        } else {
            self.queue.push_back(Wish::Device(modalias));
        }
    }

    fn is_early(&self, modalias: &str) -> bool {
        let modules = self.aliases.modules(modalias);
        modules.into_iter().any(|module| EARLY.iter().any(|(early, _reason)| module == *early))
    }

    fn load_for(&mut self, modalias: &str) {
        let names: Vec<String> = self.aliases.modules(modalias).into_iter().map(str::to_owned).collect();
        for name in names {
            self.load(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loader() -> (tempfile::TempDir, Loader) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("modules.alias"),
            "alias pci:v1d*bc01sc06* ahci\nalias virtio:d2* virtio_blk\nalias pci:v8086d25ab* i6300esb\nalias acpi*:MSFT0101:* tpm_tis\nalias sdio:c*v02D0dA9BF* brcmfmac\n",
        )
        .unwrap();
        let needs = "ahci.ko: libata.ko\nlibata.ko:\nvirtio_blk.ko:\ni6300esb.ko: watchdog.ko\nwatchdog.ko:\ntpm_tis.ko:\n\
                     brcmfmac.ko: brcmutil.ko\nbrcmutil.ko:\nbrcmfmac-wcc.ko: brcmfmac.ko brcmutil.ko\n";
        fs::write(folder.path().join("modules.dep"), needs).unwrap();
        fs::write(folder.path().join("modules.softdep"), "").unwrap();
        let loader = Loader::read(folder.path());
        (folder, loader)
    }

    fn loaded(loader: &Loader) -> Vec<&str> {
        let mut names: Vec<&str> = loader.loaded.iter().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_is_not_urgent_waits_its_turn() {
        let (_folder, mut loader) = loader();
        loader.wanted("pci:v1d2bc01sc06i01".to_owned());
        loader.wanted("virtio:d2v1".to_owned());
        assert_eq!(loaded(&loader), ["virtio_blk"]);
        assert!(loader.work_off_one() && !loader.is_done());
        assert_eq!(loaded(&loader), ["ahci", "libata", "virtio_blk"]);
        assert!(!loader.work_off_one() && loader.is_done());
    }

    #[test]
    fn watchdogs_and_tpms_do_not_wait() {
        let (_folder, mut loader) = loader();
        loader.wanted("pci:v8086d25absv0sd0bc08sc80i00".to_owned());
        loader.wanted("acpi:MSFT0101:".to_owned());
        assert_eq!(loaded(&loader), ["i6300esb", "tpm_tis", "watchdog"]);
    }

    #[test]
    fn what_a_driver_will_ask_for_comes_with_it() {
        let (_folder, mut loader) = loader();
        loader.wanted("sdio:c00v02D0dA9BF".to_owned());
        assert!(loader.work_off_one());
        assert_eq!(loaded(&loader), ["brcmfmac", "brcmfmac_wcc", "brcmutil"]);
    }

    #[test]
    fn once_the_queue_is_worked_off_nothing_waits() {
        let (_folder, mut loader) = loader();
        assert!(!loader.work_off_one());
        loader.wanted("pci:v1d2bc01sc06i01".to_owned());
        assert_eq!(loaded(&loader), ["ahci", "libata"]);
    }
}
