//! What the owner chooses for updates: whether they come by themselves, when the box may restart, how fast, and from where.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use jiff::tz::TimeZoneDatabase;
use serde::Deserialize;
use serde::Serialize;
use update::Http;
use update::HttpSettings;
use update::Label;

/// Bytes a second that an update takes of the home's line by itself.
const DEFAULT_RATE: u64 = 4_000_000;
/// Slower than this an update of 128 MiB would take longer than a day.
const SLOWEST_RATE: u64 = 16_000;
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Longest name of a time zone, in bytes; the longest one that there is has 32.
const MAX_ZONE: usize = 64;
/// Longest address, in bytes.
const MAX_ADDRESS: usize = 512;

/// Settings of updates. What is left out is as it is in a new box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpdateSettings {
    /// How far an update goes by itself.
    pub mode: UpdateMode,
    /// When the box may restart by itself.
    pub window: RestartWindow,
    /// Bytes a second that are fetched at most by themselves; 0 for no limit. What the owner asks for has none.
    pub rate: u64,
    /// The repository, where it is not the image's own: `https://host/path`.
    pub url: Option<String>,
    /// The channel, where it is not the image's own.
    pub channel: Option<String>,
    /// An HTTP proxy, such as `http://host:3128`; one with a password is not taken.
    pub proxy: Option<String>,
}

/// How far an update goes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateMode {
    /// It is fetched, written, and tried in the window.
    #[default]
    Install,
    /// The box looks for it and tells; its owner decides.
    Ask,
    /// Nothing is asked by itself.
    Off,
}

/// When the box may restart by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RestartWindow {
    /// Its first minute after midnight.
    #[schema(maximum = 1439)]
    pub from_minute: u16,
    /// The first minute after it; before `from_minute`, it ends on the next day.
    #[schema(maximum = 1439)]
    pub to_minute: u16,
    /// Whose midnight: a name of the IANA's list of time zones, such as `Europe/Berlin`; UTC while nobody said. Summer time is followed.
    pub zone: Option<String>,
}

/// The window by a clock that is set by UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHours {
    /// As in the window.
    pub from_minute: u16,
    /// As in the window.
    pub to_minute: u16,
    /// By which the owner's clock is ahead of UTC on that day.
    pub seconds_ahead: i32,
}

/// A setting that cannot work.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadSetting {
    /// The member at fault, such as `window.from_minute`.
    pub field: String,
    /// What is wrong with it, as a sentence.
    pub problem: String,
}

impl Default for UpdateSettings {
    fn default() -> Self {
        Self {
            mode: UpdateMode::default(),
            window: RestartWindow::default(),
            rate: DEFAULT_RATE,
            url: None,
            channel: None,
            proxy: None,
        }
    }
}

impl Default for RestartWindow {
    fn default() -> Self {
        Self { from_minute: 3 * 60, to_minute: 5 * 60, zone: None }
    }
}

impl RestartWindow {
    /// The window on the day of this second since 1970.
    #[must_use]
    pub fn hours_at(&self, wall: u64) -> OpenHours {
        let Self { from_minute, to_minute, ref zone } = *self;
        let zone = zone.as_deref().and_then(time_zone).unwrap_or(TimeZone::UTC);
        let moment = i64::try_from(wall).ok().and_then(|wall| Timestamp::from_second(wall).ok());
        let seconds_ahead = moment.map_or(0, |moment| zone.to_offset(moment).seconds());
        OpenHours { from_minute, to_minute, seconds_ahead }
    }
}

/// From the list that hostd has in it: the image has no files of time zones.
fn time_zone(name: &str) -> Option<TimeZone> {
    (name.len() <= MAX_ZONE).then(|| TimeZoneDatabase::bundled().get(name).ok()).flatten()
}

