//! One answer, taken apart at its aliases.
//!
//! A forwarder's answer holds a whole chain: an alias, its target's alias, and at last the data or the proof that there is none.
//! hickory's validator judges an answer by one name: a proof about the last zone of a chain is "for the wrong zone" to it. So it is
//! shown one link at a time, each as if it had been asked for alone.

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::dnssec::rdata::RRSIG;
use hickory_proto::op::Message;
use hickory_proto::op::Query;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name;
use hickory_proto::rr::RData;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;

/// Aliases that are followed; public resolvers give up between 8 and 16.
pub(crate) const MAX_LINKS: usize = 10;

/// The answer to the question itself, and those to the questions that follow from it.
pub(crate) fn split(answer: &Message) -> Vec<Message> {
    let Some(query) = answer.queries.first() else { return Vec::new() };
    let mut links = Vec::new();
    let mut name = query.name.clone();
    while links.len() < MAX_LINKS {
        let link = link_at(answer, &name, query);
        let next = if query.query_type == RecordType::CNAME { None } else { alias_of(&link.answers, &name) };
        links.push(link);
        match next {
            Some(next) if !links.iter().any(|link| link.queries.iter().any(|query| query.name == next)) => {
                name = next;
            }
            Some(_) | None => break,
        }
        // The rest of the chain is not in this answer: it has to be asked for.
        if !holds(answer, &name) && !ends_here(answer, &name) {
            break;
        }
    }
    links
}

/// Where this name's alias leads.
pub(crate) fn alias_of(answers: &[Record], name: &Name) -> Option<Name> {
    answers.iter().filter(|record| record.name == *name).find_map(|record| {
        let RData::CNAME(target) = &record.data else { return None };
        Some(target.0.clone())
    })
}

fn link_at(answer: &Message, name: &Name, query: &Query) -> Message {
    let mut link = Message::response(answer.metadata.id, answer.metadata.op_code);
    link.metadata = answer.metadata;
    link.edns.clone_from(&answer.edns);
    link.add_query(Query::query(name.clone(), query.query_type));
    link.answers = answer
        .answers
        .iter()
        .filter(|record| {
            let kind = covered(record);
            let own = record.name == *name && (kind == query.query_type || kind == RecordType::CNAME);
            own || kind == RecordType::DNAME && record.name.zone_of(name) && record.name != *name
        })
        .cloned()
        .collect();
    if link.answers.is_empty() {
        link.authorities = denial_of_tail(answer);
    } else {
        link.metadata.response_code = ResponseCode::NoError;
        link.authorities = denial_of_closer_names(answer, &link.answers);
    }
    link
}

fn holds(answer: &Message, name: &Name) -> bool {
    answer.answers.iter().any(|record| record.name == *name)
}

/// True when the answer says that the chain's last name has no data: its start of authority is above that name.
fn ends_here(answer: &Message, name: &Name) -> bool {
    answer
        .authorities
        .iter()
        .any(|record| record.record_type() == RecordType::SOA && record.name.zone_of(name))
}

/// SOA and proofs of the zone that has no such data.
fn denial_of_tail(answer: &Message) -> Vec<Record> {
    let zone = answer.authorities.iter().find(|record| record.record_type() == RecordType::SOA);
    let wanted = [RecordType::SOA, RecordType::NSEC, RecordType::NSEC3];
    answer
        .authorities
        .iter()
        .filter(|record| wanted.contains(&covered(record)))
        .filter(|record| zone.is_none_or(|zone| zone.name.zone_of(&record.name)))
        .cloned()
        .collect()
}

/// An answer made from a wildcard needs the proof that nothing closer exists (RFC 4035 section 5.3.4); nothing else is kept.
fn denial_of_closer_names(answer: &Message, own: &[Record]) -> Vec<Record> {
    let wildcard = own.iter().find_map(|record| {
        let signature = signature(record)?;
        let input = signature.input();
        (input.num_labels < record.name.num_labels()).then(|| input.signer_name.clone())
    });
    let Some(zone) = wildcard else { return Vec::new() };
    answer
        .authorities
        .iter()
        .filter(|record| matches!(covered(record), RecordType::NSEC | RecordType::NSEC3))
        .filter(|record| zone.zone_of(&record.name))
        .cloned()
        .collect()
}

