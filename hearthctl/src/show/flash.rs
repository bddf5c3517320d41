//! Disks, how far writing one is, and what came of it.

use super::bytes;
use super::duration;
use super::table;
use flash::disks::Disk;
use flash::disks::Objection;
use flash::write::Written;
use model::preset::Preset;
use qrcodegen::QrCode;
use qrcodegen::QrCodeEcc;
use std::time::Duration;

/// Cells of a bar.
const CELLS: u64 = 24;

/// A disk that was written.
#[derive(Debug)]
pub struct Flashed<'a> {
    /// What it is called.
    pub disk: &'a str,
    /// How much.
    pub written: Written,
    /// How long it took.
    pub seconds: u64,
    /// What the image's checksum was compared with.
    pub checked_by: &'a [String],
    /// Whether a map said what had to be written.
    pub is_mapped: bool,
    /// What was decided.
    pub preset: &'a Preset,
}

/// A disk in a sentence.
#[must_use]
pub fn called(disk: &Disk) -> String {
    let facts = [disk.model.clone(), bytes(disk.size), disk.bus.to_string()];
    let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    format!("{} ({})", disk.path.display(), facts.join(", "))
}

/// The disks of this computer; those that are built in only when asked for.
#[must_use]
pub fn disks(disks: &[Disk], all: bool) -> String {
    let rows: Vec<Vec<String>> = disks
        .iter()
        .filter(|disk| all || disk.removable)
        .map(|disk| {
            let uses: Vec<String> = disk.uses.iter().map(ToString::to_string).collect();
            // What it is used for says more than that it is; that it is built in shows in the list itself.
            let against = disk.objections.iter().filter_map(|objection| match objection {
                Objection::InUse => Some(uses.join(", ")),
                Objection::Internal => None,
                Objection::System | Objection::ReadOnly | Objection::Sectors => Some(objection.to_string()),
            });
            let against: Vec<String> = against.collect();
            let model = if disk.model.is_empty() { "no name".to_owned() } else { disk.model.clone() };
            let path = disk.path.display().to_string();
            vec![path, bytes(disk.size), disk.bus.to_string(), model, against.join(": ")]
        })
        .collect();
    let hidden = disks.iter().filter(|disk| !all && !disk.removable).count();
    let mut text = if rows.is_empty() {
        "There is no disk that can be taken out. Plug in the card or the stick.\n".to_owned()
    } else {
        format!("Disks\n{}", table(&rows))
    };
    if hidden > 0 {
        text.push_str(&format!("Not shown, because built in: {hidden}. To see all: hearthctl flash --all\n"));
    }
    text
}

/// How far it is: a bar, bytes, speed, what remains.
#[must_use]
pub fn bar(what: &str, done: u64, total: u64, passed: Duration) -> String {
    let full = (u128::from(done) * u128::from(CELLS))
        .checked_div(u128::from(total))
        .unwrap_or_else(|| u128::from(CELLS));
    let full = usize::try_from(full).unwrap_or_default();
    let empty = usize::try_from(CELLS).unwrap_or_default().saturating_sub(full);
    let mut text =
        format!("{what:<18} [{}{}] {} of {}", "#".repeat(full), ".".repeat(empty), bytes(done), bytes(total));
    let thousandths = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    // Before that a speed is chance.
    if thousandths >= 500 {
        let speed = done.saturating_mul(1000) / thousandths;
        text.push_str(&format!(", {}/s", bytes(speed)));
        if let Some(left) = total.saturating_sub(done).checked_div(speed).filter(|_| done < total) {
            text.push_str(&format!(", {} left", duration(left.max(1))));
        }
    }
    text
}

/// What came of it.
#[must_use]
pub fn flashed(done: &Flashed<'_>) -> String {
    let Written { bytes: written, skipped } = done.written;
    let mut text = format!(
        "{} holds Hearth: {} written and read back in {}",
        done.disk,
        bytes(written),
        duration(done.seconds)
    );
    if skipped > 0 {
        text.push_str(&format!(", {} of the image needed no writing", bytes(skipped)));
    }
    text.push_str(".\n");
    if done.checked_by.is_empty() {
        text.push_str(
            "Nothing said which checksum the image must have. Next time give it: --sha256, or the file .sha256 beside it.\n",
        );
    } else {
        text.push_str(&format!(
            "The image has the checksum that it must have by: {}.\n",
            done.checked_by.join(", ")
        ));
    }
    if !done.is_mapped {
        text.push_str("No block map lay beside the image (hearth.img.bmap), so all of it was written.\n");
    }
    text + &decided(done.preset)
}

