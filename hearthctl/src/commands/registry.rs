//! What the owner says of registries of images.

use super::Desk;
use super::Failure;
use super::encode;
use super::storage::secret;
use crate::answers::Registries;
use crate::answers::Registry as Answer;
use crate::cli::Registry;
use crate::cli::RegistryWish;
use crate::show;
use serde_json::Value;
use serde_json::json;
use zeroize::Zeroizing;

pub(super) fn carry_out(desk: &mut Desk<'_>, part: Option<&Registry>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    match part {
        None => {
            let answer = client.get("/registries")?;
            desk.answer(&answer.clone(), || {
                let registries: Registries = client.understand("/registries", answer)?;
                Ok(show::registries(&registries))
            })
        }
        Some(Registry::Set(wish)) => {
            let RegistryWish { name, plain, user, mirror, plain_mirror, .. } = wish;
            let login = user.as_ref().map(|user| login(desk, user, wish.password_stdin)).transpose()?;
            let mirrors = |hosts: &[String], plain: bool| -> Vec<_> {
                hosts.iter().map(|host| json!({"host": host, "plain_http": plain})).collect()
            };
            let mirrors = [mirrors(mirror, false), mirrors(plain_mirror, true)].concat();
            let body = json!({"plain_http": plain, "login": login, "mirrors": mirrors});
            let body = Zeroizing::new(body.to_string());
            let path = format!("/registries/{}", encode(name));
            let answer = client.send("PUT", &path, Some(&body))?;
            desk.answer(&answer.clone(), || {
                let registry: Answer = client.understand(&path, answer)?;
                Ok(show::registries(&Registries { registries: vec![registry] }))
            })
        }
        Some(Registry::Forget { name }) => {
            client.send("DELETE", &format!("/registries/{}", encode(name)), None)?;
            desk.answer(&json!({}), || {
                Ok(format!(
                    "From now on the box speaks to {name} over HTTPS, without a login and without mirrors.\n"
                ))
            })
        }
    }
}

fn login(desk: &mut Desk<'_>, user: &str, from_stdin: bool) -> Result<Value, Failure> {
    let how = "hearthctl registry set NAME --user USER --password-stdin < file";
    let password = secret(desk, "Password or token:", from_stdin, "the password of the registry", how)?;
    Ok(json!({"user": user, "password": password.as_str()}))
}
