//! The rules of texts: one row each, from which the types, the published schema and the sentences about mistakes are made.

use model::apps::AppId;
use model::network::app_policy::Port;
use model::network::names::DomainPattern;

/// What a text must be.
pub(crate) struct Rule {
    /// Its name, `format` in the schema.
    pub(crate) format: &'static str,
    /// Fewest characters.
    pub(crate) least: usize,
    /// Most characters.
    pub(crate) most: usize,
    /// A regular expression for editors, if one can say most of it. [`Rule::is_right`] decides.
    pub(crate) pattern: Option<&'static str>,
    /// What would be right, as the end of a sentence.
    pub(crate) right: &'static str,
    /// Whether a text is right.
    pub(crate) is_right: fn(&str) -> bool,
}

impl Rule {
    /// Whether a text is as long as it may be, and right.
    pub(crate) fn takes(&self, text: &str) -> bool {
        (self.least..=self.most).contains(&text.chars().count()) && (self.is_right)(text)
    }
}

/// The rule of this name.
pub(crate) fn of_format(format: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.format == format)
}

/// Every rule.
pub(crate) const ALL: [&Rule; 18] = [
    &LINE,
    &DESCRIPTION,
    &REASON,
    &VERSION,
    &CONTAINER_NAME,
    &VOLUME_NAME,
    &ENV_NAME,
    &ENV_VALUE,
    &ARGUMENT,
    &CONTAINER_PATH,
    &HTTP_PATH,
    &API_ID,
    &IMAGE,
    &USER,
    &SIGNAL,
    &PORT,
    &DOMAIN_PATTERN,
    &APP_ID,
];

pub(crate) const LINE: Rule = Rule {
    format: "hearth-line",
    least: 1,
    most: 120,
    pattern: None,
    right: "one line of 1 to 120 characters, without control characters and without spaces at its ends",
    is_right: is_line,
};
pub(crate) const DESCRIPTION: Rule = Rule {
    format: "hearth-description",
    least: 1,
    most: 4000,
    pattern: None,
    right: "a text of 1 to 4000 characters; line ends are its only control characters",
    is_right: |text| text.lines().all(|line| line.chars().all(is_shown)) && !text.trim().is_empty(),
};
pub(crate) const REASON: Rule = Rule {
    format: "hearth-reason",
    least: 1,
    most: 200,
    pattern: None,
    right: "a reason that people understand, in one line of 1 to 200 characters",
    is_right: is_line,
};
pub(crate) const VERSION: Rule = Rule {
    format: "semantic-version",
    least: 5,
    most: 64,
    pattern: Some(r"^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"),
    right: "a version with three numbers such as 1.4.0 or 2.0.0-beta.1 (semver.org)",
    is_right: |text| semver::Version::parse(text).is_ok(),
};
/// The box's identifier of a container is the app's key (32 digits), `-` and this: 63 characters at most.
pub(crate) const CONTAINER_NAME: Rule = Rule {
    format: "container-name",
    least: 1,
    most: 30,
    pattern: Some("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$"),
    right: "1 to 30 of the characters a-z, 0-9 and -, and no - at an end",
    is_right: |text| !text.starts_with('-') && !text.ends_with('-') && text.bytes().all(is_label_byte),
};
/// As containers have them: a folder's name.
pub(crate) const VOLUME_NAME: Rule = Rule {
    format: "volume-name",
    least: 1,
    most: 63,
    pattern: Some("^[a-z0-9][a-z0-9_.-]{0,62}$"),
    right: "1 to 63 of the characters a-z, 0-9, -, _ and ., the first a letter or digit",
    is_right: |text| {
        !text.starts_with(['-', '_', '.']) && text.bytes().all(|b| is_label_byte(b) || b == b'_' || b == b'.')
    },
};
pub(crate) const ENV_NAME: Rule = Rule {
    format: "environment-name",
    least: 1,
    most: 128,
    pattern: Some("^[A-Za-z_][A-Za-z0-9_.-]{0,127}$"),
    right: "1 to 128 of the characters A-Z, a-z, 0-9, _, . and -, the first a letter or _; ATEK_…, HEARTH_…, LD_PRELOAD, \
            LD_LIBRARY_PATH and LD_AUDIT are not for apps to set",
    is_right: |text| {
        !text.starts_with(|first: char| first.is_ascii_digit() || first == '.' || first == '-')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
            && !["ATEK_", "HEARTH_"].iter().any(|prefix| text.starts_with(prefix))
            && !["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT"].contains(&text)
    },
};
/// Four bytes a character at most keep it below the 32 KiB that a container may be given.
pub(crate) const ENV_VALUE: Rule = Rule {
    format: "environment-value",
    least: 0,
    most: 8000,
    pattern: Some("^[^\\x00\\n\\r]*$"),
    right: "a text of at most 8000 characters without a zero or a line end",
    is_right: |text| !text.contains(['\0', '\n', '\r']),
};
pub(crate) const ARGUMENT: Rule = Rule {
    format: "program-argument",
    least: 0,
    most: 8000,
    pattern: Some("^[^\\x00]*$"),
    right: "a text of at most 8000 characters without a zero",
    is_right: |text| !text.contains('\0'),
};
pub(crate) const CONTAINER_PATH: Rule = Rule {
    format: "container-path",
    least: 1,
    most: 250,
    pattern: Some("^/[^\\x00]*$"),
    right: "a path of at most 250 characters such as /var/lib/app: from /, without .. or . or // and without / at its end",
    is_right: is_path,
};
pub(crate) const HTTP_PATH: Rule = Rule {
    format: "http-path",
    least: 1,
    most: 250,
    pattern: Some("^/[A-Za-z0-9._~!$&'()*+,;=:@/-]*$"),
    right: "the path of an address such as /api/v1: one / first, no .. and no //, no host, none of ? # % and no spaces",
    is_right: is_http_path,
};
pub(crate) const API_ID: Rule = Rule {
    format: "api-id",
    least: 5,
    most: 120,
    pattern: Some("^[a-z0-9.-]+/[a-z0-9._/-]+$"),
    right: "a domain of its maker, / and a name, in lower case, such as example.com/notes-api",
    is_right: is_api_id,
};
pub(crate) const IMAGE: Rule = Rule {
    format: "image-reference",
    least: 1,
    most: 400,
    pattern: Some("^[A-Za-z0-9.:_/-]+(@sha256:[0-9a-f]{64})?$"),
    right: "the name of an image such as docker.io/library/redis:7.2 or ghcr.io/a/b@sha256:… (64 hexadecimal digits)",
    is_right: is_image,
};
pub(crate) const USER: Rule = Rule {
    format: "container-user",
    least: 1,
    most: 80,
    pattern: Some("^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$"),
    right: "user or user:group, names of the image or numbers up to 65535",
    is_right: |text| {
        let (user, group) = text.split_once(':').unwrap_or((text, "0"));
        is_user(user) && is_user(group)
    },
};
pub(crate) const SIGNAL: Rule = Rule {
    format: "signal-name",
    least: 6,
    most: 8,
    pattern: Some("^SIG[A-Z0-9]+$"),
    right: "one of SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH and SIGKILL",
    is_right: |text| SIGNALS.contains(&text),
};
pub(crate) const PORT: Rule = Rule {
    format: "protocol-and-port",
    least: 5,
    most: 9,
    pattern: Some("^(tcp|udp)/[1-9][0-9]{0,3}$|^(tcp|udp)/[1-6][0-9]{4}$"),
    right: "protocol and number such as tcp/8123 or udp/5683",
    is_right: |text| text.parse::<Port>().is_ok_and(|port| port.to_string() == text),
};
pub(crate) const DOMAIN_PATTERN: Rule = Rule {
    format: "domain-pattern",
    least: 3,
    most: 255,
    pattern: Some(r"^(\*\.)?[a-z0-9_.-]+$"),
    right: "a domain in lower case such as example.com, or *.example.com for everything below it",
    is_right: |text| text.parse::<DomainPattern>().is_ok(),
};
pub(crate) const APP_ID: Rule = Rule {
    format: "app-id",
    least: 1,
    most: 63,
    pattern: Some("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"),
    right: "1 to 63 of the characters a-z, 0-9 and -, a letter first, no - at the end, and no name of the box itself",
    is_right: |text| text.parse::<AppId>().is_ok(),
};

