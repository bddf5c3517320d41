//! A board with UEFI firmware and systemd-boot.

use slots::Effect;
use slots::Event;
use slots::Notes;
use slots::Refused;
use slots::Restart;
use slots::Version;
use slots::uefi::Boot;
use slots::uefi::FileName;
use slots::uefi::Mark;
use slots::uefi::Seen;

use crate::explore::Broken;
use crate::explore::Report;
use crate::explore::explore;
use crate::fat::Content;
use crate::fat::Fat;
use crate::life::Board;
use crate::life::Bytes;
use crate::life::Image;
use crate::life::Kind;
use crate::life::Life;
use crate::life::Start;
use crate::life::Started;
use crate::life::Wishes;
use crate::loader;
use crate::wrong_uefi::Wrong;

/// How often the firmware starts the loader in one power cycle when it comes back with an error.
const STARTS: u8 = 2;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Uefi {
    disk: Fat<FileName, Image>,
    /// `LoaderEntryOneShot`, in memory that lasts.
    one_shot: Option<FileName>,
    /// The loader's volatile variables: gone after a reset.
    boot: Boot,
    starts: u8,
    wrong: Option<Wrong>,
}

/// What a file that is not whole does: which of them nobody knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Damage {
    IsNotListed,
    Crashes,
    DoesNotLoad,
}

impl Uefi {
    fn new(wrong: Option<Wrong>) -> Self {
        let version: Version = "1".parse().unwrap();
        let image = Image { version: version.clone(), kind: Kind::Good };
        let disk = Fat::new([(FileName::good(&version), image)]);
        Self { disk, one_shot: None, boot: Boot::default(), starts: 0, wrong }
    }

    fn good(&self) -> impl Iterator<Item = &FileName> {
        self.disk.names().filter(|name| name.mark == Mark::Good).filter(|name| {
            matches!(self.disk.get(name), Some(Content::Whole(Image { kind: Kind::Good, .. })))
        })
    }

    /// One start of the loader; damaged files all do the same.
    fn load(&self, damage: Damage) -> Vec<Start<Self>> {
        let mut entries: Vec<&FileName> =
            self.disk.names().filter(|name| name.is_visible() && self.lists(name, damage)).collect();
        entries.sort_by(|one, other| loader::order(one, other));
        let mut board = Self { one_shot: None, ..self.clone() };
        let named = self.one_shot.as_ref();
        let named = named.and_then(|named| entries.iter().copied().find(|entry| loader::id(entry) == *named));
        let Some(chosen) = named.or_else(|| entries.first().copied()) else {
            return vec![Start { board, trial: None, how: Started::Stuck }];
        };
        let content = self.disk.get(chosen).unwrap().clone();
        board.boot.selected = Some(loader::id(chosen));
        let trial = loader::counters(chosen).map(|_| chosen.version.clone());
        let mut starts = Vec::new();
        // A name that is there already cannot be given; the loader ignores that.
        if let Some(bumped) = loader::bumped(chosen)
            && self.disk.get(&bumped).is_none()
        {
            board.disk.rename(chosen, &bumped);
            if bumped.to_string().len() != chosen.to_string().len() {
                starts = board.disk.cut().into_iter().map(|disk| self.torn(disk, trial.clone())).collect();
            }
            board.disk.sync_folder();
            board.boot.counted = Some(bumped);
        }
        let how = match (content, damage) {
            (Content::Whole(Image { kind: Kind::Crashes, .. }), _) => Started::Crashed,
            (Content::Whole(Image { kind: Kind::DoesNotLoad, .. }), _) => board.come_back(),
            (Content::Whole(image), _) => Started::Runs(image),
            (Content::Rotten | Content::Torn | Content::Reused | Content::Empty, Damage::Crashes) => {
                Started::Crashed
            }
            (Content::Rotten | Content::Torn | Content::Reused | Content::Empty, _) => board.come_back(),
        };
        starts.push(Start { board, trial, how });
        starts
    }

    fn torn(&self, disk: Fat<FileName, Image>, trial: Option<Version>) -> Start<Self> {
        let board = Self { disk, one_shot: None, ..self.clone() };
        Start { board, trial, how: Started::Cut }
    }

    /// The loader ends with an error.
    fn come_back(&mut self) -> Started {
        self.starts += 1;
        if self.starts < STARTS { Started::Again } else { Started::Stuck }
    }

    fn lists(&self, name: &FileName, damage: Damage) -> bool {
        match self.disk.get(name) {
            Some(Content::Whole(_)) => true,
            Some(Content::Rotten | Content::Torn | Content::Reused) => damage != Damage::IsNotListed,
            Some(Content::Empty) | None => false,
        }
    }

    fn is_damaged(&self) -> bool {
        self.disk
            .names()
            .filter(|name| name.is_visible())
            .any(|name| !matches!(self.disk.get(name), Some(Content::Whole(_) | Content::Empty)))
    }
}

impl Board for Uefi {
    type Place = FileName;

    const NEEDS_A_HAND: bool = false;

    fn plan(&self, notes: &Notes, event: &Event) -> Result<Vec<Effect<FileName>>, Refused> {
        let names = self.disk.names().cloned().collect();
        let seen = Seen { names, boot: self.boot.clone(), notes: notes.clone() };
        match self.wrong {
            Some(wrong) => wrong.plan(seen, event),
            None => slots::uefi::plan(&seen, event),
        }
    }

