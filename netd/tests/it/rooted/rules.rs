//! The compiled rules, loaded by netd's own batch and, as text, by nft(8): the kernel holds the same.

use crate::rooted::lab::Namespace;
use model::network::app_policy::AppPolicy;
use model::network::names::AppKey;
use netd::apps::addressing::Place;
use netd::apps::addressing::Prefix6;
use netd::firewall::compile::compile;
use netd::firewall::filter::AddressChange;
use netd::firewall::filter::PacketFilter;
use netd::firewall::filter::Reachable;
use netd::firewall::kernel::KernelFilter;
use netd::firewall::learned::Learned;
use netd::firewall::permission::Mark;
use netd::firewall::permission::permissions;
use netd::firewall::situation::Home;
use netd::firewall::situation::Situation;
use netd::moment::Moment;
use netlink::nft::InterfaceName;
use netlink::nft::Ruleset;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

fn rules(policy: &str) -> Ruleset {
    let policy: AppPolicy = serde_json::from_str(policy).unwrap();
    policy.check().unwrap();
    let permissions = permissions(&policy, true);
    let places: BTreeMap<AppKey, Place> = policy
        .apps()
        .enumerate()
        .map(|(number, (_, app, _))| {
            (app.clone(), Place { workspace: 1, app: u8::try_from(number + 2).unwrap() })
        })
        .collect();
    let home = Home {
        links: ["eth0".to_owned(), "eth1".to_owned()].into(),
        networks4: [([100, 100, 0, 0].into(), 16)].into(),
        networks6: [("2001:db8:1::".parse().unwrap(), 64)].into(),
        own_network: None,
    };
    compile(&Situation {
        permissions: &permissions,
        places: &places,
        home: &home,
        prefix6: Prefix6::from_random([1, 2, 3, 4, 5]),
        learned: &Learned::default(),
        now: Moment::from_secs(0),
    })
    .unwrap()
}

/// What the kernel holds, without the numbers it gave and in an order that does not depend on its hash tables.
fn listed(namespace: &Namespace) -> Value {
    let output = namespace.command("nft").args(["-j", "list", "ruleset"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut value: Value = serde_json::from_slice(&output.stdout).unwrap();
    normalise(&mut value);
    value
}

fn normalise(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for transient in ["handle", "metainfo"] {
                fields.remove(transient);
            }
            for (name, field) in fields.iter_mut() {
                normalise(field);
                if let (true, Value::Array(elements)) = (name == "elem" || name == "set", field) {
                    elements.sort_by_key(ToString::to_string);
                }
            }
        }
        Value::Array(values) => {
            values.retain(|value| value.get("metainfo").is_none());
            values.iter_mut().for_each(normalise);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_kernel_holds_what_was_planned() {
    let every_kind = r#"{"version":1,"gateway_port":8443,"workspaces":{"ann":{"apps":{
        "db":{"grants":[{"to":"domains","names":["*.example.com","example.org"]}]},
        "web":{"grants":[{"to":"lan"},{"to":"internet"},{"to":"mesh"},{"to":"app","app":"db","port":"tcp/5432"},
                         {"to":"inbound","box_port":"udp/9000","app_port":90}],"serves":["tcp/8080"]}}}}}"#;
    for policy in [r#"{"version":1,"workspaces":{}}"#, every_kind] {
        let rules = rules(policy);
        let (by_batch, by_nft) = (Namespace::new("batch"), Namespace::new("nft"));
        let planned = rules.clone();
        by_batch.thread(move || KernelFilter::open().unwrap().replace(&planned).unwrap()).join().unwrap();
        let mut nft = by_nft.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(rules.to_string().as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success());
        pretty(&listed(&by_batch), &listed(&by_nft));
    }
}

/// netd knows by the number whether somebody else changed rules.
#[test]
fn every_change_counts_for_one_and_takes_out_what_may_not_be_there() {
    let rules = rules(
        r#"{"version":1,"workspaces":{"ann":{"apps":{
        "a":{"grants":[{"to":"domains","names":["example.org"]}]}}}}}"#,
    );
    let at = |text: &str| text.parse::<IpAddr>().unwrap();
    let namespace = Namespace::new("numbers");
    let work = move || {
        let mut filter = KernelFilter::open().unwrap();
        let link = InterfaceName::new("ha1-2").unwrap();
        let reach = |address: &str, mark: u32| Reachable {
            link: link.clone(),
            address: at(address),
            mark: Mark(mark),
            left: Duration::from_secs(60),
        };
        let mut numbers = vec![filter.generation().unwrap()];
        for _ in 0..2 {
            filter.replace(&rules).unwrap();
            numbers.push(filter.generation().unwrap());
        }
        let kept = [reach("9.9.9.9", 2), reach("2620:fe::9", 1)];
        let gone = ["9.9.9.1", "9.9.9.2"].map(|address| (link.clone(), at(address)));
        for change in [
            AddressChange { put: vec![reach("9.9.9.1", 1), reach("9.9.9.9", 1)], gone: Vec::new() },
            // One is there with another mark, one is there, one never was.
            AddressChange { put: kept.to_vec(), gone: gone.into() },
        ] {
            filter.put(&change).unwrap();
            numbers.push(filter.generation().unwrap());
        }
        let mut left = filter.reachable().unwrap();
        for (found, kept) in left.iter_mut().zip(&kept) {
            assert!(found.left > Duration::ZERO && found.left <= kept.left, "{found:?}");
            found.left = kept.left;
        }
        assert_eq!(left, kept);
        numbers
    };
    let numbers = namespace.thread(work).join().unwrap();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

fn pretty(batch: &Value, nft: &Value) {
    let lines = |value: &Value| {
        let all = value["nftables"].as_array().unwrap();
        let mut lines: Vec<String> = all.iter().map(ToString::to_string).collect();
        lines.sort();
        lines
    };
    let (batch, nft) = (lines(batch), lines(nft));
    assert!(batch.len() > 20, "{batch:?}");
    for (ours, theirs) in batch.iter().zip(&nft) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(batch.len(), nft.len());
}
