//! A booted box as its neighbours see it: its console and its ports.

use crate::serial::Serial;
use crate::wait_until;
use crate::web;
use crate::web::Web;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::time::Duration;

/// How long a boot may take on a computer that does much else.
pub const BOOT: Duration = Duration::from_secs(600);

/// A box that runs, or has ended meanwhile: then every wait fails at once.
#[derive(Clone, Debug)]
pub struct Guest {
    pub(crate) serial: Serial,
    pub(crate) mark: usize,
    pub(crate) ports: Ports,
}

/// Ports of this machine's loopback that lead to the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// To port 80.
    pub http: u16,
    /// To port 443.
    pub https: u16,
}

/// The console line that says where the box stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateLine {
    /// `setup`, `ready`, `degraded` or `locked`.
    pub state: String,
    /// The address to open.
    pub url: String,
}

impl Guest {
    /// The console.
    #[must_use]
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Where the console of this start begins.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.mark
    }

    /// The forwarded ports.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// Waits for a line on the console since this machine was started.
    ///
    /// # Errors
    /// When the guest dies or the line does not come.
    pub fn wait_line(&self, text: &str) -> Result<String> {
        self.serial.wait_line(self.mark, text, BOOT)
    }

    /// Waits until the box says where it stands, and returns the first such line from a place on.
    ///
    /// # Errors
    /// When the guest dies or does not get there.
    pub fn wait_state(&self, mark: usize) -> Result<StateLine> {
        let line = self.serial.wait_for(mark, "a state line", BOOT, |line| parse_state(line).is_some())?;
        parse_state(&line).context("the state line is gone")
    }

    /// Waits for a claim code on the console from a place on.
    ///
    /// # Errors
    /// When the guest dies or shows none.
    pub fn wait_claim_code(&self, mark: usize) -> Result<String> {
        let line = self.serial.wait_line(mark, "hearth: claim code: ", BOOT)?;
        let code = line.rsplit(' ').next().unwrap_or_default();
        if code.len() != 14 {
            bail!("no claim code in: {line}");
        }
        Ok(code.to_owned())
    }

    /// Waits, and gives up at once when the guest is dead.
    ///
    /// # Errors
    /// As [`wait_until`], or when the guest has died.
    pub fn wait_until<T>(&self, what: &str, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        self.wait_within(BOOT, what, look)
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// As [`Self::wait_until`].
    pub fn wait_within<T>(
        &self,
        patience: Duration,
        what: &str,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        wait_until(patience, what, || {
            self.serial.check().with_context(|| format!("while waiting for {what}"))?;
            look()
        })
    }

    /// Waits until the page answers over HTTPS and returns a client that trusts the household CA.
    ///
    /// # Errors
    /// When the guest dies or does not get there; the last reason is in the text.
    pub fn wait_web(&self) -> Result<Web> {
        // A forward to a box that has no network yet is taken and stays silent for minutes.
        self.wait_state(self.mark)?;
        let mut last = None;
        let found = self.wait_until("the page over HTTPS", || {
            match self.web().and_then(|web| web.get("/").map(|_| web)) {
                Ok(web) => Ok(Some(web)),
                Err(error) => {
                    last = Some(error);
                    Ok(None)
                }
            }
        });
        match last {
            Some(last) => found.with_context(|| format!("the last try: {last:#}")),
            None => found,
        }
    }

    /// A client that trusts the household CA as fetched from the welcome page.
    ///
    /// # Errors
    /// When the box does not answer over plain HTTP or has no certificate.
    pub fn web(&self) -> Result<Web> {
        Web::trusting(self.ports, &web::fetch_authority(self.ports)?)
    }
}

/// Reads `hearth: state=… url=…`.
#[must_use]
pub fn parse_state(line: &str) -> Option<StateLine> {
    let rest = line.split_once("hearth: state=")?.1;
    let (state, rest) = rest.split_once(' ')?;
    let url = rest.strip_prefix("url=")?.split_whitespace().next()?;
    Some(StateLine { state: state.to_owned(), url: url.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_line_is_read() {
        let expected = StateLine { state: "setup".to_owned(), url: "https://hearth.local".to_owned() };
        assert_eq!(parse_state("hearth: state=setup url=https://hearth.local"), Some(expected));
        assert_eq!(parse_state("hearth: state=setup"), None);
        assert_eq!(parse_state("hearth: claim code: 0000-0000-0000"), None);
    }
}
