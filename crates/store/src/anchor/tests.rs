//! Every case of the comparison, and power cuts between any two writes.

use std::cell::Cell;
use std::io;

use super::*;

/// A store and a counter as they are on the disk and in the TPM, and the power that is left.
struct World {
    store: Cell<Option<Epoch>>,
    counter: Cell<Option<u64>>,
    /// Where a cleared counter begins, as a TPM does that had other counters.
    begins_at: u64,
    /// How many single writes there is power for.
    power: Cell<usize>,
    /// How often the counter was raised.
    raised: Cell<usize>,
}

#[derive(Debug)]
struct Cut;

impl From<AnchorError> for Cut {
    fn from(_: AnchorError) -> Self {
        Self
    }
}

impl World {
    fn new(store: Option<Epoch>, counter: Option<u64>, begins_at: u64) -> Self {
        let (store, counter) = (Cell::new(store), Cell::new(counter));
        Self { store, counter, begins_at, power: Cell::new(usize::MAX), raised: Cell::new(0) }
    }

    fn spend(&self) -> bool {
        let left = self.power.get();
        self.power.set(left.saturating_sub(1));
        left > 0
    }

    fn try_open(&self, accepted: Option<Rollback>) -> Result<Result<(u64, Verdict), Cut>, Rollback> {
        let verdict = judge(self.store.get(), self.counter.get(), accepted)?;
        let write = |epoch| self.spend().then(|| self.store.set(Some(epoch))).ok_or(Cut);
        Ok(carry_out(verdict, self, write).map(|epoch| (epoch, verdict)))
    }

    /// Opens with the power going after so many writes.
    fn open_with(&self, power: usize) -> bool {
        self.power.set(power);
        let opened = self.try_open(None).expect("is no older copy");
        self.power.set(usize::MAX);
        opened.is_ok()
    }

    fn open(&self) -> (u64, Verdict) {
        self.try_open(None).expect("is no older copy").expect("there is power")
    }
}

impl Anchor for World {
    fn read(&self) -> Result<Option<u64>, AnchorError> {
        Ok(self.counter.get())
    }

    /// Step by step, as a counter is raised.
    fn advance_to(&self, number: u64) -> Result<(), AnchorError> {
        while self.counter.get().is_none_or(|counter| counter < number) {
            if !self.spend() {
                return Err(AnchorError {
                    action: AnchorAction::Raise,
                    source: io::Error::other("cut").into(),
                });
            }
            self.counter.set(Some(self.counter.get().map_or(self.begins_at, |counter| counter + 1)));
            self.raised.set(self.raised.get() + 1);
        }
        Ok(())
    }
}

const NUMBERS: u64 = 7;

fn epochs() -> impl Iterator<Item = Option<Epoch>> {
    let some = (0..NUMBERS).flat_map(|number| [Epoch::Settled(number), Epoch::Unsettled(number)]);
    std::iter::once(None).chain(some.map(Some))
}

fn counters() -> impl Iterator<Item = Option<u64>> {
    std::iter::once(None).chain((0..NUMBERS).map(Some))
}

#[test]
fn every_pair_of_numbers_is_judged_as_the_table_says() {
    for (store, anchor) in epochs().flat_map(|store| counters().map(move |anchor| (store, anchor))) {
        let judged = judge(store, anchor, None);
        let settle = |floor, because| Ok(Verdict::Settle { floor, because });
        let expected = match (store, anchor) {
            (None, Some(anchor)) => Err(Rollback { store: None, anchor }),
            (None, None) | (Some(Epoch::Unsettled(0)), _) | (Some(Epoch::Settled(0)), None) => {
                settle(0, Because::First)
            }
            (Some(Epoch::Unsettled(floor)), _) | (Some(Epoch::Settled(floor)), None) => {
                settle(floor, Because::AnchorLost)
            }
            (Some(Epoch::Settled(store)), Some(anchor)) => match store.abs_diff(anchor) {
                0 => Ok(Verdict::Raise { to: store + 1 }),
                _ if store < anchor => Err(Rollback { store: Some(store), anchor }),
                1 => Ok(Verdict::CatchUp { to: store }),
                _ => settle(store, Because::AnchorLost),
            },
        };
        assert_eq!(judged, expected, "{store:?} {anchor:?}");
    }
}

