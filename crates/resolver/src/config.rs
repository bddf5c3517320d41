//! What the owner may set: who is asked, and how much the resolver may hold.

use crate::cache::CacheLimits;
use crate::reply::TtlBounds;
use crate::view::Pattern;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;

/// The port of plaintext DNS: an upstream there is refused.
pub(crate) const PLAINTEXT_PORT: u16 = 53;
/// DNS over TLS (RFC 7858 section 3.1).
pub const TLS_PORT: u16 = 853;
/// DNS over HTTPS (RFC 8484).
pub const HTTPS_PORT: u16 = 443;
/// Upstreams an owner may list.
pub const MAX_UPSTREAMS: usize = 8;

/// How an upstream is spoken to. There is no variant without TLS, so none can be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over HTTPS (RFC 8484), HTTP/2.
    Https {
        /// Path of the resource, such as `/dns-query`.
        path: String,
    },
}

/// A resolver on the internet that the box asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What the owner calls it.
    pub name: String,
    /// Where it is, best first.
    pub addresses: Vec<IpAddr>,
    /// TCP port.
    pub port: u16,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The name (or address) its certificate must bear.
    pub server_name: String,
}

/// What is wrong with an upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No address, or more than 16.
    #[error("upstream {name:?} needs one to sixteen addresses")]
    Addresses {
        /// Which upstream.
        name: String,
    },
    /// Port 53 or 0.
    #[error("upstream {name:?} cannot be on port {port}")]
    Port {
        /// Which upstream.
        name: String,
        /// The port.
        port: u16,
    },
    /// Neither a host name nor an address.
    #[error("upstream {name:?} cannot have a certificate for {server_name:?}")]
    ServerName {
        /// Which upstream.
        name: String,
        /// The name.
        server_name: String,
    },
    /// Not an absolute path of visible ASCII.
    #[error("upstream {name:?} cannot have the path {path:?}")]
    Path {
        /// Which upstream.
        name: String,
        /// The path.
        path: String,
    },
    /// More than [`MAX_UPSTREAMS`].
    #[error("{count} upstreams are too many")]
    Count {
        /// How many.
        count: usize,
    },
}

impl Upstream {
    /// Quad9, then Cloudflare: what a box asks until its owner says otherwise.
    pub fn defaults() -> Vec<Self> {
        let quad9 = [
            IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)),
            IpAddr::V4(Ipv4Addr::new(149, 112, 112, 112)),
            IpAddr::V6(Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 0xfe)),
        ];
        let cloudflare = [
            IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
            IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111)),
        ];
        vec![
            Self::over_tls("Quad9", &quad9, "dns.quad9.net"),
            Self::over_tls("Cloudflare", &cloudflare, "cloudflare-dns.com"),
        ]
    }

    fn over_tls(name: &str, addresses: &[IpAddr], server_name: &str) -> Self {
        Self {
            name: name.to_owned(),
            addresses: addresses.to_vec(),
            port: TLS_PORT,
            protocol: Protocol::Tls,
            server_name: server_name.to_owned(),
        }
    }

    pub(crate) fn sockets(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().map(|&address| SocketAddr::new(address, self.port))
    }

    /// The name its certificate must bear, when everything about the upstream makes sense.
    pub(crate) fn check(&self) -> Result<ServerName<'static>, UpstreamError> {
        let name = || self.name.clone();
        if self.addresses.is_empty() || self.addresses.len() > 16 {
            return Err(UpstreamError::Addresses { name: name() });
        }
        if self.port == 0 || self.port == PLAINTEXT_PORT {
            return Err(UpstreamError::Port { name: name(), port: self.port });
        }
        if let Protocol::Https { path } = &self.protocol
            && !(path.starts_with('/')
                && path.len() <= 256
                && path.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(UpstreamError::Path { name: name(), path: path.clone() });
        }
        ServerName::try_from(self.server_name.clone()).map_err(|_invalid| UpstreamError::ServerName {
            name: name(),
            server_name: self.server_name.clone(),
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls => f.write_str("DNS over TLS"),
            Self::Https { .. } => f.write_str("DNS over HTTPS"),
        }
    }
}

/// How long anything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// One try with one upstream, from connecting to the answer.
    pub one_try: Duration,
    /// A client's question, with all that proving the answer takes.
    pub whole_question: Duration,
    /// A connection to an upstream without questions is closed after this.
    pub idle_upstream: Duration,
    /// A failing upstream is left alone for this at first, doubling to [`Timing::longest_rest`].
    pub first_rest: Duration,
    /// See [`Timing::first_rest`].
    pub longest_rest: Duration,
    /// A client's connection without questions is closed after this.
    pub idle_client: Duration,
    /// What the observer of answers, or multicast DNS, may take.
    pub helper: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            one_try: Duration::from_millis(2500),
            whole_question: Duration::from_secs(8),
            idle_upstream: Duration::from_secs(20),
            first_rest: Duration::from_secs(5),
            longest_rest: Duration::from_mins(5),
            idle_client: Duration::from_secs(20),
            helper: Duration::from_secs(3),
        }
    }
}

