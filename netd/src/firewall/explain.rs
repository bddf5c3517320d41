//! "May A reach B, and by which rule?", answered from the same list that the kernel's rules are made of. Pure.

use crate::firewall::permission::Permission;
use crate::firewall::permission::Service;
use crate::firewall::refusal::Refusal;
use model::network::app_policy::AppPolicy;
use model::network::app_policy::Port;
use model::network::app_policy::Protocol;
use model::network::endpoint::Endpoint;
use model::network::endpoint::Who;
use model::network::explanation::Answer;
use model::network::names::AppKey;
use std::collections::BTreeSet;

/// The answer without counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Whether anything of it is possible.
    pub answer: Answer,
    /// In one plain sentence.
    pub words: String,
    /// What lets it through.
    pub permissions: Vec<Permission>,
    /// What stops everything else.
    pub otherwise: Refusal,
}

/// An app that is not in the policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no app {0}")]
pub struct UnknownApp(pub AppKey);

/// How much of what was asked for a permission allows.
enum Share {
    All,
    Some,
    None,
}

/// Answers from a policy's permissions.
///
/// # Errors
/// When an app is asked for that is not in the policy.
pub fn explain(
    policy: &AppPolicy,
    permissions: &BTreeSet<Permission>,
    from: &Endpoint,
    to: &Endpoint,
) -> Result<Explained, UnknownApp> {
    for end in [from, to] {
        if let Who::App(app) = &end.who
            && policy.app(app).is_none()
        {
            return Err(UnknownApp(app.clone()));
        }
    }
    let mut answer = Answer::No;
    let mut through = Vec::new();
    for permission in permissions {
        match share(permission, &from.who, to) {
            Share::None => continue,
            Share::All => answer = Answer::Yes,
            Share::Some if answer == Answer::No => answer = Answer::Partly,
            Share::Some => {}
        }
        through.push(permission.clone());
    }
    let otherwise = Refusal::between(&from.who, &to.who);
    let words = words(answer, from, to, &through, otherwise);
    Ok(Explained { answer, words, permissions: through, otherwise })
}

fn words(
    answer: Answer,
    from: &Endpoint,
    to: &Endpoint,
    through: &[Permission],
    otherwise: Refusal,
) -> String {
    let why: Vec<String> = through.iter().map(Permission::words).collect();
    match answer {
        Answer::Yes => format!("yes: {}", why.join("; ")),
        Answer::Partly => {
            format!("only this: {}; anything else is refused: {}", why.join("; "), otherwise.words())
        }
        Answer::No => format!("no: nothing allows {from} to reach {to}, and {}", otherwise.words()),
    }
}

/// What a permission gives of the way from one to the other. Within one port there is nothing left to choose.
fn share(permission: &Permission, from: &Who, to: &Endpoint) -> Share {
    let at = |ports: &[(Protocol, u16)]| match to.port {
        None => Share::Some,
        Some(Port { protocol, number }) if ports.contains(&(protocol, number.get())) => Share::All,
        Some(_) => Share::None,
    };
    let port = |port: Port| [(port.protocol, port.number.get())];
    let is_app = |who: &Who, app: &AppKey| matches!(who, Who::App(this) if this == app);
    match (permission, from, &to.who) {
        (Permission::BoxOut, Who::Box, Who::Lan | Who::Internet(_) | Who::Mesh) => match to.port {
            // The box never asks for names in plaintext.
            Some(Port { number, .. }) if number.get() == 53 => Share::None,
            Some(_) | None => Share::All,
        },
        (Permission::LanToBox(Service::Ping), Who::Lan, Who::Box) if to.port.is_none() => Share::Some,
        (Permission::LanToBox(service), Who::Lan, Who::Box) => at(&service.ports()),
        (Permission::Names { app }, _, Who::Box) if is_app(from, app) => {
            at(&[(Protocol::Udp, 53), (Protocol::Tcp, 53)])
        }
        (Permission::Gateway { app, port }, _, Who::Box) if is_app(from, app) => {
            at(&[(Protocol::Tcp, port.get())])
        }
        (Permission::Served { app, port: served }, Who::Box, who) if is_app(who, app) => at(&port(*served)),
        (Permission::Lan { app }, _, Who::Lan)
        | (Permission::Internet { app }, _, Who::Internet(_))
        | (Permission::Mesh { app }, _, Who::Mesh)
            if is_app(from, app) =>
        {
            Share::All
        }
        (Permission::Domain { app, .. }, _, Who::Internet(None)) if is_app(from, app) => Share::Some,
        (Permission::Domain { app, name }, _, Who::Internet(Some(asked)))
            if is_app(from, app) && name.matches(asked.as_str()) =>
        {
            Share::All
        }
        (Permission::Inbound { app, app_port, box_port }, Who::Lan, who) if is_app(who, app) => {
            at(&[(box_port.protocol, app_port.get())])
        }
        (Permission::Inbound { box_port, .. }, Who::Lan, Who::Box) => at(&port(*box_port)),
        (Permission::Link { from: app, to: other, port: open }, _, who)
            if is_app(from, app) && is_app(who, other) =>
        {
            at(&port(*open))
        }
        _ => Share::None,
    }
}

#[cfg(test)]
mod tests;
