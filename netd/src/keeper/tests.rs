use super::*;
use crate::apps::wiring::WiringError;
use crate::firewall::filter::AddressChange;
use crate::firewall::filter::Reachable;
use hostapi::net1::NetworkNamespace;
use netlink::nft::Element;
use netlink::nft::ElementData;
use netlink::nft::InterfaceName;
use netlink::nft::Name;
use netlink::nft::Ruleset;
use netlink::nft::Span;
use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::rc::Rc;
use tempfile::TempDir;

/// A kernel that remembers what it was told.
#[derive(Debug, Default)]
struct Kernel {
    rules: Option<Ruleset>,
    reachable: Vec<Reachable>,
    links: BTreeMap<Place, bool>,
    /// What was done, in order.
    done: Vec<String>,
    /// What is refused.
    refuses: Option<&'static str>,
    is_forwarding: bool,
    /// Changed by everybody who changes rules.
    generation: u32,
    forgotten: Vec<IpAddr>,
    /// Marks of connections.
    connections: Vec<u32>,
}

impl Kernel {
    fn count_change(&mut self) {
        self.generation = self.generation.wrapping_add(1).max(1);
    }
}

#[derive(Clone, Debug, Default)]
struct Fake(Rc<RefCell<Kernel>>);

impl Fake {
    fn step(&self, what: &str) -> Result<(), io::Error> {
        let mut kernel = self.0.borrow_mut();
        kernel.done.push(what.to_owned());
        if kernel.refuses == Some(what) { Err(io::Error::other("the test refuses")) } else { Ok(()) }
    }

    fn filter_step(&self, doing: &'static str) -> Result<(), FilterError> {
        self.step(doing).map_err(|error| FilterError { doing, source: error.into() })
    }

    fn wiring_step(&self, doing: &'static str) -> Result<(), WiringError> {
        self.step(doing).map_err(|source| WiringError::Setting { setting: doing.to_owned(), source })
    }

    fn refuse(&self, what: Option<&'static str>) {
        self.0.borrow_mut().refuses = what;
    }

    fn take_done(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().done)
    }

    /// Links of apps that the rules know.
    fn app_links(&self) -> BTreeSet<String> {
        self.set("app_links").iter().map(|element| element.key[0].to_string().replace('"', "")).collect()
    }

    /// What the rules have in a set.
    fn set(&self, name: &str) -> Vec<Element> {
        let kernel = self.0.borrow();
        let table = kernel.rules.iter().flat_map(|rules| &rules.tables).next();
        let set = table.and_then(|table| table.set(&Name::new(name).unwrap()));
        set.map(|set| set.elements.clone()).unwrap_or_default()
    }
}

impl PacketFilter for Fake {
    fn replace(&mut self, rules: &Ruleset) -> Result<(), FilterError> {
        self.filter_step("replace")?;
        self.0.borrow_mut().rules = Some(rules.clone());
        self.0.borrow_mut().count_change();
        Ok(())
    }

    fn counts(&mut self) -> Result<Counts, FilterError> {
        Ok(Counts::default())
    }

    fn generation(&mut self) -> Result<u32, FilterError> {
        Ok(self.0.borrow().generation)
    }

    fn forget(&mut self, addresses: &[IpAddr]) -> Result<usize, FilterError> {
        self.0.borrow_mut().forgotten.extend(addresses);
        Ok(0)
    }

    fn put(&mut self, change: &AddressChange) -> Result<(), FilterError> {
        self.filter_step("put")?;
        let mut kernel = self.0.borrow_mut();
        kernel.count_change();
        let put = change.put.iter().map(|put| (put.link.clone(), put.address));
        let gone: Vec<_> = put.chain(change.gone.iter().cloned()).collect();
        kernel.reachable.retain(|known| !gone.contains(&(known.link.clone(), known.address)));
        kernel.reachable.extend(change.put.iter().cloned());
        Ok(())
    }

    fn reachable(&mut self) -> Result<Vec<Reachable>, FilterError> {
        Ok(self.0.borrow().reachable.clone())
    }

    fn sweep(&mut self, is_alive: &dyn Fn(u32) -> bool) -> Result<usize, FilterError> {
        assert!(!is_alive(0), "connections that nobody allowed are forgotten");
        self.filter_step("sweep")?;
        self.0.borrow_mut().connections.retain(|mark| is_alive(*mark));
        Ok(0)
    }
}

