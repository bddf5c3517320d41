//! The power button: evdev devices that have KEY_POWER (Documentation/input/event-codes.rst).

use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::OFlags;

const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;
/// `struct input_event` on 64-bit architectures: two 64-bit times, type, code, value.
const EVENT_SIZE: usize = 24;

/// All power buttons of the box.
#[derive(Debug, Default)]
pub struct PowerButtons {
    devices: Vec<(PathBuf, File)>,
}

impl PowerButtons {
    /// Opens buttons that came and forgets those that went.
    pub fn refresh(&mut self) {
        let present = power_devices(Path::new("/sys/class/input"));
        self.devices.retain(|(path, _)| present.contains(path));
        for path in present {
            if self.devices.iter().any(|(known, _)| *known == path) {
                continue;
            }
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            if let Ok(device) = File::options().read(true).custom_flags(flags).open(&path) {
                self.devices.push((path, device));
            }
        }
    }

    /// Descriptors to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.devices.iter().map(|(_, device)| device.as_fd())
    }

    /// Takes all waiting events; true when a power key was pressed.
    pub fn pressed(&mut self) -> bool {
        let mut pressed = false;
        self.devices.retain_mut(|(_, device)| {
            let mut buffer = [0; 64 * EVENT_SIZE];
            loop {
                match device.read(&mut buffer) {
                    Ok(0) => return false,
                    Ok(length) => pressed |= has_press(buffer.get(..length).unwrap_or_default()),
                    Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
                }
            }
        });
        pressed
    }
}

/// Whether a power key goes down in a series of events; its release and repeats are no press.
fn has_press(events: &[u8]) -> bool {
    events.chunks_exact(EVENT_SIZE).any(|event| {
        let number = |at: usize| event.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes);
        let value = event.get(20..).and_then(|rest| rest.first_chunk()).copied().map(i32::from_ne_bytes);
        number(16) == Some(EV_KEY) && number(18) == Some(KEY_POWER) && value == Some(1)
    })
}

/// Device nodes of `event*` entries whose device can send KEY_POWER.
fn power_devices(class: &Path) -> Vec<PathBuf> {
    let has_key = |folder: &Path| {
        let keys = fs::read_to_string(folder.join("device/capabilities/key")).unwrap_or_default();
        bit_is_set(&keys, KEY_POWER.into())
    };
    let mut found: Vec<PathBuf> = fs::read_dir(class)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("event") && has_key(&entry.path()))
        .map(|entry| Path::new("/dev/input").join(entry.file_name()))
        .collect();
    found.sort();
    found
}

/// A bitmap as sysfs prints it: words of 64 bits in hexadecimal, the highest first.
fn bit_is_set(bitmap: &str, bit: usize) -> bool {
    let word = bitmap.split_ascii_whitespace().rev().nth(bit / 64);
    word.and_then(|word| u64::from_str_radix(word, 16).ok()).is_some_and(|word| word >> (bit % 64) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = vec![0; 16];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        bytes
    }

    #[test]
    fn only_pressing_the_power_key_counts() {
        assert!(has_press(&event(EV_KEY, KEY_POWER, 1)));
        assert!(has_press(&[event(0, 0, 0), event(EV_KEY, KEY_POWER, 1)].concat()));
        for other in [
            event(EV_KEY, KEY_POWER, 0),
            event(EV_KEY, KEY_POWER, 2),
            event(EV_KEY, 30, 1),
            event(2, KEY_POWER, 1),
        ] {
            assert!(!has_press(&other));
        }
        assert!(!has_press(&event(EV_KEY, KEY_POWER, 1)[..23]));
        assert!(!has_press(&[]));
    }

    #[test]
    fn capabilities_are_read_from_the_right() {
        assert!(bit_is_set("10000000000000 0\n", 116));
        assert!(!bit_is_set("10000000000000\n", 116));
        assert!(!bit_is_set("zz 0", 116));
        assert!(!bit_is_set("", 116));
    }

    #[test]
    fn only_devices_with_the_key_are_opened() {
        let class = tempfile::tempdir().unwrap();
        for (name, keys) in
            [("event0", "10000000000000 0"), ("event1", "fffffffffffffffe"), ("input0", "10000000000000 0")]
        {
            let folder = class.path().join(name).join("device/capabilities");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("key"), keys).unwrap();
        }
        assert_eq!(power_devices(class.path()), [PathBuf::from("/dev/input/event0")]);
    }
}
