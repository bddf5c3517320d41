//! The people who may log in.

use super::Desk;
use super::Failure;
use super::encode;
use super::storage::password;
use super::storage::secret;
use crate::answers::Users as UsersAnswer;
use crate::cli::Users;
use crate::show;
use serde_json::json;
use zeroize::Zeroizing;

pub(super) fn carry_out(desk: &mut Desk<'_>, part: Option<&Users>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    match part {
        None => {
            let answer = client.get("/users")?;
            desk.answer(&answer.clone(), || {
                let users: UsersAnswer = client.understand("/users", answer)?;
                Ok(show::users(&users))
            })
        }
        Some(Users::Add { name, password_stdin }) => {
            let how = "hearthctl users add NAME --password-stdin < file";
            let (own, new) = passwords(desk, *password_stdin, how)?;
            let body = json!({"name": name, "new": new.as_str(), "password": own.as_str()});
            client.send("POST", "/users", Some(&Zeroizing::new(body.to_string())))?;
            desk.answer(&json!({}), || {
                Ok(format!("{name} may log in now. Ask them to choose a password of their own, which you do not know.\n"))
            })
        }
        Some(Users::ResetPassword { name, password_stdin }) => {
            let how = "hearthctl users reset-password NAME --password-stdin < file";
            let (own, new) = passwords(desk, *password_stdin, how)?;
            let body = json!({"new": new.as_str(), "password": own.as_str()});
            client.send("POST", &path_of(name, "password"), Some(&Zeroizing::new(body.to_string())))?;
            desk.answer(&json!({}), || {
                Ok(format!("{name} logs in with the new password. Their private files open with their recovery code only.\n"))
            })
        }
        Some(Users::Remove { name, password_stdin }) => {
            let own = password(desk, *password_stdin, "hearthctl users remove NAME --password-stdin < file")?;
            let body = super::storage::again(&own);
            client.send("POST", &path_of(name, "remove"), Some(&body))?;
            desk.answer(&json!({}), || Ok(format!("{name} and their private files are gone.\n")))
        }
    }
}

fn passwords(
    desk: &mut Desk<'_>,
    from_stdin: bool,
    how: &'static str,
) -> Result<(Zeroizing<String>, Zeroizing<String>), Failure> {
    let own = password(desk, from_stdin, how)?;
    let new = secret(desk, "Their new password:", from_stdin, "their new password", how)?;
    Ok((own, new))
}

fn path_of(name: &str, what: &str) -> String {
    format!("/users/{}/{what}", encode(name))
}
