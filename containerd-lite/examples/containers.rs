//! Does with containers what it is told, a line of JSON at a time, as the daemon would: for the tests in machines (qemu-tests), which have no other
//! way to the runtime itself.

use anyhow::Context as _;
use containerd_lite::run::Launcher;
use containerd_lite::run::specification;
use containerd_lite::runtime::ContainerId;
use containerd_lite::runtime::Running;
use containerd_lite::runtime::Runtime as _;
use containerd_lite::runtime::Start;
use containerd_lite::volumes::Volumes;
use model::containers::End;
use model::containers::PartName;
use model::network::names::AppKey;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::io::BufRead as _;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::lchown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Ask {
    /// Which programs to use from here on.
    Programs { run: PathBuf, init: PathBuf },
    /// Opens an app's network.
    Network(AppKey),
    /// Takes it away.
    RemoveNetwork(AppKey),
    /// Starts a container and waits for its end.
    Run { id: ContainerId, start: Box<Start>, seconds: u64 },
    /// Starts a container; what it prints until it has printed this is told.
    Start { id: ContainerId, start: Box<Start>, until: String, seconds: u64 },
    /// Waits for the end of one that somebody started.
    Wait { id: ContainerId, seconds: u64 },
    /// Everything that there is.
    List,
    /// Sends the wish to stop.
    Stop(ContainerId),
    /// Kills it.
    Kill(ContainerId),
    /// Removes it.
    Remove(ContainerId),
    /// Runs a program in one.
    Inside { id: ContainerId, words: Vec<String>, seconds: u64 },
    /// What it uses.
    Usage(ContainerId),
    /// What another runtime would be told.
    Specification { start: Box<Start>, root: PathBuf, init: PathBuf, cgroup: String },
    /// Makes an image by hand.
    Prepare(Step),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Step {
    /// A folder and those above it.
    Make(PathBuf),
    /// A program, from there to there.
    Copy(PathBuf, PathBuf),
    /// A file with this text.
    Write(PathBuf, String),
    /// A symbolic link to there.
    Link(PathBuf, PathBuf),
    /// Gives everything below to this user and group.
    Own(PathBuf, u32),
    /// Makes a new volume, for a place in the image of these layers.
    Volume { root: PathBuf, app: AppKey, name: PartName, layers: Vec<PathBuf>, target: String },
}

fn main() -> anyhow::Result<()> {
    let mut launcher = Launcher::default();
    for line in std::io::stdin().lock().lines() {
        let line = line.context("read a line")?;
        let answer = serde_json::from_str(&line)
            .context("understand the line")
            .and_then(|ask| answer(&mut launcher, ask))
            .unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
        writeln!(std::io::stdout(), "{answer}").context("answer")?;
    }
    Ok(())
}

fn answer(launcher: &mut Launcher, ask: Ask) -> anyhow::Result<Value> {
    match ask {
        Ask::Programs { run, init } => *launcher = Launcher::new(&run, &init),
        Ask::Network(app) => drop(launcher.network(&app)?),
        Ask::RemoveNetwork(app) => launcher.remove_network(&app)?,
        Ask::Run { id, start, seconds } => {
            let running = launcher.start(&id, &start)?;
            return heard(launcher, &id, &running, None, seconds);
        }
        Ask::Start { id, start, until, seconds } => {
            let running = launcher.start(&id, &start)?;
            return heard(launcher, &id, &running, Some(&until), seconds);
        }
        Ask::Wait { id, seconds } => {
            let running = launcher.find(&id)?.context("there is no such container")?;
            return heard(launcher, &id, &running, None, seconds);
        }
        Ask::List => return Ok(serde_json::to_value(launcher.list()?)?),
        Ask::Stop(id) => launcher.stop(&id)?,
        Ask::Kill(id) => launcher.kill(&id)?,
        Ask::Remove(id) => launcher.remove(&id)?,
        Ask::Inside { id, words, seconds } => {
            let (end, output) = launcher.run_inside(&id, &words, Duration::from_secs(seconds))?;
            return Ok(json!({ "end": end, "output": output }));
        }
        Ask::Specification { start, root, init, cgroup } => {
            return Ok(specification(&start, &root, &init, &cgroup));
        }
        Ask::Prepare(step) => prepare(&step)?,
        Ask::Usage(id) => return Ok(serde_json::to_value(launcher.usage(&id)?)?),
    }
    Ok(json!({}))
}

fn prepare(step: &Step) -> anyhow::Result<()> {
    let done = match step {
        Step::Volume { root, app, name, layers, target } => {
            return Ok(Volumes::new(root, 0).ensure(app, layers, [(name, &**target)])?);
        }
        Step::Make(path) => fs::create_dir_all(path),
        Step::Copy(from, to) => fs::copy(from, to).map(|_| ()),
        Step::Write(path, text) => fs::write(path, text),
        Step::Link(target, path) => symlink(target, path),
        Step::Own(path, owner) => own(path, *owner),
    };
    done.with_context(|| format!("{step:?}"))
}

fn own(path: &Path, owner: u32) -> std::io::Result<()> {
    lchown(path, Some(owner), Some(owner))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            own(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

/// What a container prints, until its end or that text.
fn heard(
    launcher: &Launcher,
    id: &ContainerId,
    running: &Running,
    until: Option<&str>,
    seconds: u64,
) -> anyhow::Result<Value> {
    let give_up = Instant::now() + Duration::from_secs(seconds);
    let mut texts = [String::new(), String::new()];
    let mut outputs = running.output.each_ref().map(reopened);
    loop {
        let has_ended = is_ready(&running.ended, Duration::from_millis(20))?;
        for (output, text) in outputs.iter_mut().zip(&mut texts) {
            let mut buffer = [0; 65_536];
            // Empty for now is an error, too.
            while let Some(length) = output.as_mut().ok().and_then(|file| file.read(&mut buffer).ok()) {
                if length == 0 {
                    break;
                }
                text.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()));
            }
        }
        let has_said = until.is_some_and(|until| texts.iter().any(|text| text.contains(until)));
        let end: Option<End> = has_ended.then(|| launcher.end(id));
        if has_ended || has_said || Instant::now() > give_up {
            let [stdout, stderr] = texts;
            return Ok(json!({ "end": end, "stdout": stdout, "stderr": stderr }));
        }
    }
}

fn reopened(output: &OwnedFd) -> std::io::Result<File> {
    output.try_clone().map(File::from)
}

fn is_ready(fd: &OwnedFd, patience: Duration) -> anyhow::Result<bool> {
    let timeout = Timespec::try_from(patience).context("wait that long")?;
    Ok(poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)).context("wait")? > 0)
}
