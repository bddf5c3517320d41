//! The vault in words.

use super::numbers::bytes;
use super::table::right_aligned;
use crate::answers::Files;
use crate::answers::Vault;

/// Whether it is open.
#[must_use]
pub fn vault(vault: &Vault) -> String {
    let state = match vault.state.as_str() {
        "open" => "Your vault is open.",
        "locked" => "Your vault is locked. To open it:\n  hearthctl vault unlock",
        "busy" => "Your vault is locked, and a file of it is still being sent.",
        "none" => "You have no vault yet. Log in again: then there is one.",
        other => other,
    };
    let mut text = format!("{state}\n");
    if let Some(problem) = &vault.problem {
        text.push_str(&format!("Its files cannot be shown: {problem}.\n"));
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

    #[test]
    fn files_and_states_are_told() {
        let file = |name: &str, bytes| PrivateFile { name: name.to_owned(), bytes };
        let files = Files { files: vec![file("a b", 7), file("c", 12_000_000)] };
        assert_eq!(private_files(&files), "  7 bytes  a b\n    12 MB  c\n");
        let locked = Vault {
            state: "locked".to_owned(),
            has_recovery_code: false,
            problem: Some("no disk".to_owned()),
        };
        let told = vault(&locked);
        assert!(told.contains("hearthctl vault unlock") && told.contains("no disk"), "{told}");
        assert!(told.contains("Nobody has its recovery code"), "{told}");
    }
}
