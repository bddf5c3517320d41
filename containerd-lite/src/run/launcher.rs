//! The daemon's side: control groups, files, records, and the program that does the rest.

use super::cgroup;
use super::ending;
use super::network;
use super::network::PASSABLE;
use super::order::Answer;
use super::order::Inside;
use super::order::Order;
use super::places;
use super::record;
use super::record::Record;
use super::talk;
use crate::runtime::ContainerId;
use crate::runtime::Network;
use crate::runtime::Running;
use crate::runtime::Runtime;
use crate::runtime::RuntimeError;
use crate::runtime::Start;
use model::containers::End;
use model::containers::Traffic;
use model::containers::Usage;
use model::network::names::AppKey;
use model::paths;
use rustix::event::EventfdFlags;
use rustix::event::eventfd;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::mknodat;
use rustix::fs::openat;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use rustix::process::pidfd_open;
use rustix::process::pidfd_send_signal;
use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// How long a start may take: some mounts and four processes, on a slow board that is busy.
const START: Duration = Duration::from_secs(120);
/// How much longer than its program the helper may take.
const SLACK: Duration = Duration::from_secs(30);
/// Owner and group (root of the box) read a pipe; the app's user, who becomes its owner, also writes to it.
const PIPE: u32 = 0o640;

/// Runs containers on this box.
#[derive(Clone, Debug)]
pub struct Launcher {
    helper: PathBuf,
    init: PathBuf,
}

impl Default for Launcher {
    /// With the programs of the root image.
    fn default() -> Self {
        Self::new(Path::new("/usr/lib/hearth/containerd-lite-run"), Path::new("/usr/lib/hearth/app-init"))
    }
}

impl Launcher {
    /// With `containerd-lite-run` and `app-init` at these places; every user of the box must be able to run the latter.
    #[must_use]
    pub fn new(helper: &Path, init: &Path) -> Self {
        Self { helper: helper.to_owned(), init: init.to_owned() }
    }

    fn try_start(&self, id: &ContainerId, start: &Start) -> Result<Running, RuntimeError> {
        cgroup::make(id, &start.limits).map_err(failed("make the control group", id))?;
        make_files(id).map_err(failed("make the files", id))?;
        let order = Order::Start { id: id.clone(), init: self.init.clone(), start: Box::new(start.clone()) };
        match talk::ask(&self.helper, &order, START).map_err(failed("run the starter", id))? {
            Answer::Started => {}
            Answer::Impossible(text) => return Err(RuntimeError::Impossible(text)),
            Answer::Failed(text) => return Err(failed("start the container", id)(io::Error::other(text))),
            answer @ (Answer::Ended { .. } | Answer::TooLong) => return Err(odd(id, &answer)),
        }
        self.find(id)?
            .ok_or_else(|| failed("find what was started", id)(io::Error::other("it has no record")))
    }
}

impl Runtime for Launcher {
    fn network(&self, app: &AppKey) -> Result<Network, RuntimeError> {
        make_top().map_err(failed("make the folder", app))?;
        network::open(app).map_err(failed("open the network", app))
    }

    fn traffic(&self, app: &AppKey) -> Result<Option<Traffic>, RuntimeError> {
        network::traffic(app).map_err(failed("see the traffic", app))
    }

    fn remove_network(&self, app: &AppKey) -> Result<(), RuntimeError> {
        network::remove(app).map_err(failed("remove the network", app))
    }

    fn start(&self, id: &ContainerId, start: &Start) -> Result<Running, RuntimeError> {
        self.remove(id)?;
        let started = self.try_start(id, start);
        if started.is_err() {
            // Its own failure is the one to tell; what is left is tried again before the next start.
            drop(self.remove(id));
        }
        started
    }

    fn find(&self, id: &ContainerId) -> Result<Option<Running>, RuntimeError> {
        let found = Record::read(&places::record(id)).map_err(failed("read the record", id))?;
        found.map(|record| running(id, &record).map_err(failed("find the process", id))).transpose()
    }

    fn list(&self) -> Result<Vec<ContainerId>, RuntimeError> {
        let mut all = Vec::new();
        let top = Path::new(paths::CONTAINERS_RUN);
        for app in names(top).map_err(failed("list", top.display()))? {
            let Ok(app) = app.parse::<AppKey>() else { continue };
            let folder = places::app(&app).join(places::CONTAINERS);
            for name in names(&folder).map_err(failed("list", folder.display()))? {
                // The record's own folder is ours: whatever else lies here is nothing of a container.
                let Ok(name) = name.parse() else { continue };
                all.push(ContainerId { app: app.clone(), name });
            }
        }
        all.sort();
        Ok(all)
    }

