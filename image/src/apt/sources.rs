//! The machine's Debian package sources, with the release name of the suites replaced.
//!
//! A suite is `<release>` or `<release>-<pocket>` (`trixie`, `trixie-security`). The machine's own source of the same pocket tells
//! where it is found, which sections it has and which keys may sign it.

use crate::tool;
use crate::tool::ToolError;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The machine's package sources are of no use.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// They cannot be listed.
    #[error("cannot list the package sources")]
    List(#[source] ToolError),
    /// There is no Debian source at all.
    #[error("the machine has no Debian package source (or its index was never fetched: run apt-get update)")]
    NoDebian,
    /// No source for a suite's pocket.
    #[error(
        "the machine has no package source like suite {suite}: add the one for its own release ending in {pocket:?}"
    )]
    NoPocket {
        /// The suite asked for.
        suite: String,
        /// What the machine's suite must end in.
        pocket: String,
    },
}

/// The pocket of newer versions for who asks for them.
const BACKPORTS: &str = "-backports";

/// One place, as found in the machine's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    components: BTreeSet<String>,
    signed_by: Option<String>,
}

/// Source entries (deb822) for `suites`, from the machine's configuration.
///
/// # Errors
/// When the machine has no source that fits a suite.
pub fn of_machine(suites: &[String], sections: &[String]) -> Result<String, SourcesError> {
    let mut command = tool::command("apt-get");
    let listing =
        tool::output(command.args(["indextargets", "Created-By: Packages"])).map_err(SourcesError::List)?;
    entries(&listing, suites, sections)
}

fn entries(listing: &str, suites: &[String], sections: &[String]) -> Result<String, SourcesError> {
    let places = places(listing);
    if places.is_empty() {
        return Err(SourcesError::NoDebian);
    }
    let mut text = String::new();
    for suite in suites {
        let pocket = match pocket(suite) {
            // Lies where the release itself lies, whether the machine takes packages from it or not.
            BACKPORTS if !places.keys().any(|(of, _)| of == BACKPORTS) => "",
            pocket => pocket,
        };
        let mut found = false;
        for ((_, uri), place) in places.iter().filter(|((of, _), _)| of == pocket) {
            found = true;
            let components: BTreeSet<&str> =
                place.components.iter().chain(sections).map(String::as_str).collect();
            let components = components.into_iter().collect::<Vec<_>>().join(" ");
            // Writing to a String cannot fail.
            let written = write!(
                text,
                "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\nTargets: Packages\nLanguages: none\n"
            );
            debug_assert!(written.is_ok());
            if let Some(keys) = &place.signed_by {
                text.push_str(&format!("Signed-By: {keys}\n"));
            }
            text.push('\n');
        }
        if !found {
            return Err(SourcesError::NoPocket { suite: suite.clone(), pocket: pocket.to_owned() });
        }
    }
    Ok(text)
}

/// The machine's Debian places by pocket and address.
fn places(listing: &str) -> BTreeMap<(String, String), Place> {
    let mut places: BTreeMap<(String, String), Place> = BTreeMap::new();
    for stanza in listing.split("\n\n") {
        let fields = fields(stanza);
        let field = |name: &str| fields.get(name).cloned().filter(|value| !value.is_empty());
        // Third parties have other suites: theirs must not be taken for Debian's.
        if field("Origin").as_deref() != Some("Debian") || field("Trusted").as_deref() == Some("no") {
            continue;
        }
        let suite = field("Codename").or_else(|| field("Release"));
        let (Some(suite), Some(uri), Some(component)) = (suite, field("Repo-URI"), field("Component")) else {
            continue;
        };
        let place = places.entry((pocket(&suite).to_owned(), uri)).or_default();
        place.components.insert(component);
        place.signed_by = place.signed_by.take().or_else(|| field("Signed-By"));
    }
    places
}

/// Fields of a stanza; continuation lines are kept with their line breaks, as deb822 wants them written again.
fn fields(stanza: &str) -> BTreeMap<&str, String> {
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    let mut last = "";
    for line in stanza.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = fields.get_mut(last) {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last = name;
            fields.insert(name, value.trim().to_owned());
        }
    }
    fields
}

/// What follows the release name: empty, `-security`, `-updates`.
fn pocket(suite: &str) -> &str {
    suite.find('-').and_then(|dash| suite.get(dash..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(origin: &str, suite: &str, uri: &str, component: &str, more: &str) -> String {
        format!(
            "MetaKey: x\nRepo-URI: {uri}\nCodename: {suite}\nOrigin: {origin}\nComponent: {component}\nTrusted: yes\n{more}\n"
        )
    }

    fn suites(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_suite_is_replaced_and_the_rest_kept() {
        let listing = [
            stanza("Debian", "bookworm", "http://m.test/debian/", "main", ""),
            stanza("Debian", "bookworm", "http://m.test/debian/", "contrib", "Signed-By: /k.gpg\n"),
            stanza("Debian", "bookworm-security", "http://m.test/sec/", "main", ""),
            stanza("Else", "bookworm", "http://else.test/", "main", ""),
        ]
        .join("\n");
        let text = entries(&listing, &suites(&["trixie", "trixie-security"]), &[]).unwrap();
        assert_eq!(
            text,
            "Types: deb\nURIs: http://m.test/debian/\nSuites: trixie\nComponents: contrib main\nTargets: Packages\nLanguages: none\n\
             Signed-By: /k.gpg\n\n\
             Types: deb\nURIs: http://m.test/sec/\nSuites: trixie-security\nComponents: main\nTargets: Packages\nLanguages: none\n\n"
        );
    }

    #[test]
    fn a_missing_pocket_is_named() {
        let listing = stanza("Debian", "bookworm", "http://m.test/debian/", "main", "");
        let error = entries(&listing, &suites(&["trixie", "trixie-security"]), &[]).unwrap_err();
        assert!(error.to_string().contains("trixie-security"), "{error}");
        assert!(matches!(entries("", &suites(&["trixie"]), &[]), Err(SourcesError::NoDebian)));
    }

    #[test]
    fn an_embedded_key_keeps_its_lines() {
        let key = "Signed-By:\n -----BEGIN\n .\n abc\n";
        let listing = stanza("Debian", "bookworm", "http://m.test/debian/", "main", key);
        let text = entries(&listing, &suites(&["trixie"]), &[]).unwrap();
        assert!(text.contains("Signed-By: \n -----BEGIN\n .\n abc\n"), "{text}");
    }

    #[test]
    fn sections_are_added_and_backports_lie_where_the_release_does() {
        let listing = stanza("Debian", "bookworm", "http://m.test/debian/", "main", "");
        let text =
            entries(&listing, &suites(&["trixie-backports"]), &suites(&["non-free-firmware"])).unwrap();
        assert!(text.contains("Suites: trixie-backports\nComponents: main non-free-firmware\n"), "{text}");
        let own = [listing, stanza("Debian", "bookworm-backports", "http://b.test/", "main", "")].join("\n");
        let text = entries(&own, &suites(&["trixie-backports"]), &[]).unwrap();
        assert!(text.contains("http://b.test/") && !text.contains("http://m.test/"), "{text}");
    }
}
