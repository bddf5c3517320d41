//! Variables in texts: `$NAME`, `${NAME}`, `${NAME:-default}` and its kin (Compose specification, "Interpolation").

/// Longest text with its variables put in.
const MAX_LENGTH: usize = 16 << 10;
/// Deepest default within a default.
const MAX_DEPTH: usize = 4;

/// Puts variables in.
///
/// # Errors
/// What has no value or is written wrongly, as a sentence.
pub(super) fn interpolate<'v>(
    text: &str,
    value_of: &dyn Fn(&str) -> Option<&'v str>,
) -> Result<String, String> {
    put_in(text, value_of, 0)
}

fn put_in<'v>(
    text: &str,
    value_of: &dyn Fn(&str) -> Option<&'v str>,
    depth: usize,
) -> Result<String, String> {
    if depth > MAX_DEPTH {
        return Err("defaults lie within defaults too deeply".to_owned());
    }
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        done.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            done.push('$');
            after
        } else if let Some(after) = after.strip_prefix('{') {
            let (inside, after) = split_at_end(after).ok_or("a ${ has no }")?;
            done.push_str(&value(inside, value_of, depth)?);
            after
        } else {
            let (name, after) = split_name(after);
            if name.is_empty() {
                return Err("a $ stands before no name; write $$ for a $".to_owned());
            }
            done.push_str(value_of(name).ok_or_else(|| missing(name))?);
            after
        };
        if done.len() > MAX_LENGTH {
            return Err(format!("with its variables it is longer than {MAX_LENGTH} bytes"));
        }
    }
    done.push_str(rest);
    Ok(done)
}

/// The value of what stands between `${` and `}`.
fn value<'v>(
    inside: &str,
    value_of: &dyn Fn(&str) -> Option<&'v str>,
    depth: usize,
) -> Result<String, String> {
    let (name, operation) = split_name(inside);
    if name.is_empty() {
        return Err("${ stands before no name; write $$ for a $".to_owned());
    }
    let known = value_of(name);
    // With a colon an empty value counts as none.
    let (operation, known_or_empty) = match operation.strip_prefix(':') {
        Some(operation) => (operation, known.filter(|value| !value.is_empty())),
        None => (operation, known),
    };
    let mut letters = operation.chars();
    match (letters.next(), known_or_empty) {
        (None, _) if operation.len() == inside.len() - name.len() => {
            known.map(str::to_owned).ok_or_else(|| missing(name))
        }
        (Some('-' | '?'), Some(value)) => Ok(value.to_owned()),
        (Some('-'), None) | (Some('+'), Some(_)) => put_in(letters.as_str(), value_of, depth + 1),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => Err(missing(name)),
        _ => Err(format!("${{{name}…}} is not understood; write ${{{name}}} or ${{{name}:-default}}")),
    }
}

fn missing(name: &str) -> String {
    format!("the variable {} has no value; give it one", crate::text::beginning(name))
}

fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.starts_with(|c: char| c.is_ascii_digit()) { ("", text) } else { (name, rest) }
}

/// Splits at the `}` that belongs to a `${` before the text.
fn split_at_end(text: &str) -> Option<(&str, &str)> {
    let mut open = 0_usize;
    let mut last = ' ';
    for (at, character) in text.char_indices() {
        match character {
            '{' if last == '$' => open += 1,
            '}' if open == 0 => return Some((text.get(..at)?, text.get(at + 1..)?)),
            '}' => open -= 1,
            _ => {}
        }
        last = character;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str) -> Result<String, String> {
        let value_of = |name: &str| match name {
            "A" => Some("a"),
            "EMPTY" => Some(""),
            _ => None,
        };
        interpolate(text, &value_of)
    }

    #[test]
    fn variables_have_values_or_defaults() {
        for (text, wanted) in [
            ("x$A/${A}y", "xa/ay"),
            ("$$A $${A}", "$A ${A}"),
            ("${B:-b}${B-c}", "bc"),
            ("${EMPTY:-b}${EMPTY-c}${EMPTY}", "b"),
            ("${B:-${A}/x}", "a/x"),
            ("${A:+yes}${B:+no}${EMPTY+set}", "yesset"),
            ("${A:?needed}${B:-}", "a"),
        ] {
            assert_eq!(put(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_has_no_value_is_told() {
        for text in ["$B", "${B}", "${B:?why}", "${EMPTY:?why}", "${B:-$C}"] {
            assert!(put(text).unwrap_err().contains("has no value"), "{text}");
        }
        for text in ["$", "${", "${}", "${A", "$1", "${A!x}", "${A:}", "${1:-x}"] {
            assert!(!put(text).unwrap_err().contains("has no value"), "{text}");
        }
        let deep = format!("{}x{}", "${B:-".repeat(9), "}".repeat(9));
        assert!(put(&deep).unwrap_err().contains("too deeply"));
        assert!(put(&"${B:-xxxxxxxx}".repeat(4000)).unwrap_err().contains("longer"));
    }
}
