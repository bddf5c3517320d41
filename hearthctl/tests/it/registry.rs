//! Registries of images.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;

#[test]
fn the_owner_says_how_registries_are_reached() {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(home.login().iter().map(String::as_str), &["yes", PASSWORD]).well();
    assert!(person.types(["registry"], &[]).well().starts_with("Every registry is spoken to over HTTPS"));
    let plain = person.types(["registry", "set", "192.168.1.9:5000", "--plain"], &[]).well();
    assert_eq!(plain, "  192.168.1.9:5000  plain HTTP\n");
    let wish = ["registry", "set", "ghcr.io", "--user", "ada", "--mirror", "mirror.example.net"];
    person.types(wish, &["a token"]).well();
    person
        .pipes(["registry", "set", "quay.io", "--user", "ada", "--password-stdin"], "another token\n")
        .well();
    let all = person.types(["registry"], &[]).well();
    assert_eq!(
        all,
        "  192.168.1.9:5000  plain HTTP\n  ghcr.io           HTTPS, logs in as ada, asks first mirror.example.net\n  \
         quay.io           HTTPS, logs in as ada\n"
    );
    assert!(!person.types(["registry", "--json"], &[]).well().contains("token"));
    let kept = home.app.apps.registries();
    let login = kept.0[&"ghcr.io".parse().unwrap()].login.clone().unwrap();
    assert_eq!((login.user.as_str(), login.password.as_str()), ("ada", "a token"));
    let odd = person.types(["registry", "set", "https://ghcr.io", "--plain"], &[]).failure();
    assert!(odd.contains("called like a host"), "{odd}");
    person.types(["registry", "forget", "ghcr.io"], &[]).well();
    let gone = person.types(["registry", "forget", "ghcr.io"], &[]).failure();
    assert!(gone.contains("Nothing was said"), "{gone}");
}
