use super::*;

fn manifest(more: &str) -> Manifest {
    let text = format!(r#"{{"format":1,"title":"T","version":"1.0.0",{more}}}"#);
    Manifest::read(text.as_bytes()).unwrap()
}

const PLAIN: &str = r#""containers":{"web":{"image":"a/b"}}"#;

fn words(asks: &[Ask]) -> Vec<&str> {
    asks.iter().map(|ask| ask.words.as_str()).collect()
}

fn with_permissions(permissions: &str) -> Manifest {
    manifest(&format!(r#"{PLAIN},"permissions":{permissions}"#))
}

#[test]
fn an_app_that_asks_nothing_only_tells_its_memory() {
    assert_eq!(words(&asks(&manifest(PLAIN))), ["May use up to 512 MiB of memory"]);
}

#[test]
fn the_weightiest_is_first_and_reasons_are_the_apps_words() {
    let all = manifest(
        r#""scope":"system","containers":{"web":{"image":"a/b","limits":{"memory_bytes":1610612736},
           "volumes":[{"name":"a","target":"/a"},{"name":"b","target":"/b"}]}},
           "exports":[{"api":"example.com/x","path":"/x"}],
           "permissions":{"domains":[{"names":["example.com","*.example.org"],"reason":"news"}],
             "apps":[{"app":"db","port":"tcp/5432","reason":"its data"}],
             "inbound":[{"port":"tcp/8123","reason":"phones"}],
             "mesh":{"reason":"m"},"internet":{"reason":"maps"},"lan":{"reason":"lamps"}}"#,
    );
    let all = asks(&all);
    assert_eq!(
        words(&all),
        [
            "May reach every device in your home network",
            "May reach every computer on the Internet",
            "May reach your other boxes",
            "Runs once for the whole household, with one set of data for everybody",
            "Other devices at home may reach it at port 8123 (TCP)",
            "May reach your app db at tcp/5432",
            "May reach everything below example.org, example.com on the Internet",
            "Keeps data in 2 folders",
            "Offers 1 service to your other apps",
            "May use up to 1.5 GiB of memory",
        ]
    );
    assert_eq!(all.first().and_then(|ask| ask.reason.as_ref()).map(Reason::as_str), Some("lamps"));
    assert!(all.is_sorted_by_key(|ask| ask.weight));
}

#[test]
fn an_update_asks_only_what_is_more() {
    let old = with_permissions(
        r#"{"domains":[{"names":["*.example.com","a.org"],"reason":"x"}],"inbound":[{"port":"tcp/8123","reason":"x"}]}"#,
    );
    assert_eq!(added_by(&old, &old), []);
    let new = with_permissions(
        r#"{"domains":[{"names":["b.example.com","*.c.example.com","*.a.org","example.com"],"reason":"y"}],
            "inbound":[{"port":"tcp/8123","app_port":80,"reason":"y"}]}"#,
    );
    assert_eq!(
        words(&added_by(&old, &new)),
        [
            "Other devices at home may reach it at port 8123 (TCP)",
            "May reach everything below a.org, example.com on the Internet",
        ]
    );
    let internet = with_permissions(r#"{"internet":{"reason":"x"}}"#);
    assert_eq!(
        words(&added_by(&internet, &with_permissions(r#"{"domains":[{"names":["a.org"],"reason":"x"}]}"#))),
        [] as [&str; 0]
    );
    assert_eq!(words(&added_by(&old, &internet)), ["May reach every computer on the Internet"]);
}

#[test]
fn memory_folders_and_services_count_only_where_they_grow() {
    let with = |memory: u64, folders: &str, exports: &str| {
        manifest(&format!(
            r#""containers":{{"web":{{"image":"a","limits":{{"memory_bytes":{memory}}},"volumes":[{folders}]}}}},"exports":[{exports}]"#
        ))
    };
    let (a, b) = (r#"{"name":"a","target":"/a"}"#, r#"{"name":"b","target":"/b"}"#);
    let (x, y) = (r#"{"api":"a.org/x","path":"/x"}"#, r#"{"api":"a.org/y","path":"/y"}"#);
    let (old, less) = (with(1 << 30, a, x), with(1 << 29, a, x));
    assert_eq!(added_by(&old, &less), []);
    assert_eq!(words(&added_by(&less, &old)), ["May use up to 1 GiB of memory"]);
    let more = with(1 << 30, &format!("{a},{b}"), &format!("{x},{y}"));
    assert_eq!(
        words(&added_by(&old, &more)),
        ["Keeps data in 1 folder", "Offers 1 service to your other apps"]
    );
}
