//! What iwd shows of itself, in netd's words: bounded and checked, for iwd repeats what strangers send by radio. Pure.

use model::network::wifi::MOST_NETWORKS;
use model::network::wifi::Security;
use model::preset::Ssid;
use std::collections::BTreeMap;
use zbus::OwnedObjectPath;
use zbus::OwnedVariant;
use zbus::Variant;
use zbus::fdo::ManagedObjects;

/// Begin of the names of iwd's interfaces.
const PREFIX: &str = "net.connman.iwd.";
/// More objects than any box has are not looked at.
const MOST_OBJECTS: usize = 1024;

/// A radio as a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Where it is on the bus.
    pub path: OwnedObjectPath,
    /// Kernel name.
    pub link: String,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Whether it is a network now, and that is on.
    pub is_beacon: bool,
    /// Whether it can join networks now.
    pub is_station: bool,
    /// Path of the network that it is in.
    pub joined: Option<OwnedObjectPath>,
    /// Whether it looks around.
    pub is_looking: bool,
}

/// A network in reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Where it is on the bus.
    pub path: OwnedObjectPath,
    /// Its name.
    pub ssid: Ssid,
    /// How it is protected.
    pub security: Security,
}

/// A network that iwd has the password of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where it is on the bus.
    pub path: OwnedObjectPath,
    /// Its name.
    pub ssid: Ssid,
    /// How it is protected.
    pub security: Security,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The radio that is used: the first one by its path.
    pub device: Option<Device>,
    /// Networks in reach, by path.
    pub networks: Vec<Network>,
    /// Networks that are known.
    pub known: Vec<Known>,
}

impl Snapshot {
    /// From what the object manager tells. Names that are no text, or longer than the standard has them, are passed over.
    #[must_use]
    pub fn of(objects: &ManagedObjects) -> Self {
        let sorted: BTreeMap<&str, _> =
            objects.iter().take(MOST_OBJECTS).map(|(path, object)| (path.as_str(), (path, object))).collect();
        let mut snapshot = Self::default();
        for (path, object) in sorted.into_values() {
            let find = |name: &str| {
                let interface =
                    object.iter().find(|(key, _)| key.as_str().strip_prefix(PREFIX) == Some(name));
                interface.map(|(_, properties)| Properties(properties))
            };
            if let Some(device) = find("Device").filter(|_| snapshot.device.is_none()) {
                snapshot.device =
                    device_of(path, &device, find("Station").as_ref(), find("AccessPoint").as_ref());
            }
            if let Some((ssid, security)) = find("Network").and_then(|network| named(&network))
                && snapshot.networks.len() < MOST_NETWORKS
            {
                snapshot.networks.push(Network { path: path.clone(), ssid, security });
            }
            if let Some((ssid, security)) = find("KnownNetwork").and_then(|network| named(&network))
                && snapshot.known.len() < MOST_NETWORKS
            {
                snapshot.known.push(Known { path: path.clone(), ssid, security });
            }
        }
        // A second radio may be in reach of the same networks.
        if let Some(device) = &snapshot.device {
            let below = format!("{}/", device.path.as_str());
            snapshot.networks.retain(|network| network.path.as_str().starts_with(&below));
        }
        snapshot
    }

    /// The network that the radio is in.
    #[must_use]
    pub fn joined(&self) -> Option<&Network> {
        let path = self.device.as_ref()?.joined.as_ref()?;
        self.networks.iter().find(|network| network.path == *path)
    }

    /// The network of that name, the best protected one if there are several.
    #[must_use]
    pub fn in_reach(&self, ssid: &Ssid) -> Option<&Network> {
        let named = self.networks.iter().filter(|network| network.ssid == *ssid);
        named.min_by_key(|network| match network.security {
            Security::Password => 0,
            Security::Open => 1,
            Security::Unsupported => 2,
        })
    }
}

struct Properties<'a>(&'a std::collections::HashMap<String, OwnedVariant>);

impl Properties<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        let Variant::Str(text) = &**self.0.get(name)? else { return None };
        Some(text.as_str())
    }

    fn is(&self, name: &str) -> bool {
        matches!(self.0.get(name).map(|value| &**value), Some(Variant::Bool(true)))
    }

    fn path(&self, name: &str) -> Option<OwnedObjectPath> {
        let Variant::ObjectPath(path) = &**self.0.get(name)? else { return None };
        Some(path.clone().into())
    }
}

fn device_of(
    path: &OwnedObjectPath,
    device: &Properties<'_>,
    station: Option<&Properties<'_>>,
    access_point: Option<&Properties<'_>>,
) -> Option<Device> {
    let link = device.text("Name").filter(|name| (1..16).contains(&name.len()))?;
    Some(Device {
        path: path.clone(),
        link: link.to_owned(),
        mac: mac(device.text("Address")?)?,
        is_beacon: access_point.is_some_and(|point| point.is("Started")),
        is_station: station.is_some(),
        joined: station.and_then(joined),
        is_looking: station.is_some_and(|station| station.is("Scanning")),
    })
}

