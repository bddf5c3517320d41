//! A box with the runtime of containers, an image of one program, and two apps: for tests of the runtime, and for what measures it.

use crate::Artifacts;
use crate::Vm;
use crate::VmBuilder;
use crate::agent::Agent;
use crate::artifacts;
use crate::artifacts::target;
use crate::builder::Inside;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use image::arch::Arch;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Where the programs of the test lie in the box.
const DRIVER: &str = "/run/hearth/tests/containers";
const PROBE: &str = "/run/hearth/tests/probe";
/// Layers and volumes.
pub const DATA: &str = "/data/container-tests";
/// First id of files of images, as `containerd_lite::runtime` has them.
pub const IMAGE_IDS: u32 = 0x1000_0000;
/// That of the first app.
pub const FIRST_ID: u32 = 0x2000_0000 + 65_536;
/// Seconds that a container may take under emulation, on a computer that is busy.
const SECONDS: u64 = 240;

/// The first app.
pub const APP: &str = "aaaaaaaaaaaaaaaa";
/// The second one.
pub const OTHER: &str = "bbbbbbbbbbbbbbbb";

/// What a container printed, and how it ended.
#[derive(Debug)]
pub struct Heard {
    /// How it ended: `{"code": 0}`, `{"signal": 9}`, `"out_of_memory"`, `"unknown"`; null when it has not.
    pub end: Value,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Heard {
    fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self { end: answer["end"].clone(), stdout: text("stdout"), stderr: text("stderr") }
    }

    /// The lines `name=value`.
    #[must_use]
    pub fn facts(&self) -> BTreeMap<&str, &str> {
        self.stdout
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name, value.trim()))
            .collect()
    }
}

/// A box that is ready to run containers.
#[derive(Debug)]
pub struct World {
    // The machine goes last: the agent is inside of it.
    /// Inside of the box.
    pub agent: Agent,
    /// The box.
    pub vm: Vm,
}

impl World {
    /// Boots a box, and brings it the programs and the image.
    ///
    /// # Errors
    /// When something was not built, or does not start.
    pub fn boot(folder: &Path) -> Result<Self> {
        Self::boot_with(folder, VmBuilder::new(folder, &Artifacts::load()?).memory(768))
    }

    /// The same of this machine.
    ///
    /// # Errors
    /// As [`Self::boot`].
    pub fn boot_with(folder: &Path, builder: VmBuilder) -> Result<Self> {
        let probe = compile(folder, "src/containers/probe.c")?;
        let mut world = Self::bring(builder)?;
        world.agent.install(PROBE, &probe)?;
        world.make_image()?;
        for app in [APP, OTHER] {
            world.tell(&json!({ "network": app }))?;
        }
        Ok(world)
    }

    /// Boots such a box, and brings it what drives the runtime.
    ///
    /// # Errors
    /// As [`Self::boot`].
    pub fn bring(builder: VmBuilder) -> Result<Self> {
        let vm = builder.inside(Inside::Agent).start()?;
        vm.wait_web()?;
        let mut agent = vm.agent()?;
        let driver = target().join("release/examples/containers");
        let driver = fs::read(&driver).with_context(|| format!("cannot read {}", driver.display()))?;
        agent.install(DRIVER, &driver)?;
        Ok(Self { agent, vm })
    }

    /// One layer with the program, one with links that lead out, and three volumes; owned as the store owns layers.
    fn make_image(&mut self) -> Result<()> {
        for step in [
            json!({ "make": format!("{DATA}/low/tmp") }),
            json!({ "make": format!("{DATA}/low/etc") }),
            json!({ "make": format!("{DATA}/low/data") }),
            json!({ "make": format!("{DATA}/high") }),
            json!({ "make": format!("{DATA}/volume") }),
            json!({ "make": format!("{DATA}/fixed") }),
            json!({ "copy": [PROBE, format!("{DATA}/low/probe")] }),
            json!({ "write": [format!("{DATA}/low/etc/passwd"), "root:x:0:0::/:\nweb:x:33:34::/home/web:\n"] }),
            json!({ "write": [format!("{DATA}/low/etc/group"), "web:x:34:\nlogs:x:40:web\n"] }),
            json!({ "link": ["/../../../../run/hearth", format!("{DATA}/high/planted")] }),
            json!({ "own": [DATA, IMAGE_IDS] }),
        ] {
            self.tell(&json!({ "prepare": step }))?;
        }
        Ok(())
    }

    /// Tells the runtime; an error of its own is one here.
    ///
    /// # Errors
    /// When the runtime refuses, or does not answer.
    pub fn tell(&mut self, ask: &Value) -> Result<Value> {
        let answer = self.ask(ask)?;
        ensure!(answer.get("error").is_none(), "{ask}: {answer}");
        Ok(answer)
    }