impl UpdateSettings {
    /// The settings to keep.
    ///
    /// # Errors
    ///
    /// The first member that cannot work.
    pub fn checked(self) -> Result<Self, BadSetting> {
        let RestartWindow { from_minute, to_minute, ref zone } = self.window;
        require(from_minute < DAY, "window.from_minute", "A day has 1440 minutes.")?;
        require(to_minute < DAY, "window.to_minute", "A day has 1440 minutes.")?;
        require(from_minute != to_minute, "window.to_minute", "The box needs some minutes to restart in.")?;
        let is_zone = zone.as_deref().is_none_or(|zone| time_zone(zone).is_some());
        require(is_zone, "window.zone", "That is no time zone of this box. Write it like Europe/Berlin.")?;
        require(
            self.rate == 0 || self.rate >= SLOWEST_RATE,
            "rate",
            "At least 16 kB a second, or 0 for no limit.",
        )?;
        for (text, field) in [(&self.url, "url"), (&self.proxy, "proxy")] {
            let fits = text.as_ref().is_none_or(|text| text.len() <= MAX_ADDRESS);
            require(fits, field, "That address is too long.")?;
        }
        if let Some(url) = &self.url {
            let works = Http::new(&HttpSettings::new(url.clone())).is_ok();
            require(works, "url", "That is no address of a repository. Write https://host/path.")?;
        }
        if let Some(proxy) = &self.proxy {
            require(
                !proxy.contains('@'),
                "proxy",
                "A proxy with a password cannot be used. Write http://host:port.",
            )?;
            let settings = HttpSettings {
                proxy: Some(proxy.clone()),
                ..HttpSettings::new("https://localhost".to_owned())
            };
            require(
                Http::new(&settings).is_ok(),
                "proxy",
                "That is no address of a proxy. Write http://host:port.",
            )?;
        }
        if let Some(channel) = &self.channel {
            require(channel.parse::<Label>().is_ok(), "channel", "That is no name of a channel.")?;
        }
        Ok(self)
    }
}

fn require(holds: bool, field: &str, problem: &str) -> Result<(), BadSetting> {
    if holds { Ok(()) } else { Err(BadSetting { field: field.to_owned(), problem: problem.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_in_a_new_box() {
        assert_eq!(serde_json::from_str::<UpdateSettings>("{}").unwrap(), UpdateSettings::default());
        UpdateSettings::default().checked().unwrap();
        serde_json::from_str::<UpdateSettings>(r#"{"more":1}"#).unwrap_err();
    }

    #[test]
    fn what_cannot_work_is_named() {
        let with = |json: &str| serde_json::from_str::<UpdateSettings>(json).unwrap().checked();
        for (json, field) in [
            (r#"{"window":{"from_minute":1440}}"#, "window.from_minute"),
            (r#"{"window":{"to_minute":1440}}"#, "window.to_minute"),
            (r#"{"window":{"from_minute":60,"to_minute":60}}"#, "window.to_minute"),
            (r#"{"window":{"zone":"Europe/Atlantis"}}"#, "window.zone"),
            (r#"{"window":{"zone":"../../etc/passwd"}}"#, "window.zone"),
            (r#"{"rate":1}"#, "rate"),
            (r#"{"url":"updates.example"}"#, "url"),
            (r#"{"url":"https://a@b/"}"#, "url"),
            (r#"{"proxy":"http://me:hush@proxy:3128"}"#, "proxy"),
            (r#"{"proxy":"gopher://proxy"}"#, "proxy"),
            (r#"{"channel":"../x"}"#, "channel"),
        ] {
            assert_eq!(with(json).unwrap_err().field, field, "{json}");
        }
        let good = r#"{"mode":"ask","rate":0,"url":"https://updates.example/hearth","channel":"beta","proxy":"http://proxy:3128"}"#;
        with(good).unwrap();
    }

    #[test]
    fn the_window_follows_summer_time() {
        // Noon of 2026-01-15 and of 2026-07-15, UTC.
        let (winter, summer) = (1_768_478_400, 1_784_116_800);
        for (zone, in_winter, in_summer) in [
            (Some("Europe/Berlin"), 1, 2),
            (Some("America/Los_Angeles"), -8, -7),
            (Some("Asia/Tokyo"), 9, 9),
            (Some("UTC"), 0, 0),
            (None, 0, 0),
            // As a later system may have kept it.
            (Some("Europe/Atlantis"), 0, 0),
        ] {
            let window = RestartWindow { zone: zone.map(str::to_owned), ..RestartWindow::default() };
            let ahead = |wall| window.hours_at(wall).seconds_ahead / 3600;
            assert_eq!((ahead(winter), ahead(summer)), (in_winter, in_summer), "{zone:?}");
        }
        let kept = RestartWindow { zone: Some("Europe/Berlin".to_owned()), ..RestartWindow::default() };
        assert_eq!(kept.hours_at(u64::MAX).seconds_ahead, 0);
    }
}
