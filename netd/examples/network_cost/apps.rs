//! An app comes and goes, over D-Bus, at a netd of its own.

use crate::cost;
use crate::daemon::Daemon;
use crate::daemon::Namespace;
use crate::household;
use anyhow::Context;
use anyhow::Result;
use hostapi::net1::Net1Proxy;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

/// After its start netd is left alone for so long before its memory is read.
const SETTLE: Duration = Duration::from_secs(10);

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Memory of a netd that nothing was asked of, KiB.
    rest_pss_kib: u64,
    alone: Turns,
    crowded: Turns,
    /// Memory with the others attached, KiB.
    crowded_pss_kib: u64,
}

/// Attaching and detaching one app; processor time is netd's, with what it does after its answer.
#[derive(Debug, Default, Serialize)]
struct Turns {
    others: usize,
    attach_cpu_ms: Vec<f64>,
    attach_wall_ms: Vec<f64>,
    detach_cpu_ms: Vec<f64>,
    detach_wall_ms: Vec<f64>,
}

/// Starts netd and measures so many rounds without and with other apps.
pub(crate) async fn measure(program: &Path, rounds: usize, others: usize) -> Result<Measured> {
    let netd = Daemon::start(program)?;
    let net1 = netd.net1().await?;
    tokio::time::sleep(SETTLE).await;
    let rest_pss_kib = netd.pss_kib()?;
    set_policy(&net1, 1).await?;
    let alone = turns(&netd, &net1, (rounds, 0)).await?;
    set_policy(&net1, others + 1).await?;
    for number in 0..others {
        let app = household::key(number);
        Namespace::new(&app)?.attach(&net1, &app).await?;
    }
    let crowded = turns(&netd, &net1, (rounds, others)).await?;
    tokio::time::sleep(SETTLE).await;
    Ok(Measured { rest_pss_kib, alone, crowded, crowded_pss_kib: netd.pss_kib()? })
}

async fn set_policy(net1: &Net1Proxy<'_>, apps: usize) -> Result<()> {
    let policy = serde_json::to_string(&household::policy(apps, 0)?)?;
    net1.set_app_policy(&policy).await.context("setting the policy")
}

/// The app with the number after the others' comes and goes. Its namespace stays: making and removing one is not netd's work.
async fn turns(netd: &Daemon, net1: &Net1Proxy<'_>, (rounds, others): (usize, usize)) -> Result<Turns> {
    let app = household::key(others);
    let namespace = Namespace::new(&format!("turns-{others}"))?;
    let mut turns = Turns { others, ..Turns::default() };
    let process = netd.process()?;
    // The first one makes what stays: caches, buffers.
    for round in 0..=rounds {
        let before = cost::of_at_rest(process).await?;
        let begun = Instant::now();
        namespace.attach(net1, &app).await?;
        let attach_wall = cost::wall(begun);
        let between = cost::of_at_rest(process).await?;
        let begun = Instant::now();
        net1.detach_app(&app).await.context("detaching the app")?;
        let detach_wall = cost::wall(begun);
        let after = cost::of_at_rest(process).await?;
        if round > 0 {
            turns.attach_cpu_ms.push(between - before);
            turns.attach_wall_ms.push(attach_wall);
            turns.detach_cpu_ms.push(after - between);
            turns.detach_wall_ms.push(detach_wall);
        }
    }
    Ok(turns)
}
