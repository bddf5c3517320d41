//! What is kept of updates. A system from before an update reads this too: members are only ever added, and each has a default.

use super::KeepError;
use super::LoadError;
use super::Records;
use super::json;
use crate::updates::history::Attempt;
use crate::updates::history::PastUpdate;
use crate::updates::settings::UpdateSettings;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde_json::Value;
use store::Batch;

const UPDATES: &str = "updates";
const KEPT: &[u8] = b"kept";
/// By the number of the entry.
const LOGS: &str = "update_logs";

/// Everything about updates but long texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdatesRecord {
    /// What the owner chose. What a later system added to it is left out, and comes back with that.
    #[serde(deserialize_with = "known_settings")]
    pub settings: UpdateSettings,
    /// By which this box is told from others where not all get an update at once, in hexadecimal; nobody else learns it.
    pub identity: String,
    /// The latest time, in seconds since 1970, that the box knew to be right.
    pub good_time: u64,
    /// When the repository last answered, likewise.
    pub checked: Option<u64>,
    /// A restart into an update that is open.
    pub attempt: Option<Attempt>,
    /// Updates that are over, the newest first.
    pub history: Vec<PastUpdate>,
}

impl Records {
    /// Reads what is kept of updates; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read it, or it is not what it should be.
    pub fn updates_blocking(&self) -> Result<Option<UpdatesRecord>, LoadError> {
        self.get(UPDATES, KEPT)
    }

    /// Keeps it.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_updates(&self, kept: &UpdatesRecord) -> Result<(), KeepError> {
        self.commit(Batch::new().put(UPDATES, KEPT, json(kept)?)).await
    }

    /// Keeps it together with the log of its newest entry, and forgets the logs of others.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_update_end(
        &self,
        kept: &UpdatesRecord,
        log: Option<(u32, &str)>,
        forgotten: &[u32],
    ) -> Result<(), KeepError> {
        let mut batch = Batch::new().put(UPDATES, KEPT, json(kept)?);
        if let Some((number, text)) = log {
            batch = batch.put(LOGS, number.to_be_bytes(), json(&text)?);
        }
        // One that is written and forgotten at once is not there.
        batch = forgotten.iter().fold(batch, |batch, number| batch.delete(LOGS, number.to_be_bytes()));
        self.commit(batch).await
    }

    /// Reads the last log lines of an update that failed; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read it, or it is not what it should be.
    pub fn update_log_blocking(&self, number: u32) -> Result<Option<String>, LoadError> {
        self.get(LOGS, &number.to_be_bytes())
    }
}

/// Requests are read strictly; what is kept must not be, or a system from before an update could not read what the new one wrote.
fn known_settings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UpdateSettings, D::Error> {
    let stored = Value::deserialize(deserializer)?;
    let mut known = serde_json::to_value(UpdateSettings::default()).map_err(serde::de::Error::custom)?;
    take_known(&mut known, stored);
    Ok(serde_json::from_value(known).unwrap_or_default())
}

fn take_known(known: &mut Value, stored: Value) {
    match (known, stored) {
        (Value::Object(known), Value::Object(mut stored)) => {
            for (name, value) in known {
                if let Some(stored) = stored.remove(name) {
                    take_known(value, stored);
                }
            }
        }
        (known, stored) => *known = stored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::updates::settings::UpdateMode;

    #[test]
    fn what_a_later_system_wrote_is_read() {
        let text = r#"{"settings":{"mode":"ask","rate":0,"more":1,"window":{"from_minute":60,"days":[1]}},"more":{}}"#;
        let read: UpdatesRecord = serde_json::from_str(text).unwrap();
        assert_eq!(
            (read.settings.mode, read.settings.rate, read.settings.window.from_minute),
            (UpdateMode::Ask, 0, 60)
        );
        assert_eq!(read.settings.window.to_minute, 300);
        let text = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<UpdatesRecord>(&text).unwrap(), read);
        let strange = r#"{"settings":{"mode":"by_moonlight"}}"#;
        assert_eq!(serde_json::from_str::<UpdatesRecord>(strange).unwrap(), UpdatesRecord::default());
    }
}
