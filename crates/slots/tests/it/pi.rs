//! A Raspberry Pi: an EEPROM that reads `autoboot.txt`, and two partitions with systems.

use slots::Effect;
use slots::Event;
use slots::Notes;
use slots::Refused;
use slots::Restart;
use slots::Version;
use slots::pi::Autoboot;
use slots::pi::Boot;
use slots::pi::Place;
use slots::pi::Seen;
use slots::pi::Side;

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
use crate::wrong_pi::Wrong;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Pi {
    /// The first partition.
    first: Fat<Name, Autoboot>,
    a: Fat<Name, File>,
    b: Fat<Name, File>,
    /// What the firmware says of this boot.
    boot: Option<Boot>,
    /// The flag: kept over a restart, lost with the power, cleared before a system starts.
    flag: bool,
    wrong: Option<Wrong>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Name {
    Autoboot,
    NewAutoboot(u8),
    System,
    Label,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum File {
    System(Image),
    Label(Version),
}

impl Pi {
    fn new(wrong: Option<Wrong>) -> Self {
        let version: Version = "1".parse().unwrap();
        let image = Image { version: version.clone(), kind: Kind::Good };
        Self {
            first: Fat::new([(Name::Autoboot, Autoboot { committed: Side::A })]),
            a: Fat::new([(Name::System, File::System(image)), (Name::Label, File::Label(version))]),
            b: Fat::new([]),
            boot: None,
            flag: false,
            wrong,
        }
    }

    fn side(&self, side: Side) -> &Fat<Name, File> {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Fat<Name, File> {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    fn autoboot(&self) -> Option<Autoboot> {
        match self.first.get(&Name::Autoboot) {
            Some(Content::Whole(autoboot)) => Some(*autoboot),
            Some(Content::Rotten | Content::Torn | Content::Reused | Content::Empty) | None => None,
        }
    }

    fn label(&self, side: Side) -> Option<Version> {
        match self.side(side).get(&Name::Label) {
            Some(Content::Whole(File::Label(version))) => Some(version.clone()),
            Some(_) | None => None,
        }
    }

    fn system(&self, side: Side) -> Option<&Image> {
        match self.side(side).get(&Name::System) {
            Some(Content::Whole(File::System(image))) => Some(image),
            Some(_) | None => None,
        }
    }

    /// The firmware starts a side.
    fn start(&self, side: Side, has_tryboot: bool, trial: Option<Version>) -> Vec<Start<Self>> {
        let mut board = self.clone();
        board.boot = Some(Boot { side, has_tryboot });
        let how = match self.system(side) {
            Some(Image { kind: Kind::DoesNotLoad, .. }) | None => {
                return self.does_not_load(side, trial.as_ref());
            }
            Some(Image { kind: Kind::Crashes, .. }) => Started::Crashed,
            Some(image) => Started::Runs(image.clone()),
        };
        vec![Start { board, trial, how }]
    }

    /// What the firmware does with a side that it tried and cannot load is not documented: it may wait, or take the committed side, and still
    /// show the flag.
    fn does_not_load(&self, side: Side, trial: Option<&Version>) -> Vec<Start<Self>> {
        let mut starts = vec![Start { board: self.clone(), trial: trial.cloned(), how: Started::Stuck }];
        if trial.is_some() {
            starts.extend(
                self.start(side.other(), true, None)
                    .into_iter()
                    .map(|start| Start { trial: trial.cloned(), ..start }),
            );
        }
        starts
    }
}

/// Where an effect takes place: the side, if it is one, and the file.
fn file(place: &Place) -> (Option<Side>, Name) {
    match place {
        Place::System { side, .. } => (Some(*side), Name::System),
        Place::Label { side, .. } => (Some(*side), Name::Label),
        Place::NewAutoboot { number, .. } => (None, Name::NewAutoboot(*number)),
        Place::Autoboot => (None, Name::Autoboot),
    }
}

impl Board for Pi {
    type Place = Place;

    /// A firmware without a watchdog that met a side it cannot load waits until somebody pulls the plug.
    const NEEDS_A_HAND: bool = true;

    fn plan(&self, notes: &Notes, event: &Event) -> Result<Vec<Effect<Place>>, Refused> {
        let number = |name: &Name| match name {
            Name::NewAutoboot(number) => Some(*number),
            Name::Autoboot | Name::System | Name::Label => None,
        };
        let seen = Seen {
            autoboot: self.autoboot(),
            numbers: self.first.names().filter_map(number).collect(),
            label_a: self.label(Side::A),
            label_b: self.label(Side::B),
            boot: self.boot,
            notes: notes.clone(),
        };
        match self.wrong {
            Some(wrong) => wrong.plan(seen, event),
            None => slots::pi::plan(&seen, event),
        }
    }

    fn run(&mut self, effect: &Effect<Place>, bytes: Option<&Bytes>) -> bool {
        match effect {
            Effect::Remove(place) => match file(place) {
                (Some(side), name) => self.side_mut(side).remove(&name),
                (None, name) => self.first.remove(&name),
            },
            Effect::Write(Place::System { side, .. }) => {
                let bytes = bytes.expect("a system is written only by an update");
                let whole = Content::Whole(File::System(bytes.image.clone()));
                self.side_mut(*side).write(&Name::System, if bytes.rots { Content::Rotten } else { whole });
            }
            Effect::Write(Place::Label { side, version }) => {
                self.side_mut(*side).write(&Name::Label, Content::Whole(File::Label(version.clone())));
            }
            Effect::Write(Place::NewAutoboot { number, autoboot }) => {
                self.first.write(&Name::NewAutoboot(*number), Content::Whole(*autoboot));
            }
            // Only a wrong plan writes here; then it is to name the side that runs.
            Effect::Write(Place::Autoboot) => {
                let committed = self.boot.map_or(Side::A, |boot| boot.side);
                self.first.write(&Name::Autoboot, Content::Whole(Autoboot { committed }));
            }
            Effect::Sync(place) => match file(place) {
                (Some(side), name) => self.side_mut(side).sync(&name),
                (None, name) => self.first.sync(&name),
            },
            Effect::Verify(place) => {
                return match file(place) {
                    (Some(side), name) => matches!(self.side(side).get(&name), Some(Content::Whole(_))),
                    (None, name) => matches!(self.first.get(&name), Some(Content::Whole(_))),
                };
            }
            Effect::Rename { from, to } => self.first.rename(&file(from).1, &file(to).1),
            Effect::SyncFolder(place) => match file(place).0 {
                Some(side) => self.side_mut(side).sync_folder(),
                None => self.first.sync_folder(),
            },
            Effect::ChooseOnce(_) | Effect::Note(_) | Effect::Restart(_) => {}
        }
        true
    }

    fn has(&self, version: &Version) -> bool {
        [Side::A, Side::B]
            .into_iter()
            .any(|side| self.system(side).is_some_and(|image| image.version == *version))
    }

    /// The notes say what is armed.
    fn arms(&self, _effect: &Effect<Place>) -> Option<Version> {
        None
    }

    fn harms(&self, effect: &Effect<Place>) -> bool {
        let (Effect::Remove(place) | Effect::Write(place)) = effect else { return false };
        let committed = self.autoboot().map(|autoboot| autoboot.committed);
        file(place).0.is_some_and(|side| Some(side) == committed)
    }

    fn cut(&self) -> Vec<Self> {
        let mut boards = Vec::new();
        for first in self.first.cut() {
            for a in self.a.cut() {
                for b in self.b.cut() {
                    let first = first.clone();
                    boards.push(Self { first, a: a.clone(), b, boot: None, flag: false, wrong: self.wrong });
                }
            }
        }
        boards
    }

    fn reset(&mut self, restart: Restart) {
        self.first.settle();
        self.a.settle();
        self.b.settle();
        self.boot = None;
        self.flag = restart == Restart::TryOther;
    }

    fn firmware(&self) -> Vec<Start<Self>> {
        let board = Self { flag: false, ..self.clone() };
        let Some(Autoboot { committed }) = self.autoboot() else {
            return vec![Start { board, trial: None, how: Started::Stuck }];
        };
        if !self.flag {
            return board.start(committed, false, None);
        }
        let tried = self.system(committed.other()).map(|image| image.version.clone());
        let nobody = || "0".parse().ok();
        board.start(committed.other(), true, tried.or_else(nobody))
    }

    fn check(&self) -> Result<(), String> {
        let committed = self.autoboot().ok_or("autoboot.txt is damaged")?.committed;
        for side in [Side::A, Side::B] {
            let has_label = self.side(side).get(&Name::Label).is_some() && self.label(side).is_some();
            if has_label && self.system(side).is_none() {
                return Err(format!("side {side:?} has a label and is not whole"));
            }
        }
        match self.system(committed) {
            Some(Image { kind: Kind::Good, .. }) => Ok(()),
            Some(Image { version, .. }) => Err(format!("{version} is bad and committed")),
            None => Err("no good system is left".to_owned()),
        }
    }
}

/// Looks at all that can come of these wishes.
pub(crate) fn explored(wishes: Wishes, wrong: Option<Wrong>) -> Result<Report, Broken> {
    explore(Life::new(Pi::new(wrong), wishes))
}

mod tests {
    use super::*;

    #[test]
    fn whatever_happens_a_good_system_boots() {
        for wishes in Wishes::all() {
            let report = explored(wishes, None).unwrap_or_else(|broken| panic!("{broken:#?}"));
            println!("Pi, {wishes:?}, any number of cuts: {report:?}");
            assert!(report.states > 10_000 && report.boots <= 2, "{report:?}");
        }
    }
}
