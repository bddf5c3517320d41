//! What the measuring programs print, and the report's JSON: series become [`Spread`]s on the way.

use crate::bench::spread::Spread;
use serde::Deserialize;
use serde::Serialize;

/// A thousand rules into the kernel; processor time unless it says wall.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Firewall {
    /// How many the policy makes: each has a name, a mark and a counter of its own.
    pub(crate) rules: u64,
    /// Of how many apps.
    pub(crate) apps: u64,
    /// Lines of chains, which look the rules of the policy up.
    pub(crate) kernel_rules: u64,
    /// In all sets and maps together.
    pub(crate) set_elements: u64,
    text_bytes: u64,
    /// From policy to rules.
    pub(crate) compile_ms: Spread,
    /// netd's batch.
    pub(crate) batch: Way,
    /// The same rules as text by `nft -f`.
    pub(crate) nft: Way,
}

/// A way into the kernel.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Way {
    /// Where no rules were.
    pub(crate) first_ms: f64,
    /// In place of the same rules.
    pub(crate) cpu_ms: Spread,
    /// The same.
    pub(crate) wall_ms: Spread,
}

/// Apps that come and go, and memory.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Apps {
    /// Memory of a netd that nothing was asked of.
    pub(crate) rest_pss_kib: u64,
    /// Nobody else there.
    pub(crate) alone: Turns,
    /// Many there.
    pub(crate) crowded: Turns,
    /// Memory with many apps.
    pub(crate) crowded_pss_kib: u64,
}

/// One app, again and again; processor time is netd's.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Turns {
    /// How many there are beside it.
    pub(crate) others: u64,
    /// Coming.
    pub(crate) attach_cpu_ms: Spread,
    /// Coming, until the answer.
    pub(crate) attach_wall_ms: Spread,
    /// Going.
    pub(crate) detach_cpu_ms: Spread,
    /// Going, until the answer.
    pub(crate) detach_wall_ms: Spread,
}

/// Name service: answers that are cached, over UDP.
#[derive(Debug, Serialize)]
pub(crate) struct Names {
    /// How many names.
    pub(crate) names: usize,
    /// Ours.
    pub(crate) hearth: Server,
    /// The peer.
    pub(crate) unbound: Server,
}

/// A name server.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    /// Many questions under way.
    pub(crate) queries_per_s: Spread,
    /// The same.
    pub(crate) cpu_ms_per_1000: Spread,
    /// One question under way.
    pub(crate) p50_us: Spread,
    /// The same.
    pub(crate) p99_us: Spread,
    /// Questions without an answer, in all rounds.
    pub(crate) lost: u64,
    /// Memory after the last round.
    pub(crate) pss_kib: u64,
}

/// What the load generator prints of one run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Load {
    /// Answers.
    pub(crate) queries_per_s: f64,
    /// From question to answer.
    pub(crate) p50_us: f64,
    /// The same.
    pub(crate) p99_us: f64,
    /// Questions without an answer.
    pub(crate) lost: u64,
    /// The server's processor time.
    pub(crate) server_cpu_s: f64,
    /// The server's memory.
    pub(crate) server_pss_kib: u64,
}
