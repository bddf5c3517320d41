//! Carrying out one command.

mod app;
mod backup;
mod failure;
mod flash;
mod login;
mod registry;
mod reset;
mod storage;
mod update;
mod users;
mod vault;
mod wifi;

pub(crate) use failure::Failure;

use crate::answers::Network as NetworkAnswer;
use crate::answers::Policy;
use crate::answers::SettingsChanged;
use crate::answers::Status;
use crate::answers::System;
use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::Network;
use crate::cli::Settings;
use crate::client::Client;
use crate::client::ClientError;
use crate::config::KnownBox;
use crate::config::Store;
use crate::show;
use crate::terminal::Terminal;
use crate::trust;
use model::network::endpoint::Endpoint;
use model::network::explanation::Answer;
use model::network::explanation::Explanation;
use serde_json::Value;
use serde_json::json;
use std::io::Read;
use std::path::Path;

/// Longest settings that the box takes, in bytes.
const MAX_SETTINGS: u64 = 64 * 1024;

/// What the exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Done, or yes.
    Yes,
    /// `--explain`: no.
    No,
}

/// What a command has to do with.
struct Desk<'a> {
    json: bool,
    store: &'a Store,
    terminal: &'a mut dyn Terminal,
}

pub(crate) fn carry_out(cli: &Cli, store: &Store, terminal: &mut dyn Terminal) -> Result<Answered, Failure> {
    let mut desk = Desk { json: cli.json, store, terminal };
    match &cli.command {
        Command::Login(wish) => login::log_in(&mut desk, wish)?,
        Command::Logout { forget } => login::log_out(&mut desk, *forget)?,
        Command::Status => status(&mut desk)?,
        Command::Flash(wish) => flash::carry_out(&mut desk, wish)?,
        Command::FactoryReset(wish) => reset::reset(&mut desk, wish)?,
        Command::Network { part: None } => network(&mut desk)?,
        Command::Network { part: Some(Network::Rules { counters }) } => rules(&mut desk, *counters)?,
        Command::Network { part: Some(Network::Policy { explain: None }) } => policy(&mut desk)?,
        Command::Network { part: Some(Network::Policy { explain: Some(ends) }) } => {
            return explain(&mut desk, ends);
        }
        Command::App { part } => app::carry_out(&mut desk, part.as_ref())?,
        Command::Backup { part } => backup::carry_out(&mut desk, part.as_ref())?,
        Command::Update { part } => update::carry_out(&mut desk, part.as_ref())?,
        Command::Registry { part } => registry::carry_out(&mut desk, part.as_ref())?,
        Command::Users { part } => users::carry_out(&mut desk, part.as_ref())?,
        Command::Wifi { part } => wifi::carry_out(&mut desk, part.as_ref())?,
        Command::Vault { part } => vault::carry_out(&mut desk, part.as_ref())?,
        Command::Storage { part } => storage::carry_out(&mut desk, part.as_ref())?,
        Command::Network { part: Some(Network::Settings(settings)) } => change(&mut desk, settings)?,
    }
    Ok(Answered::Yes)
}

impl Desk<'_> {
    fn known(&self) -> Result<KnownBox, Failure> {
        self.store.load()?.ok_or(Failure::NoBox)
    }

    /// The box of last time, with its session.
    fn client(&self) -> Result<Client, Failure> {
        let known = self.known()?;
        let household = trust::parse(&known.certificate)?;
        Ok(Client::new(&known.url, known.address, &household, known.session))
    }

    /// The same, where the box would only say that nobody is logged in.
    fn client_logged_in(&self) -> Result<Client, Failure> {
        if self.known()?.session.is_none() {
            return Err(Failure::NeverLoggedIn);
        }
        self.client()
    }

    fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.terminal.print(text).map_err(|source| Failure::Print { source })
    }

    fn print_json(&mut self, answer: &Value) -> Result<(), Failure> {
        // `Display` of a `Value` with `#` is indented JSON.
        self.print(&format!("{answer:#}\n"))
    }

    /// As JSON where that was asked for, else in words.
    fn answer(
        &mut self,
        answer: &Value,
        words: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        if self.json {
            return self.print_json(answer);
        }
        let words = words()?;
        self.print(&words)
    }
}

