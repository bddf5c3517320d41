//! The people of a household, and their vaults.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;
use hearthctl::client::Client;
use serde_json::json;

const FIRST: &str = "first password";
const NEXT: &str = "second password";

fn logged_in() -> (Household, Person) {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(home.login().iter().map(String::as_str), &["yes", PASSWORD]).well();
    (home, person)
}

/// Whether somebody can log in.
fn enters(home: &Household, name: &str, password: &str) -> bool {
    let client = Client::new(&home.url(), Some(Household::ADDRESS), home.certificate(), None);
    client.send("POST", "/session", Some(&json!({"name": name, "password": password}).to_string())).is_ok()
}

#[test]
fn the_owner_lets_somebody_in_resets_their_password_and_lets_them_go() {
    let (home, person) = logged_in();
    assert_eq!(person.types(["users"], &[]).well(), "  anna  owns the box\n");
    let wrong = person.types(["users", "add", "berta"], &["wrong password", FIRST]).failure();
    assert!(wrong.contains("not your password"), "{wrong}");
    let added = person.types(["users", "add", "berta"], &[PASSWORD, FIRST]).well();
    assert!(added.contains("berta may log in"), "{added}");
    let twice = person
        .pipes(["users", "add", "berta", "--password-stdin"], &format!("{PASSWORD}\n{FIRST}"))
        .failure();
    assert!(twice.contains("somebody of that name"), "{twice}");
    assert_eq!(person.types(["users"], &[]).well(), "  anna   owns the box\n  berta  member\n");
    assert!(enters(&home, "berta", FIRST));

    let reset = person.types(["users", "reset-password", "berta"], &[PASSWORD, NEXT]).well();
    assert!(reset.contains("recovery code only"), "{reset}");
    assert!(!enters(&home, "berta", FIRST) && enters(&home, "berta", NEXT));

    let owner = person.types(["users", "remove", "anna"], &[PASSWORD]).failure();
    assert!(owner.contains("owner"), "{owner}");
    person.types(["users", "remove", "berta"], &[PASSWORD]).well();
    assert!(!enters(&home, "berta", NEXT));
    let gone = person.types(["users", "remove", "berta"], &[PASSWORD]).failure();
    assert!(gone.contains("nobody"), "{gone}");
    assert_eq!(person.types(["users", "--json"], &[]).well().matches("name").count(), 1);
}

#[test]
fn a_rotation_asks_for_the_password_and_says_why_not() {
    let (_home, person) = logged_in();
    // Most file systems that tests run on encrypt nothing: what follows an open vault is hostd's to test.
    person.types(["vault", "lock"], &[]).well();
    let locked = person.types(["vault", "rotate"], &[PASSWORD]).failure();
    assert!(locked.contains("locked"), "{locked}");
    let nobody = person.pipes(["vault", "rotate"], PASSWORD).failure();
    assert!(nobody.contains("--password-stdin"), "{nobody}");
}