impl Wiring for Fake {
    fn lay(&mut self, place: Place, _: Prefix6, _: NetworkNamespace) -> Result<(), WiringError> {
        self.wiring_step("lay")?;
        self.0.borrow_mut().links.insert(place, false);
        Ok(())
    }

    fn switch_on(&mut self, place: Place, _: Prefix6) -> Result<(), WiringError> {
        assert!(self.app_links().contains(&place.link()), "no rules for {}", place.link());
        self.wiring_step("switch on")?;
        self.0.borrow_mut().links.insert(place, true);
        Ok(())
    }

    fn remove(&mut self, place: Place) -> Result<(), WiringError> {
        self.wiring_step("remove")?;
        self.0.borrow_mut().links.remove(&place);
        Ok(())
    }

    fn is_laid(&mut self, place: Place) -> bool {
        self.0.borrow().links.contains_key(&place)
    }

    fn prepare(&mut self, _: Prefix6) -> Result<(), WiringError> {
        assert!(self.0.borrow().rules.is_some(), "packets are passed on without rules");
        self.wiring_step("prepare")?;
        self.0.borrow_mut().is_forwarding = true;
        Ok(())
    }
}

const NOW: Moment = Moment::from_secs(1000);

struct Bench {
    kernel: Fake,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { kernel: Fake::default(), folder: tempfile::tempdir().unwrap() }
    }

    fn start(&self) -> Keeper<Fake, Fake> {
        self.start_at(Home::default())
    }

    fn start_at(&self, home: Home) -> Keeper<Fake, Fake> {
        let file = |name: &str| self.folder.path().join(name);
        let files = Files { policy: file("policy"), roster: file("roster"), prefix6: file("prefix6") };
        Keeper::start(self.kernel.clone(), self.kernel.clone(), files, home, false, NOW)
    }
}

