//! A thousand apps come and go and leave nothing behind.

use crate::rooted::app::App;
use crate::rooted::app::Server;
use crate::rooted::app::lab_with_lease;
use crate::rooted::app::policy;
use crate::rooted::app::reach;
use crate::rooted::lab::Lab;
use crate::rooted::lab::ROUTER;

const ROUNDS: usize = 1000;

/// What could be left behind, in numbers.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    links: usize,
    routes: usize,
    neighbours: usize,
    rules: usize,
    connections: usize,
}

/// Sockets of netd's own protocols come and go by themselves; a thousand apps would leave a thousand.
const OWN_SOCKETS: usize = 10;

fn descriptors(lab: &Lab) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", lab.netd.id())).unwrap().count()
}

fn traces(lab: &Lab) -> Traces {
    // Of the box's own link some come and go by themselves.
    let lines = |words: &str| {
        let text = lab.the_box.ip(words);
        text.lines().filter(|line| line.contains("ha1-") || line.contains("198.18.")).count()
    };
    let rules = lab.the_box.command("nft").args(["-a", "list", "ruleset"]).output().unwrap().stdout;
    let connections = lab
        .the_box
        .thread(|| netlink::conntrack::Conntrack::open().unwrap().entries().unwrap())
        .join()
        .unwrap();
    Traces {
        links: lab.the_box.ip("-o link show").lines().count(),
        routes: lines("-4 route show table all") + lines("-6 route show table all"),
        neighbours: lines("neighbour show nud all"),
        rules: String::from_utf8(rules).unwrap().lines().count(),
        connections: connections
            .iter()
            .filter(|entry| entry.original.source.to_string().starts_with("198.18."))
            .count(),
    }
}

#[tokio::test]
async fn a_thousand_apps_leave_nothing() {
    // Its address brings a rule and a socket of the announcer.
    let (lab, net1) = lab_with_lease().await;
    let home = Server::listen(&lab.home, 8000);
    net1.set_app_policy(&policy(r#""a":{"grants":[{"to":"internet"},{"to":"lan"}]},"b":{}"#)).await.unwrap();
    // The first one makes what stays: caches, buffers.
    drop(App::attach(&net1, "a").await);
    net1.detach_app("a").await.ok();
    let stays = App::attach(&net1, "b").await;
    let (before, open) = (traces(&lab), descriptors(&lab));
    for round in 0..ROUNDS {
        let app = App::attach(&net1, "a").await;
        if round % 50 == 0 {
            // Something of its own in the tables of connections and neighbours.
            let _connection = reach(&app.namespace, ROUTER.parse().unwrap(), 8000);
            let _accepted = home.accept();
            assert!(traces(&lab).connections > before.connections, "there is nothing to forget");
        }
        net1.detach_app("a").await.unwrap();
    }
    assert_eq!(traces(&lab), before);
    assert!(descriptors(&lab) < open + OWN_SOCKETS, "{} descriptors, {open} before", descriptors(&lab));
    drop(stays);
}
