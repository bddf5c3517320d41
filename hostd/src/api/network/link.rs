//! Links: the summary that netd always shows, and with it everything that is known of a link where netd reports it.

use super::schema;
use model::network::link_report::AddressOrigin;
use model::network::link_report::GatewayReport;
use model::network::link_report::LinkKind;
use model::network::link_report::LinkReport;
use model::network::link_report::LinkState;
use serde::Serialize;

/// A link.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Link {
    /// Kernel name.
    name: String,
    /// `ethernet`, `wifi` or `other`.
    kind: &'static str,
    /// Hardware address.
    mac: Option<String>,
    /// `up`, `down` or `no-carrier`.
    state: String,
    /// Addresses with prefix length.
    #[schema(example = json!(["10.0.2.15/24"]))]
    addresses: Vec<String>,
    /// Default gateway.
    gateway: Option<String>,
    /// When the DHCP lease ends, in seconds since 1970 by the box's clock.
    lease_expires_unix: Option<u64>,
    /// Everything that is known of it; none while the network service does not say.
    #[schema(value_type = Option<schema::LinkReport>)]
    report: Option<LinkReport>,
}

/// The links that netd shows, in its order, each with its report; then those that are only reported.
pub(crate) fn links(shown: Vec<hostapi::net1::Link>, mut reports: Vec<LinkReport>) -> Vec<Link> {
    let mut links: Vec<Link> = shown
        .into_iter()
        .map(|link| match reports.iter().position(|report| report.name == link.name) {
            // The report was made later.
            Some(at) => Link::from(reports.remove(at)),
            None => Link::from(link),
        })
        .collect();
    links.extend(reports.into_iter().map(Link::from));
    links
}

impl From<LinkReport> for Link {
    fn from(report: LinkReport) -> Self {
        let lent = report.addresses.iter().find(|address| address.origin == AddressOrigin::Dhcp);
        Self {
            name: report.name.clone(),
            kind: match report.kind {
                LinkKind::Ethernet => "ethernet",
            },
            mac: Some(report.mac.clone()).filter(|mac| !mac.is_empty()),
            state: match report.state {
                LinkState::Up => "up",
                LinkState::Down => "down",
                LinkState::NoCarrier => "no-carrier",
            }
            .to_owned(),
            addresses: report
                .addresses
                .iter()
                .map(|address| format!("{}/{}", address.address, address.prefix))
                .collect(),
            gateway: gateway(&report.gateways).map(|gateway| gateway.address.to_string()),
            lease_expires_unix: lent.and_then(|address| address.valid_until_unix),
            report: Some(report),
        }
    }
}

/// The best one for IPv4, else the best one for IPv6, as netd's summary has it.
fn gateway(gateways: &[GatewayReport]) -> Option<&GatewayReport> {
    gateways.iter().find(|gateway| gateway.address.is_ipv4()).or_else(|| gateways.first())
}

impl From<hostapi::net1::Link> for Link {
    fn from(link: hostapi::net1::Link) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            kind: kind_of(&link.name),
            name: link.name,
            mac: some(link.mac),
            state: link.state,
            addresses: link.addresses,
            gateway: some(link.gateway),
            lease_expires_unix: Some(link.lease_expires_unix).filter(|&expires| expires > 0),
            report: None,
        }
    }
}

/// The kernel and udev begin names of Ethernet links with `e` and of wireless ones with `wl`.
fn kind_of(name: &str) -> &'static str {
    match name {
        _ if name.starts_with("wl") => "wifi",
        _ if name.starts_with('e') => "ethernet",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn shown(name: &str) -> hostapi::net1::Link {
        hostapi::net1::Link {
            name: name.to_owned(),
            state: "down".to_owned(),
            ..hostapi::net1::Link::default()
        }
    }

    fn reported(name: &str) -> LinkReport {
        LinkReport {
            name: name.to_owned(),
            kind: LinkKind::Ethernet,
            mac: "52:54:00:12:34:56".to_owned(),
            state: LinkState::NoCarrier,
            speed_mbit: None,
            mtu: 1500,
            addresses: vec![],
            gateways: vec![],
            dns: vec![],
            ntp: vec![],
            domains: vec![],
            problems: vec![],
        }
    }

    #[test]
    fn a_report_replaces_the_summary_of_the_same_link_and_none_is_lost() {
        let links = links(vec![shown("wlan0"), shown("eth0")], vec![reported("eth1"), reported("eth0")]);
        let found: Vec<(&str, &str, bool)> = links
            .iter()
            .map(|link| (link.name.as_str(), link.state.as_str(), link.report.is_some()))
            .collect();
        assert_eq!(
            found,
            [("wlan0", "down", false), ("eth0", "no-carrier", true), ("eth1", "no-carrier", true)]
        );
    }

    #[test]
    fn of_the_gateways_the_summary_has_the_one_for_ipv4() {
        let way = |address: &str, metric| GatewayReport {
            address: address.parse::<IpAddr>().unwrap(),
            metric,
            answers: true,
        };
        let summary = |gateways| Link::from(LinkReport { gateways, ..reported("eth0") }).gateway;
        assert_eq!(summary(vec![way("fe80::1", 100), way("10.0.0.1", 200)]).as_deref(), Some("10.0.0.1"));
        assert_eq!(summary(vec![way("fe80::1", 100)]).as_deref(), Some("fe80::1"));
        assert_eq!(summary(vec![]), None);
    }
}
