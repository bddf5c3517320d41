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
use crate::plan::Running;
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
    let running = running.version;
    let mut effects: Effects = failures(seen, &running).into_iter().map(Effect::Note).collect();
    if seen.names.contains(&FileName::good(&running)) {
        // What has a good name stays with all its names: they may share their clusters.
        let stays = |version: &Version| *version == running || seen.names.contains(&FileName::good(version));
        effects.extend(removed(&running, seen.names.iter().filter(|name| !stays(&name.version))));
    }
    Ok(effects)
}

/// Slots that used up their tries while another one runs, and were not noted.
fn failures(seen: &Seen, running: &Version) -> Vec<Note> {
    let is_new = |version: &Version| {
        version != running
            && !seen.names.contains(&FileName::good(version))
            && seen.notes.failure(version).is_none()
    };
    let spent = |name: &&FileName| matches!(name.mark, Mark::Counted { left: 0, .. });
    let names = seen.names.iter().filter(spent).filter(|name| is_new(&name.version));
    names.map(|name| Note::Failed { version: name.version.clone(), reason: seen.reason(name) }).collect()
}

/// Removes names. Until the folder is synced any of them may come back after a cut, with clusters that were given to others. That changes
/// nothing where the loader would not take it anyway. A good one above the running version it would take: that one is hidden first.
fn removed<'a>(running: &Version, names: impl IntoIterator<Item = &'a FileName>) -> Effects {
    let (mut hiding, mut removing) = (Effects::new(), Effects::new());
    for name in names {
        let is_higher = name.version.order(running) == Ordering::Greater;
        let aside = FileName::aside(&name.version);
        if name.mark == Mark::Good && is_higher {
            hiding.extend([
                Effect::Rename { from: name.clone(), to: aside.clone() },
                Effect::SyncFolder(aside.clone()),
            ]);
            removing.retain(|effect| *effect != Effect::Remove(aside.clone()));
            removing.push(Effect::Remove(aside));
        } else {
            removing.push(Effect::Remove(name.clone()));
        }
    }
    if let Some(Effect::Remove(last)) = removing.last() {
        removing.push(Effect::SyncFolder(last.clone()));
    }
    [hiding, removing].concat()
}

/// Only a slot that was started as a try, and did not fail meanwhile. Once it is confirmed, what was not finished of that is done again.
fn confirmed(seen: &Seen) -> Result<Effects, Refused> {
    let Running { version, standing } = seen.running()?;
    let good = FileName::good(&version);
    let mut effects = match standing {
        Standing::Kept if seen.is_trial() => Effects::new(),
        Standing::Kept => return Ok(Effects::new()),
        Standing::OnTrial => {
            plan::not_failed(&version, &seen.notes)?;
            let from = seen.tried(&version).ok_or_else(|| Refused::NotOnDisk { version: version.clone() })?;
            vec![Effect::Rename { from: from.clone(), to: good.clone() }]
        }
    };
    effects.push(Effect::SyncFolder(good));
    // A higher one would boot next time. It goes once this one is there for good.
    let higher = seen.names.iter().filter(|name| name.version.order(&version) == Ordering::Greater);
    effects.extend(removed(&version, higher));
    Ok(effects)
}

/// The reason first: a cut afterwards leaves a slot that is known to be bad. Tries that are left are taken away.
fn failed(seen: &Seen, version: &Version, reason: crate::Reason) -> Effects {
    let mut effects = vec![Effect::Note(Note::Failed { version: version.clone(), reason })];
    if let Some(from) = seen.tried(version)
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
    // Also what nobody noted yet, because the plan after the boot was not finished.
    let failures = failures(seen, &running);
    let mut notes = seen.notes.clone();
    failures.iter().for_each(|note| notes.apply(note));
    plan::admit(&running, version, order, &notes)?;
    let aside = FileName::aside(version);
    let mut effects: Effects = failures.into_iter().map(Effect::Note).collect();
    effects.extend(plan::forgive(version, &notes));
    // What a plan before did, and did not finish, may not be on the disk yet; what is built on it now would be torn with it.
    effects.push(Effect::SyncFolder(aside.clone()));
    effects.extend(removed(&running, seen.names.iter().filter(|name| name.version != running)));
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
    // The loader knows entries by their names without counters.
    let chosen = lower.map(|name| Effect::ChooseOnce(FileName::good(&name.version)));
    let mut effects: Effects = chosen.into_iter().collect();
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
