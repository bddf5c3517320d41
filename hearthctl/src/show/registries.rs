//! What was said of registries, in words.

use super::table::table;
use crate::answers::Registries;
use crate::answers::Registry;

/// All registries that something was said about.
#[must_use]
pub fn registries(registries: &Registries) -> String {
    if registries.registries.is_empty() {
        return "Every registry is spoken to over HTTPS, without a login and without mirrors.\n".to_owned();
    }
    let rows = registries.registries.iter().map(|registry| vec![registry.name.clone(), said_of(registry)]);
    table(&rows.collect::<Vec<_>>())
}

fn said_of(registry: &Registry) -> String {
    let mut said = Vec::new();
    said.push(if registry.plain_http { "plain HTTP".to_owned() } else { "HTTPS".to_owned() });
    said.extend(registry.user.as_ref().map(|user| format!("logs in as {user}")));
    let mirrors = registry.mirrors.iter().map(|mirror| {
        if mirror.plain_http { format!("{} (plain HTTP)", mirror.host) } else { mirror.host.clone() }
    });
    let mirrors: Vec<_> = mirrors.collect();
    if !mirrors.is_empty() {
        said.push(format!("asks first {}", mirrors.join(", then ")));
    }
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::RegistryMirror;

    #[test]
    fn what_was_said_is_told_and_no_password() {
        let mirror = |host: &str, plain_http| RegistryMirror { host: host.to_owned(), plain_http };
        let known = Registries {
            registries: vec![
                Registry {
                    name: "docker.io".to_owned(),
                    plain_http: false,
                    user: Some("ada".to_owned()),
                    mirrors: vec![mirror("nas.home:5000", true), mirror("mirror.example.net", false)],
                },
                Registry {
                    name: "nas.home:5000".to_owned(),
                    plain_http: true,
                    user: None,
                    mirrors: Vec::new(),
                },
            ],
        };
        let told = "  docker.io      HTTPS, logs in as ada, asks first nas.home:5000 (plain HTTP), then mirror.example.net\n  \
                      nas.home:5000  plain HTTP\n";
        assert_eq!(registries(&known), told);
        assert!(registries(&Registries { registries: Vec::new() }).contains("HTTPS"));
    }
}
