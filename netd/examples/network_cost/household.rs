//! A box with many apps: the policy, and where its apps would be.

use anyhow::Context;
use anyhow::Result;
use model::network::app_policy::AppPolicy;
use model::network::names::AppKey;
use netd::apps::addressing::Place;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// Apps of one person.
const WORKSPACE: usize = 10;

/// Key of an app.
pub(crate) fn key(number: usize) -> String {
    format!("app{number}")
}

/// So many apps, each with what apps tend to have: the gateway, a port for it, a link to a neighbour, every second the Internet, the
/// others two names in it, a few the home network or a port of the box. Further ports are served one for each app in turn.
pub(crate) fn policy(apps: usize, further_ports: usize) -> Result<AppPolicy> {
    let mut workspaces = BTreeMap::new();
    for first in (0..apps).step_by(WORKSPACE) {
        let last = (first + WORKSPACE).min(apps);
        let members: BTreeMap<String, Value> = (first..last)
            .map(|number| {
                let further =
                    (number..further_ports).step_by(apps).map(|port| format!("tcp/{}", 10_000 + port));
                let serves: Vec<String> = std::iter::once("tcp/8080".to_owned()).chain(further).collect();
                (key(number), json!({"grants": grants(number, last), "serves": serves}))
            })
            .collect();
        workspaces.insert(format!("person{}", first / WORKSPACE), json!({"apps": members}));
    }
    let document = json!({"version": 1, "gateway_port": 8443, "workspaces": workspaces});
    let policy: AppPolicy = serde_json::from_value(document).context("reading the policy")?;
    policy.check().context("checking the policy")?;
    Ok(policy)
}

/// `end`: number after the last neighbour.
fn grants(number: usize, end: usize) -> Vec<Value> {
    let mut grants = vec![if number.is_multiple_of(2) {
        json!({"to": "internet"})
    } else {
        json!({"to": "domains", "names": [format!("www{number}.example.com"), format!("*.cdn{number}.example")]})
    }];
    if number + 1 < end {
        grants.push(json!({"to": "app", "app": key(number + 1), "port": "tcp/5432"}));
    }
    if number.is_multiple_of(5) {
        grants.push(json!({"to": "lan"}));
    }
    if number.is_multiple_of(4) {
        grants
            .push(json!({"to": "inbound", "box_port": format!("tcp/{}", 20_000 + number), "app_port": 8443}));
    }
    grants
}

/// Places as netd's roster gives them to apps that come in order.
pub(crate) fn places(policy: &AppPolicy) -> BTreeMap<AppKey, Place> {
    let mut places = BTreeMap::new();
    for (workspace, members) in (1..).zip(policy.workspaces.values()) {
        for (app, key) in (2..).zip(members.apps.keys()) {
            places.insert(key.clone(), Place { workspace, app });
        }
    }
    places
}
