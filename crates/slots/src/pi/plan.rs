//! From what is seen on the partitions to what is to be done.

use super::Autoboot;
use super::MAX_NUMBERS;
use super::Place;
use super::Seen;
use super::Side;
use crate::Note;
use crate::Reason;
use crate::Stage;
use crate::Version;
use crate::Words;
use crate::plan;
use crate::plan::Effect;
use crate::plan::Event;
use crate::plan::Order;
use crate::plan::Refused;
use crate::plan::Restart;
use crate::plan::Running;
use crate::plan::Standing;

type Effects = Vec<Effect<Place>>;

/// Plans what an event needs, in order. An empty plan means that all is as it should be.
///
/// # Errors
/// When the event must not be followed now; [`Refused`] says why.
pub fn plan(seen: &Seen, event: &Event) -> Result<Effects, Refused> {
    match event {
        Event::Booted => booted(seen),
        Event::Confirmed => confirmed(seen),
        Event::Failed { why } => failed(seen, why),
        Event::Begin { version, order } => begin(seen, version, *order),
        Event::Written { version } => written(seen, version),
        Event::Restart => restart(seen),
    }
}

/// The running version and the side where an update goes, when the system is kept.
fn kept(seen: &Seen) -> Result<(Version, Side), Refused> {
    let version = seen.running()?.kept()?;
    let side = seen.boot.ok_or(Refused::NoSlot)?.side;
    Ok((version, side.other()))
}

/// A trial that ended in another system than its own has failed; a side that failed loses its label.
fn booted(seen: &Seen) -> Result<Effects, Refused> {
    if seen.autoboot.is_none() {
        return repaired(seen);
    }
    let running = seen.running()?;
    if running.standing == Standing::OnTrial {
        return Ok(Vec::new());
    }
    let (running, other) = kept(seen)?;
    let notes = pending_settled(seen, &running);
    let mut after = seen.notes.clone();
    notes.iter().for_each(|note| after.apply(note));
    let mut effects: Effects = notes.into_iter().map(Effect::Note).collect();
    if seen.label(other).is_some_and(|label| after.failure(label).is_some()) {
        effects.extend(unlabelled(seen, other));
    }
    Ok(effects)
}

/// What has become of what was pending, in the kept system.
fn pending_settled(seen: &Seen, running: &Version) -> Option<Note> {
    let pending = seen.notes.pending()?;
    let is_there = [Side::A, Side::B].into_iter().any(|side| seen.label(side) == Some(&pending.version));
    match pending.stage {
        // It was confirmed; the cut came before the note of it.
        Stage::Tried if pending.version == *running => Some(Note::Settled),
        Stage::Tried => Some(Note::Failed { version: pending.version.clone(), reason: Reason::DidNotComeUp }),
        Stage::Armed if is_there => None,
        Stage::Armed => Some(Note::Settled),
    }
}

/// Without `autoboot.txt` it is up to the firmware what boots. A system that came up without the flag is named in a new one.
fn repaired(seen: &Seen) -> Result<Effects, Refused> {
    let boot = seen.boot.ok_or(Refused::NoSlot)?;
    if boot.has_tryboot || seen.label(boot.side).is_none() {
        return Err(Refused::NotChosen);
    }
    committed(seen, boot.side)
}

/// Durable before anything else is written to the side: a label means that the side is whole.
fn unlabelled(seen: &Seen, side: Side) -> Effects {
    let Some(version) = seen.label(side).cloned() else { return Vec::new() };
    let label = Place::Label { side, version };
    vec![Effect::Remove(label.clone()), Effect::SyncFolder(label)]
}

