//! Breadth-first over all states, then: does every state come to rest by itself?

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::BuildHasherDefault;
use std::hash::Hash;
use std::hash::Hasher;
use std::rc::Rc;

/// A state and what may follow.
pub(crate) trait World: Clone + Eq + Hash + Debug {
    /// What may happen next; the reason, where it must not.
    fn steps(&self) -> Vec<Step<Self>>;

    /// Whether nothing more happens by itself, and all is well.
    fn is_at_rest(&self) -> bool;

    /// What must hold in this state.
    fn check(&self) -> Result<(), String>;
}

/// One way from a state to the next.
pub(crate) struct Step<W> {
    pub(crate) what: &'static str,
    pub(crate) by: By,
    /// Whether the firmware starts something.
    pub(crate) is_boot: bool,
    pub(crate) then: Result<W, String>,
}

/// Who makes a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The box, left alone.
    Itself,
    /// Owner, updater, or whoever pulls the plug.
    Somebody,
}

/// What was looked at.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    /// The most boots that any state needs to come to rest.
    pub(crate) boots: u32,
}

/// What must not be, and how it came to it.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) why: String,
    pub(crate) trail: Vec<String>,
}

struct Found<W> {
    state: Rc<W>,
    from: usize,
    what: &'static str,
    /// By itself, and whether that is a boot.
    alone: Vec<(usize, bool)>,
}

/// A hash that is quick rather than safe from those who choose its input (the multiplier is that of splitmix64).
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed =
                (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            self.0 = mixed ^ (mixed >> 32);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Looks at everything that can be reached.
pub(crate) fn explore<W: World>(start: W) -> Result<Report, Broken> {
    let start = Rc::new(start);
    let mut index: HashMap<Rc<W>, usize, BuildHasherDefault<Mixer>> = HashMap::default();
    index.insert(Rc::clone(&start), 0);
    let mut found = vec![Found { state: start, from: 0, what: "start", alone: Vec::new() }];
    let mut at = 0;
    let mut steps = 0;
    while at < found.len() {
        let state = Rc::clone(&found[at].state);
        state.check().map_err(|why| broken(&found, at, why))?;
        for Step { what, by, is_boot, then } in state.steps() {
            steps += 1;
            let next = Rc::new(then.map_err(|why| broken(&found, at, format!("{what}: {why}")))?);
            let place = *index.entry(Rc::clone(&next)).or_insert_with(|| {
                found.push(Found { state: next, from: at, what, alone: Vec::new() });
                found.len() - 1
            });
            if by == By::Itself {
                found[at].alone.push((place, is_boot));
            }
        }
        at += 1;
    }
    let boots = rest(&found)?;
    Ok(Report { states: found.len(), steps, boots })
}

/// The most boots to a rest, over all states.
fn rest<W: World>(found: &[Found<W>]) -> Result<u32, Broken> {
    let mut boots: Vec<Rest> = vec![Rest::Unknown; found.len()];
    let mut most = 0;
    for place in 0..found.len() {
        most = most.max(boots_from(found, place, &mut boots)?);
    }
    Ok(most)
}

#[derive(Clone, Copy)]
enum Rest {
    Unknown,
    BeingLookedAt,
    After(u32),
}

fn boots_from<W: World>(found: &[Found<W>], place: usize, known: &mut [Rest]) -> Result<u32, Broken> {
    match known[place] {
        Rest::After(boots) => return Ok(boots),
        Rest::BeingLookedAt => return Err(broken(found, place, "it never comes to rest".to_owned())),
        Rest::Unknown => known[place] = Rest::BeingLookedAt,
    }
    let alone = &found[place].alone;
    if alone.is_empty() && !found[place].state.is_at_rest() {
        return Err(broken(found, place, "it is stuck".to_owned()));
    }
    let mut most = 0;
    for &(next, is_boot) in alone {
        most = most.max(boots_from(found, next, known)? + u32::from(is_boot));
    }
    known[place] = Rest::After(most);
    Ok(most)
}

fn broken<W: World>(found: &[Found<W>], mut at: usize, why: String) -> Broken {
    let mut trail = Vec::new();
    loop {
        // States are long; the last one is enough to see where it is.
        let is_last = trail.is_empty();
        let state = if is_last { format!(": {:?}", found[at].state) } else { String::new() };
        trail.push(format!("{}{state}", found[at].what));
        if at == 0 {
            trail.reverse();
            return Broken { why, trail };
        }
        at = found[at].from;
    }
}

mod tests {
    use super::*;

    /// Counts to three and rests, or begins anew.
    #[derive(Clone, PartialEq, Eq, Hash, Debug)]
    struct Clock {
        hour: u8,
        last: u8,
        goes_round: bool,
    }

    impl World for Clock {
        fn steps(&self) -> Vec<Step<Self>> {
            let hour = if self.hour == 3 && self.goes_round { 0 } else { self.hour + 1 };
            let then = Ok(Self { hour, ..self.clone() });
            if hour > 3 {
                Vec::new()
            } else {
                vec![Step { what: "tick", by: By::Itself, is_boot: true, then }]
            }
        }

        fn is_at_rest(&self) -> bool {
            self.hour == 3
        }

        fn check(&self) -> Result<(), String> {
            if self.hour > self.last { Err("too late".to_owned()) } else { Ok(()) }
        }
    }

    #[test]
    fn all_states_are_looked_at_and_loops_are_found() {
        let clock = Clock { hour: 0, last: 3, goes_round: false };
        let report = explore(clock.clone()).unwrap();
        assert_eq!((report.states, report.steps, report.boots), (4, 3, 3));
        assert_eq!(
            explore(Clock { goes_round: true, ..clock.clone() }).unwrap_err().why,
            "it never comes to rest"
        );
        let broken = explore(Clock { last: 1, ..clock }).unwrap_err();
        assert_eq!((broken.why.as_str(), broken.trail.len()), ("too late", 3));
    }
}
