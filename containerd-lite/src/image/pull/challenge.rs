//! How a registry asks for a login: the header `WWW-Authenticate` (RFC 9110, section 11; token authentication of the distribution project).

/// Longest header that is looked at.
const MAX_HEADER: usize = 4096;

/// What a registry wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token from somewhere.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
    /// User and password with each question.
    Basic,
}

/// Reads a header.
pub(super) fn parse(header: &str) -> Option<Challenge> {
    let header = header.get(..header.len().min(MAX_HEADER))?;
    let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service, mut scope) = (None, None, None);
    for (name, value) in parameters(rest)? {
        match name.to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            "scope" => scope = Some(value),
            _ => {}
        }
    }
    Some(Challenge::Bearer { realm: realm?, service, scope })
}

/// `name=value` and `name="value"`, with commas between them.
fn parameters(text: &str) -> Option<Vec<(String, String)>> {
    let mut rest = text.trim_start_matches([' ', ',']);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim_end().to_owned(), &after[end..])
            }
        };
        found.push((name.trim().to_owned(), value));
        rest = after.trim_start_matches([' ', ',']);
    }
    Some(found)
}

fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// Text as it may stand in the query of an address.
pub(super) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn challenges_of_real_registries_are_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        };
        for (header, challenge) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/redis:pull,push""#,
                bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:library/redis:pull,push"),
                ),
            ),
            (
                r#"bearer realm="https://ghcr.io/token" , service=ghcr.io"#,
                bearer("https://ghcr.io/token", Some("ghcr.io"), None),
            ),
            (r#"Bearer realm="a\"b""#, bearer("a\"b", None, None)),
            ("Basic realm=\"Registry\"", Challenge::Basic),
            ("basic", Challenge::Basic),
        ] {
            assert_eq!(parse(header), Some(challenge), "{header}");
        }
        for header in
            ["", "Digest realm=\"x\"", "Bearer", "Bearer realm=\"x", "Bearer service=\"x\"", "Bearer x"]
        {
            assert_eq!(parse(header), None, "{header}");
        }
    }

    #[test]
    fn queries_hold_nothing_that_ends_them() {
        assert_eq!(encode("repository:a/b:pull"), "repository:a/b:pull");
        assert_eq!(encode("a&b=c d#ä"), "a%26b%3Dc%20d%23%C3%A4");
    }

    proptest! {
        #[test]
        fn any_header_ends(header in "(Bearer )?.{0,64}") {
            drop(parse(&header));
        }
    }
}
