//! Answers made from a wildcard in a zone with NSEC (RFC 4035 section 5.3.4).
//!
//! hickory 0.26.3 wants the wildcard itself to be denied, which it cannot be when it stands directly above the name, and calls such
//! answers bogus. The signatures it has judged by then; what is looked at again here is only whether nothing closer than the wildcard exists.

use hickory_proto::dnssec::Proof;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::dnssec::rdata::NSEC;
use hickory_proto::op::Message;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name;
use hickory_proto::rr::RData;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;

/// True when every answer is for `name` and proved, at least one was made from a wildcard, and for each of those the zone proves that
/// the name next below the wildcard's place does not exist.
pub(crate) fn is_proved(name: &Name, answer: &Message) -> bool {
    let data = || answer.answers.iter().filter(|record| record.record_type() != RecordType::RRSIG);
    if answer.metadata.response_code != ResponseCode::NoError
        || data().next().is_none()
        || !data().all(|record| record.proof == Proof::Secure && record.name == *name)
    {
        return false;
    }
    let mut made = answer.answers.iter().filter_map(|record| made_from_wildcard(name, record)).peekable();
    made.peek().is_some()
        && made.all(|(zone, next_closer)| {
            answer.authorities.iter().any(|record| {
                let RData::DNSSEC(DNSSECRData::NSEC(nsec)) = &record.data else { return false };
                record.proof == Proof::Secure
                    && zone.zone_of(&record.name)
                    && denies_all_below(&record.name, nsec, &next_closer, &zone)
            })
        })
}

/// Of a signature over a wildcard: its zone, and the name one label longer than the wildcard's parent.
fn made_from_wildcard(name: &Name, record: &Record) -> Option<(Name, Name)> {
    let RData::DNSSEC(DNSSECRData::RRSIG(signature)) = &record.data else { return None };
    let input = signature.input();
    if record.name != *name || input.num_labels >= name.num_labels() {
        return None;
    }
    Some((input.signer_name.clone(), name.trim_to(usize::from(input.num_labels) + 1)))
}

/// True when `absent` and every name below it lie between the owner of the proof and the next name (RFC 4034 section 6.1).
///
/// Names below another are neighbours in that order: none of them exists when the proof starts before them and ends after them.
fn denies_all_below(owner: &Name, nsec: &NSEC, absent: &Name, zone: &Name) -> bool {
    let next = nsec.next_domain_name();
    let ends_after = next == zone || next > absent && !absent.zone_of(next);
    // RFC 6840 section 4.1: a proof from above a delegation, or a DNAME, says nothing of names below its owner.
    let types = nsec.type_set();
    let cut = types.contains(RecordType::NS) && !types.contains(RecordType::SOA)
        || types.contains(RecordType::DNAME);
    zone.zone_of(absent) && owner < absent && ends_after && !(cut && owner.zone_of(absent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn denies(owner: &str, next: &str, types: &[RecordType], absent: &str) -> bool {
        let nsec = NSEC::new(name(next), types.iter().copied());
        denies_all_below(&name(owner), &nsec, &name(absent), &name("example."))
    }

    #[test]
    fn what_lies_between_is_denied() {
        let a = [RecordType::A];
        assert!(denies("*.wild.example.", "zzz.example.", &a, "a.wild.example."));
        assert!(denies("0.wild.example.", "example.", &a, "a.wild.example."));
        // Something below it exists, or it exists itself, or it lies elsewhere.
        assert!(!denies("*.wild.example.", "x.a.wild.example.", &a, "a.wild.example."));
        assert!(!denies("*.wild.example.", "a.wild.example.", &a, "a.wild.example."));
        assert!(!denies("a.wild.example.", "zzz.example.", &a, "a.wild.example."));
        assert!(!denies("b.wild.example.", "zzz.example.", &a, "a.wild.example."));
        assert!(!denies("alpha.example.", "beta.example.", &a, "a.wild.example."));
        // Another zone's name.
        assert!(!denies("*.wild.example.", "zzz.example.", &a, "a.wild.other."));
    }

    #[test]
    fn proofs_from_above_a_delegation_say_nothing_of_what_is_below() {
        assert!(!denies("wild.example.", "zzz.example.", &[RecordType::NS], "a.wild.example."));
        assert!(denies(
            "wild.example.",
            "zzz.example.",
            &[RecordType::NS, RecordType::SOA],
            "a.wild.example."
        ));
        assert!(!denies("wild.example.", "zzz.example.", &[RecordType::DNAME], "a.wild.example."));
    }

    proptest! {
        /// In a zone with these names, the proof that stands in the zone denies a name exactly when neither it nor anything below it exists.
        #[test]
        fn a_zones_proofs_deny_what_is_not_there(
            names in proptest::collection::btree_set("[a-c]{1}(\\.[a-c]{1}){0,2}\\.example\\.", 1..8),
            absent in "[a-c]{1}(\\.[a-c]{1}){0,2}\\.example\\.",
        ) {
            let mut names: Vec<Name> = names.iter().map(|text| name(text)).chain([name("example.")]).collect();
            names.sort();
            let exists = names.iter().any(|there| name(&absent).zone_of(there));
            let denied = names.iter().enumerate().any(|(place, owner)| {
                let next = &names[(place + 1) % names.len()];
                denies(&owner.to_ascii(), &next.to_ascii(), &[RecordType::A], &absent)
            });
            prop_assert_eq!(denied, !exists);
        }
    }
}
