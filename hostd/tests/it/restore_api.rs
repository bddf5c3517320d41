//! A backup and a recovery kit make a new box the same household; whatever is wrong with them leaves it as new as it was.

use crate::backups_api::Home;
use crate::backups_api::flip_all_data;
use crate::harness::claim_code;
use crate::harness::login_body;
use crate::harness::wait_until;
use crate::schema::faults;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;

/// A household with a backup on the disk; its kit as text, and the certificate of its authority.
async fn saved(disk: &Path) -> (Home, Value, Vec<u8>) {
    let home = Home::set_up(disk).await;
    assert_eq!(home.choose_disk().await.status, 200);
    let kit = home.kit().await;
    let view = home.run("/backups/run").await;
    assert_eq!(view["last_backup"]["problem"], Value::Null, "{view}");
    let authority = home.running.app.authority.certificate().to_vec();
    (home, kit, authority)
}

pub(crate) async fn restore(home: &Home, kit: &str) -> Value {
    let body = json!({"claim_code": claim_code(&home.running.app), "kit": kit});
    let asked = home.send("POST", "/setup/restore", &body).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    wait_until("the restore ends", async || state(home).await["state"] != "running").await;
    state(home).await
}

async fn state(home: &Home) -> Value {
    let answer = home.send("GET", "/setup/restore", &Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let state = answer.json();
    assert_eq!(faults(&state, "RestoreView"), Vec::<String>::new());
    state
}

#[tokio::test]
async fn a_new_box_becomes_the_same_household() {
    let disk = tempfile::tempdir().unwrap();
    let (old, kit, authority) = saved(disk.path()).await;
    old.running.stop().await;

    let new = Home::new(disk.path()).await;
    assert!(new.storaged.number().is_some(), "the new box has no counter against older copies to test with");
    assert_eq!(state(&new).await["state"], "none");
    let wrong = json!({"claim_code": "0000-0000-0000", "kit": kit["text"]});
    assert_eq!(new.send("POST", "/setup/restore", &wrong).await.error().1, "wrong_claim_code");
    let done = restore(&new, kit["text"].as_str().unwrap()).await;
    assert_eq!(done["state"], "done", "{done}");

    let mut new = new.start_anew().await;
    assert_eq!(new.running.app.authority.certificate().as_ref(), authority);
    let status = new.send("GET", "/status", &Value::Null).await.json();
    assert_eq!((&status["state"], &status["hostname"]), (&json!("ready"), &json!("hearth")), "{status}");
    let stranger = new.send("GET", "/setup/restore", &Value::Null).await;
    assert_eq!(stranger.error().1, "already_set_up");
    new.cookie.clone_from(&old.cookie);
    assert_eq!(new.send("GET", "/session", &Value::Null).await.status, 401, "an old session came back");
    let login = serde_json::from_str(&login_body(crate::harness::PASSWORD)).unwrap();
    let login = new.send("POST", "/session", &login).await;
    assert_eq!(login.status, 200, "{login:?}");
    new.cookie = login.cookie();
    assert_eq!(new.view().await["settings"]["target"]["type"], "usb_disk", "it does not go on with backups");
    assert!(
        !new.folder.path().join("state/store.restored").exists(),
        "the store of the new box is left over"
    );

    // Nothing of the exchange is asked about again.
    let again = new.start_anew().await;
    assert_eq!(again.send("GET", "/status", &Value::Null).await.json()["state"], "ready");
}

#[tokio::test]
async fn what_is_damaged_foreign_or_incomplete_changes_nothing() {
    let (disk, other_disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_home, kit, _) = saved(disk.path()).await;
    let (_stranger, foreign, _) = saved(other_disk.path()).await;
    let kit = kit["code"].as_str().unwrap();

    let new = Home::new(disk.path()).await;
    let before = new.running.app.authority.certificate().to_vec();
    let unreadable = json!({"claim_code": claim_code(&new.running.app), "kit": "1 nonsense"});
    let refused = new.send("POST", "/setup/restore", &unreadable).await;
    assert_eq!((refused.error().1.as_str(), refused.error().2.as_deref()), ("invalid_field", Some("kit")));

    let told = async |what: &str, kit: &str| {
        let state = restore(&new, kit).await;
        assert_eq!(state["state"], "refused", "{what}: {state}");
        let status = new.send("GET", "/status", &Value::Null).await.json();
        assert_eq!(status["state"], "setup", "{what}");
        state["problem"].as_str().unwrap().to_owned()
    };
    let why = told("another household's kit", foreign["text"].as_str().unwrap()).await;
    assert!(why.contains("belongs to household"), "{why}");
    new.storaged.plug_in(None);
    let why = told("no disk", kit).await;
    assert!(why.contains("no disk is plugged in"), "{why}");

    let damaged = tempfile::tempdir().unwrap();
    for (what, harm) in [("flipped", flip_all_data as fn(&Path)), ("cut short", cut_all_data)] {
        let copy = damaged.path().join(what);
        copy_all(disk.path(), &copy);
        harm(&copy);
        new.storaged.plug_in(Some(copy));
        told(what, kit).await;
    }
    let empty = damaged.path().join("empty");
    fs::create_dir(&empty).unwrap();
    new.storaged.plug_in(Some(empty));
    let why = told("an empty disk", kit).await;
    assert!(why.contains("there is no backup"), "{why}");

    // After all of that it is the new box it was, and takes a backup that is whole.
    assert!(!new.storaged.disk_is_mounted());
    let new = new.start_anew().await;
    assert_eq!(new.running.app.authority.certificate().as_ref(), before);
    new.storaged.plug_in(Some(disk.path().to_owned()));
    wait_until("storaged is there", async || new.running.app.storaged.report().await.is_ok()).await;
    assert_eq!(restore(&new, kit).await["state"], "done");
}

fn cut_all_data(repository: &Path) {
    for folder in fs::read_dir(repository.join("data")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = fs::File::options().write(true).open(file.unwrap().path()).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }
    }
}

pub(crate) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
