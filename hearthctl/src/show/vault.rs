//! The vault in words.

use super::numbers::bytes;
use super::table::right_aligned;
use crate::answers::Files;
use crate::answers::Vault;

/// Whether it is open.
#[must_use]
pub fn vault(vault: &Vault) -> String {
    if let Some(rotation) = vault.rotation {
        return format!("Your files are being encrypted with a new key: {} % are done.\n", rotation.percent);
    }
    let state = match vault.state.as_str() {
        "open" => "Your vault is open.",
        "locked" => "Your vault is locked. To open it:\n  hearthctl vault unlock",
        "busy" => "Your vault is locked, and a file of it is still being sent.",
        "none" => "You have no vault yet. Log in again: then there is one.",
        other => other,
    };
    let mut text = match &vault.opening {
        Some(opening) => format!(
            "Your vault is being opened: {} of {} files from the backup.\n",
            opening.files, opening.files_total
        ),
        None => format!("{state}\n"),
    };
    match &vault.problem {
        Some(problem) if vault.state == "open" => text.push_str(&format!("! {problem}\n")),
        Some(problem) => text.push_str(&format!("Its files cannot be shown: {problem}.\n")),
        None => {}
    }
    if !vault.has_recovery_code {
        text.push_str("Nobody has its recovery code: whoever forgets the password loses the files.\n");
    }
    text
}

/// What is in it.
#[must_use]
pub fn private_files(files: &Files) -> String {
    if files.files.is_empty() {
        return "There is nothing in your vault.\n".to_owned();
    }
    let rows: Vec<_> = files.files.iter().map(|file| vec![bytes(file.bytes), file.name.clone()]).collect();
    right_aligned(&rows, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::PrivateFile;
    use crate::answers::VaultRotation;

    #[test]
    fn files_and_states_are_told() {
        let file = |name: &str, bytes| PrivateFile { name: name.to_owned(), bytes };
        let files = Files { files: vec![file("a b", 7), file("c", 12_000_000)] };
        assert_eq!(private_files(&files), "  7 bytes  a b\n    12 MB  c\n");
        let locked = Vault {
            state: "locked".to_owned(),
            has_recovery_code: false,
            problem: Some("no disk".to_owned()),
            opening: None,
            rotation: None,
        };
        let told = vault(&locked);
        assert!(told.contains("hearthctl vault unlock") && told.contains("no disk"), "{told}");
        assert!(told.contains("Nobody has its recovery code"), "{told}");
        let rotating = Vault { rotation: Some(VaultRotation { percent: 7 }), ..locked.clone() };
        assert!(vault(&rotating).contains("7 %"));
        let stayed = "the key was not changed: the disk is full".to_owned();
        let open = Vault { state: "open".to_owned(), problem: Some(stayed), ..locked.clone() };
        assert!(vault(&open).contains("! the key was not changed"));
        let opening = Some(crate::answers::Opening { files: 2, files_total: 9 });
        let told = vault(&Vault { state: "busy".to_owned(), opening, ..locked });
        assert!(told.contains("being opened: 2 of 9 files"), "{told}");
    }
}
