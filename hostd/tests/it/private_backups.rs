//! Private files in backups: the recovery kit opens the backup, and only their user opens them.

use crate::backups_api::Home;
use crate::harness::Answer;
use crate::harness::Client;
use crate::harness::PASSWORD;
use crate::harness::login_body;
use crate::harness::wait_until;
use crate::restore_api::copy_all;
use crate::restore_api::restore;
use crate::schema::faults;
use backup::Control;
use backup::FolderTarget;
use backup::Owner;
use backup::Pick;
use backup::RecoveryKit;
use backup::Restoring;
use backup::Series;
use backup::Target;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use tempfile::TempDir;

const MARKER: &[u8] = b"marker 7be2 of a letter to nobody else";
const NAME: &str = "letter-5c1d.txt";
const BETTER: &str = "better horse battery";

impl Home {
    async fn put(&self, name: &str, content: &[u8]) {
        let mut request = format!(
            "PUT /api/v1/vault/files/{name} HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\ncookie: {}\r\n\
             content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
            self.cookie,
            content.len()
        )
        .into_bytes();
        request.extend_from_slice(content);
        let answer = Client::of(&self.running).exchange("hearth.local", &request).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &Value::Null).await
    }

    async fn lock(&self) {
        assert_eq!(self.send("POST", "/vault/lock", &json!({})).await.json()["state"], "locked");
    }

    async fn unlock(&self) {
        let answer = self.send("POST", "/vault/unlock", &json!({"password": PASSWORD})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    async fn log_in(&mut self, password: &str) -> u16 {
        let answer =
            self.send("POST", "/session", &serde_json::from_str(&login_body(password)).unwrap()).await;
        if answer.status == 200 {
            self.cookie = answer.cookie();
        }
        answer.status
    }

    /// The vault, once nothing is being opened in it.
    async fn vault(&self) -> Value {
        wait_until("the files are opened", async || {
            self.get("/vault").await.json()["opening"] == Value::Null
        })
        .await;
        let vault = self.get("/vault").await.json();
        assert_eq!(faults(&vault, "VaultView"), Vec::<String>::new());
        vault
    }

    /// Names, lengths, times, and contents of all private files.
    async fn private(&self) -> Vec<(Value, Vec<u8>)> {
        let listed = self.get("/vault/files").await;
        assert_eq!(listed.status, 200, "{listed:?}");
        let mut all = Vec::new();
        for file in listed.json()["files"].as_array().unwrap() {
            let content = self.get(&format!("/vault/files/{}", file["name"].as_str().unwrap())).await;
            assert_eq!(content.status, 200, "{content:?}");
            all.push((file.clone(), content.body));
        }
        all
    }

    async fn back_up(&self) -> Value {
        let view = self.run("/backups/run").await;
        assert_eq!(view["last_backup"]["problem"], Value::Null, "{view}");
        view
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn sealed(&self) -> PathBuf {
        self.state().join("sealed")
    }
}

/// Every file below a folder.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

fn size(folder: &Path) -> u64 {
    all_files(folder).iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

fn shows(folder: &Path, wanted: &[u8]) -> bool {
    let holds = |path: &PathBuf| fs::read(path).unwrap().windows(wanted.len()).any(|window| window == wanted);
    all_files(folder).iter().any(|path| path.to_str().unwrap().contains(NAME) || holds(path))
}

/// A household with private files in its backup, the files, its kit.
async fn saved(disk: &Path) -> (Home, Vec<(Value, Vec<u8>)>, String) {
    let home = Home::set_up(disk).await;
    home.choose_disk().await;
    home.put(NAME, MARKER).await;
    home.put("empty", b"").await;
    home.put("film", &vec![7; 3_000_000]).await;
    let kit = home.kit().await["code"].as_str().unwrap().to_owned();
    home.back_up().await;
    let files = home.private().await;
    assert_eq!(files.len(), 3);
    (home, files, kit)
}

/// A new box with all of that restored, before anybody has logged in.
async fn restored(disk: &Path, kit: &str) -> Home {
    let new = Home::new(disk).await;
    let done = restore(&new, kit).await;
    assert_eq!(done["state"], "done", "{done}");
    new.start_anew().await
}

#[tokio::test]
async fn they_are_saved_while_their_vault_is_open_and_the_kit_does_not_open_them() {
    let disk = tempfile::tempdir().unwrap();
    let (home, files, kit) = saved(disk.path()).await;
    let view = home.view().await;
    let told = &view["private_files"][0];
    let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
    assert_eq!((&told["user"], &told["files"], &told["bytes"]), (&json!("anna"), &json!(3), &json!(bytes)));
    assert!(told["at"].is_u64() && told["problem"].is_null(), "{view}");
    assert_eq!((&view["left_out"], &view["problems"]), (&json!(["network_settings"]), &json!([])));
    assert_eq!(home.run("/backups/drill").await["last_drill"]["problem"], Value::Null);

    // Everything that the kit opens.
    let kit = RecoveryKit::parse(&kit).unwrap();
    let owner = Owner { household: kit.household, key: kit.key };
    let place = FolderTarget { path: disk.path().to_owned(), mounted_at: None };
    let archive = fs::read_dir(home.state().join("users")).unwrap().next().unwrap().unwrap().file_name();
    let archive = archive.into_string().unwrap();
    for series in [Series::Household, Series::Private { archive }] {
        let into = tempfile::tempdir().unwrap();
        let restoring =
            Restoring { series, snapshot: Pick::Newest, into: into.path().to_owned(), owners: false };
        let target = Target::Folder(place.clone());
        let report = backup::restore(&owner, &target, &restoring, &Control::default()).unwrap();
        assert!(report.files > 0);
        assert!(!shows(into.path(), MARKER), "the kit shows a private file");
    }
    assert!(shows(&home.state(), MARKER), "it is looked for wrongly");
}

#[tokio::test]
async fn a_locked_vault_keeps_what_was_saved_and_is_saved_when_it_opens_if_that_is_old() {
    let disk = tempfile::tempdir().unwrap();
    let home = Home::set_up(disk.path()).await;
    home.put(NAME, MARKER).await;
    home.lock().await;
    home.choose_disk().await;
    home.kit().await;
    let view = home.back_up().await;
    assert_eq!(view["private_files"][0]["at"], Value::Null, "{view}");
    assert_eq!(view["left_out"], json!(["private_files", "network_settings"]));
    let problem = view["problems"][0].as_str().unwrap();
    assert!(problem.starts_with("the private files of anna are in no backup yet"), "{view}");
    assert_eq!(
        home.run("/backups/drill").await["last_drill"]["problem"],
        Value::Null,
        "there is nothing of them"
    );

    // Nobody asks for this one.
    home.unlock().await;
    wait_until("the files are saved", async || home.view().await["private_files"][0]["at"].is_u64()).await;
    wait_until("the task ends", async || home.view().await["running"].is_null()).await;
    home.put("second", b"x").await;
    home.lock().await;
    let view = home.back_up().await;
    assert_eq!((&view["private_files"][0]["files"], &view["problems"]), (&json!(1), &json!([])), "{view}");
    assert_eq!(
        home.run("/backups/drill").await["last_drill"]["problem"],
        Value::Null,
        "it is proved unopened"
    );
    home.unlock().await;
    assert_eq!(home.back_up().await["private_files"][0]["files"], 2);
}

#[tokio::test]
async fn a_new_box_shows_them_after_their_users_password_and_not_before() {
    let disk = tempfile::tempdir().unwrap();
    let (old, files, kit) = saved(disk.path()).await;
    old.running.stop().await;
    let mut new = restored(disk.path(), &kit).await;
    assert!(new.sealed().is_dir() && !shows(&new.state(), MARKER));
    assert_eq!(new.log_in("wrong horse").await, 401);
    assert!(new.sealed().is_dir() && !shows(&new.state(), MARKER), "a wrong password opened something");

    assert_eq!(new.log_in(PASSWORD).await, 200);
    let vault = new.vault().await;
    assert_eq!((&vault["state"], &vault["problem"]), (&json!("open"), &Value::Null), "{vault}");
    assert_eq!(new.private().await, files);
    assert!(!new.sealed().exists(), "sealed copies were left");

    // The new box goes on where the old one was: the same bytes are stored once.
    let before = size(disk.path());
    let view = new.back_up().await;
    assert_eq!(view["private_files"][0]["files"], 3, "{view}");
    assert!(size(disk.path()) < before + 500_000, "everything was stored again");
    assert_eq!(new.run("/backups/drill").await["last_drill"]["problem"], Value::Null);
    let new = new.start_anew().await;
    new.unlock().await;
    assert_eq!(new.private().await, files);
}

#[tokio::test]
async fn another_key_of_the_vault_changes_nothing_about_what_was_saved() {
    let disk = tempfile::tempdir().unwrap();
    let (home, files, kit) = saved(disk.path()).await;
    let rotated = home.send("POST", "/vault/rotate", &json!({"password": PASSWORD})).await;
    assert_eq!(rotated.status, 202, "{rotated:?}");
    wait_until("the key is changed", async || home.get("/vault").await.json()["rotation"].is_null()).await;
    assert_eq!(home.get("/vault").await.json()["problem"], Value::Null);
    let home = home.start_anew().await;
    home.unlock().await;
    let before = size(disk.path());
    assert_eq!(home.back_up().await["private_files"][0]["files"], 3);
    assert!(size(disk.path()) < before + 500_000, "everything was stored again");
    home.running.stop().await;
    let mut new = restored(disk.path(), &kit).await;
    assert_eq!(new.log_in(PASSWORD).await, 200);
    assert_eq!(new.vault().await["problem"], Value::Null);
    assert_eq!(new.private().await, files);
}

#[tokio::test]
async fn a_new_box_shows_them_after_their_users_recovery_code() {
    let disk = tempfile::tempdir().unwrap();
    let home = Home::set_up(disk.path()).await;
    let made = home.send("POST", "/vault/recovery-code", &json!({"password": PASSWORD})).await.json();
    let code = made["recovery_code"].as_str().unwrap().to_owned();
    home.choose_disk().await;
    home.put(NAME, MARKER).await;
    let kit = home.kit().await["code"].as_str().unwrap().to_owned();
    home.back_up().await;
    let files = home.private().await;
    home.running.stop().await;

    let mut new = restored(disk.path(), &kit).await;
    let reset = |code: &str| json!({"name": "anna", "recovery_code": code, "new": BETTER});
    let foreign = "0000-0000-0000-0000-0000-0000-0000-0000-01MV";
    assert_eq!(new.send("POST", "/account/reset", &reset(foreign)).await.status, 403);
    assert!(new.sealed().is_dir() && !shows(&new.state(), MARKER));
    assert_eq!(new.send("POST", "/account/reset", &reset(&code)).await.status, 204);
    assert_eq!(new.log_in(BETTER).await, 200);
    assert_eq!(new.vault().await["state"], "open");
    assert_eq!(new.private().await, files);
    new.lock().await;
    let unlocked = new.send("POST", "/vault/unlock", &json!({"recovery_code": code})).await;
    assert_eq!(unlocked.status, 200, "{unlocked:?}");
    assert_eq!(new.private().await, files);
}

#[tokio::test]
async fn what_does_not_open_is_named_until_it_is_written_anew_and_the_rest_is_there() {
    let disk = tempfile::tempdir().unwrap();
    let (old, files, kit) = saved(disk.path()).await;
    old.running.stop().await;
    let mut new = restored(disk.path(), &kit).await;
    let film =
        all_files(&new.sealed()).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&film).unwrap();
    bytes[1_500_000] ^= 1;
    fs::write(&film, bytes).unwrap();

    assert_eq!(new.log_in(PASSWORD).await, 200);
    let vault = new.vault().await;
    assert_eq!(vault["state"], "open");
    let problem = vault["problem"].as_str().unwrap();
    assert!(problem.contains("film") && problem.contains("damaged") && !problem.contains(NAME), "{problem}");
    let (left, _film): (Vec<_>, Vec<_>) = files.into_iter().partition(|(file, _)| file["name"] != "film");
    assert_eq!(new.private().await, left);
    new.lock().await;
    new.unlock().await;
    assert!(new.vault().await["problem"].as_str().unwrap().contains("film"), "it was forgotten");
    new.put("film", b"another one").await;
    new.lock().await;
    new.unlock().await;
    assert_eq!(new.vault().await["problem"], Value::Null);
    assert!(!new.sealed().exists());
}

#[tokio::test]
async fn a_cut_while_they_are_opened_costs_nothing() {
    let disk = tempfile::tempdir().unwrap();
    let (old, files, kit) = saved(disk.path()).await;
    old.running.stop().await;
    let restored = restored(disk.path(), &kit).await;
    let before: TempDir = tempfile::tempdir().unwrap();
    copy_all(&restored.sealed(), &before.path().join("sealed"));
    let mut new = restored;
    assert_eq!(new.log_in(PASSWORD).await, 200);
    assert_eq!(new.vault().await["state"], "open");
    let vault = fs::read_dir(new.state().join("users")).unwrap().next().unwrap().unwrap().path();
    let folder = vault.join("1");
    let sealed = new.sealed();
    let name = vault.file_name().unwrap().to_owned();
    // What each cut leaves: files that are opened, sealed copies that are not removed yet, half a file, a folder that was to go.
    for cut in 0..4 {
        copy_all(&before.path().join("sealed"), &sealed);
        match cut {
            0 => fs::remove_file(folder.join("film")).unwrap(),
            1 => {
                fs::remove_file(folder.join("film")).unwrap();
                fs::write(folder.join(".aside-00"), b"half").unwrap();
            }
            2 => {
                for path in all_files(&sealed).iter().filter(|path| !path.to_str().unwrap().contains("list-"))
                {
                    fs::remove_file(path).unwrap();
                }
            }
            _ => fs::rename(sealed.join(&name), sealed.join(format!("opened-{}", name.display()))).unwrap(),
        }
        new = new.start_anew().await;
        new.unlock().await;
        let vault = new.vault().await;
        assert_eq!(
            (&vault["state"], &vault["problem"]),
            (&json!("open"), &Value::Null),
            "cut {cut}: {vault}"
        );
        assert_eq!(new.private().await, files, "cut {cut}");
        assert!(!folder.join(".aside-00").exists());
        assert!(!sealed.exists() || all_files(&sealed).is_empty(), "cut {cut}");
        drop(fs::remove_dir_all(&sealed));
    }
}
