//! Sizes, times, processors and signals as Compose writes them.

/// Bytes: `64m`, `1.5gb`, `512`; units are of 1024.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let split = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(split);
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    let thousandths = thousandths(number)?;
    u64::try_from((u128::from(thousandths) << shift) / 1000).ok()
}

/// Thousandths of a processor.
pub(super) fn cpu_millis(text: &str) -> Option<u64> {
    thousandths(text.trim())
}

/// A decimal number, times 1000, rounded down.
fn thousandths(number: &str) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part.parse().ok()?)
}

/// Seconds, rounded up: `1m30s`, `500ms`.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut micros = 0_u64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let units = [("ms", 1_000), ("us", 1), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000_u64)];
        let (unit, micros_of_unit) = units.into_iter().find(|(unit, _)| after.starts_with(unit))?;
        let part = u128::from(thousandths(number)?) * u128::from(micros_of_unit) / 1000;
        micros = micros.checked_add(u64::try_from(part).ok()?)?;
        rest = after.get(unit.len()..)?;
    }
    Some(micros.div_ceil(1_000_000))
}

/// `SIGTERM`, `term`, `15` → `SIGTERM`.
pub(super) fn signal(text: &str) -> Option<String> {
    let name = match text {
        "1" => "HUP",
        "2" => "INT",
        "3" => "QUIT",
        "9" => "KILL",
        "10" => "USR1",
        "12" => "USR2",
        "15" => "TERM",
        "28" => "WINCH",
        other => other,
    };
    let name = name.to_ascii_uppercase();
    let name = format!("SIG{}", name.trim_start_matches("SIG"));
    crate::rules::SIGNALS.contains(&name.as_str()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_of_1024() {
        for (text, wanted) in
            [("512", 512), ("64m", 64 << 20), ("1.5g", 3 << 29), ("2GiB", 2 << 30), ("1 kb", 1024)]
        {
            assert_eq!(bytes(text), Some(wanted), "{text}");
        }
        for bad in ["", "m", "-1", "1x", "1.2.3m", "99999999999999999999", "18446744073709551615t"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
        assert_eq!(
            [cpu_millis("0.5"), cpu_millis("2"), cpu_millis("1.23456"), cpu_millis("x")],
            [Some(500), Some(2000), Some(1234), None]
        );
    }

    #[test]
    fn times_are_rounded_up() {
        for (text, wanted) in
            [("1m30s", 90), ("500ms", 1), ("1.5s", 2), ("1h", 3600), ("0s", 0), ("10s1us", 11)]
        {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
        for bad in ["", "5", "s", "5x", "5 s", "-5s", "99999999999999h"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn signals_have_names() {
        for text in ["15", "term", "SIGTERM"] {
            assert_eq!(signal(text).as_deref(), Some("SIGTERM"), "{text}");
        }
        assert_eq!(signal("SIGSTOP"), None);
    }
}
