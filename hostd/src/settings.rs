//! What can be chosen on the command line. In the image nothing is: sockets come from init, folders are fixed.

use crate::apps::Patience;
use crate::updates::Places;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// storaged runs a program to see how the data is, and asks a chip; under emulation that takes a while.
const STORAGE_PATIENCE: Duration = Duration::from_secs(90);

/// Settings with nothing left open.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where plain HTTP listens; `None`: the socket `http` that was handed over.
    pub listen_http: Option<SocketAddr>,
    /// Where HTTPS listens; `None`: the socket `https` that was handed over.
    pub listen_https: Option<SocketAddr>,
    /// Folder for what is kept.
    pub state: PathBuf,
    /// The bootstrap file; need not be there.
    pub bootstrap: PathBuf,
    /// Folder of the web console's files.
    pub console: PathBuf,
    /// netd's socket.
    pub net_socket: PathBuf,
    /// storaged's socket.
    pub storage_socket: PathBuf,
    /// containerd-lite's socket.
    pub containers_socket: PathBuf,
    /// How long is waited for apps; not on the command line.
    pub app_patience: Patience,
    /// How long storaged is waited for at the start; not on the command line.
    pub storage_patience: Duration,
    /// Folder in memory for what the next start has to know.
    pub run: PathBuf,
    /// init's report on the boot; need not be there.
    pub boot_report: PathBuf,
    /// How long a vault stays open while its user asks for nothing.
    pub vault_idle: Duration,
    /// Where updates lie; not on the command line.
    pub updates: Places,
}

/// Half a day: nobody types a password twice between getting up and going to bed.
const VAULT_IDLE: Duration = Duration::from_secs(12 * 60 * 60);

/// Why the command line was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// There is no such argument.
    #[error(
        "{argument:?} is not known; known are --listen-http ADDRESS:PORT, --listen-https ADDRESS:PORT, \
         --state FOLDER, --bootstrap FILE, --console FOLDER, --net-socket PATH, \
         --storage-socket PATH, --containers-socket PATH, --run FOLDER, --boot-report FILE and --vault-idle SECONDS"
    )]
    Unknown {
        /// As written.
        argument: OsString,
    },
    /// The value is missing.
    #[error("{argument} needs a value")]
    NoValue {
        /// Which argument.
        argument: &'static str,
    },
    /// The value is no number of seconds.
    #[error("{argument} needs seconds, at least 60, not {value:?}")]
    Seconds {
        /// Which argument.
        argument: &'static str,
        /// As written.
        value: OsString,
    },
    /// The value is no address.
    #[error("{argument} needs ADDRESS:PORT, not {value:?}")]
    Address {
        /// Which argument.
        argument: &'static str,
        /// As written.
        value: OsString,
    },
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen_http: None,
            listen_https: None,
            state: model::paths::HOSTD_STATE.into(),
            bootstrap: model::paths::BOOTSTRAP.into(),
            console: model::paths::CONSOLE.into(),
            net_socket: model::paths::NET_BUS_SOCKET.into(),
            storage_socket: model::paths::STORAGE_BUS_SOCKET.into(),
            containers_socket: model::paths::CONTAINERS_BUS_SOCKET.into(),
            app_patience: Patience::default(),
            storage_patience: STORAGE_PATIENCE,
            run: model::paths::HOSTD_RUN.into(),
            boot_report: model::paths::BOOT_REPORT.into(),
            vault_idle: VAULT_IDLE,
            updates: Places::default(),
        }
    }
}

impl Settings {
    /// Reads arguments, the program's name not among them.
    ///
    /// # Errors
    ///
    /// When one is not known or has no fitting value.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = |argument| arguments.next().ok_or(SettingsError::NoValue { argument });
            match argument.to_str() {
                Some("--listen-http") => {
                    settings.listen_http = Some(address("--listen-http", value("--listen-http")?)?);
                }
                Some("--listen-https") => {
                    settings.listen_https = Some(address("--listen-https", value("--listen-https")?)?);
                }
                Some("--state") => settings.state = value("--state")?.into(),
                Some("--bootstrap") => settings.bootstrap = value("--bootstrap")?.into(),
                Some("--console") => settings.console = value("--console")?.into(),
                Some("--net-socket") => settings.net_socket = value("--net-socket")?.into(),
                Some("--storage-socket") => settings.storage_socket = value("--storage-socket")?.into(),
                Some("--containers-socket") => {
                    settings.containers_socket = value("--containers-socket")?.into();
                }
                Some("--run") => settings.run = value("--run")?.into(),
                Some("--boot-report") => settings.boot_report = value("--boot-report")?.into(),
                Some("--vault-idle") => {
                    settings.vault_idle = seconds("--vault-idle", value("--vault-idle")?)?;
                }
                _ => return Err(SettingsError::Unknown { argument }),
            }
        }
        Ok(settings)
    }
}

fn seconds(argument: &'static str, value: OsString) -> Result<Duration, SettingsError> {
    let parsed = value.to_str().and_then(|text| text.parse().ok()).filter(|seconds| *seconds >= 60);
    parsed.map(Duration::from_secs).ok_or(SettingsError::Seconds { argument, value })
}

fn address(argument: &'static str, value: OsString) -> Result<SocketAddr, SettingsError> {
    let parsed = value.to_str().and_then(|text| text.parse().ok());
    parsed.ok_or(SettingsError::Address { argument, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Settings, SettingsError> {
        Settings::parse(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn without_arguments_everything_is_as_in_the_image() {
        assert_eq!(format!("{:?}", parse("").unwrap()), format!("{:?}", Settings::default()));
    }

    #[test]
    fn arguments_override_and_mistakes_are_named() {
        let settings = parse("--listen-https 127.0.0.1:0 --state /tmp/s --console dist").unwrap();
        assert_eq!(settings.listen_https, Some("127.0.0.1:0".parse().unwrap()));
        assert_eq!(settings.listen_http, None);
        assert_eq!((settings.state, settings.console), ("/tmp/s".into(), "dist".into()));
        assert_eq!(parse("--vault-idle 60").unwrap().vault_idle, Duration::from_secs(60));
        assert!(matches!(parse("--vault-idle 0"), Err(SettingsError::Seconds { .. })));
        assert!(matches!(parse("--help"), Err(SettingsError::Unknown { .. })));
        assert_eq!(parse("--state").unwrap_err(), SettingsError::NoValue { argument: "--state" });
        assert!(matches!(parse("--listen-http localhost"), Err(SettingsError::Address { .. })));
    }
}
