//! Wi-Fi with radios that exist in the kernel only: a household's network by a real hostapd, a phone by a real wpa_supplicant.

use super::containers::world::compile;
use super::flashed::CODE;
use super::flashed::flashed;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use hearth_agent::network::order::Order;
use hearth_agent::network::order::Outcome;
use model::network::link_report::LinkState;
use model::network::report::NetworkReport;
use model::network::wifi::Security;
use model::network::wifi::WifiReport;
use model::network::wifi::WifiState;
use model::paths::IWD_UID;
use model::paths::NETD_PRESET;
use model::paths::NETD_STATE;
use model::paths::SERVICES_REPORT;
use model::paths::WIFI_BUS_UID;
use qemu_tests::Artifacts;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::agent::Agent;
use qemu_tests::builder::Inside;
use qemu_tests::scenario::scenario;
use qemu_tests::software;
use qemu_tests::usb_disk::UsbDisk;
use serde_json::Value;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const LAB: &str = "/run/hearth/tests/lab";
/// What the radio that is none needs, in this order.
const MODULES: [(&str, &str); 5] =
    [("rfkill", ""), ("cfg80211", ""), ("libarc4", ""), ("mac80211", ""), ("mac80211_hwsim", "radios=3")];
const PASSWORD: &str = "correct horse";
/// The household's and a phone's radio leave the box; what is left is its own.
const HOUSEHOLD: &str = "
ip netns add home; ip netns add phone
iw phy phy0 set netns name home; iw phy phy2 set netns name phone
ip -n home addr add 192.168.77.1/24 dev wlan0; ip -n home link set wlan0 up
";
const DHCP: &str = "dnsmasq --no-daemon --user=root --port=0 --conf-file=/dev/null --interface=wlan0 --bind-interfaces \
     --dhcp-range=192.168.77.50,192.168.77.60,255.255.255.0,1h --dhcp-leasefile=/run/leases --pid-file=";
/// Joins the box's own network as a phone does, asks for a name of somebody else, and for his page.
const PHONE: &str = "
set -e
printf 'network={\\n ssid=\"%s\"\\n psk=\"%s\"\\n}\\n' \"$SSID\" \"$PASS\" > /run/phone.conf
printf '#!/bin/bash\\n[ \"$1\" = bound ] || exit 0\\nip addr add $ip/$mask dev $interface\\nip route add default via $router\\n\
echo nameserver $dns > /etc/resolv.conf\\n' > /run/bound
chmod 755 /run/bound
ip -n phone link set wlan2 up
ip netns exec phone wpa_supplicant -B -i wlan2 -c /run/phone.conf > /run/phone.log
for look in $(seq 120); do iw dev wlan2 link 2>/dev/null | grep -q Connected && break
ip netns exec phone iw dev wlan2 link | grep -q Connected && break; sleep 1; done
ip netns exec phone busybox udhcpc -i wlan2 -n -q -t 30 -T 2 -s /run/bound > /run/udhcpc.log 2>&1
cat /etc/resolv.conf
ip netns exec phone busybox nslookup -type=a somewhere.example 192.168.71.1
ip netns exec phone timeout 120 bash -c 'exec 3<>/dev/tcp/somewhere.example/80
printf \"GET / HTTP/1.1\\r\\nhost: somewhere.example\\r\\nconnection: close\\r\\n\\r\\n\" >&3; cat <&3'
";

/// Everything inside of the box.
struct Lab {
    agent: Agent,
    vm: Vm,
}

