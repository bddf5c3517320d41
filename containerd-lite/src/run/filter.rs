//! The list of system calls as a program for the kernel (seccomp(2)): compiled once in each boot, kept in memory, applied to what starts.
//!
//! libseccomp needs some milliseconds to compile it, more than all mounts of a container together. libcontainer would have it do so at every start.

use super::calls;
use super::calls::Comparison;
use super::calls::Rule;
use super::places;
use anyhow::Context as _;
use anyhow::ensure;
use libseccomp::ScmpAction;
use libseccomp::ScmpArgCompare;
use libseccomp::ScmpCompareOp;
use libseccomp::ScmpFilterContext;
use libseccomp::ScmpSyscall;
use seccompiler::BpfProgram;
use seccompiler::sock_filter;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Bytes of an instruction (`struct sock_filter`, linux/filter.h).
const INSTRUCTION: usize = 8;
/// Most instructions that the kernel takes (`BPF_MAXINSNS`).
const MOST: usize = 4096;

/// The compiled list.
#[derive(Clone)]
pub(super) struct Filter(BpfProgram);

impl Filter {
    /// What this boot's first start kept, else it is compiled and kept.
    pub(super) fn load() -> anyhow::Result<Self> {
        let place = places::system_calls();
        match read(&place).with_context(|| format!("read {}", place.display()))? {
            Some(kept) => Ok(kept),
            None => {
                let bytes = compile().context("compile the list of system calls")?;
                keep(&place, &bytes).with_context(|| format!("keep {}", place.display()))?;
                Self::parse(&bytes)
            }
        }
    }

    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let (instructions, rest) = bytes.as_chunks::<INSTRUCTION>();
        ensure!(rest.is_empty() && (1..=MOST).contains(&instructions.len()), "it is no filter");
        Ok(Self(instructions.iter().map(instruction).collect()))
    }

    /// From now on this thread and what it starts may call nothing else. It can get no new privileges either.
    pub(super) fn apply(&self) -> Result<(), seccompiler::Error> {
        seccompiler::apply_filter(&self.0)
    }
}

fn instruction(bytes: &[u8; INSTRUCTION]) -> sock_filter {
    let [code_low, code_high, jt, jf, k @ ..] = *bytes;
    sock_filter { code: u16::from_ne_bytes([code_low, code_high]), jt, jf, k: u32::from_ne_bytes(k) }
}

/// The kept list; none when there is none yet.
fn read(place: &Path) -> anyhow::Result<Option<Filter>> {
    let bytes = match fs::read(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    Filter::parse(&bytes).map(Some)
}

/// Aside and renamed: two first starts at once write the same, each its own.
fn keep(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = place.with_extension(std::process::id().to_string());
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    io::Write::write_all(&mut file, bytes)?;
    fs::rename(&aside, place)
}

fn compile() -> anyhow::Result<Vec<u8>> {
    let mut context = ScmpFilterContext::new(ScmpAction::Errno(calls::UNKNOWN)).context("begin")?;
    for rule in calls::rules() {
        add(&mut context, &rule).with_context(|| format!("add the rule of {:?}", rule.names))?;
    }
    let memory =
        rustix::fs::memfd_create("system-calls", rustix::fs::MemfdFlags::CLOEXEC).context("find memory")?;
    let mut file = File::from(memory);
    context.export_bpf(&file).context("write it")?;
    file.rewind().context("go to its beginning")?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).context("read it")?;
    Ok(bytes)
}

fn add(context: &mut ScmpFilterContext, rule: &Rule) -> anyhow::Result<()> {
    let action = rule.refused.map_or(ScmpAction::Allow, ScmpAction::Errno);
    let conditions: Vec<ScmpArgCompare> = rule
        .conditions
        .iter()
        .map(|condition| match condition.comparison {
            Comparison::Equal(value) => (condition.argument, ScmpCompareOp::Equal, value),
            Comparison::Above(value) => (condition.argument, ScmpCompareOp::Greater, value),
            Comparison::Masked { mask, value } => {
                (condition.argument, ScmpCompareOp::MaskedEqual(mask), value)
            }
        })
        .map(|(argument, operator, value)| ScmpArgCompare::new(argument, operator, value))
        .collect();
    for name in &rule.names {
        // Calls of other processors, and newer ones than the library: nobody can make them, or they are answered as unknown.
        let Ok(call) = ScmpSyscall::from_name(name) else { continue };
        context.add_rule_conditional(action, call, &conditions).with_context(|| format!("add {name}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    #[test]
    fn what_is_kept_is_what_was_compiled() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("system-calls");
        assert!(read(&place).unwrap().is_none());
        let bytes = compile().unwrap();
        assert!(bytes.len() > 100 * INSTRUCTION, "{}", bytes.len());
        keep(&place, &bytes).unwrap();
        let (kept, made) = (read(&place).unwrap().unwrap(), Filter::parse(&bytes).unwrap());
        assert_eq!(kept.0, made.0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_filter_starts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("system-calls");
        let bytes = compile().unwrap();
        for damaged in [&b""[..], &bytes[..INSTRUCTION - 1], &vec![0; (MOST + 1) * INSTRUCTION]] {
            fs::write(&place, damaged).unwrap();
            assert!(read(&place).is_err());
        }
    }

    #[test]
    fn the_kernel_does_what_the_list_says() {
        let filter = Filter::parse(&compile().unwrap()).unwrap();
        let run = move |program: &str, arguments: &[&str]| {
            let filter = filter.clone();
            let (program, arguments) =
                (program.to_owned(), arguments.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
            // A filter is for ever: on a thread that ends.
            std::thread::spawn(move || {
                filter.apply().unwrap();
                Command::new(program).args(arguments).output().unwrap()
            })
            .join()
            .unwrap()
        };
        let fine = run("/bin/sh", &["-c", "echo fine"]);
        assert_eq!((fine.status.code(), fine.stdout.as_slice()), (Some(0), b"fine\n".as_slice()), "{fine:?}");
        let refused = run("/usr/bin/unshare", &["--user", "true"]);
        assert!(!refused.status.success() && refused.status.signal().is_none(), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("not permitted"), "{refused:?}");
    }
}
