//! Making repositories: keys, roots, lists of systems, chunk archives, bundles. What a box never does.
//!
//! Roots and lists are signed by keys that need not be on this machine, nor all on one: they are made as a [`Draft`] that signatures are
//! added to. Snapshot and timestamp follow from the list and are signed where the repository is made. Nothing is written that a box
//! would refuse: every set of files is checked as a box checks it before.

mod draft;
mod keys;
mod pack;
mod remakes;
mod repository;

pub use draft::Draft;
pub use draft::DraftError;
pub use keys::Key;
pub use keys::KeyError;
pub use keys::Public;
pub use pack::Archive;
pub use pack::DEFAULT_CUT;
pub use pack::PackError;
pub use pack::pack;
pub use remakes::LeftOut;
pub use remakes::Program;
pub use remakes::Remade;
pub use remakes::RemakeFile;
pub use remakes::RemakesError;
pub use remakes::SEGMENT;
pub use remakes::remake;
pub use repository::Addition;
pub use repository::Lifetimes;
pub use repository::Online;
pub use repository::PublishError;
pub use repository::Repository;
pub use repository::RolePlan;
pub use repository::RootPlan;
