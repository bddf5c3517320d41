//! What is done to an app, step by step. Pure: no I/O, no clock.
//!
//! ```text
//! install  pull → admit → place → start → prove ──────────────────────→ installed
//!                   │       └───────┴───────┴── undo ── shut ─→ gone, or only its data is left
//! update   pull → stop → save → admit → place → start → prove → [rest] → tidy → installed (new)
//!                   └──────┴───────┴───────┴───────┴──────┴── back: stop → restore → admit → place → [start] ─→ installed (old)
//! remove   take → shut → gone, or only its data is left
//! ```
//!
//! A phase is kept before its action is carried out, and every action does no harm when it is carried out again: after a cut, whoever
//! reads the phase carries on. *Admit* makes the whole policy of the network anew, in which [`Phase::admitted`] is this app's part.

use super::record::Edition;
use app_manifest::ContainerName;
use model::containers::ImageChoice;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// How far an app is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is being installed.
    Installing {
        /// What is to run.
        edition: Edition,
        /// Whether it takes up data that an app of this key left: then that stays, whatever comes.
        takes_up: bool,
        /// What is being done.
        step: InstallStep,
    },
    /// It is installed, and nothing is being done to it.
    Installed {
        /// What runs.
        edition: Edition,
    },
    /// Another version takes its place.
    Updating {
        /// What ran.
        old: Box<Edition>,
        /// What is to run.
        new: Edition,
        /// Whether it was to run before.
        was_running: bool,
        /// What is being done.
        step: UpdateStep,
    },
    /// It is being removed.
    Removing {
        /// What ran.
        edition: Edition,
        /// What becomes of its data.
        data: Data,
        /// What is being done.
        step: RemoveStep,
    },
    /// It is gone, and its data is left.
    Removed {
        /// What ran last.
        edition: Edition,
    },
}

/// What becomes of the data of an app that is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// It stays.
    Keep,
    /// It goes, for good.
    Delete,
}

/// A step of an installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallStep {
    /// Images are pulled; nothing else has been done.
    Pull,
    /// netd takes the policy with it.
    Admit,
    /// containerd-lite keeps how it runs.
    Place,
    /// It is started.
    Start,
    /// It has to become healthy, and stay so.
    Prove,
    /// It is taken away again.
    Undo {
        /// Why, in plain words.
        why: String,
    },
    /// netd takes the policy without it.
    Shut {
        /// Why, in plain words.
        why: String,
    },
}

/// A step of an update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateStep {
    /// Images are pulled; nothing else has been done.
    Pull,
    /// The version before stops.
    Stop,
    /// A snapshot is taken of its data.
    Save,
    /// netd takes the policy with what the new version has.
    Admit,
    /// containerd-lite keeps how the new version runs.
    Place,
    /// It is started.
    Start,
    /// It has to become healthy, and stay so.
    Prove,
    /// It stops, as the version before had.
    Rest,
    /// The snapshot is thrown away.
    Tidy,
    /// The new version did not prove itself; what was before is brought back.
    Back {
        /// Why, in plain words.
        why: String,
        /// How far that is.
        step: BackStep,
    },
}

/// A step back to the version before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackStep {
    /// The new version stops.
    Stop,
    /// The snapshot takes the place of the data.
    Restore,
    /// netd takes the policy with what the version before had.
    Admit,
    /// containerd-lite keeps how that runs.
    Place,
    /// It is started, if it ran.
    Start,
}

/// A step of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoveStep {
    /// containerd-lite takes it away.
    Take,
    /// netd takes the policy without it.
    Shut,
}

/// What is to be carried out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pull the images of [`Phase::subject`].
    Pull,
    /// Have netd take the policy of all apps.
    Admit,
    /// The same for an app that goes; whether netd is there does not matter, for it is told again.
    Shut,
    /// Have containerd-lite keep how [`Phase::subject`] runs.
    Place,
    /// Start it.
    Start,
    /// Wait until it runs and is healthy.
    Prove,
    /// Stop it, and wait until it has stopped.
    Stop,
    /// Take a snapshot of its data.
    Save,
    /// Put the snapshot back in its place; a snapshot that is not there was put back before.
    Restore,
    /// Throw the snapshot away.
    Forget,
    /// Have containerd-lite remove it, and wait until it is gone; one that is not there is gone.
    Remove(Data),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The images are there; this is what runs with them.
    Pulled(Box<Edition>),
    /// It cannot be done, in plain words.
    Failed(String),
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This; with what went wrong, where an operation ended that came to nothing.
    Phase(Box<Phase>, Option<String>),
    /// The app is forgotten; likewise.
    Gone(Option<String>),
    /// The same again after a while: there is no way but forward, and this is why it is blocked.
    Again(String),
}

impl Edition {
    /// With its images.
    #[must_use]
    pub fn with_images(mut self, images: BTreeMap<ContainerName, ImageChoice>) -> Self {
        self.images = images;
        self
    }
}

