//! `cargo xtask publish`: makes and extends a repository of updates. How it is used: `docs/releasing.md`.
//!
//! What rare keys sign is made as a draft, a file that signatures are added to, here or elsewhere; then it is committed.

use crate::command::target;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use clap::Args;
use clap::Subcommand;
use serde_json::Value;
use slots::Version;
use slots::Words;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use update::Label;
use update::Notes;
use update::Place;
use update::publish::Addition;
use update::publish::DEFAULT_CUT;
use update::publish::Draft;
use update::publish::Key;
use update::publish::Lifetimes;
use update::publish::Online;
use update::publish::Public;
use update::publish::Repository;
use update::publish::RolePlan;
use update::publish::RootPlan;
use update::publish::pack;

pub(crate) mod remakes;

use remakes::Built;

/// What to do with a repository.
#[derive(Args, Debug)]
pub(crate) struct PublishArguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Makes a key: FILE.pem, to be kept secret, and FILE.pub
    Key { file: PathBuf },
    /// Drafts a list of keys: the first one, or the next
    Root(RootArguments),
    /// Drafts a list of systems with a built one more
    Add(AddArguments),
    /// Drafts a list of systems in which more or fewer boxes take one
    Rollout {
        #[command(flatten)]
        which: Which,
        /// How many boxes of a hundred
        #[arg(long)]
        percent: u8,
    },
    /// Drafts a list of systems in which nobody takes one, or, without a reason, takes it again
    Pause {
        #[command(flatten)]
        which: Which,
        /// Why, for the owners of boxes
        #[arg(long)]
        why: Option<String>,
    },
    /// Drafts the list of systems as it is, to be signed by new keys or before it expires
    Renew {
        #[arg(long)]
        repository: PathBuf,
        #[arg(long)]
        draft: PathBuf,
    },
    /// Adds a signature to a draft
    Sign(SignArguments),
    /// Writes what a signature of a draft is of, for other tools
    Payload { draft: PathBuf, out: PathBuf },
    /// Puts drafts in; without any, the timestamp is made anew
    Commit(CommitArguments),
    /// Writes the bundle of a system
    Bundle {
        #[arg(long)]
        repository: PathBuf,
        #[arg(long)]
        board: Label,
        #[arg(long)]
        channel: Label,
        #[arg(long)]
        version: Version,
        out: PathBuf,
    },
}

/// A system that is there already.
#[derive(Args, Debug)]
struct Which {
    #[arg(long)]
    repository: PathBuf,
    #[arg(long)]
    board: Label,
    #[arg(long)]
    channel: Label,
    #[arg(long)]
    version: Version,
    #[arg(long)]
    draft: PathBuf,
}

#[derive(Args, Debug)]
struct RootArguments {
    #[arg(long)]
    repository: PathBuf,
    #[arg(long)]
    draft: PathBuf,
    /// Who may change keys: files with public keys
    #[arg(long, required = true, num_args = 1..)]
    root: Vec<PathBuf>,
    #[arg(long, default_value_t = 2)]
    root_threshold: u32,
    /// Who may release
    #[arg(long, required = true, num_args = 1..)]
    targets: Vec<PathBuf>,
    #[arg(long, default_value_t = 2)]
    targets_threshold: u32,
    #[arg(long, required = true, num_args = 1..)]
    snapshot: Vec<PathBuf>,
    #[arg(long, required = true, num_args = 1..)]
    timestamp: Vec<PathBuf>,
}

#[derive(Args, Debug)]
struct AddArguments {
    #[arg(long)]
    repository: PathBuf,
    #[arg(long)]
    draft: PathBuf,
    #[arg(long, default_value = "x86_64")]
    board: Label,
    #[arg(long, default_value = "stable")]
    channel: Label,
    /// The folder of the build [default: target/hearth/BOARD]
    #[arg(long)]
    image: Option<PathBuf>,
    /// The lowest version of systemd-boot that starts it rightly
    #[arg(long, default_value = "257")]
    loader: Version,
    /// How many boxes of a hundred take it by themselves
    #[arg(long, default_value_t = 100)]
    rollout: u8,
    /// A file with what is new
    #[arg(long)]
    notes: Option<PathBuf>,
    /// Slot files of releases that boxes run, whose programs they make the new ones from; if none is named, the release before
    #[arg(long, num_args = 1..)]
    from: Vec<PathBuf>,
}

