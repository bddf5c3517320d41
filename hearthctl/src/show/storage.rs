//! The encrypted data in words.

use super::reasons;
use super::table::table;
use crate::answers::Key;
use crate::answers::RecoveryKey;
use crate::answers::Storage;

/// The end of the new key was right.
pub const CONFIRMED: &str = "The recovery key on your paper is right. Earlier ones open nothing any more.\n";
/// The end of the new key was not typed.
pub const UNCONFIRMED: &str = "The new key is not confirmed yet. Once you have it on paper:\n  \
                               hearthctl storage recovery-key --confirm <its last two groups>\n";
/// Groups of a key in one line.
const GROUPS_A_LINE: usize = 3;

/// How the data was opened, and what opens it.
#[must_use]
pub fn storage(storage: &Storage) -> String {
    let unlock = &storage.unlock;
    let mut text = match (unlock.state.as_str(), unlock.by.as_deref()) {
        ("opened", Some("tpm")) => {
            "The data is encrypted; the security chip (TPM) of this box opened it by itself.\n".to_owned()
        }
        ("opened", Some("boot_key")) => {
            "The data is encrypted, but its key lies on the same disk: whoever has the disk can read everything on it.\n"
                .to_owned()
        }
        ("opened", Some("passphrase")) => "The data is encrypted; somebody typed the passphrase.\n".to_owned(),
        ("opened", Some("recovery")) => {
            "The data is encrypted; the recovery key opened it. To have the box open it by itself again:\n  \
             hearthctl storage seal\n"
                .to_owned()
        }
        ("opened", by) => format!("The data is encrypted; it was opened by {}.\n", by.unwrap_or("something")),
        ("locked", _) => "The data is locked.\n".to_owned(),
        (_, _) => {
            format!("The data cannot be opened: {}.\n", unlock.reason.as_deref().unwrap_or("the box does not say why"))
        }
    };
    text.push_str(&reasons(&unlock.reasons));
    text.push_str("\nWhat opens it\n");
    text.push_str(&table(&storage.keys.iter().map(row).collect::<Vec<_>>()));
    if let Some(reason) = storage.older_copies.as_ref().and_then(|copies| copies.reason.as_deref()) {
        text.push_str(&format!("\nA disk that is put back to an older copy is not noticed: {reason}.\n"));
    }
    if let Some(rotation) = &storage.rotation {
        text.push_str(&match (rotation.percent, &rotation.problem) {
            (Some(percent), _) => format!("\nThe volume key is being changed: {percent} % are done.\n"),
            (None, problem) => format!(
                "\nThe change of the volume key rests until the next start: {}.\n",
                problem.as_deref().unwrap_or("the box does not say why")
            ),
        });
    }
    if !storage.keys.iter().any(|key| key.kind == "recovery" && key.is_confirmed) {
        text.push_str(
            "\nNobody has a recovery key yet: if this box breaks, nobody can read the disk any more.\n",
        );
        text.push_str("  hearthctl storage recovery-key\n");
    }
    if storage.is_waiting_for_confirmation {
        text.push('\n');
        text.push_str(UNCONFIRMED);
    }
    text
}

fn row(key: &Key) -> Vec<String> {
    let name = match key.kind.as_str() {
        "tpm" => "security chip (TPM)",
        "boot_key" => "key on the boot partition",
        "passphrase" => "passphrase",
        "recovery" => "recovery key",
        other => other,
    };
    let state = if key.is_confirmed { "in use" } else { "not confirmed yet" };
    vec![name.to_owned(), state.to_owned()]
}

/// A new recovery key, in groups.
#[must_use]
pub fn recovery_key(made: &RecoveryKey) -> String {
    let groups: Vec<&str> = made.recovery_key.split('-').collect();
    let mut text = "The new recovery key, told only this once:\n\n".to_owned();
    for line in groups.chunks(GROUPS_A_LINE) {
        text.push_str(&format!("    {}\n", line.join("  ")));
    }
    text.push_str(
        "\nWrite it down and keep it away from the box. It opens the data when the box does not do so by itself; whoever\n\
         has it and the disk can read everything on it.\n",
    );
    text
}
