//! Rulesets as text in the syntax of nft(8), for people, snapshots and comparison with that program.

use crate::nft::field::Field;
use crate::nft::name::InterfaceName;
use crate::nft::rule::Header;
use crate::nft::rule::Limit;
use crate::nft::rule::MarkSource;
use crate::nft::rule::NatEnd;
use crate::nft::rule::NatTarget;
use crate::nft::rule::Per;
use crate::nft::rule::Reject;
use crate::nft::rule::Remember;
use crate::nft::rule::Rule;
use crate::nft::rule::SetRef;
use crate::nft::rule::Statement;
use crate::nft::rule::Test;
use crate::nft::rule::Verdict;
use crate::nft::ruleset::Base;
use crate::nft::ruleset::Chain;
use crate::nft::ruleset::ChainKind;
use crate::nft::ruleset::Family;
use crate::nft::ruleset::Hook;
use crate::nft::ruleset::Policy;
use crate::nft::ruleset::Ruleset;
use crate::nft::ruleset::Table;
use crate::nft::set::Count;
use crate::nft::set::Element;
use crate::nft::set::ElementData;
use crate::nft::set::Set;
use crate::nft::set::SetData;
use crate::nft::set::Timeout;
use crate::nft::span::Span;
use crate::nft::value::Kind;
use crate::nft::value::Value;
use std::fmt;
use std::time::Duration;

impl fmt::Display for Ruleset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables.iter().try_for_each(|table| table.fmt(formatter))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "table {} {} {{", self.family.as_str(), self.name)?;
        let mut separator = "";
        for set in &self.sets {
            formatter.write_str(separator)?;
            set.fmt(formatter)?;
            separator = "\n";
        }
        for chain in &self.chains {
            formatter.write_str(separator)?;
            self.render_chain(chain, formatter)?;
            separator = "\n";
        }
        formatter.write_str("}\n")
    }
}

