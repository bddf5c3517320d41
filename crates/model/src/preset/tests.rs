use super::*;

const WHOLE: &str = r#"{
  "version": 1,
  "claim_code": "01AB-2CDE-3FGH",
  "host_name": "attic",
  "wifi": {
    "ssid": "Zuhause 5",
    "passphrase": "correct horse",
    "country": "DE"
  },
  "time_zone": "Europe/Berlin",
  "locale": "de_DE"
}
"#;

#[test]
fn a_whole_file_is_read_and_written_the_same() {
    let preset = Preset::parse(WHOLE.as_bytes()).unwrap();
    assert_eq!(preset.encode().unwrap().as_slice(), WHOLE.as_bytes());
    assert_eq!(preset.claim_code.as_ref().unwrap().symbols(), b"01AB2CDE3FGH");
    assert_eq!(preset.wifi.as_ref().unwrap().passphrase.as_ref().unwrap().reveal(), "correct horse");
    assert!(!preset.is_empty());
}

#[test]
fn each_daemon_gets_its_own_secrets_only() {
    let preset = Preset::parse(WHOLE.as_bytes()).unwrap();
    let (host, network) = (preset.of_host(), preset.of_network());
    assert_eq!((&host.claim_code, &host.wifi), (&preset.claim_code, &None));
    assert_eq!((&network.claim_code, &network.wifi), (&None, &preset.wifi));
    assert_eq!((network.host_name, host.host_name), (None, preset.host_name));
}

#[test]
fn nothing_is_a_file_too() {
    assert!(Preset::parse(b"{\"version\":1}").unwrap().is_empty());
    let longest = Preset::parse(
        format!(
            r#"{{"version":1,"claim_code":"01AB2CDE3FGH","host_name":"{}","wifi":{{"ssid":"{}","passphrase":"{}","country":"DE"}},
                "time_zone":"{}","locale":"deu_DE"}}"#,
            "h".repeat(63),
            "\\\"".repeat(32),
            "\\\\".repeat(63),
            ["A".repeat(14), "B".repeat(14), "C".repeat(14)].join("/"),
        )
        .as_bytes(),
    );
    assert!(longest.unwrap().encode().is_some());
}

#[test]
fn a_mistake_is_placed_without_a_word_of_the_content() {
    for (text, line) in [
        ("{\n \"version\": 2}", 2),
        (
            "{\n \"version\": 1,\n \"wifi\": {\"ssid\": \"a\", \"passphrase\": \"short\", \"country\": \"DE\"}}",
            3,
        ),
        ("{\n \"version\": 1,\n \"claim_code\": \"SECRET\"}", 3),
        ("{\n \"version\": 1,\n \"host_name\": \"Not A Name\"}", 3),
        ("{\n \"version\": 1,\n \"secret\": 1}", 3),
        ("", 1),
    ] {
        let place = Preset::parse(text.as_bytes()).unwrap_err().place();
        assert!(place.contains(&format!("line {line},")), "{text}: {place}");
        assert!(!place.to_lowercase().contains("secret") && !place.contains("short"), "{place}");
    }
    assert!(matches!(Preset::parse(&[b' '; MAX_BYTES + 1]), Err(PresetError::TooLong)));
}

#[test]
fn claim_codes_are_taken_as_people_type_them_and_never_plain() {
    for typed in ["01AB-2CDE-3FGH", "oiab 2cde-3fgh", "OLAB2CDE3FGH"] {
        assert_eq!(*typed.parse::<ClaimCode>().unwrap().shown(), "01AB-2CDE-3FGH", "{typed}");
    }
    for (bad, why) in [
        ("", InvalidClaimCode::Length),
        ("01AB-2CDE-3FG", InvalidClaimCode::Length),
        ("01AB-2CDE-3FGHJ", InvalidClaimCode::Length),
        ("U1AB-2CDE-3FGH", InvalidClaimCode::Symbol),
        ("\u{e9}1AB2CDE3FG", InvalidClaimCode::Symbol),
        ("0000-0000-0000", InvalidClaimCode::Plain),
        ("1234-5123-4512", InvalidClaimCode::Plain),
    ] {
        assert_eq!(bad.parse::<ClaimCode>(), Err(why), "{bad}");
    }
    assert_eq!(ClaimCode::from_random([0; 12]), None);
    let code = ClaimCode::from_random([0, 33, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]).unwrap();
    assert_eq!(*code.shown(), "0123-4567-89AZ");
}

#[test]
fn secrets_are_not_in_debug_output() {
    let shown = format!("{:?}", Preset::parse(WHOLE.as_bytes()).unwrap());
    assert!(!shown.contains("01AB") && !shown.contains("horse"), "{shown}");
}

#[test]
fn zones_languages_and_networks_have_their_form() {
    for good in ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+1", "America/Port-au-Prince"] {
        assert_eq!(good.parse::<TimeZone>().map(String::from).as_deref(), Ok(good));
    }
    for bad in ["", "/", "Europe/", "../etc", "Europe/Berlin/x/y", "a b", "1/2", "Europe/ABCDEFGHIJKLMNO"] {
        assert_eq!(bad.parse::<TimeZone>(), Err(InvalidTimeZone), "{bad}");
    }
    for good in ["de", "de_AT", "gsw_CH"] {
        assert_eq!(good.parse::<Locale>().map(String::from).as_deref(), Ok(good));
    }
    for bad in ["", "d", "de_", "de_at", "DE", "de-AT", "de_AT.UTF-8", "deut"] {
        assert_eq!(bad.parse::<Locale>(), Err(InvalidLocale), "{bad}");
    }
    for bad in ["", &"x".repeat(33), "a\nb"] {
        assert_eq!(bad.parse::<Ssid>(), Err(InvalidWifi::Ssid), "{bad}");
    }
    for bad in ["", "1234567", &"x".repeat(64), "correct h\u{f6}rse"] {
        assert_eq!(bad.parse::<Passphrase>(), Err(InvalidWifi::Passphrase), "{bad}");
    }
    for bad in ["", "de", "D", "DEU", "00"] {
        assert_eq!(bad.parse::<Country>(), Err(InvalidWifi::Country), "{bad}");
    }
}
