//! The life of a box: an updater, a confirmer, an owner and whoever pulls the plug, on any kind of board.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::rc::Rc;

use slots::Effect;
use slots::Event;
use slots::Note;
use slots::Notes;
use slots::Order;
use slots::Reason;
use slots::Refused;
use slots::Restart;
use slots::Version;
use slots::Words;

use crate::explore::By;
use crate::explore::Step;
use crate::explore::World;

/// How a system turns out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Good,
    /// It runs, and its health check fails.
    Unhealthy,
    /// It is started and resets the machine.
    Crashes,
    /// The firmware refuses it.
    DoesNotLoad,
}

/// A system as it is written somewhere.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Image {
    pub(crate) version: Version,
    pub(crate) kind: Kind,
}

/// What is to be written: the image, and whether the disk damages it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Bytes {
    pub(crate) image: Image,
    pub(crate) rots: bool,
}

/// Disk and firmware of one kind of board.
pub(crate) trait Board: Clone + Eq + Hash + Debug {
    type Place: Clone + Eq + Hash + Debug;

    /// Whether a plug that is pulled while the firmware is stuck counts as the box helping itself.
    const NEEDS_A_HAND: bool;

    fn plan(&self, notes: &Notes, event: &Event) -> Result<Vec<Effect<Self::Place>>, Refused>;

    /// Runs an effect on the disk; false when what is read back is not what was written.
    fn run(&mut self, effect: &Effect<Self::Place>, bytes: Option<&Bytes>) -> bool;

    /// Whether a system of this version is anywhere.
    fn has(&self, version: &Version) -> bool;

    /// The version that this effect arms.
    fn arms(&self, effect: &Effect<Self::Place>) -> Option<Version>;

    /// Whether the effect touches the only good system.
    fn harms(&self, effect: &Effect<Self::Place>) -> bool;

    /// All that may be on the disk after a cut.
    fn cut(&self) -> Vec<Self>;

    /// The machine was reset; what programs wrote is on the disk.
    fn reset(&mut self, restart: Restart);

    /// All ways in which the firmware may go on.
    fn firmware(&self) -> Vec<Start<Self>>;

    /// What must hold of the disk, whenever it is looked at.
    fn check(&self) -> Result<(), String>;
}

/// What the firmware did.
pub(crate) struct Start<B> {
    pub(crate) board: B,
    /// The version, when it is started as a trial.
    pub(crate) trial: Option<Version>,
    pub(crate) how: Started,
}

/// What came of it.
pub(crate) enum Started {
    Runs(Image),
    Crashed,
    /// The firmware begins once more.
    Again,
    Stuck,
    /// The power went in the middle.
    Cut,
}

/// How much the world may want.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Wishes {
    /// How many updates are begun.
    pub(crate) updates: u8,
    /// Whether somebody also asks for older systems, and for what failed.
    pub(crate) has_asker: bool,
}