/// iwd names the network from the first attempt on; it is in it when it says so.
fn joined(station: &Properties<'_>) -> Option<OwnedObjectPath> {
    let is_in = matches!(station.text("State")?, "connected" | "roaming");
    is_in.then(|| station.path("ConnectedNetwork")).flatten()
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let mut parts = text.split(':').map(|part| u8::from_str_radix(part, 16).ok());
    let mut mac = [0; 6];
    for byte in &mut mac {
        *byte = parts.next()??;
    }
    parts.next().is_none().then_some(mac)
}

fn named(network: &Properties<'_>) -> Option<(Ssid, Security)> {
    let security = match network.text("Type")? {
        "open" => Security::Open,
        "psk" => Security::Password,
        _wep_or_8021x => Security::Unsupported,
    };
    Some((network.text("Name")?.parse().ok()?, security))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    type Object = (&'static str, Vec<(&'static str, Variant<'static>)>);

    fn path(text: &str) -> OwnedObjectPath {
        zbus::ObjectPath::try_from(text.to_owned()).unwrap().into()
    }

    fn objects(all: Vec<(&str, Vec<Object>)>) -> ManagedObjects {
        let object = |interfaces: Vec<Object>| {
            let one = |(name, properties): Object| {
                let properties = properties
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), OwnedVariant::try_from(value).unwrap()));
                let name = zbus::names::InterfaceName::try_from(format!("{PREFIX}{name}")).unwrap();
                (name.into(), properties.collect::<HashMap<_, _>>())
            };
            interfaces.into_iter().map(one).collect()
        };
        all.into_iter().map(|(at, interfaces)| (path(at), object(interfaces))).collect()
    }

    fn device(state: &'static str) -> Vec<Object> {
        vec![
            ("Device", vec![("Name", "wlan1".into()), ("Address", "02:00:00:00:01:0a".into())]),
            (
                "Station",
                vec![
                    ("State", state.into()),
                    ("Scanning", true.into()),
                    ("ConnectedNetwork", Variant::ObjectPath(path("/i/1/3/486f_psk").into())),
                ],
            ),
        ]
    }

    fn network(name: &'static str, kind: &'static str) -> Vec<Object> {
        vec![("Network", vec![("Name", name.into()), ("Type", kind.into())])]
    }

    #[test]
    fn what_iwd_shows_is_understood() {
        let snapshot = Snapshot::of(&objects(vec![
            ("/i/1/3", device("connected")),
            ("/i/1/3/486f_psk", network("Ho", "psk")),
            ("/i/1/3/486f_open", network("Ho", "open")),
            ("/i/1/3/41_8021x", network("A", "8021x")),
            ("/i/2/4/42_psk", network("B", "psk")),
            ("/i/486f_psk", vec![("KnownNetwork", vec![("Name", "Ho".into()), ("Type", "psk".into())])]),
        ]));
        let device = snapshot.device.as_ref().unwrap();
        assert_eq!((device.link.as_str(), device.mac), ("wlan1", [2, 0, 0, 0, 1, 10]));
        assert!(device.is_station && !device.is_beacon && device.is_looking);
        let ho: Ssid = "Ho".parse().unwrap();
        assert_eq!(snapshot.joined().unwrap().ssid, ho);
        assert_eq!(snapshot.in_reach(&ho).unwrap().security, Security::Password);
        assert_eq!(snapshot.in_reach(&"A".parse().unwrap()).unwrap().security, Security::Unsupported);
        assert!(snapshot.in_reach(&"B".parse().unwrap()).is_none(), "another radio's");
        assert_eq!(snapshot.known.len(), 1);
    }

    #[test]
    fn a_network_is_not_joined_before_it_lets_the_box_in() {
        for state in ["connecting", "disconnected", "disconnecting", "nonsense"] {
            let all = vec![("/i/1/3", device(state)), ("/i/1/3/486f_psk", network("Ho", "psk"))];
            assert_eq!(Snapshot::of(&objects(all)).joined(), None, "{state}");
        }
    }

    #[test]
    fn strange_names_and_addresses_are_passed_over() {
        let long: &str = "123456789012345678901234567890123";
        let all = vec![
            ("/i/1/3", vec![("Device", vec![("Name", long.into()), ("Address", "02:00".into())])]),
            ("/i/1/3/1_psk", network(long, "psk")),
            ("/i/1/3/2_psk", network("a\nb", "psk")),
            ("/i/1/3/3_psk", network("", "psk")),
            ("/i/1/3/4_psk", vec![("Network", vec![("Name", 7_u32.into()), ("Type", "psk".into())])]),
        ];
        assert_eq!(Snapshot::of(&objects(all)), Snapshot::default());
        for text in ["", "02:00:00:00:01", "02:00:00:00:01:0a:0b", "zz:00:00:00:01:0a"] {
            assert_eq!(mac(text), None, "{text}");
        }
    }
}