#[test]
fn an_opening_leaves_both_at_the_same_number_beyond_all_that_was() {
    for (store, anchor) in epochs().flat_map(|store| counters().map(move |anchor| (store, anchor))) {
        for begins_at in [1, 2, 40] {
            let world = World::new(store, anchor, begins_at);
            let accepted = judge(store, anchor, None).err();
            let (epoch, _) = world.try_open(accepted).unwrap().unwrap();
            assert_eq!((world.store.get(), world.counter.get()), (Some(Epoch::Settled(epoch)), Some(epoch)));
            let was = store.map_or(0, |epoch| match epoch {
                Epoch::Settled(number) | Epoch::Unsettled(number) => number,
            });
            assert!(epoch >= was && anchor.is_none_or(|anchor| epoch > anchor), "{store:?} {anchor:?}");
        }
    }
}

/// Up to four openings are cut after any number of writes, in every combination: the next one is never taken for an
/// older copy, and ends in order.
#[test]
fn power_cuts_between_any_two_writes_are_no_rollback() {
    let starts = epochs().flat_map(|store| counters().map(move |anchor| (store, anchor)));
    for (store, anchor) in starts.filter(|(store, anchor)| judge(*store, *anchor, None).is_ok()) {
        for begins_at in [1, 9] {
            for cuts in 0..10usize.pow(4) {
                let world = World::new(store, anchor, begins_at);
                let finished =
                    (0..4u32).filter(|turn| world.open_with(cuts / 10usize.pow(*turn) % 10)).count();
                let (epoch, verdict) = world.open();
                assert_eq!(
                    (world.store.get(), world.counter.get()),
                    (Some(Epoch::Settled(epoch)), Some(epoch))
                );
                let is_usual = matches!(verdict, Verdict::Raise { .. } | Verdict::CatchUp { .. });
                assert!(finished == 0 || is_usual, "{store:?} {anchor:?} {cuts}: {verdict:?}");
            }
        }
    }
}

/// The store as any finished opening left it, put back after any later opening, is always told from the real one.
#[test]
fn every_copy_from_before_the_last_opening_is_noticed() {
    for begins_at in [1, 9] {
        for cut in 0..10 {
            let world = World::new(None, None, begins_at);
            let mut copies = Vec::new();
            for turn in 0..6 {
                if turn == 3 {
                    world.open_with(cut);
                }
                if turn == 4 {
                    // The TPM is cleared, or another one.
                    world.counter.set(None);
                }
                world.open();
                let real = world.store.get();
                for copy in &copies {
                    world.store.set(*copy);
                    assert!(world.try_open(None).is_err(), "{copy:?} beside {:?}", world.counter.get());
                }
                world.store.set(real);
                copies.extend([real, None]);
            }
        }
    }
}

#[test]
fn only_the_rollback_that_was_seen_can_be_accepted() {
    let world = World::new(Some(Epoch::Settled(3)), Some(5), 1);
    let seen = world.try_open(None).unwrap_err();
    assert_eq!(seen, Rollback { store: Some(3), anchor: 5 });
    assert_eq!(world.try_open(Some(Rollback { anchor: 4, ..seen })).unwrap_err(), seen);
    assert_eq!((world.store.get(), world.counter.get()), (Some(Epoch::Settled(3)), Some(5)));
    let (epoch, verdict) = world.try_open(Some(seen)).unwrap().unwrap();
    assert_eq!((epoch, verdict), (6, Verdict::Settle { floor: 3, because: Because::Accepted(seen) }));
    // What was accepted once is not accepted for ever, and does no harm where nothing is wrong.
    world.store.set(Some(Epoch::Settled(3)));
    assert_eq!(world.try_open(Some(seen)).unwrap_err().anchor, 6);
    world.store.set(Some(Epoch::Settled(6)));
    assert_eq!(world.try_open(Some(seen)).unwrap().unwrap().0, 7);
}

#[test]
fn the_anchor_is_raised_once_an_opening() {
    let world = World::new(None, None, 1);
    world.open();
    assert_eq!(world.raised.get(), 2, "the first one settles");
    for opening in 0..10 {
        assert_eq!(world.raised.get(), 2 + opening);
        world.open();
    }
}

#[test]
fn records_read_back_and_unknown_ones_are_refused() {
    for epoch in epochs().flatten() {
        assert_eq!(Epoch::decode(&epoch.encode()), Some(epoch));
    }
    for bytes in [&b""[..], &[1], &[3, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(Epoch::decode(bytes), None);
    }
}