/// How much may be going on at once, and be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Questions waiting for an upstream, an observer or multicast DNS.
    pub questions: usize,
    /// The same of one client.
    pub questions_per_client: usize,
    /// Of these, those that wait for multicast DNS. Each is two questions to the home network, of which `mdns` takes 128; the box
    /// itself has to find names too.
    pub multicast: usize,
    /// The same of one client: a name that nobody has holds its place for seconds.
    pub multicast_per_client: usize,
    /// Connections of clients (TCP and TLS).
    pub connections: usize,
    /// The same of one client.
    pub connections_per_client: usize,
    /// Answers that are kept.
    pub cache: CacheLimits,
    /// Keys and delegations that are kept for proving answers.
    pub chain_cache: CacheLimits,
    /// Times to live of positive answers.
    pub positive_ttl: TtlBounds,
    /// Times to live of "there is none".
    pub negative_ttl: TtlBounds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            questions: 256,
            questions_per_client: 64,
            multicast: 48,
            multicast_per_client: 8,
            connections: 64,
            connections_per_client: 8,
            cache: CacheLimits { entries: 4096, bytes: 1 << 20 },
            chain_cache: CacheLimits { entries: 512, bytes: 384 << 10 },
            positive_ttl: TtlBounds { min: 5, max: 86_400 },
            negative_ttl: TtlBounds { min: 5, max: 3600 },
        }
    }
}

/// Everything the owner may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who is asked, best first. Empty: nobody, every public name fails.
    pub upstreams: Vec<Upstream>,
    /// Issuers whose certificates upstreams may bear beside the public ones: an owner's own resolver.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Names that may have addresses inside the home.
    pub rebinding_allowed: Vec<Pattern>,
}

impl Settings {
    /// Whether a resolver takes these upstreams. Whoever keeps settings asks this first: a resolver does not start with others.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), UpstreamError> {
        if self.upstreams.len() > MAX_UPSTREAMS {
            return Err(UpstreamError::Count { count: self.upstreams.len() });
        }
        self.upstreams.iter().try_for_each(|upstream| upstream.check().map(drop))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { upstreams: Upstream::defaults(), extra_roots: Vec::new(), rebinding_allowed: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_encrypted_and_valid() {
        let upstreams = Upstream::defaults();
        assert_eq!(
            upstreams.iter().map(|upstream| &*upstream.name).collect::<Vec<_>>(),
            ["Quad9", "Cloudflare"]
        );
        for upstream in &upstreams {
            upstream.check().unwrap();
            assert_eq!((&upstream.protocol, upstream.port), (&Protocol::Tls, TLS_PORT));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let good = || Upstream::defaults().remove(0);
        let with = |change: &dyn Fn(&mut Upstream)| {
            let mut upstream = good();
            change(&mut upstream);
            upstream.check().map(|_| ())
        };
        assert!(matches!(with(&|u| u.port = 53), Err(UpstreamError::Port { .. })));
        assert!(matches!(with(&|u| u.port = 0), Err(UpstreamError::Port { .. })));
        assert!(matches!(with(&|u| u.addresses.clear()), Err(UpstreamError::Addresses { .. })));
        assert!(matches!(with(&|u| u.server_name = "no name".into()), Err(UpstreamError::ServerName { .. })));
        let path = |path: &str| Protocol::Https { path: path.to_owned() };
        assert!(matches!(with(&|u| u.protocol = path("dns-query")), Err(UpstreamError::Path { .. })));
        assert!(matches!(with(&|u| u.protocol = path("/a\r\nb")), Err(UpstreamError::Path { .. })));
        with(&|u| u.protocol = path("/dns-query")).unwrap();
    }

    #[test]
    fn settings_are_checked_as_a_whole() {
        let of = |upstreams| Settings { upstreams, ..Settings::default() };
        let good = Upstream::defaults().remove(0);
        of(vec![good.clone(); MAX_UPSTREAMS]).check().unwrap();
        assert_eq!(
            of(vec![good.clone(); MAX_UPSTREAMS + 1]).check(),
            Err(UpstreamError::Count { count: MAX_UPSTREAMS + 1 })
        );
        let bad = Upstream { server_name: "a.1".to_owned(), ..good.clone() };
        assert!(matches!(of(vec![good, bad]).check(), Err(UpstreamError::ServerName { .. })));
    }
}
