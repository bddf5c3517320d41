//! Starts a container.

use super::Impossible;
use super::executor::Confined;
use super::ids;
use super::stage::Stage;
use crate::run::cgroup;
use crate::run::filter::Filter;
use crate::run::places;
use crate::run::record;
use crate::run::record::Record;
use crate::run::spec;
use crate::run::spec::IDS;
use crate::run::spec::Ready;
use crate::run::user;
use crate::run::user::User;
use crate::runtime::APP_IDS;
use crate::runtime::ContainerId;
use crate::runtime::Start;
use anyhow::Context as _;
use anyhow::ensure;
use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::sched::CloneFlags;
use rustix::fs::Mode;
use rustix::mount::MountPropagationFlags;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::thread::LinkNameSpaceType;
use rustix::time::ClockId;
use std::fs;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::fchown;
use std::path::Path;

/// Most apps of a box.
const APPS: u32 = 4096;
/// Open files of each process of an app.
const FILES: u64 = 65_536;
/// What libcontainer calls the container in its notes, which go with the stage.
const NAME: &str = "container";

/// Starts it; its record is there before its program runs.
pub(super) fn start(id: &ContainerId, init: &Path, start: &Start) -> anyhow::Result<()> {
    check(start)?;
    prepare_process()?;
    let filter = Filter::load().context("load the list of system calls")?;
    let network = File::open(places::network(&id.app)).context("open the app's network")?;
    rustix::thread::move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
        .context("enter the app's network")?;
    let table = ids::table(start.first_id).context("make the table of the app's ids")?;
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).context("leave the mount namespace of the box")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).context("keep mounts from the box")?;
    let stage = Stage::mount(places::stage(id), start).context("mount the stage")?;
    stage.lay(start, table.as_fd())?;
    let volumes = stage.volumes(start, table.as_fd())?;
    let user = user::find(&start.user, &stage.read("etc/passwd")?, &stage.read("etc/group")?)
        .context("find the user that it runs as")?;
    check_working_folder(&stage, start)?;
    let root = stage.place("root");
    let cgroup = cgroup::path_in_hierarchy(id);
    let spec = spec::spec(start, &user, &Ready { cgroup: &cgroup, root: &root, init, volumes: &volumes });
    fs::write(stage.place("config.json"), spec.to_string()).context("write the specification")?;
    let mut container = create(id, &stage, start.first_id + user.uid, filter)?;
    record_it(id, &container, start, user).context("record the container")?;
    container.start().context("start the container")?;
    // The root keeps the stage's memory: what nobody reads any more need not stay in it.
    fs::remove_dir_all(stage.place("state")).context("clear the notes away")?;
    fs::remove_file(stage.place("config.json")).context("clear the specification away")
}

/// What the daemon must have seen to; checked where it counts.
fn check(start: &Start) -> anyhow::Result<()> {
    let range = start.first_id.checked_sub(APP_IDS).map(|offset| (offset / IDS, offset % IDS));
    ensure!(
        matches!(range, Some((app, 0)) if app < APPS),
        "{} is not the first id of an app's range",
        start.first_id
    );
    if start.words.first().is_none_or(String::is_empty) {
        return Err(Impossible("the image has no program, and none was chosen".to_owned()).into());
    }
    if !start.working_folder.starts_with('/') {
        return Err(Impossible(format!(
            "the folder to start in, {:?}, is no absolute path",
            start.working_folder
        ))
        .into());
    }
    Ok(())
}

/// libcontainer would only say that something failed. What is to be mounted may make the folder.
fn check_working_folder(stage: &Stage, start: &Start) -> anyhow::Result<()> {
    let folder = Path::new(&start.working_folder);
    let volumes = start.volumes.iter().map(|volume| &volume.target);
    let mut mounted = volumes.chain(start.temporary.iter().map(|folder| &folder.target));
    if mounted.any(|target| folder.starts_with(target)) || stage.has_folder(&start.working_folder)? {
        return Ok(());
    }
    Err(Impossible(format!("the image has no folder {:?} to start in", start.working_folder)).into())
}

/// What a container inherits from this process.
fn prepare_process() -> anyhow::Result<()> {
    std::env::set_current_dir("/").context("go to the root")?;
    set_inherited()
}

/// Sets of this process what every process of an app inherits, and its control group does not give.
pub(super) fn set_inherited() -> anyhow::Result<()> {
    // libcontainer leaves groups alone when a container has none.
    rustix::thread::set_thread_groups(&[]).context("drop the groups")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    for (resource, most) in [(Resource::Nofile, FILES), (Resource::Core, 0)] {
        // More than the daemon itself may have is not ours to give.
        let most = rustix::process::getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        rustix::process::setrlimit(resource, limit).context("set the limits of the app's processes")?;
    }
    Ok(())
}

/// Has libcontainer make it, up to where its first program would run.
fn create(id: &ContainerId, stage: &Stage, owner: u32, filter: Filter) -> anyhow::Result<Container> {
    let end = File::options().append(true).open(places::end(id)).context("open the file for its end")?;
    let [stdout, stderr] = places::pipes(id).map(|path| pipe(&path, owner));
    ContainerBuilder::new(NAME.to_owned(), SyscallType::default())
        .with_executor(Confined(filter))
        .with_root_path(stage.place("state"))
        .context("find the place for notes")?
        .with_stdin(end)
        .with_stdout(stdout?)
        .with_stderr(stderr?)
        .as_init(stage.place(""))
        .with_systemd(false)
        .with_detach(true)
        .build()
        .context("create the container")
}

/// A named pipe, open at both ends: it neither blocks nor breaks when the daemon is not there. It belongs to the app's user, who may open it
/// anew as `/dev/stdout`.
fn pipe(path: &Path, owner: u32) -> anyhow::Result<OwnedFd> {
    let pipe = File::options()
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| format!("open {}", path.display()))?;
    fchown(&pipe, Some(owner), None).with_context(|| format!("give away {}", path.display()))?;
    Ok(pipe.into())
}

fn record_it(id: &ContainerId, container: &Container, start: &Start, user: User) -> anyhow::Result<()> {
    let pid = container.pid().context("it has no process")?.as_raw();
    let ticks = record::started(pid).context("see when it was started")?.context("it is gone")?;
    let now = rustix::time::clock_gettime(ClockId::Boottime);
    let since_boot_ms = u64::try_from(now.tv_sec)? * 1000 + u64::try_from(now.tv_nsec / 1_000_000)?;
    let environment = spec::environment(start, &user);
    let working_folder = start.working_folder.clone();
    let record = Record { pid, ticks, since_boot_ms, user, environment, working_folder };
    record.write(&places::record(id)).context("write its record")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::spec::tests::start as sample;

    #[test]
    fn only_ranges_of_apps_are_taken() {
        check(&sample()).unwrap();
        let with = |first_id| check(&Start { first_id, ..sample() });
        with(APP_IDS).unwrap();
        with(APP_IDS + (APPS - 1) * IDS).unwrap();
        for first_id in [0, 1000, APP_IDS - IDS, APP_IDS + 1, APP_IDS + APPS * IDS, u32::MAX] {
            with(first_id).unwrap_err();
        }
    }

    #[test]
    fn a_container_without_a_program_is_impossible() {
        for words in [vec![], vec![String::new()]] {
            assert!(check(&Start { words, ..sample() }).unwrap_err().is::<Impossible>());
        }
        assert!(check(&Start { working_folder: "x".to_owned(), ..sample() }).unwrap_err().is::<Impossible>());
    }
}