impl Phase {
    /// The version that counts: what runs, or what is about to where nothing ran before.
    #[must_use]
    pub const fn edition(&self) -> &Edition {
        match self {
            Self::Installing { edition, .. }
            | Self::Installed { edition }
            | Self::Removing { edition, .. }
            | Self::Removed { edition } => edition,
            Self::Updating { old, .. } => old,
        }
    }

    /// The version that [`Action::Pull`], [`Action::Place`] and [`Action::Prove`] are about.
    #[must_use]
    pub const fn subject(&self) -> &Edition {
        match self {
            Self::Updating { step: UpdateStep::Back { .. }, old, .. } => old,
            Self::Updating { new, .. } => new,
            Self::Installing { .. }
            | Self::Installed { .. }
            | Self::Removing { .. }
            | Self::Removed { .. } => self.edition(),
        }
    }

    /// The version whose permissions the policy of the network has now.
    #[must_use]
    pub const fn admitted(&self) -> Option<&Edition> {
        match self {
            Self::Installing { step: InstallStep::Pull | InstallStep::Shut { .. }, .. }
            | Self::Removing { step: RemoveStep::Shut, .. }
            | Self::Removed { .. } => None,
            Self::Updating {
                step: UpdateStep::Pull | UpdateStep::Stop | UpdateStep::Save | UpdateStep::Back { .. },
                old,
                ..
            } => Some(old),
            Self::Updating { new, .. } => Some(new),
            Self::Installing { edition, .. }
            | Self::Installed { edition }
            | Self::Removing { edition, .. } => Some(edition),
        }
    }

    /// What is to be carried out; nothing while it rests.
    #[must_use]
    pub const fn action(&self) -> Option<Action> {
        Some(match self {
            Self::Installed { .. } | Self::Removed { .. } => return None,
            Self::Installing { step, takes_up, .. } => match step {
                InstallStep::Pull => Action::Pull,
                InstallStep::Admit => Action::Admit,
                InstallStep::Place => Action::Place,
                InstallStep::Start => Action::Start,
                InstallStep::Prove => Action::Prove,
                InstallStep::Undo { .. } => Action::Remove(if *takes_up { Data::Keep } else { Data::Delete }),
                InstallStep::Shut { .. } => Action::Shut,
            },
            Self::Updating { step, .. } => match step {
                UpdateStep::Pull => Action::Pull,
                UpdateStep::Stop | UpdateStep::Rest | UpdateStep::Back { step: BackStep::Stop, .. } => {
                    Action::Stop
                }
                UpdateStep::Save => Action::Save,
                UpdateStep::Admit | UpdateStep::Back { step: BackStep::Admit, .. } => Action::Admit,
                UpdateStep::Place | UpdateStep::Back { step: BackStep::Place, .. } => Action::Place,
                UpdateStep::Start | UpdateStep::Back { step: BackStep::Start, .. } => Action::Start,
                UpdateStep::Prove => Action::Prove,
                UpdateStep::Tidy => Action::Forget,
                UpdateStep::Back { step: BackStep::Restore, .. } => Action::Restore,
            },
            Self::Removing { step: RemoveStep::Take, data, .. } => Action::Remove(*data),
            Self::Removing { step: RemoveStep::Shut, .. } => Action::Shut,
        })
    }

    /// What follows when the action came to this.
    #[must_use]
    pub fn after(self, outcome: Outcome) -> Next {
        match self {
            Self::Installing { edition, takes_up, step } => after_install(edition, takes_up, step, outcome),
            Self::Updating { old, new, was_running, step } => {
                Update { old: *old, new, was_running }.after(step, outcome)
            }
            Self::Removing { edition, data, step } => after_remove(edition, data, step, outcome),
            Self::Installed { .. } | Self::Removed { .. } => Next::Phase(Box::new(self), None),
        }
    }
}

fn after_install(edition: Edition, takes_up: bool, step: InstallStep, outcome: Outcome) -> Next {
    let go = |edition, step| Next::Phase(Box::new(Phase::Installing { edition, takes_up, step }), None);
    let end = |edition, why| {
        if takes_up {
            Next::Phase(Box::new(Phase::Removed { edition }), Some(why))
        } else {
            Next::Gone(Some(why))
        }
    };
    match (step, outcome) {
        (InstallStep::Pull, Outcome::Pulled(pulled)) => go(*pulled, InstallStep::Admit),
        (InstallStep::Pull, Outcome::Done) => go(edition, InstallStep::Admit),
        (InstallStep::Pull, Outcome::Failed(why)) => end(edition, why),
        (InstallStep::Admit, Outcome::Failed(why)) => go(edition, InstallStep::Shut { why }),
        (InstallStep::Admit, _) => go(edition, InstallStep::Place),
        (InstallStep::Place | InstallStep::Start | InstallStep::Prove, Outcome::Failed(why)) => {
            go(edition, InstallStep::Undo { why })
        }
        (InstallStep::Place, _) => go(edition, InstallStep::Start),
        (InstallStep::Start, _) => go(edition, InstallStep::Prove),
        (InstallStep::Prove, _) => Next::Phase(Box::new(Phase::Installed { edition }), None),
        (InstallStep::Undo { .. }, Outcome::Failed(blocked)) => Next::Again(blocked),
        (InstallStep::Undo { why }, _) => go(edition, InstallStep::Shut { why }),
        (InstallStep::Shut { why }, _) => end(edition, why),
    }
}

