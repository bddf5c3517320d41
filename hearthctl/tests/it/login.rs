//! Trusting a box, and no other.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;
use hearthctl::config::Store;

fn words(arguments: &[String]) -> impl Iterator<Item = &str> {
    arguments.iter().map(String::as_str)
}

#[test]
fn a_person_compares_the_fingerprint_once_and_types_their_password() {
    let (home, person) = (Household::owned(0), Person::new());
    let first = person.types(words(&home.login()), &["yes", PASSWORD]);
    let shown: String = first
        .complained
        .split_whitespace()
        .filter(|word| word.contains(':') && word.len() == 47)
        .collect::<Vec<_>>()
        .join(":");
    assert_eq!(shown, home.fingerprint(), "{}", first.complained);
    assert_eq!(first.well(), format!("Logged in to {} as anna.\n", home.url()));
    assert!(person.runs("status").well().contains("services"));

    let file = std::fs::read_to_string(person.folder.path().join("hearthctl.json")).unwrap();
    assert!(!file.contains(PASSWORD));

    let again = person.types(["login"], &["anna", PASSWORD]);
    assert!(!again.complained.contains(':'), "the box is known: {again:?}");
    again.well();
    assert_eq!(person.runs("logout").well(), format!("Logged out of {}.\n", home.url()));
    assert!(person.runs("status").well().contains("after hearthctl login"));
    assert!(person.runs("network").failure().contains("hearthctl login"));
    person.runs("logout --forget").well();
    assert!(person.runs("status").failure().contains("no box is known here"));
}

#[test]
fn a_program_gives_fingerprint_and_password() {
    let (home, person) = (Household::owned(0), Person::new());
    let mut arguments = home.login();
    arguments.extend(
        ["--password-stdin", "--fingerprint", &home.fingerprint().replace(':', "").to_lowercase()]
            .map(str::to_owned),
    );
    person.pipes(words(&arguments), &format!("{PASSWORD}\n")).well();
    let status: serde_json::Value = serde_json::from_str(&person.runs("--json status").well()).unwrap();
    assert_eq!(status["status"]["hostname"], "hearth");
}

#[test]
fn a_wrong_fingerprint_or_nobody_to_compare_it_is_refused_before_anything_is_sent() {
    let (home, other) = (Household::owned(0), Household::new(0));
    let person = Person::new();
    let mut arguments = home.login();
    arguments.extend(["--password-stdin".to_owned(), "--fingerprint".to_owned(), other.fingerprint()]);
    let failure = person.pipes(words(&arguments), PASSWORD).failure();
    assert!(failure.contains(&home.fingerprint()) && failure.contains(&other.fingerprint()), "{failure}");
    *arguments.last_mut().unwrap() = "AB:CD".to_owned();
    assert!(person.pipes(words(&arguments), PASSWORD).failure().contains("64 hexadecimal digits"));

    let mut alone = home.login();
    alone.push("--password-stdin".to_owned());
    assert!(person.pipes(words(&alone), PASSWORD).failure().contains("--fingerprint"));
    assert!(person.types(words(&home.login()), &["y"]).failure().contains("not the one you expect"));
    assert_eq!(person.store.load().unwrap(), None, "nothing is kept");
}

#[test]
fn a_certificate_that_does_not_fit_the_box_is_refused() {
    let (home, other, person) = (Household::owned(0), Household::new(0), Person::new());
    let mut arguments = home.login();
    let at = arguments.iter().position(|word| *word == home.certificate_url()).unwrap();
    arguments[at] = other.certificate_url();
    let failure = person.types(words(&arguments), &["yes"]).failure();
    assert!(failure.contains("not from the household"), "{failure}");
    assert_eq!(person.store.load().unwrap(), None);
}

#[test]
fn another_box_at_the_same_address_is_refused() {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(words(&home.login()), &["yes", PASSWORD]).well();
    let port = home.port();
    home.stop();
    let unreachable = person.runs("status").failure();
    assert!(
        unreachable.contains("reach https://hearth.local") && unreachable.contains("power"),
        "{unreachable}"
    );

    let other = Household::owned(port);
    for line in ["status", "network", "login", "--json network rules"] {
        let failure = person.runs(line).failure();
        assert!(failure.contains("not from the household") && failure.contains("--fingerprint"), "{failure}");
    }
    let mut arguments = other.login();
    arguments.extend(["--fingerprint".to_owned(), other.fingerprint()]);
    person.types(words(&arguments), &[PASSWORD]).well();
    person.runs("network").well();
}

#[test]
fn a_session_that_ended_elsewhere_says_so() {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(words(&home.login()), &["yes", PASSWORD]).well();
    let elsewhere = Person::new();
    elsewhere.store.save(&person.store.load().unwrap().unwrap()).unwrap();
    elsewhere.runs("logout").well();
    let failure = person.runs("network").failure();
    assert_eq!(
        failure,
        "hearthctl: you are logged out: the session was not used for seven days, or was ended elsewhere\n\
         Log in again: hearthctl login\n"
    );
    person.runs("logout").well();
}

#[test]
fn what_the_box_says_of_a_login_is_passed_on() {
    let (home, person) = (Household::owned(0), Person::new());
    let wrong = person.types(words(&home.login()), &["yes", "wrong horse"]).failure();
    assert!(wrong.contains("Name or password is wrong."), "{wrong}");
    let fresh = Household::new(0);
    let early = person.types(words(&fresh.login()), &["yes"]).failure();
    assert!(early.contains("has no owner yet"), "{early}");
    assert!(person.pipes(["login", "http://hearth.local"], "").failure().contains("https://"));
    assert_eq!(person.store.load().unwrap(), None);
    let nowhere = Store::at(std::path::Path::new("/dev/null/x"));
    nowhere.load().unwrap_err();
}
