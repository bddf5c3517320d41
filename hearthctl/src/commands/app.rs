//! Apps: what there is, installing them, and all that is done to them.

use super::Desk;
use super::Failure;
use super::encode;
use crate::answers::AppDetails;
use crate::answers::AppInspection;
use crate::answers::AppLog;
use crate::answers::AppOperation;
use crate::answers::Apps;
use crate::cli::App;
use crate::cli::Compose;
use crate::cli::Install;
use crate::cli::Update;
use crate::cli::Way;
use crate::client::Client;
use crate::client::ClientError;
use crate::show;
use crate::terminal::Terminal;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Longest file that the box takes, in bytes.
const MAX_FILE: u64 = 128 << 10;
/// Between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) fn carry_out(desk: &mut Desk<'_>, part: Option<&App>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    match part {
        None | Some(App::List) => list(desk, &client),
        Some(App::Show { app }) => {
            let answer = client.get(&path_of(&client, app, "")?)?;
            show_app(desk, &client, answer, show::app)
        }
        Some(App::Install(wish)) => install(desk, &client, wish),
        Some(App::Bring { file, name }) => bring(desk, &client, file, name.as_deref()),
        Some(App::Update(wish)) => update(desk, &client, wish),
        Some(App::Start { app }) => run(desk, &client, app, "start"),
        Some(App::Stop { app }) => run(desk, &client, app, "stop"),
        Some(App::Restart { app }) => run(desk, &client, app, "restart"),
        Some(App::Rename { app, id }) => {
            let body = json!({"id": id}).to_string();
            let answer = client.send("PUT", &path_of(&client, app, "/id")?, Some(&body))?;
            desk.answer(&answer, || Ok(format!("It is called {id} now.\n")))
        }
        Some(App::Remove { app, keep_data, delete_data }) => {
            remove(desk, &client, app, choice(*keep_data, *delete_data))
        }
        Some(App::Logs { app, container, follow }) => logs(desk, &client, app, container.as_deref(), *follow),
        Some(App::Permissions { app, grant, revoke }) => permissions(desk, &client, app, grant, revoke),
    }
}

fn list(desk: &mut Desk<'_>, client: &Client) -> Result<(), Failure> {
    let answer = client.get("/apps")?;
    desk.answer(&answer.clone(), || {
        let apps: Apps = client.understand("/apps", answer)?;
        Ok(show::apps(&apps))
    })
}

fn show_app(
    desk: &mut Desk<'_>,
    client: &Client,
    answer: Value,
    show: fn(&AppDetails) -> String,
) -> Result<(), Failure> {
    desk.answer(&answer.clone(), || {
        let details: AppDetails = client.understand("/apps", answer)?;
        Ok(show(&details))
    })
}

fn run(desk: &mut Desk<'_>, client: &Client, app: &str, what: &str) -> Result<(), Failure> {
    client.send("POST", &path_of(client, app, &format!("/{what}"))?, None)?;
    desk.answer(&json!({}), || {
        Ok(format!("{app}: {what} has begun. To see how it is:\n  hearthctl app show {app}\n"))
    })
}

fn install(desk: &mut Desk<'_>, client: &Client, wish: &Install) -> Result<(), Failure> {
    let mut body = Map::new();
    body.insert("source".to_owned(), source(desk, &wish.what, &wish.compose)?);
    if let Some(id) = &wish.id {
        body.insert("id".to_owned(), id.as_str().into());
    }
    if wish.household {
        body.insert("scope".to_owned(), "system".into());
    }
    if let Some(app) = &wish.data_of {
        body.insert("data_of".to_owned(), key_of(client, app)?.into());
    }
    let inspection = agree(desk, client, &body, &wish.way, "Install it?")?;
    body.insert("shown".to_owned(), inspection.shown.into());
    if !wish.without.is_empty() {
        let asked = inspection.asks.into_iter().flat_map(|ask| ask.permissions);
        body.insert("granted".to_owned(), without(asked.collect(), &wish.without)?.into());
    }
    let begun = client.send("POST", "/apps", Some(&Value::from(body).to_string()))?;
    follow(desk, client, &begun, &wish.way)
}

fn bring(desk: &mut Desk<'_>, client: &Client, path: &Path, name: Option<&str>) -> Result<(), Failure> {
    let unreadable = |source| Failure::Input { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let name = name.or_else(|| path.file_stem()?.to_str()).unwrap_or_default();
    let mut sent = Sent::new(file, length, &mut *desk.terminal);
    let answer =
        client.send_long("POST", &format!("/apps/images?name={}", encode(name)), length, &mut sent)?;
    desk.answer(&answer, || {
        let name = answer["name"].as_str().unwrap_or_default();
        Ok(format!("The box has it. To install it:\n  hearthctl app install {name}\n"))
    })
}

/// A file on its way, which tells how far it is.
pub(super) struct Sent<'a> {
    file: File,
    done: u64,
    length: u64,
    /// Tenths that were told.
    told: u64,
    terminal: &'a mut dyn Terminal,
}