impl Table {
    fn render_chain(&self, chain: &Chain, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\tchain {} {{", chain.name)?;
        if let Some(base) = &chain.base {
            writeln!(formatter, "\t\t{base}")?;
        }
        for rule in &chain.rules {
            writeln!(formatter, "\t\t{}", self.rule_text(rule))?;
        }
        formatter.write_str("\t}\n")
    }

    /// A rule of this table as one line.
    #[must_use]
    pub fn rule_text(&self, rule: &Rule) -> String {
        let mut words: Vec<String> =
            rule.statements.iter().map(|statement| self.statement(statement)).collect();
        words.extend(rule.comment.iter().map(|comment| format!("comment \"{comment}\"")));
        words.join(" ")
    }

    fn statement(&self, statement: &Statement) -> String {
        match statement {
            Statement::Match(test) => test_text(&test.0),
            Statement::Counter { packets, bytes } => format!("counter packets {packets} bytes {bytes}"),
            Statement::Limit(limit) => limit_text(limit),
            Statement::Log { prefix, group } => {
                let mut text = "log".to_owned();
                if let Some(prefix) = prefix {
                    text += &format!(" prefix \"{prefix}\"");
                }
                if let Some(group) = group {
                    text += &format!(" group {group}");
                }
                text
            }
            Statement::SetMark(source) => {
                format!("meta mark set {}", mark_text(source, "meta mark", "ct mark"))
            }
            Statement::SetCtMark(source) => {
                format!("ct mark set {}", mark_text(source, "ct mark", "meta mark"))
            }
            Statement::NoTrack => "notrack".to_owned(),
            Statement::Remember(remember) => remember_text(remember),
            Statement::Verdict(verdict) => verdict.to_string(),
            Statement::VerdictMap { key, map } => format!("{} vmap @{map}", fields_text(key)),
            Statement::Reject(reject) => format!("reject with {}", reject_text(*reject, self.family)),
            Statement::Nat(nat) => {
                let verb = match nat.end {
                    NatEnd::Source => "snat",
                    NatEnd::Destination => "dnat",
                };
                format!("{verb} {}", self.nat_target(&nat.target))
            }
            Statement::Masquerade => "masquerade".to_owned(),
            Statement::Redirect { port: None } => "redirect".to_owned(),
            Statement::Redirect { port: Some(port) } => format!("redirect to :{port}"),
        }
    }

    fn nat_target(&self, target: &NatTarget) -> String {
        match target {
            NatTarget::Ipv4(address, None) => format!("ip to {address}"),
            NatTarget::Ipv4(address, Some(port)) => format!("ip to {address}:{port}"),
            NatTarget::Ipv6(address, None) => format!("ip6 to {address}"),
            NatTarget::Ipv6(address, Some(port)) => format!("ip6 to [{address}]:{port}"),
            NatTarget::Map { key, map } => {
                let data = self.set(map).map(|set| &set.data);
                let is_ipv6 =
                    matches!(data, Some(SetData::Values(kinds)) if kinds.first() == Some(&Kind::Ipv6Addr));
                format!("{} to {} map @{map}", if is_ipv6 { "ip6" } else { "ip" }, fields_text(key))
            }
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_str();
        let (hook, devices) = match &self.hook {
            Hook::Prerouting => ("prerouting", None),
            Hook::Input => ("input", None),
            Hook::Forward => ("forward", None),
            Hook::Output => ("output", None),
            Hook::Postrouting => ("postrouting", None),
            Hook::Ingress(devices) => ("ingress", Some(devices)),
            Hook::Egress(devices) => ("egress", Some(devices)),
        };
        let devices = devices.map(|devices| devices_text(devices)).unwrap_or_default();
        let policy = match self.policy {
            Policy::Accept => "accept",
            Policy::Drop => "drop",
        };
        write!(formatter, "type {kind} hook {hook}{devices} priority {}; policy {policy};", self.priority)
    }
}

impl ChainKind {
    /// nft(8)'s and the kernel's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
            Self::Route => "route",
        }
    }
}

fn devices_text(devices: &[InterfaceName]) -> String {
    let quoted: Vec<String> = devices.iter().map(|device| format!("\"{device}\"")).collect();
    match quoted.as_slice() {
        [only] => format!(" device {only}"),
        all => format!(" devices = {{ {} }}", all.join(", ")),
    }
}

impl fmt::Display for Set {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, data) = match &self.data {
            SetData::None => ("set", String::new()),
            SetData::Verdict => ("map", " : verdict".to_owned()),
            SetData::Values(kinds) => ("map", format!(" : {}", kinds_text(kinds))),
        };
        writeln!(formatter, "\t{word} {} {{", self.name)?;
        writeln!(formatter, "\t\ttype {}{data}", kinds_text(&self.key))?;
        let flags = [
            (self.dynamic, "dynamic"),
            (self.interval, "interval"),
            (self.timeout != Timeout::Never, "timeout"),
        ];
        let flags: Vec<&str> =
            flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word).collect();
        if !flags.is_empty() {
            writeln!(formatter, "\t\tflags {}", flags.join(","))?;
        }
        if let Timeout::Default(timeout) = self.timeout {
            writeln!(formatter, "\t\ttimeout {}", duration_text(timeout))?;
        }
        if let Some(size) = self.size {
            writeln!(formatter, "\t\tsize {size}")?;
        }
        if self.counts {
            writeln!(formatter, "\t\tcounter")?;
        }
        let elements: Vec<String> = self.canonical(&self.elements).iter().map(Element::to_string).collect();
        if !elements.is_empty() {
            writeln!(formatter, "\t\telements = {{ {} }}", elements.join(",\n\t\t\t     "))?;
        }
        formatter.write_str("\t}\n")
    }
}

impl fmt::Display for Element {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&key_text(&self.key))?;
        if let Some(Count { packets, bytes }) = self.count {
            write!(formatter, " counter packets {packets} bytes {bytes}")?;
        }
        if let Some(timeout) = self.timeout {
            write!(formatter, " timeout {}", duration_text(timeout))?;
        }
        match &self.data {
            ElementData::None => Ok(()),
            ElementData::Verdict(verdict) => write!(formatter, " : {verdict}"),
            ElementData::Values(values) => {
                let values: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(formatter, " : {}", values.join(" . "))
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => formatter.write_str("accept"),
            Self::Drop => formatter.write_str("drop"),
            Self::Return => formatter.write_str("return"),
            Self::Jump(chain) => write!(formatter, "jump {chain}"),
            Self::Goto(chain) => write!(formatter, "goto {chain}"),
        }
    }
}

