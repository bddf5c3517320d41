//! Who may reach what. Everything that is not granted here is refused.
//!
//! hostd sends the whole document at every change; netd compiles it and swaps it in, all or nothing.

use super::names::AppKey;
use super::names::DomainPattern;
use super::names::WorkspaceKey;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU16;

/// Most workspaces on one box: each has one of the 512 networks of the pool (docs/spec/network.md).
pub const MAX_WORKSPACES: usize = 256;
/// Most apps in one workspace: each has an address of its /24.
pub const MAX_NEIGHBOURS: usize = 250;
/// Most apps on one box.
pub const MAX_APPS: usize = 1024;
/// Most grants of one app, and most ports it serves.
pub const MAX_GRANTS: usize = 64;
/// Most domains in one grant.
pub const MAX_DOMAINS: usize = 64;
/// Most permissions on one box, where each domain and each port served counts: every one is a rule in the kernel and two lines of
/// the report on them, which must fit an answer of netd. A dozen for each of [`MAX_APPS`], with room.
pub const MAX_PERMISSIONS: usize = 16_384;
/// Ports of the box that no app may take: the console, name service, DHCP, time, mDNS, DNS over TLS.
pub const RESERVED_PORTS: [u16; 10] = [53, 67, 68, 80, 123, 443, 546, 547, 853, 5353];

/// The whole policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppPolicy {
    /// Version of this document; 1.
    pub version: Version,
    /// TCP port on which the box's gateway for apps answers, for every app; none while there is no gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_port: Option<NonZeroU16>,
    /// Workspaces with their apps.
    pub workspaces: BTreeMap<WorkspaceKey, Workspace>,
}

/// The only version so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Version;

/// A document of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this document has version {0}; version 1 is understood")]
pub struct UnknownVersion(u8);

impl TryFrom<u8> for Version {
    type Error = UnknownVersion;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if number == 1 { Ok(Self) } else { Err(UnknownVersion(number)) }
    }
}

impl From<Version> for u8 {
    fn from(_only: Version) -> Self {
        1
    }
}

/// The apps of one user: one network of their own, closed to each other but for links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Its apps.
    pub apps: BTreeMap<AppKey, AppAccess>,
}

/// What one app may reach and what of it may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppAccess {
    /// What the owner granted; nothing by default.
    #[serde(default)]
    pub grants: BTreeSet<Grant>,
    /// Ports of the app that the box itself may connect to, for its gateway.
    #[serde(default)]
    pub serves: BTreeSet<Port>,
}

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "to", deny_unknown_fields)]
pub enum Grant {
    /// Devices in the home network may be reached.
    Lan {},
    /// Every host of the Internet may be reached; none of the home network.
    Internet {},
    /// Hosts of the Internet with these names may be reached.
    Domains {
        /// Names.
        names: BTreeSet<DomainPattern>,
    },
    /// The owner's other boxes may be reached through the mesh.
    Mesh {},
    /// Devices in the home network may reach a port of the app, at a port of the box.
    Inbound {
        /// Port of the box.
        box_port: Port,
        /// Port of the app.
        app_port: NonZeroU16,
    },
    /// Another app of the same workspace may be reached.
    App {
        /// Which.
        app: AppKey,
        /// Its port.
        port: Port,
    },
}

/// Protocol and number of a port; `tcp/443` in JSON and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Port {
    /// Protocol.
    pub protocol: Protocol,
    /// Number.
    pub number: NonZeroU16,
}

/// Protocols with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Why a text is no port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no port; write tcp/443 or udp/53")]
pub struct InvalidPort(String);

impl TryFrom<String> for Port {
    type Error = InvalidPort;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for Port {
    type Err = InvalidPort;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPort(text.chars().take(32).collect());
        let (protocol, number) = text.split_once('/').ok_or_else(invalid)?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(invalid()),
        };
        // `parse` alone would take a plus sign.
        let digits = Some(number).filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let number = digits.and_then(|n| n.parse().ok()).ok_or_else(invalid)?;
        Ok(Self { protocol, number })
    }
}

impl From<Port> for String {
    fn from(port: Port) -> Self {
        port.to_string()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol.as_str(), self.number)
    }
}

/// Why a policy is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// Too many of something.
    #[error("{what} has {count} {of}; at most {most} are possible")]
    TooMany {
        /// Where.
        what: String,
        /// How many there are.
        count: usize,
        /// Of what.
        of: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// An app in two workspaces.
    #[error("app {app} is in two workspaces, {first} and {second}")]
    TwoWorkspaces {
        /// The app.
        app: AppKey,
        /// One.
        first: WorkspaceKey,
        /// The other.
        second: WorkspaceKey,
    },
    /// A link that leaves the workspace or leads nowhere.
    #[error("app {from} has a link to {to}, which is not another app of its workspace")]
    Link {
        /// The app with the grant.
        from: AppKey,
        /// What it names.
        to: AppKey,
    },
    /// Two apps want one port of the box, or one wants the box's own.
    #[error("port {port} of the box cannot be given to {app}: {holder} has it")]
    PortTaken {
        /// The port.
        port: Port,
        /// Who wants it.
        app: AppKey,
        /// Who has it: another app, or `the box`.
        holder: String,
    },
    /// Domains without a name.
    #[error("app {0} has a grant for domains that names none")]
    NoDomain(AppKey),
}

