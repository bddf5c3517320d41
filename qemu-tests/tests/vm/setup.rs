//! Set-up and login over the API of a booted box.

use crate::household::OWNER;
use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::log_in;
use crate::household::set_up_body;
use crate::household::state;
use crate::household::text;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::scenario::scenario;
use qemu_tests::web::Response;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;
use std::thread;

const SETUP: &str = "/api/v1/setup";
const SESSION: &str = "/api/v1/session";

/// Visitors that set up at the same time.
const RIVALS: usize = 6;

#[test]
fn bad_input_gets_a_reason_and_changes_nothing() {
    scenario("setup-bad-input", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).start()?;
        let mut web = vm.wait_web()?;
        let code = vm.wait_claim_code(vm.mark())?;
        for (change, field) in wrong_values() {
            let mut body = set_up_body(&code);
            *body.pointer_mut(field).context("no such member")? = change.clone();
            let answer = web.post(SETUP, &body)?;
            let case = format!("{field} = {change}");
            expect_error(&answer, &[400, 422], None).context(case.clone())?;
            let named = text(&answer.json()?["error"], "field")?;
            ensure!(named == field.trim_start_matches('/').replace('/', "."), "{case}: {named} is blamed");
        }
        wrong_shapes(&web, &code)?;
        ensure!(state(&web)? == "setup", "something was set up");
        expect_error(&log_in(&mut web)?, &[401], Some("wrong_credentials"))?;
        // The code is still good: nothing of all this was a wrong code.
        expect(&web.post(SETUP, &set_up_body(&code))?, 201)
    });
}

/// Values that are wrong where they stand, and where.
fn wrong_values() -> Vec<(Value, &'static str)> {
    let long_host = "a".repeat(64);
    let mut cases =
        vec![(json!(5), "/claim_code"), (json!(["x"]), "/hostname"), (json!(true), "/owner/password")];
    cases.extend(["", "-a", "a-", "Hearth", "a.b", "a b", &long_host].map(|name| (json!(name), "/hostname")));
    cases.extend(["", &"n".repeat(65), "a\u{7}b"].map(|name| (json!(name), "/owner/name")));
    cases.extend(["123456789", &"p".repeat(257)].map(|word| (json!(word), "/owner/password")));
    cases
}

/// Requests that are no set-up at all.
fn wrong_shapes(web: &Web, code: &str) -> Result<()> {
    let json_type = ("Content-Type", "application/json");
    let send = |headers: &[(&str, &str)], body: &[u8]| web.send("POST", SETUP, headers, Some(body));
    for broken in [&b""[..], b"{", b"null", b"[]", b"\xff\xfe", b"{\"claim_code\":\"A\"}"] {
        let case = String::from_utf8_lossy(broken).into_owned();
        expect_error(&send(&[json_type], broken)?, &[400, 422], None).context(case)?;
    }
    let mut unknown = set_up_body(code);
    unknown["role"] = json!("owner");
    let answer = send(&[json_type], unknown.to_string().as_bytes())?;
    expect_error(&answer, &[400, 422], None).context("an unknown member")?;
    ensure!(answer.text().contains("role"), "the unknown member is not named: {}", answer.text());

    let huge = json!({ "claim_code": "x".repeat(70_000) }).to_string();
    expect_error(&send(&[json_type], huge.as_bytes())?, &[413], None).context("a body of 70 kB")?;
    let good = set_up_body(code).to_string();
    expect_error(&send(&[("Content-Type", "text/plain")], good.as_bytes())?, &[415], None)
        .context("text/plain")?;
    expect_error(&send(&[], good.as_bytes())?, &[415], None).context("no content type")?;
    let foreign = [json_type, ("Origin", "https://evil.example")];
    expect_error(&send(&foreign, good.as_bytes())?, &[403], Some("foreign_origin"))?;
    expect_error(&web.get("/api/v1/nothing")?, &[404], Some("not_found"))
}

