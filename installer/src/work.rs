//! What each verb does: look, plan, effects, report.

use std::io;
use std::path::Path;

use model::report::BootReport;
use model::update::FailureLog;
use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use slots::Effect;
use slots::Event;
use slots::Note;
use slots::Reason;
use slots::Refused;
use slots::Restart;
use slots::Standing;
use slots::Version;
use slots::Words;
use slots::pi;
use slots::uefi;

use crate::approve;
use crate::approve::Approve;
use crate::approve::NotApproved;
use crate::approve::Starter;
use crate::approve::Unfit;
use crate::approve::Wanted;
use crate::durable;
use crate::durable::Lasting;
use crate::esp;
use crate::esp::Content;
use crate::esp::ContentError;
use crate::esp::Esp;
use crate::esp::EspError;
use crate::failure;
use crate::failure::FailureError;
use crate::loader;
use crate::loader::LoaderError;
use crate::look;
use crate::notebook::Notebook;
use crate::pi as partitions;
use crate::pi::Partitions;
use crate::places::Places;
use crate::seen::Seen;
use crate::site;
use crate::site::EffectError;
use crate::telling;
use crate::telling::Telling;
use crate::verb;
use crate::verb::Verb;
use crate::words;

/// Longest report of PID 1, in bytes.
const MAX_BOOT_REPORT: usize = 256 * 1024;

