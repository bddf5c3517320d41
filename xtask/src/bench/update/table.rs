//! The figures as the README's tables.

use crate::bench::Figures;
use crate::bench::update::Changed;
use crate::bench::update::Line;
use crate::bench::update::Outcome;
use crate::bench::update::Report;
use crate::bench::update::machine::Machine;
use crate::bench::update::server::Served;
use crate::bench::update::ways::WAYS;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

impl Figures for Report {
    const MARK: &str = "<!-- bench: written by `cargo xtask bench --only update` -->\n";

    fn table(&self) -> String {
        let mut text = "| update | fetched | again | CPU-seconds | peak memory | goal | gate |\n\
                        |---|---|---|---|---|---|---|\n"
            .to_owned();
        for changed in &self.updates {
            for line in &changed.ways {
                text.push_str(&row(changed, line));
            }
        }
        if let Some(machine) = &self.machine {
            text.push('\n');
            text.push_str(&in_machine(machine));
        }
        text
    }
}

fn row(changed: &Changed, line: &Line) -> String {
    let Changed { daemon, program_bytes, slot_bytes, .. } = changed;
    let is_ours = WAYS.first().is_some_and(|first| first.name == line.way);
    let (what, limits) = if is_ours {
        let lengths = format!("{} of {}", amount(*program_bytes), amount(*slot_bytes));
        (format!("{daemon} changed ({lengths}): {}", line.way), "1 MiB | 4 MiB")
    } else {
        (format!("{daemon}: {}", line.way), " | ")
    };
    match &line.outcome {
        Outcome::Measured(measured) => format!(
            "| {what} | {} | {} | {} | {} | {limits} |\n",
            fetched(&measured.first.served),
            fetched(&measured.again.served),
            measured.first.cpu_seconds.shown(2),
            amount(measured.first.peak_kib.saturating_mul(KIB)),
        ),
        Outcome::NotPackaged => format!("| {what} | not packaged | | | | {limits} |\n"),
    }
}

fn in_machine(machine: &Machine) -> String {
    let Machine { apply, away, .. } = machine;
    format!(
        "| update in a machine (TCG) | seconds of the box's clock | CPU-seconds of QEMU |\n|---|---|---|\n\
         | installed: written, read back, armed | {} | {} |\n\
         | away: from the request to restart until the page answers | {} | {} |\n",
        apply.box_seconds.shown(1),
        apply.cpu_seconds.shown(1),
        away.box_seconds.shown(1),
        away.cpu_seconds.shown(1),
    )
}

/// Signed metadata stands apart: it is asked for whether there is an update or not.
fn fetched(served: &Served) -> String {
    if served.metadata_bytes == 0 {
        return amount(served.bytes);
    }
    format!("{} + {} metadata", amount(served.bytes), amount(served.metadata_bytes))
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
fn amount(bytes: u64) -> String {
    if bytes >= MIB {
        format!("{:.2} MiB", bytes as f64 / MIB as f64)
    } else if bytes >= KIB {
        format!("{:.1} KiB", bytes as f64 / KIB as f64)
    } else {
        format!("{bytes} B")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::spread::Spread;
    use crate::bench::update::Measured;
    use crate::bench::update::Taken;

    fn taken(bytes: u64, metadata_bytes: u64) -> Taken {
        let served = Served { bytes, metadata_bytes, head_bytes: 100, requests: 2 };
        let spread = |value: f64| Spread::try_from(vec![value]).unwrap();
        Taken { served, seconds: spread(2.0), cpu_seconds: spread(1.25), peak_kib: 20_480 }
    }

    fn line(way: &'static str, bytes: u64, metadata_bytes: u64) -> Line {
        let (first, again) = (taken(bytes, metadata_bytes), taken(0, metadata_bytes));
        let measured = Measured { program: "casync 2".to_owned(), first, again };
        Line { way, outcome: Outcome::Measured(Box::new(measured)) }
    }

    #[test]
    fn ours_has_limits_and_what_is_missing_is_said() {
        let ways = vec![
            line(WAYS[0].name, 2_097_152, 2048),
            line("casync", 3_145_728, 0),
            Line { way: "desync", outcome: Outcome::NotPackaged },
        ];
        let changed = Changed { daemon: "storaged", program_bytes: 1_048_576, slot_bytes: 5_242_880, ways };
        let report = Report { updates: vec![changed], machine: None };
        let table = report.table();
        assert!(
            table.contains("| storaged changed (1.00 MiB of 5.00 MiB): ours | 2.00 MiB + 2.0 KiB metadata |"),
            "{table}"
        );
        assert!(
            table.contains("| 0 B + 2.0 KiB metadata | 1.25 (1.25–1.25) | 20.00 MiB | 1 MiB | 4 MiB |"),
            "{table}"
        );
        assert!(table.contains("| storaged: casync | 3.00 MiB | 0 B |"), "{table}");
        assert!(table.contains("| storaged: desync | not packaged |"), "{table}");
        let json = serde_json::to_value(&report).unwrap();
        let ways = &json["updates"][0]["ways"];
        assert_eq!(ways[0]["measured"]["first"]["bytes"], 2_097_152);
        assert_eq!(ways[2], serde_json::json!({ "way": "desync", "not_packaged": null }));
    }

    #[test]
    fn amounts_have_the_unit_that_fits() {
        assert_eq!([0, 1023, 1536, 3_145_728].map(amount), ["0 B", "1023 B", "1.5 KiB", "3.00 MiB"]);
    }
}
