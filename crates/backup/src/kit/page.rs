//! The kit as a page to print.

use super::KitError;
use super::RecoveryKit;
use super::VERSION;
use super::code;
use crate::snapshot::time;
use crate::targets::Target;
use qrcodegen::QrCode;
use qrcodegen::QrCodeEcc;
use std::fmt::Write;
use zeroize::Zeroizing;

const ADVICE: &str = "Keep this page where you keep your papers, not beside the box. \
    Whoever has it and reaches the backup can read everything in it but private files, which open with their owner's password only.";

struct Facts {
    made: String,
    target: String,
    secrets: &'static str,
}

fn facts(kit: &RecoveryKit) -> Facts {
    let made = time(kit.made).strftime("%Y-%m-%d").to_string();
    let target = kit.target.as_ref().map_or_else(|| "not in this kit".to_owned(), Target::describe);
    let complete = kit.target.as_ref().is_some_and(|target| target.check().is_ok());
    Facts { made, target, secrets: if complete { "in this kit" } else { "not in this kit" } }
}

pub(super) fn text(kit: &RecoveryKit) -> Result<Zeroizing<String>, KitError> {
    let facts = facts(kit);
    let scan = kit.scan_text()?;
    let lines = code::lines(&kit.household, &kit.key);
    Ok(Zeroizing::new(format!(
        "HEARTH RECOVERY KIT (version {VERSION})\n\n\
         Household  {}\nBox        {}\nMade       {}\nBackup     {}\nIts access {}\n\n\
         {ADVICE}\n\nTo type:\n\n{}\n\nTo paste:\n\n{}\n",
        kit.household,
        kit.box_name,
        facts.made,
        facts.target,
        facts.secrets,
        lines.join("\n"),
        *scan
    )))
}

pub(super) fn html(kit: &RecoveryKit) -> Result<Zeroizing<String>, KitError> {
    let facts = facts(kit);
    let scan = kit.scan_text()?;
    let code = QrCode::encode_text(&scan, QrCodeEcc::Low).map_err(|_too_long| KitError::TooLongForQr)?;
    let lines = code::lines(&kit.household, &kit.key);
    let row = |name: &str, value: &str| format!("<tr><th>{name}</th><td>{}</td></tr>", escaped(value));
    Ok(Zeroizing::new(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Hearth recovery kit</title>\
         <style>body{{font:11pt sans-serif;max-width:17cm;margin:1cm auto}}th{{text-align:left;padding-right:1em}}\
         pre{{font:13pt monospace;line-height:1.6}}svg{{width:9cm}}</style></head><body>\
         <h1>Hearth recovery kit</h1><table>{}{}{}{}{}</table><p>{ADVICE}</p>{}<pre>{}</pre></body></html>",
        row("Household", kit.household.as_str()),
        row("Box", &kit.box_name),
        row("Made", &facts.made),
        row("Backup", &facts.target),
        row("Its access", facts.secrets),
        svg(&code),
        escaped(&lines.join("\n")),
    )))
}

fn svg(code: &QrCode) -> String {
    // Four modules of quiet zone around it (ISO/IEC 18004).
    let (size, border) = (code.size(), 4);
    let mut path = String::new();
    for (y, x) in
        (0..size).flat_map(|y| (0..size).map(move |x| (y, x))).filter(|(y, x)| code.get_module(*x, *y))
    {
        let _infallible = write!(path, "M{} {}h1v1h-1z", x + border, y + border);
    }
    let side = size + 2 * border;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><path d=\"{path}\"/></svg>"
    )
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
        safe
    })
}
