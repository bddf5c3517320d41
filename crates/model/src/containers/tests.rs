use super::*;

fn container() -> ContainerSpec {
    serde_json::from_str(
        r#"{"image":{"name":"docker.io/library/nginx:1","manifest":"sha256:00"},"limits":{"memory_bytes":67108864,"tasks":64}}"#,
    )
    .unwrap()
}

fn app(containers: impl IntoIterator<Item = (&'static str, ContainerSpec)>) -> AppSpec {
    AppSpec { containers: containers.into_iter().map(|(name, spec)| (name.parse().unwrap(), spec)).collect() }
}

fn after(container: &str, until: Until) -> After {
    After { container: container.parse().unwrap(), until }
}

#[test]
fn a_plain_app_is_taken_and_comes_back_from_json() {
    let spec = app([("web", container())]);
    spec.check().unwrap();
    let text = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<AppSpec>(&text).unwrap(), spec);
    serde_json::from_str::<AppSpec>(r#"{"containers":{},"privileged":true}"#).unwrap_err();
}

#[test]
fn names_are_parts_of_paths_and_nothing_more() {
    for good in ["a", "0", "db-1", "x.y_z"] {
        assert_eq!(good.parse::<PartName>().unwrap().as_str(), good);
    }
    for bad in ["", ".", "..", "-a", "_a", "A", "a/b", "a b", "ä", &"a".repeat(64)] {
        assert_eq!(bad.parse::<PartName>(), Err(InvalidPartName(bad.to_owned())));
    }
}

#[test]
fn an_app_has_containers_and_not_too_many() {
    assert_eq!(AppSpec::default().check(), Err(InvalidSpec::Containers(0)));
    let many =
        (0..=MAX_CONTAINERS).map(|number| (format!("c{number}").parse().unwrap(), container())).collect();
    assert_eq!(AppSpec { containers: many }.check(), Err(InvalidSpec::Containers(MAX_CONTAINERS + 1)));
}

#[test]
fn what_waits_for_each_other_is_refused() {
    let wait = |for_whom, until| ContainerSpec { after: vec![after(for_whom, until)], ..container() };
    app([("a", container()), ("b", wait("a", Until::Started)), ("c", wait("b", Until::Completed))])
        .check()
        .unwrap();
    let ring = app([("a", wait("b", Until::Started)), ("b", wait("a", Until::Started)), ("c", container())]);
    assert!(matches!(ring.check(), Err(InvalidSpec::Ring(_))));
    for (name, until) in [("a", Until::Started), ("x", Until::Started), ("b", Until::Healthy)] {
        let spec = app([("a", wait(name, until)), ("b", container())]);
        assert!(matches!(spec.check(), Err(InvalidSpec::Container { .. })), "{name}");
    }
}

#[test]
fn folders_are_where_the_container_may_have_them() {
    let volume = |target: &str| VolumeMount {
        name: "data".parse().unwrap(),
        target: target.to_owned(),
        read_only: false,
    };
    let with = |target: &str| app([("a", ContainerSpec { volumes: vec![volume(target)], ..container() })]);
    for good in ["/data", "/var/lib/x", "/dev/shm", "/system"] {
        with(good).check().unwrap();
    }
    for bad in [
        "",
        "/",
        "data",
        "/a/../b",
        "/a//b",
        "/a/",
        "/./a",
        "/proc",
        "/proc/1",
        "/dev",
        "/dev/null",
        "/sys/fs",
        "/.hearth/x",
        "/a\0",
    ] {
        assert_ne!(with(bad).check(), Ok(()), "{bad:?}");
    }
    let twice = ContainerSpec {
        volumes: vec![volume("/a")],
        temporary: vec![TemporaryFolder { target: "/a".to_owned(), size_bytes: 1 }],
        ..container()
    };
    app([("a", twice)]).check().unwrap_err();
}

#[test]
fn limits_and_commands_are_sensible() {
    let limits = |memory_bytes, cpu_millis, tasks| ContainerSpec {
        limits: ContainerLimits { memory_bytes, cpu_millis, tasks },
        ..container()
    };
    app([("a", limits(4 << 20, Some(10), 2))]).check().unwrap();
    let empty = |words: Vec<String>| ContainerSpec { entrypoint: Some(words), ..container() };
    let named = |name: &str| ContainerSpec {
        environment: BTreeMap::from([(name.to_owned(), String::new())]),
        ..container()
    };
    let relative = ContainerSpec { working_folder: Some("srv".to_owned()), ..container() };
    for bad in [
        limits((4 << 20) - 1, None, 2),
        limits(4 << 20, Some(9), 2),
        limits(4 << 20, None, 1),
        empty(Vec::new()),
        empty(vec!["x".repeat(MAX_TEXT + 1)]),
        empty(vec!["x".to_owned(); MAX_WORDS + 1]),
        named(""),
        named("A=B"),
        relative,
    ] {
        assert_ne!(app([("a", bad.clone())]).check(), Ok(()), "{bad:?}");
    }
}
