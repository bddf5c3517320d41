//! Which servers are right (after the selection algorithm, RFC 5905 section 11.2.1).
//!
//! Every server says "the offset lies within my distance of this value". The true offset lies where most of these ranges
//! overlap; servers whose range does not reach there are false. A majority of all must overlap: with two servers that
//! contradict each other nobody can say who is wrong. Servers that prove who they are count alone as soon as there is one,
//! so that an attacker cannot outvote them with servers of his own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::filter::Estimate;
use crate::settings::Origin;
use crate::time::Span;

/// A server that may be right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its place in the list of servers.
    pub source: usize,
    /// Its address: two names of one machine are one witness.
    pub address: IpAddr,
    /// Whether it proved who it is.
    pub authenticated: bool,
    /// Who named it.
    pub origin: Origin,
    /// What it says.
    pub estimate: Estimate,
}

/// What the right servers say together.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// Weighted mean of their offsets.
    pub offset: Span,
    /// Distance of the surest one.
    pub distance: Span,
    /// Shortest way there and back.
    pub delay: Span,
    /// Weighted mean of their jitters.
    pub jitter: Span,
    /// Places of those that are right.
    pub members: BTreeSet<usize>,
    /// How many independent witnesses that is: different machines, of which those that the home network offers are one together.
    /// Whoever answers DHCP could offer as many of his own as it takes.
    pub witnesses: usize,
    /// Whether they proved who they are.
    pub authenticated: bool,
}

/// Why nobody is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// Nobody answered.
    Nobody,
    /// No majority agrees.
    NoMajority,
}

/// Finds the servers that are right.
///
/// # Errors
/// When there is no majority.
pub fn select(candidates: &[Candidate]) -> Result<Agreement, Disagreement> {
    let authenticated = candidates.iter().any(|candidate| candidate.authenticated);
    let heard =
        one_per_machine(candidates.iter().filter(|candidate| candidate.authenticated == authenticated));
    let members = largest_overlap(&heard).ok_or(Disagreement::Nobody)?;
    if members.len() * 2 <= heard.len() {
        return Err(Disagreement::NoMajority);
    }
    Ok(combine(&members, authenticated))
}

/// The surest of each address.
fn one_per_machine<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Vec<&'a Candidate> {
    let mut heard: Vec<&Candidate> = Vec::new();
    for candidate in candidates {
        match heard.iter_mut().find(|other| other.address == candidate.address) {
            Some(other) if candidate.estimate.distance < other.estimate.distance => *other = candidate,
            Some(_) => {}
            None => heard.push(candidate),
        }
    }
    heard
}

/// The largest set of ranges with a common point. Some range begins in such a point, so only beginnings are tried.
fn largest_overlap<'a>(heard: &[&'a Candidate]) -> Option<Vec<&'a Candidate>> {
    let holds = |point: Span, candidate: &&&'a Candidate| {
        let estimate = &candidate.estimate;
        let low = estimate.offset.minus(estimate.distance);
        let high = estimate.offset.plus(estimate.distance);
        low <= point && point <= high
    };
    let sets = heard.iter().map(|candidate| {
        let beginning = candidate.estimate.offset.minus(candidate.estimate.distance);
        heard.iter().filter(|other| holds(beginning, other)).copied().collect::<Vec<_>>()
    });
    // Of equally large sets the one whose ranges are tightest.
    sets.min_by_key(|set| (std::cmp::Reverse(set.len()), total_distance(set)))
}

fn total_distance(set: &[&Candidate]) -> Span {
    set.iter().fold(Span::ZERO, |sum, candidate| sum.plus(candidate.estimate.distance))
}

/// Weighted by the inverse of the distance (RFC 5905 section 11.2.3), relative to one of them: offsets may be decades,
/// and a floating point number would lose the microseconds.
fn combine(members: &[&Candidate], authenticated: bool) -> Agreement {
    let origin = members.first().map_or(Span::ZERO, |member| member.estimate.offset);
    let (mut weights, mut offset, mut jitter) = (0.0, 0.0, 0.0);
    for Candidate { estimate, .. } in members {
        let weight = 1.0 / estimate.distance.as_secs_f64();
        weights += weight;
        offset += weight * estimate.offset.minus(origin).as_secs_f64();
        jitter += weight * estimate.jitter.as_secs_f64();
    }
    Agreement {
        offset: origin.plus(Span::from_secs_f64(offset / weights)),
        distance: members.iter().map(|member| member.estimate.distance).min().unwrap_or_default(),
        delay: members.iter().map(|member| member.estimate.delay).min().unwrap_or_default(),
        jitter: Span::from_secs_f64(jitter / weights),
        members: members.iter().map(|member| member.source).collect(),
        witnesses: witnesses(members),
        authenticated,
    }
}

