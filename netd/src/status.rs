//! What others are shown: from netd's words to those of the bus. Pure.

use crate::ipv4;
use crate::link_report::mac_words;
use crate::moment::Moment;
use crate::observe::Kind;
use crate::observe::Link;
use crate::observe::Observed;
use crate::observe::Route;
use hostapi::net1;
use hostapi::net1::State;
use hostapi::net1::Status;
use std::net::IpAddr;
use std::time::Duration;

/// By how much the wall clock must differ from what it was to count as set anew.
const STEP: Duration = Duration::from_secs(2);

/// Wall-clock time at [`Moment::default`]; moved only when the clock was set, so that dates shown do not flutter.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    start: Duration,
}

impl WallClock {
    /// Takes note of the time since 1970 at a moment.
    pub fn observe(&mut self, unix: Duration, now: Moment) {
        let start = unix.saturating_sub(now.since(Moment::default()));
        if start.abs_diff(self.start) > STEP {
            self.start = start;
        }
    }

    pub(crate) fn unix_seconds(&self, moment: Moment) -> u64 {
        (self.start + moment.since(Moment::default())).as_secs()
    }
}

/// What is known besides the kernel's state.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// IPv4 addresses.
    pub ipv4: &'a ipv4::Views,
    /// The name announced.
    pub host_name: &'a str,
    /// What does not work, in plain words.
    pub reasons: &'a [String],
    /// For dates.
    pub wall: WallClock,
}

/// What the bus shows.
#[must_use]
pub fn status(observed: &Observed, context: Context<'_>) -> Status {
    let state = if context.reasons.is_empty() { State::Ready } else { State::Degraded };
    Status {
        links: observed.links.iter().filter_map(|link| shown(link, observed, context)).collect(),
        host_name: context.host_name.to_owned(),
        state,
        reasons: context.reasons.to_vec(),
        ..Status::default()
    }
}

fn shown(link: &Link, observed: &Observed, context: Context<'_>) -> Option<net1::Link> {
    let Kind::Ethernet { mac } = link.kind else {
        return None;
    };
    let state = match (link.is_up, link.has_carrier) {
        (false, _) => "down",
        (true, false) => "no-carrier",
        (true, true) => "up",
    };
    let view = context.ipv4.get(&link.index);
    let lease = view.and_then(|view| view.lease.as_ref());
    let gateway4 = view.and_then(ipv4::View::gateway).map(IpAddr::V4);
    let is_way_out = |route: &&Route| {
        route.index == link.index
            && route.destination.is_default()
            && route.gateway.is_some_and(|g| g.is_ipv6())
    };
    let gateway6 = observed.routes.iter().find(is_way_out).and_then(|route| route.gateway);
    let own = observed.addresses.iter().filter(|address| address.index == link.index);
    Some(net1::Link {
        name: link.name.clone(),
        mac: mac_words(mac),
        state: state.to_owned(),
        addresses: own.map(|own| format!("{}/{}", own.address, own.prefix)).collect(),
        gateway: gateway4.or(gateway6).map_or_else(String::new, |gateway| gateway.to_string()),
        lease_expires_unix: lease
            .and_then(|lease| lease.ends_at())
            .map_or(0, |end| context.wall.unix_seconds(end)),
    })
}

/// One line for PID 1.
#[must_use]
pub fn line(status: &Status) -> String {
    let links: Vec<String> = status.links.iter().map(words).collect();
    let links = if links.is_empty() { "no network link".to_owned() } else { links.join("; ") };
    let problems: String = status.reasons.iter().map(|reason| format!("; {reason}")).collect();
    format!("{links}; announced as {}.local{problems}", status.host_name)
}

