//! Names of images, as far as hostd has to know them: written out in full, so that one image has one name everywhere, and fixed to what
//! was pulled, so that nobody else's pull changes what an app runs.

use model::containers::DEFAULT_REGISTRY;

/// The name with its registry and its tag (docs/spec/images.md). What is no name stays what it is; the image store refuses it.
#[must_use]
pub fn complete(name: &str) -> String {
    let (rest, digest) = name.split_once('@').map_or((name, None), |(rest, digest)| (rest, Some(digest)));
    let (path, tag) = split_tag(rest);
    let (registry, repository) = match path.split_once('/') {
        Some(("index.docker.io" | "registry-1.docker.io", rest)) => (DEFAULT_REGISTRY, rest),
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) => (first, rest),
        Some(_) | None => (DEFAULT_REGISTRY, path),
    };
    let library = if registry == DEFAULT_REGISTRY && !repository.contains('/') { "library/" } else { "" };
    let tag = match (tag, digest) {
        (Some(tag), _) => format!(":{tag}"),
        (None, None) => ":latest".to_owned(),
        (None, Some(_)) => String::new(),
    };
    let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{registry}/{library}{repository}{tag}{digest}")
}

/// The same image by the digest of its manifest; the name itself where it has a digest already.
#[must_use]
pub fn fixed(complete: &str, manifest: &str) -> String {
    if complete.contains('@') {
        return complete.to_owned();
    }
    format!("{}@{manifest}", split_tag(complete).0)
}

/// The last part of the path, which people would call the app.
#[must_use]
pub fn short(name: &str) -> &str {
    let rest = name.split_once('@').map_or(name, |(rest, _)| rest);
    let path = split_tag(rest).0;
    path.rsplit('/').next().unwrap_or(path)
}

/// The tag, where one is written.
#[must_use]
pub fn tag(name: &str) -> Option<&str> {
    split_tag(name.split_once('@').map_or(name, |(rest, _)| rest)).1
}

/// A colon before the last slash belongs to a port.
fn split_tag(rest: &str) -> (&str, Option<&str>) {
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    match rest.get(last..).and_then(|name| name.find(':')) {
        Some(colon) => {
            let (path, tag) = rest.split_at(last + colon);
            (path, tag.get(1..))
        }
        None => (rest, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_are_written_out_as_the_store_does() {
        for (written, whole) in [
            ("redis", "docker.io/library/redis:latest"),
            ("redis:7-alpine", "docker.io/library/redis:7-alpine"),
            ("grafana/grafana", "docker.io/grafana/grafana:latest"),
            ("index.docker.io/redis", "docker.io/library/redis:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/a/b_c--d:V1.0", "localhost:5000/a/b_c--d:V1.0"),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            (&format!("quay.io/app@{SUM}"), &format!("quay.io/app@{SUM}")),
            (&format!("quay.io/app:1@{SUM}"), &format!("quay.io/app:1@{SUM}")),
        ] {
            assert_eq!(complete(written), whole);
            assert_eq!(complete(whole), whole);
        }
    }

    #[test]
    fn a_fixed_name_has_the_digest_in_the_place_of_the_tag() {
        assert_eq!(fixed("localhost:5000/a/b:1", SUM), format!("localhost:5000/a/b@{SUM}"));
        assert_eq!(fixed(&format!("quay.io/app:1@{SUM}"), "sha256:0"), format!("quay.io/app:1@{SUM}"));
        assert_eq!((short("localhost:5000/a/b:1"), tag("localhost:5000/a/b:1")), ("b", Some("1")));
        assert_eq!((short("redis"), tag("redis")), ("redis", None));
        assert_eq!((short(&format!("a/b@{SUM}")), tag(&format!("a/b@{SUM}"))), ("b", None));
    }
}
