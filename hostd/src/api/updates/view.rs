//! Updates as their owner is shown them.

use crate::api::system::Release;
use crate::app::App;
use crate::updates::history::PastUpdate;
use crate::updates::settings::UpdateSettings;
use crate::updates::state::State;
use model::update::InstallStep;
use model::update::SlotReportState;
use model::update::SlotStanding;
use model::update::SlotsReport;
use serde::Serialize;
use std::time::Duration;
use update::Offer;
use update::Turn;

/// Updates at a glance.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct UpdatesView {
    /// Version of the running system.
    version: String,
    /// Board the image was made for.
    board: String,
    /// Why updates cannot come at all, in plain words.
    problem: Option<String>,
    /// What is being done.
    progress: UpdateProgress,
    /// What there is for this box, the highest version first; empty before the repository was asked.
    offers: Vec<OfferView>,
    /// The systems on the disk.
    slots: Vec<SlotView>,
    /// What was chosen.
    settings: UpdateSettings,
    /// What became of updates, the newest first.
    history: Vec<PastUpdate>,
    /// When the repository last answered.
    checked: Option<u64>,
    /// When it is asked next; nothing where it is not, or the clock is not set.
    next_check: Option<u64>,
    /// When the box restarts by itself into what is ready; nothing where it does not, or the clock is not set.
    restart_at: Option<u64>,
}

/// How far an update is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct UpdateProgress {
    /// In one word.
    phase: UpdatePhase,
    /// Which version it is about.
    version: Option<String>,
    /// Bytes done of this phase.
    done_bytes: u64,
    /// Its bytes in all; 0 in phases without.
    total_bytes: u64,
    /// Bytes that came over the net; the rest was on the box already.
    fetched_bytes: u64,
    /// What a system on trial is waiting for, in plain words.
    waiting: Vec<String>,
    /// How long it may go on waiting; nothing while the data is locked, and in other phases.
    seconds_left: Option<u64>,
    /// Why the last step failed, in plain words.
    reason: Option<String>,
}

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UpdatePhase {
    /// Nothing.
    #[default]
    Idle,
    /// The repository is asked.
    Checking,
    /// There is nothing newer for this box.
    UpToDate,
    /// There is something newer.
    Available,
    /// It is fetched.
    Downloading,
    /// What was fetched is checked anew.
    Verifying,
    /// It is written beside the running system.
    Writing,
    /// It is read back from the disk.
    ReadingBack,
    /// The next restart tries it.
    Ready,
    /// The box goes down for it.
    Restarting,
    /// It runs on trial.
    Trying,
    /// The last step failed; the running system is as it was.
    Failed,
}

/// A version that is offered.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UpdateOffer)]
pub(crate) struct OfferView {
    /// Its version.
    version: String,
    /// What is new, in its makers' words.
    notes: String,
    /// Length of the system; most of it is on the box already.
    size_bytes: u64,
    /// Whether the box takes it by itself.
    turn: OfferTurn,
    /// Why not, in plain words.
    reason: Option<String>,
}

/// Whether the box takes a version by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OfferTurn {
    /// It does.
    Now,
    /// Other boxes come first; the owner may take it.
    Later,
    /// It was tried and failed; the owner may try again.
    Failed,
    /// Nobody shall take it.
    HeldBack,
}

/// A system on the disk.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UpdateSlot)]
pub(crate) struct SlotView {
    /// Its version.
    version: String,
    /// How it stands.
    state: SlotState,
    /// Whether it runs.
    is_running: bool,
    /// Why it is bad, in plain words.
    reason: Option<String>,
}

/// How a system on the disk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UpdateSlotState)]
pub(crate) enum SlotState {
    /// It ran and was healthy.
    Good,
    /// The next restart tries it, or it runs on trial.
    Trying,
    /// It failed.
    Bad,
}

