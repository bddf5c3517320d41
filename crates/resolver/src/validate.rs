//! Resolves a name through its aliases and says what DNSSEC proves of the result (RFC 4035 section 5).

use crate::cache::CacheLimits;
use crate::chain;
use crate::forward::Forward;
use crate::name::DomainName;
use crate::upstream::pool::NoAnswer;
use crate::upstream::pool::Pool;
use crate::wildcard;
use futures_util::StreamExt;
use hickory_net::DnsError;
use hickory_net::DnsHandle;
use hickory_net::NetError;
use hickory_net::dnssec::DnssecDnsHandle;
use hickory_proto::dnssec::Proof;
use hickory_proto::dnssec::TrustAnchors;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::DnsRequest;
use hickory_proto::op::DnsRequestOptions;
use hickory_proto::op::Message;
use hickory_proto::op::Query;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name;
use hickory_proto::rr::RData;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Verdicts on record sets that are kept; the library's default is a million.
const VERDICTS: usize = 512;
/// Verdicts are kept this long at most: signatures expire.
const VERDICT_AGE: Duration = Duration::from_mins(15);
/// A verdict of "false" is kept this long at most.
const FALSE_AGE: Duration = Duration::from_secs(30);

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The name at the end of the aliases exists.
    pub(crate) exists: bool,
    /// Everything was proved from the root.
    pub(crate) secure: bool,
    pub(crate) answers: Vec<Record>,
    pub(crate) authorities: Vec<Record>,
}

/// Why nothing was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// DNSSEC shows that the answer is false, or its proof could not be completed.
    #[error("the answer is not genuine")]
    Bogus,
    /// No upstream could be reached in time.
    #[error("no upstream answers")]
    Unreachable,
    /// The upstreams say that they cannot find out.
    #[error("the upstreams cannot find out")]
    ServFail,
    /// The aliases do not end.
    #[error("the name's aliases do not end")]
    Endless,
}

/// Whether answers must be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proving {
    Required,
    /// Only to find out the time, while the clock is not set: no signature can be judged then.
    Waived,
}

/// The validator over the upstreams.
#[derive(Clone)]
pub(crate) struct Validator {
    forward: Forward,
    anchors: Arc<TrustAnchors>,
    proving: DnssecDnsHandle<Forward>,
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator").finish_non_exhaustive()
    }
}

impl Validator {
    pub(crate) fn new(pool: Pool, anchors: Arc<TrustAnchors>, limits: CacheLimits) -> Self {
        Self::over(Forward::new(pool, limits), anchors)
    }

    fn over(forward: Forward, anchors: Arc<TrustAnchors>) -> Self {
        let proving = DnssecDnsHandle::with_trust_anchor(forward.clone(), Arc::clone(&anchors))
            .validation_cache_size(VERDICTS)
            .positive_validation_ttl(Duration::ZERO..=VERDICT_AGE)
            .negative_validation_ttl(Duration::from_secs(1)..=FALSE_AGE);
        Self { forward, anchors, proving }
    }

    /// The same without keys, delegations and verdicts; connections stay.
    pub(crate) fn forgetful(&self) -> Self {
        self.forward.flush();
        Self::over(self.forward.clone(), Arc::clone(&self.anchors))
    }

    pub(crate) fn pool(&self) -> &Pool {
        self.forward.pool()
    }

    /// The data of this type that `name`, or what it is an alias of, has.
    pub(crate) async fn resolve(
        &self,
        name: Name,
        kind: RecordType,
        proving: Proving,
    ) -> Result<Found, LookupError> {
        let mut found = Found { exists: true, secure: true, answers: Vec::new(), authorities: Vec::new() };
        let mut name = name;
        for _ in 0..chain::MAX_LINKS {
            let link = match proving {
                Proving::Required => self.prove(&name, kind).await?,
                Proving::Waived => self.trust(&name, kind).await?,
            };
            found.secure &= link.secure;
            found.exists = link.exists;
            let next = if kind == RecordType::CNAME { None } else { chain::alias_of(&link.answers, &name) };
            found.answers.extend(link.answers);
            found.authorities.extend(link.authorities);
            match next {
                Some(next) => name = next,
                None => return Ok(found),
            }
        }
        Err(LookupError::Endless)
    }

