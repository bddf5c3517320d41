//! What is decided before the first start.

use super::FlashFailure;
use crate::cli::PresetWish;
use crate::commands::Desk;
use crate::commands::Failure;
use model::preset::ClaimCode;
use model::preset::Preset;
use model::preset::Wifi;

/// How a program gives the passphrase.
const BY_A_PROGRAM: &str = "hearthctl flash … --wifi … --passphrase-stdin < file";

pub(super) fn decide(desk: &mut Desk<'_>, wish: &PresetWish) -> Result<Preset, Failure> {
    let mut preset = Preset::default();
    preset.claim_code = match &wish.claim_code {
        None => None,
        Some(Some(code)) => Some(code.clone()),
        Some(None) => Some(new_code()?),
    };
    preset.host_name.clone_from(&wish.host_name);
    preset.time_zone.clone_from(&wish.time_zone);
    preset.locale.clone_from(&wish.locale);
    if let (Some(ssid), Some(country)) = (&wish.wifi, &wish.country) {
        let passphrase = if wish.open_wifi {
            None
        } else {
            let question = format!("Passphrase of {}:", ssid.as_str());
            let typed = super::super::storage::secret(
                desk,
                &question,
                wish.passphrase_stdin,
                "the passphrase",
                BY_A_PROGRAM,
            )?;
            Some(typed.parse().map_err(FlashFailure::Passphrase)?)
        };
        preset.wifi = Some(Wifi { ssid: ssid.clone(), passphrase, country: country.clone() });
    }
    Ok(preset)
}

fn new_code() -> Result<ClaimCode, FlashFailure> {
    loop {
        let mut bytes = [0; 12];
        let taken = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
        // Up to 256 bytes come whole or not at all (getrandom(2)).
        taken.map_err(|error| FlashFailure::Random { source: error.into() })?;
        if let Some(code) = ClaimCode::from_random(bytes) {
            return Ok(code);
        }
    }
}
