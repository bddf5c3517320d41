//! PEM text (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One block with this label.
pub(super) fn encode(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, c) in body.char_indices() {
        // Lines of 64 characters (RFC 7468 section 2).
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push_str("\n-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}
