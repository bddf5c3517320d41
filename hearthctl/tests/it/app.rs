//! Apps from the command line.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;
use hearthctl::client::Client;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

const MANIFEST: &str = r#"{"format":1,"id":"notes","title":"Notes","description":"Keeps what you write.","author":"Example Makers",
    "version":"1.0.0","containers":{"web":{"image":"notes:1","volumes":[{"name":"data","target":"/data"}]}},
    "display":{"port":8080},"permissions":{"lan":{"reason":"Finds your printer"},
    "domains":[{"names":["a.org"],"reason":"Fonts"}]}}"#;

fn logged_in() -> (Household, Person) {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(home.login().iter().map(String::as_str), &["yes", PASSWORD]).well();
    (home, person)
}

fn file(person: &Person, name: &str, text: &str) -> PathBuf {
    let path = person.folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn json(person: &Person, line: &str) -> Value {
    serde_json::from_str(&person.runs(line).well()).unwrap()
}

#[test]
fn an_app_is_installed_once_somebody_agreed_to_what_it_asks_for() {
    let (home, person) = logged_in();
    assert!(person.types(["app"], &[]).well().contains("There are no apps yet"));
    let path = file(&person, "hearth.json", MANIFEST);
    let path = path.to_str().unwrap();
    let no = person.types(["app", "install", path], &["n"]);
    crate::snapshot::compare("app-install-asks", &no.complained);
    no.failure();
    let nobody = person.pipes(["app", "install", path], "").failure();
    assert!(nobody.contains("--yes"), "{nobody}");
    let slip = person.types(["app", "install", path, "--yes", "--without", "internet"], &[]).failure();
    assert!(slip.contains("lan, domain:a.org"), "{slip}");
    assert!(home.containerd.asked().is_empty(), "until somebody agreed nothing is done");

    let installed = person.types(["app", "install", path, "--without", "lan"], &["y"]);
    assert!(installed.complained.contains("It asks for:"), "{installed:?}");
    let shown = installed.well();
    assert!(shown.contains("Notes 1.0.0 (notes)") && shown.contains("running"), "{shown}");
    let all = json(&person, "--json app list");
    assert_eq!((&all["apps"][0]["id"], &all["apps"][0]["state"]), (&"notes".into(), &"running".into()));
    assert!(person.types(["app", "list"], &[]).well().contains("notes  running  1.0.0  yours  Notes"));
    assert_eq!(json(&person, "app show notes --json")["granted"], serde_json::json!(["domain:a.org"]));
}

#[test]
fn permissions_are_given_and_taken_away() {
    let (_home, person) = logged_in();
    let path = file(&person, "hearth.json", MANIFEST);
    person.types(["app", "install", path.to_str().unwrap(), "--yes"], &[]).well();
    let has = |line: &str| person.runs(line).well();
    let all = has("app permissions notes");
    assert!(all.contains("yes  May reach every device in your home network"), "{all}");
    let taken = has("app permissions notes --revoke lan --revoke domain:a.org");
    assert_eq!(taken.matches("\n  no ").count() + usize::from(taken.starts_with("  no ")), 2, "{taken}");
    assert!(has("app permissions notes --grant domain:a.org").contains("yes  May reach a.org"));
    let strange = person.runs("app permissions notes --grant mesh").failure();
    assert!(strange.contains("does not ask for mesh"), "{strange}");
    let slip = person.runs("app permissions notes --revoke lan").failure();
    assert!(slip.contains("no permission \"lan\""), "{slip}");
}

#[test]
fn what_cannot_be_honoured_of_a_compose_file_is_listed() {
    let (home, person) = logged_in();
    let bad = "services:\n  web:\n    image: a\n    privileged: true\n    network_mode: host\n";
    let path = file(&person, "docker-compose.yml", bad);
    let refused = person.types(["app", "install", path.to_str().unwrap(), "--yes"], &[]).failure();
    for place in ["services.web.privileged (line 4)", "services.web.network_mode (line 5)"] {
        assert!(refused.contains(place), "{refused}");
    }
    assert!(home.containerd.asked().is_empty());
    let good = "services:\n  web:\n    image: wiki:2\n    container_name: x\n    environment:\n      SECRET: ${SECRET:?}\n";
    let path = file(&person, "docker-compose.yml", good);
    let words = ["app", "install", path.to_str().unwrap(), "--yes", "--title", "Wiki"];
    assert!(person.types(words, &[]).failure().contains("SECRET"));
    let words = words.into_iter().chain(["--var", "SECRET=hush", "--id", "our-wiki"]);
    let installed = person.types(words, &[]);
    assert!(installed.complained.contains("container_name"), "{installed:?}");
    assert!(installed.well().contains("(our-wiki)"));
    let shown = json(&person, "app show our-wiki --json").to_string();
    assert!(!shown.contains("hush"), "what an app is told is not shown: {shown}");
}

#[test]
fn an_app_goes_through_its_life() {
    let (home, person) = logged_in();
    person.types(["app", "install", "docker.io/library/nginx:1", "--yes"], &[]).well();
    let key = json(&person, "app show nginx --json")["key"].as_str().unwrap().to_owned();
    for what in ["stop", "start", "restart"] {
        person.runs(&format!("app {what} nginx")).well();
        assert!(home.containerd.asked().contains(&format!("{what} {key}")));
    }
    assert!(person.runs("app rename nginx pages").well().contains("pages"));
    assert!(person.runs("app show nginx").failure().contains("hearthctl app list"));
    assert_eq!(person.runs("app logs pages").well(), "line 1 of app\nline 2 of app\nline 3 of app\n");

    // Another image under the same tag that does not work: it is as before, and the reason is told.
    let bad = home.containerd.publish("docker.io/library/nginx:1", "bad");
    home.containerd.break_image(&bad);
    let data = home.containerd.data(&key);
    let failed = person.types(["app", "update", "pages", "--yes"], &[]).failure();
    assert!(failed.contains("code 1"), "{failed}");
    assert_eq!(home.containerd.data(&key), data);
    home.containerd.publish("docker.io/library/nginx:1", "good");
    let updated = person.types(["app", "update", "pages"], &["yes"]);
    assert!(updated.complained.contains("nothing more than it has"), "{updated:?}");
    updated.well();

    let unsaid = person.pipes(["app", "remove", "pages"], "").failure();
    assert!(unsaid.contains("--keep-data"), "{unsaid}");
    assert!(person.types(["app", "remove", "pages"], &[""]).well().contains("its data is kept"));
    assert!(home.containerd.data(&key).is_some());
    assert!(person.runs("app list").well().contains("removed, its data is kept"));
    person.types(["app", "install", "nginx:1", "--yes", "--data-of", "pages"], &[]).well();
    assert!(person.runs("app remove nginx --delete-data").well().contains("its data are gone"));
    assert_eq!((home.containerd.app(&key).is_none(), home.containerd.data(&key)), (true, None));
}

#[test]
fn an_installation_that_fails_says_why() {
    let (home, person) = logged_in();
    home.containerd.unpublish("docker.io/library/nothing:latest");
    let failed = person.types(["app", "install", "nothing", "--yes"], &[]).failure();
    assert!(failed.contains("the registry has no such image"), "{failed}");
    assert!(person.runs("app").well().contains("There are no apps yet"));
}

#[test]
fn logs_are_followed_until_the_app_is_gone() {
    let (home, person) = logged_in();
    person.types(["app", "install", "nginx:1", "--yes"], &[]).well();
    let key = json(&person, "app show nginx --json")["key"].as_str().unwrap().to_owned();
    let known = person.store.load().unwrap().unwrap();
    let client = Client::new(&home.url(), Some(Household::ADDRESS), home.certificate(), known.session);
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| person.runs("app logs nginx --follow"));
        home.wait_until("the log is followed", || home.containerd.asked().contains(&format!("logs {key} 4")));
        client.send("DELETE", &format!("/apps/{key}?data=delete"), None).unwrap();
        assert_eq!(follower.join().unwrap().well(), "line 1 of app\nline 2 of app\nline 3 of app\n");
    });
}
