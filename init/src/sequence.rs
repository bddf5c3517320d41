//! What the box as a whole is doing, and what may interrupt what.

use std::ffi::CStr;

use rustix::system::RebootCommand;

/// A sequence of the whole box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// Mounts, drivers, data partition.
    Boot,
    /// Services run.
    Run,
    /// The data partition was opened late: services that keep state on it stop, it is mounted, they start again.
    OpenData,
    /// Down, and up again.
    Reboot,
    /// Down, and up again in the other system of a Raspberry Pi, once.
    TryOther,
    /// Down, and up again as a new box ([`crate::disk::bring_up::reset`]).
    FactoryReset,
    /// Down.
    PowerOff,
    /// init itself failed: down at once, so that the slot's counter can fall back.
    Emergency,
}

impl Sequence {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Boot,
        Self::Run,
        Self::OpenData,
        Self::Reboot,
        Self::TryOther,
        Self::FactoryReset,
        Self::PowerOff,
        Self::Emergency,
    ];

    /// Whether this sequence may start while `running` is under way.
    ///
    /// The first of reboot and power off wins: both have stopped services already, and changing one's mind half way
    /// would surprise whoever asked first. An emergency interrupts everything but itself.
    #[must_use]
    pub fn can_take_over(self, running: Self) -> bool {
        match (running, self) {
            (
                Self::Boot | Self::OpenData,
                Self::Run
                | Self::Reboot
                | Self::TryOther
                | Self::FactoryReset
                | Self::PowerOff
                | Self::Emergency,
            )
            | (
                Self::Run,
                Self::OpenData
                | Self::Reboot
                | Self::TryOther
                | Self::FactoryReset
                | Self::PowerOff
                | Self::Emergency,
            )
            | (Self::Reboot | Self::TryOther | Self::FactoryReset | Self::PowerOff, Self::Emergency) => true,
            (
                Self::Boot
                | Self::Run
                | Self::OpenData
                | Self::Reboot
                | Self::TryOther
                | Self::FactoryReset
                | Self::PowerOff
                | Self::Emergency,
                _,
            ) => false,
        }
    }

    /// Whether services are being stopped.
    #[must_use]
    pub fn goes_down(self) -> bool {
        matches!(self, Self::Reboot | Self::TryOther | Self::FactoryReset | Self::PowerOff | Self::Emergency)
    }

    /// The kernel's command at its end.
    #[must_use]
    pub fn command(self) -> RebootCommand {
        match self {
            Self::PowerOff => RebootCommand::PowerOff,
            Self::Boot
            | Self::Run
            | Self::OpenData
            | Self::Reboot
            | Self::TryOther
            | Self::FactoryReset
            | Self::Emergency => RebootCommand::Restart,
        }
    }

    /// The word that a restart has for drivers: that of the Raspberry Pi's documentation ("tryboot"), behind the number of a partition,
    /// where 0 is none.
    #[must_use]
    pub fn word(self) -> Option<&'static CStr> {
        (self == Self::TryOther).then_some(c"0 tryboot")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_decided_as_intended() {
        // Rows: what runs. Columns: Boot, Run, OpenData, Reboot, TryOther, FactoryReset, PowerOff, Emergency wants to take over.
        let expected = [
            [false, true, false, true, true, true, true, true],
            [false, false, true, true, true, true, true, true],
            [false, true, false, true, true, true, true, true],
            [false, false, false, false, false, false, false, true],
            [false, false, false, false, false, false, false, true],
            [false, false, false, false, false, false, false, true],
            [false, false, false, false, false, false, false, true],
            [false, false, false, false, false, false, false, false],
        ];
        for (running, row) in Sequence::ALL.into_iter().zip(expected) {
            for (wanted, allowed) in Sequence::ALL.into_iter().zip(row) {
                assert_eq!(wanted.can_take_over(running), allowed, "{wanted:?} over {running:?}");
            }
        }
    }

    #[test]
    fn nothing_that_goes_down_comes_back_up_without_the_kernel() {
        for down in Sequence::ALL.into_iter().filter(|sequence| sequence.goes_down()) {
            assert!(!Sequence::Run.can_take_over(down) && !Sequence::Boot.can_take_over(down));
        }
        assert_eq!(Sequence::PowerOff.command(), RebootCommand::PowerOff);
        assert_eq!(Sequence::Emergency.command(), RebootCommand::Restart);
        let with_word: Vec<_> =
            Sequence::ALL.into_iter().filter(|sequence| sequence.word().is_some()).collect();
        assert_eq!(with_word, [Sequence::TryOther]);
    }
}
