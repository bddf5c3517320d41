use proptest::prelude::*;

use super::*;

const BUILT: Timestamp = Timestamp::from_secs(1_767_225_600);
const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

/// Ten days after the build, last known five days after it.
fn situation(standing: Standing, offset: Span, witnesses: usize, authenticated: bool) -> Situation {
    Situation {
        now: BUILT + Span::from_secs(10 * DAY),
        offset,
        built: BUILT,
        last_known: Some(BUILT + Span::from_secs(5 * DAY)),
        standing,
        witnesses,
        authenticated,
    }
}

#[test]
fn every_row_of_the_table_holds() {
    use Refusal::*;
    use Standing::*;
    use Verdict::*;
    let seconds = Span::from_secs;
    let millis = Span::from_millis;
    let large = seconds(1_001);
    let rows = [
        // Small offsets are slewed, whoever says so.
        (Set, millis(499), 1, false, Slew),
        (Set, millis(-499), 1, false, Slew),
        (Implausible, millis(499), 1, false, Slew),
        (Plausible, millis(-499), 1, false, Slew),
        // Steps forward.
        (Set, millis(500), 1, false, Step),
        (Set, seconds(1_000), 1, false, Step),
        (Set, large, 1, false, Refuse(Large(large))),
        (Set, large, 2, false, Step),
        (Set, large, 1, true, Step),
        (Plausible, millis(500), 1, false, Step),
        (Plausible, seconds(1_000), 1, false, Step),
        (Plausible, large, 1, false, Refuse(Large(large))),
        (Plausible, seconds(YEAR), 2, false, Step),
        (Plausible, seconds(YEAR), 1, true, Step),
        (Implausible, seconds(YEAR), 1, false, Step),
        (Implausible, seconds(70 * YEAR), 1, false, Step),
        // Steps back that stay after the last known time.
        (Set, millis(-500), 1, false, Refuse(Back(millis(500)))),
        (Set, millis(-500), 2, false, Step),
        (Set, millis(-500), 1, true, Step),
        (Set, seconds(-1_001), 2, false, Step),
        (Plausible, millis(-500), 1, false, Step),
        (Plausible, seconds(-1_001), 1, false, Refuse(Large(large))),
        (Plausible, seconds(-1_001), 2, false, Step),
        (Implausible, millis(-500), 1, false, Step),
        // Before the last known time.
        (Set, seconds(-6 * DAY), 2, false, Refuse(BeforeLastKnown)),
        (Set, seconds(-6 * DAY), 3, false, Step),
        (Set, seconds(-6 * DAY), 1, true, Step),
        (Plausible, seconds(-6 * DAY), 2, false, Refuse(BeforeLastKnown)),
        (Plausible, seconds(-6 * DAY), 3, false, Step),
        (Implausible, seconds(-6 * DAY), 2, false, Refuse(BeforeLastKnown)),
        (Implausible, seconds(-6 * DAY), 1, true, Step),
        // Never, whoever says so.
        (Set, seconds(-10 * DAY - 1), 9, true, Refuse(BeforeBuild)),
        (Plausible, seconds(-10 * DAY - 1), 9, true, Refuse(BeforeBuild)),
        (Implausible, seconds(-10 * DAY - 1), 9, true, Refuse(BeforeBuild)),
        (Set, seconds(75 * YEAR), 9, true, Refuse(TooLate)),
        (Plausible, seconds(75 * YEAR), 9, true, Refuse(TooLate)),
        (Implausible, seconds(75 * YEAR), 9, true, Refuse(TooLate)),
    ];
    for (standing, offset, witnesses, authenticated, verdict) in rows {
        let decided = decide(&situation(standing, offset, witnesses, authenticated));
        assert_eq!(decided, verdict, "{standing:?} {offset} {witnesses} {authenticated}");
    }
}

#[test]
fn not_even_a_slew_leads_before_the_build_or_past_the_end() {
    let mut first = situation(Standing::Implausible, Span::from_millis(-400), 1, true);
    first.now = BUILT;
    assert_eq!(decide(&first), Verdict::Refuse(Refusal::BeforeBuild));
    first.now = END;
    assert_eq!(
        decide(&Situation { offset: Span::from_millis(1), ..first }),
        Verdict::Refuse(Refusal::TooLate)
    );
}

#[test]
fn a_box_without_a_last_known_time_is_bound_by_the_build_alone() {
    let back =
        Situation { last_known: None, ..situation(Standing::Plausible, Span::from_secs(-6 * DAY), 2, false) };
    assert_eq!(decide(&back), Verdict::Step);
}

proptest! {
    #[test]
    fn no_move_leaves_the_possible(
        now in 0_i64..9_000_000_000,
        offset: i64,
        known in prop::option::of(0_i64..9_000_000_000),
        standing in prop::sample::select(vec![Standing::Implausible, Standing::Plausible, Standing::Set]),
        witnesses in 0_usize..5,
        authenticated: bool,
    ) {
        let situation = Situation {
            now: Timestamp::from_secs(now),
            offset: Span::from_nanos(offset),
            built: BUILT,
            last_known: known.map(Timestamp::from_secs),
            standing,
            witnesses,
            authenticated,
        };
        if let Verdict::Step = decide(&situation) {
            let target = situation.now + situation.offset;
            prop_assert!(target >= BUILT && target < END);
            let known = situation.last_known.unwrap_or(BUILT);
            prop_assert!(target >= known || authenticated || witnesses >= 3);
        }
    }
}
