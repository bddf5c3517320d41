use super::*;
use proptest::prelude::any;
use proptest::prop_assert;
use proptest::proptest;

fn folder(path: &str, mount: Option<&str>) -> Target {
    Target::Folder(FolderTarget { path: path.into(), mounted_at: mount.map(Into::into) })
}

fn s3() -> S3Target {
    S3Target {
        endpoint: "https://s3.example.org".into(),
        bucket: "family".into(),
        region: "eu-west-1".into(),
        access_key: "AKIA123".into(),
        secret_key: Secret::new("very-secret"),
        path: "hearth/box".into(),
    }
}

#[test]
fn documents_survive_a_round_trip() {
    for target in [folder("/mnt/usb/hearth", Some("/mnt/usb")), Target::S3(s3())] {
        target.check().unwrap();
        assert_eq!(Target::parse(&target.to_json().unwrap()).unwrap(), target);
    }
}

#[test]
fn secrets_are_neither_printed_nor_left_in_what_is_shown() {
    let target = Target::S3(s3());
    let shown = format!("{target:?} {}", target.describe());
    assert!(!shown.contains("very-secret"), "{shown}");
    let redacted = target.redacted();
    let written = redacted.to_json().unwrap();
    assert!(!written.contains("very-secret"), "{written}");
    // It is still a target, but one that says what it lacks.
    assert_eq!(Target::parse(&written).unwrap(), redacted);
    redacted.check().unwrap_err();
}

#[test]
fn what_cannot_work_is_named() {
    let cases: Vec<(Target, &str)> = vec![
        (folder("usb", None), "path"),
        (folder("/", None), "path"),
        (folder("/mnt/../etc", None), "path"),
        (folder("/srv/x", Some("/mnt/usb")), "path"),
        (Target::S3(S3Target { endpoint: "ftp://x".into(), ..s3() }), "endpoint"),
        (Target::S3(S3Target { endpoint: "http://s3.example.org".into(), ..s3() }), "endpoint"),
        (Target::S3(S3Target { endpoint: "https://h/path".into(), ..s3() }), "endpoint"),
        (Target::S3(S3Target { endpoint: "https://h:0".into(), ..s3() }), "endpoint"),
        (Target::S3(S3Target { bucket: "A".into(), ..s3() }), "bucket"),
        (Target::S3(S3Target { region: String::new(), ..s3() }), "region"),
        (Target::S3(S3Target { access_key: String::new(), ..s3() }), "access-key"),
        (Target::S3(S3Target { secret_key: Secret::default(), ..s3() }), "secret-key"),
        (Target::S3(S3Target { path: "/a".into(), ..s3() }), "path"),
        (Target::S3(S3Target { path: "a/../b".into(), ..s3() }), "path"),
    ];
    for (target, expected) in cases {
        match target.check().unwrap_err() {
            TargetError::Field { field, .. } => assert_eq!(field, expected, "{target:?}"),
            other @ (TargetError::TooLong
            | TargetError::Syntax(_)
            | TargetError::Kind { .. }
            | TargetError::Version { .. }) => panic!("{target:?}: {other}"),
        }
    }
}

#[test]
fn plain_http_is_for_the_home_only() {
    for endpoint in ["http://192.168.1.9:9000", "http://[fd00::1]:9000", "http://127.0.0.1:1"] {
        Target::S3(S3Target { endpoint: endpoint.into(), ..s3() }).check().unwrap();
    }
}

#[test]
fn other_documents_are_refused() {
    let json = Target::S3(s3()).to_json().unwrap();
    let newer = Target::parse(&json.replace("\"version\": 1", "\"version\": 2")).unwrap_err();
    assert!(matches!(newer, TargetError::Version { found: 2 }));
    let other = Target::parse(&json.replace(KIND, "hearth-lease")).unwrap_err();
    assert!(matches!(other, TargetError::Kind { .. }));
    let unknown = json.replace("\"bucket\"", "\"bukket\"");
    assert!(matches!(Target::parse(&unknown).unwrap_err(), TargetError::Syntax(_)));
    assert!(matches!(Target::parse(&" ".repeat(MAX_DOCUMENT + 1)).unwrap_err(), TargetError::TooLong));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        prop_assert!(Target::parse(&text).is_err());
    }
}
