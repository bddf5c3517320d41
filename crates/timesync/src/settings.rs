//! What the owner and the home network say about time servers.

use std::net::IpAddr;
use std::num::NonZeroU16;

/// Servers asked at most; further ones are not used.
pub const MOST_SERVERS: usize = 8;
/// Servers of the home network that are used at most.
const MOST_OFFERED: usize = 4;
/// Servers with NTS whose operators offer them to everybody, of three operators in three countries.
const BUILT_IN: [&str; 3] = ["time.cloudflare.com", "ptbtime1.ptb.de", "nts.netnod.se"];

/// What the owner chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSettings {
    /// Whether the clock is set from the network at all.
    pub enabled: bool,
    /// Servers; empty means the built-in ones, and those of the home network beside them.
    pub servers: Vec<Server>,
}

impl Default for TimeSettings {
    fn default() -> Self {
        Self { enabled: true, servers: Vec::new() }
    }
}

/// A time server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Its name, or its address as text.
    pub name: String,
    /// How it is asked.
    pub protocol: Protocol,
    /// Another port than the usual one: of the key exchange with NTS (4460), else of NTP (123).
    pub port: Option<NonZeroU16>,
    /// Who named it.
    pub origin: Origin,
}

/// Who named a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The owner, or this program.
    Chosen,
    /// The home network. Whoever answers DHCP names all of these, and may be all of them.
    Offered,
}

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Authenticated (RFC 8915).
    Nts,
    /// Anybody on the way can forge the answer.
    Plain,
}

impl Server {
    /// A server that proves who it is.
    #[must_use]
    pub fn nts(name: &str) -> Self {
        Self { name: name.to_owned(), protocol: Protocol::Nts, port: None, origin: Origin::Chosen }
    }

    /// A server that does not.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        Self { name: name.to_owned(), protocol: Protocol::Plain, port: None, origin: Origin::Chosen }
    }

    /// A server of the home network.
    #[must_use]
    pub fn offered(address: IpAddr) -> Self {
        Self { origin: Origin::Offered, ..Self::plain(&address.to_string()) }
    }
}

impl TimeSettings {
    /// The servers to ask. `offered` are those of the home network (DHCP option 42).
    #[must_use]
    pub fn effective(&self, offered: &[IpAddr]) -> Vec<Server> {
        if !self.enabled {
            return Vec::new();
        }
        if !self.servers.is_empty() {
            return distinct(self.servers.iter().cloned());
        }
        let offered = offered.iter().copied().take(MOST_OFFERED).map(Server::offered);
        distinct(BUILT_IN.into_iter().map(Server::nts).chain(offered))
    }
}

fn distinct(servers: impl Iterator<Item = Server>) -> Vec<Server> {
    let mut list: Vec<Server> = Vec::new();
    for server in servers {
        if list.len() < MOST_SERVERS && !list.contains(&server) {
            list.push(server);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owners_servers_count_alone() {
        let offered =
            ["192.0.2.1".parse().unwrap(), "192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let names = |settings: &TimeSettings| -> Vec<String> {
            settings.effective(&offered).into_iter().map(|server| server.name).collect()
        };
        let mut settings = TimeSettings::default();
        assert_eq!(
            names(&settings),
            ["time.cloudflare.com", "ptbtime1.ptb.de", "nts.netnod.se", "192.0.2.1", "2001:db8::1"]
        );
        settings.servers = vec![Server::plain("a.example"); 2];
        assert_eq!(names(&settings), ["a.example"]);
        settings.servers = (0..20).map(|number| Server::plain(&number.to_string())).collect();
        assert_eq!(names(&settings).len(), MOST_SERVERS);
        settings.enabled = false;
        assert!(names(&settings).is_empty());
    }

    #[test]
    fn what_the_home_network_offers_proves_nothing() {
        let address = "192.0.2.1".parse().unwrap();
        let servers = TimeSettings::default().effective(&[address]);
        let (offered, chosen): (Vec<_>, Vec<_>) =
            servers.into_iter().partition(|server| server.origin == Origin::Offered);
        assert_eq!(offered, [Server::offered(address)]);
        assert_eq!(offered[0].protocol, Protocol::Plain);
        assert!(chosen.iter().all(|server| server.protocol == Protocol::Nts));
    }
}
