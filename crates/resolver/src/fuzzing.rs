//! Decoders of this crate as a fuzzer sees them.

use crate::chain;
use crate::reply;
use crate::reply::Reply;
use crate::reply::TtlBounds;
use crate::request::Code;
use crate::request::Request;
use crate::request::Unanswerable;
use hickory_proto::op::Message;

/// What a client sent, and the answer to it that says the least.
#[must_use]
pub fn question(message: &[u8]) -> Option<Vec<u8>> {
    match Request::read(message) {
        Ok(request) => {
            let limit = request.datagram_limit();
            Some(Reply::empty(Code::ServFail, None).write(&request, 0, limit))
        }
        Err(Unanswerable::Silent) => None,
        Err(Unanswerable::Code { id, opcode, code }) => Some(reply::bare(id, opcode, code)),
    }
}

/// What an upstream answered, taken apart and written anew for a client, at once and after an hour.
pub fn answer(question: &[u8], message: &[u8]) -> Vec<Vec<u8>> {
    let bounds = TtlBounds { min: 1, max: 86_400 };
    let (Ok(request), Ok(message)) = (Request::read(question), Message::from_vec(message)) else {
        return Vec::new();
    };
    let mut written = Vec::new();
    for link in chain::split(&message) {
        let Some(query) = link.queries.first() else { continue };
        let kept = Reply::new(&query.name, Code::NoError, link.answers, link.authorities, bounds);
        let Ok(kept) = kept else { continue };
        for (age, limit) in [(0, 512), (3600, 65_535)] {
            written.push(kept.write(&request, age, limit));
        }
    }
    written
}
