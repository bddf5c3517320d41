//! Which answers count, and what they say (RFC 5905 section 8 and appendix A.5.1, RFC 4330 section 5).

use std::fmt;

use crate::packet;
use crate::packet::Header;
use crate::time::Span;
use crate::time::Timestamp;

/// RFC 5905 appendix A.1.1, MAXDIST: a server further than this from its reference clock is of no use.
pub const MOST_DISTANCE: Span = Span::from_millis(1_500);
/// RFC 5905 appendix A.1.1, MAXSTRAT: "unsynchronised".
const NO_STRATUM: u8 = 16;
/// Two clocks may measure a way shorter than it is: ours is being slewed, and readings are not exact.
const CLOCK_NOISE: Span = Span::from_millis(1);
/// How long before the build of the image the 136 years begin in which a server's time is looked for: a server that is
/// years behind shall be told as such, and up to 2100 there is room.
const BEFORE_BUILD: Span = Span::from_secs(1 << 30);

/// What was sent and when, by the box's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The random bits of the question.
    pub nonce: u64,
    /// When it was sent (T1).
    pub sent: Timestamp,
    /// When the answer came (T4): `sent` and the time that passed by a clock that nobody sets.
    pub received: Timestamp,
    /// When the image was built.
    pub built: Timestamp,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How far the server's clock is ahead of ours.
    pub offset: Span,
    /// Way there and back, without the time the server took.
    pub delay: Span,
    /// Half the way from the server to the reference clock and back, and the server's own error.
    pub root_distance: Span,
    /// Distance of the server from a reference clock, in servers.
    pub stratum: u8,
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Too short.
    #[error("it is too short")]
    Truncated,
    /// Not version 4.
    #[error("it is of NTP version {0}")]
    Version(u8),
    /// Not from a server.
    #[error("it has mode {0}, a server's has 4")]
    Mode(u8),
    /// Not an answer to what was asked.
    #[error("it answers another question")]
    Origin,
    /// The server does not want to be asked.
    #[error("the server answers {0}")]
    Kiss(Kiss),
    /// The server does not know the time.
    #[error("the server's own clock is not synchronised")]
    Unsynchronised,
    /// The server says so, but not when it answered.
    #[error("it has no time")]
    NoTime,
    /// The server is not sure of its time.
    #[error("the server may be wrong by {0}")]
    Distance(Span),
    /// It went out before the question came in.
    #[error("it was sent before the question came")]
    Backwards,
    /// The server says that it took longer than the answer took.
    #[error("the server took longer than the whole exchange")]
    TooLong,
}

impl Rejected {
    /// Whether a stranger, who did not see the question, could have sent the answer; the server's own may still come.
    #[must_use]
    pub fn may_be_forged(self) -> bool {
        matches!(self, Self::Truncated | Self::Version(_) | Self::Mode(_) | Self::Origin)
    }
}

/// A kiss code (RFC 5905 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kiss {
    /// RATE: ask less often.
    Rate,
    /// DENY: do not ask.
    Deny,
    /// RSTR: do not ask.
    Restricted,
    /// NTSN: the cookie is not known any more (RFC 8915 section 5.7).
    NtsNak,
    /// Anything else, of which nothing follows but that there is no time in it.
    Other([u8; 4]),
}

impl Kiss {
    fn read(code: [u8; 4]) -> Self {
        match &code {
            b"RATE" => Self::Rate,
            b"DENY" => Self::Deny,
            b"RSTR" => Self::Restricted,
            b"NTSN" => Self::NtsNak,
            _ => Self::Other(code),
        }
    }
}

impl fmt::Display for Kiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate => f.write_str("that it is asked too often"),
            Self::Deny | Self::Restricted => f.write_str("that it does not serve this network"),
            Self::NtsNak => f.write_str("that it forgot our keys"),
            Self::Other(code) => write!(f, "with the code {}", code.escape_ascii()),
        }
    }
}

/// Judges an answer.
///
/// # Errors
/// Why it does not count.
pub fn judge(bytes: &[u8], asked: &Asked) -> Result<Sample, Rejected> {
    let header = packet::parse(bytes).ok_or(Rejected::Truncated)?;
    check(&header, asked)?;
    let earliest = asked.built + Span::ZERO.minus(BEFORE_BUILD);
    let (received, sent) = (header.receive.resolve(earliest), header.transmit.resolve(earliest));
    let took = sent.since(received);
    if took < Span::ZERO {
        return Err(Rejected::Backwards);
    }
    let delay = asked.received.since(asked.sent).minus(took);
    if delay < Span::ZERO.minus(CLOCK_NOISE) {
        return Err(Rejected::TooLong);
    }
    // The mean of two distances, without adding them: together they may pass the end of the range.
    let there = received.since(asked.sent);
    let offset = there.plus(sent.since(asked.received).minus(there).half());
    let root_distance = header.root_delay.half().plus(header.root_dispersion);
    Ok(Sample { offset, delay: delay.max(Span::ZERO), root_distance, stratum: header.stratum })
}

/// Origin first: what a stranger sends is worth no closer look.
fn check(header: &Header, asked: &Asked) -> Result<(), Rejected> {
    if header.version != 4 {
        return Err(Rejected::Version(header.version));
    }
    if header.mode != 4 {
        return Err(Rejected::Mode(header.mode));
    }
    if header.origin != asked.nonce {
        return Err(Rejected::Origin);
    }
    if header.stratum == 0 {
        return Err(Rejected::Kiss(Kiss::read(header.reference)));
    }
    if header.leap == 3 || header.stratum >= NO_STRATUM {
        return Err(Rejected::Unsynchronised);
    }
    if header.transmit.0 == 0 || header.receive.0 == 0 {
        return Err(Rejected::NoTime);
    }
    let distance = header.root_delay.half().plus(header.root_dispersion);
    if distance > MOST_DISTANCE {
        return Err(Rejected::Distance(distance));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
