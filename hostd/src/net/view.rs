//! What netd shows of the network, and what follows from it.

use crate::household::is_home_address;
use hostapi::net1::Link;
use model::names::HostName;
use model::network::app_policy::AppPolicy;
use model::network::settings::NetworkSettings;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What netd shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkView {
    /// The name announced now; empty while netd was never reached.
    pub host_name: String,
    /// Links in netd's order.
    pub links: Vec<Link>,
    /// What does not work, in plain words.
    pub reasons: Vec<String>,
    /// What the owner chose; none while netd was never reached.
    pub settings: Option<NetworkSettings>,
    /// Who may reach what; none while netd was never reached.
    pub app_policy: Option<AppPolicy>,
}

impl NetworkView {
    /// All addresses of the box.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.networks().map(|(address, _prefix)| address)
    }

    /// The name under which the box can be reached: the announced one when it is the chosen one or its replacement
    /// (`hearth-2` where another device has `hearth`), else the chosen one, which is about to be announced.
    #[must_use]
    pub fn reachable_name(&self, chosen: &HostName) -> HostName {
        let Ok(announced) = self.host_name.parse::<HostName>() else { return chosen.clone() };
        let replacement = announced
            .as_str()
            .strip_prefix(chosen.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|number| number.parse::<u16>().is_ok());
        if replacement { announced } else { chosen.clone() }
    }

    /// Both names, the chosen one first.
    #[must_use]
    pub fn names(&self, chosen: &HostName) -> Vec<HostName> {
        let names: BTreeSet<String> =
            [chosen.to_string(), self.reachable_name(chosen).to_string()].into_iter().collect();
        names.iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Whether somebody at this address is in the home network: at an address that exists in homes only, or at one of the
    /// networks of the box's own links, which with IPv6 are public ones.
    #[must_use]
    pub fn is_at_home(&self, somebody: IpAddr) -> bool {
        let somebody = somebody.to_canonical();
        is_home_address(somebody)
            || self.networks().any(|(address, prefix)| shares_prefix(address, prefix, somebody))
    }

    fn networks(&self) -> impl Iterator<Item = (IpAddr, u32)> + '_ {
        self.links.iter().flat_map(|link| &link.addresses).filter_map(|text| {
            let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
            let address: IpAddr = address.parse().ok()?;
            let whole = if address.is_ipv4() { 32 } else { 128 };
            Some((address, prefix.parse().unwrap_or(whole)))
        })
    }
}

/// A prefix of 0 bits is no network: nobody is at home because of it.
fn shares_prefix(address: IpAddr, prefix: u32, other: IpAddr) -> bool {
    match (address, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) if (1..=32).contains(&prefix) => {
            (one.to_bits() ^ other.to_bits()) >> (32 - prefix) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) if (1..=128).contains(&prefix) => {
            (one.to_bits() ^ other.to_bits()) >> (128 - prefix) == 0
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(host_name: &str, addresses: &[&str]) -> NetworkView {
        let link =
            Link { addresses: addresses.iter().map(|&text| text.to_owned()).collect(), ..Link::default() };
        NetworkView { host_name: host_name.to_owned(), links: vec![link], ..NetworkView::default() }
    }

    #[test]
    fn addresses_come_without_prefix_and_nonsense_is_left_out() {
        let found: Vec<IpAddr> = view("", &["10.0.2.15/24", "fe80::1/64", "x", ""]).addresses().collect();
        assert_eq!(found, ["10.0.2.15".parse::<IpAddr>().unwrap(), "fe80::1".parse().unwrap()]);
    }

    #[test]
    fn a_replacement_name_is_used_and_a_stale_one_is_not() {
        let chosen: HostName = "hearth".parse().unwrap();
        for (announced, reachable) in [
            ("", "hearth"),
            ("hearth", "hearth"),
            ("hearth-2", "hearth-2"),
            ("hearth-two", "hearth"),
            ("oak", "hearth"),
            ("Not A Name", "hearth"),
        ] {
            assert_eq!(view(announced, &[]).reachable_name(&chosen).as_str(), reachable, "{announced}");
        }
        assert_eq!(view("hearth-2", &[]).names(&chosen).len(), 2);
    }

    #[test]
    fn home_is_private_addresses_and_the_networks_of_the_links() {
        let view = view("", &["198.51.100.5/25", "2001:db8:1:2::5/64", "203.0.113.1/0", "2001:db8:9::1"]);
        for (somebody, at_home) in [
            ("192.168.7.7", true),
            ("fe80::7", true),
            ("::ffff:10.1.2.3", true),
            ("198.51.100.100", true),
            ("198.51.100.200", false),
            ("2001:db8:1:2:aaaa::1", true),
            ("2001:db8:1:3::1", false),
            ("203.0.113.9", false),
            ("2001:db8:9::1", true),
            ("2001:db8:9::2", false),
        ] {
            assert_eq!(view.is_at_home(somebody.parse().unwrap()), at_home, "{somebody}");
        }
    }
}
