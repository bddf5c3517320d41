//! What somebody wants installed → a manifest, and what is to be said of it. Pure.

use super::image_name;
use app_manifest::ComposeError;
use app_manifest::ImageReference;
use app_manifest::Import;
use app_manifest::Manifest;
use app_manifest::import_compose;
use model::apps::AppId;
use model::apps::InvalidAppId;
use model::apps::MAX_APP_ID;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// Bytes of a throw-away layer for an image of which nothing is known: many write into their root.
const SCRATCH: u64 = 128 << 20;

/// What is to be installed.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = AppSource)]
pub enum Source {
    /// The text of a `hearth.json`.
    Manifest(String),
    /// A `docker-compose.yml`.
    Compose(ComposeSource),
    /// The name of an image: one container without anything else.
    Image(String),
}

/// A `docker-compose.yml`, and what it does not say.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComposeSource {
    /// Its text.
    pub text: String,
    /// What the app is called.
    #[serde(default)]
    pub title: Option<String>,
    /// Its version (semver.org).
    #[serde(default)]
    pub version: Option<String>,
    /// Values of its variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// Something about one place of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Remark {
    /// Where: a JSON pointer, or `services.web.ports[0]`; empty for all of it.
    pub place: String,
    /// Line of the file, from 1.
    pub line: Option<usize>,
    /// A sentence without a full stop.
    pub words: String,
}

/// A manifest that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// It.
    pub manifest: Manifest,
    /// What was left out or done otherwise.
    pub notes: Vec<Remark>,
    /// Whether it was made from the name of an image.
    pub is_bare: bool,
}

impl Remark {
    /// About all of it.
    #[must_use]
    pub fn whole(words: impl Into<String>) -> Self {
        Self { place: String::new(), line: None, words: words.into() }
    }

    fn at(place: &str, words: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line: None, words: words.into() }
    }
}

impl From<app_manifest::Remark> for Remark {
    fn from(remark: app_manifest::Remark) -> Self {
        Self { place: remark.place, line: remark.line, words: remark.words }
    }
}

/// Reads what was sent.
///
/// # Errors
///
/// Everything for which it cannot be taken, at least one thing.
pub fn read(source: &Source) -> Result<Read, Vec<Remark>> {
    match source {
        Source::Manifest(text) => read_manifest(text.as_bytes(), false),
        Source::Compose(compose) => read_compose(compose),
        Source::Image(name) => read_image(name.trim()),
    }
}

fn read_manifest(text: &[u8], is_bare: bool) -> Result<Read, Vec<Remark>> {
    match Manifest::read(text) {
        Ok(manifest) => Ok(Read { manifest, notes: vec![], is_bare }),
        Err(mistakes) => {
            let remark = |mistake: app_manifest::Mistake| Remark::at(&mistake.pointer, mistake.sentence);
            Err(mistakes.0.into_iter().map(remark).collect())
        }
    }
}

fn read_compose(compose: &ComposeSource) -> Result<Read, Vec<Remark>> {
    let text = |text: &Option<String>, usual: &str| text.as_deref().unwrap_or(usual).to_owned();
    let title = text(&compose.title, "Imported app").parse();
    let version = text(&compose.version, "1.0.0").parse();
    let title =
        title.map_err(|error: app_manifest::InvalidText| vec![Remark::at("title", error.to_string())])?;
    let version =
        version.map_err(|error: app_manifest::InvalidText| vec![Remark::at("version", error.to_string())])?;
    let import = Import { title, version, variables: compose.variables.clone() };
    match import_compose(compose.text.as_bytes(), &import) {
        Ok(imported) => Ok(Read {
            manifest: imported.manifest,
            notes: imported.notes.into_iter().map(Remark::from).collect(),
            is_bare: false,
        }),
        Err(ComposeError::Refused(remarks)) => Err(remarks.into_iter().map(Remark::from).collect()),
        Err(error @ (ComposeError::TooLarge(_) | ComposeError::NoText | ComposeError::Yaml { .. })) => {
            Err(vec![Remark::whole(error.to_string())])
        }
    }
}

fn read_image(name: &str) -> Result<Read, Vec<Remark>> {
    let image: ImageReference =
        name.parse().map_err(|error: app_manifest::InvalidText| vec![Remark::whole(error.to_string())])?;
    let short = image_name::short(image.as_str());
    let mut read = read_manifest(
        serde_json::json!({
            "format": 1,
            "title": short,
            "version": version_of(image_name::tag(image.as_str())),
            "containers": {"app": {"image": image.as_str(), "scratch_bytes": SCRATCH}},
        })
        .to_string()
        .as_bytes(),
        true,
    )?;
    read.manifest.id = id_of(short);
    read.notes.push(Remark::whole(
        "Nothing but the name of the image is known: it is given no access to anything, its page is the likeliest of the ports that \
         the image names, and what it keeps are the folders that the image names",
    ));
    Ok(read)
}

