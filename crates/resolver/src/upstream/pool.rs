//! Asks the upstreams in turn until one answers.

use super::health;
use super::health::Failure;
use super::member::Member;
use crate::config::Timing;
use crate::config::Upstream;
use crate::config::UpstreamError;
use hickory_proto::op::Message;
use hickory_proto::op::MessageType;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::opt::EdnsCode;
use hickory_proto::rr::rdata::opt::EdnsOption;
use rustls::ClientConfig;
use std::sync::Arc;
use tokio::time::Instant;

/// Questions are padded to a multiple of this, so that their length says little (RFC 8467 section 4.1).
const PADDING_BLOCK: usize = 128;
/// Rounds over all upstreams before giving up; each goes to the next address of an upstream that failed.
const MAX_ROUNDS: usize = 3;

/// An upstream as it is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamStatus {
    /// What the owner calls it.
    pub name: String,
    /// How it is spoken to, in words.
    pub protocol: String,
    /// Whether it answers.
    pub state: UpstreamState,
    /// Questions it was asked.
    pub queries: u64,
    /// Questions it did not answer.
    pub failures: u64,
}

/// Whether an upstream answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamState {
    /// As far as the box knows.
    Ok,
    /// The last try failed.
    Failing {
        /// Why.
        reason: Failure,
    },
}

/// Nobody gave a usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// None was reached.
    #[error("no upstream answers")]
    Unreachable,
    /// At least one says that it cannot find out.
    #[error("the upstreams cannot find out")]
    ServFail,
}

/// All upstreams, in the owner's order.
#[derive(Debug)]
pub(crate) struct Pool {
    members: Vec<Arc<Member>>,
    timing: Timing,
}

impl Pool {
    pub(crate) fn new(
        upstreams: &[Upstream],
        tls: &Arc<ClientConfig>,
        timing: Timing,
    ) -> Result<Self, UpstreamError> {
        let member = |upstream: &Upstream| Member::new(upstream, Arc::clone(tls)).map(Arc::new);
        Ok(Self { members: upstreams.iter().map(member).collect::<Result<_, _>>()?, timing })
    }

    /// Goes on counting where `old` stopped, for upstreams that are in both.
    pub(crate) fn count_on(&self, old: &Self) {
        for member in &self.members {
            if let Some(before) = old.members.iter().find(|before| before.upstream() == member.upstream()) {
                let before = before.health().clone();
                let mut health = member.health();
                (health.queries, health.failures) = (before.queries, before.failures);
            }
        }
    }

    pub(crate) fn status(&self) -> Vec<UpstreamStatus> {
        self.members.iter().map(|member| member.status()).collect()
    }

    /// The first usable answer. Ends after [`Timing::whole_question`] at the latest.
    pub(crate) async fn ask(&self, mut question: Message) -> Result<Message, NoAnswer> {
        pad(&mut question);
        let deadline = Instant::now() + self.timing.whole_question;
        for _ in 0..MAX_ROUNDS {
            let mut cannot_find_out = false;
            for place in
                health::order(self.members.iter().map(|member| member.health().clone()), Instant::now())
            {
                let Some(member) = self.members.get(place) else { continue };
                let until = deadline.min(Instant::now() + self.timing.one_try);
                match member.ask(&question, until, &self.timing).await {
                    Ok(answer) if answer.response_code == ResponseCode::ServFail => cannot_find_out = true,
                    Ok(answer) => return Ok(answer),
                    Err(_failure) => {}
                }
                if Instant::now() >= deadline {
                    return Err(if cannot_find_out { NoAnswer::ServFail } else { NoAnswer::Unreachable });
                }
            }
            if cannot_find_out {
                return Err(NoAnswer::ServFail);
            }
        }
        Err(NoAnswer::Unreachable)
    }
}

/// The answer, if it is one to this question.
pub(super) fn usable(question: &Message, answer: Message) -> Result<Message, Failure> {
    let repeats = answer.queries.len() == 1 && answer.queries == question.queries;
    if answer.message_type != MessageType::Response || answer.truncation {
        return Err(Failure::Nonsense);
    }
    let code = answer.response_code;
    if code == ResponseCode::ServFail
        || repeats && matches!(code, ResponseCode::NoError | ResponseCode::NXDomain)
    {
        Ok(answer)
    } else if matches!(code, ResponseCode::Refused | ResponseCode::NotImp | ResponseCode::NotAuth) {
        Err(Failure::RefusesQuestions)
    } else {
        Err(Failure::Nonsense)
    }
}

/// RFC 7830: zeros, as many as make the whole a multiple of the block.
fn pad(question: &mut Message) {
    let Some(edns) = question.edns.as_mut() else { return };
    edns.options_mut().remove(EdnsCode::Padding);
    let Ok(bytes) = question.to_vec() else { return };
    let bare = bytes.len() + 4;
    let missing = bare.next_multiple_of(PADDING_BLOCK) - bare;
    let padding = EdnsOption::Unknown(u16::from(EdnsCode::Padding), vec![0; missing]);
    if let Some(edns) = question.edns.as_mut() {
        edns.options_mut().insert(padding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name;
    use hickory_proto::rr::RecordType;

    fn question(name: &str) -> Message {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
        message.edns.get_or_insert_default().set_dnssec_ok(true);
        message
    }

    #[test]
    fn questions_have_few_lengths() {
        for name in ["a.example.", "a-much-longer-name.of-many-labels.example.com."] {
            let mut question = question(name);
            pad(&mut question);
            pad(&mut question);
            assert_eq!(question.to_vec().unwrap().len(), 128);
        }
    }

    #[test]
    fn an_answer_to_something_else_is_nonsense() {
        let asked = question("a.example.");
        let mut answer = asked.clone().into_response();
        assert_eq!(usable(&asked, answer.clone()).unwrap(), answer);
        answer.metadata.response_code = ResponseCode::Refused;
        assert_eq!(usable(&asked, answer), Err(Failure::RefusesQuestions));
        assert_eq!(usable(&asked, question("b.example.").into_response()), Err(Failure::Nonsense));
        assert_eq!(usable(&asked, asked.clone()), Err(Failure::Nonsense));
        let mut cut = asked.clone().into_response();
        cut.metadata.truncation = true;
        assert_eq!(usable(&asked, cut), Err(Failure::Nonsense));
    }
}
