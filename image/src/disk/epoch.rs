//! The time of every file on the boot partition.

use fatfs::Date;
use fatfs::DateTime;
use fatfs::Time;
use fatfs::TimeProvider;

/// FAT's first moment, 1980-01-01 00:00:00, so that equal inputs give equal bytes.
///
/// Zeros, which `fatfs` writes without its `chrono` feature, are the 0th day of the 0th month: UEFI firmware (EDK II, FatPkg
/// `FatSetFileInfo`) then refuses to rename the file, and boot counting never counts.
#[derive(Clone, Copy, Debug)]
pub struct Epoch;

impl TimeProvider for Epoch {
    fn get_current_date(&self) -> Date {
        Date { year: 1980, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime { date: self.get_current_date(), time: Time { hour: 0, min: 0, sec: 0, millis: 0 } }
    }
}
