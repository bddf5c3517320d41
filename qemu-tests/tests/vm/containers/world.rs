//! A box with the runtime, an image of one program, and two apps.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::agent::Agent;
use qemu_tests::artifacts::target;
use qemu_tests::builder::Inside;
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
pub(super) const DATA: &str = "/data/container-tests";
/// First ids, as `containerd_lite::runtime` has them.
pub(crate) const IMAGE_IDS: u32 = 0x1000_0000;
pub(crate) const FIRST_ID: u32 = 0x2000_0000 + 65_536;
/// Seconds that a container may take under emulation, on a computer that is busy.
const SECONDS: u64 = 240;

/// The two apps.
pub(crate) const APP: &str = "aaaaaaaaaaaaaaaa";
pub(crate) const OTHER: &str = "bbbbbbbbbbbbbbbb";

/// What a container printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) end: Value,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Heard {
    fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self { end: answer["end"].clone(), stdout: text("stdout"), stderr: text("stderr") }
    }

    /// The lines `name=value`.
    pub(crate) fn facts(&self) -> BTreeMap<&str, &str> {
        self.stdout
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name, value.trim()))
            .collect()
    }
}

/// A box that is ready to run containers.
pub(crate) struct World {
    // The machine goes last: the agent is inside of it.
    pub(crate) agent: Agent,
    _vm: Vm,
}

impl World {
    /// Boots a box, and brings it the programs and the image.
    pub(crate) fn boot(folder: &Path) -> Result<Self> {
        let probe = compile(folder, "containers/probe.c")?;
        let builder = VmBuilder::new(folder, &Artifacts::load()?).memory(768);
        let mut world = Self::bring(builder)?;
        world.agent.install(PROBE, &probe)?;
        world.make_image()?;
        for app in [APP, OTHER] {
            world.tell(&json!({ "network": app }))?;
        }
        Ok(world)
    }

    /// Boots such a box, and brings it what drives the runtime.
    pub(crate) fn bring(builder: VmBuilder) -> Result<Self> {
        let vm = builder.inside(Inside::Agent).start()?;
        vm.wait_web()?;
        let mut agent = vm.agent()?;
        let driver = target().join("release/examples/containers");
        let driver = fs::read(&driver).with_context(|| format!("cannot read {}", driver.display()))?;
        agent.install(DRIVER, &driver)?;
        Ok(Self { agent, _vm: vm })
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
    pub(crate) fn tell(&mut self, ask: &Value) -> Result<Value> {
        let answer = self.ask(ask)?;
        ensure!(answer.get("error").is_none(), "{ask}: {answer}");
        Ok(answer)
    }

    /// The same, with the error as an answer.
    pub(crate) fn ask(&mut self, ask: &Value) -> Result<Value> {
        let output = self.agent.run(DRIVER, &[], &format!("{ask}\n"))?;
        serde_json::from_str(&output).with_context(|| format!("no sense in {output:?}"))
    }

    /// Runs a container to its end and removes it.
    pub(crate) fn run(&mut self, start: &Value) -> Result<Heard> {
        let id = id(APP);
        let answer = self.tell(&json!({ "run": { "id": id, "start": start, "seconds": SECONDS } }))?;
        if answer["end"].is_null() {
            bail!("it did not end: {answer}");
        }
        self.tell(&json!({ "remove": id }))?;
        Ok(Heard::of(&answer))
    }

    /// Starts a container that says this when it is on its way.
    pub(crate) fn start(&mut self, app: &str, start: &Value, until: &str) -> Result<Heard> {
        let ask = json!({ "start": { "id": id(app), "start": start, "until": until, "seconds": SECONDS } });
        let heard = Heard::of(&self.tell(&ask)?);
        ensure!(heard.end.is_null() && heard.stdout.contains(until), "it did not say {until:?}: {heard:?}");
        Ok(heard)
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, app: &str) -> Result<Heard> {
        let answer = self.tell(&json!({ "wait": { "id": id(app), "seconds": SECONDS } }))?;
        Ok(Heard::of(&answer))
    }
}

/// The container of an app.
pub(crate) fn id(app: &str) -> Value {
    json!({ "app": app, "name": "web" })
}

/// How the probe is started, to do this, as this user.
pub(crate) fn start(words: &[&str], user: &str) -> Value {
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
pub(crate) fn with(mut start: Value, name: &str, value: Value) -> Value {
    start[name] = value;
    start
}

/// A program of the tests' folder, static; the C compiler is there because Rust links by it.
pub(crate) fn compile(folder: &Path, source: &str) -> Result<Vec<u8>> {
    let program: PathBuf = folder.join("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm").join(source);
    let done = Command::new("gcc")
        .args(["-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(&source)
        .output()
        .context("cannot run gcc")?;
    let errors = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{} does not compile: {errors}", source.display());
    fs::read(&program).with_context(|| format!("cannot read what {} became", source.display()))
}
