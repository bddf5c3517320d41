//! How a store is opened: with which keys, guarded by which anchor, brought to which schema.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Anchor;
use crate::Generation;
use crate::Limits;
use crate::Migrations;
use crate::Opened;
use crate::Rollback;
use crate::SledStore;
use crate::StoreKey;
use crate::anchor;
use crate::anchor::Because;
use crate::anchor::Epoch;
use crate::anchor::Verdict;
use crate::batch::CheckedBatch;
use crate::layout;
use crate::medium::Folder;
use crate::medium::Medium;
use crate::open;
use crate::open::OpenError;
use crate::open::Request;
use crate::own;
use crate::recovery::Finding;
use crate::recovery::Loss;
use crate::recovery::Recovery;
use crate::schema;
use crate::schema::Course;
use crate::seal::Keys;
use crate::state::State;

/// How to open a store.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (folder, key) = (std::path::Path::new("store"), store::StoreKey::generate()?);
/// let known = store::Migrations::new();
/// let (store, opened) = store::OpenOptions::new(&key).migrations(&known).open(folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
#[must_use = "nothing is opened yet"]
pub struct OpenOptions<'a> {
    key: &'a StoreKey,
    next_key: Option<&'a StoreKey>,
    limits: Limits,
    anchor: Option<&'a dyn Anchor>,
    accepted: Option<Rollback>,
    migrations: Option<&'a Migrations>,
    keeps_way_back: bool,
}

/// What was decided before anything is changed.
struct Decided {
    verdict: Option<Verdict>,
    schema: Option<u32>,
    /// What the migrations change, together with the schema.
    changes: Option<CheckedBatch>,
}

impl<'a> OpenOptions<'a> {
    /// Opens with this key, the usual limits, no anchor and whatever schema there is.
    pub fn new(key: &'a StoreKey) -> Self {
        Self {
            key,
            next_key: None,
            limits: Limits::default(),
            anchor: None,
            accepted: None,
            migrations: None,
            keeps_way_back: false,
        }
    }

    /// Opens with other limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Names the key that the store may have changed to when the power went ([`SledStore::rotate_key`]);
    /// [`Opened::key`] says which one it is.
    pub fn next_key(mut self, next: &'a StoreKey) -> Self {
        self.next_key = Some(next);
        self
    }

    /// Refuses the store where it is an older copy of itself. Each opening raises the anchor by one.
    pub fn anchor(mut self, anchor: &'a dyn Anchor) -> Self {
        self.anchor = Some(anchor);
        self
    }

    /// Opens the store though it is an older copy: a person has seen this [`OpenError::RolledBack`] and wants that.
    /// Any other rollback is refused as ever.
    pub fn accept_rollback(mut self, seen: Rollback) -> Self {
        self.accepted = Some(seen);
        self
    }

    /// Brings the records to the present schema, and refuses those of one that is too new.
    pub fn migrations(mut self, known: &'a Migrations) -> Self {
        self.migrations = Some(known);
        self
    }

    /// Refuses a migration after which a program that knows the store's schema of now, and no later one, could not use it any more: as long
    /// as that program may have to come back.
    pub fn keep_way_back(mut self, keeps: bool) -> Self {
        self.keeps_way_back = keeps;
        self
    }

    /// Opens the store in a folder, or makes one there; recovers what was damaged and says so.
    ///
    /// The folder's parent must exist. Needs about twice the size of all records in memory while it runs, with a
    /// migration three times.
    pub fn open(self, path: &Path) -> Result<(SledStore, Opened), OpenError> {
        if !self.limits.are_possible() {
            return Err(OpenError::Limits);
        }
        let lock = open::lock_folder(path)?;
        self.open_on(Arc::new(Folder::new(path)), Some(path.join(layout::SLED)), Some(lock))
    }