#[test]
fn the_box_joins_networks_and_is_one_where_there_is_no_other_way_in() {
    scenario("wifi", |folder| {
        let mut lab = Lab::bring(folder, None)?;
        ensure!(!lab.services()?.contains("iwd"), "iwd runs on a box without a radio");
        ensure!(lab.report()?.wifi.state == WifiState::Absent, "a radio where there is none");
        lab.put_radios()?;
        lab.check_confinement()?;

        // A cable is in, and nothing is known: the box stays quiet.
        lab.wait("a look around", |wifi| wifi.state == WifiState::Idle)?;
        lab.household("Home", "WPA-PSK", "wpa_passphrase")?;
        lab.want(&json!({ "want": "country", "country": "DE" }))?;
        lab.want(&json!({ "want": "look" }))?;
        let seen =
            lab.wait("the household's network", |wifi| wifi.networks.iter().any(|n| n.signal.is_some()))?;
        let network = seen.networks.first().context("no network")?;
        ensure!(
            network.ssid.as_str() == "Home" && network.security == Security::Password && !network.is_known,
            "{seen:?}"
        );
        ensure!(seen.country.as_ref().is_some_and(|country| country.as_str() == "DE"), "{seen:?}");

        lab.cable(false)?;
        lab.wait("the own network", |wifi| wifi.access_point.is_some())?;
        lab.visit()?;

        // A wrong password is said, and the own network comes back.
        lab.want(&json!({ "want": "join", "ssid": "Home", "passphrase": "wrong horse" }))?;
        lab.wait("a refusal", |wifi| wifi.problem.is_some())?;
        let back = lab.wait("the own network again", |wifi| wifi.access_point.is_some())?;
        let problem = back.problem.context("the refusal was forgotten")?;
        ensure!(problem == "the network \"Home\" did not accept the password", "{problem}");
        ensure!(lab.report()?.reasons.contains(&problem), "the box is not degraded");
        ensure!(!back.networks.iter().any(|network| network.is_known), "a wrong password was kept");

        lab.want(&json!({ "want": "join", "ssid": "Home", "passphrase": PASSWORD }))?;
        lab.wait_joined("Home")?;
        lab.want(&json!({ "want": "forget", "ssid": "Home" }))?;
        let left = lab.wait("the own network at last", |wifi| wifi.access_point.is_some())?;
        ensure!(!left.networks.iter().any(|network| network.is_known), "{left:?}");

        lab.cable(true)?;
        lab.wait("rest", |wifi| wifi.state == WifiState::Idle)?;
        lab.household("Home 3", "SAE", "sae_password")?;
        lab.want(&json!({ "want": "join", "ssid": "Home 3", "passphrase": PASSWORD }))?;
        lab.wait_joined("Home 3")?;
        Ok(())
    });
}

#[test]
fn a_flashed_disk_joins_the_network_that_was_decided() {
    scenario("flashed-wifi", |folder| {
        let image = Artifacts::load()?.image;
        let disk = flashed(folder, &image, "Home", PASSWORD)?;
        let mut lab = Lab::bring(folder, Some(&disk))?;
        ensure!(lab.vm.wait_claim_code(0)? == CODE, "another claim code");
        ensure!(lab.vm.wait_state(0)?.url.contains("attic.local"), "another name");
        // Nobody does anything but switch on, where the network is.
        lab.put_radios()?;
        lab.household("Home", "WPA-PSK", "wpa_passphrase")?;
        lab.wait_joined("Home")?;
        let country = lab.report()?.wifi.country;
        ensure!(country.as_ref().is_some_and(|country| country.as_str() == "AT"), "{country:?}");
        ensure!(lab.agent.read(NETD_PRESET).is_err(), "the preset is still there");
        let (found, _) = lab.agent.find(NETD_STATE, PASSWORD)?;
        ensure!(found.is_empty(), "netd keeps the password of a network that is known: {found:?}");
        Ok(())
    });
}

impl Lab {
    fn bring(folder: &Path, disk: Option<&Path>) -> Result<Self> {
        let radio = software::radio()?;
        let image = radio.images.first().context("there is no image of the radio")?;
        let programs = UsbDisk::made_elsewhere(&radio.disk);
        let program = compile(folder, "tests/vm/wifi/lab.c")?;
        let builder = VmBuilder::new(folder, &Artifacts::load()?).memory(768).usb_disk(&programs);
        let builder = disk.into_iter().fold(builder, VmBuilder::disk);
        let vm = builder.inside(Inside::Agent).start()?;
        // One that has another name from the start answers to that only.
        if disk.is_some() {
            vm.wait_state(0)?;
        } else {
            vm.wait_web()?;
        }
        let mut agent = vm.agent()?;
        agent.install(LAB, &program)?;
        let [low, high] = &image.layers;
        agent.run(LAB, &["prepare", "/dev/sda", low, high], "")?;
        Ok(Self { agent, vm })
    }

    fn put_radios(&mut self) -> Result<()> {
        let release = self.agent.read("/proc/sys/kernel/osrelease")?;
        for (module, parameters) in MODULES {
            let path = format!("/usr/lib/modules/{}/{module}.ko", release.trim());
            self.agent.run(LAB, &["load", &path, parameters], "")?;
        }
        self.sh(HOUSEHOLD).map(drop)
    }

    fn sh(&mut self, script: &str) -> Result<String> {
        self.agent.run(LAB, &["run", "/bin/bash"], script)
    }

    /// The household's network; one that was there before ends.
    fn household(&mut self, ssid: &str, keys: &str, password: &str) -> Result<()> {
        let protected = if keys == "SAE" { "ieee80211w=2" } else { "" };
        self.sh(&format!(
            "busybox killall hostapd dnsmasq 2>/dev/null; busybox sleep 2\ncat > /run/hostapd.conf <<END\n\
             interface=wlan0\ndriver=nl80211\nssid={ssid}\nhw_mode=g\nchannel=1\nwpa=2\nwpa_key_mgmt={keys}\n\
             rsn_pairwise=CCMP\n{password}={PASSWORD}\n{protected}\nEND\n"
        ))?;
        let home = ["ip", "netns", "exec", "home"];
        let hostapd =
            [&["start", "/run/hearth/tests/hostapd.log"][..], &home, &["hostapd", "/run/hostapd.conf"]];
        self.agent.run(LAB, &hostapd.concat(), "")?;
        let dhcp: Vec<&str> = DHCP.split_whitespace().collect();
        let dnsmasq = [&["start", "/run/hearth/tests/dnsmasq.log"][..], &home, &dhcp];
        self.agent.run(LAB, &dnsmasq.concat(), "").map(drop)
    }