    /// The same, with the error as an answer.
    ///
    /// # Errors
    /// When the runtime does not answer.
    pub fn ask(&mut self, ask: &Value) -> Result<Value> {
        let output = self.agent.run(DRIVER, &[], &format!("{ask}\n"))?;
        serde_json::from_str(&output).with_context(|| format!("no sense in {output:?}"))
    }

    /// Tells one process that drives the runtime all of these, one after another; its answers.
    ///
    /// # Errors
    /// When the runtime refuses one, or does not answer.
    pub fn tell_all(&mut self, asks: &[Value]) -> Result<Vec<Value>> {
        let lines: String = asks.iter().map(|ask| format!("{ask}\n")).collect();
        let output = self.agent.run(DRIVER, &[], &lines)?;
        let answers: Vec<Value> = output.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(answers.len() == asks.len(), "{} answers to {} lines", answers.len(), asks.len());
        if let Some(refused) = answers.iter().find(|answer| answer.get("error").is_some()) {
            bail!("the runtime refused: {refused}");
        }
        Ok(answers)
    }

    /// Runs a container to its end and removes it.
    ///
    /// # Errors
    /// When it does not start or end.
    pub fn run(&mut self, start: &Value) -> Result<Heard> {
        let id = id(APP);
        let answer = self.tell(&json!({ "run": { "id": id, "start": start, "seconds": SECONDS } }))?;
        if answer["end"].is_null() {
            bail!("it did not end: {answer}");
        }
        self.tell(&json!({ "remove": id }))?;
        Ok(Heard::of(&answer))
    }

    /// Starts a container that says this when it is on its way.
    ///
    /// # Errors
    /// When it does not start, or says something else.
    pub fn start(&mut self, app: &str, start: &Value, until: &str) -> Result<Heard> {
        let ask = json!({ "start": { "id": id(app), "start": start, "until": until, "seconds": SECONDS } });
        let heard = Heard::of(&self.tell(&ask)?);
        ensure!(heard.end.is_null() && heard.stdout.contains(until), "it did not say {until:?}: {heard:?}");
        Ok(heard)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When there is no such container.
    pub fn wait(&mut self, app: &str) -> Result<Heard> {
        let answer = self.tell(&json!({ "wait": { "id": id(app), "seconds": SECONDS } }))?;
        Ok(Heard::of(&answer))
    }
}

/// The container of an app.
#[must_use]
pub fn id(app: &str) -> Value {
    json!({ "app": app, "name": "web" })
}

/// How the probe is started, to do this, as this user.
#[must_use]
pub fn start(words: &[&str], user: &str) -> Value {
    let words: Vec<&str> = ["/probe"].into_iter().chain(words.iter().copied()).collect();
    json!({
        "layers": [format!("{DATA}/low"), format!("{DATA}/high")],
        "words": words,
        "environment": ["PATH=/"],
        "user": user,
        "working_folder": "/",
        "volumes": [
            { "source": format!("{DATA}/volume"), "target": "/data", "read_only": false },
            { "source": format!("{DATA}/fixed"), "target": "/fixed", "read_only": true },
        ],
        "temporary": [{ "target": "/tmp", "size_bytes": 1 << 20 }],
        "scratch_bytes": null,
        "limits": { "memory_bytes": 32 << 20, "cpu_millis": 800, "tasks": 32 },
        "stop_signal": "SIGQUIT",
        "stop_grace": { "secs": 2, "nanos": 0 },
        "first_id": FIRST_ID,
        "host_name": "probe-host",
        "resolv_conf": "nameserver 10.0.0.1\n",
        "hosts": "127.0.0.1 localhost\n",
    })
}

/// The same with another value somewhere.
#[must_use]
pub fn with(mut start: Value, name: &str, value: Value) -> Value {
    start[name] = value;
    start
}

/// A program of this package for this machine, static; the C compiler is there because Rust links by it.
///
/// # Errors
/// When it does not compile.
pub fn compile(folder: &Path, source: &str) -> Result<Vec<u8>> {
    compile_by("gcc", folder, source)
}

/// The same for a board of another architecture.
///
/// # Errors
/// When it does not compile, or there is no compiler for that architecture.
pub fn compile_for(arch: Arch, folder: &Path, source: &str) -> Result<Vec<u8>> {
    compile_by(&artifacts::compiler(arch), folder, source)
}

fn compile_by(compiler: &str, folder: &Path, source: &str) -> Result<Vec<u8>> {
    let program: PathBuf = folder.join("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let done = Command::new(compiler)
        .args(["-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(&source)
        .output()
        .with_context(|| format!("cannot run {compiler}"))?;
    let errors = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{} does not compile: {errors}", source.display());
    fs::read(&program).with_context(|| format!("cannot read what {} became", source.display()))
}