#[test]
fn five_wrong_codes_make_a_new_one_and_one_of_many_wins() {
    scenario("setup-claim", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).start()?;
        let mut web = vm.wait_web()?;
        let old = vm.wait_claim_code(vm.mark())?;
        let mark = vm.serial().mark();
        let wrong = if old.starts_with("0000") { "1111-1111-1111" } else { "0000-0000-0000" };
        for left in (0..5).rev() {
            let answer = web.post(SETUP, &set_up_body(wrong))?;
            expect_error(&answer, &[403], Some("wrong_claim_code"))?;
            let error = &answer.json()?["error"];
            ensure!(answer.json()?["tries_left"] == left || error["tries_left"] == left, "{}", answer.text());
        }
        let new = vm.wait_claim_code(mark)?;
        ensure!(new != old, "the code is still {old}");
        expect_error(&web.post(SETUP, &set_up_body(&old))?, &[403], Some("wrong_claim_code"))?;
        ensure!(state(&web)? == "setup", "something was set up");

        let winner = race(&web, &new.to_lowercase().replace('-', " "))?;
        vm.serial().wait_line(mark, "hearth: state=ready url=https://hearth.local", qemu_tests::BOOT)?;
        expect_error(&web.post(SETUP, &set_up_body(&new))?, &[409], Some("already_set_up"))?;
        logins(&vm, &web, &winner)
    });
}

/// Many visitors set up at once, each with an owner of its own: one wins, and only that owner exists.
fn race(web: &Web, code: &str) -> Result<String> {
    let names: Vec<String> = (0..RIVALS).map(|number| format!("{OWNER} {number}")).collect();
    let rivals: Vec<_> = names
        .iter()
        .map(|name| {
            let (mut web, mut body) = (web.clone(), set_up_body(code));
            body["owner"]["name"] = json!(name);
            thread::spawn(move || web.post(SETUP, &body))
        })
        .collect();
    let mut winners = Vec::new();
    for (rival, name) in rivals.into_iter().zip(names) {
        let answer = rival.join().map_err(|_panic| anyhow::anyhow!("a rival panicked"))??;
        match answer.status {
            201 => winners.push(name),
            _ => expect_error(&answer, &[409], Some("already_set_up"))?,
        }
    }
    ensure!(winners.len() == 1, "{winners:?} have all won");
    winners.pop().context("nobody won")
}

fn logins(vm: &Vm, visitor: &Web, winner: &str) -> Result<()> {
    let attempt = |web: &mut Web, name: &str, password: &str| {
        web.post(SESSION, &json!({ "name": name, "password": password }))
    };
    let mut web = visitor.without_cookie();
    expect_error(&web.get("/api/v1/system")?, &[401], Some("not_logged_in"))?;
    let answer = attempt(&mut web, winner, PASSWORD)?;
    expect(&answer, 200)?;
    let cookie = answer.header("set-cookie").context("no cookie")?.to_owned();
    for part in ["__Host-hearth=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        ensure!(cookie.contains(part), "the cookie lacks {part}: {cookie}");
    }
    let session = web.get(SESSION)?;
    expect(&session, 200)?;
    ensure!(session.json()?["user"] == json!({ "name": winner, "role": "owner" }), "{}", session.text());
    let system = web.get("/api/v1/system")?.json()?;
    ensure!(system["services"].as_array().is_some_and(|list| list.len() >= 2), "{system}");
    ensure!(system["memory"]["total_bytes"].as_u64() > Some(400 << 20), "{system}");
    ensure!(system["disk"]["total_bytes"].as_u64() > Some(1 << 30), "{system}");
    expect(&web.send("DELETE", SESSION, &[], None)?, 204)?;
    expect_error(&web.get(SESSION)?, &[401], Some("not_logged_in"))?;

    // Tries count for an account, also for one that does not exist.
    let mut stranger = visitor.without_cookie();
    for name in [winner, "Nobody"] {
        for _ in 0..5 {
            expect_error(
                &attempt(&mut stranger, name, "wrong password")?,
                &[401],
                Some("wrong_credentials"),
            )?;
        }
        let answer = attempt(&mut stranger, name, PASSWORD)?;
        expect_error(&answer, &[429], Some("too_many_tries"))?;
        let seconds: u64 = answer.header("retry-after").context("no Retry-After")?.parse()?;
        ensure!((1..=30).contains(&seconds), "Retry-After is {seconds}");
    }
    vm.serial().check()
}

fn expect_error(answer: &Response, statuses: &[u16], code: Option<&str>) -> Result<()> {
    ensure!(
        statuses.contains(&answer.status),
        "{} instead of {statuses:?}: {}",
        answer.status,
        answer.text()
    );
    let error = answer.json()?["error"].clone();
    let found = text(&error, "code")?;
    ensure!(!text(&error, "message")?.is_empty(), "no message in {error}");
    ensure!(code.is_none_or(|code| code == found), "{found} instead of {code:?}");
    Ok(())
}
