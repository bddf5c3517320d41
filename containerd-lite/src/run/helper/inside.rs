//! Runs a program in a container that runs, confined as the container's own are.
//!
//! Not by libcontainer: its "tenant" of 0.7.0 joins every namespace of the container but the user namespace, and without its list of system
//! calls: a program of the image would be root of the box. Here this process itself gives everything up first, and the program inherits that.

use super::start;
use crate::run::cgroup;
use crate::run::filter::Filter;
use crate::run::order::Answer;
use crate::run::order::Inside;
use crate::run::order::MAX_OUTPUT;
use crate::run::record;
use crate::run::spec::OOM_SCORE;
use crate::run::user::User;
use anyhow::Context as _;
use anyhow::ensure;
use model::containers::End;
use nix::unistd::Gid;
use nix::unistd::Uid;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use rustix::process::pidfd_open;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use rustix::thread::ThreadNameSpaceType;
use std::fs;
use std::io::PipeReader;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

/// What a user of the container has, and root: `spec::ROOT_CAPABILITIES`.
const OF_ROOT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID);
/// Bits of a set of capabilities.
const CAPABILITIES: u32 = 64;

/// Runs it to its end, or to the end of the patience.
pub(super) fn run(order: &Inside) -> anyhow::Result<Answer> {
    let give_up = Instant::now() + order.patience;
    // Inside, the box's files are out of sight.
    let filter = Filter::load().context("load the list of system calls")?;
    enter(order)?;
    become_user(&order.user, &filter).context("become the container's user")?;
    let (output, into) = std::io::pipe().context("make a pipe")?;
    let [program, arguments @ ..] = order.words.as_slice() else {
        anyhow::bail!("there is no program to run")
    };
    let variables = order.environment.iter().filter_map(|variable| variable.split_once('='));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(variables)
        .current_dir(&order.working_folder)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(into.try_clone().context("share the pipe")?)
        .stderr(into);
    let mut child = command.spawn().with_context(|| format!("start {program:?}"))?;
    // It holds the writing end of the pipe.
    drop(command);
    let text = listen(&child, output, give_up)?;
    match text {
        Some(output) => Ok(Answer::Ended { end: end(child.wait().context("wait for it")?), output }),
        None => {
            let group = Pid::from_child(&child);
            rustix::process::kill_process_group(group, Signal::KILL).context("kill it for its time")?;
            child.wait().context("wait for what was killed")?;
            Ok(Answer::TooLong)
        }
    }
}

/// Into the container's control group and all of its namespaces at once.
fn enter(order: &Inside) -> anyhow::Result<()> {
    let pid = Pid::from_raw(order.pid).context("the container has no process")?;
    let process = pidfd_open(pid, PidfdFlags::empty()).context("find the container's process")?;
    let is_it = record::started(order.pid).context("see when it was started")? == Some(order.ticks);
    ensure!(is_it, "the container has ended");
    fs::write(cgroup::folder(&order.id).join("cgroup.procs"), "0").context("enter the control group")?;
    start::set_inherited()?;
    // At a start libcontainer sets it.
    fs::write("/proc/self/oom_score_adj", OOM_SCORE.to_string())
        .context("go before services when memory ends")?;
    let all = ThreadNameSpaceType::USER
        | ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::CONTROL_GROUP
        | ThreadNameSpaceType::NETWORK;
    rustix::thread::move_into_thread_name_spaces(process.as_fd(), all).context("enter the container")
}

/// Gives up everything that the container's programs do not have, in the order in which it can be given up.
fn become_user(user: &User, filter: &Filter) -> anyhow::Result<()> {
    let kept = if user.uid == 0 { OF_ROOT } else { CapabilitySet::empty() };
    for bit in 0..CAPABILITIES {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if kept.contains(one) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            // Beyond the last that this kernel has.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error).context("bound the capabilities"),
        }
    }
    rustix::thread::clear_ambient_capability_set().context("clear the capabilities that last")?;
    let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    nix::unistd::setgroups(&groups).context("take its groups")?;
    nix::unistd::setresgid(gid, gid, gid).context("take its group")?;
    nix::unistd::setresuid(uid, uid, uid).context("take its user")?;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).context("drop the capabilities")?;
    rustix::thread::set_no_new_privs(true).context("give up new privileges")?;
    filter.apply().context("apply the list of system calls")
}

/// What the program prints, until it has ended; none when that takes too long.
fn listen(child: &Child, mut output: PipeReader, give_up: Instant) -> anyhow::Result<Option<String>> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).context("watch it")?;
    let mut text = Vec::new();
    let mut buffer = [0; MAX_OUTPUT];
    let mut is_open = true;
    loop {
        let left = give_up.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let [has_ended, has_output] = ready(&process, is_open.then_some(&output), left)?;
        if has_output {
            let length = output.read(&mut buffer).context("read what it prints")?;
            is_open = length > 0;
            let room = MAX_OUTPUT.saturating_sub(text.len());
            text.extend(buffer.iter().take(length.min(room)));
        } else if has_ended {
            // Something else may hold the pipe; nobody waits for that.
            return Ok(Some(String::from_utf8_lossy(&text).into_owned()));
        }
    }
}

/// Whether the process has ended, and whether there is something to read.
fn ready(
    process: &std::os::fd::OwnedFd,
    output: Option<&PipeReader>,
    left: Duration,
) -> anyhow::Result<[bool; 2]> {
    let mut watched = vec![PollFd::new(process, PollFlags::IN)];
    watched.extend(output.map(|output| PollFd::new(output, PollFlags::IN)));
    let timeout = Timespec::try_from(left).context("wait that long")?;
    match poll(&mut watched, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error).context("wait for it"),
    }
    let is_ready = |place: usize| watched.get(place).is_some_and(|fd| !fd.revents().is_empty());
    Ok([is_ready(0), is_ready(1)])
}

fn end(status: ExitStatus) -> End {
    let number = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok());
    match (number(status.code()), number(status.signal())) {
        (Some(code), _) => End::Code(code),
        (None, Some(signal)) => End::Signal(signal),
        (None, None) => End::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, patience: Duration) -> Option<String> {
        let (output, into) = std::io::pipe().unwrap();
        let mut child = Command::new("sh").args(["-c", script]).stdout(into).spawn().unwrap();
        let heard = listen(&child, output, Instant::now() + patience).unwrap();
        drop(child.kill());
        child.wait().unwrap();
        heard
    }

    #[test]
    fn the_first_bytes_are_kept_and_the_rest_is_let_by() {
        let minute = Duration::from_secs(60);
        assert_eq!(run("echo healthy", minute).unwrap(), "healthy\n");
        assert_eq!(run("head -c 300000 /dev/zero", minute).unwrap().len(), MAX_OUTPUT);
    }

    #[test]
    fn nobody_waits_for_what_the_program_left_behind() {
        kill_it(&run("sleep 1000 & echo $!; exit 0", Duration::from_secs(60)).unwrap());
        assert_eq!(run("sleep 1000", Duration::from_millis(50)), None);
    }

    fn kill_it(pid: &str) {
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }
}
