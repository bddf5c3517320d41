//! Checks a repository without restoring anything.

use crate::control::Control;
use crate::control::Phase;
use crate::control::Progress;
use crate::engine::EngineError;
use crate::repository::Keys;
use crate::repository::OpenError;
use crate::repository::Owner;
use crate::repository::Site;
use crate::snapshot;
use crate::targets::Target;
use crate::tree;
use crate::tree::Blobs;
use crate::tree::Nowhere;
use rustic_core::CheckOptions;
use rustic_core::ReadSubsetOption;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;

/// Problems that are told; more are counted.
const MAX_NAMED: usize = 100;

/// rustic gives its index back and panics when a thread of its own still holds it a tenth of a second later ("index still in use"): on a
/// busy machine that is no damage. Damage that makes it panic does so each time.
const TRIES: u32 = 5;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Snapshots, folders, index; every pack is there and as long as it should be; manifests fit their trees.
    Structure,
    /// That, and one of `of` parts of the data: another one each night reads everything in `of` nights.
    Slice {
        /// Which part; counted on, it wraps around.
        part: u32,
        /// How many there are.
        of: u32,
    },
    /// That, and all data.
    Everything,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Snapshots whose tree fits their manifest.
    pub snapshots: u64,
    /// Packs there are.
    pub packs: u64,
    /// What is wrong, in words; the first hundred.
    pub problems: Vec<String>,
    /// How many there are.
    pub problem_count: u64,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.problem_count == 0
    }
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The repository cannot be opened.
    #[error("the backup cannot be checked")]
    Repository(#[source] OpenError),
    /// The task was stopped.
    #[error("the check was cancelled")]
    Cancelled,
}

struct Problems {
    named: Vec<String>,
    count: u64,
}

impl Problems {
    fn add(&mut self, problem: String) {
        self.count += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(problem);
        }
    }
}

/// Checks the repository.
///
/// # Errors
/// When it cannot be opened, or the place fails. Damage is no error but in the result.
pub fn verify(
    owner: &Owner,
    target: &Target,
    depth: Depth,
    control: &Control,
) -> Result<Verification, VerifyError> {
    let result = run(owner, target, depth, control).map_err(VerifyError::Repository);
    if control.cancel.is_cancelled() { Err(VerifyError::Cancelled) } else { result }
}

fn run(owner: &Owner, target: &Target, depth: Depth, control: &Control) -> Result<Verification, OpenError> {
    let site = Site::new(target, control.cancel.clone())?;
    let repository = site.open(owner)?;
    control.tell(&Progress::begin(Phase::Verifying));
    let found = snapshot::find_all(&site, &repository, owner)?;
    let mut problems = Problems { named: Vec::new(), count: 0 };
    for name in found.damaged {
        problems.add(format!("{name} is damaged"));
    }
    if !matches!(site.keys(owner)?, Keys::Ours) {
        problems.add("the key file is missing or damaged; the next backup makes it anew".to_owned());
    }
    let packs = site.place.list("data").map_err(OpenError::Place)?.len() as u64;
    let trees: Vec<_> = found.files.iter().map(|file| file.tree).collect();
    let check = || site.engine(|| repository.check_with_trees(options(depth), trees.clone()));
    let mut checked = check();
    for _again in 1..TRIES {
        let Err(OpenError::Engine { source: EngineError::Panicked, .. }) = &checked else { break };
        checked = check();
    }
    match checked {
        Ok(results) => {
            // The level's type has no public name.
            let errors = results.0.into_iter().filter(|(level, _)| format!("{level:?}") == "Error");
            // An interrupted backup leaves packs that no index names; prune lists them for removal without contents, and
            // rustic then finds them too long. No snapshot needs what is marked so.
            let texts = errors.map(|(_, error)| in_one_line(&error));
            texts.filter(|text| !text.contains("marked to delete: true")).for_each(|text| problems.add(text));
        }
        Err(error) if snapshot::is_damage(&error) => problems.add(in_one_line(&error)),
        Err(error) => return Err(error),
    }
    let mut snapshots = 0;
    match site.engine(|| repository.to_indexed()) {
        Ok(repository) => {
            let blobs = Blobs { site: &site, repository: &repository };
            for file in &found.files {
                let progress = Progress::begin(Phase::Verifying);
                match tree::read(blobs, file.tree, owner, &mut Nowhere, control, progress) {
                    Ok(_) => snapshots += 1,
                    Err(error) => problems.add(format!("snapshot {}: {}", file.id, in_one_line(&error))),
                }
            }
        }
        Err(error) if snapshot::is_damage(&error) => problems.add(in_one_line(&error)),
        Err(error) => return Err(error),
    }
    Ok(Verification { snapshots, packs, problems: problems.named, problem_count: problems.count })
}

fn options(depth: Depth) -> CheckOptions {
    let subset = match depth {
        Depth::Structure => return CheckOptions::default(),
        Depth::Slice { part, of } => ReadSubsetOption::IdSubSet((part % of.max(1), of.max(1))),
        Depth::Everything => ReadSubsetOption::All,
    };
    CheckOptions::default().read_data(true).read_data_subset(subset)
}

fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect()
}