impl<'a> Sent<'a> {
    pub(super) fn new(file: File, length: u64, terminal: &'a mut dyn Terminal) -> Self {
        Self { file, done: 0, length, told: 0, terminal }
    }
}

impl Read for Sent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done = self.done.saturating_add(read as u64);
        let tenths = self.done.saturating_mul(10) / self.length.max(1);
        if tenths > self.told {
            self.told = tenths;
            self.terminal.complain(&format!("{} % of {} MiB sent", tenths * 10, self.length >> 20));
        }
        Ok(read)
    }
}

fn update(desk: &mut Desk<'_>, client: &Client, wish: &Update) -> Result<(), Failure> {
    let key = key_of(client, &wish.app)?;
    let mut body = Map::new();
    if let Some(what) = &wish.what {
        body.insert("source".to_owned(), source(desk, what, &wish.compose)?);
    }
    let mut asked = body.clone();
    asked.insert("update".to_owned(), key.as_str().into());
    let inspection = agree(desk, client, &asked, &wish.way, "Update it?")?;
    body.insert("shown".to_owned(), inspection.shown.into());
    let path = format!("/apps/{key}/update");
    let begun = client.send("POST", &path, Some(&Value::from(body).to_string()))?;
    follow(desk, client, &begun, &wish.way)
}

/// Shows what something asks for, and goes on only if somebody agrees to that.
fn agree(
    desk: &mut Desk<'_>,
    client: &Client,
    body: &Map<String, Value>,
    way: &Way,
    question: &str,
) -> Result<AppInspection, Failure> {
    let path = "/apps/inspect";
    let answer = client.send("POST", path, Some(&Value::from(body.clone()).to_string()))?;
    let inspection: AppInspection = client.understand(path, answer)?;
    if !inspection.refusals.is_empty() {
        let refusals = inspection.refusals.iter().map(show::remark).collect();
        return Err(Failure::AppRefused { refusals });
    }
    desk.terminal.complain(&show::inspection(&inspection, body.contains_key("update")));
    if way.yes {
        return Ok(inspection);
    }
    if !desk.terminal.has_person() {
        return Err(Failure::NobodyAgrees);
    }
    let typed = desk.terminal.ask(&format!("{question} [y/N]")).map_err(|source| Failure::Ask { source })?;
    if matches!(typed.trim().to_lowercase().as_str(), "y" | "yes") {
        Ok(inspection)
    } else {
        Err(Failure::NotAgreed)
    }
}

