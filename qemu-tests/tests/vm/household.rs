//! The owner of the boxes under test, and what an owner does.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use qemu_tests::Guest;
use qemu_tests::web::Response;
use qemu_tests::web::Web;
use serde_json::Value;
use serde_json::json;

pub(crate) const OWNER: &str = "Robin Ember";
pub(crate) const PASSWORD: &str = "warm stones keep the night";

/// The body of a set-up with this claim code.
pub(crate) fn set_up_body(claim_code: &str) -> Value {
    json!({ "claim_code": claim_code, "hostname": "hearth", "owner": { "name": OWNER, "password": PASSWORD } })
}

/// Sets the box up with the code on its console; the client is logged in afterwards.
pub(crate) fn set_up(guest: &Guest, web: &mut Web) -> Result<()> {
    let code = guest.wait_claim_code(guest.mark())?;
    expect(&web.post("/api/v1/setup", &set_up_body(&code))?, 201)
}

/// Logs in as the owner.
pub(crate) fn log_in(web: &mut Web) -> Result<Response> {
    web.post("/api/v1/session", &json!({ "name": OWNER, "password": PASSWORD }))
}

/// What `GET /api/v1/status` says about the state.
pub(crate) fn state(web: &Web) -> Result<String> {
    text(&status(web)?, "state")
}

/// The whole answer of `GET /api/v1/status`.
pub(crate) fn status(web: &Web) -> Result<Value> {
    let answer = web.get("/api/v1/status")?;
    expect(&answer, 200)?;
    answer.json()
}

/// A member of a JSON object that must be a string.
pub(crate) fn text(value: &Value, name: &str) -> Result<String> {
    Ok(value[name].as_str().with_context(|| format!("no text {name} in {value}"))?.to_owned())
}

/// The answer has this status, or the test fails with what it says.
pub(crate) fn expect(answer: &Response, status: u16) -> Result<()> {
    ensure!(answer.status == status, "{} instead of {status}: {}", answer.status, answer.text());
    Ok(())
}

/// The page and the status both answer as they should; returns the state.
pub(crate) fn expect_page(web: &Web) -> Result<String> {
    let page = web.get("/")?;
    expect(&page, 200)?;
    ensure!(page.text().to_lowercase().contains("<!doctype html"), "no page: {}", page.text());
    state(web)
}

/// The page works, and our owner can log in where they have set the box up, else a claim code is on the console. Returns whether it
/// was set up. That the code sets the box up is for [`expect_usable`] to see.
pub(crate) fn expect_alive(guest: &Guest, web: &mut Web) -> Result<bool> {
    match expect_page(web)?.as_str() {
        "setup" => guest.wait_claim_code(guest.mark()).map(|_| false),
        "ready" => expect(&log_in(web)?, 200).map(|()| true),
        other => bail!("the box is {other}: {}", status(web)?),
    }
}

/// As [`expect_alive`], and a new box is set up. Returns whether it was before.
pub(crate) fn expect_usable(guest: &Guest, web: &mut Web) -> Result<bool> {
    let was_set_up = expect_alive(guest, web)?;
    if !was_set_up {
        set_up(guest, web)?;
        ensure!(state(web)? == "ready", "not ready after set-up: {}", status(web)?);
    }
    Ok(was_set_up)
}