fn status(desk: &mut Desk<'_>) -> Result<(), Failure> {
    let client = desk.client()?;
    let status = client.get("/status")?;
    // Everybody may know the state; the rest is for who is logged in.
    let system = match client.get("/system") {
        Ok(system) => system,
        Err(ClientError::LoggedOut) => Value::Null,
        Err(error) => return Err(error.into()),
    };
    let both = json!({"status": status, "system": system});
    desk.answer(&both, || {
        let known: Status = client.understand("/status", status)?;
        let system: Option<System> = client.understand("/system", system)?;
        Ok(show::status(&known, system.as_ref()))
    })
}

fn network(desk: &mut Desk<'_>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let answer = client.get("/network")?;
    desk.answer(&answer.clone(), || {
        let network: NetworkAnswer = client.understand("/network", answer)?;
        Ok(show::network(&network))
    })
}

fn rules(desk: &mut Desk<'_>, counters: bool) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let answer = client.get("/network")?;
    if answer["firewall"].is_null() {
        return Err(Failure::NoFirewall);
    }
    desk.answer(&answer["firewall"].clone(), || {
        let network: NetworkAnswer = client.understand("/network", answer)?;
        let firewall = network.firewall.ok_or(Failure::NoFirewall)?;
        Ok(show::rules(&firewall, if counters { show::Counters::Shown } else { show::Counters::Hidden }))
    })
}

fn policy(desk: &mut Desk<'_>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let answer = client.get("/network/policy")?;
    desk.answer(&answer.clone(), || {
        let policy: Policy = client.understand("/network/policy", answer)?;
        Ok(show::policy(&policy))
    })
}

fn explain(desk: &mut Desk<'_>, ends: &[Endpoint]) -> Result<Answered, Failure> {
    let client = desk.client_logged_in()?;
    let [from, to] = ends else { return Err(Failure::TwoEnds) };
    let path = format!("/network/explain?from={}&to={}", encode(&from.to_string()), encode(&to.to_string()));
    let answer = client.get(&path)?;
    let explanation: Explanation = client.understand("/network/explain", answer.clone())?;
    desk.answer(&answer, || Ok(show::explanation(&explanation)))?;
    Ok(match explanation.answer {
        Answer::Yes | Answer::Partly => Answered::Yes,
        Answer::No => Answered::No,
    })
}

fn change(desk: &mut Desk<'_>, settings: &Settings) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    match settings {
        Settings::Get => {
            let answer = client.get("/network/settings")?;
            desk.print_json(&answer)
        }
        Settings::Set { file, trial } => {
            let wished = read_settings(desk, file)?;
            let answer =
                client.send("PUT", &format!("/network/settings?trial_seconds={trial}"), Some(&wished))?;
            desk.answer(&answer.clone(), || {
                let changed: SettingsChanged = client.understand("/network/settings", answer)?;
                Ok(show::changed(changed))
            })
        }
        Settings::Confirm => {
            client.send("POST", "/network/settings/confirm", None)?;
            desk.answer(&json!({}), || Ok("The settings stay.\n".to_owned()))
        }
    }
}

fn read_settings(desk: &mut Desk<'_>, file: &Path) -> Result<String, Failure> {
    let read = if file == Path::new("-") {
        desk.terminal.read_all()
    } else {
        let mut text = String::new();
        std::fs::File::open(file)
            .and_then(|opened| opened.take(MAX_SETTINGS + 1).read_to_string(&mut text))
            .map(|_length| text)
    };
    read.map_err(|source| Failure::Input { path: file.to_owned(), source })
}

/// Percent-encodes everything that is not unreserved (RFC 3986 section 2.3).
fn encode(text: &str) -> String {
    let each = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_cannot_hold_is_encoded() {
        assert_eq!(encode("app:db tcp/5432"), "app%3Adb%20tcp%2F5432");
        assert_eq!(encode("a-b_c.d~\u{e9}&="), "a-b_c.d~%C3%A9%26%3D");
    }
}
