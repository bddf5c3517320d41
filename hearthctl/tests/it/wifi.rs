//! Wi-Fi: what is shown, and joining networks that let the box in or do not.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;
use crate::snapshot::compare;
use hostd::net::fake::Neighbour;
use model::network::wifi::WifiWish;
use serde_json::Value;

const RIGHT: &str = "seven kettles";

fn logged_in() -> (Household, Person) {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(home.login().iter().map(String::as_str), &["yes", PASSWORD]).well();
    (home, person)
}

/// A box with a radio, and two networks around it.
fn with_radio() -> (Household, Person) {
    let (home, person) = logged_in();
    let near = |name: &str, passphrase: Option<&str>, signal| Neighbour {
        ssid: name.parse().unwrap(),
        passphrase: passphrase.map(|text| text.parse().unwrap()),
        signal,
    };
    home.netd.comes_near(near("Our home", Some(RIGHT), 88));
    home.netd.comes_near(near("Library", None, 7));
    (home, person)
}

#[test]
fn without_a_radio_nothing_is_asked_and_nothing_is_sent() {
    let (home, person) = logged_in();
    assert_eq!(person.runs("wifi").well(), "This box has no Wi-Fi.\n");
    let failure = person.types(["wifi", "join", "Home"], &[]).failure();
    assert_eq!(failure, "hearthctl: this box has no wireless device\n");
    assert!(home.netd.wifi_wishes().is_empty());
    let refused = person.runs("wifi country DE").failure();
    assert!(refused.contains("this box has no wireless device. Nothing was changed."), "{refused}");
    home.netd.report_nothing();
    assert!(person.runs("wifi").failure().contains("does not say how its Wi-Fi is"));
}

#[test]
fn a_wrong_password_is_said_and_the_right_one_lets_the_box_in() {
    let (_home, person) = with_radio();
    compare("wifi-before-a-look", &person.runs("wifi").well());
    let join = ["wifi", "join", "Our home"];
    let wrong = person.types(join, &["eight kettles"]).failure();
    assert_eq!(
        wrong,
        "The box joins \"Our home\". It may not answer for a moment.\n\
         hearthctl: the network \"Our home\" did not accept the password\n"
    );
    assert!(
        person.runs("wifi").well().contains("  ! the network \"Our home\" did not accept the password\n")
    );
    assert_eq!(person.types(join, &[RIGHT]).well(), "The box is in \"Our home\".\n");
    assert_eq!(person.runs("wifi country DE").well(), "The box heeds the rules for radio of DE.\n");
    // It is known now: nothing is asked.
    assert_eq!(person.types(join, &[]).well(), "The box is in \"Our home\".\n");
    compare("wifi", &person.runs("wifi look").well());
    let json: Value = serde_json::from_str(&person.runs("--json wifi").well()).unwrap();
    assert_eq!((&json["network"], &json["country"]), (&"Our home".into(), &"DE".into()));
}

#[test]
fn passwords_come_from_standard_input_too_and_are_checked_before_anything_is_sent() {
    let (home, person) = with_radio();
    let join = ["wifi", "join", "Our home", "--passphrase-stdin"];
    let short = person.pipes(join, "short\n").failure();
    assert!(short.contains("8 to 63 characters of ASCII") && !short.contains("short"), "{short}");
    let nobody = person.pipes(["wifi", "join", "Our home"], "").failure();
    assert!(nobody.contains("Give the password of the network on standard input"), "{nobody}");
    assert!(home.netd.wifi_wishes().is_empty());
    person.pipes(join, &format!("{RIGHT}\n")).well();
    let wish = WifiWish::Join { ssid: "Our home".parse().unwrap(), passphrase: Some(RIGHT.parse().unwrap()) };
    assert_eq!(home.netd.wifi_wishes(), [wish]);
}

#[test]
fn an_open_network_needs_no_password_and_one_out_of_reach_stays_wanted() {
    let (_home, person) = with_radio();
    assert_eq!(
        person.types(["wifi", "join", "Library", "--open"], &[]).well(),
        "The box is in \"Library\".\n"
    );
    let far = person.types(["wifi", "join", "Elsewhere"], &[RIGHT]).failure();
    assert!(far.ends_with("the network \"Elsewhere\" is not in reach\nThe box goes on trying.\n"), "{far}");
    assert!(person.runs("wifi").well().starts_with("The box looks for \"Elsewhere\".\n"));
}

#[test]
fn a_forgotten_network_asks_for_its_password_again() {
    let (_home, person) = with_radio();
    let refused = person.pipes(["wifi", "forget", "Our home"], "").failure();
    assert!(refused.contains("no network \"Our home\" is known"), "{refused}");
    person.types(["wifi", "join", "Our home"], &[RIGHT]).well();
    let forgotten = person.pipes(["wifi", "forget", "Our home"], "").well();
    assert_eq!(forgotten, "The box has forgotten \"Our home\" and its password.\n");
    assert!(person.runs("wifi").well().starts_with("The box is in no Wi-Fi network.\n"));
    assert!(person.pipes(["wifi", "join", "Our home"], "").failure().contains("standard input"));
}
