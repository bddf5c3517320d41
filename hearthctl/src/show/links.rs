//! Links with their addresses, where these come from, and what is wrong.

use super::table::table;
use crate::answers::Link;
use crate::answers::LinkAddress;
use crate::answers::LinkReport;
use std::net::IpAddr;

/// A row for each address and router; problems below all of them.
pub(super) fn links(links: &[Link]) -> String {
    let rows: Vec<Vec<String>> = links.iter().flat_map(rows).collect();
    let problems = links.iter().filter_map(|link| Some((&link.name, link.report.as_ref()?)));
    let problems = problems.flat_map(|(name, report)| {
        report.problems.iter().map(move |problem| format!("  ! {name}: {problem}\n"))
    });
    table(&rows) + &problems.collect::<String>()
}

/// The first one begins with the link's name and state.
fn rows(link: &Link) -> Vec<Vec<String>> {
    let mut facts = link.report.as_ref().map_or_else(|| summary(link), facts).into_iter();
    let first = facts.next().unwrap_or_default();
    let head = vec![link.name.clone(), state(link)];
    let mut rows = vec![[head, first].concat()];
    rows.extend(facts.map(|fact| [vec![String::new(); 2], fact].concat()));
    rows
}

/// Of a box that tells no more.
fn summary(link: &Link) -> Vec<Vec<String>> {
    let addresses = link.addresses.iter().map(|address| vec![address.clone()]);
    addresses.chain(link.gateway.iter().map(|gateway| vec![format!("router {gateway}")])).collect()
}

fn facts(report: &LinkReport) -> Vec<Vec<String>> {
    let addresses = report
        .addresses
        .iter()
        .map(|own| vec![format!("{}/{}", own.address, own.prefix), origin(own).to_owned()]);
    let gateways = report.gateways.iter().map(|gateway| {
        let answers = if gateway.answers { "answers" } else { "does not answer" };
        vec![format!("router {}", gateway.address), answers.to_owned()]
    });
    let mut facts: Vec<Vec<String>> = addresses.chain(gateways).collect();
    if !report.dns.is_empty() {
        let servers: Vec<String> = report.dns.iter().map(ToString::to_string).collect();
        let words = "offered, not used: the box asks encrypted servers".to_owned();
        facts.push(vec![format!("name servers {}", servers.join(", ")), words]);
    }
    facts
}

fn origin(own: &LinkAddress) -> &str {
    match (own.origin.as_str(), own.address) {
        ("dhcp", _) => "from the router (DHCP)",
        ("static", _) => "fixed",
        ("slaac", _) => "made from router announcements",
        ("dhcpv6", _) => "from DHCPv6",
        ("link-local", IpAddr::V4(_)) => "made up by the box: no DHCP server answers",
        ("link-local", IpAddr::V6(_)) => "made up by the box, for this cable only",
        ("unknown", _) => "not known from where",
        (other, _) => other,
    }
}

fn state(link: &Link) -> String {
    let is_radio = link.kind == "wifi";
    let state = match (link.state.as_str(), is_reachable(link)) {
        ("up", true) => "connected",
        ("up", false) => "waits for an address",
        ("no-carrier", _) if is_radio => "not connected",
        ("no-carrier", _) => "no cable",
        ("down", _) => "switched off",
        (other, _) => other,
    };
    match link.report.as_ref().and_then(|report| report.speed_mbit).filter(|_| link.state == "up") {
        Some(speed) => format!("{state}, {speed} Mbit/s"),
        None => state.to_owned(),
    }
}

/// Whether it has an address that more than its own cable knows.
fn is_reachable(link: &Link) -> bool {
    match &link.report {
        Some(report) => report.addresses.iter().any(|own| own.origin != "link-local"),
        None => !link.addresses.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        links(&[serde_json::from_str(text).unwrap()])
    }

    #[test]
    fn a_box_that_tells_no_more_than_a_summary_is_understood() {
        let words = told(
            r#"{"name": "eth0", "state": "up", "addresses": ["10.0.2.15/24", "fe80::1/64"], "gateway": "10.0.2.2"}"#,
        );
        assert_eq!(
            words,
            "  eth0  connected  10.0.2.15/24\n                   fe80::1/64\n                   router 10.0.2.2\n"
        );
        let empty =
            r#"{"name": "wlan0", "kind": "wifi", "state": "no-carrier", "addresses": [], "gateway": null}"#;
        assert_eq!(told(empty), "  wlan0  not connected\n");
    }

    #[test]
    fn an_origin_of_the_future_stands_for_itself_and_a_made_up_address_is_none() {
        let report = |origin: &str| {
            told(&format!(
                r#"{{"name": "eth0", "state": "up", "addresses": [], "gateway": null, "report": {{"more": 1,
                    "addresses": [{{"address": "169.254.1.2", "prefix": 16, "origin": "{origin}", "more": 1}}]}}}}"#
            ))
        };
        assert_eq!(report("mesh"), "  eth0  connected  169.254.1.2/16  mesh\n");
        assert!(report("link-local").contains("waits for an address"));
    }
}
