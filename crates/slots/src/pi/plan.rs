//! From what is seen on the partitions to what is to be done.

use super::Autoboot;
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
    let mut effects = Effects::new();
    let mut has_failed = seen.label(other).is_some_and(|label| seen.notes.failure(label).is_some());
    if let Some(pending) = seen.notes.pending() {
        let version = pending.version.clone();
        let is_there = seen.label(other) == Some(&version);
        match pending.stage {
            // It was confirmed; the cut came before the note of it.
            Stage::Tried if version == running => effects.push(Effect::Note(Note::Settled)),
            Stage::Tried => {
                effects.push(Effect::Note(Note::Failed { version, reason: Reason::DidNotComeUp }));
                has_failed |= is_there;
            }
            Stage::Armed if !is_there => effects.push(Effect::Note(Note::Settled)),
            Stage::Armed => {}
        }
    }
    if has_failed {
        effects.extend(unlabelled(seen, other));
    }
    Ok(effects)
}

/// Without `autoboot.txt` it is up to the firmware what boots. A system that came up without the flag is named in a new one.
fn repaired(seen: &Seen) -> Result<Effects, Refused> {
    let boot = seen.boot.ok_or(Refused::NoSlot)?;
    if boot.has_tryboot || seen.label(boot.side).is_none() {
        return Err(Refused::NotChosen);
    }
    Ok(committed(boot.side))
}

/// Durable before anything else is written to the side: a label means that the side is whole.
fn unlabelled(seen: &Seen, side: Side) -> Effects {
    let Some(version) = seen.label(side).cloned() else { return Vec::new() };
    let label = Place::Label { side, version };
    vec![Effect::Remove(label.clone()), Effect::SyncFolder(label)]
}

fn committed(side: Side) -> Effects {
    let new = Place::NewAutoboot(Autoboot { committed: side });
    vec![
        Effect::Write(new.clone()),
        Effect::Sync(new.clone()),
        Effect::Verify(new.clone()),
        Effect::Rename { from: new, to: Place::Autoboot },
        Effect::SyncFolder(Place::Autoboot),
    ]
}

fn confirmed(seen: &Seen) -> Result<Effects, Refused> {
    let running = seen.running()?;
    if running.standing == Standing::Kept {
        return Ok(Vec::new());
    }
    plan::not_failed(&running.version, &seen.notes)?;
    let side = seen.boot.ok_or(Refused::NoSlot)?.side;
    let mut effects = committed(side);
    effects.push(Effect::Note(Note::Settled));
    Ok(effects)
}

fn failed(seen: &Seen, why: &Words) -> Result<Effects, Refused> {
    let version = seen.running()?.on_trial()?;
    let reason = Reason::Unhealthy { why: why.clone() };
    Ok(vec![Effect::Note(Note::Failed { version, reason }), Effect::Restart(Restart::Plain)])
}

fn begin(seen: &Seen, version: &Version, order: Order) -> Result<Effects, Refused> {
    let (running, side) = kept(seen)?;
    plan::admit(&running, version, order, &seen.notes)?;
    let mut effects: Effects = plan::forgive(version, &seen.notes).into_iter().collect();
    if seen.notes.pending().is_some() {
        effects.push(Effect::Note(Note::Settled));
    }
    effects.extend(unlabelled(seen, side));
    let system = Place::System { side, version: version.clone() };
    effects.extend([Effect::Write(system.clone()), Effect::Sync(system.clone()), Effect::Verify(system)]);
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