/// Signals that may ask a program to end.
pub(crate) const SIGNALS: [&str; 8] =
    ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGKILL"];

/// Whether a character is shown as what it is: no control characters, and none of those that turn the direction of what follows
/// (Unicode TR 36 section 2.7), by which a permission could be made to read otherwise than it is.
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn is_line(text: &str) -> bool {
    text.chars().all(is_shown) && text.trim() == text
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

fn is_path(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    text == "/"
        || text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part)) && !text.contains('\0')
}

/// RFC 3986 section 3.3 without percent-encoding, under which `..` could hide.
fn is_http_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.contains("//")
        && !text.split('/').any(|part| part == "." || part == "..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~!$&'()*+,;=:@/-".contains(&b))
}

fn is_api_id(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|b| is_label_byte(b) || b == b'.' || b == b'_')
    };
    text.split_once('/').is_some_and(|(domain, name)| {
        domain.parse::<model::network::names::Domain>().is_ok() && name.split('/').all(is_part)
    })
}

/// `[registry/]repository[:tag][@digest]` (OCI distribution specification 1.1, "Pulling manifests").
fn is_image(text: &str) -> bool {
    let (named, digest) = text.split_once('@').map_or((text, None), |(named, digest)| (named, Some(digest)));
    let is_digest = |digest: &str| {
        digest.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    };
    // A colon after the last slash begins the tag; one before it belongs to the registry's port.
    let last = named.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match named.get(last..).and_then(|part| part.find(':')) {
        Some(colon) => named.split_at(last + colon),
        None => (named, ""),
    };
    let is_tag = |tag: &str| {
        (1..=128).contains(&tag.len())
            && !tag.starts_with(['.', '-'])
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    };
    digest.is_none_or(is_digest)
        && (tag.is_empty() || tag.strip_prefix(':').is_some_and(is_tag))
        && is_repository(name)
}

fn is_repository(name: &str) -> bool {
    let (registry, path) = match name.split_once('/') {
        // Docker's rule: a first part with a dot or a colon, or `localhost`, is a registry.
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    };
    let is_part = |part: &str| {
        let is_end = |end: Option<u8>| end.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        is_end(part.bytes().next())
            && is_end(part.bytes().last())
            && part.bytes().all(|b| is_label_byte(b) || b == b'.' || b == b'_')
    };
    let is_registry = |host: &str| {
        let (host, port) = host.split_once(':').unwrap_or((host, "443"));
        port.parse::<std::num::NonZeroU16>().is_ok()
            && !host.is_empty()
            && host
                .split('.')
                .all(|l| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    };
    registry.is_none_or(is_registry) && path.len() <= 255 && path.split('/').all(is_part)
}

/// A name, or a number of the app's range.
fn is_user(text: &str) -> bool {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    !text.is_empty()
        && if is_number { text.parse::<u16>().is_ok() } else { is_name && !text.starts_with(['-', '.']) }
}

#[cfg(test)]
mod tests;