struct Update {
    old: Edition,
    new: Edition,
    was_running: bool,
}

impl Update {
    fn go(self, step: UpdateStep) -> Next {
        let Self { old, new, was_running } = self;
        Next::Phase(Box::new(Phase::Updating { old: Box::new(old), new, was_running, step }), None)
    }

    fn back(self, why: String, step: BackStep) -> Next {
        self.go(UpdateStep::Back { why, step })
    }

    fn after(self, step: UpdateStep, outcome: Outcome) -> Next {
        match (step, outcome) {
            (UpdateStep::Pull, Outcome::Pulled(pulled)) => Self { new: *pulled, ..self }.go(UpdateStep::Stop),
            (UpdateStep::Pull, Outcome::Done) => self.go(UpdateStep::Stop),
            (UpdateStep::Pull, Outcome::Failed(why)) => {
                Next::Phase(Box::new(Phase::Installed { edition: self.old }), Some(why))
            }
            // Nothing has changed yet but that it may have stopped.
            (UpdateStep::Stop | UpdateStep::Save, Outcome::Failed(why)) => self.begin_again(why),
            (
                UpdateStep::Admit | UpdateStep::Place | UpdateStep::Start | UpdateStep::Prove,
                Outcome::Failed(why),
            ) => self.back(why, BackStep::Stop),
            (UpdateStep::Stop, _) => self.go(UpdateStep::Save),
            (UpdateStep::Save, _) => self.go(UpdateStep::Admit),
            (UpdateStep::Admit, _) => self.go(UpdateStep::Place),
            (UpdateStep::Place, _) => self.go(UpdateStep::Start),
            (UpdateStep::Start, _) => self.go(UpdateStep::Prove),
            (UpdateStep::Prove, _) if self.was_running => self.go(UpdateStep::Tidy),
            (UpdateStep::Prove, _) => self.go(UpdateStep::Rest),
            (UpdateStep::Rest, Outcome::Failed(blocked)) => Next::Again(blocked),
            (UpdateStep::Rest, _) => self.go(UpdateStep::Tidy),
            // A snapshot that stays takes room until the next update writes over it, and nothing else.
            (UpdateStep::Tidy, _) => Next::Phase(Box::new(Phase::Installed { edition: self.new }), None),
            (UpdateStep::Back { why, step }, outcome) => self.after_back(why, step, outcome),
        }
    }

    fn after_back(self, why: String, step: BackStep, outcome: Outcome) -> Next {
        match (step, outcome) {
            (
                BackStep::Stop | BackStep::Restore | BackStep::Admit | BackStep::Place,
                Outcome::Failed(blocked),
            ) => Next::Again(blocked),
            (BackStep::Stop, _) => self.back(why, BackStep::Restore),
            (BackStep::Restore, _) => self.back(why, BackStep::Admit),
            (BackStep::Admit, _) => self.back(why, BackStep::Place),
            (BackStep::Place, _) => self.begin_again(why),
            (BackStep::Start, Outcome::Failed(worse)) => {
                let why = format!("{why}; and the version before could not be started: {worse}");
                Next::Phase(Box::new(Phase::Installed { edition: self.old }), Some(why))
            }
            (BackStep::Start, _) => Next::Phase(Box::new(Phase::Installed { edition: self.old }), Some(why)),
        }
    }

    /// The version before is in its place, and runs again if it ran.
    fn begin_again(self, why: String) -> Next {
        if self.was_running {
            return self.back(why, BackStep::Start);
        }
        Next::Phase(Box::new(Phase::Installed { edition: self.old }), Some(why))
    }
}

fn after_remove(edition: Edition, data: Data, step: RemoveStep, outcome: Outcome) -> Next {
    match (step, outcome, data) {
        (RemoveStep::Take, Outcome::Failed(blocked), _) => Next::Again(blocked),
        (RemoveStep::Take, _, _) => {
            Next::Phase(Box::new(Phase::Removing { edition, data, step: RemoveStep::Shut }), None)
        }
        (RemoveStep::Shut, _, Data::Keep) => Next::Phase(Box::new(Phase::Removed { edition }), None),
        (RemoveStep::Shut, _, Data::Delete) => Next::Gone(None),
    }
}

#[cfg(test)]
mod tests;
