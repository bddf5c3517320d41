//! A member of the household: their vault is theirs, also when the owner resets their password.

use crate::household::OWNER;
use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::vault::file;
use crate::vault::put;
use crate::vault::recovery_code;
use crate::vault::state;
use crate::vault::unlock;
use crate::vault::vault;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Response;
use qemu_tests::web::Web;
use serde_json::json;

const MEMBER: &str = "Sam Cinder";
/// The same, in an address.
const PATH: &str = "/api/v1/users/Sam%20Cinder";
const FIRST: &str = "a first password";
const OWN: &str = "a password of their own";
const RESET: &str = "what the owner chose";
const NAME: &str = "diary-77c0a91b";
const MARKER: &str = "marker 5f3de210 that the owner may not read";

#[test]
fn a_password_that_the_owner_reset_does_not_open_a_members_vault() {
    scenario("members", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent).start()?;
        let mut owner = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut owner)?, "a new box is set up");
        let new = json!({ "name": MEMBER, "new": FIRST, "password": PASSWORD });
        expect(&owner.post("/api/v1/users", &new)?, 201)?;
        let listed = owner.get("/api/v1/users")?.json()?;
        let wanted = json!([{ "name": OWNER, "role": "owner" }, { "name": MEMBER, "role": "member" }]);
        ensure!(listed["users"] == wanted, "{listed}");

        let mut member = owner.without_cookie();
        expect(&enter(&mut member, FIRST)?, 200)?;
        expect(&member.post("/api/v1/account/password", &json!({ "old": FIRST, "new": OWN }))?, 204)?;
        let code = recovery_code(&mut member, OWN)?;
        put(&mut member, NAME, MARKER.as_bytes())?;
        for owners in ["/api/v1/users", "/api/v1/logs?unit=hostd", "/api/v1/backups"] {
            expect(&member.get(owners)?, 403)?;
        }
        ensure!(
            owner.get("/api/v1/vault/files")?.json()?["files"] == json!([]),
            "the owner sees a member's files"
        );

        let reset = json!({ "new": RESET, "password": PASSWORD });
        expect(&owner.post(&format!("{PATH}/password"), &reset)?, 204)?;
        expect(&member.get("/api/v1/session")?, 401)?;
        let mut agent = vm.agent()?;
        let by_content = agent.find("/data", MARKER)?;
        ensure!(by_content == (vec![], 1), "root sees in a locked vault: {by_content:?}");

        // The power goes too: what was reset stays so, what is shut stays shut.
        drop(agent);
        let vm = vm.power_cut().boot_again()?;
        let mut member = vm.wait_web()?;
        expect(&enter(&mut member, OWN)?, 401)?;
        expect(&enter(&mut member, RESET)?, 200)?;
        ensure!(state(&member)? == "locked", "{}", vault(&member)?);
        expect(&member.get(&file(NAME))?, 409)?;
        expect(&unlock(&mut member, &json!({ "password": RESET }))?, 403)?;
        expect(&unlock(&mut member, &json!({ "recovery_code": code, "password": RESET }))?, 200)?;
        ensure!(member.get(&file(NAME))?.body == MARKER.as_bytes(), "another content");

        let mut owner = member.without_cookie();
        expect(&log_in(&mut owner)?, 200)?;
        expect(&owner.post(&format!("{PATH}/remove"), &json!({ "password": PASSWORD }))?, 204)?;
        expect(&enter(&mut member, RESET)?, 401)?;
        let left = vm.agent()?.find("/data", MARKER)?;
        ensure!(left == (vec![], 0), "something of who has gone is left: {left:?}");
        Ok(())
    });
}

fn enter(web: &mut Web, password: &str) -> Result<Response> {
    web.post("/api/v1/session", &json!({ "name": MEMBER, "password": password }))
}
