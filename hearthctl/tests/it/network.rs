//! What is told of the network, and changing its settings.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;
use crate::snapshot::compare;
use hearthctl::answers::Policy;
use hearthctl::show;
use model::network::settings::NetworkSettings;
use serde_json::Value;
use std::process::ExitCode;

fn logged_in() -> (Household, Person) {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(home.login().iter().map(String::as_str), &["yes", PASSWORD]).well();
    (home, person)
}

fn settings(home: &Household) -> NetworkSettings {
    home.netd.status.borrow().settings.clone()
}

#[test]
fn the_network_is_told_in_words() {
    let (home, person) = logged_in();
    compare("network", &person.runs("network").well());
    compare("network-rules", &person.runs("network rules").well());
    compare("network-rules-counters", &person.runs("network rules --counters").well());
    compare("network-policy", &person.runs("network policy").well());
    home.netd.status.send_modify(|status| {
        let status = std::sync::Arc::make_mut(status);
        status.host_name = "hearth-2".to_owned();
        status.reasons = vec!["eth1 has no cable".to_owned()];
    });
    home.wait_until("the name shows", || home.app.network.borrow().host_name == "hearth-2");
    home.netd.rival("192.168.1.7".parse().unwrap());
    compare("network-rival", &person.runs("network").well());
}

#[test]
fn json_is_the_answer_of_the_box() {
    let (_home, person) = logged_in();
    let json = |line: &str| -> Value { serde_json::from_str(&person.runs(line).well()).unwrap() };
    assert_eq!(json("--json network")["links"][0]["name"], "eth0");
    assert_eq!(json("network rules --json")["loads"], 7);
    assert_eq!(json("network policy --json")["gateway_port"], 8443);
    assert_eq!(json("network settings get")["version"], 1);
}

#[test]
fn without_a_report_on_the_firewall_there_are_no_rules_in_either_form() {
    let (home, person) = logged_in();
    home.netd.report_nothing();
    for line in ["network rules", "--json network rules"] {
        let answered = person.runs(line);
        assert_eq!((answered.status, answered.printed.as_str()), (ExitCode::from(2), ""), "{line}");
        assert!(answered.failure().contains("does not say how its firewall is"), "{line}");
    }
}

#[test]
fn permissions_of_a_newer_box_are_shown_as_they_are() {
    let policy: Policy = serde_json::from_str(
        r#"{"version": 2, "more": 1, "workspaces": {"anna": {"colour": "red", "apps": {"notes": {
            "grants": [{"to": "lan"}, {"to": "printer", "at": "desk"}, {"to": "internet", "until": 9}],
            "serves": ["quic/443"], "speed": 3}}}}}"#,
    )
    .unwrap();
    compare("network-policy-newer", &show::policy(&policy));
}

#[test]
fn questions_are_answered_with_words_rules_and_exit_status() {
    let (_home, person) = logged_in();
    let ask = |from: &str, to: &str| person.pipes(["network", "policy", "--explain", from, to], "");
    compare("explain-yes", &ask("app:notes", "app:db tcp/5432").well());
    compare("explain-partly", &ask("app:notes", "internet").well());
    let no = ask("lan", "app:db");
    assert_eq!(no.status, ExitCode::from(1));
    compare("explain-no", &no.printed);
    let json = person.pipes(["--json", "network", "policy", "--explain", "lan", "app:db"], "");
    assert_eq!(json.status, ExitCode::from(1));
    assert_eq!(serde_json::from_str::<Value>(&json.printed).unwrap()["answer"], "no");
    assert!(ask("app:mail", "lan").failure().contains("There is no app mail."));
}

#[test]
fn a_change_is_on_trial_until_it_is_confirmed() {
    let (home, person) = logged_in();
    let mut wished = settings(&home);
    wished.resolver.serve_lan = true;
    let file = person.folder.path().join("network.json");
    std::fs::write(&file, serde_json::to_string(&wished).unwrap()).unwrap();
    let set = ["network", "settings", "set", file.to_str().unwrap()];
    compare("settings-on-trial", &person.pipes(set, "").well());
    assert_eq!(settings(&home), wished);
    assert!(person.runs("network").well().contains("on trial"));
    assert_eq!(person.runs("network settings confirm").well(), "The settings stay.\n");
    let nothing = person.runs("network settings confirm").failure();
    assert!(nothing.contains("There is no change to confirm"), "{nothing}");

    let before = person.runs("network settings get").well();
    let piped = person.pipes(["network", "settings", "set", "-", "--trial", "0"], r#"{"version": 1}"#);
    assert_eq!(piped.well(), "The settings are in force and stay.\n");
    assert_eq!(settings(&home), NetworkSettings::default());
    person.pipes(["network", "settings", "set", "-", "--trial", "0"], &before).well();
    assert_eq!(settings(&home), wished, "what was got can be set again");
}

#[test]
fn refused_settings_name_what_is_wrong_and_change_nothing() {
    let (home, person) = logged_in();
    let before = settings(&home);
    let set = |input: &str| person.pipes(["network", "settings", "set", "-"], input).failure();
    assert!(set("{").contains("not valid JSON"));
    assert!(set(r#"{"version": 1, "wifi": {}}"#).contains("(wifi)"));
    assert!(set(&"x".repeat(70_000)).contains("64 KiB"));
    assert!(person.runs("network settings set /nowhere.json").failure().contains("/nowhere.json"));
    let refused = set(r#"{"version": 1, "time": {"servers": [{"name": "refuse.example"}]}}"#);
    assert!(refused.contains("Nothing was changed."), "{refused}");
    assert_eq!(settings(&home), before);
}