    fn stop(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let found = Record::read(&places::record(id)).map_err(failed("read the record", id))?;
        let Some(process) = found.map(|record| process(&record)).transpose().map_err(failed("find", id))?
        else {
            return Ok(());
        };
        match process.map(|process| pidfd_send_signal(process, Signal::TERM)) {
            None | Some(Ok(()) | Err(Errno::SRCH)) => Ok(()),
            Some(Err(error)) => Err(failed("stop", id)(error)),
        }
    }

    fn kill(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        cgroup::kill(id).map_err(failed("kill the processes", id))
    }

    fn end(&self, id: &ContainerId) -> End {
        let mut record = String::new();
        // What cannot be read, nobody saw.
        let read = File::open(places::end(id))
            .and_then(|file| file.take(ending::MAX_RECORD).read_to_string(&mut record));
        ending::end(read.map_or("", |_| record.as_str()), &cgroup::memory_events(id))
    }

    fn remove(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        // Also of a start that was cut, or of a check that still runs.
        let processes = cgroup::kill(id).and_then(|()| cgroup::remove(id));
        let files = remove_files(id);
        processes.map_err(failed("remove the control group", id))?;
        files.map_err(failed("remove the files", id))
    }

    fn run_inside(
        &self,
        id: &ContainerId,
        words: &[String],
        patience: Duration,
    ) -> Result<(End, String), RuntimeError> {
        let record = Record::read(&places::record(id))
            .and_then(|record| record.ok_or_else(|| io::Error::other("it does not run")))
            .map_err(failed("find", id))?;
        let order = Order::Inside(Inside {
            id: id.clone(),
            pid: record.pid,
            ticks: record.ticks,
            user: record.user,
            environment: record.environment,
            working_folder: record.working_folder,
            words: words.to_vec(),
            patience,
        });
        let answer =
            talk::ask(&self.helper, &order, patience + SLACK).map_err(failed("run a program", id))?;
        match answer {
            Answer::Ended { end, output } => Ok((end, output)),
            Answer::TooLong => Err(failed("run a program", id)(io::Error::from(io::ErrorKind::TimedOut))),
            Answer::Impossible(text) => Err(RuntimeError::Impossible(text)),
            Answer::Failed(text) => Err(failed("run a program", id)(io::Error::other(text))),
            Answer::Started => Err(odd(id, &answer)),
        }
    }

    fn usage(&self, id: &ContainerId) -> Result<Usage, RuntimeError> {
        cgroup::usage(id).map_err(failed("see the use", id))
    }
}

fn running(id: &ContainerId, record: &Record) -> io::Result<Running> {
    let ended = match process(record)? {
        Some(process) => process,
        // Nobody can open what has ended: something that is readable from the start stands for it.
        None => eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
    };
    let [stdout, stderr] = places::pipes(id).map(|path| reading_end(&path));
    Ok(Running { ended, output: [stdout?, stderr?], since_boot: record.since_boot() })
}

/// The container's first process; none when it has ended.
fn process(record: &Record) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = Pid::from_raw(record.pid) else { return Ok(None) };
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(None),
        process => process?,
    };
    // Once it is open the number cannot lead to another one: if it is the right one now, that is the one that was opened.
    Ok((record::started(record.pid)? == Some(record.ticks)).then_some(process))
}

fn reading_end(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

/// The folder of all, passable: init made it for the daemon's socket, or nobody yet.
fn make_top() -> io::Result<()> {
    let top = Path::new(paths::CONTAINERS_RUN);
    fs::DirBuilder::new().recursive(true).mode(PASSABLE).create(top)?;
    let mode = fs::metadata(top)?.permissions().mode() & 0o7777;
    if mode & 0o111 == 0o111 {
        Ok(())
    } else {
        fs::set_permissions(top, fs::Permissions::from_mode(mode | 0o111))
    }
}

fn make_files(id: &ContainerId) -> io::Result<()> {
    make_top()?;
    fs::DirBuilder::new().recursive(true).mode(PASSABLE).create(places::stage(id))?;
    for pipe in places::pipes(id) {
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(PIPE), 0)?;
    }
    File::options().write(true).create_new(true).mode(0o600).open(places::end(id)).map(|_| ())
}

fn remove_files(id: &ContainerId) -> io::Result<()> {
    let folder = places::container(id);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Not empty as long as the app has another container; its own folder also has the network.
    for parent in folder.ancestors().skip(1).take(2) {
        drop(fs::remove_dir(parent));
    }
    Ok(())
}

/// Names in a folder; none when it is not there.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
    }
}

fn failed<E: Error + Send + Sync + 'static>(
    step: &'static str,
    what: impl Display,
) -> impl FnOnce(E) -> RuntimeError {
    let what = what.to_string();
    move |source| RuntimeError::Failed { step: step.to_owned(), what, source: source.into() }
}

fn odd(id: &ContainerId, answer: &Answer) -> RuntimeError {
    failed("understand the starter", id)(io::Error::other(format!("{answer:?}")))
}
