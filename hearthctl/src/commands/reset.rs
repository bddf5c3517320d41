//! Making the box new.

use super::Desk;
use super::Failure;
use super::storage::secret;
use crate::cli::FactoryReset;
use serde_json::json;
use zeroize::Zeroizing;

/// How a program does it.
const BY_A_PROGRAM: &str = "hearthctl factory-reset --box-name <name> --password-stdin < file";

pub(super) fn reset(desk: &mut Desk<'_>, wish: &FactoryReset) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let url = desk.known()?.url;
    let name = match &wish.box_name {
        Some(name) => name.clone(),
        None => asked(desk, &url)?,
    };
    let password = secret(desk, "Your password:", wish.password_stdin, "the password", BY_A_PROGRAM)?;
    let body = Zeroizing::new(json!({"hostname": name, "password": password.as_str()}).to_string());
    client.send("POST", "/system/factory-reset", Some(&body))?;
    // The session, the owner and the certificate are gone with everything else.
    desk.store.forget()?;
    desk.answer(&json!({}), || {
        Ok("The box restarts and erases everything. When it is ready, its screen shows a claim code: open it in a browser and set it up.\n"
            .to_owned())
    })
}

fn asked(desk: &mut Desk<'_>, url: &str) -> Result<String, Failure> {
    if !desk.terminal.has_person() {
        return Err(Failure::NobodyTypes { what: "the name of the box", how: BY_A_PROGRAM });
    }
    desk.terminal.complain(&format!(
        "Everything that anybody keeps on {url} will be erased, and nobody can bring it back: files, accounts, settings, keys."
    ));
    let ask = |source| Failure::Ask { source };
    desk.terminal.ask("To go on, type the name of the box:").map_err(ask)
}
