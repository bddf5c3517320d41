use super::*;
use proptest::prelude::*;

fn import() -> Import {
    Import {
        title: "App".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        variables: BTreeMap::from([("APP_PASSWORD".to_owned(), "secret".to_owned())]),
    }
}

fn imported(text: &str) -> Imported {
    import_compose(text.as_bytes(), &import()).unwrap()
}

fn refused(text: &str) -> Vec<String> {
    let ComposeError::Refused(remarks) = import_compose(text.as_bytes(), &import()).unwrap_err() else {
        panic!("not refused by places: {text}")
    };
    remarks.into_iter().map(|remark| remark.place).collect()
}

fn web(more: &str) -> String {
    let more: String = more.lines().map(|line| format!("    {line}\n")).collect();
    format!("services:\n  web:\n    image: a/b:1\n{more}")
}

#[test]
fn every_key_that_cannot_be_honoured_is_refused_and_none_is_when_it_asks_nothing() {
    for (key, _) in keys::REFUSED {
        assert_eq!(refused(&web(&format!("{key}: [x]"))), [format!("services.web.{key}")]);
        imported(&web(&format!("{key}: []")));
    }
    assert_eq!(refused(&web("sniffer: 1")), ["services.web.sniffer"]);
}

#[test]
fn every_key_that_is_left_out_is_told() {
    for (key, _) in keys::LEFT_OUT {
        let notes = imported(&web(&format!("{key}: x"))).notes;
        assert!(notes.iter().any(|note| note.place == format!("services.web.{key}")), "{key}");
    }
    let silent = imported(&web("x-any: {a: 1}")).notes;
    assert!(!silent.iter().any(|note| note.place.contains("x-any")));
}

#[test]
fn all_refusals_are_told_at_once_with_their_lines() {
    let text = web("privileged: true\nnetwork_mode: host\nvolumes: ['/:/host', '/var/run/docker.sock:/s']");
    let ComposeError::Refused(remarks) = import_compose(text.as_bytes(), &import()).unwrap_err() else {
        panic!("refused otherwise")
    };
    let places: Vec<_> = remarks.iter().map(|remark| (remark.place.as_str(), remark.line)).collect();
    assert_eq!(
        places,
        [
            ("services.web.privileged", Some(4)),
            ("services.web.network_mode", Some(5)),
            ("services.web.volumes[0]", Some(6)),
            ("services.web.volumes[1]", Some(6)),
        ]
    );
}

#[test]
fn aliases_are_copied_and_do_not_explode() {
    let shared = "x-env: &env {A: '1', B: '2'}\nservices:\n  web:\n    image: a\n    environment: {<<: *env, B: '3'}\n";
    let manifest = imported(shared).manifest;
    let environment: Vec<_> =
        manifest.containers.values().flat_map(|c| &c.environment).map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(environment, ["A=1", "B=3"]);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = level - 1;
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{below}"); 10].join(", ")));
    }
    let error = import_compose(bomb.as_bytes(), &import()).unwrap_err();
    assert!(matches!(&error, ComposeError::Yaml { what, .. } if what.contains("aliases")), "{error}");
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let error = import_compose(deep.as_bytes(), &import()).unwrap_err();
    assert!(matches!(&error, ComposeError::Yaml { what, .. } if what.contains("deeper")), "{error}");
    let own = import_compose(b"a: &a [*a]", &import()).unwrap_err();
    assert!(matches!(own, ComposeError::Yaml { .. }), "{own}");
}

#[test]
fn what_is_no_compose_file_is_told() {
    let large = vec![b' '; MAX_COMPOSE_BYTES + 1];
    assert_eq!(import_compose(&large, &import()), Err(ComposeError::TooLarge(MAX_COMPOSE_BYTES + 1)));
    assert_eq!(import_compose(&[0xff], &import()), Err(ComposeError::NoText));
    for text in ["", "a: [", "a: 1\na: 2", "--- a\n--- b", "a: !reset x", "[a]: b"] {
        let error = import_compose(text.as_bytes(), &import()).unwrap_err();
        assert!(matches!(error, ComposeError::Yaml { .. }), "{text}: {error}");
    }
    assert_eq!(refused("x"), ["the file", "the file"]);
}

#[test]
fn variables_count_only_where_they_are_used() {
    imported(&web("labels: ['${UNKNOWN}']"));
    assert_eq!(refused(&web("environment: {A: '${UNKNOWN}'}")), ["services.web.environment.A"]);
    let manifest = imported(&web("environment: ['A=${APP_PASSWORD}', APP_PASSWORD, TZ, NONE]")).manifest;
    let environment: Vec<_> =
        manifest.containers.values().flat_map(|c| &c.environment).map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(environment, ["A=secret", "APP_PASSWORD=secret", "TZ=Etc/UTC"]);
}

