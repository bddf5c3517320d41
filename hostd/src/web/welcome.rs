//! The first page somebody sees: why the browser is about to warn, what to compare, how never to be warned again.
//!
//! One static document without scripts. Its style sheet is inline, so that the page is whole in one request, and allowed by its hash.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;
use sha2::Sha256;

const PAGE: &str = include_str!("welcome.html");
const STYLE: &str = include_str!("welcome.css");

/// The page; `url` leads to set-up, `fingerprint` is the authority's.
///
/// `url` is made of a validated host name and a port, so it needs no escaping.
#[must_use]
pub fn page(url: &str, fingerprint: &str) -> String {
    // Lines break between bytes, so that two prints can be compared by eye.
    let breakable = fingerprint.replace(':', ":<wbr>");
    PAGE.replace("{{css}}", STYLE)
        .replace("{{url}}", url)
        .replace("{{fingerprint}}", fingerprint)
        .replace("{{breakable}}", &breakable)
}

/// Content security policy of the page.
#[must_use]
pub fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_runs_nothing() {
        let page = page("https://hearth.local/", "AB:CD");
        assert!(page.contains("href=\"https://hearth.local/\"") && page.contains("AB:CD"));
        assert!(!page.contains("{{"));
        for foreign in ["<script", "src=", "http://", "onclick", "style=\""] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn the_policy_names_the_hash_of_exactly_what_stands_between_the_style_tags() {
        let page = page("https://hearth.local/", "AB:CD");
        let (_, rest) = page.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(policy().contains(&format!("style-src 'sha256-{hash}'")));
    }
}
