//! Names of images: `[registry/]repository[:tag][@digest]`, as people write them for `docker pull`.
//!
//! The grammar is that of the distribution project's `reference` package and of the OCI distribution specification.

use crate::image::digest::Digest;
use crate::image::digest::DigestError;
use model::containers::DEFAULT_REGISTRY;
use model::containers::RegistryName;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Longest name with its registry, in bytes.
const MAX_NAME: usize = 255;
/// Longest tag, in bytes.
const MAX_TAG: usize = 128;
/// Longest text that is looked at: a name, a tag and a digest.
const MAX_TEXT: usize = MAX_NAME + 1 + MAX_TAG + 1 + 71;
/// What stands in the place of the registry for images that come from files. Nobody is ever asked for these.
const BROUGHT: &str = "localhost";

/// A name of an image, complete.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Text that names no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Too long.
    #[error("the name of an image has at most {MAX_NAME} characters")]
    Length,
    /// The part before the first slash.
    #[error("the registry in the name of an image is a host, with a port perhaps")]
    Registry,
    /// The part up to the tag.
    #[error("the name of an image is of lower-case letters, digits and single separators (. _ - /)")]
    Repository,
    /// The part after the colon.
    #[error("a tag is of at most {MAX_TAG} letters, digits, dots, dashes and underscores")]
    Tag,
    /// The part after the `@`.
    #[error("the digest in the name of an image cannot be used")]
    Digest(#[source] DigestError),
}

impl Reference {
    /// The registry, a host with a port perhaps.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Whether it names an image that somebody brought to the box, and that no registry has.
    #[must_use]
    pub fn is_brought(&self) -> bool {
        self.registry == BROUGHT
    }

    /// The name within the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` when neither a tag nor a digest was written.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest or index that is wanted and no other.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same name with this digest.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.len() > MAX_TEXT {
            return Err(ReferenceError::Length);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(ReferenceError::Digest)?)),
            None => (text, None),
        };
        // A colon before the last slash belongs to a port.
        let name_end = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[name_end..].split_once(':') {
            Some((last, tag)) => (&rest[..name_end + last.len()], Some(tag)),
            None => (rest, None),
        };
        let (registry, repository) = split_registry(name);
        let registry: RegistryName = registry.parse().map_err(|_invalid| ReferenceError::Registry)?;
        let registry = registry.as_str();
        let official = registry == DEFAULT_REGISTRY && !repository.contains('/');
        let repository = if official { format!("library/{repository}") } else { repository.to_owned() };
        if !repository.split('/').all(is_component) {
            return Err(ReferenceError::Repository);
        }
        if registry.len() + 1 + repository.len() > MAX_NAME {
            return Err(ReferenceError::Length);
        }
        if !tag.is_none_or(is_tag) {
            return Err(ReferenceError::Tag);
        }
        let tag = tag.or_else(|| digest.is_none().then_some("latest"));
        Ok(Self { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// A first part with a dot or a port, or `localhost`, is a host: no repository of the default registry begins so.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) => (first, rest),
        Some(_) | None => (DEFAULT_REGISTRY, name),
    }
}

/// Lower-case letters and digits with `.`, `_`, `__` or dashes between them.
fn is_component(component: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separator = String::new();
    for byte in component.bytes() {
        if plain(byte) {
            if !(separator.is_empty() || matches!(separator.as_str(), "." | "_" | "__") || dashes(&separator))
            {
                return false;
            }
            separator.clear();
        } else if matches!(byte, b'.' | b'_' | b'-') {
            separator.push(char::from(byte));
        } else {
            return false;
        }
    }
    separator.is_empty() && component.bytes().next().is_some_and(plain)
}

fn dashes(separator: &str) -> bool {
    separator.bytes().all(|byte| byte == b'-')
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= MAX_TAG
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SUM: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_are_completed() {
        for (written, complete) in [
            ("redis", "docker.io/library/redis:latest"),
            ("redis:7-alpine", "docker.io/library/redis:7-alpine"),
            ("grafana/grafana", "docker.io/grafana/grafana:latest"),
            ("index.docker.io/redis", "docker.io/library/redis:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/a/b_c--d:V1.0", "localhost:5000/a/b_c--d:V1.0"),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            ("ghcr.io/home-assistant/home-assistant:stable", "ghcr.io/home-assistant/home-assistant:stable"),
            (&format!("quay.io/app@{SUM}"), &format!("quay.io/app@{SUM}")),
            (&format!("quay.io/app:1@{SUM}"), &format!("quay.io/app:1@{SUM}")),
        ] {
            let reference: Reference = written.parse().expect(written);
            assert_eq!(reference.to_string(), complete);
            assert_eq!(complete.parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = "a".repeat(300);
        for (text, why) in [
            ("", ReferenceError::Repository),
            ("/", ReferenceError::Repository),
            ("Redis", ReferenceError::Repository),
            ("a//b", ReferenceError::Repository),
            ("../b", ReferenceError::Registry),
            ("a/../b", ReferenceError::Repository),
            ("a..b/c/..", ReferenceError::Registry),
            ("a/b.-c", ReferenceError::Repository),
            ("a b", ReferenceError::Repository),
            ("a?x=1", ReferenceError::Repository),
            ("redis:", ReferenceError::Tag),
            ("redis:-1", ReferenceError::Tag),
            ("redis:a:b", ReferenceError::Tag),
            ("ho_st.x/app", ReferenceError::Registry),
            ("host:/app", ReferenceError::Registry),
            ("host:0/app", ReferenceError::Registry),
            ("host:+80/app", ReferenceError::Registry),
            ("host:65536/app", ReferenceError::Registry),
            ("user@host.x/app", ReferenceError::Digest(DigestError::Algorithm)),
            ("redis@sha256:12", ReferenceError::Digest(DigestError::Digits)),
            (&long, ReferenceError::Length),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap_err(), why, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_read_the_same_again(text in "([a-z0-9.:\\[\\]-]{0,12}/)?[a-z0-9._/-]{0,24}(:[A-Za-z0-9._-]{0,8})?") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
            }
        }

        #[test]
        fn any_text_ends(text in ".*") {
            drop(text.parse::<Reference>());
        }
    }
}