    async fn prove(&self, name: &Name, kind: RecordType) -> Result<Found, LookupError> {
        let query = Query::query(name.clone(), kind);
        let mut answers = self.proving.lookup(query, DnsRequestOptions::default());
        match answers.next().await {
            Some(Ok(response)) => judge(response.into_message()),
            Some(Err(NetError::Dns(DnsError::Nsec { response, proof: Proof::Insecure, .. }))) => {
                judge(response.into_message()).map(|found| Found { secure: false, ..found })
            }
            Some(Err(NetError::Dns(DnsError::Nsec { response, proof: Proof::Bogus, .. })))
                if wildcard::is_proved(name, &response) =>
            {
                judge(response.into_message())
            }
            Some(Err(NetError::Dns(DnsError::Nsec { .. }) | NetError::ForeignClassRecord { .. })) => {
                Err(LookupError::Bogus)
            }
            Some(Err(NetError::Dns(_))) => Err(LookupError::ServFail),
            Some(Err(_)) | None => Err(LookupError::Unreachable),
        }
    }

    async fn trust(&self, name: &Name, kind: RecordType) -> Result<Found, LookupError> {
        let mut options = DnsRequestOptions::default();
        options.edns_set_dnssec_ok = true;
        let (question, _) = DnsRequest::from_query(Query::query(name.clone(), kind), options).into_parts();
        let answer = self.forward.ask(question).await.map_err(|error| match error {
            NoAnswer::Unreachable => LookupError::Unreachable,
            NoAnswer::ServFail => LookupError::ServFail,
        })?;
        Ok(Found {
            exists: answer.response_code != ResponseCode::NXDomain,
            secure: false,
            answers: answer.answers,
            authorities: answer.authorities,
        })
    }
}

/// Reads the verdicts that the validator left on the records of one link.
fn judge(answer: Message) -> Result<Found, LookupError> {
    let Message { metadata, answers, authorities, .. } = answer;
    let mut secure = !answers.is_empty() || authorities.iter().any(is_proof_of_absence);
    for record in answers.iter().chain(&authorities) {
        if record.record_type() == RecordType::RRSIG {
            continue;
        }
        match record.proof {
            Proof::Secure => {}
            Proof::Insecure => secure = false,
            Proof::Bogus | Proof::Indeterminate if follows_from_dname(record, &answers) => {}
            Proof::Bogus | Proof::Indeterminate => return Err(LookupError::Bogus),
        }
    }
    // RFC 5155 section 9.2: opt-out leaves room for names that are not signed.
    if answers.is_empty() && authorities.iter().any(is_opt_out) {
        secure = false;
    }
    Ok(Found { exists: metadata.response_code != ResponseCode::NXDomain, secure, answers, authorities })
}

fn is_proof_of_absence(record: &Record) -> bool {
    matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3)
}

fn is_opt_out(record: &Record) -> bool {
    matches!(&record.data, RData::DNSSEC(DNSSECRData::NSEC3(proof)) if proof.opt_out())
}

/// An alias that a server made from a proved DNAME bears no signature of its own (RFC 6672 section 5.3.1).
fn follows_from_dname(record: &Record, answers: &[Record]) -> bool {
    let RData::CNAME(target) = &record.data else { return false };
    answers
        .iter()
        .filter(|dname| dname.record_type() == RecordType::DNAME && dname.proof == Proof::Secure)
        .filter(|dname| dname.name.zone_of(&record.name) && dname.name != record.name)
        .any(|dname| {
            let RData::Unknown { rdata, .. } = &dname.data else { return false };
            let Some((new_end, _)) = DomainName::read(&rdata.anything) else { return false };
            let kept = record.name.iter().count().saturating_sub(dname.name.iter().count());
            let start: Vec<&[u8]> = record.name.iter().take(kept).collect();
            Name::from_labels(start)
                .and_then(|start| start.append_name(&new_end.to_hickory()))
                .is_ok_and(|made| DomainName::from(&made) == DomainName::from(&target.0))
        })
}
