//! Update slots, as `installer` tells of them: which system runs, what is armed, what failed and why.

use serde::Deserialize;
use serde::Serialize;

/// Longest version of a system, in bytes.
pub const MAX_VERSION: usize = 48;
/// Longest reason that may be given for a failure, in bytes.
pub const MAX_WHY: usize = 200;
/// Longest text that is kept of a boot that failed, in bytes.
pub const MAX_LOG: usize = 32 * 1024;

/// Status with which `installer` ends when the box is to restart now.
pub const STATUS_RESTART: u8 = 10;
/// Status with which `installer` ends when the box is to restart now, and a Raspberry Pi's firmware is to try the other side once.
pub const STATUS_TRY_OTHER: u8 = 12;
/// Status with which `installer` ends when another one is at work.
pub const STATUS_BUSY: u8 = 11;

/// How the slots stand, and what was done with them last; written anew by each run of `installer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlotsReport {
    /// The system that runs; none when no loader started it from a slot.
    pub running: Option<RunningSlot>,
    /// What the loader sees, the newest first.
    pub slots: Vec<SlotReport>,
    /// Version that the next restart tries.
    pub armed: Option<String>,
    /// Versions that failed, the latest last.
    pub failed: Vec<FailedSlot>,
    /// Name and version of the loader, such as `systemd-boot 257.13`.
    pub loader: Option<String>,
    /// What was done last in this boot.
    pub last: Option<LastAction>,
    /// While an update is being installed.
    pub progress: Option<InstallProgress>,
    /// What is known of the last boot that failed.
    pub failure: Option<FailureLog>,
    /// What went wrong beside that, in plain words.
    pub reasons: Vec<String>,
}

/// The system that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningSlot {
    /// Its version.
    pub version: String,
    /// Whether it may stay.
    pub standing: SlotStanding,
}

/// Whether the running system may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotStanding {
    /// It boots again.
    Kept,
    /// Unless it is confirmed, the other one boots next.
    OnTrial,
}

/// A system on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotReport {
    /// Its version.
    pub version: String,
    /// How it stands.
    pub state: SlotReportState,
}

/// How a system on the disk stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SlotReportState {
    /// It ran and was healthy.
    Good,
    /// It is armed, or runs for the first time.
    Trying {
        /// How often it will still be started.
        left: u8,
    },
    /// It failed.
    Bad {
        /// Why, in plain words.
        reason: String,
    },
}

/// A version that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedSlot {
    /// Its version.
    pub version: String,
    /// Why, in plain words.
    pub reason: String,
}

/// What was done, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAction {
    /// The verb, such as `install`.
    pub verb: String,
    /// The version that it was about, if one was named.
    pub version: Option<String>,
    /// What went wrong, in plain words.
    pub problem: Option<String>,
}

/// How far an installation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallProgress {
    /// Its version.
    pub version: String,
    /// What is being done.
    pub step: InstallStep,
    /// Bytes that are done of this step.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// A step of an installation that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallStep {
    /// The download is looked at, before anything makes room for it.
    Checking,
    /// It is copied to the boot partition.
    Writing,
    /// It is read back from the disk.
    ReadingBack,
}

/// The last words of a boot that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureLog {
    /// The version that failed, or `unknown`.
    pub version: String,
    /// Why, in plain words.
    pub why: String,
    /// Last lines of its log; at most [`MAX_LOG`] bytes.
    pub text: String,
}

/// Who wants an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// The box itself: what failed before stays away.
    Automatic,
    /// Somebody, who may also want what failed before.
    Asked,
    /// Somebody, who may also want what failed before or is older than what runs.
    AskedLower,
}

/// Where an update and its signed metadata came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrigin {
    /// A repository in the network; the metadata is in [`crate::paths::UPDATE_METADATA`].
    Network,
    /// A file that its owner brought; the metadata is in [`crate::paths::UPDATE_BUNDLE`].
    Bundle,
}

impl UpdateOrigin {
    /// Its word on a command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Bundle => "bundle",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Network, Self::Bundle].into_iter().find(|origin| origin.as_str() == word)
    }
}