#[derive(Args, Debug)]
struct SignArguments {
    draft: PathBuf,
    /// Signs with this key
    #[arg(long, required_unless_present = "signature")]
    key: Option<PathBuf>,
    /// A signature that was made elsewhere: 64 bytes
    #[arg(long, requires = "public")]
    signature: Option<PathBuf>,
    /// The key that made it
    #[arg(long)]
    public: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct CommitArguments {
    #[arg(long)]
    repository: PathBuf,
    /// A signed draft of keys
    #[arg(long)]
    root: Option<PathBuf>,
    /// A signed draft of systems
    #[arg(long)]
    targets: Option<PathBuf>,
    #[arg(long, required = true, num_args = 1..)]
    snapshot_key: Vec<PathBuf>,
    #[arg(long, required = true, num_args = 1..)]
    timestamp_key: Vec<PathBuf>,
}

/// Does it.
///
/// # Errors
/// What a box would refuse is not written.
pub(crate) fn publish(arguments: &PublishArguments) -> Result<()> {
    match &arguments.task {
        Task::Key { file } => make_key(file),
        Task::Root(arguments) => root(arguments),
        Task::Add(arguments) => add(arguments),
        Task::Rollout { which, percent } => edit(which, &mut |custom| custom.rollout = *percent),
        Task::Pause { which, why } => {
            edit(which, &mut |custom| custom.paused = why.as_deref().map(Words::new))
        }
        Task::Renew { repository, draft } => save(draft, &open(repository)?.draft_targets()?.encode()?),
        Task::Sign(arguments) => sign(arguments),
        Task::Payload { draft, out } => {
            let bytes = read(draft)?;
            let payload = match Draft::<tuf::metadata::RootMetadata>::decode(&bytes) {
                Ok(root) => root.payload()?,
                Err(_other) => Draft::<tuf::metadata::TargetsMetadata>::decode(&bytes)?.payload()?,
            };
            save(out, &payload)
        }
        Task::Commit(arguments) => commit(arguments),
        Task::Bundle { repository, board, channel, version, out } => {
            let repository = open(repository)?;
            let place = Place { board: board.clone(), channel: channel.clone() };
            let catalog = repository.catalog()?;
            let release = catalog.find(&place, version, None)?;
            let mut file = File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
            repository.bundle(release, &mut file)?;
            file.sync_all().with_context(|| format!("cannot write {}", out.display()))
        }
    }
}

fn make_key(file: &Path) -> Result<()> {
    let (key, text) = Key::generate()?;
    let secret = file.with_extension("pem");
    let made = File::options().write(true).create_new(true).mode(0o600).open(&secret);
    let mut made = made.with_context(|| format!("cannot make {}", secret.display()))?;
    made.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", secret.display()))?;
    save(&file.with_extension("pub"), key.public().to_pem().as_bytes())
}

fn root(arguments: &RootArguments) -> Result<()> {
    let role = |files: &[PathBuf], threshold| -> Result<RolePlan> {
        let keys = files.iter().map(|file| {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Public::from_pem(&text).with_context(|| format!("{} has no public key", file.display()))
        });
        Ok(RolePlan { keys: keys.collect::<Result<_>>()?, threshold })
    };
    let plan = RootPlan {
        root: role(&arguments.root, arguments.root_threshold)?,
        targets: role(&arguments.targets, arguments.targets_threshold)?,
        snapshot: role(&arguments.snapshot, 1)?,
        timestamp: role(&arguments.timestamp, 1)?,
    };
    save(&arguments.draft, &open(&arguments.repository)?.draft_root(&plan)?.encode()?)
}

fn add(arguments: &AddArguments) -> Result<()> {
    let built =
        arguments.image.clone().unwrap_or_else(|| target().join("hearth").join(arguments.board.as_str()));
    let manifest: Value =
        serde_json::from_slice(&read(&built.join("manifest.json"))?).context("manifest.json is broken")?;
    if manifest.get("board").and_then(Value::as_str) != Some(arguments.board.as_str()) {
        bail!("{} is of another board", built.display());
    }
    let version =
        manifest.get("version").and_then(Value::as_str).context("manifest.json names no version")?;
    let slot = read(&slot_file(&built))?;
    let version: Version = version.parse().with_context(|| format!("{version} is no version"))?;
    let place = Place { board: arguments.board.clone(), channel: arguments.channel.clone() };
    let repository = open(&arguments.repository)?;
    let mut archive = pack(&slot, DEFAULT_CUT)?;
    let mut bases = arguments.from.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    if bases.is_empty() {
        bases.extend(remakes::before(&arguments.repository, &repository, &place, &version)?);
    }
    let new = Built { folder: &built, manifest: &manifest, slot: &slot, version: &version };
    for base in &bases {
        archive.remakes.extend(remakes::from(base, arguments.board.as_str(), &new)?);
    }
    let notes = match &arguments.notes {
        Some(file) => String::from_utf8(read(file)?).context("the notes are no text")?,
        None => String::new(),
    };
    let addition = Addition {
        slot: &slot,
        archive: Some(&archive),
        place,
        version,
        loader: arguments.loader.clone(),
        ships: loader(&manifest)?.unwrap_or_else(|| arguments.loader.clone()),
        rollout: arguments.rollout,
        notes: Notes::new(notes)?,
    };
    save(&arguments.draft, &repository.add(&addition)?.encode()?)
}

/// The update file of a build: that of a Raspberry Pi is an archive, all others are started as they are.
fn slot_file(built: &Path) -> PathBuf {
    let archive = built.join("slot.pi");
    if archive.exists() { archive } else { built.join("slot.efi") }
}

/// The boot loader that an image has. A Raspberry Pi is started by its firmware; boxes do not ask for a loader there.
fn loader(manifest: &Value) -> Result<Option<Version>> {
    if manifest.pointer("/manifest/parts/boot/device_trees").is_some() {
        return Ok(None);
    }
    let packages =
        manifest.get("packages").and_then(Value::as_array).context("manifest.json names no packages")?;
    let named = |package: &&Value| package.get("package").and_then(Value::as_str) == Some("systemd-boot-efi");
    let package = packages.iter().find(named).context("the image has no systemd-boot")?;
    let version = package.get("version").and_then(Value::as_str).context("systemd-boot has no version")?;
    // Debian's additions such as `+deb13u1` are none of the loader's order.
    let plain: String =
        version.chars().take_while(|letter| letter.is_ascii_digit() || *letter == '.').collect();
    plain.parse().map(Some).with_context(|| format!("{version} is no version"))
}

fn edit(which: &Which, edit: &mut dyn FnMut(&mut update::Custom)) -> Result<()> {
    let place = Place { board: which.board.clone(), channel: which.channel.clone() };
    save(&which.draft, &open(&which.repository)?.edit(&place, &which.version, edit)?.encode()?)
}

fn sign(arguments: &SignArguments) -> Result<()> {
    let bytes = read(&arguments.draft)?;
    let signed = if let Ok(draft) = Draft::<tuf::metadata::RootMetadata>::decode(&bytes) {
        with_signature(draft, arguments)?
    } else {
        with_signature(Draft::<tuf::metadata::TargetsMetadata>::decode(&bytes)?, arguments)?
    };
    save(&arguments.draft, &signed)
}

fn with_signature<M: tuf::metadata::Metadata>(
    mut draft: Draft<M>,
    arguments: &SignArguments,
) -> Result<Vec<u8>> {
    if let Some(key) = &arguments.key {
        draft.sign(&secret(key)?)?;
    }
    if let (Some(signature), Some(public)) = (&arguments.signature, &arguments.public) {
        let text = String::from_utf8(read(public)?).context("the public key is no text")?;
        draft.add_signature(&Public::from_pem(&text)?, &read(signature)?)?;
    }
    Ok(draft.encode()?)
}

fn commit(arguments: &CommitArguments) -> Result<()> {
    let repository = open(&arguments.repository)?;
    if let Some(root) = &arguments.root {
        repository.commit_root(&Draft::decode(&read(root)?)?)?;
    }
    let targets = arguments.targets.as_deref().map(read).transpose()?;
    let targets = targets.map(|bytes| Draft::decode(&bytes)).transpose()?;
    let keys = |files: &[PathBuf]| files.iter().map(|file| secret(file)).collect::<Result<Vec<_>>>();
    let (snapshot, timestamp) = (keys(&arguments.snapshot_key)?, keys(&arguments.timestamp_key)?);
    repository.commit(targets.as_ref(), &Online { snapshot: &snapshot, timestamp: &timestamp })?;
    Ok(())
}

fn secret(file: &Path) -> Result<Key> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Key::from_pem(&text).with_context(|| format!("{} has no Ed25519 key", file.display()))
}

fn open(folder: &Path) -> Result<Repository> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
    let now = u64::try_from(now).context("the clock of this machine is not set")?;
    Ok(Repository::open(folder.to_owned(), Lifetimes::default(), now)?)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn save(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
