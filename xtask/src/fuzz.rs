//! `cargo xtask fuzz`: plays the corpora of the crate `fuzz` and looks for new inputs, led by the code they reach.
//!
//! On the stable toolchain: LLVM's pass for coverage counters is asked for by name, as `cargo fuzz` does behind its own flags, and
//! the engine is libFuzzer, built from source by the crate `bolero-libfuzzer`. Everything lies in `target/fuzz`, apart from builds
//! without counters.

use crate::command::Program;
use crate::command::cargo;
use crate::command::repository;
use crate::command::target;
use crate::host_packages;
use crate::host_packages::say;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use clap::Args;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// Counters on every edge, a table of their places, and what comparisons compare (clang, SanitizerCoverage). Checks of debug builds
/// are on; symbols stay, so that a panic says where.
const FLAGS: &str = "--cfg fuzzing_libfuzzer -C passes=sancov-module \
    -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
    -C llvm-args=-sanitizer-coverage-pc-table \
    -C llvm-args=-sanitizer-coverage-trace-compares \
    -C debug-assertions";
/// Where the engine looks for libFuzzer's arguments.
const ARGUMENTS: &str = "BOLERO_LIBFUZZER_ARGS";
/// Each target has one process and one of this machine's processors.
const SIDE_BY_SIDE: usize = 2;
/// A decoder that needs more for one message can be used against the box. MiB.
const MEMORY: u32 = 512;
/// One message may take this long, on a busy machine. Seconds.
const PATIENCE: u32 = 10;
/// Finding this crash shows that the engine is led by coverage; without it, all passes mean nothing.
const CANARY: &str = "canary";
/// What it says when it is found (`fuzz/src/lib.rs`).
const SONG: &str = "the canary sings";
/// What CI spends on each target.
const SECONDS: u32 = 4;
/// Most bytes of a crashing input that are printed; all of it is in the file.
const SHOWN: usize = 512;

/// What to fuzz.
#[derive(Args, Debug)]
pub(crate) struct FuzzArguments {
    /// Only this target
    target: Option<String>,
    /// How long to look for new inputs, for each target
    #[arg(long, default_value_t = SECONDS)]
    seconds: u32,
}

impl Default for FuzzArguments {
    fn default() -> Self {
        Self { target: None, seconds: SECONDS }
    }
}

/// A target as the program lists it.
struct Target {
    name: String,
    longest: String,
}

/// Builds and runs.
///
/// # Errors
/// Names every target that crashed, with the input.
pub(crate) fn fuzz(arguments: &FuzzArguments) -> Result<()> {
    host_packages::ensure(&[host_packages::IMAGE, host_packages::FUZZ])?;
    let program = build()?;
    let targets = chosen(&program, arguments.target.as_deref())?;
    let canary = Target { name: CANARY.to_owned(), longest: "64".to_owned() };
    let (_, crashed) = run(&program, &[canary], 120)?.remove(0);
    is_found(crashed.as_deref())?;
    let mut crashes = Vec::new();
    for pair in targets.chunks(SIDE_BY_SIDE) {
        for (name, crash) in run(&program, pair, arguments.seconds)? {
            crashes.extend(crash.map(|crash| format!("{name}: {crash}")));
        }
    }
    if crashes.is_empty() {
        say(&format!("{} decoders held for {} s each", targets.len(), arguments.seconds));
        return Ok(());
    }
    bail!("{} decoders broke:\n{}", crashes.len(), crashes.join("\n"))
}

/// The canary ends with its own words and not by something that would end any target.
fn is_found(crashed: Option<&str>) -> Result<()> {
    match crashed {
        Some(words) if words.contains(SONG) => Ok(()),
        Some(words) => bail!("the fuzzer does not work: {words}"),
        None => bail!("the fuzzer does not find the canary: it is not led by coverage"),
    }
}

fn build() -> Result<PathBuf> {
    let folder = target().join("fuzz");
    let fixed = ["build", "--release", "--package", "fuzz", "--target", TRIPLE, "--target-dir"];
    cargo(fixed.into_iter().map(Into::into).chain([folder.clone().into_os_string()]))
        .env("RUSTFLAGS", FLAGS)
        // What is compiled once and runs for seconds is better compiled fast.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "false")
        .env("CARGO_PROFILE_RELEASE_STRIP", "false")
        .run()?;
    Ok(program())
}

fn program() -> PathBuf {
    target().join("fuzz").join(TRIPLE).join("release/fuzz")
}

fn chosen(program: &Path, only: Option<&str>) -> Result<Vec<Target>> {
    let list = Program::new(program, [] as [&str; 0]).output()?;
    let mut targets: Vec<Target> = list.lines().filter_map(parse).collect();
    ensure!(!targets.is_empty(), "there is no target in {list:?}");
    if let Some(only) = only {
        targets.retain(|target| target.name == only);
        ensure!(!targets.is_empty(), "there is no target {only}; there are:\n{list}");
    }
    Ok(targets)
}