impl UpdateOrder {
    /// Its word on a command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Asked => "asked",
            Self::AskedLower => "asked-lower",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Automatic, Self::Asked, Self::AskedLower].into_iter().find(|order| order.as_str() == word)
    }
}

impl FailureLog {
    /// The log as the text that is kept: two lines of what failed, an empty one, the last lines.
    #[must_use]
    pub fn encode(&self) -> String {
        let line = |text: &str| text.replace(char::is_control, " ");
        format!("version: {}\nwhy: {}\n\n{}", line(&self.version), line(&self.why), self.text)
    }

    /// Reads such a text. It may lie where anybody who holds the disk can write: what is too long is cut from its beginning, what is no
    /// plain text is replaced, and a head that is missing is said to be unknown.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..bytes.len().min(MAX_FILE)).unwrap_or_default();
        let whole = String::from_utf8_lossy(bytes);
        let (head, text) = whole.split_once("\n\n").unwrap_or(("", &whole));
        let field = |name: &str, most: usize| {
            let value = head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("unknown");
            value.chars().filter(|letter| !letter.is_control()).take(most).collect::<String>()
        };
        Self { version: field("version: ", MAX_VERSION), why: field("why: ", MAX_WHY), text: tail(text) }
    }
}

/// Longest file of a [`FailureLog`], in bytes: the text and its head.
pub const MAX_FILE: usize = MAX_LOG + 1024;

/// The end of a text without control characters but line ends; at most [`MAX_LOG`] bytes.
#[must_use]
pub fn tail(text: &str) -> String {
    let plain: String =
        text.chars().map(|letter| if letter.is_control() && letter != '\n' { ' ' } else { letter }).collect();
    let mut from = plain.len().saturating_sub(MAX_LOG);
    while !plain.is_char_boundary(from) {
        from += 1;
    }
    plain.get(from..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_read_as_it_was_written() {
        let log = FailureLog {
            version: "2".to_owned(),
            why: "netd did not start".to_owned(),
            text: "1.0 netd: no\n\n2.0 init: bye\n".to_owned(),
        };
        assert_eq!(log.encode(), "version: 2\nwhy: netd did not start\n\n1.0 netd: no\n\n2.0 init: bye\n");
        assert_eq!(FailureLog::decode(log.encode().as_bytes()), log);
    }

    #[test]
    fn what_is_no_such_text_is_bounded_and_plain() {
        let strange = FailureLog::decode(b"\x1b[2J\xff hello");
        assert_eq!((strange.version.as_str(), strange.why.as_str()), ("unknown", "unknown"));
        assert_eq!(strange.text, " [2J\u{fffd} hello");
        let long = FailureLog::decode("é".repeat(MAX_LOG).as_bytes());
        assert!(long.text.len() <= MAX_LOG && long.text.ends_with('é'));
        let long = FailureLog::decode(format!("version: {}\n\n", "1".repeat(5000)).as_bytes());
        assert_eq!(long.version.len(), MAX_VERSION);
        assert_eq!(tail(&format!("a{}", "x".repeat(MAX_LOG))), "x".repeat(MAX_LOG));
    }

    #[test]
    fn orders_are_words() {
        for order in [UpdateOrder::Automatic, UpdateOrder::Asked, UpdateOrder::AskedLower] {
            assert_eq!(UpdateOrder::parse(order.as_str()), Some(order));
            assert_eq!(serde_json::to_string(&order).unwrap(), format!("\"{}\"", order.as_str()));
        }
        assert_eq!(UpdateOrder::parse("ask"), None);
        for origin in [UpdateOrigin::Network, UpdateOrigin::Bundle] {
            assert_eq!(UpdateOrigin::parse(origin.as_str()), Some(origin));
        }
    }

    #[test]
    fn a_report_of_an_older_installer_is_read() {
        assert_eq!(serde_json::from_str::<SlotsReport>("{}").unwrap(), SlotsReport::default());
    }
}