    fn check_confinement(&mut self) -> Result<()> {
        let Self { agent, vm } = self;
        vm.wait_until("iwd", || {
            let services: Value = serde_json::from_str(&agent.read(SERVICES_REPORT)?)?;
            let iwd = services["services"].as_array().into_iter().flatten().find(|one| one["name"] == "iwd");
            Ok(iwd.filter(|iwd| iwd["state"] == "ready").map(drop))
        })?;
        // CAP_NET_ADMIN and CAP_NET_RAW.
        for (name, user, allowed) in
            [("iwd", IWD_UID, 1 << 12 | 1 << 13), ("dbus-daemon", WIFI_BUS_UID, 0_u64)]
        {
            let process = agent.process(name)?;
            ensure!(process.uids == [user; 4], "{process:?}");
            ensure!(process.capabilities.iter().all(|set| set & !allowed == 0), "{process:?}");
            ensure!(process.no_new_privs && process.seccomp == 2, "{process:?}");
        }
        Ok(())
    }

    fn services(&mut self) -> Result<String> {
        self.agent.read(SERVICES_REPORT)
    }

    fn call(&mut self, method: &str, arguments: Vec<String>) -> Result<String> {
        let outcome = self.agent.order(Order::Call { method: method.to_owned(), arguments })?;
        let Outcome::Returned { text } = outcome else { bail!("{method}: {outcome:?}") };
        Ok(text)
    }

    fn want(&mut self, wish: &Value) -> Result<()> {
        self.call("Wifi", vec![wish.to_string()]).map(drop)
    }

    fn report(&mut self) -> Result<NetworkReport> {
        Ok(serde_json::from_str(&self.call("Report", Vec::new())?)?)
    }

    fn wait(&mut self, what: &str, is_so: impl Fn(&WifiReport) -> bool) -> Result<WifiReport> {
        let mut last = WifiReport::default();
        let until = std::time::Instant::now() + Duration::from_secs(600);
        while std::time::Instant::now() < until {
            self.vm.serial().check()?;
            // It may have been started anew just now.
            if let Ok(report) = self.report() {
                last = report.wifi;
                if is_so(&last) {
                    return Ok(last);
                }
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        let log = self.agent.read("/run/hearth/tests/hostapd.log").unwrap_or_default();
        bail!("waited in vain for {what}: {last:?}\nhostapd: {log}")
    }

    /// Joined, with an address of that network.
    fn wait_joined(&mut self, ssid: &str) -> Result<()> {
        let joined = self.wait(ssid, |wifi| {
            wifi.state == WifiState::Joined && wifi.network.as_deref() == Some(ssid) && wifi.problem.is_none()
        })?;
        let name = joined.link.context("joined without a link")?;
        for _ in 0..300 {
            let report = self.report()?;
            let link = report.links.iter().find(|link| link.name == name).context("the link is gone")?;
            let has_address =
                link.addresses.iter().any(|own| own.address.to_string().starts_with("192.168.77."));
            if link.state == LinkState::Up && has_address {
                return Ok(());
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        bail!("no address in {ssid}: {:?}", self.report()?.links)
    }

    fn cable(&mut self, is_in: bool) -> Result<()> {
        self.vm.qmp().execute("set_link", &json!({ "name": "user", "up": is_in })).map(drop)
    }

    /// Comes by phone: name and password are on the box's screen.
    fn visit(&mut self) -> Result<()> {
        let line = self.vm.wait_line("set-up by Wi-Fi: network Hearth-")?;
        let words = line.split_once("network ").and_then(|(_, rest)| rest.split_once(", password "));
        let (ssid, password) = words.with_context(|| format!("no name and password: {line}"))?;
        let found = self.sh(&format!("SSID='{ssid}' PASS='{}'\n{PHONE}", password.trim()))?;
        ensure!(found.contains("nameserver 192.168.71.1"), "no name server: {found}");
        ensure!(found.contains("Name:\tsomewhere.example\nAddress: 192.168.71.1\n"), "no name: {found}");
        ensure!(found.to_lowercase().contains("<!doctype html"), "no page: {found}");
        self.sh("busybox killall wpa_supplicant; ip -n phone addr flush dev wlan2").map(drop)
    }
}