fn witnesses(members: &[&Candidate]) -> usize {
    let offered = members.iter().filter(|member| member.origin == Origin::Offered).count();
    members.len() - offered + offered.min(1)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use proptest::prelude::*;

    /// (offset, distance) in ms, authenticated.
    type Says = (i64, i64, bool);

    fn candidates(list: &[Says]) -> Vec<Candidate> {
        list.iter()
            .enumerate()
            .map(|(source, &(offset, distance, authenticated))| Candidate {
                source,
                address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, u8::try_from(source).unwrap())),
                authenticated,
                origin: Origin::Chosen,
                estimate: Estimate {
                    offset: Span::from_millis(offset),
                    delay: Span::from_millis(10),
                    distance: Span::from_millis(distance),
                    jitter: Span::from_millis(1),
                    stratum: 2,
                    samples: 4,
                },
            })
            .collect()
    }

    fn members(list: &[Says]) -> Result<Vec<usize>, Disagreement> {
        select(&candidates(list)).map(|agreement| agreement.members.into_iter().collect())
    }

    const YEAR: i64 = 31_536_000_000;

    #[test]
    fn a_majority_is_right_and_without_one_nobody_is() {
        type Case<'a> = (&'a [Says], Result<&'a [usize], Disagreement>);
        let cases: &[Case<'_>] = &[
            (&[], Err(Disagreement::Nobody)),
            (&[(5, 10, false)], Ok(&[0])),
            (&[(5, 10, false), (12, 10, false)], Ok(&[0, 1])),
            (&[(0, 10, false), (500, 10, false)], Err(Disagreement::NoMajority)),
            (&[(0, 10, false), (500, 10, false), (3, 10, false)], Ok(&[0, 2])),
            (&[(0, 10, false), (5 * YEAR, 10, false), (3, 10, false)], Ok(&[0, 2])),
            (&[(0, 1, false), (50, 1, false), (100, 1, false)], Err(Disagreement::NoMajority)),
            // Two lie alike, two are right: no majority.
            (
                &[(0, 9, false), (0, 9, false), (900, 9, false), (900, 9, false)],
                Err(Disagreement::NoMajority),
            ),
            // A liar that claims to be surer than anybody is still alone.
            (&[(0, 50, false), (10, 50, false), (200, 1, false)], Ok(&[0, 1])),
            // Ranges that touch in one point agree.
            (&[(0, 10, false), (20, 10, false)], Ok(&[0, 1])),
        ];
        for (list, expected) in cases {
            assert_eq!(members(list), expected.map(<[usize]>::to_vec), "{list:?}");
        }
    }

    #[test]
    fn strangers_do_not_outvote_who_proved_itself() {
        let list = [(0, 10, true), (900, 10, false), (900, 10, false), (900, 10, false)];
        let agreement = select(&candidates(&list)).unwrap();
        assert_eq!((agreement.offset, agreement.witnesses), (Span::ZERO, 1));
        assert!(agreement.authenticated);
        // And do not help out when those contradict each other.
        assert_eq!(members(&[(0, 10, true), (900, 10, true), (0, 10, false)]), Err(Disagreement::NoMajority));
    }

    #[test]
    fn one_machine_is_one_witness() {
        let mut list = candidates(&[(0, 10, false), (900, 10, false), (900, 8, false), (900, 10, false)]);
        let same = list[1].address;
        list[2].address = same;
        list[3].address = same;
        assert_eq!(select(&list), Err(Disagreement::NoMajority));
        list[0].address = same;
        let agreement = select(&list).unwrap();
        assert_eq!((agreement.witnesses, agreement.members.into_iter().collect::<Vec<_>>()), (1, vec![2]));
    }

    #[test]
    fn what_the_home_network_offers_is_one_witness() {
        let mut list = candidates(&[(0, 10, false), (1, 10, false), (2, 10, false), (3, 10, false)]);
        for (offered, witnesses) in [4, 4, 3, 2, 1].into_iter().enumerate() {
            list.iter_mut().take(offered).for_each(|candidate| candidate.origin = Origin::Offered);
            let agreement = select(&list).unwrap();
            assert_eq!((agreement.witnesses, agreement.members.len()), (witnesses, 4), "{offered}");
        }
    }

    #[test]
    fn the_surer_ones_weigh_more() {
        let agreement = select(&candidates(&[(0, 10, false), (9, 20, false)])).unwrap();
        assert_eq!(agreement.offset, Span::from_millis(3));
        assert_eq!(agreement.distance, Span::from_millis(10));
    }

    proptest! {
        /// A minority, whatever it says, moves the result by no more than the honest ones are unsure.
        #[test]
        fn a_minority_cannot_pull(
            honest in prop::collection::vec((-20_i64..20, 21_i64..60), 3..6),
            // Those near enough to overlap the honest ones can pull; the others are outvoted.
            liars in prop::collection::vec((prop_oneof![-YEAR..YEAR, -2_000_i64..2_000], 1_i64..2_000), 0..3),
        ) {
            let list: Vec<_> =
                honest.iter().chain(&liars).map(|&(offset, distance)| (offset, distance, false)).collect();
            let agreement = select(&candidates(&list)).unwrap();
            // All honest ranges hold 0. Those of the members share a point, which lies in that of every honest member; each offset
            // lies within its distance of that point, so their mean within the mean of the distances, weighted alike.
            let far = |&(offset, distance, _): &Says| offset.abs() + distance;
            let point = agreement.members.iter().filter(|&&member| member < honest.len()).map(|&member| far(&list[member]));
            let point = Span::from_millis(point.min().expect("an honest member"));
            let weights: f64 = agreement.members.iter().map(|&member| 1.0 / Span::from_millis(list[member].1).as_secs_f64()).sum();
            let count = f64::from(u32::try_from(agreement.members.len()).unwrap());
            let rounding = Span::from_nanos(1_000);
            prop_assert!(agreement.offset.abs() <= point.plus(Span::from_secs_f64(count / weights)).plus(rounding));
        }
    }
}
