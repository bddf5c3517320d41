//! Tables between marks in the README.

use crate::command::repository;
use anyhow::Context;
use anyhow::Result;
use std::fs;

const END: &str = "<!-- /bench -->";

/// Puts a table between its mark and the next end mark.
///
/// # Errors
/// When the README cannot be read or written, or has no such marks.
pub(crate) fn fill(mark: &str, table: &str) -> Result<()> {
    let path = repository().join("README.md");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let filled = filled(&text, mark, table)?;
    fs::write(&path, filled).with_context(|| format!("writing {}", path.display()))
}

fn filled(text: &str, mark: &str, table: &str) -> Result<String> {
    let (before, rest) =
        text.split_once(mark).with_context(|| format!("the README has no place for the figures: {mark}"))?;
    let (_, after) = rest.split_once(END).context("the README's place for the figures has no end")?;
    Ok(format!("{before}{mark}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_behind_its_own_mark_is_replaced() {
        let text = format!("<a>\nold\n{END}\nbetween\n<b>\nold\n{END}\nrest");
        let expected = format!("<a>\nold\n{END}\nbetween\n<b>\nnew\n{END}\nrest");
        assert_eq!(filled(&text, "<b>\n", "new\n").unwrap(), expected);
        filled("nothing", "<b>\n", "new\n").unwrap_err();
        filled("<b>\nno end", "<b>\n", "new\n").unwrap_err();
    }
}
