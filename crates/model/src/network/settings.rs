//! What the owner may choose for the box's own network. netd keeps it; the default is what a box has out of its box.

use super::app_policy::Version;
use super::link_settings::LinkSettings;
use super::names::Domain;
use super::names::DomainPattern;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

/// Most entries of each list but that of name servers.
pub const MAX_ENTRIES: usize = 16;
/// Most name servers.
pub const MAX_UPSTREAMS: usize = 8;
/// The port of DNS without encryption: no name server is asked there.
const PLAINTEXT_PORT: u16 = 53;
/// How long a change may be on trial, in seconds: a change that cuts the owner off is taken back by itself.
pub const TRIAL_SECONDS: std::ops::RangeInclusive<u32> = 10..=600;

/// Everything the owner may choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSettings {
    /// Version of this document; 1.
    pub version: Version,
    /// Links with other wishes than DHCP and router advertisements. What names a link's hardware address goes before what names the
    /// link; of several that do, the first one counts.
    #[serde(default)]
    pub links: Vec<LinkSettings>,
    /// Name servers.
    #[serde(default)]
    pub resolver: ResolverSettings,
    /// Time servers.
    #[serde(default)]
    pub time: TimeSettings,
}

/// How names are resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolverSettings {
    /// Encrypted name servers in the order they are tried; empty means the built-in ones.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
    /// Whether devices in the home network may ask the box for names.
    #[serde(default)]
    pub serve_lan: bool,
    /// Public names that may have addresses of the home network; all others with such are taken for an attack.
    #[serde(default)]
    pub private_names: Vec<DomainPattern>,
}

/// An encrypted name server. There is no other kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The name in its certificate.
    pub server_name: Domain,
    /// Its addresses: it cannot be looked up before there is a name server.
    pub addresses: Vec<IpAddr>,
    /// How it is asked.
    pub transport: Transport,
}

/// Encrypted transports of DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by", deny_unknown_fields)]
pub enum Transport {
    /// DNS over TLS (RFC 7858).
    Tls {
        /// Port; 853 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<NonZeroU16>,
    },
    /// DNS over HTTPS (RFC 8484).
    Https {
        /// Port; 443 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<NonZeroU16>,
        /// Path of its URL, `/dns-query` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
}

/// Where the time comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSettings {
    /// Servers; empty means the built-in ones and those the home network offers.
    #[serde(default)]
    pub servers: Vec<TimeServer>,
}

/// A time server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeServer {
    /// Its name.
    pub name: Domain,
    /// Whether it must prove who it is (NTS, RFC 8915).
    #[serde(default)]
    pub authenticated: bool,
}

/// A list in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Links.
    Links,
    /// Name servers.
    Upstreams,
    /// Addresses of the name server at this place.
    Addresses {
        /// In the list of name servers.
        upstream: usize,
    },
    /// Public names that may have private addresses.
    PrivateNames,
    /// Time servers.
    TimeServers,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Links => "links",
            Self::Upstreams => "name servers",
            Self::Addresses { .. } => "addresses of one name server",
            Self::PrivateNames => "private names",
            Self::TimeServers => "time servers",
        })
    }
}

/// Why settings are refused as a whole. A name server is named by its place: two may have one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// Too many entries.
    #[error("there are {count} {of}; at most {most} are possible")]
    TooMany {
        /// Of what.
        of: List,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A name server without an address.
    #[error("name server {server} has no address")]
    NoAddress {
        /// Its place.
        upstream: usize,
        /// Its name.
        server: Domain,
    },
    /// An address that no server can have.
    #[error("name server {server} cannot have the address {address}")]
    Address {
        /// Its place.
        upstream: usize,
        /// Its name.
        server: Domain,
        /// Its address.
        address: IpAddr,
    },
    /// The port of DNS without encryption.
    #[error("name server {server} cannot be on port 53, which is not encrypted")]
    Port {
        /// Its place.
        upstream: usize,
        /// Its name.
        server: Domain,
    },
    /// A path that no URL has.
    #[error("name server {server}: a path starts with / and has up to 128 visible ASCII characters")]
    Path {
        /// Its place.
        upstream: usize,
        /// Its name.
        server: Domain,
    },
}

impl NetworkSettings {
    /// Checks what the types alone do not.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        let upstreams = &self.resolver.upstreams;
        at_most(MAX_ENTRIES, self.links.len(), List::Links)?;
        at_most(MAX_UPSTREAMS, upstreams.len(), List::Upstreams)?;
        at_most(MAX_ENTRIES, self.resolver.private_names.len(), List::PrivateNames)?;
        at_most(MAX_ENTRIES, self.time.servers.len(), List::TimeServers)?;
        upstreams.iter().enumerate().try_for_each(|(place, upstream)| upstream.check(place))
    }
}

