//! Rules that are wrong, and what the check says of each.

use slots::Effect;
use slots::Event;
use slots::Refused;
use slots::uefi::FileName;
use slots::uefi::Mark;
use slots::uefi::Seen;
use slots::uefi::plan;

/// One mistake.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Wrong {
    /// The file is not synced before it is armed.
    NoSync,
    /// What was written is not read back.
    NoVerify,
    /// The update is written under the name that the loader sees.
    InSight,
    /// The update is written over the good slot.
    InPlace,
    /// The other slot goes before the new one is confirmed.
    RemovedEarly,
    /// No folder is ever synced.
    NoFolderSync,
    /// An update begins on top of what a plan before left unsynced.
    BegunUnsettled,
    /// A higher slot goes before the lower one is confirmed durably.
    LowerUnsynced,
    /// A higher slot is removed under the name that the loader sees.
    LowerInSight,
    /// An update begins without looking for slots that failed.
    FailedUnseen,
    /// What the loader counted last is confirmed.
    ByCountedPath,
    /// Armed without the second counter.
    OneCounter,
    /// Armed with three tries.
    ThreeTries,
    /// A slot that failed is removed without a note of it.
    NotNoted,
    /// What a cut left beside a good name is removed.
    TwinRemoved,
    /// A kept system is counted again.
    CountedAgain,
}

impl Wrong {
    pub(crate) fn plan(self, mut seen: Seen, event: &Event) -> Result<Vec<Effect<FileName>>, Refused> {
        if let (Self::ByCountedPath, Event::Confirmed, Some(counted)) = (self, event, &seen.boot.counted) {
            seen.boot.selected = Some(counted.clone());
        }
        if let (Self::FailedUnseen, Event::Begin { .. }) = (self, event) {
            seen.names.retain(|name| !matches!(name.mark, Mark::Counted { left: 0, .. }));
        }
        let mut effects = plan(&seen, event)?;
        match (self, event) {
            (Self::NoSync, _) => effects.retain(|effect| !matches!(effect, Effect::Sync(_))),
            (Self::NoVerify, _) => effects.retain(|effect| !matches!(effect, Effect::Verify(_))),
            (Self::NotNoted, Event::Booted | Event::Begin { .. }) => {
                effects.retain(|effect| !matches!(effect, Effect::Note(_)));
            }
            (Self::NoFolderSync, _) => effects.retain(|effect| !matches!(effect, Effect::SyncFolder(_))),
            (Self::BegunUnsettled, Event::Begin { .. }) => {
                let first = effects.iter().position(|effect| matches!(effect, Effect::SyncFolder(_)));
                first.map(|place| effects.remove(place));
            }
            (Self::LowerUnsynced, Event::Confirmed) if effects.len() > 2 => {
                effects.remove(1);
            }
            (Self::LowerInSight, Event::Confirmed) => {
                let hides = |effect: &Effect<FileName>| matches!(effect, Effect::Rename { to, .. } if to.mark == Mark::Aside);
                for effect in &mut effects {
                    if hides(effect)
                        && let Effect::Rename { from, .. } = effect
                    {
                        *effect = Effect::Remove(from.clone());
                    }
                }
            }
            (Self::InSight, Event::Begin { version, .. }) => {
                write_to(&mut effects, &FileName::armed(version));
            }
            (Self::InSight, Event::Written { .. }) => effects.clear(),
            (Self::InPlace, Event::Begin { .. }) => {
                write_to(&mut effects, &FileName::good(&seen.running()?.version));
            }
            (Self::RemovedEarly, Event::Written { .. }) => {
                effects.push(Effect::Remove(FileName::good(&seen.running()?.version)));
            }
            (Self::OneCounter, Event::Written { .. }) => {
                rename_to(&mut effects, Mark::Counted { left: 1, done: None });
            }
            (Self::ThreeTries, Event::Written { .. }) => {
                rename_to(&mut effects, Mark::Counted { left: 3, done: Some(0) });
            }
            (Self::TwinRemoved, Event::Booted) => {
                let running = seen.running()?.version;
                let beside =
                    seen.names.iter().filter(|name| name.version == running && name.mark != Mark::Good);
                effects.extend(beside.cloned().map(Effect::Remove));
            }
            (Self::CountedAgain, Event::Restart) => {
                let from = FileName::good(&seen.running()?.version);
                let to = FileName::armed(&from.version);
                effects.insert(0, Effect::Rename { from, to });
            }
            _ => {}
        }
        Ok(effects)
    }
}

fn write_to(effects: &mut [Effect<FileName>], place: &FileName) {
    for effect in effects {
        if let Effect::Write(name) | Effect::Sync(name) | Effect::Verify(name) = effect {
            name.clone_from(place);
        }
    }
}

fn rename_to(effects: &mut [Effect<FileName>], mark: Mark) {
    for effect in effects {
        if let Effect::Rename { to, .. } = effect {
            to.mark = mark;
        }
    }
}

mod tests {
    use super::*;
    use crate::life::Wishes;
    use crate::uefi::explored;

    #[test]
    fn every_mistake_is_found() {
        for (wrong, expected) in [
            (Wrong::NoSync, "which is not whole"),
            (Wrong::NoVerify, "which is not whole"),
            (Wrong::InSight, "which is not whole"),
            (Wrong::InPlace, "touches the last good system"),
            (Wrong::RemovedEarly, "touches the last good system"),
            (Wrong::NoFolderSync, "no good system is left"),
            (Wrong::BegunUnsettled, "no good system is left"),
            (Wrong::LowerUnsynced, "no good system is left"),
            (Wrong::LowerInSight, "it never comes to rest"),
            (Wrong::FailedUnseen, "failed and is armed again by itself"),
            (Wrong::ByCountedPath, "is bad and kept as good"),
            (Wrong::OneCounter, "was confirmed and is counted"),
            (Wrong::ThreeTries, "was confirmed and is counted"),
            (Wrong::NotNoted, "failed and is armed again by itself"),
            (Wrong::TwinRemoved, "touches the last good system"),
            (Wrong::CountedAgain, "touches the last good system"),
        ] {
            // One update shows most of them, and has far fewer states.
            let broken =
                (1..=2).find_map(|updates| explored(Wishes { updates, has_asker: true }, Some(wrong)).err());
            let broken = broken.unwrap_or_else(|| panic!("{wrong:?} is not found"));
            println!("{wrong:?}: {} after {} steps", broken.why, broken.trail.len());
            assert!(broken.why.contains(expected), "{wrong:?}: {broken:#?}");
        }
    }
}