    pub(crate) fn open_on(
        self,
        medium: Arc<dyn Medium>,
        folder: Option<PathBuf>,
        lock: Option<File>,
    ) -> Result<(SledStore, Opened), OpenError> {
        let mut decided = None;
        let request =
            Request { sled: folder.as_deref(), key: self.key, next_key: self.next_key, limits: self.limits };
        let parts = open::open(&medium, request, &mut |keys, state| {
            decided = Some(self.decide(keys, state)?);
            Ok(())
        })?;
        let mut opened = Opened {
            generation: Generation(parts.index.generation),
            recovered: None,
            schema: None,
            key: parts.key_used,
        };
        let store = SledStore::from_parts(medium, folder, self.limits, lock, parts);
        if let Some(decided) = decided {
            opened.schema = decided.schema;
            opened.generation = self.carry_out(&store, decided, opened.generation)?;
        }
        opened.recovered = store.recovered();
        Ok((store, opened))
    }

    fn decide(&self, keys: &Keys, state: &State) -> Result<Decided, OpenError> {
        let verdict = match self.anchor {
            Some(anchor) => {
                let epoch = own::read(keys, state)?;
                let judged = anchor::judge(epoch, anchor.read()?, self.accepted);
                Some(judged.map_err(|rollback| OpenError::RolledBack { rollback })?)
            }
            None => None,
        };
        let Some(known) = self.migrations else {
            return Ok(Decided { verdict, schema: None, changes: None });
        };
        let is_empty = state.values.keys().all(|name| name.is_own());
        let course = schema::judge(own::read(keys, state)?, is_empty, known)
            .map_err(|source| OpenError::NewerSchema { source })?;
        let (schema, changes) = match course {
            Course::Stay { at } => (at, None),
            Course::Begin => (known.present(), Some(schema::begin(known))),
            Course::Migrate { from } if self.keeps_way_back && !known.is_usable_by(from) => {
                return Err(OpenError::NoWayBack { from, to: known.present() });
            }
            Course::Migrate { from } => {
                let changes = schema::read_all(keys, state)
                    .and_then(|tables| schema::run(known, from, tables, &self.limits))
                    .map_err(|source| OpenError::Migrate { source })?;
                (known.present(), Some(changes))
            }
        };
        Ok(Decided { verdict, schema: Some(schema), changes })
    }

    /// Makes the changes of an opening; returns the generation that it leads to.
    fn carry_out(
        &self,
        store: &SledStore,
        decided: Decided,
        mut generation: Generation,
    ) -> Result<Generation, OpenError> {
        let mut commit = |changes| -> Result<(), OpenError> {
            generation = store.commit_own(changes).map_err(|source| OpenError::Commit { source })?;
            Ok(())
        };
        if let Some((verdict, anchor)) = decided.verdict.zip(self.anchor) {
            let recovered_to = store.generation();
            anchor::carry_out(verdict, anchor, |epoch: Epoch| commit(own::write(&epoch)))?;
            if let Verdict::Settle { because, .. } = verdict {
                tell(store, because, recovered_to);
            }
        }
        if let Some(changes) = decided.changes {
            commit(changes)?;
        }
        Ok(generation)
    }
}

/// Adds to what was recovered that the store was, or may be, an older copy.
fn tell(store: &SledStore, because: Because, generation: Generation) {
    let (finding, loss) = match because {
        Because::First => return,
        Because::AnchorLost => (Finding::AnchorLost, Loss::Unknown),
        Because::Accepted(rollback) => (Finding::RollbackAccepted { rollback }, Loss::After(generation)),
    };
    store.add_recovery(|recovery: &mut Recovery| {
        recovery.findings.push(finding);
        if !matches!(recovery.loss, Loss::After(_)) {
            recovery.loss = loss;
        }
    });
}

impl std::fmt::Debug for OpenOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenOptions")
            .field("limits", &self.limits)
            .field("has_anchor", &self.anchor.is_some())
            .field("accepted", &self.accepted)
            .field("migrations", &self.migrations)
            .finish_non_exhaustive()
    }
}