fn committed(seen: &Seen, side: Side) -> Result<Effects, Refused> {
    let number = (0..MAX_NUMBERS).find(|number| !seen.numbers.contains(number)).ok_or(Refused::NoName)?;
    let new = Place::NewAutoboot { number, autoboot: Autoboot { committed: side } };
    Ok(vec![
        Effect::Write(new.clone()),
        Effect::Sync(new.clone()),
        Effect::Verify(new.clone()),
        Effect::Rename { from: new, to: Place::Autoboot },
        Effect::SyncFolder(Place::Autoboot),
    ])
}

/// Only a side that was started as a try, and did not fail meanwhile. Once it is committed, what was not finished of that is done again.
fn confirmed(seen: &Seen) -> Result<Effects, Refused> {
    let Running { version, standing } = seen.running()?;
    let boot = seen.boot.ok_or(Refused::NoSlot)?;
    let mut effects = match standing {
        Standing::Kept if boot.has_tryboot => vec![Effect::SyncFolder(Place::Autoboot)],
        Standing::Kept => return Ok(Effects::new()),
        Standing::OnTrial => {
            plan::not_failed(&version, &seen.notes)?;
            committed(seen, boot.side)?
        }
    };
    if seen.notes.pending().is_some_and(|pending| pending.version == version) {
        effects.push(Effect::Note(Note::Settled));
    }
    Ok(effects)
}

fn failed(seen: &Seen, why: &Words) -> Result<Effects, Refused> {
    let version = seen.running()?.on_trial()?;
    let reason = Reason::Unhealthy { why: why.clone() };
    Ok(vec![Effect::Note(Note::Failed { version, reason }), Effect::Restart(Restart::Plain)])
}

fn begin(seen: &Seen, version: &Version, order: Order) -> Result<Effects, Refused> {
    let (running, side) = kept(seen)?;
    // Also what nobody noted yet, because the plan after the boot was not finished.
    let settled = pending_settled(seen, &running);
    let mut notes = seen.notes.clone();
    settled.iter().for_each(|note| notes.apply(note));
    plan::admit(&running, version, order, &notes)?;
    let mut effects: Effects = settled.into_iter().map(Effect::Note).collect();
    effects.extend(plan::forgive(version, &notes));
    if notes.pending().is_some() {
        effects.push(Effect::Note(Note::Settled));
    }
    let system = Place::System { side, version: version.clone() };
    // What a plan before did, and did not finish, may not be on the disk yet. Above all the other side may still be the committed one there,
    // or have its label.
    effects.extend([Effect::SyncFolder(Place::Autoboot), Effect::SyncFolder(system.clone())]);
    effects.extend(unlabelled(seen, side));
    effects.extend([
        Effect::Write(system.clone()),
        Effect::Sync(system.clone()),
        // The names of the files too, before there is a label.
        Effect::SyncFolder(system.clone()),
        Effect::Verify(system),
    ]);
    Ok(effects)
}

fn written(seen: &Seen, version: &Version) -> Result<Effects, Refused> {
    let (_running, side) = kept(seen)?;
    plan::not_failed(version, &seen.notes)?;
    if seen.label(side).is_some() {
        return Err(Refused::NotWritten { version: version.clone() });
    }
    let label = Place::Label { side, version: version.clone() };
    Ok(vec![
        Effect::Write(label.clone()),
        Effect::Sync(label.clone()),
        Effect::SyncFolder(label),
        Effect::Note(Note::Armed { version: version.clone() }),
    ])
}

/// The note comes before the trial, for nothing of a trial that crashes can be seen afterwards. A cut between the two counts as a failed trial.
fn restart(seen: &Seen) -> Result<Effects, Refused> {
    let (_running, side) = kept(seen)?;
    let armed = seen.notes.pending().filter(|pending| pending.stage == Stage::Armed);
    match armed.filter(|pending| seen.label(side) == Some(&pending.version)) {
        Some(pending) => Ok(vec![
            Effect::Note(Note::Tried { version: pending.version.clone() }),
            Effect::Restart(Restart::TryOther),
        ]),
        None => Ok(vec![Effect::Restart(Restart::Plain)]),
    }
}