fn parse(line: &str) -> Option<Target> {
    let mut words = line.split_whitespace().map(str::to_owned);
    Some(Target { name: words.next()?, longest: words.next()? })
}

/// Runs targets side by side; returns what broke each, if anything did.
fn run(program: &Path, targets: &[Target], seconds: u32) -> Result<Vec<(String, Option<String>)>> {
    let started = targets
        .iter()
        .map(|target| Ok((target, start(program, target, seconds)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut ended = Vec::new();
    for (target, (mut child, folder)) in started {
        let status = child.0.wait().with_context(|| format!("waiting for the fuzzer of {}", target.name))?;
        let log = fs::read(folder.join("log")).context("reading the fuzzer's log")?;
        let log = String::from_utf8_lossy(&log);
        if target.name != CANARY {
            say(&format!("{}: {}", target.name, summary(&log)));
        }
        ended.push((target.name.clone(), (!status.success()).then(|| crash(target, &folder, &log))));
    }
    Ok(ended)
}

/// A process that ends when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended cannot be ended again, which is fine.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(program: &Path, target: &Target, seconds: u32) -> Result<(Running, PathBuf)> {
    let folder = self::target().join("fuzz/runs").join(&target.name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    let (found, crashes) = (folder.join("found"), folder.join("crashes"));
    for folder in [&found, &crashes] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let log = File::create(folder.join("log")).context("making the fuzzer's log")?;
    let mut words = vec![
        format!("-max_total_time={seconds}"),
        format!("-max_len={}", target.longest),
        format!("-timeout={PATIENCE}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-artifact_prefix={}/", crashes.display()),
        "-print_final_stats=1".to_owned(),
        // The first folder takes what is found; all are played first.
        found.display().to_string(),
    ];
    words.extend(
        Some(corpus(&target.name))
            .filter(|corpus| corpus.is_dir())
            .map(|corpus| corpus.display().to_string()),
    );
    let mut command = Command::new(program);
    command.arg(&target.name).env(ARGUMENTS, words.join(" ")).stdin(Stdio::null());
    command.stdout(log.try_clone().context("sharing the fuzzer's log")?).stderr(log);
    let child = command.spawn().with_context(|| format!("starting the fuzzer of {}", target.name))?;
    Ok((Running(child), folder))
}

fn corpus(name: &str) -> PathBuf {
    repository().join("fuzz/corpus").join(name)
}

/// The engine's last line of progress: edges, features, corpus, speed.
fn summary(log: &str) -> String {
    let progress = log.lines().rev().find(|line| line.contains(" cov: "));
    let counted = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    format!(
        "{} inputs, {}",
        counted.unwrap_or("?").trim(),
        progress.and_then(|line| line.find("cov: ").and_then(|at| line.get(at..))).unwrap_or("no coverage")
    )
}

/// What the programmer needs: why, the input, and how to play it again.
fn crash(target: &Target, folder: &Path, log: &str) -> String {
    let reason = log.lines().find(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    let words = log.lines().skip_while(|line| !line.contains("panicked at")).nth(1);
    let mut text = [reason, words].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let inputs = fs::read_dir(folder.join("crashes")).into_iter().flatten().flatten();
    for path in inputs.map(|entry| entry.path()) {
        let bytes = fs::read(&path).unwrap_or_default();
        let shown: String = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!(
            "\n  {} bytes: {shown}\n  again: {ARGUMENTS}={} {} {}",
            bytes.len(),
            path.display(),
            program().display(),
            target.name
        ));
    }
    if text.is_empty() { format!("ended without a word: see {}", folder.join("log").display()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_says_why() {
        let log = "INFO: Seed: 1\nthread '<unnamed>' panicked at a.rs:7:5:\nindex out of bounds\n==1== ERROR: libFuzzer: x\n";
        let target = Target { name: "ntp".to_owned(), longest: "9".to_owned() };
        let text = crash(&target, Path::new("/does/not/exist"), log);
        assert_eq!(text, "thread '<unnamed>' panicked at a.rs:7:5: index out of bounds");
        assert!(crash(&target, Path::new("/does/not/exist"), "").contains("log"));
    }

    #[test]
    fn only_the_canarys_own_words_show_that_it_was_found() {
        is_found(Some("thread '<unnamed>' panicked at fuzz/src/lib.rs:49:13: the canary sings")).unwrap();
        for other in [Some("ended without a word: see log"), Some("ERROR: libFuzzer: out-of-memory"), None] {
            is_found(other).unwrap_err();
        }
    }

    #[test]
    fn progress_and_targets_are_read() {
        let log = "#2\tINITED cov: 11 ft: 12\n#9\tDONE   cov: 31 ft: 42 corp: 3/9b\nstat::number_of_executed_units: 77\n";
        assert_eq!(summary(log), "77 inputs, cov: 31 ft: 42 corp: 3/9b");
        let target = parse("ntp 1024 (any datagram)").unwrap();
        assert_eq!((target.name.as_str(), target.longest.as_str()), ("ntp", "1024"));
    }
}