fn words(link: &net1::Link) -> String {
    let name = &link.name;
    let is_link_local = |address: &&String| address.starts_with("fe80:");
    match link.state.as_str() {
        "up" => match link.addresses.iter().find(|address| !is_link_local(address)) {
            Some(address) => format!("{name} has {address}"),
            None => format!("{name} waits for an address"),
        },
        "no-carrier" => format!("{name} has no cable"),
        _ => format!("{name} is off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::lease::Lease;
    use crate::dhcp::lease::Network;
    use crate::dhcp::lease::Terms;
    use crate::dhcp::lease::Times;
    use crate::dhcp::lease::Via;
    use crate::observe::Address;
    use crate::observe::Dhcpv6Offer;
    use crate::observe::Maker;
    use crate::observe::RouteOrigin;
    use crate::observe::Subnet;
    use std::collections::BTreeMap;

    fn observed() -> Observed {
        let ethernet = Kind::Ethernet { mac: [0x52, 0x54, 0, 0xab, 2, 3] };
        let link = |index, name: &str, kind, is_up, has_carrier| Link {
            index,
            name: name.to_owned(),
            kind,
            is_up,
            has_carrier,
            mtu: 1500,
            speed: None,
            dhcpv6: Dhcpv6Offer::default(),
            knobs: BTreeMap::new(),
        };
        let address = |text: &str, prefix| Address {
            index: 2,
            address: text.parse().unwrap(),
            prefix,
            valid_for: None,
            maker: Maker::Unknown,
            is_duplicate: false,
        };
        let route = Route {
            index: 2,
            destination: Subnet::DEFAULT_6,
            gateway: Some("fe80::99".parse().unwrap()),
            metric: 1024,
            source: None,
            origin: RouteOrigin::RouterAdvertisement,
        };
        Observed {
            links: vec![
                link(1, "lo", Kind::Loopback, true, true),
                link(2, "eth0", ethernet, true, true),
                link(3, "eth1", ethernet, true, false),
                link(4, "eth2", ethernet, false, false),
                link(5, "br0", Kind::Other, true, true),
            ],
            addresses: vec![address("fe80::1", 64), address("10.0.0.5", 24)],
            routes: vec![route],
            ..Observed::default()
        }
    }

    fn leases() -> ipv4::Views {
        let terms = Terms {
            address: [10, 0, 0, 5].into(),
            prefix: 24,
            routes: vec![Via { destination: Network::DEFAULT, gateway: Some([10, 0, 0, 1].into()) }],
            dns: Vec::new(),
            domain: None,
            ntp: Vec::new(),
            mtu: None,
            times: Times::new(Duration::from_secs(100), None, None),
        };
        let lease = Lease { terms, server: [10, 0, 0, 1].into(), since: Moment::from_secs(7) };
        ipv4::Views::from([(2, ipv4::View { lease: Some(lease), ..ipv4::View::default() })])
    }

    fn shown(ipv4: &ipv4::Views, reasons: &[String]) -> Status {
        let mut wall = WallClock::default();
        wall.observe(Duration::from_secs(1_000_010), Moment::from_secs(10));
        status(&observed(), Context { ipv4, host_name: "hearth", reasons, wall })
    }

    #[test]
    fn ethernet_links_are_shown_with_all_that_is_known() {
        let status = shown(&leases(), &[]);
        assert_eq!(
            status.links[0],
            net1::Link {
                name: "eth0".to_owned(),
                mac: "52:54:00:ab:02:03".to_owned(),
                state: "up".to_owned(),
                addresses: vec!["fe80::1/64".to_owned(), "10.0.0.5/24".to_owned()],
                gateway: "10.0.0.1".to_owned(),
                lease_expires_unix: 1_000_107,
            }
        );
        let states: Vec<&str> = status.links.iter().map(|link| link.state.as_str()).collect();
        assert_eq!(states, ["up", "no-carrier", "down"]);
        assert_eq!(status.state, State::Ready);
    }

    #[test]
    fn without_a_lease_the_gateway_of_ipv6_is_shown() {
        let status = shown(&ipv4::Views::new(), &["eth1: refused".to_owned()]);
        assert_eq!((status.links[0].gateway.as_str(), status.links[0].lease_expires_unix), ("fe80::99", 0));
        assert_eq!(status.state, State::Degraded);
    }

    #[test]
    fn the_line_for_pid_1_says_it_in_words() {
        assert_eq!(
            line(&shown(&leases(), &[])),
            "eth0 has 10.0.0.5/24; eth1 has no cable; eth2 is off; announced as hearth.local"
        );
        assert_eq!(
            line(&Status { host_name: "a".to_owned(), ..Status::default() }),
            "no network link; announced as a.local"
        );
    }

    #[test]
    fn dates_move_only_when_the_clock_was_set() {
        let mut wall = WallClock::default();
        wall.observe(Duration::from_millis(5_000_000), Moment::from_secs(1000));
        let before = wall.unix_seconds(Moment::from_secs(2000));
        wall.observe(Duration::from_millis(5_101_900), Moment::from_secs(1100));
        assert_eq!(wall.unix_seconds(Moment::from_secs(2000)), before, "drift");
        wall.observe(Duration::from_secs(1_700_000_000), Moment::from_secs(1200));
        assert_eq!(wall.unix_seconds(Moment::from_secs(1200)), 1_700_000_000, "set");
    }
}
