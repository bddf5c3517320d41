//! Rules for the Pi that are wrong, and what the check says of each.

use slots::Effect;
use slots::Event;
use slots::Note;
use slots::Refused;
use slots::pi::Autoboot;
use slots::pi::Boot;
use slots::pi::Place;
use slots::pi::Seen;
use slots::pi::plan;

/// One mistake.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Wrong {
    /// Nothing is synced before it is used.
    NoSync,
    /// What was written is not read back.
    NoVerify,
    /// `autoboot.txt` is written in place.
    CommitInPlace,
    /// `autoboot.txt` is removed before the new one gets its name.
    CommitByRemoving,
    /// There is one name for a new `autoboot.txt`, also when it is there already.
    OneName,
    /// The label stays while the side is written.
    LabelStays,
    /// The removal of a label is not synced.
    LabelUnsynced,
    /// The other side is written before it is sure that the disk commits this one.
    BegunUnsettled,
    /// The committed side is written.
    CommittedSide,
    /// A boot with the flag is taken for a trial, whatever side it came from.
    ByFlag,
    /// A trial leaves no note.
    TriedUnnoted,
    /// An update is committed before it was tried.
    CommittedEarly,
    /// A trial whose end was not noted yet is forgotten when an update begins.
    FailedUnseen,
}

impl Wrong {
    pub(crate) fn plan(self, mut seen: Seen, event: &Event) -> Result<Vec<Effect<Place>>, Refused> {
        match (self, event) {
            (Self::ByFlag, Event::Confirmed) => {
                if let (Some(Boot { has_tryboot: true, .. }), Some(autoboot)) = (seen.boot, seen.autoboot) {
                    seen.boot = Some(Boot { side: autoboot.committed.other(), has_tryboot: true });
                }
            }
            (Self::OneName, Event::Confirmed) => seen.numbers.clear(),
            (Self::FailedUnseen, Event::Begin { .. }) => seen.notes.apply(&Note::Settled),
            _ => {}
        }
        let mut effects = plan(&seen, event)?;
        match (self, event) {
            (Self::NoSync, _) => effects.retain(|effect| !matches!(effect, Effect::Sync(_))),
            (Self::NoVerify, _) => effects.retain(|effect| !matches!(effect, Effect::Verify(_))),
            (Self::CommitInPlace, Event::Confirmed) if effects.len() > 3 => {
                effects = vec![Effect::Write(Place::Autoboot), Effect::Sync(Place::Autoboot)];
            }
            (Self::CommitByRemoving, Event::Confirmed) if effects.len() > 3 => {
                effects.insert(3, Effect::Remove(Place::Autoboot));
            }
            (Self::LabelStays, Event::Begin { .. }) => {
                effects.retain(|effect| !matches!(effect, Effect::Remove(_)));
            }
            (Self::LabelUnsynced, Event::Begin { .. }) => {
                effects.retain(|effect| !matches!(effect, Effect::SyncFolder(_)));
            }
            (Self::BegunUnsettled, Event::Begin { .. }) => {
                effects.retain(|effect| *effect != Effect::SyncFolder(Place::Autoboot));
            }
            (Self::CommittedSide, Event::Begin { .. }) => {
                for effect in &mut effects {
                    if let Effect::Write(Place::System { side, .. }) = effect {
                        *side = side.other();
                    }
                }
            }
            (Self::TriedUnnoted, Event::Restart) => {
                effects.retain(|effect| !matches!(effect, Effect::Note(_)));
            }
            (Self::CommittedEarly, Event::Written { .. }) => {
                let committed = seen.boot.ok_or(Refused::NoSlot)?.side.other();
                let new = Place::NewAutoboot { number: 0, autoboot: Autoboot { committed } };
                effects.extend([
                    Effect::Write(new.clone()),
                    Effect::Sync(new.clone()),
                    Effect::Rename { from: new, to: Place::Autoboot },
                ]);
            }
            _ => {}
        }
        Ok(effects)
    }
}

mod tests {
    use super::*;
    use crate::life::Wishes;
    use crate::pi::explored;

    #[test]
    fn every_mistake_is_found() {
        for (wrong, expected) in [
            (Wrong::NoSync, "is not whole"),
            (Wrong::NoVerify, "is not whole"),
            (Wrong::CommitInPlace, "autoboot.txt is damaged"),
            (Wrong::CommitByRemoving, "autoboot.txt is damaged"),
            (Wrong::OneName, "autoboot.txt is damaged"),
            (Wrong::LabelStays, "is not whole"),
            (Wrong::LabelUnsynced, "is not whole"),
            (Wrong::BegunUnsettled, "no good system is left"),
            (Wrong::CommittedSide, "touches the last good system"),
            (Wrong::ByFlag, "is bad and committed"),
            (Wrong::TriedUnnoted, "failed and is armed again by itself"),
            (Wrong::CommittedEarly, "is bad and committed"),
            (Wrong::FailedUnseen, "failed and is armed again by itself"),
        ] {
            // Two updates for all: one that leaves no note is tried without end, and each cut in its commit uses up a name.
            let broken = explored(Wishes { updates: 2, has_asker: true }, Some(wrong)).err();
            let broken = broken.unwrap_or_else(|| panic!("{wrong:?} is not found"));
            println!("{wrong:?}: {} after {} steps", broken.why, broken.trail.len());
            assert!(broken.why.contains(expected), "{wrong:?}: {broken:#?}");
        }
    }
}
