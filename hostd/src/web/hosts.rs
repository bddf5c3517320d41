//! Which host names in requests mean this box.

use crate::household::is_home_address;
use model::names::HostName;
use std::net::IpAddr;

/// Names and addresses of the box.
#[derive(Clone, Debug)]
pub struct Names {
    hosts: Vec<HostName>,
    addresses: Vec<IpAddr>,
}

impl Names {
    /// The box's names (the chosen one first) and addresses.
    #[must_use]
    pub fn new(hosts: Vec<HostName>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { hosts, addresses: addresses.into_iter().collect() }
    }

    /// The host of a `Host` header without its port, when it means this box; a bare name comes back with `.local`.
    ///
    /// Besides the box's own names and addresses that is any address that exists in homes only, and `localhost`: a box
    /// behind a port forwarding cannot know the address it is called by, and nobody can put a foreign site there.
    #[must_use]
    pub fn ours(&self, host: &str) -> Option<String> {
        let host = without_port(host)?.to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
        let is_ours = match bare.parse::<IpAddr>() {
            Ok(address) => is_home_address(address) || self.addresses.contains(&address.to_canonical()),
            Err(_not_an_address) => host == "localhost" || self.is_our_name(&host),
        };
        // The certificate cannot vouch for a bare name.
        let bare_name = self.hosts.iter().find(|name| name.as_str() == host);
        let address = bare_name.map_or_else(|| host.clone(), HostName::local);
        is_ours.then_some(address)
    }

    fn is_our_name(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.hosts.iter().any(|name| {
            let local = name.local();
            let below = host.strip_suffix(&local).and_then(|rest| rest.strip_suffix('.'));
            host == name.as_str()
                || host == local
                // One label below, as in the certificate.
                || below.is_some_and(|label| label.parse::<HostName>().is_ok())
        })
    }
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`; `None` when it is none of these.
fn without_port(text: &str) -> Option<&str> {
    let (host, port) = match text.rfind(':') {
        Some(at) if !text.ends_with(']') => (&text[..at], &text[at + 1..]),
        _ => (text, ""),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let valid = !host.is_empty()
        && (bracketed || !host.contains(':'))
        && port.len() <= 5
        && port.bytes().all(|b| b.is_ascii_digit());
    valid.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_and_home_addresses_are_ours_and_nothing_else_is() {
        let names = Names::new(vec!["oak".parse().unwrap()], ["2001:db8::7".parse().unwrap()]);
        for (host, ours) in [
            ("oak.local", Some("oak.local")),
            ("OAK.local:443", Some("oak.local")),
            ("oak", Some("oak.local")),
            ("oak.local.", Some("oak.local.")),
            ("app-1.oak.local", Some("app-1.oak.local")),
            ("localhost:8080", Some("localhost")),
            ("192.168.1.5:80", Some("192.168.1.5")),
            ("[fe80::1]:80", Some("[fe80::1]")),
            ("[2001:db8::7]", Some("[2001:db8::7]")),
            ("[2001:db8::8]", None),
            ("8.8.8.8", None),
            ("evil.example", None),
            ("oak.local.evil.example", None),
            ("evil.example/oak.local", None),
            ("a.b.oak.local", None),
            (".oak.local", None),
            ("notoak.local", None),
            ("oak.local:80x", None),
            ("oak.local@evil.example", None),
            ("", None),
            (":80", None),
            ("fe80::1", None),
        ] {
            assert_eq!(names.ours(host).as_deref(), ours, "{host}");
        }
    }
}