impl Wishes {
    /// What is looked at: three updates that the box wants itself, two with an owner who asks. `HEARTH_SLOTS_ALL=1` adds three with an owner,
    /// which takes minutes.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self { updates: 3, has_asker: false }, Self { updates: 2, has_asker: true }];
        if std::env::var_os("HEARTH_SLOTS_ALL").is_some() {
            all.push(Self { updates: 3, has_asker: true });
        }
        all
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Life<B: Board> {
    board: B,
    notes: Rc<Notes>,
    phase: Phase<B::Place>,
    begun: u8,
    wishes: Wishes,
    /// Tried, and not found healthy.
    failed: Rc<BTreeSet<Version>>,
    /// Found healthy, and all of that on the disk.
    confirmed: Rc<BTreeSet<Version>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Phase<P> {
    /// The firmware is to start something: after a reset, or the power is back.
    Firmware,
    Stuck,
    /// A system runs; what is still to be done of the last plan, the next at the end.
    On {
        image: Image,
        stage: Stage,
        todo: Vec<Effect<P>>,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Stage {
    Booted,
    Judged,
    Idle,
    Beginning(Bytes),
    Arming,
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

impl<B: Board> Life<B> {
    /// A box that is switched on with version 1.
    pub(crate) fn new(board: B, wishes: Wishes) -> Self {
        Self {
            board,
            notes: Rc::default(),
            phase: Phase::Firmware,
            begun: 0,
            wishes,
            failed: Rc::default(),
            confirmed: Rc::default(),
        }
    }

    fn with(&self, phase: Phase<B::Place>) -> Self {
        Self { phase, ..self.clone() }
    }

    fn cuts(&self) -> Vec<Step<Self>> {
        let off = |board| Self { board, ..self.with(Phase::Firmware) };
        self.board.cut().into_iter().map(|board| somebody("the power is lost and back", off(board))).collect()
    }

    fn firmware(&self) -> Vec<Step<Self>> {
        let starts = self.board.firmware().into_iter().map(|start| self.started(start));
        starts.chain(self.cuts()).collect()
    }

    fn started(&self, Start { board, trial, how }: Start<B>) -> Step<Self> {
        let mut then = Self { board, ..self.clone() };
        let mut fault = None;
        if let Some(version) = trial {
            if then.confirmed.contains(&version) {
                fault = Some(format!("{version} was confirmed and is counted"));
            }
            Rc::make_mut(&mut then.failed).insert(version);
        }
        let (what, by, is_boot) = match how {
            Started::Runs(image) => {
                let todo = then.planned(&Event::Booted);
                then.phase = Phase::On { image, stage: Stage::Booted, todo };
                ("a system starts", By::Itself, true)
            }
            Started::Crashed => {
                then.board.reset(Restart::Plain);
                then.phase = Phase::Firmware;
                ("a system crashes", By::Itself, true)
            }
            Started::Again => ("a system does not load", By::Itself, true),
            Started::Stuck => {
                then.phase = Phase::Stuck;
                ("the firmware is stuck", By::Itself, false)
            }
            Started::Cut => {
                then.phase = Phase::Firmware;
                ("the power is lost while the loader counts", By::Somebody, false)
            }
        };
        Step { what, by, is_boot, then: fault.map_or(Ok(then), Err) }
    }

    /// The effects for an event, the first at the end; none when it is refused.
    fn planned(&self, event: &Event) -> Vec<Effect<B::Place>> {
        let mut todo = self.board.plan(&self.notes, event).unwrap_or_default();
        todo.reverse();
        todo
    }

    /// One effect of a plan.
    fn effect(&self, image: &Image, stage: &Stage, todo: &[Effect<B::Place>]) -> Result<Self, String> {
        let mut then = self.clone();
        let Some((effect, rest)) = todo.split_last() else { return Ok(then) };
        if self.board.harms(effect) {
            return Err(format!("{effect:?} touches the last good system"));
        }
        if let Some(armed) = self.board.arms(effect).filter(|armed| self.failed.contains(armed)) {
            return Err(format!("{armed} failed and is armed again by itself"));
        }
        let mut goes_on = true;
        match effect {
            Effect::Note(note) => {
                if let Note::Armed { version } | Note::Tried { version } = note
                    && self.failed.contains(version)
                {
                    return Err(format!("{version} failed and is armed again by itself"));
                }
                // Why it failed decides nothing.
                let note = match note {
                    Note::Failed { version, .. } => {
                        Note::Failed { version: version.clone(), reason: Reason::DidNotComeUp }
                    }
                    Note::Forgiven { .. } | Note::Armed { .. } | Note::Tried { .. } | Note::Settled => {
                        note.clone()
                    }
                };
                Rc::make_mut(&mut then.notes).apply(&note);
            }
            Effect::Restart(restart) => {
                then.board.reset(*restart);
                then.phase = Phase::Firmware;
                return Ok(then);
            }
            Effect::Remove(_)
            | Effect::Write(_)
            | Effect::Sync(_)
            | Effect::Verify(_)
            | Effect::Rename { .. }
            | Effect::SyncFolder(_)
            | Effect::ChooseOnce(_) => {
                let bytes = match stage {
                    Stage::Beginning(bytes) => Some(bytes),
                    Stage::Booted | Stage::Judged | Stage::Idle | Stage::Arming => None,
                };
                goes_on = then.board.run(effect, bytes);
            }
        }
        let (stage, todo) = if goes_on { (stage.clone(), rest.to_vec()) } else { (Stage::Idle, Vec::new()) };
        then.phase = Phase::On { image: image.clone(), stage, todo };
        Ok(then)
    }

    /// A plan is done: what comes next by itself.
    fn done(&self, image: &Image, stage: &Stage) -> Self {
        let mut then = self.clone();
        let (stage, todo) = match stage {
            Stage::Booted => {
                let event = match image.kind {
                    Kind::Unhealthy => Event::Failed { why: Words::new("no") },
                    Kind::Good | Kind::Crashes | Kind::DoesNotLoad => {
                        Rc::make_mut(&mut then.failed).remove(&image.version);
                        Event::Confirmed
                    }
                };
                (Stage::Judged, self.planned(&event))
            }
            Stage::Judged => {
                // What is gone is not counted either.
                let confirmed = Rc::make_mut(&mut then.confirmed);
                confirmed.insert(image.version.clone());
                confirmed.retain(|version| self.board.has(version));
                (Stage::Idle, Vec::new())
            }
            Stage::Beginning(bytes) => {
                (Stage::Arming, self.planned(&Event::Written { version: bytes.image.version.clone() }))
            }
            Stage::Arming | Stage::Idle => (Stage::Idle, Vec::new()),
        };
        then.phase = Phase::On { image: image.clone(), stage, todo };
        then
    }

    /// What owner and updater may want of a box at rest.
    fn wishes(&self, image: &Image) -> Vec<Step<Self>> {
        let mut steps = Vec::new();
        let todo = self.planned(&Event::Restart);
        let restart = Phase::On { image: image.clone(), stage: Stage::Idle, todo };
        steps.push(somebody("a restart is ordered", self.with(restart)));
        if self.begun >= self.wishes.updates {
            return steps;
        }
        let number = self.begun + 2;
        let newer = version(&format!("{number}"));
        for kind in [Kind::Good, Kind::Unhealthy, Kind::Crashes, Kind::DoesNotLoad] {
            steps.extend(self.begin(image, &Image { version: newer.clone(), kind }, false, Order::Automatic));
        }
        steps.extend(self.begin(image, &Image { version: newer, kind: Kind::Good }, true, Order::Automatic));
        // The last one once more, whatever became of it, and all that failed.
        let last = version(&format!("{}", self.begun + 1));
        for version in self.failed.iter().chain([&last]) {
            let again = Image { version: version.clone(), kind: Kind::Good };
            steps.extend(self.begin(image, &again, false, Order::Automatic));
        }
        if self.wishes.has_asker {
            let older = version(&format!("0.{number}"));
            for (version, order) in
                self.failed.iter().map(|version| (version, Order::Asked)).chain([(&older, Order::AskedLower)])
            {
                for kind in [Kind::Good, Kind::Crashes] {
                    steps.extend(self.begin(image, &Image { version: version.clone(), kind }, false, order));
                }
            }
        }
        steps
    }

    fn begin(&self, running: &Image, image: &Image, rots: bool, order: Order) -> Option<Step<Self>> {
        let todo = self.planned(&Event::Begin { version: image.version.clone(), order });
        if todo.is_empty() {
            return None;
        }
        let stage = Stage::Beginning(Bytes { image: image.clone(), rots });
        let mut then = self.with(Phase::On { image: running.clone(), stage, todo });
        if order != Order::Automatic {
            Rc::make_mut(&mut then.failed).remove(&image.version);
        }
        Rc::make_mut(&mut then.confirmed).remove(&image.version);
        then.begun += 1;
        Some(somebody("an update is begun", then))
    }
}

fn by_itself<W>(what: &'static str, then: Result<W, String>) -> Step<W> {
    Step { what, by: By::Itself, is_boot: false, then }
}

fn somebody<W>(what: &'static str, then: W) -> Step<W> {
    Step { what, by: By::Somebody, is_boot: false, then: Ok(then) }
}

impl<B: Board> World for Life<B> {
    fn steps(&self) -> Vec<Step<Self>> {
        match &self.phase {
            Phase::Firmware => self.firmware(),
            Phase::Stuck => {
                let mut cuts = self.cuts();
                let by = if B::NEEDS_A_HAND { By::Itself } else { By::Somebody };
                cuts.iter_mut().for_each(|step| step.by = by);
                cuts
            }
            Phase::On { image, stage, todo } => {
                let mut steps = self.cuts();
                if !todo.is_empty() {
                    steps.push(by_itself("an effect", self.effect(image, stage, todo)));
                    // Whoever says that the system failed is watched by others, which restart the box.
                    if image.kind == Kind::Good {
                        let stage = if *stage == Stage::Booted { Stage::Booted } else { Stage::Idle };
                        let idle = Phase::On { image: image.clone(), stage, todo: Vec::new() };
                        steps.push(somebody("a program ends in the middle of a plan", self.with(idle)));
                    }
                } else if *stage == Stage::Idle {
                    steps.extend(self.wishes(image));
                } else {
                    steps.push(by_itself("a plan is done", Ok(self.done(image, stage))));
                }
                steps
            }
        }
    }

    fn is_at_rest(&self) -> bool {
        match &self.phase {
            Phase::On { image, stage: Stage::Idle, todo } => image.kind == Kind::Good && todo.is_empty(),
            Phase::On { .. } | Phase::Firmware | Phase::Stuck => false,
        }
    }

    fn check(&self) -> Result<(), String> {
        self.board.check()
    }
}