/// How the work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is done, and the box is to restart now.
    Restart,
    /// On a Raspberry Pi: the same, and with the flag that has the firmware try the other side once.
    TryOther,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The rules of slots.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The signed metadata.
    #[error("{version} is not approved")]
    NotApproved {
        /// The version.
        version: Version,
        /// Why.
        source: NotApproved,
    },
    /// It is approved for other boxes.
    #[error("{version} is not for this box")]
    Unfit {
        /// The version.
        version: Version,
        /// Why.
        source: Unfit,
    },
    /// The board's name.
    #[error("it is not known which board this is")]
    Board(#[source] io::Error),
    /// The download.
    #[error("checking {version}")]
    Download {
        /// The version.
        version: Version,
        /// What is wrong.
        source: EspError,
    },
    /// The boot partition.
    #[error("opening the boot partition")]
    NoEsp(#[source] io::Error),
    /// An effect.
    #[error(transparent)]
    Effect(#[from] EffectError<EspError>),
    /// The loader.
    #[error("replacing the loader")]
    Loader(#[from] LoaderError),
    /// The loader and a system at once.
    #[error("{0}")]
    NotBoth(&'static str),
    /// On a Raspberry Pi: nothing would pass the flag on.
    #[error("this kernel cannot tell the firmware to try another system")]
    NoFlag,
    /// What was done in this boot cannot be remembered.
    #[error("remembering what was done in this boot")]
    Remember(#[source] io::Error),
    /// What failed boots left.
    #[error("keeping what the boot that failed said last")]
    Failure(#[from] FailureError),
}

/// Does what the verb says, and tells how it went.
///
/// # Errors
/// When it was not done, or not all of it; the report says so, too.
pub fn run(places: &Places, verb: &Verb, approve: &dyn Approve) -> Result<Outcome, WorkError> {
    let mut telling = Telling::new(places.report());
    let (mut notebook, torn) = Notebook::open(&places.state);
    telling.reason(torn);
    telling.seen(look::look(places), notebook.notes());
    telling.failure(failure::kept(places));
    let mut work = Work { places, notebook: &mut notebook, telling: &mut telling };
    let done = match verb {
        Verb::Look => Ok(Outcome::Done),
        Verb::Booted => work.booted(),
        Verb::Install { version, order, origin } => work.install(version, *order, *origin, approve),
        Verb::Restart => work.follow(&Event::Restart, None),
        Verb::Confirmed => work.follow(&Event::Confirmed, None),
        Verb::Failed { why } => work.failed(why),
        Verb::Loader => work.loader(),
    };
    telling.seen(look::look(places), notebook.notes());
    telling.failure(failure::kept(places));
    telling.ended(verb, done.as_ref().err().map(|error| words::chain(error)));
    done
}

struct Work<'a> {
    places: &'a Places,
    notebook: &'a mut Notebook,
    telling: &'a mut Telling,
}

impl Work<'_> {
    fn seen(&self) -> Seen {
        look::look(self.places).seen(self.notebook.notes())
    }

    /// Plans what an event needs and does it.
    fn follow(&mut self, event: &Event, content: Option<Content>) -> Result<Outcome, WorkError> {
        let seen = self.seen();
        let Self { places, notebook, telling } = self;
        let signed = content.as_ref().map(|content| content.approved.clone());
        let mut tell = |step, done| {
            if let Some(signed) = &signed {
                telling.progress(telling::progress(&signed.version, step, done, signed.length));
            }
        };
        let restart = match seen {
            Seen::Uefi(seen) => {
                let effects = uefi::plan(&seen, event)?;
                if effects.is_empty() {
                    return Ok(Outcome::Done);
                }
                let esp = Esp::open(&places.slots(), &places.efivars, content, &mut tell);
                site::run(&effects, &mut esp.map_err(WorkError::NoEsp)?, notebook)?
            }
            Seen::Pi(seen) => {
                let effects = pi::plan(&seen, event)?;
                // Before anything is noted: a trial that never began would count as one that failed.
                if effects.contains(&Effect::Restart(Restart::TryOther)) && !places.tryboot.exists() {
                    return Err(WorkError::NoFlag);
                }
                site::run(&effects, &mut Partitions::new(places, content, &mut tell), notebook)?
            }
        };
        Ok(match restart {
            None => Outcome::Done,
            Some(Restart::Plain) => Outcome::Restart,
            Some(Restart::TryOther) => Outcome::TryOther,
        })
    }

    /// With locked data nothing is done: a failed slot would be removed without a note, and be tried again.
    fn booted(&mut self) -> Result<Outcome, WorkError> {
        let seen = self.seen();
        if !self.notebook.lasts() || !seen.tidies_up() {
            return Ok(Outcome::Done);
        }
        let version = seen.spent();
        let left = failure::left(self.places, version.as_ref());
        if let (Some(version), Some(log)) = (version, &left)
            && log.version == version.to_string()
        {
            // Closer than what the rules can tell from a name: they keep a reason that is there.
            let reason = Reason::Unhealthy { why: Words::new(&log.why) };
            self.notebook.apply(&Note::Failed { version, reason }).map_err(EffectError::Note)?;
        }
        let collected = failure::collect(self.places, left.as_ref());
        let done = self.follow(&Event::Booted, None)?;
        collected?;
        Ok(done)
    }

    fn failed(&mut self, why: &Words) -> Result<Outcome, WorkError> {
        let event = Event::Failed { why: why.clone() };
        let seen = self.seen();
        seen.admits(&event)?;
        let version = seen.running()?.version.to_string();
        let text = failure::log_tail(self.places);
        let log = FailureLog { version, why: why.to_string(), text };
        // The box goes back in any case; words that are lost are told of, no more.
        let lost = failure::keep(self.places, &log).err();
        self.telling.reason(lost.map(|error| words::chain(&error)));
        self.follow(&event, None)
    }

    /// Nothing that may have to be told apart later is changed in one boot.
    fn loader(&mut self) -> Result<Outcome, WorkError> {
        let seen = self.seen();
        let running = seen.running()?;
        if running.standing == Standing::OnTrial {
            return Err(Refused::OnTrial { version: running.version }.into());
        }
        if self.places.is_pi() {
            // Its firmware is the loader, and on a side like all else or in the board's own memory.
            return Ok(Outcome::Done);
        }
        if self.places.installed().exists() || seen.armed().is_some() {
            return Err(WorkError::NotBoth("an update waits; the loader comes after it"));
        }
        let is_changed = loader::replace(self.places);
        // Also after the first of two files.
        if !matches!(is_changed, Ok(false)) {
            remember(&self.places.new_loader())?;
        }
        is_changed?;
        Ok(Outcome::Done)
    }

    fn install(
        &mut self,
        version: &Version,
        order: UpdateOrder,
        origin: UpdateOrigin,
        approve: &dyn Approve,
    ) -> Result<Outcome, WorkError> {
        let looked = look::look(self.places);
        let loader = looked.loader.clone();
        let begin = Event::Begin { version: version.clone(), order: verb::planned(order) };
        // Before anything is read: what the rules refuse needs no more work.
        let seen = looked.seen(self.notebook.notes());
        seen.admits(&begin)?;
        if self.places.new_loader().exists() {
            return Err(WorkError::NotBoth("the loader is new: the box has to restart with it first"));
        }
        let running = &seen.running()?.version;
        let board = &board(self.places).map_err(WorkError::Board)?;
        let wanted = Wanted { version, order, origin, board, running };
        let approved = approve
            .approve(self.places, &wanted)
            .map_err(|source| WorkError::NotApproved { version: version.clone(), source })?;
        let is_pi = self.places.is_pi();
        let starter = if is_pi { Starter::Firmware } else { Starter::Loader(loader.as_deref()) };
        approve::fits(&approved, &wanted, starter)
            .map_err(|source| WorkError::Unfit { version: version.clone(), source })?;
        let wrong = |source| WorkError::Download { version: version.clone(), source };
        let file = durable::open(&self.places.download())
            .map_err(|error| wrong(ContentError::Read(error).into()))?;
        let mut content = Content { file, approved: approved.clone() };
        let telling = &mut *self.telling;
        let mut tell = |step, done| {
            telling.progress(telling::progress(version, step, done, approved.length));
        };
        // Room is made by removing the other system, so a download that is no good must not get that far.
        let check = if is_pi { partitions::check } else { esp::check };
        check(&mut content, &mut tell).map_err(wrong)?;
        remember(&self.places.installed())?;
        self.follow(&begin, Some(content))?;
        self.follow(&Event::Written { version: version.clone() }, None)
    }
}

/// For the rest of this boot: the folder lies in memory.
fn remember(what: &Path) -> Result<(), WorkError> {
    durable::replace(what, b"", 0o600, Lasting::No).map_err(WorkError::Remember)
}

/// The board's name from the measured command line, as PID 1 tells it.
fn board(places: &Places) -> io::Result<String> {
    let bytes = durable::read(&places.boot_report, MAX_BOOT_REPORT)?;
    let report: BootReport = serde_json::from_slice(&bytes)?;
    Ok(report.board)
}