fn policy(grants: &str) -> AppPolicy {
    let text = format!(
        r#"{{"version":1,"workspaces":{{"ann":{{"apps":{{"a":{{"grants":[{grants}]}},"b":{{}}}}}},"bob":{{"apps":{{"c":{{}}}}}}}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn namespace() -> NetworkNamespace {
    let file = || std::os::fd::OwnedFd::from(tempfile::tempfile().unwrap());
    NetworkNamespace { namespace: file(), route_socket: file() }
}

/// Addresses of the Internet.
fn addresses<const N: usize>(texts: [&str; N]) -> [IpAddr; N] {
    texts.map(|text| text.parse().unwrap())
}

/// A box with app `a` that may reach names below `example.com`.
fn domain_keeper(bench: &Bench) -> Keeper<Fake, Fake> {
    let mut keeper = bench.start();
    keeper.set_policy(policy(r#"{"to":"domains","names":["*.example.com"]}"#), NOW).unwrap();
    keeper.attach(&key("a"), namespace(), NOW).unwrap();
    keeper
}

fn learn(
    keeper: &mut Keeper<Fake, Fake>,
    addresses: &[IpAddr],
    ttl: u64,
    now: Moment,
) -> Result<(), KeeperError> {
    let name = "*.example.com".parse().unwrap();
    keeper.learn(&key("a"), &name, addresses, Duration::from_secs(ttl), now)
}

/// The map of reachable addresses, by family.
const NAMES4: &str = "app_to_name4";
const NAMES6: &str = "app_to_name6";

impl Fake {
    /// What answers let through since the start.
    fn told(&self, is_mine: fn(&IpAddr) -> bool) -> Vec<(IpAddr, Duration)> {
        let kernel = self.0.borrow();
        let mine = kernel.reachable.iter().filter(|known| is_mine(&known.address));
        mine.map(|known| (known.address, known.left)).collect()
    }
}

fn key(text: &str) -> AppKey {
    text.parse().unwrap()
}

#[test]
fn rules_come_before_forwarding_and_a_link_carries_nothing_before_its_rules() {
    let bench = Bench::new();
    let mut keeper = bench.start();
    assert_eq!(bench.kernel.take_done(), ["replace", "sweep", "prepare"]);
    keeper.set_policy(policy(""), NOW).unwrap();
    bench.kernel.take_done();
    let attachment = keeper.attach(&key("a"), namespace(), NOW).unwrap();
    assert_eq!(bench.kernel.take_done(), ["lay", "replace", "switch on"]);
    assert_eq!(attachment.ipv4.to_string(), "198.18.1.2");
    assert!(attachment.resolv_conf.contains("nameserver 198.18.0.1\n"));
    assert!(bench.kernel.app_links().contains("ha1-2"));
    keeper.detach(&key("a"), NOW).unwrap();
    assert!(!bench.kernel.app_links().contains("ha1-2"));
    assert!(bench.kernel.0.borrow().links.is_empty());
    assert!(bench.kernel.0.borrow().forgotten.contains(&attachment.ipv4.into()));
}

#[test]
fn what_others_change_is_noticed_and_own_changes_are_not() {
    let bench = Bench::new();
    let mut keeper = bench.start();
    keeper.set_policy(policy(""), NOW).unwrap();
    assert!(!keeper.is_overruled());
    bench.kernel.0.borrow_mut().generation += 1;
    assert!(keeper.is_overruled());
    keeper.refresh(NOW);
    assert!(!keeper.is_overruled());
}

#[test]
fn an_answer_for_a_name_hides_nobody_elses_change() {
    let bench = Bench::new();
    let mut keeper = domain_keeper(&bench);
    let [address] = addresses(["9.9.9.9"]);
    learn(&mut keeper, &[address], 60, NOW).unwrap();
    assert!(!keeper.is_overruled());
    bench.kernel.0.borrow_mut().generation += 1;
    learn(&mut keeper, &[address], 60, NOW).unwrap();
    assert!(keeper.is_overruled());
    keeper.refresh(NOW);
    assert!(!keeper.is_overruled());
    bench.kernel.0.borrow_mut().generation = u32::MAX;
    keeper.refresh(NOW);
    bench.kernel.0.borrow_mut().generation = 1;
    assert!(!keeper.is_overruled(), "the kernel leaves out 0");
}

#[test]
fn what_a_name_has_at_home_is_not_let_through() {
    let bench = Bench::new();
    let mut keeper = domain_keeper(&bench);
    let mut home = Home::default();
    home.add_network("2620:fe::1".parse().unwrap(), 64);
    keeper.set_home(home.clone(), NOW);
    let told = addresses(["9.9.9.9", "192.168.1.7", "2620:fe::9", "2620:fe:0:1::9"]);
    learn(&mut keeper, &told, 60, NOW).unwrap();
    let put: Vec<IpAddr> = bench.kernel.told(|_| true).into_iter().map(|(address, _)| address).collect();
    assert_eq!(put, addresses(["9.9.9.9", "2620:fe:0:1::9"]));
    learn(&mut keeper, &addresses(["192.168.1.7"]), 60, NOW).unwrap();
    // The provider gives the home another prefix.
    home.add_network("2620:fe:0:1::1".parse().unwrap(), 64);
    keeper.set_home(home, NOW);
    assert_eq!([NAMES4, NAMES6].map(|map| bench.kernel.set(map).len()), [1, 0]);
}

#[test]
fn an_answer_leaves_no_more_in_the_kernel_than_is_known_here_and_shortens_nothing() {
    let bench = Bench::new();
    let mut keeper = domain_keeper(&bench);
    let at = |n: u32| IpAddr::V4((0x0808_0000 + n).into());
    let day = Duration::from_secs(86_400);
    learn(&mut keeper, &[at(0)], 86_400, NOW).unwrap();
    learn(&mut keeper, &[at(0)], 0, NOW).unwrap();
    assert_eq!(bench.kernel.told(IpAddr::is_ipv4), [(at(0), day)], "the later end counts");
    for n in 1..=300 {
        learn(&mut keeper, &[at(n)], 600, NOW).unwrap();
    }
    let found = bench.kernel.told(IpAddr::is_ipv4);
    assert_eq!(found.len(), learned::MAX_ADDRESSES);
    assert!(found.contains(&(at(0), day)) && found.iter().any(|(address, _)| *address == at(300)));
    bench.kernel.refuse(Some("put"));
    learn(&mut keeper, &[at(301)], 86_400, NOW).unwrap_err();
    bench.kernel.refuse(None);
    keeper.refresh(NOW);
    let loaded: HashSet<_> =
        bench.kernel.set(NAMES4).into_iter().map(|element| element.key[1].clone()).collect();
    let span = |address: IpAddr| match address {
        IpAddr::V4(address) => Span::from(address),
        IpAddr::V6(address) => Span::from(address),
    };
    let told: HashSet<_> = found.iter().map(|(address, _)| span(*address)).collect();
    assert_eq!(loaded, told, "what the kernel refused is not known");
}

/// Whoever looks for two names with one mark finds them in seconds.
#[test]
fn names_with_one_mark_have_sets_of_their_own_and_end_by_themselves() {
    const NAMES: [&str; 2] = ["mdjxxauhml.example", "wcctwuutfn.example"];
    let [one, other] = NAMES.map(|name| Permission::Domain { app: key("a"), name: name.parse().unwrap() });
    assert_eq!(one.mark(), other.mark());
    let bench = Bench::new();
    let mut keeper = bench.start();
    let grants = |names: &[&str]| policy(&format!(r#"{{"to":"domains","names":{names:?}}}"#));
    keeper.set_policy(grants(&NAMES), NOW).unwrap();
    keeper.attach(&key("a"), namespace(), NOW).unwrap();
    netlink::nft::Batch::new().replace(bench.kernel.0.borrow().rules.as_ref().unwrap()).unwrap();
    bench.kernel.0.borrow_mut().connections = vec![one.mark().0];
    bench.kernel.refuse(Some("sweep"));
    keeper.set_policy(grants(&NAMES[1..]), NOW).unwrap();
    bench.kernel.refuse(None);
    keeper.set_policy(grants(&NAMES[1..]), NOW).unwrap();
    assert!(bench.kernel.0.borrow().connections.is_empty(), "they live on another's mark");
    bench.kernel.0.borrow_mut().connections = vec![other.mark().0];
    keeper.set_policy(grants(&NAMES[1..]), NOW).unwrap();
    assert_eq!(bench.kernel.0.borrow().connections.len(), 1, "what stays is left alone");
}

#[test]
fn connections_are_swept_when_a_permission_goes_and_again_when_that_failed() {
    let bench = Bench::new();
    let mut keeper = bench.start();
    let mut swept_by = |grants: &str, refuses: Option<&'static str>| {
        bench.kernel.take_done();
        bench.kernel.refuse(refuses);
        keeper.set_policy(policy(grants), NOW).unwrap();
        bench.kernel.take_done().contains(&"sweep".to_owned())
    };
    assert!(!swept_by(r#"{"to":"lan"}"#, None), "one has come, none has gone");
    assert!(swept_by(r#"{"to":"internet"}"#, None), "lan has gone");
    assert!(!swept_by(r#"{"to":"internet"}"#, None));
    assert!(swept_by("", Some("sweep")), "internet has gone");
    assert!(swept_by("", None), "the last one failed");
    assert!(!swept_by("", None));
}

#[test]
fn an_attachment_that_fails_leaves_nothing() {
    for refused in ["lay", "replace", "switch on"] {
        let bench = Bench::new();
        let mut keeper = bench.start();
        keeper.set_policy(policy(""), NOW).unwrap();
        bench.kernel.refuse(Some(refused));
        keeper.attach(&key("a"), namespace(), NOW).unwrap_err();
        bench.kernel.refuse(None);
        assert!(bench.kernel.0.borrow().links.is_empty(), "{refused}");
        keeper.refresh(NOW);
        assert!(!bench.kernel.app_links().contains("ha1-2"), "{refused}");
        assert_eq!(
            keeper.attach(&key("a"), namespace(), NOW).unwrap().ipv4.to_string(),
            "198.18.1.2",
            "{refused}"
        );
    }
}

#[test]
fn without_rules_no_app_gets_a_network() {
    let bench = Bench::new();
    bench.kernel.refuse(Some("replace"));
    let mut keeper = bench.start();
    assert_eq!(keeper.problem(), Some("replace: the test refuses"));
    assert!(!bench.kernel.0.borrow().is_forwarding);
    assert!(matches!(keeper.attach(&key("a"), namespace(), NOW), Err(KeeperError::NoRules)));
    bench.kernel.refuse(None);
    keeper.refresh(NOW);
    assert_eq!(keeper.problem(), None);
    assert!(bench.kernel.0.borrow().is_forwarding);
}

#[test]
fn what_cannot_be_prepared_or_kept_is_a_problem_of_rules_that_are_in_force() {
    let bench = Bench::new();
    bench.kernel.refuse(Some("prepare"));
    let mut keeper = bench.start();
    assert_eq!(keeper.problem(), Some("set prepare: the test refuses"));
    std::fs::create_dir(bench.folder.path().join("policy")).unwrap();
    std::fs::create_dir(bench.folder.path().join("roster")).unwrap();
    assert!(keeper.take_changed() && !keeper.take_changed());
    keeper.set_policy(policy(r#"{"to":"lan"}"#), NOW).unwrap();
    assert!(keeper.take_changed());
    assert_eq!((keeper.policy(), keeper.problem().is_some()), (&policy(r#"{"to":"lan"}"#), true));
    bench.kernel.refuse(None);
    keeper.refresh(NOW);
    assert_eq!((keeper.problem(), bench.kernel.0.borrow().is_forwarding), (None, true));
    keeper.attach(&key("a"), namespace(), NOW).unwrap();
    assert!(keeper.admissions().apps[&key("a")].home);
    keeper.detach(&key("a"), NOW).unwrap();
    keeper.attach(&key("a"), namespace(), NOW).unwrap();
}

#[test]
fn a_refused_policy_leaves_the_one_before() {
    let bench = Bench::new();
    let mut keeper = bench.start();
    keeper.set_policy(policy(""), NOW).unwrap();
    bench.kernel.refuse(Some("replace"));
    keeper.set_policy(policy(r#"{"to":"lan"}"#), NOW).unwrap_err();
    assert_eq!(keeper.policy(), &policy(""));
    bench.kernel.refuse(None);
    keeper.refresh(NOW);
    assert_eq!(keeper.admissions(), Admissions::default());
}

#[test]
fn apps_are_attached_once_and_only_when_they_are_in_the_policy() {
    let bench = Bench::new();
    let mut keeper = bench.start();
    assert!(matches!(keeper.attach(&key("a"), namespace(), NOW), Err(KeeperError::NotInPolicy(_))));
    keeper.set_policy(policy(""), NOW).unwrap();
    keeper.attach(&key("a"), namespace(), NOW).unwrap();
    assert!(matches!(
        keeper.attach(&key("a"), namespace(), NOW),
        Err(KeeperError::Place(NoPlace::Attached(_)))
    ));
    let moved = r#"{"version":1,"workspaces":{"bob":{"apps":{"a":{}}}}}"#;
    let moved: AppPolicy = serde_json::from_str(moved).unwrap();
    assert!(matches!(keeper.set_policy(moved, NOW), Err(KeeperError::Moves(_))));
    assert!(matches!(keeper.detach(&key("b"), NOW), Err(KeeperError::NotAttached(_))));
    assert_eq!(keeper.app_reports().len(), 1);
}

#[test]
fn a_link_that_has_gone_takes_its_rules_with_it() {
    let bench = Bench::new();
    let mut keeper = bench.start();
    keeper.set_policy(policy(""), NOW).unwrap();
    keeper.attach(&key("a"), namespace(), NOW).unwrap();
    keeper.attach(&key("b"), namespace(), NOW).unwrap();
    assert!(!keeper.notice_gone(&BTreeSet::new(), NOW));
    bench.kernel.0.borrow_mut().links.remove(&Place { workspace: 1, app: 2 });
    let seen = BTreeSet::from(["ha1-2".to_owned(), "ha1-3".to_owned()]);
    assert!(!keeper.notice_gone(&seen, NOW), "seen a moment ago");
    assert!(keeper.notice_gone(&BTreeSet::from(["ha1-3".to_owned()]), NOW));
    assert_eq!(bench.kernel.app_links(), ["ha1-3".to_owned()].into());
}

#[test]
fn addresses_of_a_name_are_let_through_only_where_the_name_was_granted() {
    let bench = Bench::new();
    let mut keeper = domain_keeper(&bench);
    let told = addresses(["9.9.9.9", "9.9.9.10", "2620:fe::9"]);
    let learn = |keeper: &mut Keeper<Fake, Fake>, app: &str, name: &str| {
        keeper.learn(&key(app), &name.parse().unwrap(), &told, Duration::from_secs(60), NOW)
    };
    learn(&mut keeper, "a", "*.example.com").unwrap();
    assert_eq!(bench.kernel.told(IpAddr::is_ipv4).len(), 2);
    assert_eq!(bench.kernel.told(IpAddr::is_ipv6).len(), 1);
    learn(&mut keeper, "a", "example.org").unwrap_err();
    learn(&mut keeper, "b", "*.example.com").unwrap_err();
    // A replacement of the rules brings the addresses along.
    keeper.refresh(NOW + Duration::from_secs(100));
    let ends: Vec<_> = bench.kernel.set(NAMES4).into_iter().map(|element| element.timeout).collect();
    assert_eq!(ends, [Some(Duration::from_secs(200)); 2]);
}

#[test]
fn an_address_of_two_names_stays_reachable_when_one_is_taken_away() {
    let bench = Bench::new();
    let mut keeper = bench.start();
    let both = r#"{"to":"domains","names":["a.example","b.example"]}"#;
    keeper.set_policy(policy(both), NOW).unwrap();
    keeper.attach(&key("a"), namespace(), NOW).unwrap();
    let shared = addresses(["9.9.9.9"]);
    let names = ["a.example", "b.example"].map(|name| name.parse().unwrap());
    for (name, ttl) in names.iter().zip([3600, 7200]) {
        keeper.learn(&key("a"), name, &shared, Duration::from_secs(ttl), NOW).unwrap();
    }
    let marks = || {
        let elements = bench.kernel.set(NAMES4).into_iter();
        elements.map(|element| (element.data, element.timeout)).collect::<Vec<_>>()
    };
    let of = |name: &DomainPattern, ttl| {
        let mark = Permission::Domain { app: key("a"), name: name.clone() }.mark();
        let data = ElementData::Values(vec![netlink::nft::Mark(mark.0).into()]);
        (data, Some(learned::lifetime(Duration::from_secs(ttl))))
    };
    keeper.refresh(NOW);
    assert_eq!(marks(), [of(&names[1], 7200)]);
    keeper.set_policy(policy(r#"{"to":"domains","names":["a.example"]}"#), NOW).unwrap();
    assert_eq!(marks(), [of(&names[0], 3600)]);
}

#[test]
fn a_restart_takes_up_policy_places_prefix_and_addresses() {
    let bench = Bench::new();
    let wish = policy(r#"{"to":"domains","names":["example.com"]}"#);
    let mut keeper = bench.start();
    keeper.set_policy(wish.clone(), NOW).unwrap();
    let before = keeper.attach(&key("a"), namespace(), NOW).unwrap();
    keeper.attach(&key("b"), namespace(), NOW).unwrap();
    let permission = Permission::Domain { app: key("a"), name: "example.com".parse().unwrap() };
    drop(keeper);
    {
        let mut kernel = bench.kernel.0.borrow_mut();
        kernel.links.remove(&Place { workspace: 1, app: 3 });
        let link = |text| InterfaceName::new(text).unwrap();
        let [address, of_nobody] = addresses(["9.9.9.9", "9.9.9.10"]);
        let (mark, left) = (permission.mark(), Duration::from_secs(77));
        kernel.reachable = vec![
            Reachable { link: link("ha1-2"), address, mark, left },
            Reachable { link: link("ha1-3"), address: of_nobody, mark, left },
        ];
    }
    let keeper = bench.start();
    assert_eq!(keeper.policy(), &wish);
    let reports = keeper.app_reports();
    assert_eq!(
        reports.iter().map(|app| (app.ipv4, app.ipv6)).collect::<Vec<_>>(),
        [(before.ipv4, before.ipv6)]
    );
    let ends: Vec<_> = bench.kernel.set(NAMES4).into_iter().map(|element| element.timeout).collect();
    assert_eq!(ends, [Some(Duration::from_secs(77))]);
}

/// Otherwise a netd that starts would close the box to whoever is at home until its first pass.
#[test]
fn the_first_rules_know_the_home_network() {
    let bench = Bench::new();
    let mut home = Home::default();
    home.links.insert("eth0".to_owned());
    let keeper = bench.start_at(home);
    assert_eq!(bench.kernel.set("home_links").len(), 1);
    drop(keeper);
}

#[test]
fn admissions_follow_the_policy() {
    let bench = Bench::new();
    let mut keeper = bench.start();
    let grants = r#"{"to":"app","app":"b","port":"tcp/1"},{"to":"domains","names":["example.com"]}"#;
    keeper.set_policy(policy(grants), NOW).unwrap();
    assert_eq!(keeper.admissions(), Admissions::default(), "nobody is attached");
    keeper.attach(&key("a"), namespace(), NOW).unwrap();
    keeper.attach(&key("b"), namespace(), NOW).unwrap();
    let admissions = keeper.admissions();
    assert_eq!(admissions.apps.keys().map(AppKey::as_str).collect::<Vec<_>>(), ["a"]);
    let a = &admissions.apps[&key("a")];
    assert_eq!((a.internet, a.home, a.names.len()), (false, false, 1));
    assert_eq!(a.apps[&key("b")][0].to_string(), "198.18.1.3");
}