impl UpdatesView {
    pub(super) fn of(app: &App) -> Self {
        let standing = app.updates.standing();
        let slots = standing.slots.unwrap_or_default();
        let release = Release::of(app);
        let kept = standing.kept;
        Self {
            version: slots.running.as_ref().map_or(release.version, |running| running.version.clone()),
            board: release.board,
            problem: standing.problem,
            progress: UpdateProgress::of(&standing.state, app.clock.uptime()),
            offers: standing.offers.iter().map(|offer| offer_view(offer, &slots)).collect(),
            slots: slot_views(&slots),
            settings: kept.settings,
            history: kept.history,
            checked: kept.checked,
            next_check: standing.next_check,
            restart_at: standing.restart_at,
        }
    }
}

impl UpdateProgress {
    pub(super) fn of(state: &State, uptime: Duration) -> Self {
        let about =
            |phase, version: &String| Self { phase, version: Some(version.clone()), ..Self::default() };
        let only = |phase| Self { phase, ..Self::default() };
        match state {
            State::Idle => only(UpdatePhase::Idle),
            State::Checking => only(UpdatePhase::Checking),
            State::UpToDate => only(UpdatePhase::UpToDate),
            State::Available { version } => about(UpdatePhase::Available, version),
            State::Downloading { version, done, total, fetched } => Self {
                done_bytes: *done,
                total_bytes: *total,
                fetched_bytes: *fetched,
                ..about(UpdatePhase::Downloading, version)
            },
            State::Writing { version, step, done, total } => {
                let phase = match step {
                    InstallStep::Checking => UpdatePhase::Verifying,
                    InstallStep::Writing => UpdatePhase::Writing,
                    InstallStep::ReadingBack => UpdatePhase::ReadingBack,
                };
                Self { done_bytes: *done, total_bytes: *total, ..about(phase, version) }
            }
            State::Ready { version } => about(UpdatePhase::Ready, version),
            State::Restarting { version } => about(UpdatePhase::Restarting, version),
            State::Trying { version, until, waiting } => Self {
                waiting: waiting.clone(),
                seconds_left: until.map(|until| until.saturating_sub(uptime.as_secs())),
                ..about(UpdatePhase::Trying, version)
            },
            State::Failed { version, reason } => {
                let reason = Some(reason.clone());
                Self { version: version.clone(), reason, ..only(UpdatePhase::Failed) }
            }
        }
    }
}

fn offer_view(offer: &Offer, slots: &SlotsReport) -> OfferView {
    let release = &offer.release;
    let failed = slots.failed.iter().find(|failed| failed.version == release.version.as_str());
    let (turn, reason) = match (&offer.turn, failed) {
        (Turn::Paused(why), _) => (OfferTurn::HeldBack, Some(format!("its makers hold it back: {why}"))),
        (_, Some(failed)) => {
            let why = format!(
                "it was tried and failed: {}. The box does not try it again by itself",
                failed.reason
            );
            (OfferTurn::Failed, Some(why))
        }
        (Turn::Later, None) => {
            let why = "it goes to some boxes first, and this one comes later; you need not wait";
            (OfferTurn::Later, Some(why.to_owned()))
        }
        (Turn::Now, None) => (OfferTurn::Now, None),
    };
    OfferView {
        version: release.version.to_string(),
        notes: release.notes.as_str().to_owned(),
        size_bytes: release.length,
        turn,
        reason,
    }
}

fn slot_views(slots: &SlotsReport) -> Vec<SlotView> {
    let running = slots.running.as_ref();
    let is_running = |version: &str| running.is_some_and(|running| running.version == version);
    let view = |slot: &model::update::SlotReport| {
        let on_trial = running.is_some_and(|running| running.standing == SlotStanding::OnTrial);
        let (state, reason) = match &slot.state {
            _ if is_running(&slot.version) && on_trial => (SlotState::Trying, None),
            SlotReportState::Good => (SlotState::Good, None),
            SlotReportState::Trying { .. } => (SlotState::Trying, None),
            SlotReportState::Bad { reason } => (SlotState::Bad, Some(reason.clone())),
        };
        SlotView { version: slot.version.clone(), state, is_running: is_running(&slot.version), reason }
    };
    slots.slots.iter().map(view).collect()
}
