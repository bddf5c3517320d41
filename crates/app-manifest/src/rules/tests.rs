use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn holds(rule: &Rule, good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(rule.takes(text), "{}: {text:?}", rule.format);
    }
    for text in bad {
        assert!(!rule.takes(text), "{}: {text:?}", rule.format);
    }
}

#[test]
fn names_of_rules_are_different() {
    assert_eq!(ALL.iter().map(|rule| rule.format).collect::<BTreeSet<_>>().len(), ALL.len());
}

#[test]
fn texts_for_people_show_all_that_they_have() {
    let long = "x".repeat(121);
    holds(
        &LINE,
        &["Notes", "Größe ü 家", "a  b"],
        &["", " a", "a ", "a\nb", "a\tb", "a\u{202e}b", "a\u{200b}", &long],
    );
    holds(&DESCRIPTION, &["a\nb", "a"], &["", " \n", "a\u{7}", "a\u{2066}b"]);
}

#[test]
fn variables_of_the_box_and_of_the_linker_are_not_for_apps() {
    holds(
        &ENV_NAME,
        &["PATH", "_x", "discovery.type", "ATEK", "LD_LIBRARY_PATHS", "MY_HEARTH_X"],
        &[
            "",
            "1A",
            "A=B",
            "A B",
            "ATEK_X",
            "HEARTH_HOST_PORT",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "LD_AUDIT",
            "\u{c4}",
        ],
    );
    holds(&ENV_VALUE, &["", "a\tb", "\u{e9}"], &["a\nb", "a\0", "a\r"]);
}

#[test]
fn paths_stay_where_they_are() {
    holds(&CONTAINER_PATH, &["/", "/a", "/a/b.c"], &["", "a", "/a/", "/a//b", "/a/../b", "/./a", "/a\0"]);
    let bad = ["http://evil/", "//x", "/..", "/a/../b", "/%2e%2e", "/a?b", "/a#b", "/a b", "a", "", "/a\\b"];
    holds(&HTTP_PATH, &["/", "/api/v1", "/a/"], &bad);
}

#[test]
fn apis_have_a_domain() {
    let bad =
        ["notes", "example/notes", "/notes", "example.com/", "example.com/..", "Example.com/a", "1.2.3.4/a"];
    holds(&API_ID, &["example.com/notes", "a.example.com/b/c.d"], &bad);
}

#[test]
fn images_are_named_as_registries_do() {
    let digest = format!("ghcr.io/a/b:1@sha256:{}", "0a".repeat(32));
    holds(
        &IMAGE,
        &[
            "redis",
            "redis:7.2",
            "library/redis",
            "localhost:5000/a/b:x",
            "ghcr.io/A".to_lowercase().as_str(),
            &digest,
        ],
        &[
            "",
            "Redis",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a:b:c",
            "a@sha256:00",
            "a b",
            "http://a/b",
            "a..b/-c",
            "x.io:0/a",
        ],
    );
}

#[test]
fn users_are_of_the_apps_range() {
    holds(&USER, &["0", "1000:1000", "www-data", "a:65535"], &["", ":", "1:", "65536", "-a", "a:b:c", "a b"]);
}

#[test]
fn semantic_versions_have_three_numbers() {
    holds(&VERSION, &["1.2.3", "0.0.1-rc.1+x"], &["1.2", "v1.2.3", "1.2.3.4", "01.2.3"]);
}

/// A value that fits the pattern and its length is refused only for what no pattern can say.
fn agrees_with_its_pattern(rule: &'static Rule) -> Result<(), TestCaseError> {
    let Some(pattern) = rule.pattern else { return Ok(()) };
    let texts = proptest::string::string_regex(pattern.trim_start_matches('^').trim_end_matches('$'));
    let mut runner = proptest::test_runner::TestRunner::default();
    let texts = texts.expect(rule.format);
    runner
        .run(&texts, |text| {
            let fits = (rule.least..=rule.most).contains(&text.chars().count());
            prop_assert_eq!(rule.takes(&text), fits, "{}: {:?}", rule.format, text);
            Ok(())
        })
        .map_err(|error| TestCaseError::fail(error.to_string()))
}

#[test]
fn names_are_what_their_patterns_say() {
    for rule in [&CONTAINER_NAME, &VOLUME_NAME, &ENV_NAME, &ENV_VALUE, &ARGUMENT] {
        agrees_with_its_pattern(rule).unwrap();
    }
}

proptest! {
    #[test]
    fn no_text_breaks_a_rule_and_what_is_taken_fits_its_length(text in ".{0,300}") {
        for rule in ALL {
            if rule.takes(&text) {
                prop_assert!(text.chars().count() <= rule.most);
            }
        }
    }
}
