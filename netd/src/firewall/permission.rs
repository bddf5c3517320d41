//! Who may reach what, as a flat list: the one source of both the kernel's rules and the explanations. Pure.
//!
//! A permission has a name that never changes, and from it a mark. The rule that lets the first packet of a connection through
//! puts the mark on the connection; later packets pass while the mark is in force. Taking a permission away therefore cuts what
//! lives on it in the same commit, without a look at any connection.

use model::network::app_policy::AppPolicy;
use model::network::app_policy::Grant;
use model::network::app_policy::Port;
use model::network::app_policy::Protocol;
use model::network::names::AppKey;
use model::network::names::DomainPattern;
use sha2::Digest;
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU16;

/// One thing that is allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// The box itself may open connections, but not to apps, and never for plaintext DNS.
    BoxOut,
    /// Devices in the home network may use a service of the box.
    LanToBox(Service),
    /// An app may ask the box for names.
    Names {
        /// The app.
        app: AppKey,
    },
    /// An app may use the box's gateway.
    Gateway {
        /// The app.
        app: AppKey,
        /// Where it answers, TCP.
        port: NonZeroU16,
    },
    /// The box may connect to what an app serves.
    Served {
        /// The app.
        app: AppKey,
        /// Its port.
        port: Port,
    },
    /// An app may reach the home network.
    Lan {
        /// The app.
        app: AppKey,
    },
    /// An app may reach the Internet.
    Internet {
        /// The app.
        app: AppKey,
    },
    /// An app may reach hosts of a name in the Internet.
    Domain {
        /// The app.
        app: AppKey,
        /// The name.
        name: DomainPattern,
    },
    /// An app may reach the owner's other boxes.
    Mesh {
        /// The app.
        app: AppKey,
    },
    /// The home network may reach an app at a port of the box.
    Inbound {
        /// The app.
        app: AppKey,
        /// Port of the box.
        box_port: Port,
        /// Port of the app.
        app_port: NonZeroU16,
    },
    /// An app may reach another.
    Link {
        /// The one that connects.
        from: AppKey,
        /// The other.
        to: AppKey,
        /// Port of the other.
        port: Port,
    },
}

/// A service of the box for the home network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Echo requests.
    Ping,
    /// TCP 80 and 443.
    Console,
    /// Multicast DNS.
    LocalName,
    /// Answers of DHCP servers.
    Leases,
    /// DNS, in the home network in plaintext and over TLS.
    Resolver,
}

/// Services that every box has.
const ALWAYS: [Service; 4] = [Service::Ping, Service::Console, Service::LocalName, Service::Leases];

/// What marks the connections of one permission; never 0, which is the mark of a connection that nobody allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u32);

/// Every permission, sorted.
#[must_use]
pub fn permissions(policy: &AppPolicy, serves_lan: bool) -> BTreeSet<Permission> {
    let mut all = BTreeSet::from([Permission::BoxOut]);
    all.extend(ALWAYS.map(Permission::LanToBox));
    if serves_lan {
        all.insert(Permission::LanToBox(Service::Resolver));
    }
    for (_, app, access) in policy.apps() {
        all.extend(access.serves.iter().map(|port| Permission::Served { app: app.clone(), port: *port }));
        if let Some(port) = policy.gateway_port {
            all.insert(Permission::Gateway { app: app.clone(), port });
        }
        for grant in &access.grants {
            all.extend(granted(app, grant));
            if needs_names(grant) {
                all.insert(Permission::Names { app: app.clone() });
            }
        }
    }
    all
}

fn granted(app: &AppKey, grant: &Grant) -> Vec<Permission> {
    let app = app.clone();
    match grant {
        Grant::Lan {} => vec![Permission::Lan { app }],
        Grant::Internet {} => vec![Permission::Internet { app }],
        Grant::Mesh {} => vec![Permission::Mesh { app }],
        Grant::Domains { names } => {
            names.iter().map(|name| Permission::Domain { app: app.clone(), name: name.clone() }).collect()
        }
        Grant::Inbound { box_port, app_port } => {
            vec![Permission::Inbound { app, box_port: *box_port, app_port: *app_port }]
        }
        Grant::App { app: to, port } => vec![Permission::Link { from: app, to: to.clone(), port: *port }],
    }
}

/// Whether an app with this grant has anything to ask for: one without any may not even ask, questions carry data out.
fn needs_names(grant: &Grant) -> bool {
    match grant {
        Grant::Lan {} | Grant::Internet {} | Grant::Domains { .. } | Grant::Mesh {} | Grant::App { .. } => {
            true
        }
        Grant::Inbound { .. } => false,
    }
}

impl Permission {
    /// The app whose permission it is, the one that connects or is connected to from outside.
    #[must_use]
    pub fn app(&self) -> Option<&AppKey> {
        match self {
            Self::BoxOut | Self::LanToBox(_) => None,
            Self::Names { app }
            | Self::Gateway { app, .. }
            | Self::Served { app, .. }
            | Self::Lan { app }
            | Self::Internet { app }
            | Self::Domain { app, .. }
            | Self::Mesh { app }
            | Self::Inbound { app, .. }
            | Self::Link { from: app, .. } => Some(app),
        }
    }

