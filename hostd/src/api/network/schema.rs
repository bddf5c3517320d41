//! How the documents of `model::network` look, for the OpenAPI document alone: `model` knows nothing of it. A test compares real
//! answers with these, member by member.
#![expect(dead_code, reason = "these types describe; none of them is ever made")]

mod link;
mod wifi;

pub(crate) use link::LinkReport;
pub(crate) use wifi::WifiReport;
pub(crate) use wifi::WifiWish;

use link::LinkSettings;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The name on the home network.
#[derive(Serialize, ToSchema)]
pub(crate) struct NameReport {
    /// The name wished for.
    wanted: String,
    /// The name announced: the one wished for, or one with a number behind it.
    announced: String,
    /// Address of the device that has the name wished for, when another one does.
    rival: Option<String>,
}

/// Name service. Counts begin when the network service starts.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResolverReport {
    /// Encrypted name servers in the order they are tried.
    upstreams: Vec<UpstreamReport>,
    /// Whether devices in the home network may ask.
    serves_lan: bool,
    /// Questions.
    queries: u64,
    /// Answered from memory.
    cache_hits: u64,
    /// Refused because the asker may not know the name.
    refused: u64,
    /// Public names with an address of the home network.
    rebinding_blocked: u64,
    /// Answers whose signature was wrong.
    bogus: u64,
    /// Questions that no name server answered.
    failed: u64,
}

/// A name server.
#[derive(Serialize, ToSchema)]
pub(crate) struct UpstreamReport {
    /// Name in its certificate.
    name: String,
    /// `tls` or `https`.
    transport: String,
    /// Why it is not used now.
    problem: Option<String>,
    /// Questions it was asked.
    queries: u64,
    /// Of these, without a usable answer.
    failures: u64,
}

/// The clock.
#[derive(Serialize, ToSchema)]
pub(crate) struct TimeReport {
    /// Whether the clock was set from the network since the start.
    synchronised: bool,
    /// Whether the source proved who it is.
    authenticated: bool,
    /// Offset at the last measurement in microseconds; positive when the clock was behind.
    offset_us: i64,
    /// Seconds since the last good measurement.
    age_seconds: Option<u64>,
    /// Time servers.
    sources: Vec<TimeSourceReport>,
    /// Why the clock is not synchronised.
    reason: Option<String>,
}

/// A time server.
#[derive(Serialize, ToSchema)]
pub(crate) struct TimeSourceReport {
    /// Its name.
    name: String,
    /// Whether it proves who it is.
    authenticated: bool,
    /// How it is, in plain words.
    state: String,
}

/// The packet filter.
#[derive(Serialize, ToSchema)]
pub(crate) struct FirewallReport {
    /// Whether the rules in force are those wished for.
    in_force: bool,
    /// Why not.
    problem: Option<String>,
    /// How often rules were loaded.
    loads: u64,
    /// Every rule.
    rules: Vec<Rule>,
}

/// A rule in plain words.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rule {
    /// Its name.
    name: String,
    /// What it does.
    words: String,
    /// Whether it lets packets through.
    allows: bool,
    /// Packets of the connections it allowed, both ways, or packets it refused.
    packets: u64,
    /// Bytes of these packets.
    bytes: u64,
}

/// An app with a network.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppReport {
    /// Its key.
    app: String,
    /// Its workspace.
    workspace: String,
    /// Its IPv4 address.
    ipv4: String,
    /// Its IPv6 address.
    ipv6: String,
    /// The box's end of its link.
    link: String,
}

/// Everything the owner may choose for the network.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkSettings {
    /// 1.
    version: u8,
    /// Links with other wishes than DHCP and router advertisements, at most 16.
    #[serde(default)]
    links: Vec<LinkSettings>,
    /// Name servers.
    #[serde(default)]
    resolver: ResolverSettings,
    /// Time servers.
    #[serde(default)]
    time: TimeSettings,
}

/// How names are resolved.
#[derive(Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResolverSettings {
    /// Encrypted name servers in the order they are tried, at most 8; empty means the built-in ones.
    #[serde(default)]
    upstreams: Vec<Upstream>,
    /// Whether devices in the home network may ask the box for names.
    #[serde(default)]
    serve_lan: bool,
    /// Public names (`example.com`, `*.example.com`) that may have addresses of the home network.
    #[serde(default)]
    private_names: Vec<String>,
}

/// An encrypted name server.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    /// The name in its certificate.
    server_name: String,
    /// Its addresses, 1 to 16.
    addresses: Vec<String>,
    /// How it is asked.
    transport: Transport,
}

/// Encrypted transports of DNS.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "by", deny_unknown_fields)]
pub(crate) enum Transport {
    /// DNS over TLS.
    Tls {
        /// 853 when absent.
        #[serde(default)]
        port: Option<u16>,
    },
    /// DNS over HTTPS.
    Https {
        /// 443 when absent.
        #[serde(default)]
        port: Option<u16>,
        /// `/dns-query` when absent.
        #[serde(default)]
        path: Option<String>,
    },
}

/// Where the time comes from.
#[derive(Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeSettings {
    /// At most 16; empty means the built-in ones and those the home network offers.
    #[serde(default)]
    servers: Vec<TimeServer>,
}

/// A time server.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeServer {
    /// Its name.
    name: String,
    /// Whether it must prove who it is.
    #[serde(default)]
    authenticated: bool,
}

/// Who may reach what; everything that is not granted is refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppPolicy {
    /// 1.
    version: u8,
    /// TCP port on which the box answers apps.
    #[serde(default)]
    gateway_port: Option<u16>,
    /// Workspaces with their apps, by key.
    workspaces: BTreeMap<String, Workspace>,
}

/// The apps of one user.
#[derive(Serialize, ToSchema)]
pub(crate) struct Workspace {
    /// By key.
    apps: BTreeMap<String, AppAccess>,
}

/// What one app may reach and what of it may be reached.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppAccess {
    /// What the owner granted.
    grants: Vec<Grant>,
    /// Ports of the app that the box itself may connect to.
    #[schema(example = json!(["tcp/8080"]))]
    serves: Vec<String>,
}

/// One permission.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub(crate) enum Grant {
    /// Devices in the home network.
    Lan {},
    /// Every host of the Internet.
    Internet {},
    /// Hosts of the Internet with these names.
    Domains {
        /// Names.
        names: Vec<String>,
    },
    /// The owner's other boxes.
    Mesh {},
    /// Devices in the home network may reach a port of the app, at a port of the box.
    Inbound {
        /// Port of the box.
        box_port: String,
        /// Port of the app.
        app_port: u16,
    },
    /// Another app of the same workspace.
    App {
        /// Its key.
        app: String,
        /// Its port.
        port: String,
    },
}

/// Whether one end may reach another.
#[derive(Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// Who asks.
    from: String,
    /// Whom they want to reach.
    to: String,
    /// The answer.
    answer: Answer,
    /// In one plain sentence.
    words: String,
    /// Rules that let it through.
    rules: Vec<Rule>,
    /// The rule that stops everything else.
    otherwise: Rule,
}

/// Yes or no.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// Everything asked for.
    Yes,
    /// Some of it: these ports, these names.
    Partly,
    /// Nothing of it.
    No,
}