/// The type of a record; of a signature, the type it signs.
pub(crate) fn covered(record: &Record) -> RecordType {
    signature(record).map_or_else(|| record.record_type(), |signature| signature.input().type_covered)
}

fn signature(record: &Record) -> Option<&RRSIG> {
    let RData::DNSSEC(DNSSECRData::RRSIG(signature)) = &record.data else { return None };
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::rdata::A;
    use hickory_proto::rr::rdata::CNAME;
    use hickory_proto::rr::rdata::SOA;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn answer(question: &str, records: Vec<Record>, authorities: Vec<Record>) -> Message {
        let mut message = Message::query().into_response();
        message.add_query(Query::query(name(question), RecordType::A));
        message.answers = records;
        message.authorities = authorities;
        message
    }

    fn alias(from: &str, to: &str) -> Record {
        Record::from_rdata(name(from), 60, RData::CNAME(CNAME(name(to))))
    }

    fn address(of: &str) -> Record {
        Record::from_rdata(name(of), 60, RData::A(A::new(192, 0, 2, 1)))
    }

    fn start_of(zone: &str) -> Record {
        let soa = SOA::new(name("ns."), name("who."), 1, 1, 1, 1, 60);
        Record::from_rdata(name(zone), 60, RData::SOA(soa))
    }

    fn names(links: &[Message]) -> Vec<String> {
        links.iter().map(|link| link.queries[0].name.to_ascii()).collect()
    }

    #[test]
    fn a_chain_comes_apart_and_strangers_are_left_out() {
        let records = vec![
            address("c.net."),
            alias("b.org.", "c.net."),
            alias("a.com.", "b.org."),
            address("evil.com."),
        ];
        let links = split(&answer("a.com.", records, vec![start_of("net.")]));
        assert_eq!(names(&links), ["a.com.", "b.org.", "c.net."]);
        assert!(links.iter().all(|link| link.answers.len() == 1 && link.authorities.is_empty()));
    }

    #[test]
    fn what_is_missing_at_the_end_is_said_of_the_last_name_only() {
        let mut message =
            answer("a.com.", vec![alias("a.com.", "b.org.")], vec![start_of("org."), start_of("com.")]);
        message.metadata.response_code = ResponseCode::NXDomain;
        let links = split(&message);
        assert_eq!(names(&links), ["a.com.", "b.org."]);
        assert_eq!(links[0].response_code, ResponseCode::NoError);
        assert_eq!(links[1].response_code, ResponseCode::NXDomain);
        assert_eq!(links[1].authorities.len(), 1);
    }

    #[test]
    fn an_unfinished_chain_is_left_to_be_asked_for() {
        let links = split(&answer("a.com.", vec![alias("a.com.", "b.org.")], Vec::new()));
        assert_eq!(names(&links), ["a.com."]);
    }

    #[test]
    fn a_circle_ends() {
        let links =
            split(&answer("a.com.", vec![alias("a.com.", "b.org."), alias("b.org.", "a.com.")], Vec::new()));
        assert_eq!(names(&links), ["a.com.", "b.org."]);
    }

    proptest! {
        #[test]
        fn every_record_kept_is_of_its_link(edges in proptest::collection::vec((0_u8..6, 0_u8..6, any::<bool>()), 0..20)) {
            let host = |n: u8| format!("h{n}.com.");
            let records = edges.iter().map(|&(from, to, data)| {
                if data { address(&host(from)) } else { alias(&host(from), &host(to)) }
            }).collect();
            let links = split(&answer("h0.com.", records, vec![start_of("com.")]));
            prop_assert!((1..=MAX_LINKS).contains(&links.len()));
            for link in &links {
                prop_assert!(link.answers.iter().all(|record| record.name == link.queries[0].name));
            }
        }
    }
}
