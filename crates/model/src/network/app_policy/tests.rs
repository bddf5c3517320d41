use super::*;

fn policy(text: &str) -> AppPolicy {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_document_reads_and_writes_the_same() {
    let text = r#"{"version":1,"gateway_port":8443,"workspaces":{"ann":{"apps":{"db":{"grants":[],"serves":["tcp/8080"]},"notes":{"grants":[{"to":"lan"},{"to":"internet"},{"to":"domains","names":["*.example.org","example.com"]},{"to":"mesh"},{"to":"inbound","box_port":"tcp/8022","app_port":22},{"to":"app","app":"db","port":"tcp/5432"}],"serves":[]}}}}}"#;
    let read = policy(text);
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    assert_eq!(read.check(), Ok(()));
    assert_eq!(read.app(&"db".parse().unwrap()).unwrap().0.as_str(), "ann");
}

#[test]
fn what_is_not_understood_is_refused() {
    for bad in [
        r#"{"version":2,"workspaces":{}}"#,
        r#"{"workspaces":{}}"#,
        r#"{"version":1,"workspaces":{},"more":1}"#,
        r#"{"version":1,"workspaces":{"a":{"apps":{"x":{"grants":[{"to":"everything"}]}}}}}"#,
        r#"{"version":1,"workspaces":{"a":{"apps":{"x":{"grants":[{"to":"lan","but":1}]}}}}}"#,
        r#"{"version":1,"workspaces":{"a":{"apps":{"x":{"serves":["tcp/0"]}}}}}"#,
        r#"{"version":1,"workspaces":{"a":{"apps":{"x":{"serves":["tcp/+1"]}}}}}"#,
        r#"{"version":1,"workspaces":{"a":{"apps":{"x":{"serves":["sctp/1"]}}}}}"#,
        r#"{"version":1,"workspaces":{"A b":{"apps":{}}}}"#,
    ] {
        assert!(serde_json::from_str::<AppPolicy>(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let apps =
        |text: &str| policy(&format!(r#"{{"version":1,"gateway_port":8443,"workspaces":{text}}}"#)).check();
    let two = apps(r#"{"a":{"apps":{"x":{}}},"b":{"apps":{"x":{}}}}"#);
    assert_eq!(two.unwrap_err().to_string(), "app x is in two workspaces, a and b");
    for link in ["x", "y", "z"] {
        let grants = format!(r#"[{{"to":"app","app":"{link}","port":"tcp/1"}}]"#);
        let text = format!(r#"{{"a":{{"apps":{{"x":{{"grants":{grants}}}}}}},"b":{{"apps":{{"y":{{}}}}}}}}"#);
        assert!(matches!(apps(&text), Err(InvalidPolicy::Link { .. })), "{link}");
    }
    for (port, free) in [("tcp/443", false), ("udp/53", false), ("tcp/8443", false), ("tcp/8080", true)] {
        let grants = format!(r#"[{{"to":"inbound","box_port":"{port}","app_port":1}}]"#);
        let text = format!(r#"{{"a":{{"apps":{{"x":{{"grants":{grants}}}}}}}}}"#);
        assert_eq!(apps(&text).is_ok(), free, "{port}");
    }
    let grants = r#"[{"to":"inbound","box_port":"tcp/9000","app_port":1}]"#;
    let twice = format!(r#"{{"a":{{"apps":{{"x":{{"grants":{grants}}},"y":{{"grants":{grants}}}}}}}}}"#);
    assert_eq!(
        apps(&twice).unwrap_err().to_string(),
        "port tcp/9000 of the box cannot be given to y: app x has it"
    );
    let none = apps(r#"{"a":{"apps":{"x":{"grants":[{"to":"domains","names":[]}]}}}}"#);
    assert!(matches!(none, Err(InvalidPolicy::NoDomain(_))));
    let many: Vec<String> = (0..65).map(|n| format!(r#""tcp/{}""#, n + 1)).collect();
    let text = format!(r#"{{"a":{{"apps":{{"x":{{"serves":[{}]}}}}}}}}"#, many.join(","));
    assert!(matches!(apps(&text), Err(InvalidPolicy::TooMany { count: 65, .. })));
}

#[test]
fn every_domain_and_every_port_counts_among_the_permissions_of_the_box() {
    // 256 apps with 63 domains and a port each.
    let domains: Vec<String> = (0..63).map(|n| format!(r#""n{n}.example.org""#)).collect();
    let app =
        format!(r#"{{"grants":[{{"to":"domains","names":[{}]}}],"serves":["tcp/80"]}}"#, domains.join(","));
    let with = |more: &str| {
        let apps: Vec<String> = (0..128).map(|n| format!(r#""x{n}":{app}"#)).collect();
        let others: Vec<String> = (0..128).map(|n| format!(r#""y{n}":{app}"#)).collect();
        policy(&format!(
            r#"{{"version":1,"workspaces":{{"a":{{"apps":{{{}}}}},"b":{{"apps":{{{}{more}}}}}}}}}"#,
            apps.join(","),
            others.join(",")
        ))
        .check()
    };
    assert_eq!(with(""), Ok(()));
    let error = with(r#","z":{"grants":[{"to":"lan"}]}"#).unwrap_err();
    assert_eq!(error.to_string(), "the box has 16385 permissions; at most 16384 are possible");
}