    /// What tells long names apart: no two permissions have the same, even if somebody looks for names that would.
    #[must_use]
    pub fn digest(&self) -> String {
        let hash = sha2::Sha256::digest(self.to_string());
        hash.iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// The mark of its connections: FNV-1a of its name, so that it is the same after a restart and for every policy.
    /// Two of a thousand names share one of the 2^32 marks with a probability of 1 in 8,000, and who wants two that do finds them;
    /// then revoking one of them leaves its open connections until the connection table is swept right afterwards.
    #[must_use]
    pub fn mark(&self) -> Mark {
        const OFFSET: u32 = 0x811c_9dc5;
        const PRIME: u32 = 0x0100_0193;
        let hash = self.to_string().bytes().fold(OFFSET, |hash, b| (hash ^ u32::from(b)).wrapping_mul(PRIME));
        Mark(hash.max(1))
    }

    /// What it allows, in plain words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::BoxOut => "the box may connect to the home network and the Internet".to_owned(),
            Self::LanToBox(service) => format!("the home network may {}", service.words()),
            Self::Names { app } => format!("{app} may ask the box for names"),
            Self::Gateway { app, port } => format!("{app} may use the box's gateway at tcp/{port}"),
            Self::Served { app, port } => format!("the box may reach {app} at {port}"),
            Self::Lan { app } => format!("{app} may reach the home network"),
            Self::Internet { app } => format!("{app} may reach the Internet"),
            Self::Domain { app, name } => format!("{app} may reach {name} in the Internet"),
            Self::Mesh { app } => format!("{app} may reach your other boxes"),
            Self::Inbound { app, box_port, app_port } => {
                format!("the home network may reach {app} (its port {app_port}) at {box_port} of the box")
            }
            Self::Link { from, to, port } => format!("{from} may reach {to} at {port}"),
        }
    }
}

/// The name: at most 63 + 253 characters and a few words; the kernel keeps 128 of it as comment.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BoxOut => f.write_str("box to anywhere"),
            Self::LanToBox(service) => write!(f, "lan to box {}", service.name()),
            Self::Names { app } => write!(f, "app {app} to box names"),
            Self::Gateway { app, port } => write!(f, "app {app} to box tcp/{port}"),
            Self::Served { app, port } => write!(f, "box to app {app} {port}"),
            Self::Lan { app } => write!(f, "app {app} to lan"),
            Self::Internet { app } => write!(f, "app {app} to internet"),
            Self::Domain { app, name } => write!(f, "app {app} to {name}"),
            Self::Mesh { app } => write!(f, "app {app} to mesh"),
            Self::Inbound { app, box_port, app_port } => {
                write!(f, "lan to app {app} {box_port} as {app_port}")
            }
            Self::Link { from, to, port } => write!(f, "app {from} to app {to} {port}"),
        }
    }
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Console => "console",
            Self::LocalName => "local name",
            Self::Leases => "leases",
            Self::Resolver => "resolver",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Ping => "ping the box",
            Self::Console => "open the console of the box",
            Self::LocalName => "ask for the name of the box",
            Self::Leases => "give addresses to the box",
            Self::Resolver => "ask the box for names",
        }
    }

    /// Ports that belong to it.
    #[must_use]
    pub fn ports(self) -> Vec<(Protocol, u16)> {
        match self {
            Self::Ping => vec![],
            Self::Console => vec![(Protocol::Tcp, 80), (Protocol::Tcp, 443)],
            Self::LocalName => vec![(Protocol::Udp, 5353)],
            Self::Leases => vec![(Protocol::Udp, 68), (Protocol::Udp, 546)],
            Self::Resolver => vec![(Protocol::Udp, 53), (Protocol::Tcp, 53), (Protocol::Tcp, 853)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn policy(text: &str) -> AppPolicy {
        let policy: AppPolicy = serde_json::from_str(text).unwrap();
        policy.check().unwrap();
        policy
    }

    fn names(policy: &AppPolicy, serves_lan: bool) -> Vec<String> {
        permissions(policy, serves_lan).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn without_apps_only_the_box_is_served() {
        assert_eq!(
            names(&AppPolicy::default(), false),
            [
                "box to anywhere",
                "lan to box ping",
                "lan to box console",
                "lan to box local name",
                "lan to box leases"
            ]
        );
        assert_eq!(names(&AppPolicy::default(), true).last().unwrap(), "lan to box resolver");
    }

    #[test]
    fn an_app_without_grants_may_do_nothing_and_one_with_some_may_ask_for_names() {
        let text = r#"{"version":1,"workspaces":{"ann":{"apps":{
            "none":{},
            "in":{"grants":[{"to":"inbound","box_port":"udp/9000","app_port":90}]},
            "all":{"grants":[{"to":"lan"},{"to":"internet"},{"to":"mesh"},{"to":"domains","names":["a.b","*.c.d"]},
                             {"to":"app","app":"none","port":"tcp/5432"}],"serves":["tcp/8080"]}}}}}"#;
        let apps: Vec<String> =
            names(&policy(text), false).into_iter().filter(|name| name.contains("app ")).collect();
        assert_eq!(
            apps,
            [
                "app all to box names",
                "box to app all tcp/8080",
                "app all to lan",
                "app all to internet",
                "app all to *.c.d",
                "app all to a.b",
                "app all to mesh",
                "lan to app in udp/9000 as 90",
                "app all to app none tcp/5432",
            ]
        );
    }

    #[test]
    fn marks_differ_and_never_change() {
        let app: AppKey = "notes".parse().unwrap();
        let marks = [
            Permission::BoxOut.mark(),
            Permission::Lan { app: app.clone() }.mark(),
            Permission::Internet { app }.mark(),
        ];
        // Written down: connections of a running box carry them across an update of netd.
        assert_eq!(marks.map(|mark| format!("{:08x}", mark.0)), ["e54b7fbc", "bad80fcd", "339b6ca3"]);
    }
}