/// Waits until what was begun has ended, telling how far it is.
fn follow(desk: &mut Desk<'_>, client: &Client, begun: &Value, way: &Way) -> Result<(), Failure> {
    let key = begun["key"].as_str().unwrap_or_default().to_owned();
    if way.no_wait {
        return desk
            .answer(begun, || Ok("It has begun. To see how it goes:\n  hearthctl app list\n".to_owned()));
    }
    let path = format!("/apps/{}", encode(&key));
    let mut told: Option<AppOperation> = None;
    loop {
        let answer = match client.get(&path) {
            Err(ClientError::Refused { code, .. }) if code == "no_such_app" => {
                return ended(desk, client, &key);
            }
            answer => answer?,
        };
        let details: AppDetails = client.understand(&path, answer.clone())?;
        let Some(operation) = details.app.operation else {
            return match details.app.problem {
                Some(problem) => Err(Failure::App { problem }),
                None => show_app(desk, client, answer, show::app),
            };
        };
        if told.as_ref() != Some(&operation) {
            desk.terminal.complain(&show::operation(&operation));
            told = Some(operation);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Of an app that is no more.
fn ended(desk: &mut Desk<'_>, client: &Client, key: &str) -> Result<(), Failure> {
    let apps: Apps = client.understand("/apps", client.get("/apps")?)?;
    match apps.ended.into_iter().find(|ending| ending.key == key).and_then(|ending| ending.problem) {
        Some(problem) => Err(Failure::App { problem }),
        None => desk.answer(&json!({}), || Ok("It is gone.\n".to_owned())),
    }
}

/// What becomes of the data, if that was said.
const fn choice(keep: bool, delete: bool) -> Option<&'static str> {
    match (keep, delete) {
        (true, _) => Some("keep"),
        (false, true) => Some("delete"),
        (false, false) => None,
    }
}

fn remove(desk: &mut Desk<'_>, client: &Client, app: &str, data: Option<&str>) -> Result<(), Failure> {
    let key = key_of(client, app)?;
    let data = match data {
        Some(data) => data,
        None if desk.terminal.has_person() => {
            let question = format!("Delete the data of {app} for good, or keep it? [delete/KEEP]");
            let typed = desk.terminal.ask(&question).map_err(|source| Failure::Ask { source })?;
            if typed.trim() == "delete" { "delete" } else { "keep" }
        }
        None => return Err(Failure::DataUnsaid),
    };
    let path = format!("/apps/{}", encode(&key));
    client.send("DELETE", &format!("{path}?data={data}"), None)?;
    loop {
        match client.get(&path) {
            Err(ClientError::Refused { code, .. }) if code == "no_such_app" => break,
            answer if answer.as_ref().is_ok_and(|answer| answer["state"] == "removed") => break,
            answer => drop(answer?),
        }
        thread::sleep(LOOK_EVERY);
    }
    desk.answer(&json!({}), || {
        Ok(if data == "keep" {
            format!("{app} is gone, and its data is kept. To use it again:\n  hearthctl app install … --data-of {app}\n")
        } else {
            format!("{app} and its data are gone.\n")
        })
    })
}

fn logs(
    desk: &mut Desk<'_>,
    client: &Client,
    app: &str,
    container: Option<&str>,
    follow: bool,
) -> Result<(), Failure> {
    let path = path_of(client, app, "/logs")?;
    let container = container.map(|name| format!("&container={}", encode(name))).unwrap_or_default();
    let mut from = 0;
    loop {
        let answer = match client.get(&format!("{path}?from={from}{container}")) {
            // What was followed has ended with its app.
            Err(ClientError::Refused { code, .. }) if code == "no_such_app" && from > 0 => return Ok(()),
            answer => answer?,
        };
        let page: AppLog = client.understand(&path, answer.clone())?;
        desk.answer(&answer, || Ok(page.lines.iter().map(line).collect()))?;
        if !follow {
            return Ok(());
        }
        // Nothing was said yet while that is 0.
        from = page.next;
        thread::sleep(LOOK_EVERY);
    }
}

fn line(line: &crate::answers::AppLogLine) -> String {
    match line.stream.as_str() {
        "box" => format!("-- {}\n", line.text),
        _ => format!("{}\n", line.text),
    }
}

fn permissions(
    desk: &mut Desk<'_>,
    client: &Client,
    app: &str,
    grant: &[String],
    revoke: &[String],
) -> Result<(), Failure> {
    let path = path_of(client, app, "")?;
    let mut answer = client.get(&path)?;
    if !grant.is_empty() || !revoke.is_empty() {
        let details: AppDetails = client.understand(&path, answer)?;
        let mut granted = without(details.granted, revoke)?;
        granted.extend(grant.iter().filter(|name| !granted.contains(name)).cloned().collect::<Vec<_>>());
        let body = json!({"granted": granted}).to_string();
        answer = client.send("PUT", &format!("{path}/permissions"), Some(&body))?;
    }
    show_app(desk, client, answer, show::permissions)
}

/// The names but those to leave out, each of which must be there: a slip must not leave a permission given.
fn without(mut names: Vec<String>, left_out: &[String]) -> Result<Vec<String>, Failure> {
    for name in left_out {
        let place = names.iter().position(|known| known == name);
        let Some(place) = place else {
            return Err(Failure::NoSuchPermission { name: name.clone(), known: names });
        };
        names.remove(place);
    }
    Ok(names)
}

/// A file by its ending, else the name of an image.
fn source(desk: &mut Desk<'_>, what: &str, compose: &Compose) -> Result<Value, Failure> {
    let path = Path::new(what);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending {
        "json" => Ok(json!({"manifest": read(path)?})),
        "yml" | "yaml" => {
            let mut variables = Map::new();
            for variable in &compose.variables {
                let (name, value) =
                    variable.split_once('=').ok_or_else(|| Failure::Variable { text: variable.clone() })?;
                variables.insert(name.to_owned(), value.into());
            }
            let title = compose.title_for(path);
            if title.is_none() {
                desk.terminal.complain("The app is called after nothing; give it a title with --title.");
            }
            let version = &compose.app_version;
            Ok(
                json!({"compose": {"text": read(path)?, "title": title, "version": version, "variables": variables}}),
            )
        }
        _ => Ok(json!({"image": what})),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    read.map(|_length| text).map_err(|source| Failure::Input { path: path.to_owned(), source })
}

/// The key of an app that somebody calls by its ID, or by its key.
fn key_of(client: &Client, app: &str) -> Result<String, Failure> {
    let apps: Apps = client.understand("/apps", client.get("/apps")?)?;
    let known = apps.apps.into_iter().find(|known| known.id == app || known.key == app);
    known.map(|known| known.key).ok_or_else(|| Failure::NoSuchApp { app: app.to_owned() })
}

fn path_of(client: &Client, app: &str, below: &str) -> Result<String, Failure> {
    Ok(format!("/apps/{}{below}", encode(&key_of(client, app)?)))
}
