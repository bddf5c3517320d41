use super::*;
use crate::apps::addressing::Place;
use crate::apps::addressing::Prefix6;
use crate::firewall::learned::Learned;
use crate::firewall::permission::permissions;
use crate::firewall::situation::Home;
use crate::moment::Moment;
use model::network::app_policy::AppPolicy;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::path::Path;

fn home() -> Home {
    Home {
        links: ["eth0".to_owned()].into(),
        networks4: [([192, 168, 1, 0].into(), 24)].into(),
        networks6: [("2001:db8:1::".parse().unwrap(), 64)].into(),
        own_network: None,
    }
}

fn rules(policy: &str, places: &[(&str, u16, u8)]) -> Ruleset {
    rules_at(&home(), policy, places)
}

fn rules_at(home: &Home, policy: &str, places: &[(&str, u16, u8)]) -> Ruleset {
    let policy: AppPolicy = serde_json::from_str(policy).unwrap();
    policy.check().unwrap();
    let permissions = permissions(&policy, true);
    let places: BTreeMap<AppKey, Place> = places
        .iter()
        .map(|(app, workspace, app_number)| {
            (app.parse().unwrap(), Place { workspace: *workspace, app: *app_number })
        })
        .collect();
    let mut learned = Learned::default();
    for permission in permissions.iter().filter(|permission| permission.to_string().ends_with("example.com"))
    {
        let at_home = "2001:db8:1::7";
        let addresses = ["9.9.9.9", "2620:fe::9", "192.168.1.7", at_home].map(|text| text.parse().unwrap());
        learned.note(permission, &addresses, Moment::from_secs(300));
    }
    compile(&Situation {
        permissions: &permissions,
        places: &places,
        home,
        prefix6: Prefix6::from_random([1, 2, 3, 4, 5]),
        learned: &learned,
        now: Moment::from_secs(0),
    })
    .unwrap()
}

/// The rules are read by people, in review and here; write the new text with `HEARTH_BLESS=1`.
fn assert_snapshot(name: &str, rules: &Ruleset) {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/firewall/compile/snapshots/{name}.nft"));
    let text = rules.to_string();
    if std::env::var_os("HEARTH_BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        text, checked_in,
        "the rules changed: run this test with HEARTH_BLESS=1 and review the difference"
    );
}

#[test]
fn a_box_without_apps() {
    assert_snapshot("no_apps", &rules(r#"{"version":1,"workspaces":{}}"#, &[]));
}

#[test]
fn every_kind_of_grant() {
    let policy = r#"{"version":1,"gateway_port":8443,"workspaces":{"ann":{"apps":{
        "db":{"grants":[{"to":"domains","names":["*.example.com"]}]},
        "web":{"grants":[{"to":"lan"},{"to":"internet"},{"to":"mesh"},{"to":"app","app":"db","port":"tcp/5432"},
                         {"to":"inbound","box_port":"udp/9000","app_port":90}],"serves":["tcp/8080"]},
        "off":{"grants":[{"to":"internet"}]}}}}}"#;
    assert_snapshot("grants", &rules(policy, &[("db", 1, 2), ("web", 1, 3)]));
}

/// Who comes there has no address yet, and asks for names; nobody else may.
#[test]
fn the_own_network_alone_asks_for_addresses_and_names() {
    let policy = r#"{"version":1,"workspaces":{}}"#;
    let opened = |home: &Home| {
        let text = rules_at(home, policy, &[]).to_string();
        text.lines().filter(|line| line.contains("wlan0") && line.contains("dport")).count()
    };
    assert_eq!(opened(&home()), 0);
    let own = Home { own_network: Some("wlan0".to_owned()), ..home() };
    let text = rules_at(&own, policy, &[]).to_string();
    assert_eq!(opened(&own), 2, "{text}");
}
