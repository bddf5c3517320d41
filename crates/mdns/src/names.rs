//! Names in `.local`, and what a name becomes when it is taken.

use hickory_proto::rr::Name;
use model::names::HostName;

/// Longest DNS label (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// A name below `.local`; none when a label is empty or too long.
pub(crate) fn local(labels: &[&str]) -> Option<Name> {
    let labels = labels.iter().copied().chain(["local"]).map(str::as_bytes);
    let mut name = Name::from_labels(labels).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// Whether a name is asked for by multicast (RFC 6762 sections 3 and 12): `.local`, and the reverse names of link-local addresses.
#[must_use]
pub fn is_multicast(name: &Name) -> bool {
    let ends_with = |labels: &[&str]| {
        let own = name.iter().rev();
        usize::from(name.num_labels()) > labels.len()
            && own.zip(labels.iter().rev()).all(|(own, wanted)| own.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    ends_with(&["local"])
        || ends_with(&["254", "169", "in-addr", "arpa"])
        || ["8", "9", "a", "b"].iter().any(|digit| ends_with(&[digit, "e", "f", "ip6", "arpa"]))
}

/// The host's label: the one wished for, then `name-2`, `name-3` and so on (RFC 6762 section 9). A wish that ends in a number
/// counts on from there.
pub(crate) fn host_label(wish: &HostName, attempt: u32) -> String {
    if attempt <= 1 {
        return wish.to_string();
    }
    let (base, first) = match wish.as_str().rsplit_once('-') {
        Some((base, digits)) if !base.is_empty() => match digits.parse::<u32>() {
            Ok(number) if number >= 2 && !digits.starts_with('0') => (base, number),
            _ => (wish.as_str(), 1),
        },
        _ => (wish.as_str(), 1),
    };
    let suffix = format!("-{}", u64::from(first) + u64::from(attempt) - 1);
    // A label must not have a dash at its end, and two in a row are ugly.
    let base = base.get(..MAX_LABEL - suffix.len()).unwrap_or(base).trim_end_matches('-');
    format!("{base}{suffix}")
}

/// The label of a service's instance: `hearth`, then `hearth (2)` (RFC 6763 appendix D).
pub(crate) fn instance_label(host_label: &str, attempt: u32) -> String {
    if attempt <= 1 {
        return host_label.to_owned();
    }
    let suffix = format!(" ({attempt})");
    let base = host_label.get(..MAX_LABEL - suffix.len()).unwrap_or(host_label);
    format!("{base}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_a_number() {
        let long = "a".repeat(63);
        for (wish, attempt, label) in [
            ("hearth", 1, "hearth"),
            ("hearth", 2, "hearth-2"),
            ("hearth", 3, "hearth-3"),
            ("hearth-2", 2, "hearth-3"),
            ("hearth-2", 3, "hearth-4"),
            ("oak-1", 2, "oak-1-2"),
            ("oak-05", 2, "oak-05-2"),
            ("7", 2, "7-2"),
            (long.as_str(), 12, &format!("{}-12", "a".repeat(60))),
        ] {
            assert_eq!(host_label(&wish.parse().unwrap(), attempt), label);
        }
        let dashes = format!("{}--b", "a".repeat(59));
        let numbered = host_label(&dashes.parse().unwrap(), 10);
        assert_eq!(numbered.parse::<HostName>().unwrap().as_str(), format!("{}-10", "a".repeat(59)));
        host_label(&"hearth-4294967295".parse().unwrap(), u32::MAX).parse::<HostName>().unwrap();
    }

    #[test]
    fn a_taken_instance_gets_a_number_in_brackets() {
        assert_eq!(instance_label("hearth", 1), "hearth");
        assert_eq!(instance_label("hearth-2", 3), "hearth-2 (3)");
        assert_eq!(instance_label(&"a".repeat(63), 2).len(), 63);
    }

    #[test]
    fn names_for_multicast_are_known_by_their_end() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        for yes in ["hearth.local.", "a.b.LOCAL.", "5.0.254.169.in-addr.arpa.", "1.0.b.e.f.ip6.arpa."] {
            assert!(is_multicast(&name(yes)), "{yes}");
        }
        for no in ["local.", "hearth.home.arpa.", "local.example.", ".", "1.0.c.e.f.ip6.arpa.", "notlocal."] {
            assert!(!is_multicast(&name(no)), "{no}");
        }
    }
}