/// `7.2` → `7.2.0`; a tag that is no version is `0.0.0`.
fn version_of(tag: Option<&str>) -> String {
    let tag = tag.map(|tag| tag.strip_prefix('v').unwrap_or(tag)).unwrap_or_default();
    [tag.to_owned(), format!("{tag}.0"), format!("{tag}.0.0")]
        .into_iter()
        .find(|text| text.parse::<app_manifest::Version>().is_ok())
        .unwrap_or_else(|| "0.0.0".to_owned())
}

/// The ID that an app would like: its own, or one made of its title.
///
/// # Errors
///
/// Never: `app` is one.
pub fn wished_id(manifest: &Manifest) -> Result<AppId, InvalidAppId> {
    match manifest.id.clone().or_else(|| id_of(manifest.title.as_str())) {
        Some(id) => Ok(id),
        None => "app".parse(),
    }
}

/// The ID, or the first of `<id>-2`, `<id>-3`, … that nobody has.
pub fn free_id(wished: AppId, is_taken: impl Fn(&AppId) -> bool) -> AppId {
    if !is_taken(&wished) {
        return wished;
    }
    let numbered = (2..=u16::MAX).filter_map(|number| {
        let end = format!("-{number}");
        let kept: String = wished.as_str().chars().take(MAX_APP_ID - end.len()).collect();
        format!("{}{end}", kept.trim_end_matches('-')).parse().ok()
    });
    let mut free = numbered.filter(|id| !is_taken(id));
    free.next().unwrap_or(wished)
}

/// Letters and digits in lower case, all else as single dashes.
fn id_of(text: &str) -> Option<AppId> {
    let mut id = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            id.push(c.to_ascii_lowercase());
        } else if !id.ends_with('-') {
            id.push('-');
        }
    }
    let id: String =
        id.trim_start_matches(|c: char| !c.is_ascii_lowercase()).chars().take(MAX_APP_ID).collect();
    id.trim_end_matches('-').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str) -> Result<Read, Vec<Remark>> {
        read(&Source::Image(name.to_owned()))
    }

    #[test]
    fn an_image_alone_becomes_an_app_that_asks_for_nothing() {
        for (name, title, version, id) in [
            ("redis:7.2", "redis", "7.2.0", "redis"),
            ("ghcr.io/a/home_page:v1.4.0", "home_page", "1.4.0", "home-page"),
            ("localhost:5000/x/9p:latest", "9p", "0.0.0", "p"),
        ] {
            let read = image(name).unwrap();
            assert!(read.is_bare && read.manifest.permissions.is_none() && !read.notes.is_empty());
            let manifest = read.manifest;
            assert_eq!((manifest.title.as_str(), manifest.version.as_str()), (title, version), "{name}");
            assert_eq!(wished_id(&manifest).unwrap().as_str(), id);
        }
        assert_eq!(image("system").unwrap().manifest.id, None);
        assert_eq!(wished_id(&image("system").unwrap().manifest).unwrap().as_str(), "app");
        assert_eq!(image("a b").unwrap_err().len(), 1);
        assert_eq!(image("").unwrap_err().len(), 1);
    }

    #[test]
    fn all_that_cannot_be_honoured_is_told() {
        let text = "services:\n  web:\n    image: a\n    privileged: true\n    network_mode: host\n";
        let compose = |text: &str| {
            Source::Compose(ComposeSource {
                text: text.to_owned(),
                title: Some("Web".to_owned()),
                version: None,
                variables: BTreeMap::new(),
            })
        };
        let refused = read(&compose(text)).unwrap_err();
        let places: Vec<_> = refused.iter().map(|remark| (remark.place.as_str(), remark.line)).collect();
        assert_eq!(places, [("services.web.privileged", Some(4)), ("services.web.network_mode", Some(5))]);
        let taken = read(&compose("services:\n  web:\n    image: a\n    container_name: x\n")).unwrap();
        assert_eq!((taken.manifest.title.as_str(), taken.is_bare), ("Web", false));
        assert!(
            taken.notes.iter().any(|note| note.place == "services.web.container_name"),
            "{:?}",
            taken.notes
        );
        assert_eq!(read(&compose("\t")).unwrap_err().len(), 1);

        let twice = read(&Source::Manifest(r#"{"format":1,"privileged":true}"#.to_owned())).unwrap_err();
        assert!(
            twice.iter().any(|remark| remark.place == "/privileged" || remark.words.contains("privileged")),
            "{twice:?}"
        );
    }

    #[test]
    fn a_taken_id_gets_a_number() {
        let id = |text: &str| text.parse::<AppId>().unwrap();
        assert_eq!(free_id(id("notes"), |_| false), id("notes"));
        assert_eq!(free_id(id("notes"), |id| ["notes", "notes-2"].contains(&id.as_str())), id("notes-3"));
        let long = id(&"a".repeat(63));
        assert_eq!(free_id(long.clone(), |id| *id == long).as_str(), format!("{}-2", "a".repeat(61)));
    }
}
