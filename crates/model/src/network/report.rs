//! How the network is now, for the console and the command line.

use super::explanation::Rule;
use super::link_report::LinkReport;
use super::names::AppKey;
use super::names::WorkspaceKey;
use super::wifi::WifiReport;
use serde::Deserialize;
use serde::Serialize;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkReport {
    /// What does not work, in plain words; empty when all is well.
    pub reasons: Vec<String>,
    /// Links to the home network.
    pub links: Vec<LinkReport>,
    /// The name on the home network.
    pub name: NameReport,
    /// Name service.
    pub resolver: ResolverReport,
    /// The clock.
    pub time: TimeReport,
    /// Packet filter.
    pub firewall: FirewallReport,
    /// Apps with a network.
    pub apps: Vec<AppReport>,
    /// Wi-Fi.
    #[serde(default)]
    pub wifi: WifiReport,
    /// Settings on trial, and for how many more seconds; none when all are confirmed.
    pub trial_seconds_left: Option<u32>,
}

/// The name on the home network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameReport {
    /// The name wished for.
    pub wanted: String,
    /// The name announced: the one wished for or one with a number behind it.
    pub announced: String,
    /// Who has the name wished for, when another device does.
    pub rival: Option<IpAddr>,
}

/// Name service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverReport {
    /// Upstream servers in the order they are tried.
    pub upstreams: Vec<UpstreamReport>,
    /// Whether the home network may ask.
    pub serves_lan: bool,
    /// Questions since the start.
    pub queries: u64,
    /// Answered from memory.
    pub cache_hits: u64,
    /// Refused because the asker may not know the name.
    pub refused: u64,
    /// Public names with an address of the home network.
    pub rebinding_blocked: u64,
    /// Answers whose signature was wrong.
    pub bogus: u64,
    /// Not answered: no upstream could say, the answer was not proved, or its addresses were not let through.
    pub failed: u64,
}

/// An upstream server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamReport {
    /// Name in its certificate.
    pub name: String,
    /// How it is asked, in words: `DNS over TLS`, `DNS over HTTPS`.
    pub transport: String,
    /// Why it is not used now; none when it works or was not tried.
    pub problem: Option<String>,
    /// Questions it was asked.
    pub queries: u64,
    /// Of these, without a usable answer.
    pub failures: u64,
}

/// The clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeReport {
    /// Whether the clock was set or confirmed from the network within the last day, and could be.
    pub synchronised: bool,
    /// Whether the source proved who it is.
    pub authenticated: bool,
    /// Offset at the last measurement in microseconds; positive when the clock was behind.
    pub offset_us: i64,
    /// Seconds since the last good measurement.
    pub age_seconds: Option<u64>,
    /// Servers.
    pub sources: Vec<TimeSourceReport>,
    /// Why the clock is not synchronised.
    pub reason: Option<String>,
}

/// A time server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSourceReport {
    /// Its name.
    pub name: String,
    /// Whether it proves who it is.
    pub authenticated: bool,
    /// How it is, in plain words.
    pub state: String,
}

/// The packet filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallReport {
    /// Whether the rules in force are those wished for.
    pub in_force: bool,
    /// Why not, in the kernel's words.
    pub problem: Option<String>,
    /// How often rules were loaded since netd started.
    pub loads: u64,
    /// Every rule with its counters.
    pub rules: Vec<Rule>,
}

/// An app with a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppReport {
    /// Its key.
    pub app: AppKey,
    /// Its workspace.
    pub workspace: WorkspaceKey,
    /// Its address.
    pub ipv4: Ipv4Addr,
    /// Its address.
    pub ipv6: Ipv6Addr,
    /// The box's end of its link.
    pub link: String,
}
