//! The half of the program that reads what others wrote: one right at most, a few folders, no network, no new programs.
//!
//! Root without capabilities is a user like any other, who owns the boot partition's files and those of this program. Beyond that a verb
//! has what [`rights`] says.

use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use landlock::ABI;
use landlock::Access as _;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::BitFlags;
use landlock::PathBeneath;
use landlock::PathFd;
use landlock::Ruleset;
use landlock::RulesetAttr as _;
use landlock::RulesetCreated;
use landlock::RulesetCreatedAttr as _;
use landlock::RulesetError;
use landlock::RulesetStatus;
use landlock::Scope;
use rustix::io::Errno;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::Signal;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use serde::Deserialize;
use serde::Serialize;
use slots::pi;
use slots::pi::Side;
use syscalls::FilterError;

use crate::approve::MAX_SLOT;
use crate::failure;
use crate::loader;
use crate::places::Places;
use crate::signed::Signed;
use crate::verb::Verb;
use crate::work;
use crate::work::Outcome;
use crate::work::WorkError;

/// The word that makes the program this half.
pub const WORD: &str = "confined";
/// Longest order, in bytes.
const MAX_ORDER: u64 = 64 * 1024;
/// Landlock of Linux 6.12.
const WRITTEN_FOR: ABI = ABI::V6;
/// Descriptors that may be open.
const DESCRIPTORS: u64 = 64;
/// Memory, in bytes: some buffers, and the metadata.
const MEMORY: u64 = 512 << 20;

/// What the other half tells this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Where everything lies.
    pub places: Places,
    /// What to do.
    pub verb: Verb,
    /// Whether the kernel holds the clock for right; this half may not ask.
    pub is_synchronised: bool,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ConfinedError {
    /// The order.
    #[error("reading the order")]
    Order(#[source] io::Error),
    /// A step that the kernel refused.
    #[error("{0}")]
    Step(&'static str, #[source] Errno),
    /// Landlock.
    #[error("closing the file system")]
    Landlock(#[from] RulesetError),
    /// The kernel has no Landlock.
    #[error("this kernel does not close the file system")]
    Open,
    /// seccomp.
    #[error("closing the list of system calls")]
    Filter(#[from] FilterError),
    /// The work.
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// What a verb may do beyond looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Folders and files that it reads.
    pub reads: Vec<PathBuf>,
    /// Folders whose names it reads, and nothing more.
    pub lists: Vec<PathBuf>,
    /// Folders that it writes to.
    pub writes: Vec<PathBuf>,
    /// Rights of root that it keeps.
    pub capabilities: CapabilitySet,
}

/// What a verb may do.
#[must_use]
pub fn rights(places: &Places, verb: &Verb) -> Rights {
    let mut reads = vec![
        places.efivars.clone(),
        places.boot_report.clone(),
        places.slots(),
        places.state.clone(),
        places.run.clone(),
    ];
    let mut lists = Vec::new();
    let mut writes = vec![places.run.clone()];
    let slots = if places.is_pi() {
        let sides = [Side::A, Side::B].map(|side| places.side(side));
        // `autoboot.txt` lies at the top of the boot partition. Which of all these are writable the other half has decided.
        reads.extend(sides.clone());
        reads.extend([places.device_tree.clone(), places.tryboot.clone(), places.esp.join(pi::FILE)]);
        // Keys of the data may lie below it.
        lists.push(places.esp.clone());
        let writable = match verb {
            Verb::Booted | Verb::Install { .. } => sides.to_vec(),
            Verb::Look | Verb::Restart | Verb::Confirmed | Verb::Failed { .. } | Verb::Loader => Vec::new(),
        };
        let commits = matches!(verb, Verb::Booted | Verb::Confirmed).then(|| places.esp.clone());
        [writable, commits.into_iter().collect(), vec![places.state.clone()]].concat()
    } else {
        vec![places.slots(), places.state.clone()]
    };
    let failures = places.esp.join(failure::ESP_FOLDER);
    let capabilities = match verb {
        Verb::Look => CapabilitySet::empty(),
        Verb::Booted => {
            writes.extend(slots);
            writes.extend([failures, places.pstore.clone()]);
            // The kernel shows its last words to nobody else (`fs/pstore/inode.c`).
            CapabilitySet::SYSLOG
        }
        Verb::Install { .. } => {
            writes.extend(slots);
            reads.extend([places.updates.clone(), places.trust.clone()]);
            // Downloads are hostd's, and for its eyes only.
            CapabilitySet::DAC_READ_SEARCH
        }
        // The trial is noted before it begins.
        Verb::Restart if places.is_pi() => {
            writes.push(places.state.clone());
            CapabilitySet::empty()
        }
        Verb::Restart => {
            writes.push(places.efivars.clone());
            CapabilitySet::LINUX_IMMUTABLE
        }
        Verb::Confirmed => {
            writes.extend(slots);
            CapabilitySet::empty()
        }
        Verb::Loader => {
            writes.extend(loader::folders(places));
            reads.push(places.trust.clone());
            CapabilitySet::empty()
        }
        Verb::Failed { .. } => {
            writes.extend(slots);
            writes.push(failures);
            CapabilitySet::empty()
        }
    };
    Rights { reads, lists, writes, capabilities }
}

/// The life of this half: takes the order, gives everything else up, works.
///
/// # Errors
/// When it could not be confined, or the work was not done.
pub fn run() -> Result<Outcome, ConfinedError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| ConfinedError::Step("ending with the other half", error))?;
    let mut text = Vec::new();
    io::stdin().lock().take(MAX_ORDER).read_to_end(&mut text).map_err(ConfinedError::Order)?;
    let order: Order = serde_json::from_slice(&text).map_err(|error| ConfinedError::Order(error.into()))?;
    limit()?;
    confine(&rights(&order.places, &order.verb))?;
    Ok(work::run(&order.places, &order.verb, &Signed::new(order.is_synchronised))?)
}

/// Limits of the process.
fn limit() -> Result<(), ConfinedError> {
    for (resource, most) in [
        (Resource::As, MEMORY),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Fsize, MAX_SLOT),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        rustix::process::setrlimit(resource, limit)
            .map_err(|error| ConfinedError::Step("limiting what the program uses", error))?;
    }
    Ok(())
}

/// Confines this thread and all that it starts, for good.
///
/// # Errors
/// When a step is refused: then nothing must be done.
pub fn confine(rights: &Rights) -> Result<(), ConfinedError> {
    let step = |what| move |error| ConfinedError::Step(what, error);
    for capability in CapabilitySet::all().difference(rights.capabilities).iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // A capability that is newer than the kernel.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(error) => return Err(step("limiting rights")(error)),
        }
    }
    let kept = rights.capabilities;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).map_err(step("giving rights up"))?;
    rustix::thread::set_no_new_privs(true).map_err(step("forbidding new rights"))?;
    close_files(rights)?;
    Ok(syscalls::install(&[], &[])?)
}

