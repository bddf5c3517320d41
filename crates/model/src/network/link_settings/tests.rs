//! Settings as they are written, good and bad.

use super::*;

fn read(text: &str) -> Result<LinkSettings, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn fixed(addresses: &str, gateway: &str) -> Result<LinkSettings, String> {
    read(&format!(
        r#"{{"matching":{{"name":"eth0"}},"ipv4":{{"static":{{"addresses":[{addresses}],"gateway":"{gateway}"}}}}}}"#
    ))
}

fn fixed_6(addresses: &str, gateway: &str) -> Result<LinkSettings, String> {
    read(&format!(
        r#"{{"matching":{{"name":"eth0"}},"ipv6":{{"static":{{"addresses":[{addresses}],"gateway":"{gateway}"}}}}}}"#
    ))
}

#[test]
fn what_is_left_out_is_automatic() {
    let settings = read(r#"{"matching":{"mac":"52:54:00:AB:cd:01"}}"#).unwrap();
    assert_eq!((settings.ipv4(), settings.ipv6()), (&Ipv4Settings::Dhcp, &Ipv6Settings::Automatic));
    assert_eq!((settings.mtu(), settings.metric()), (None, None));
}

#[test]
fn settings_are_written_as_they_are_read() {
    let text = concat!(
        r#"{"matching":{"mac":"52:54:00:ab:cd:01"},"ipv4":{"static":{"addresses":["192.168.1.5/24"],"#,
        r#""gateway":"192.168.1.1"}},"ipv6":"off","mtu":1400,"metric":5}"#
    );
    let settings = read(text).unwrap();
    assert_eq!(serde_json::to_string(&settings).unwrap(), text);
}

#[test]
fn unknown_fields_and_values_out_of_range_are_refused() {
    for (text, why) in [
        (r#"{"matching":{"name":"eth0"},"mtuu":1500}"#, "unknown field `mtuu`"),
        (r#"{"matching":{"name":"eth0","mac":"52:54:00:ab:cd:01"}}"#, ""),
        (r#"{"ipv4":"dhcp"}"#, "missing field `matching`"),
        (r#"{"matching":{"name":"a/b"}}"#, "a link's name has"),
        (r#"{"matching":{"name":"sixteen-letters-"}}"#, "a link's name has"),
        (r#"{"matching":{"mac":"52:54:00:ab:cd"}}"#, "six pairs"),
        (r#"{"matching":{"mac":"+1:54:00:ab:cd:01"}}"#, "six pairs"),
        (r#"{"matching":{"mac":"01:00:5e:00:00:fb"}}"#, "no single network card"),
        (r#"{"matching":{"mac":"00:00:00:00:00:00"}}"#, "no single network card"),
        (r#"{"matching":{"name":"eth0"},"mtu":575}"#, "an MTU is from 576 to 9000"),
        (r#"{"matching":{"name":"eth0"},"mtu":9001}"#, "an MTU is from 576 to 9000"),
        (r#"{"matching":{"name":"eth0"},"metric":0}"#, "a metric is from 1 to 9999"),
        (r#"{"matching":{"name":"eth0"},"mtu":1279}"#, "IPv6 needs an MTU of at least 1280"),
        (r#"{"matching":{"name":"eth0"},"ipv4":{"static":{"addresses":[]}}}"#, "none is given"),
        (r#"{"matching":{"name":"eth0"},"ipv4":{"static":{"addresses":[],"x":1}}}"#, "unknown field `x`"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    read(r#"{"matching":{"name":"eth0"},"mtu":576,"ipv6":"off"}"#).unwrap();
}

#[test]
fn addresses_that_no_device_can_have_are_refused() {
    for (address, why) in [
        ("192.168.1.5", InvalidAddress::Form),
        ("192.168.1/24", InvalidAddress::Form),
        ("192.168.1.5/33", InvalidAddress::Prefix),
        ("192.168.1.5/0", InvalidAddress::Prefix),
        ("192.168.1.5/+24", InvalidAddress::Prefix),
        ("192.168.1.5/1000", InvalidAddress::Prefix),
        ("192.168.1.0/24", InvalidAddress::Network),
        ("192.168.1.255/24", InvalidAddress::Broadcast),
        ("224.0.0.251/24", InvalidAddress::Multicast),
        ("127.0.0.2/8", InvalidAddress::Loopback),
        ("169.254.1.2/16", InvalidAddress::LinkLocal),
        ("0.0.0.9/8", InvalidAddress::Reserved),
        ("255.255.255.255/32", InvalidAddress::Reserved),
    ] {
        assert_eq!(address.parse::<InterfaceAddress4>(), Err(why), "{address}");
    }
    for (address, why) in [
        ("2001:db8::5", InvalidAddress::Form),
        ("2001:db8::5/129", InvalidAddress::Prefix),
        ("2001:db8::/64", InvalidAddress::Network),
        ("ff02::1/64", InvalidAddress::Multicast),
        ("::1/128", InvalidAddress::Loopback),
        ("fe80::5/64", InvalidAddress::LinkLocal),
        ("::/64", InvalidAddress::Reserved),
        ("::ffff:192.168.1.5/128", InvalidAddress::Reserved),
    ] {
        assert_eq!(address.parse::<InterfaceAddress6>(), Err(why), "{address}");
    }
    for good in ["10.0.0.0/31", "10.0.0.1/31", "10.0.0.7/32", "10.0.1.255/16"] {
        assert_eq!(good.parse::<InterfaceAddress4>().unwrap().to_string(), good);
    }
    for good in ["2001:db8::5/64", "fd00::/127", "fd00::7/128"] {
        assert_eq!(good.parse::<InterfaceAddress6>().unwrap().to_string(), good);
    }
}

#[test]
fn a_gateway_must_be_another_device_in_a_network_of_the_link() {
    let own = r#""192.168.1.5/24","10.0.0.2/8""#;
    fixed(own, "10.200.0.1").unwrap();
    for (gateway, why) in [
        ("192.168.2.1", "in the network of none of the addresses"),
        ("192.168.1.5", "one of the box's own addresses"),
        ("192.168.1.255", "no device's address"),
        ("192.168.1.0", "no device's address"),
    ] {
        let error = fixed(own, gateway).unwrap_err();
        assert!(error.contains(why), "{gateway}: {error}");
    }
    let own = r#""2001:db8::5/64""#;
    fixed_6(own, "2001:db8::1").unwrap();
    fixed_6(own, "fe80::1").unwrap();
    for (gateway, why) in [
        ("2001:db8:1::1", "in the network of none of the addresses"),
        ("2001:db8::5", "one of the box's own addresses"),
        ("2001:db8::", "no device's address"),
    ] {
        let error = fixed_6(own, gateway).unwrap_err();
        assert!(error.contains(why), "{gateway}: {error}");
    }
}

#[test]
fn an_address_is_given_once_and_not_too_many() {
    let error = fixed(r#""192.168.1.5/24","192.168.1.5/16""#, "192.168.1.1").unwrap_err();
    assert!(error.contains("192.168.1.5 is given twice"), "{error}");
    let many: Vec<String> = (1..=17).map(|host| format!(r#""10.0.0.{host}/24""#)).collect();
    let error = fixed(&many.join(","), "10.0.0.99").unwrap_err();
    assert!(error.contains("at most 16"), "{error}");
}

#[test]
fn settings_by_hardware_win_over_those_by_name() {
    let by_name = read(r#"{"matching":{"name":"eth0"}}"#).unwrap();
    let by_mac = read(r#"{"matching":{"mac":"52:54:00:ab:cd:01"}}"#).unwrap();
    let all = [by_name.clone(), by_mac.clone()];
    let mac: MacAddress = "52:54:00:ab:cd:01".parse().unwrap();
    let other: MacAddress = "52:54:00:ab:cd:02".parse().unwrap();
    assert_eq!(LinkSettings::find(&all, mac, "eth0"), Some(&by_mac));
    assert_eq!(LinkSettings::find(&all, other, "eth0"), Some(&by_name));
    assert_eq!(LinkSettings::find(&all, other, "eth1"), None);
}
