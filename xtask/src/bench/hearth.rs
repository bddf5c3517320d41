//! Our side: what a boot costs, what is used at rest, how large it is.

use anyhow::Context;
use anyhow::Result;
use hearth_agent::protocol::Entry;
use hearth_agent::protocol::Kind;
use image::deny::Reason;
use qemu_tests::Artifacts;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// After the page answers, this long nothing is asked of the box before memory is read.
const SETTLE: Duration = Duration::from_secs(20);

/// What the image weighs.
#[derive(Debug, Serialize)]
pub(crate) struct Sizes {
    /// The disk image, bytes that are not holes.
    pub(crate) image_bytes: u64,
    /// `hearth.img.zst`.
    pub(crate) compressed_bytes: u64,
    /// One slot: what an update carries at most.
    pub(crate) slot_bytes: u64,
}

/// The box at rest.
#[derive(Debug, Serialize)]
pub(crate) struct Rest {
    /// Proportional set size of each of our processes, KiB.
    pub(crate) pss_kib: BTreeMap<String, u64>,
    /// MemTotal − MemAvailable, KiB, test agent included.
    pub(crate) used_kib: u64,
    /// Files with setuid or setgid bit in the root.
    pub(crate) setuid_files: usize,
    /// Shells and interpreters in the root.
    pub(crate) interpreters: usize,
}

/// Boots a fresh box once and returns the processor seconds until the set-up page answers over HTTPS.
///
/// # Errors
/// When it does not come up.
pub(crate) fn boot(folder: &Path, artifacts: &Artifacts) -> Result<f64> {
    let vm = VmBuilder::new(folder, artifacts).start()?;
    let page = vm.wait_web()?.get("/")?;
    anyhow::ensure!(page.status == 200, "the set-up page answers {}", page.status);
    vm.cpu_seconds()
}

/// Boots with the agent and looks at memory and files once all is quiet.
///
/// # Errors
/// When the box does not come up or the agent does not answer.
pub(crate) fn rest(folder: &Path, artifacts: &Artifacts) -> Result<Rest> {
    let vm = VmBuilder::new(folder, artifacts).inside(Inside::Agent).start()?;
    vm.wait_web()?;
    std::thread::sleep(SETTLE);
    let mut agent = vm.agent()?;
    let memory = agent.read("/proc/meminfo")?;
    let used_kib = field(&memory, "MemTotal")? - field(&memory, "MemAvailable")?;
    let mut pss_kib = BTreeMap::new();
    for process in agent.processes()? {
        if let Some(pss) = process.pss_kib.filter(|_| process.name != "agent") {
            *pss_kib.entry(process.name).or_insert(0) += pss;
        }
    }
    let files = agent.walk("/")?;
    let judged: Vec<Reason> = files.iter().filter_map(judge).collect();
    let count = |reasons: &[Reason]| judged.iter().filter(|reason| reasons.contains(reason)).count();
    let (setuid_files, interpreters) =
        (count(&[Reason::Setuid]), count(&[Reason::Interpreter, Reason::Script]));
    Ok(Rest { pss_kib, used_kib, setuid_files, interpreters })
}

/// The image builder's own judgement, on the files of the running box.
fn judge(file: &Entry) -> Option<Reason> {
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    // The agent tells first bytes as hexadecimal digits; only a script's "#!" matters here.
    let start: &[u8] = if file.head.starts_with("2321") { b"#!" } else { b"" };
    image::deny::judge(&name, file.mode, file.kind == Kind::Folder, start)
}

/// Sizes of what `cargo xtask image` wrote.
///
/// # Errors
/// When a file is missing.
pub(crate) fn sizes(artifacts: &Artifacts) -> Result<Sizes> {
    use std::os::unix::fs::MetadataExt;
    let length = |path: &Path| fs::metadata(path).with_context(|| format!("reading {}", path.display()));
    Ok(Sizes {
        image_bytes: length(&artifacts.image)?.blocks() * 512,
        compressed_bytes: length(&artifacts.image.with_extension("img.zst"))?.len(),
        slot_bytes: length(&artifacts.slot)?.len(),
    })
}

/// A line of `/proc/meminfo`, in KiB (proc(5)).
fn field(text: &str, name: &str) -> Result<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("/proc/meminfo has no {name}"))
}