    fn run(&mut self, effect: &Effect<FileName>, bytes: Option<&Bytes>) -> bool {
        match effect {
            Effect::Remove(name) => self.disk.remove(name),
            Effect::Write(name) => {
                let bytes = bytes.expect("an image is written only by an update");
                let whole = Content::Whole(bytes.image.clone());
                self.disk.write(name, if bytes.rots { Content::Rotten } else { whole });
            }
            Effect::Sync(name) => self.disk.sync(name),
            Effect::Verify(name) => return matches!(self.disk.get(name), Some(Content::Whole(_))),
            Effect::Rename { from, to } => self.disk.rename(from, to),
            Effect::SyncFolder(_) => self.disk.sync_folder(),
            Effect::ChooseOnce(name) => self.one_shot = Some(name.clone()),
            Effect::Note(_) | Effect::Restart(_) => {}
        }
        true
    }

    fn has(&self, version: &Version) -> bool {
        self.disk.names().any(|name| name.version == *version)
    }

    fn arms(&self, effect: &Effect<FileName>) -> Option<Version> {
        match effect {
            Effect::Rename { to: FileName { version, mark: Mark::Counted { left: 1.., .. } }, .. } => {
                Some(version.clone())
            }
            Effect::Rename { .. }
            | Effect::Remove(_)
            | Effect::Write(_)
            | Effect::Sync(_)
            | Effect::Verify(_)
            | Effect::SyncFolder(_)
            | Effect::ChooseOnce(_)
            | Effect::Note(_)
            | Effect::Restart(_) => None,
        }
    }

    fn harms(&self, effect: &Effect<FileName>) -> bool {
        let touched: Vec<&FileName> = match effect {
            Effect::Remove(name) | Effect::Write(name) => vec![name],
            Effect::Rename { from, to } => vec![from, to],
            Effect::Sync(_)
            | Effect::Verify(_)
            | Effect::SyncFolder(_)
            | Effect::ChooseOnce(_)
            | Effect::Note(_)
            | Effect::Restart(_) => Vec::new(),
        };
        let good: Vec<&FileName> = self.good().collect();
        let [last] = good.as_slice() else { return false };
        touched.into_iter().any(|name| name == *last || self.disk.are_twins(name, last))
    }

    fn cut(&self) -> Vec<Self> {
        let disks = self.disk.cut().into_iter();
        disks.map(|disk| Self { disk, boot: Boot::default(), starts: 0, ..self.clone() }).collect()
    }

    fn reset(&mut self, _restart: Restart) {
        self.disk.settle();
        self.boot = Boot::default();
        self.starts = 0;
    }

    fn firmware(&self) -> Vec<Start<Self>> {
        if self.is_damaged() {
            [Damage::IsNotListed, Damage::Crashes, Damage::DoesNotLoad]
                .into_iter()
                .flat_map(|damage| self.load(damage))
                .collect()
        } else {
            self.load(Damage::IsNotListed)
        }
    }

    fn check(&self) -> Result<(), String> {
        for name in self.disk.names().filter(|name| name.is_visible()) {
            match self.disk.get(name) {
                Some(Content::Whole(image)) if name.mark == Mark::Good && image.kind != Kind::Good => {
                    return Err(format!("{name} is bad and kept as good"));
                }
                Some(Content::Rotten | Content::Torn) => {
                    return Err(format!("the loader sees {name}, which is not whole"));
                }
                Some(Content::Whole(_) | Content::Reused | Content::Empty) | None => {}
            }
        }
        self.good().next().map(|_| ()).ok_or_else(|| "no good system is left".to_owned())
    }
}

/// Looks at all that can come of this many updates.
pub(crate) fn explored(wishes: Wishes, wrong: Option<Wrong>) -> Result<Report, Broken> {
    explore(Life::new(Uefi::new(wrong), wishes))
}

mod tests {
    use super::*;

    #[test]
    fn whatever_happens_a_good_system_boots() {
        for wishes in Wishes::all() {
            let report = explored(wishes, None).unwrap_or_else(|broken| panic!("{broken:#?}"));
            println!("UEFI, {wishes:?}, any number of cuts: {report:?}");
            assert!(report.states > 10_000 && report.boots <= 2, "{report:?}");
        }
    }

    /// What a system that does not load does to the machine, armed with so many tries: the version that runs, if any does.
    fn after_a_system_that_does_not_load(left: u8) -> Option<Version> {
        let mut board = Uefi::new(None);
        let version: Version = "2".parse().unwrap();
        let name = FileName { version: version.clone(), mark: Mark::Counted { left, done: Some(0) } };
        board.disk.write(&name, Content::Whole(Image { version, kind: Kind::DoesNotLoad }));
        board.reset(Restart::Plain);
        for _ in 0..=STARTS {
            let start = board.firmware().pop().unwrap();
            board = start.board;
            match start.how {
                Started::Runs(image) => return Some(image.version),
                Started::Again => {}
                Started::Stuck | Started::Crashed | Started::Cut => return None,
            }
        }
        None
    }

    #[test]
    fn a_system_that_does_not_load_falls_back_only_with_one_try() {
        assert_eq!(after_a_system_that_does_not_load(1), "1".parse().ok());
        assert_eq!(after_a_system_that_does_not_load(3), None);
    }

    #[test]
    fn a_system_with_two_names_that_crashes_is_started_for_ever() {
        let version: Version = "2".parse().unwrap();
        let armed = FileName::armed(&version);
        let tried = loader::bumped(&armed).unwrap();
        let mut board = Uefi::new(None);
        board.disk.write(&armed, Content::Whole(Image { version, kind: Kind::Crashes }));
        board.disk.settle();
        board.disk.rename(&armed, &tried);
        board.disk = board.disk.cut().into_iter().find(|disk| disk.are_twins(&armed, &tried)).unwrap();
        let start = board.firmware().pop().unwrap();
        assert!(matches!(start.how, Started::Crashed) && start.board.disk == board.disk, "{:?}", start.board);
    }
}