#[test]
fn variables_of_the_box_are_refused() {
    for name in ["ATEK_X", "HEARTH_X", "LD_PRELOAD"] {
        let places = refused(&web(&format!("environment: {{{name}: x}}")));
        assert_eq!(places, [format!("containers.web.environment.{name}")]);
    }
    assert_eq!(refused(&web("environment: {A: \"x\\ny\"}")), ["containers.web.environment.A"]);
}

#[test]
fn folders_are_the_apps_own_or_refused() {
    let volumes = |list: &str| {
        let manifest =
            imported(&(web(&format!("volumes: [{list}]")) + "volumes: {data: , other: }\n")).manifest;
        let volumes = manifest.containers.values().flat_map(|c| &c.volumes);
        volumes.map(|v| format!("{} {} {}", v.name, v.target, v.read_only)).collect::<Vec<_>>()
    };
    assert_eq!(
        volumes("'data:/d', './x y:/x/:ro', '${APP_DATA_DIR}/db:/db'"),
        ["data /d false", "x-y /x true", "db /db false"]
    );
    assert_eq!(
        volumes("/DATA/AppData/$AppID/config:/config, /etc/localtime:/etc/localtime:ro, /anonymous"),
        ["config /config false", "anonymous /anonymous false"]
    );
    assert_eq!(volumes("{type: volume, source: other, target: /o, read_only: true}"), ["other /o true"]);
    for bad in [
        "/etc:/e",
        "~/x:/x",
        "../x:/x",
        "./../x:/x",
        "nobody:/x",
        "./a.conf:/etc/a.conf",
        "./a:/a:rshared",
        "a/b:/x",
    ] {
        assert_eq!(refused(&web(&format!("volumes: ['{bad}']"))), ["services.web.volumes[0]"], "{bad}");
    }
    assert_eq!(refused(&web("volumes: ['./a:/a', './a/b:/b']")), ["the file"]);
}

#[test]
fn ports_are_the_page_or_the_boxs() {
    let ports = |list: &str| {
        let manifest = imported(&web(&format!("ports: [{list}]"))).manifest;
        let inbound = manifest.permissions.inbound.iter();
        let inbound = inbound.map(|wish| format!("{}>{}", wish.port, wish.app_port.map_or(0, Into::into)));
        (manifest.display.map(|display| display.port.get()), inbound.collect::<Vec<_>>())
    };
    let wish = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(ports("'80:8080', '5000:22'"), (Some(8080), wish(&["tcp/5000>22"])));
    assert_eq!(ports("'127.0.0.1:9999:1234'"), (Some(1234), wish(&[])));
    assert_eq!(ports("'1883:1883', '[::1]:5:6'"), (None, wish(&["tcp/1883>1883"])));
    assert_eq!(ports("'7000-7001:27000-27001/udp'"), (None, wish(&["udp/7000>27000", "udp/7001>27001"])));
    assert_eq!(ports("{target: 3000, published: '8080'}"), (Some(3000), wish(&[])));
    for bad in [
        "'0:1'",
        "'a:b'",
        "'1-2:1'",
        "'1:70000'",
        "'1:2/icmp'",
        "'1-30:1-30'",
        "'53:53/udp'",
        "{published: 1}",
    ] {
        assert_eq!(refused(&web(&format!("ports: [{bad}]"))), ["services.web.ports[0]"], "{bad}");
    }
}

/// Pieces of files, so that chance builds some.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "services:",
        "\n",
        "  ",
        "web:",
        " ",
        "image: a",
        "ports:",
        "- ",
        "'80:80'",
        "volumes:",
        "./x:/x",
        "[",
        "]",
        "{",
        "}",
        ",",
        "environment:",
        "A=1",
        "&a ",
        "*a",
        "<<: ",
        "${A:-",
        "}",
        "healthcheck:",
        "test:",
        "CMD",
        ":",
        "~",
        "|",
        "!!str ",
        "command:",
        "depends_on:",
        "deploy:",
        "\"",
        "'",
        "tmpfs:",
        "networks:",
        "x-a:",
        "#",
        "---",
        "\t",
        "? ",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_breaks_an_import(text in pieces(), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        for bytes in [text.as_bytes(), &noise] {
            if let Ok(imported) = import_compose(bytes, &import()) {
                let written = serde_json::to_vec(&imported.manifest).unwrap();
                prop_assert_eq!(Manifest::read(&written), Ok(imported.manifest));
            }
        }
    }
}
