//! Headers that tell browsers to be strict.

use hyper::HeaderMap;
use hyper::header::CONTENT_SECURITY_POLICY;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use hyper::header::REFERRER_POLICY;
use hyper::header::STRICT_TRANSPORT_SECURITY;
use hyper::header::X_CONTENT_TYPE_OPTIONS;
use hyper::header::X_FRAME_OPTIONS;

/// For the console: everything from this box, nothing inline, nothing framed. `data:` images are how bundlers inline icons.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

/// One day. A browser that trusts the household authority then never falls back to HTTP, yet after a factory reset (new
/// authority, same name) the welcome page, which is plain HTTP, can be reached again the next day; with the usual year it
/// could not, and such a browser offers no way past a certificate warning either.
const TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=86400");

/// Sets what every answer has, over HTTP and HTTPS; a stricter policy that is there already stays.
pub fn protect(headers: &mut HeaderMap) {
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Sets what every answer over HTTPS has.
pub fn protect_https(headers: &mut HeaderMap) {
    protect(headers);
    headers.insert(STRICT_TRANSPORT_SECURITY, TRANSPORT);
}