impl AppAccess {
    fn permissions(&self) -> usize {
        let of = |grant: &Grant| match grant {
            Grant::Domains { names } => names.len(),
            Grant::Lan {}
            | Grant::Internet {}
            | Grant::Mesh {}
            | Grant::Inbound { .. }
            | Grant::App { .. } => 1,
        };
        self.grants.iter().map(of).sum::<usize>() + self.serves.len()
    }
}

impl AppPolicy {
    /// Every app with its workspace.
    pub fn apps(&self) -> impl Iterator<Item = (&WorkspaceKey, &AppKey, &AppAccess)> {
        self.workspaces
            .iter()
            .flat_map(|(key, workspace)| workspace.apps.iter().map(move |(app, access)| (key, app, access)))
    }

    /// The workspace and the access of an app.
    #[must_use]
    pub fn app(&self, wanted: &AppKey) -> Option<(&WorkspaceKey, &AppAccess)> {
        self.workspaces.iter().find_map(|(key, workspace)| Some((key, workspace.apps.get(wanted)?)))
    }

    /// Checks what the types alone do not.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        at_most("the box", self.workspaces.len(), "workspaces", MAX_WORKSPACES)?;
        at_most("the box", self.apps().count(), "apps", MAX_APPS)?;
        let permissions = self.apps().map(|(_, _, access)| access.permissions()).sum();
        at_most("the box", permissions, "permissions", MAX_PERMISSIONS)?;
        for (key, workspace) in &self.workspaces {
            at_most(key.as_str(), workspace.apps.len(), "apps", MAX_NEIGHBOURS)?;
        }
        let mut seen: BTreeMap<&AppKey, &WorkspaceKey> = BTreeMap::new();
        let mut ports: BTreeMap<Port, &AppKey> = BTreeMap::new();
        for (workspace, app, access) in self.apps() {
            if let Some(first) = seen.insert(app, workspace) {
                let (first, second) = (first.clone(), workspace.clone());
                return Err(InvalidPolicy::TwoWorkspaces { app: app.clone(), first, second });
            }
            at_most(app.as_str(), access.grants.len(), "grants", MAX_GRANTS)?;
            at_most(app.as_str(), access.serves.len(), "ports", MAX_GRANTS)?;
            for grant in &access.grants {
                self.check_grant(workspace, app, grant)?;
                if let Grant::Inbound { box_port, .. } = grant
                    && let Some(holder) = ports.insert(*box_port, app)
                {
                    let holder = format!("app {holder}");
                    return Err(InvalidPolicy::PortTaken { port: *box_port, app: app.clone(), holder });
                }
            }
        }
        Ok(())
    }

    fn check_grant(
        &self,
        workspace: &WorkspaceKey,
        app: &AppKey,
        grant: &Grant,
    ) -> Result<(), InvalidPolicy> {
        match grant {
            Grant::Lan {} | Grant::Internet {} | Grant::Mesh {} => Ok(()),
            Grant::Domains { names } if names.is_empty() => Err(InvalidPolicy::NoDomain(app.clone())),
            Grant::Domains { names } => {
                at_most(app.as_str(), names.len(), "domains in one grant", MAX_DOMAINS)
            }
            Grant::Inbound { box_port, .. } => {
                let number = box_port.number.get();
                let is_reserved = RESERVED_PORTS.contains(&number)
                    || self.gateway_port.is_some_and(|gateway| gateway.get() == number);
                let holder = "the box".to_owned();
                let taken = InvalidPolicy::PortTaken { port: *box_port, app: app.clone(), holder };
                if is_reserved { Err(taken) } else { Ok(()) }
            }
            Grant::App { app: to, .. } => {
                let is_neighbour =
                    to != app && self.workspaces.get(workspace).is_some_and(|w| w.apps.contains_key(to));
                let stray = InvalidPolicy::Link { from: app.clone(), to: to.clone() };
                if is_neighbour { Ok(()) } else { Err(stray) }
            }
        }
    }
}

fn at_most(what: &str, count: usize, of: &'static str, most: usize) -> Result<(), InvalidPolicy> {
    let what = what.to_owned();
    if count <= most { Ok(()) } else { Err(InvalidPolicy::TooMany { what, count, of, most }) }
}

#[cfg(test)]
mod tests;
