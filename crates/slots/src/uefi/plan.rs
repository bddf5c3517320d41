//! From what is seen in the folder to what is to be done.

use std::cmp::Ordering;

use super::FileName;
use super::Mark;
use super::Seen;
use crate::Note;
use crate::Version;
use crate::plan;
use crate::plan::Effect;
use crate::plan::Event;
use crate::plan::Order;
use crate::plan::Refused;
use crate::plan::Restart;
use crate::plan::Standing;

type Effects = Vec<Effect<FileName>>;

/// Plans what an event needs, in order. An empty plan means that all is as it should be.
///
/// # Errors
/// When the event must not be followed now; [`Refused`] says why.
pub fn plan(seen: &Seen, event: &Event) -> Result<Effects, Refused> {
    match event {
        Event::Booted => booted(seen),
        Event::Confirmed => confirmed(seen),
        Event::Failed { why } => {
            let version = seen.running()?.on_trial()?;
            let reason = crate::Reason::Unhealthy { why: why.clone() };
            Ok(failed(seen, &version, reason))
        }
        Event::Begin { version, order } => begin(seen, version, *order),
        Event::Written { version } => written(seen, version),
        Event::Restart => restart(seen),
    }
}

/// What the last boots left: failed slots are noted, then removed; half of an update is removed. A slot on trial touches nothing.
fn booted(seen: &Seen) -> Result<Effects, Refused> {
    let running = seen.running()?;
    if running.standing == Standing::OnTrial {
        return Ok(Vec::new());
    }
    let mut effects = Effects::new();
    let mut doomed: Vec<&FileName> = Vec::new();
    for name in &seen.names {
        // What has a good name stays with all its names: they may share their clusters.
        if name.version == running.version || seen.names.contains(&FileName::good(&name.version)) {
            continue;
        }
        if matches!(name.mark, Mark::Counted { left: 0, .. }) && seen.notes.failure(&name.version).is_none() {
            effects.push(Effect::Note(Note::Failed {
                version: name.version.clone(),
                reason: seen.reason(name),
            }));
        }
        doomed.push(name);
    }
    if seen.names.contains(&FileName::good(&running.version)) {
        effects.extend(removed(doomed));
    }
    Ok(effects)
}

/// One sync for all: until then any of them may come back after a cut, which changes nothing.
fn removed<'a>(names: impl IntoIterator<Item = &'a FileName>) -> Effects {
    let mut effects: Effects = names.into_iter().cloned().map(Effect::Remove).collect();
    if let Some(Effect::Remove(last)) = effects.last() {
        effects.push(Effect::SyncFolder(last.clone()));
    }
    effects
}

/// Only a slot that was started as a try, and did not fail meanwhile.
fn confirmed(seen: &Seen) -> Result<Effects, Refused> {
    let running = seen.running()?;
    if running.standing == Standing::Kept {
        return Ok(Vec::new());
    }
    let version = running.version;
    plan::not_failed(&version, &seen.notes)?;
    let good = FileName::good(&version);
    let from = counted(seen, &version).ok_or_else(|| Refused::NotOnDisk { version: version.clone() })?;
    let mut effects = vec![Effect::Rename { from: from.clone(), to: good.clone() }, Effect::SyncFolder(good)];
    // A higher one would boot next time. It goes once this one is there for good.
    effects
        .extend(removed(seen.names.iter().filter(|name| name.version.order(&version) == Ordering::Greater)));
    Ok(effects)
}

fn counted<'a>(seen: &'a Seen, version: &Version) -> Option<&'a FileName> {
    seen.names.iter().find(|name| name.version == *version && matches!(name.mark, Mark::Counted { .. }))
}

/// The reason first: a cut afterwards leaves a slot that is known to be bad. Tries that are left are taken away.
fn failed(seen: &Seen, version: &Version, reason: crate::Reason) -> Effects {
    let mut effects = vec![Effect::Note(Note::Failed { version: version.clone(), reason })];
    if let Some(from) = counted(seen, version)
        && let Mark::Counted { left: 1.., done } = from.mark
    {
        let to = FileName { version: version.clone(), mark: Mark::Counted { left: 0, done } };
        effects.extend([Effect::Rename { from: from.clone(), to: to.clone() }, Effect::SyncFolder(to)]);
    }
    effects.push(Effect::Restart(Restart::Plain));
    effects
}

/// Room is made first and durably: clusters of a file that may come back must not hold another one's content.
fn begin(seen: &Seen, version: &Version, order: Order) -> Result<Effects, Refused> {
    let running = kept(seen)?;
    plan::admit(&running, version, order, &seen.notes)?;
    let aside = FileName::aside(version);
    let mut effects: Effects = plan::forgive(version, &seen.notes).into_iter().collect();
    effects.extend(removed(seen.names.iter().filter(|name| name.version != running)));
    effects.extend([Effect::Write(aside.clone()), Effect::Sync(aside.clone()), Effect::Verify(aside)]);
    Ok(effects)
}

fn written(seen: &Seen, version: &Version) -> Result<Effects, Refused> {
    kept(seen)?;
    plan::not_failed(version, &seen.notes)?;
    let (from, to) = (FileName::aside(version), FileName::armed(version));
    if !seen.names.contains(&from) {
        return Err(Refused::NotWritten { version: version.clone() });
    }
    Ok(vec![Effect::Rename { from, to: to.clone() }, Effect::SyncFolder(to)])
}

/// By itself the loader takes the highest version, so a lower one that is armed has to be named to it.
fn restart(seen: &Seen) -> Result<Effects, Refused> {
    let running = kept(seen)?;
    let is_armed = |name: &&FileName| matches!(name.mark, Mark::Counted { left: 1.., .. });
    let lower =
        seen.names.iter().filter(is_armed).find(|name| name.version.order(&running) == Ordering::Less);
    let mut effects: Effects = lower.cloned().map(Effect::ChooseOnce).into_iter().collect();
    effects.push(Effect::Restart(Restart::Plain));
    Ok(effects)
}

/// The running version, when it is kept and its file is there: else nothing may be touched.
fn kept(seen: &Seen) -> Result<Version, Refused> {
    let version = seen.running()?.kept()?;
    if seen.names.contains(&FileName::good(&version)) {
        Ok(version)
    } else {
        Err(Refused::NotOnDisk { version })
    }
}
