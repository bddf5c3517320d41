//! What the network costs: the firewall against nft, apps that come and go, name service against unbound, memory.
//!
//! The measuring is done by two examples, of netd and of the resolver, so that this program links neither. Ours and the peer take
//! turns on the same machine, and processor time is what is compared.

mod figures;
mod names;
mod report;

pub(crate) use report::Report;

use crate::bars::Bars;
use crate::command::Program;
use crate::command::cargo;
use crate::command::target;
use anyhow::Context;
use anyhow::Result;
use image::progress::Progress;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::path::PathBuf;

/// Replacements of the rules, and comings and goings of an app; one of these takes a few milliseconds.
const ROUNDS: usize = 25;
/// Apps that are there when another comes and goes.
const OTHERS: usize = 100;

/// A namespace with a `/run` that is empty but for netd's folder.
const ALONE: &str =
    "ip link set lo up && mount -t tmpfs tmpfs /run && mkdir -p /run/hearth/net && exec \"$@\"";

/// Builds and measures.
///
/// # Errors
/// When something cannot be built or started, which without root is most of it.
pub(crate) fn measure() -> Result<Report> {
    cargo(["build", "--release", "--package", "netd", "--package", "resolver", "--examples"]).run()?;
    // By itself, as for the image: features that only examples need would come along otherwise.
    cargo(["build", "--release", "--package", "netd", "--package", "hostd"]).run()?;
    let bars = Bars::new();
    bars.step("a thousand rules, by netd and by nft");
    let firewall = in_namespace(["firewall".into(), ROUNDS.to_string().into()])?;
    bars.step("an app comes and goes");
    let netd = target().join("release/netd").into_os_string();
    let apps = in_namespace(["apps".into(), netd, ROUNDS.to_string().into(), OTHERS.to_string().into()])?;
    let names = names::measure(&target().join("bench/names"), &bars)?;
    bars.finish();
    Ok(Report { firewall, apps, names })
}

/// Runs netd's example in a fresh network namespace.
fn in_namespace<T: DeserializeOwned>(arguments: impl IntoIterator<Item = OsString>) -> Result<T> {
    let fixed = ["--net", "--mount", "sh", "-c", ALONE, "sh"].map(OsString::from);
    let program = example("network_cost").into_os_string();
    let text = Program::new("unshare", fixed.into_iter().chain([program]).chain(arguments)).output()?;
    serde_json::from_str(&text).context("reading what was measured")
}

fn example(name: &str) -> PathBuf {
    target().join("release/examples").join(name)
}
