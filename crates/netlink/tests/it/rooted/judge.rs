//! The judge: what our batch makes of a ruleset, and what nft(8) makes of its text, must be the same to nft(8).

use crate::rooted::lab::Namespace;
use netlink::nft::Firewall;
use netlink::nft::Ruleset;
use serde_json::Value;

/// Two namespaces alike.
pub(crate) struct Judge {
    ours: Namespace,
    theirs: Namespace,
}

impl Judge {
    pub(crate) fn new() -> Self {
        let judge = Self { ours: Namespace::new(), theirs: Namespace::new() };
        for namespace in [&judge.ours, &judge.theirs] {
            namespace.ip("link add eth0 type veth peer name eth1");
        }
        judge
    }

    /// Fails when the two differ, in what nft(8) reads or in the kernel's expressions.
    pub(crate) fn compare(&self, what: &str, ruleset: &Ruleset) {
        self.compare_meaning(what, ruleset);
        self.same(what, "--debug=netlink list ruleset", bytecode);
    }

    /// Fails when the two differ in what nft(8) reads. It joins loads of neighbouring fields into one, which makes the same meaning
    /// of other expressions.
    pub(crate) fn compare_meaning(&self, what: &str, ruleset: &Ruleset) {
        let text = ruleset.to_string();
        self.theirs.nft("-f -", &format!("flush ruleset\n{text}"));
        self.ours.nft("flush ruleset", "");
        let outcome = self.ours.inside(|| Firewall::open().unwrap().replace(ruleset));
        if let Err(error) = outcome {
            panic!("{what}: {error:?}\n{text}");
        }
        self.same(what, "-j list ruleset", normal);
    }

    fn same(&self, what: &str, words: &str, read: impl Fn(&str) -> Vec<String>) {
        let [ours, theirs] = [&self.ours, &self.theirs].map(|namespace| read(&namespace.nft(words, "")));
        for (our, their) in ours.iter().zip(&theirs) {
            assert_eq!(our, their, "{what}\n{}", self.theirs.nft("list ruleset", ""));
        }
        assert_eq!(ours.len(), theirs.len(), "{what}");
    }
}

/// One line an object, without what differs between two loads.
fn normal(json: &str) -> Vec<String> {
    let json: Value = serde_json::from_str(json).unwrap();
    let mut lines = Vec::new();
    for object in json["nftables"].as_array().unwrap() {
        let mut object = object.clone();
        if object.get("metainfo").is_none() {
            strip(&mut object);
            lines.push(object.to_string());
        }
    }
    lines
}

/// Takes away handles, remaining times, and the order of elements.
fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("handle");
            members.remove("expires");
            members.values_mut().for_each(strip);
            for key in ["elem", "set", "flags"] {
                if let Some(Value::Array(elements)) = members.get_mut(key) {
                    elements.sort_by_key(Value::to_string);
                }
            }
        }
        Value::Array(members) => members.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

/// The kernel's expressions of all rules, as nft(8) prints them while it reads them.
fn bytecode(listing: &str) -> Vec<String> {
    listing.lines().filter(|line| line.trim_start().starts_with("[ ")).map(str::to_owned).collect()
}