fn decided(preset: &Preset) -> String {
    let mut rows = Vec::new();
    let mut row = |what: &str, value: Option<String>| {
        rows.extend(value.map(|value| vec![what.to_owned(), value]));
    };
    row("name", preset.host_name.as_ref().map(|name| name.local()));
    row(
        "wireless network",
        preset.wifi.as_ref().map(|wifi| {
            let safe = if wifi.passphrase.is_some() { "" } else { ", open" };
            format!("{} ({}{safe})", wifi.ssid.as_str(), wifi.country.as_str())
        }),
    );
    row("time zone", preset.time_zone.as_ref().map(ToString::to_string));
    row("language", preset.locale.as_ref().map(ToString::to_string));
    row("claim code", preset.claim_code.as_ref().map(|code| code.shown().to_string()));
    if rows.is_empty() {
        return "Put it into the box and switch that on: its screen shows the claim code and where to go on.\n".to_owned();
    }
    let mut text = format!("Decided before the first start:\n{}", table(&rows));
    match claim_url(preset) {
        None => text.push_str("The claim code is on the box's screen when it starts.\n"),
        Some(url) => {
            text.push_str(&format!(
                "Put it into the box and switch that on. After some minutes scan this, or open {} and type the code:\n\n",
                url.split('#').next().unwrap_or_default()
            ));
            text.push_str(&code(&url));
            text.push_str("\nWhoever has the code becomes the owner. It is not shown again.\n");
        }
    }
    text
}

/// Where the set-up begins, with the claim code behind `#`: browsers keep that to themselves.
#[must_use]
pub fn claim_url(preset: &Preset) -> Option<String> {
    let code = preset.claim_code.as_ref()?;
    let name = preset.host_name.clone().unwrap_or_default();
    Some(format!("https://{}/#claim={}", name.local(), code.shown().as_str()))
}

/// A QR code for a dark terminal: light is what is printed, two modules above each other in a character.
fn code(text: &str) -> String {
    // The level with most room; an address is far from filling the largest code.
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Low) else { return String::new() };
    // Four light modules around it (ISO/IEC 18004, 6.3.8); `get_module` is dark for the code's own only.
    let (from, to) = (-4, code.size() + 4);
    let mut lines = String::new();
    let mut y = from;
    while y < to {
        for x in from..to {
            let is_light = |y: i32| y < to && !code.get_module(x, y);
            lines.push(match (is_light(y), is_light(y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        lines.push('\n');
        y += 2;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_tells_bytes_speed_and_what_remains() {
        let second = Duration::from_secs(1);
        for (done, total, passed, text) in [
            (
                0,
                100_000_000,
                Duration::ZERO,
                "Writing            [........................] 0 bytes of 100 MB",
            ),
            (
                25_000_000,
                100_000_000,
                second,
                "Writing            [######..................] 25 MB of 100 MB, 25 MB/s, 3 seconds left",
            ),
            (
                100_000_000,
                100_000_000,
                10 * second,
                "Writing            [########################] 100 MB of 100 MB, 10 MB/s",
            ),
            (0, 10, second, "Writing            [........................] 0 bytes of 10 bytes, 0 bytes/s"),
            (0, 0, Duration::ZERO, "Writing            [########################] 0 bytes of 0 bytes"),
        ] {
            assert_eq!(bar("Writing", done, total, passed), text);
        }
    }

    #[test]
    fn a_code_is_square_and_has_its_light_frame() {
        let text = code("https://hearth.local/#claim=0123-4567-89AB");
        let lines: Vec<&str> = text.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(lines[..2].iter().all(|line| line.chars().all(|c| c == '█')), "{text}");
        assert!(lines.iter().all(|line| line.starts_with("████") || line.starts_with("▀▀▀▀")), "{text}");
    }
}
