//! A home network with something of everything, for tests and snapshots.

use hostapi::net1::Link;
use hostapi::net1::Status;
use model::network::app_policy::AppPolicy;
use model::network::report::NetworkReport;
use model::network::settings::NetworkSettings;
use serde::de::DeserializeOwned;

pub(super) fn status() -> Status {
    let cable = Link {
        name: "eth0".to_owned(),
        mac: "52:54:00:12:34:56".to_owned(),
        state: "up".to_owned(),
        // The loop-back address is how tests reach the box; a certificate may vouch for it.
        addresses: vec![
            "127.0.0.1/8".to_owned(),
            "192.168.1.5/24".to_owned(),
            "fe80::5054:ff:fe12:3456/64".to_owned(),
        ],
        gateway: "192.168.1.1".to_owned(),
        lease_expires_unix: 0,
    };
    let spare = Link { name: "eth1".to_owned(), state: "no-carrier".to_owned(), ..Link::default() };
    let lonely = Link {
        name: "eth2".to_owned(),
        mac: "52:54:00:12:34:58".to_owned(),
        state: "up".to_owned(),
        addresses: vec!["169.254.7.9/16".to_owned()],
        ..Link::default()
    };
    Status {
        links: vec![cable, spare, lonely],
        host_name: "hearth".to_owned(),
        settings: settings(),
        app_policy: policy(),
        ..Status::default()
    }
}

fn settings() -> NetworkSettings {
    read(
        r#"{"version": 1, "links": [{"matching": {"mac": "52:54:00:12:34:57"},
            "ipv4": {"static": {"addresses": ["192.168.7.2/24"], "gateway": "192.168.7.1"}}, "ipv6": "off", "mtu": 1400, "metric": 200}],
            "resolver": {"upstreams": [
            {"server_name": "dns.example.org", "addresses": ["192.0.2.1", "2001:db8::1"], "transport": {"by": "tls"}},
            {"server_name": "doh.example.net", "addresses": ["192.0.2.2"],
             "transport": {"by": "https", "port": 8443, "path": "/q"}}],
            "serve_lan": false, "private_names": ["*.home.example"]},
            "time": {"servers": [{"name": "time.example.org", "authenticated": true}]}}"#,
    )
}

fn policy() -> AppPolicy {
    read(
        r#"{"version": 1, "gateway_port": 8443, "workspaces": {"anna": {"apps": {
            "db": {"grants": [], "serves": ["tcp/8080"]},
            "notes": {"grants": [{"to": "lan"}, {"to": "internet"}, {"to": "domains", "names": ["*.example.org", "example.com"]},
                {"to": "mesh"}, {"to": "inbound", "box_port": "tcp/8022", "app_port": 22},
                {"to": "app", "app": "db", "port": "tcp/5432"}], "serves": []}}}}}"#,
    )
}

pub(super) fn report() -> NetworkReport {
    read(
        r#"{"reasons": [], "links": [
            {"name": "eth0", "kind": "ethernet", "mac": "52:54:00:12:34:56", "state": "up", "speed_mbit": 1000, "mtu": 1500,
             "addresses": [
                {"address": "192.168.1.5", "prefix": 24, "origin": "dhcp", "valid_until_unix": 1900000000},
                {"address": "2001:db8:7::5054:ff:fe12:3456", "prefix": 64, "origin": "slaac", "valid_until_unix": 1900000060},
                {"address": "fe80::5054:ff:fe12:3456", "prefix": 64, "origin": "link-local", "valid_until_unix": null}],
             "gateways": [{"address": "192.168.1.1", "metric": 1002, "answers": true}, {"address": "fe80::1", "metric": 1026, "answers": false}],
             "dns": ["192.168.1.1"], "ntp": ["time.home.example"], "domains": ["home.example"], "problems": []},
            {"name": "eth1", "kind": "ethernet", "mac": "52:54:00:12:34:57", "state": "no-carrier", "speed_mbit": null, "mtu": 1400,
             "addresses": [], "gateways": [], "dns": [], "ntp": [], "domains": [], "problems": []},
            {"name": "eth2", "kind": "ethernet", "mac": "52:54:00:12:34:58", "state": "up", "speed_mbit": 100, "mtu": 1500,
             "addresses": [{"address": "169.254.7.9", "prefix": 16, "origin": "link-local", "valid_until_unix": null}],
             "gateways": [], "dns": [], "ntp": [], "domains": [],
             "problems": ["no DHCP server answers; only devices on the same cable can be reached"]}],
        "name": {"wanted": "hearth", "announced": "hearth", "rival": null},
        "resolver": {"upstreams": [
            {"name": "dns.example.org", "transport": "tls", "problem": null, "queries": 1830, "failures": 2},
            {"name": "doh.example.net", "transport": "https", "problem": "it did not answer within 5 s", "queries": 12, "failures": 12}],
            "serves_lan": false, "queries": 4210, "cache_hits": 2368, "refused": 3, "rebinding_blocked": 1, "bogus": 0, "failed": 2},
        "time": {"synchronised": true, "authenticated": true, "offset_us": -812, "age_seconds": 94,
            "sources": [{"name": "time.example.org", "authenticated": true, "state": "in use"}], "reason": null},
        "firewall": {"in_force": true, "problem": null, "loads": 7, "rules": [
            {"name": "box to anywhere", "words": "the box may connect to the home network and the Internet", "allows": true, "packets": 90412, "bytes": 8120441},
            {"name": "lan to box console", "words": "the home network may open the console of the box", "allows": true, "packets": 318, "bytes": 19080},
            {"name": "app notes to box names", "words": "notes may ask the box for names", "allows": true, "packets": 77, "bytes": 5313},
            {"name": "box to app db tcp/8080", "words": "the box may reach db at tcp/8080", "allows": true, "packets": 9, "bytes": 540},
            {"name": "app notes to *.example.org", "words": "notes may reach *.example.org in the Internet", "allows": true, "packets": 41, "bytes": 2460},
            {"name": "lan to app notes tcp/8022 as 22", "words": "the home network may reach notes (its port 22) at tcp/8022 of the box", "allows": true, "packets": 0, "bytes": 0},
            {"name": "app notes to app db tcp/5432", "words": "notes may reach db at tcp/5432", "allows": true, "packets": 12, "bytes": 720},
            {"name": "refused: app out", "words": "apps reach nothing but what was granted", "allows": false, "packets": 5, "bytes": 300},
            {"name": "refused: app in", "words": "apps are reached by nothing but what was granted", "allows": false, "packets": 0, "bytes": 0},
            {"name": "refused: box closed", "words": "the box answers only what it serves, and only the home network", "allows": false, "packets": 1733, "bytes": 104210}]},
        "apps": [
            {"app": "db", "workspace": "anna", "ipv4": "198.18.0.2", "ipv6": "fd5a:1b2c:3d4e::2", "link": "ha0-2"},
            {"app": "notes", "workspace": "anna", "ipv4": "198.18.0.3", "ipv6": "fd5a:1b2c:3d4e::6", "link": "ha0-3"}],
        "trial_seconds_left": null}"#,
    )
}

/// # Panics
///
/// When the example is no document.
fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("the example is no document: {error}"))
}