fn close_files(rights: &Rights) -> Result<(), ConfinedError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile;
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(WRITTEN_FOR))?
        .handle_access(AccessNet::from_all(WRITTEN_FOR))?
        .scope(Scope::from_all(WRITTEN_FOR))?
        .create()?;
    for path in &rights.reads {
        ruleset = allow(ruleset, path, read)?;
    }
    for path in &rights.lists {
        ruleset = allow(ruleset, path, AccessFs::ReadDir.into())?;
    }
    for path in &rights.writes {
        ruleset = allow(ruleset, path, write)?;
    }
    match ruleset.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(ConfinedError::Open),
    }
}

/// Adds a rule. What is not there, such as the notes while the data is locked, grants nothing.
fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(ruleset) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(WRITTEN_FOR) };
    ruleset.add_rule(PathBeneath::new(opened, access))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn an_order_survives_the_way_to_the_other_half() {
        let order = Order {
            places: Places::default(),
            verb: Verb::Failed { why: slots::Words::new("no") },
            is_synchronised: true,
        };
        let text = serde_json::to_vec(&order).unwrap();
        assert_eq!(serde_json::from_slice::<Order>(&text).unwrap(), order);
    }

    #[test]
    fn only_an_installation_reads_downloads_and_only_a_restart_writes_variables() {
        let places = Places::default();
        let install = Verb::Install {
            version: "1".parse().unwrap(),
            order: model::update::UpdateOrder::Asked,
            origin: model::update::UpdateOrigin::Network,
        };
        let all = [
            Verb::Look,
            Verb::Booted,
            install.clone(),
            Verb::Restart,
            Verb::Confirmed,
            Verb::Loader,
            Verb::Failed { why: slots::Words::new("") },
        ];
        for verb in all {
            let rights = rights(&places, &verb);
            assert_eq!(rights.reads.contains(&places.updates), verb == install, "{verb:?}");
            assert_eq!(rights.writes.contains(&places.efivars), verb == Verb::Restart, "{verb:?}");
            assert!(!rights.writes.contains(&places.esp) && !rights.writes.contains(&places.updates));
            assert!(rights.capabilities.iter().count() <= 1);
        }
    }

    #[test]
    fn on_a_pi_only_what_writes_a_side_or_commits_may() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("partition"), [0, 0, 0, 2]).unwrap();
        let places = Places { device_tree: tree, ..Places::default() };
        let install = Verb::Install {
            version: "1".parse().unwrap(),
            order: model::update::UpdateOrder::Asked,
            origin: model::update::UpdateOrigin::Network,
        };
        for (verb, to_sides, to_boot) in [
            (Verb::Look, false, false),
            (Verb::Booted, true, true),
            (install, true, false),
            (Verb::Restart, false, false),
            (Verb::Confirmed, false, true),
            (Verb::Loader, false, false),
            (Verb::Failed { why: slots::Words::new("") }, false, false),
        ] {
            let rights = rights(&places, &verb);
            assert_eq!(rights.writes.contains(&places.side(Side::B)), to_sides, "{verb:?}");
            assert_eq!(rights.writes.contains(&places.esp), to_boot, "{verb:?}");
            assert!(!rights.reads.contains(&places.esp) && !rights.writes.contains(&places.efivars));
        }
    }

    #[test]
    fn nothing_else_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let (open, closed) = (folder.path().join("open"), folder.path().join("closed"));
        fs::create_dir(&open).unwrap();
        fs::create_dir(&closed).unwrap();
        fs::write(closed.join("secret"), "x").unwrap();
        let told = std::thread::spawn(move || {
            let writes = vec![open.clone()];
            let (reads, lists) = (Vec::new(), vec![closed.clone()]);
            confine(&Rights { reads, lists, writes, capabilities: CapabilitySet::empty() }).unwrap();
            fs::read_dir(&closed).unwrap();
            fs::read(closed.join("secret")).unwrap_err();
            fs::write(open.join("a"), "x").unwrap();
            fs::rename(open.join("a"), open.join("b")).unwrap();
            fs::remove_file(open.join("b")).unwrap();
            let files = fs::write(closed.join("a"), "x").unwrap_err().kind();
            let sockets = std::net::TcpListener::bind("127.0.0.1:0").unwrap_err().kind();
            let programs = std::process::Command::new("/bin/true").spawn().unwrap_err().kind();
            let links = std::os::unix::fs::symlink("b", open.join("link")).unwrap_err().kind();
            [files, sockets, programs, links]
        });
        assert_eq!(told.join().unwrap(), [ErrorKind::PermissionDenied; 4]);
    }
}
