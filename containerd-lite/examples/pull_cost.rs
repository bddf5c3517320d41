//! What it costs to pull an image and unpack it: by the image store, and by skopeo with umoci. Processor time, of the programs that are started too
//! (`getrusage(2)`).
//!
//! `pull_cost REGISTRY FOLDER UNPACK ROUNDS`: a plain registry with `home/image:1`, a folder for both, the program `containerd-lite-unpack`. The
//! answer is JSON.

use anyhow::Context as _;
use anyhow::ensure;
use containerd_lite::image::Limits;
use containerd_lite::image::Platform;
use containerd_lite::image::Reference;
use containerd_lite::image::Store;
use containerd_lite::image::pull::Registries;
use containerd_lite::image::pull::pull;
use containerd_lite::image::unpack::Confined;
use containerd_lite::image::unpack::Owners;
use containerd_lite::runtime::IMAGE_IDS;
use nix::sys::resource::UsageWho;
use nix::sys::resource::getrusage;
use nix::sys::time::TimeValLike as _;
use serde_json::json;
use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const IMAGE: &str = "home/image:1";

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [registry, folder, unpack, rounds] = words.as_slice() else {
        anyhow::bail!("pull_cost REGISTRY FOLDER UNPACK ROUNDS")
    };
    let folder = Path::new(folder);
    let (mut ours, mut peer, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds.parse::<u32>().context("read how many rounds")? {
        ours.push(cost(|| by_us(registry, &folder.join("ours"), Path::new(unpack)))?);
        bytes = files(&folder.join("ours/layers")).context("add up what came out")?;
        peer.push(cost(|| by_others(registry, &folder.join("peer")))?);
        for side in ["ours", "peer"] {
            fs::remove_dir_all(folder.join(side)).context("clear away what came out")?;
        }
    }
    let answer = json!({ "image_bytes": bytes, "ours_seconds": ours, "peer_seconds": peer });
    writeln!(std::io::stdout(), "{answer}").context("answer")
}

fn by_us(registry: &str, folder: &Path, unpack: &Path) -> anyhow::Result<()> {
    let unpacker = Box::new(Confined::new(unpack, Owners::Range { first: IMAGE_IDS }));
    let store = Store::open(folder, Limits::default(), Platform::of_this_board(), unpacker)?;
    let registries = Registries { plain_http: vec![registry.to_owned()], ..Registries::default() };
    let name: Reference = format!("{registry}/{IMAGE}").parse()?;
    pull(&store, &name, &registries, &|_| ControlFlow::Continue(()))?;
    Ok(())
}

fn by_others(registry: &str, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir(folder).context("make a folder")?;
    let layout = folder.join("layout").display().to_string();
    let bundle = folder.join("bundle").display().to_string();
    let (from, to) = (format!("docker://{registry}/{IMAGE}"), format!("oci:{layout}:image"));
    run("skopeo", &["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &from, &to])?;
    run("umoci", &["unpack", "--image", &format!("{layout}:image"), &bundle])
}

fn run(program: &str, words: &[&str]) -> anyhow::Result<()> {
    let done = Command::new(program)
        .args(words)
        .output()
        .with_context(|| format!("start {program}: it is a Debian package"))?;
    ensure!(done.status.success(), "{program} failed: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// Seconds of processor time, of this program and of what it has waited for.
fn cost(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let before = used()?;
    work()?;
    Ok(used()? - before)
}

fn used() -> anyhow::Result<f64> {
    let mut all = Duration::ZERO;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who).context("read the processor time")?;
        let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
        all += Duration::from_micros(microseconds.unsigned_abs());
    }
    Ok(all.as_secs_f64())
}

fn files(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { files(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}
