//! netd dies and starts again while somebody at home uses the box.

use crate::rooted::app::Server;
use crate::rooted::app::lab_with_lease;
use crate::rooted::app::reach;
use crate::rooted::lab::leased;
use crate::rooted::lab::link_shows;
use std::time::Duration;

/// How long each netd lives; the longest is more than it needs for its first pass.
const LIVES: u32 = 30;
const LONGER_BY: Duration = Duration::from_millis(4);

/// However soon after its start netd dies: whoever is at home reaches the box without it.
///
/// Single packets may be lost: a set that is replaced looks empty to a packet that is on its way through the old rules when Linux
/// switches to the new ones (mended by "nf_tables: restart set lookup on `base_seq` change", Linux 6.17).
#[tokio::test]
async fn a_netd_that_dies_young_closes_the_box_to_nobody() {
    let (mut lab, net1) = lab_with_lease().await;
    let link = link_shows(&net1, "eth0", "a lease", |link| leased(link).is_some()).await;
    let address = leased(&link).unwrap().split('/').next().unwrap().parse().unwrap();
    let console = Server::listen(&lab.the_box, 443);
    for life in 0..LIVES {
        lab.restart_netd();
        tokio::time::sleep(LONGER_BY * life).await;
        lab.netd.kill();
        drop(reach(&lab.home, address, 443));
        drop(console.accept());
        lab.start_netd_again();
    }
}