impl Upstream {
    fn check(&self, upstream: usize) -> Result<(), InvalidSettings> {
        let server = || self.server_name.clone();
        at_most(MAX_ENTRIES, self.addresses.len(), List::Addresses { upstream })?;
        if self.addresses.is_empty() {
            return Err(InvalidSettings::NoAddress { upstream, server: server() });
        }
        let strange = |address: &&IpAddr| address.is_unspecified() || address.is_multicast();
        if let Some(&address) = self.addresses.iter().find(strange) {
            return Err(InvalidSettings::Address { upstream, server: server(), address });
        }
        let (Transport::Tls { port } | Transport::Https { port, .. }) = &self.transport;
        if port.is_some_and(|port| port.get() == PLAINTEXT_PORT) {
            return Err(InvalidSettings::Port { upstream, server: server() });
        }
        let is_path = |path: &String| {
            path.starts_with('/') && path.len() <= 128 && path.bytes().all(|b| b.is_ascii_graphic())
        };
        match &self.transport {
            Transport::Https { path: Some(path), .. } if !is_path(path) => {
                Err(InvalidSettings::Path { upstream, server: server() })
            }
            Transport::Https { .. } | Transport::Tls { .. } => Ok(()),
        }
    }
}

const fn at_most(most: usize, count: usize, of: List) -> Result<(), InvalidSettings> {
    if count <= most { Ok(()) } else { Err(InvalidSettings::TooMany { of, count, most }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), String> {
        let settings: NetworkSettings = serde_json::from_str(text).map_err(|error| error.to_string())?;
        settings.check().map_err(|error| error.to_string())
    }

    #[test]
    fn the_shortest_document_is_the_default() {
        assert_eq!(
            serde_json::from_str::<NetworkSettings>(r#"{"version":1}"#).unwrap(),
            NetworkSettings::default()
        );
    }

    #[test]
    fn only_encrypted_name_servers_can_be_said() {
        let upstream = |text: &str| {
            checked(&format!(
                r#"{{"version":1,"resolver":{{"upstreams":[{{"server_name":"dns.example.org",{text}}}]}}}}"#
            ))
        };
        assert_eq!(upstream(r#""addresses":["192.0.2.1"],"transport":{"by":"tls"}"#), Ok(()));
        assert_eq!(upstream(r#""addresses":["2001:db8::1"],"transport":{"by":"https","path":"/q"}"#), Ok(()));
        for bad in [
            r#""addresses":["192.0.2.1"],"transport":{"by":"udp"}"#,
            r#""addresses":[],"transport":{"by":"tls"}"#,
            r#""addresses":["0.0.0.0"],"transport":{"by":"tls"}"#,
            r#""addresses":["ff02::fb"],"transport":{"by":"tls"}"#,
            r#""addresses":["192.0.2.1"],"transport":{"by":"tls","port":0}"#,
            r#""addresses":["192.0.2.1"],"transport":{"by":"tls","port":53}"#,
            r#""addresses":["192.0.2.1"],"transport":{"by":"https","port":53}"#,
            r#""addresses":["192.0.2.1"],"transport":{"by":"https","path":"q"}"#,
            r#""addresses":["192.0.2.1"]"#,
        ] {
            assert!(upstream(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_end() {
        let name: Domain = "a.example".parse().unwrap();
        let upstream = Upstream {
            server_name: name.clone(),
            addresses: vec![[192, 0, 2, 1].into()],
            transport: Transport::Tls { port: None },
        };
        let with = |upstreams, names, servers| NetworkSettings {
            resolver: ResolverSettings {
                upstreams: vec![upstream.clone(); upstreams],
                private_names: vec!["a.example".parse().unwrap(); names],
                ..ResolverSettings::default()
            },
            time: TimeSettings {
                servers: vec![TimeServer { name: name.clone(), authenticated: true }; servers],
            },
            ..NetworkSettings::default()
        };
        assert_eq!(with(8, 16, 16).check(), Ok(()));
        let too_many = |of, count, most| Err(InvalidSettings::TooMany { of, count, most });
        assert_eq!(with(9, 0, 0).check(), too_many(List::Upstreams, 9, 8));
        assert_eq!(with(0, 17, 0).check(), too_many(List::PrivateNames, 17, 16));
        assert_eq!(with(0, 0, 17).check(), too_many(List::TimeServers, 17, 16));
    }
}
