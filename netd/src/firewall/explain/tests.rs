use super::*;
use crate::firewall::permission::permissions;

const POLICY: &str = r#"{"version":1,"gateway_port":8443,"workspaces":{"ann":{"apps":{
    "none":{},
    "web":{"grants":[{"to":"lan"},{"to":"app","app":"db","port":"tcp/5432"},
                     {"to":"inbound","box_port":"tcp/9000","app_port":90}],"serves":["tcp/8080"]},
    "db":{"grants":[{"to":"domains","names":["a.example.org","*.example.com"]}]},
    "net":{"grants":[{"to":"internet"},{"to":"mesh"}]}}}}}"#;

fn asked(from: &str, to: &str) -> Explained {
    let policy: AppPolicy = serde_json::from_str(POLICY).unwrap();
    policy.check().unwrap();
    let all = permissions(&policy, false);
    explain(&policy, &all, &from.parse().unwrap(), &to.parse().unwrap()).unwrap()
}

#[test]
fn answers_by_the_policy() {
    use Answer::No;
    use Answer::Partly;
    use Answer::Yes;
    for (from, to, answer) in [
        ("app:none", "app:web", No),
        ("app:none", "lan", No),
        ("app:none", "internet", No),
        ("app:none", "box", Partly),
        ("app:none", "box tcp/8443", Yes),
        ("app:none", "box udp/53", No),
        ("app:web", "box udp/53", Yes),
        ("app:web", "app:db", Partly),
        ("app:web", "app:db tcp/5432", Yes),
        ("app:web", "app:db udp/5432", No),
        ("app:web", "app:db tcp/5433", No),
        ("app:db", "app:web", No),
        ("app:web", "lan", Yes),
        ("app:web", "internet", No),
        ("app:db", "internet", Partly),
        ("app:db", "internet:a.example.org", Yes),
        ("app:db", "internet:b.example.org", No),
        ("app:db", "internet:x.example.com tcp/443", Yes),
        ("app:db", "lan", No),
        ("app:net", "internet:a.example.org", Yes),
        ("app:net", "lan", No),
        ("app:net", "mesh", Yes),
        ("lan", "app:web tcp/90", Yes),
        ("lan", "app:web tcp/8080", No),
        ("lan", "box tcp/9000", Yes),
        ("lan", "box tcp/443", Yes),
        ("lan", "box tcp/22", No),
        ("lan", "box", Partly),
        ("internet", "box", No),
        ("internet", "app:web", No),
        ("box", "app:web tcp/8080", Yes),
        ("box", "app:web tcp/90", No),
        ("box", "internet", Yes),
        ("box", "internet udp/53", No),
        ("lan", "internet", No),
    ] {
        let explained = asked(from, to);
        assert_eq!(explained.answer, answer, "{from} -> {to}: {explained:?}");
        assert_eq!(explained.permissions.is_empty(), answer == No, "{from} -> {to}");
    }
}

#[test]
fn words_name_the_rule() {
    assert_eq!(asked("app:web", "app:db tcp/5432").words, "yes: web may reach db at tcp/5432");
    assert_eq!(
        asked("app:web", "app:db").words,
        "only this: web may reach db at tcp/5432; anything else is refused: apps reach nothing but what was granted"
    );
    assert_eq!(
        asked("app:none", "lan").words,
        "no: nothing allows app:none to reach lan, and apps reach nothing but what was granted"
    );
}

#[test]
fn an_unknown_app_is_said_to_be_unknown() {
    let policy: AppPolicy = serde_json::from_str(POLICY).unwrap();
    let all = permissions(&policy, false);
    let (from, to) = ("app:web".parse().unwrap(), "app:dbb".parse().unwrap());
    let error = explain(&policy, &all, &from, &to).unwrap_err();
    assert_eq!(error.to_string(), "there is no app dbb");
}
