//! The hardware watchdog: resets the box when the loop of PID 1 stands still.
//!
//! It is petted at the end of a full turn of the loop and while a tool of the data partition runs, and nowhere else.
//! It is never disarmed: on the way down it is what ends a shutdown that hangs in the kernel.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use ioctls::watchdog::Seconds;

use crate::console;
use crate::console::Level;

/// What is asked of the hardware; long enough for the slowest step that cannot be interrupted.
const WANTED: Seconds = Seconds(60);
/// What counts when the hardware has a fixed time-out that it does not tell: the shortest common one.
const ASSUMED: Seconds = Seconds(15);

const NODE: &str = "/dev/watchdog";

/// An armed watchdog, or none.
#[derive(Debug, Default)]
pub struct Watchdog {
    armed: Option<Armed>,
}

#[derive(Debug)]
struct Armed {
    device: File,
    interval: Duration,
    petted: Duration,
}

impl Watchdog {
    /// Whether the box has a watchdog that may be armed.
    #[must_use]
    pub fn present() -> bool {
        Path::new(NODE).exists()
    }

    /// Arms the watchdog when the box has one and it is not armed yet.
    pub fn arm(&mut self, now: Duration) {
        if self.armed.is_some() || !Self::present() {
            return;
        }
        match File::options().write(true).open(NODE) {
            Ok(device) => {
                let granted = ioctls::watchdog::set_timeout(&device, WANTED).unwrap_or(ASSUMED);
                console::note(Level::Info, &format!("the watchdog is armed with {} s", granted.0));
                self.armed = Some(Armed { device, interval: interval(granted), petted: now });
            }
            Err(error) => console::note(Level::Warning, &format!("{NODE}: {error}")),
        }
    }

    /// Pets it when a quarter of its time has passed.
    pub fn pet(&mut self, now: Duration) {
        let Some(armed) = &mut self.armed else { return };
        // Any byte but 'V', which would announce the magic close (watchdog-api.rst).
        if now.saturating_sub(armed.petted) >= armed.interval && armed.device.write(b"\0").is_ok() {
            armed.petted = now;
        }
    }

    /// When it wants to be petted.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.armed.as_ref().map(|armed| armed.petted + armed.interval)
    }
}

fn interval(granted: Seconds) -> Duration {
    (Duration::from_secs(granted.0.into()) / 4).max(Duration::from_millis(250))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_petted_four_times_in_its_time() {
        assert_eq!(interval(Seconds(60)), Duration::from_secs(15));
        assert_eq!(interval(Seconds(0)), Duration::from_millis(250));
    }

    #[test]
    fn petting_writes_once_an_interval_and_never_the_magic_letter() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let device = file.reopen().unwrap();
        let armed = Armed { device, interval: Duration::from_secs(15), petted: Duration::ZERO };
        let mut watchdog = Watchdog { armed: Some(armed) };
        for second in 0..61 {
            watchdog.pet(Duration::from_secs(second));
        }
        let written = std::fs::read(file.path()).unwrap();
        assert_eq!(written, [0; 4]);
        assert_eq!(watchdog.due(), Some(Duration::from_secs(75)));
        assert_eq!(Watchdog::default().due(), None);
    }
}
