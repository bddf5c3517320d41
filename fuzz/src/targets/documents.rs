//! Documents and texts that cross D-Bus or lie in files.

use super::ignore;
use super::text;
use crate::Target;
use hostapi::net1;
use model::control::ControlRequest;
use model::network::app_policy::AppPolicy;
use model::network::app_policy::Port;
use model::network::attachment::Attachment;
use model::network::endpoint::Endpoint;
use model::network::names::AppKey;
use model::network::names::Domain;
use model::network::names::DomainPattern;
use model::network::report::NetworkReport;
use model::network::settings::NetworkSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::str::FromStr;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "app-policy",
        source: "hostd",
        longest: 4096,
        run: |bytes| {
            let Some(policy) = document::<AppPolicy>(bytes) else { return };
            if policy.check().is_ok() {
                for (workspace, app, access) in policy.apps() {
                    assert_eq!(policy.app(app), Some((workspace, access)), "an app is in two places");
                }
            }
        },
    },
    Target {
        name: "network-settings",
        source: "hostd, and the file that netd keeps",
        longest: 4096,
        run: |bytes| {
            if let Some(settings) = document::<NetworkSettings>(bytes) {
                ignore(settings.check());
            }
        },
    },
    Target {
        name: "network-answers",
        source: "netd, to hostd",
        longest: 4096,
        run: |bytes| {
            ignore(document::<NetworkReport>(bytes));
            ignore(document::<Attachment>(bytes));
        },
    },
    Target {
        name: "control",
        source: "hostd, to init",
        longest: 1024,
        run: |bytes| ignore(serde_json::from_slice::<ControlRequest>(bytes)),
    },
    Target {
        name: "texts",
        source: "people, by way of the console and hearthctl",
        longest: 512,
        run: |bytes| {
            let Some(text) = text(bytes) else { return };
            reads_as_written::<Endpoint>(text);
            reads_as_written::<Port>(text);
            reads_as_written::<AppKey>(text);
            reads_as_written::<Domain>(text);
            reads_as_written::<DomainPattern>(text);
            ignore(text.parse::<model::names::HostName>());
        },
    },
];

/// Reads a document; what was read is written and read the same again.
fn document<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let document: T = net1::read_answer(text(bytes)?).ok()?;
    let written = serde_json::to_string(&document).ok()?;
    let again: T = net1::read_answer(&written).expect("what was written can be read");
    assert_eq!(again, document, "{written}");
    Some(document)
}

fn reads_as_written<T: FromStr + ToString + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert!(written.parse().is_ok_and(|again: T| again == value), "{written:?} is read otherwise");
    }
}
