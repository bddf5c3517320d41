//! Bodies: read within bounds, decoded strictly, with errors that name the member at fault.

use super::error::ApiError;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde::de::IgnoredAny;
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;

/// Longest body that is kept, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// The same where a document is in it: 128 KiB of text, every other character of it escaped.
pub const MAX_LONG_BYTES: usize = 256 * 1024;
/// A longer one is read and thrown away up to here, so that its sender gets to the answer.
const MAX_DISCARDED: usize = 8 * 1024 * 1024;
/// How long a body may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Reads a body of at most `keep` bytes; where `keep` is 0, any body is discarded and the result empty.
pub async fn read<B>(body: B, keep: usize) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Error + Send + Sync + 'static,
{
    let message = "The request did not arrive within 10 seconds. Try again.";
    let late = |_elapsed| ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message);
    timeout(TIME_LIMIT, read_to_end(body, keep)).await.map_err(late)?
}

async fn read_to_end<B>(mut body: B, keep: usize) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: Error + Send + Sync + 'static,
{
    let mut kept = Vec::new();
    let mut total = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(error = &error as &dyn Error, "a request body broke off");
            ApiError::new(StatusCode::BAD_REQUEST, "malformed_body", "The request did not arrive whole.")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        total = total.saturating_add(data.len());
        if total <= keep {
            kept.extend_from_slice(&data);
        } else if total > MAX_DISCARDED {
            return Err(too_large(keep));
        }
    }
    if keep > 0 && total > keep { Err(too_large(keep)) } else { Ok(kept.into()) }
}

fn too_large(most: usize) -> ApiError {
    let most = most.max(MAX_BYTES) >> 10;
    let message = format!("The request is larger than {most} KiB, the most the box takes.");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

/// Refuses a body that does not say it is of the wanted type; a web page of another origin cannot send JSON or a DNS message
/// without asking first.
pub fn require_type(headers: &HeaderMap, wanted: &str) -> Result<(), ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let message = format!("Send the request with the header Content-Type: {wanted}.");
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message))
}

/// Decodes a body; what is not JSON at all is 400, what does not fit is 422 with the member's path.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let malformed = |error: &serde_json::Error| {
        let message =
            format!("The request is not valid JSON, near line {} column {}.", error.line(), error.column());
        ApiError::new(StatusCode::BAD_REQUEST, "malformed_json", message)
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // Two members where one of several is wanted count as a mistake of the text, which it is not.
        if error.inner().is_data() || serde_json::from_slice::<IgnoredAny>(body).is_ok() {
            unfit(&error.path().to_string(), &error.inner().to_string())
        } else {
            malformed(error.inner())
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// serde reports a missing member at its parent and only names it in the text (``missing field `name` ``).
fn unfit(path: &str, text: &str) -> ApiError {
    // serde_json appends the place, which says nothing to people.
    let text = text.split(" at line ").next().unwrap_or(text);
    let parent = if path == "." { "" } else { path };
    let named = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    let below = |name: &str| match parent {
        "" => name.to_owned(),
        _ => format!("{parent}.{name}"),
    };
    if let Some(name) = named("missing field `") {
        let field = below(name);
        return ApiError::field(field.clone(), format!("{field} is missing."));
    }
    if let Some(name) = named("unknown field `") {
        let field = if parent == name || parent.ends_with(&format!(".{name}")) {
            parent.to_owned()
        } else {
            below(name)
        };
        return ApiError::field(field.clone(), format!("{field} is not known here. Leave it out."));
    }
    let field = if parent.is_empty() { "." } else { parent };
    ApiError::field(field, format!("{field} cannot be used: {text}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        host: model::names::HostName,
        count: u8,
    }

    fn refused(body: &str) -> (u16, String) {
        let reply = decode::<Outer>(body.as_bytes()).unwrap_err().into_reply();
        let status = reply.status().as_u16();
        let bytes = futures_util::FutureExt::now_or_never(reply.into_body().collect()).unwrap().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&bytes.to_bytes()).unwrap();
        assert!(body["error"]["message"].as_str().unwrap().ends_with('.'), "{body}");
        (status, body["error"]["field"].as_str().unwrap_or("-").to_owned())
    }

    #[test]
    fn a_fitting_body_is_decoded() {
        let outer: Outer = decode(br#"{"name":"a","inner":{"host":"oak","count":3}}"#).unwrap();
        assert_eq!((outer.name.as_str(), outer.inner.host.as_str(), outer.inner.count), ("a", "oak", 3));
    }

    #[test]
    fn the_member_at_fault_is_named() {
        for (body, status, field) in [
            (r#"{"name":"a"}"#, 422, "inner"),
            (r#"{"name":"a","inner":{"count":3}}"#, 422, "inner.host"),
            (r#"{"name":"a","inner":{"host":"Oak","count":3}}"#, 422, "inner.host"),
            (r#"{"name":"a","inner":{"host":"oak","count":300}}"#, 422, "inner.count"),
            (r#"{"name":"a","inner":{"host":"oak","count":"3"}}"#, 422, "inner.count"),
            (r#"{"name":7,"inner":{"host":"oak","count":3}}"#, 422, "name"),
            (r#"{"name":"a","inner":{"host":"oak","count":3,"more":1}}"#, 422, "inner.more"),
            (r#"{"nmae":"a"}"#, 422, "nmae"),
            (r#"{"name":null}"#, 422, "name"),
            ("[]", 422, "."),
            ("7", 422, "."),
            ("", 400, "-"),
            ("{", 400, "-"),
            (r#"{"name":"a","inner":{"host":"oak","count":3}} x"#, 400, "-"),
            ("{\"name\":\"\u{1}\"}", 400, "-"),
        ] {
            assert_eq!(refused(body), (status, field.to_owned()), "{body}");
        }
    }

    #[tokio::test]
    async fn a_body_is_kept_up_to_the_limit_and_discarded_beyond() {
        let whole = read(Full::new(Bytes::from(vec![b'x'; MAX_BYTES])), MAX_BYTES).await.unwrap();
        assert_eq!(whole.len(), MAX_BYTES);
        for size in [MAX_BYTES + 1, MAX_DISCARDED + 1] {
            let error = read(Full::new(Bytes::from(vec![b'x'; size])), MAX_BYTES).await.unwrap_err();
            assert_eq!(error.into_reply().status(), StatusCode::PAYLOAD_TOO_LARGE, "{size}");
        }
        assert!(read(Full::new(Bytes::from_static(b"ignored")), 0).await.unwrap().is_empty());
    }
}
