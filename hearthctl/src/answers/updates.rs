//! Answers about updates.

use serde::Deserialize;

/// `GET /updates`.
#[derive(Clone, Debug, Deserialize)]
pub struct Updates {
    /// Version of the running system.
    pub version: String,
    /// Why updates cannot come at all.
    pub problem: Option<String>,
    /// What is being done.
    pub progress: UpdateProgress,
    /// What there is, the highest version first.
    pub offers: Vec<UpdateOffer>,
    /// What was chosen.
    pub settings: UpdateSettings,
    /// What became of updates, the newest first.
    pub history: Vec<PastUpdate>,
    /// When the repository last answered.
    pub checked: Option<u64>,
    /// When the box restarts by itself.
    pub restart_at: Option<u64>,
}

/// How far an update is.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct UpdateProgress {
    /// In one word.
    pub phase: String,
    /// Which version it is about.
    pub version: Option<String>,
    /// Bytes done.
    pub done_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// What a system on trial waits for.
    pub waiting: Vec<String>,
    /// How long it may.
    pub seconds_left: Option<u64>,
    /// Why the last step failed.
    pub reason: Option<String>,
}

/// A version that is offered.
#[derive(Clone, Debug, Deserialize)]
pub struct UpdateOffer {
    /// Its version.
    pub version: String,
    /// What is new.
    pub notes: String,
    /// `now`, `later`, `failed` or `held_back`.
    pub turn: String,
    /// Why the box does not take it by itself.
    pub reason: Option<String>,
}

/// What was chosen, as far as it is shown.
#[derive(Clone, Debug, Deserialize)]
pub struct UpdateSettings {
    /// `install`, `ask` or `off`.
    pub mode: String,
    /// When the box may restart.
    pub window: UpdateWindow,
}

/// When the box may restart.
#[derive(Clone, Debug, Deserialize)]
pub struct UpdateWindow {
    /// First minute of the day.
    pub from_minute: u16,
    /// First minute after it.
    pub to_minute: u16,
    /// Whose midnight, such as `Europe/Berlin`; UTC while nobody said.
    pub zone: Option<String>,
}

/// An update that is over.
#[derive(Clone, Debug, Deserialize)]
pub struct PastUpdate {
    /// Its number.
    pub number: u32,
    /// When, in seconds since 1970.
    pub at: u64,
    /// What ran before.
    pub from: String,
    /// What was to run.
    pub to: String,
    /// `installed` or `fell_back`.
    pub outcome: String,
    /// Which check failed.
    pub reason: Option<String>,
    /// Whether its last log lines are kept.
    pub has_log: bool,
}