fn test_text(test: &Test) -> String {
    let unless = |negated: bool| if negated { "!= " } else { "" };
    match test {
        Test::Compare { field, negated, span } => format!("{} {}{span}", field.0.text, unless(*negated)),
        Test::NameStart { field, prefix } => format!("{} \"{prefix}*\"", field.0.text),
        Test::Bits {
            field,
            mask: mask @ (Value::CtState(_) | Value::CtStatus(_)),
            negated: true,
            value: None,
        } => {
            format!("{} {mask}", field.0.text)
        }
        Test::Bits { field, mask, negated, value } => {
            let operator = if *negated { "!=" } else { "==" };
            let mask = mask.to_string().replace(',', "|");
            let value = value.as_ref().map_or_else(|| "0".to_owned(), Value::to_string);
            format!("{} & ({mask}) {operator} {value}", field.0.text)
        }
        Test::Lookup { fields, negated, set } => {
            let set = match set {
                SetRef::Named(name) => format!("@{name}"),
                SetRef::Anonymous(keys) => {
                    let keys: Vec<String> = keys.iter().map(|key| key_text(key)).collect();
                    format!("{{ {} }}", keys.join(", "))
                }
            };
            format!("{} {}{set}", fields_text(fields), unless(*negated))
        }
        Test::Header { header, is_there } => format!("{} {}", header_text(*header), existence(*is_there)),
        Test::ReversePath { is_there } => format!("fib saddr . iif oif {}", existence(*is_there)),
    }
}

fn existence(is_there: bool) -> &'static str {
    if is_there { "exists" } else { "missing" }
}

fn header_text(header: Header) -> &'static str {
    match header {
        Header::Fragment => "exthdr frag",
        Header::HopByHop => "exthdr hbh",
        Header::Destination => "exthdr dst",
        Header::Routing => "exthdr rt",
        Header::LooseSourceRoute => "ip option lsrr",
        Header::StrictSourceRoute => "ip option ssrr",
        Header::RecordRoute => "ip option rr",
        Header::RouterAlert => "ip option ra",
    }
}

fn limit_text(limit: &Limit) -> String {
    let over = if limit.over { "over " } else { "" };
    let unit = match limit.per {
        Per::Second => "second",
        Per::Minute => "minute",
        Per::Hour => "hour",
        Per::Day => "day",
    };
    format!("limit rate {over}{}/{unit} burst {} packets", limit.rate, limit.burst)
}

fn mark_text(source: &MarkSource, own: &str, other: &str) -> String {
    match source {
        MarkSource::Value(mark) => mark.to_string(),
        MarkSource::Replace { mask, value } => {
            format!("{own} & 0x{:08x} | 0x{:08x}", !mask.0, value.0 & mask.0)
        }
        MarkSource::Other => other.to_owned(),
        MarkSource::Map { key, map } => format!("{} map @{map}", fields_text(key)),
    }
}

fn remember_text(remember: &Remember) -> String {
    let mut text = format!("update @{} {{ {}", remember.set, fields_text(&remember.key));
    if let Some(timeout) = remember.timeout {
        text += &format!(" timeout {}", duration_text(timeout));
    }
    if let Some(limit) = &remember.limit {
        text += &format!(" {}", limit_text(limit));
    }
    text + " }"
}

fn reject_text(reject: Reject, family: Family) -> &'static str {
    match (reject, family) {
        (Reject::TcpReset, _) => "tcp reset",
        (Reject::PortUnreachable, Family::Ip) => "icmp port-unreachable",
        (Reject::PortUnreachable, Family::Ip6) => "icmpv6 port-unreachable",
        (Reject::PortUnreachable, _) => "icmpx port-unreachable",
        (Reject::AdminProhibited, Family::Ip) => "icmp admin-prohibited",
        (Reject::AdminProhibited, Family::Ip6) => "icmpv6 admin-prohibited",
        (Reject::AdminProhibited, _) => "icmpx admin-prohibited",
        (Reject::HostUnreachable, Family::Ip) => "icmp host-unreachable",
        (Reject::HostUnreachable, Family::Ip6) => "icmpv6 addr-unreachable",
        (Reject::HostUnreachable, _) => "icmpx host-unreachable",
        (Reject::NoRoute, Family::Ip) => "icmp net-unreachable",
        (Reject::NoRoute, Family::Ip6) => "icmpv6 no-route",
        (Reject::NoRoute, _) => "icmpx no-route",
    }
}

fn fields_text(fields: &[Field]) -> String {
    let words: Vec<&str> = fields.iter().map(|field| field.0.text).collect();
    words.join(" . ")
}

fn kinds_text(kinds: &[Kind]) -> String {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.facts().keyword.unwrap_or("integer")).collect();
    words.join(" . ")
}

fn key_text(key: &[Span]) -> String {
    let spans: Vec<String> = key.iter().map(Span::to_string).collect();
    spans.join(" . ")
}

fn duration_text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds.is_multiple_of(1000) {
        format!("{}s", milliseconds / 1000)
    } else {
        format!("{milliseconds}ms")
    }
}
