use super::*;
use crate::clock::ManualClock;
use futures_util::FutureExt;
use std::net::Ipv4Addr;
use store::MemoryStore;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 5));

struct Box {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    accounts: Accounts,
}

fn start(store: Arc<MemoryStore>, clock: Arc<ManualClock>) -> Box {
    let records = Records::new(Arc::clone(&store) as Arc<dyn store::Store>);
    let kept = records.load_blocking().unwrap();
    let loaded = Loaded {
        owner: kept.owner,
        members: kept.members,
        host_name: kept.host_name,
        sessions: kept.sessions,
        ledger: kept.ledger,
        claim_code: None,
    };
    let accounts =
        Accounts::new(Storage::Usable(records), loaded, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    Box { store, clock, accounts }
}

fn new_box() -> Box {
    start(Arc::new(MemoryStore::new()), Arc::new(ManualClock::default()))
}

fn code(accounts: &Accounts) -> String {
    accounts.ownership().borrow().claim_code.as_ref().unwrap().to_string()
}

fn wish(code: &str, owner: &str) -> SetUpWish {
    SetUpWish {
        claim_code: code.to_owned().into(),
        host_name: "oak".parse().unwrap(),
        owner: owner.to_owned().try_into().unwrap(),
        password: "correct horse".to_owned().try_into().unwrap(),
    }
}

fn attempt(name: &str, password: &str) -> Attempt {
    Attempt { name: name.to_owned(), password: password.to_owned().into() }
}

#[tokio::test]
async fn set_up_makes_an_owner_who_can_log_in_after_a_restart() {
    let first = new_box();
    let (token, _) = first.accounts.set_up(wish(&code(&first.accounts), "anna"), HERE).await.unwrap();
    assert_eq!(first.accounts.who(&token).unwrap().user.as_str(), "anna");
    let ownership = first.accounts.ownership().borrow().clone();
    assert!(ownership.set_up && ownership.claim_code.is_none());
    assert_eq!(ownership.host_name.unwrap().as_str(), "oak");

    let second = start(first.store, first.clock);
    assert!(second.accounts.is_set_up());
    assert_eq!(second.accounts.who(&token).unwrap().user.as_str(), "anna");
    second.accounts.log_in(attempt("anna", "correct horse"), HERE).await.unwrap();
}

#[tokio::test]
async fn of_two_racing_set_ups_exactly_one_wins() {
    let b = new_box();
    let code = code(&b.accounts);
    let (one, other) = tokio::join!(
        b.accounts.set_up(wish(&code, "anna"), HERE),
        b.accounts.set_up(wish(&code, "bert"), HERE),
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    let winner = if one.is_ok() { "anna" } else { "bert" };
    let lost = one.err().or_else(|| other.err()).unwrap();
    assert!(matches!(lost, Refusal::AlreadySetUp), "{lost:?}");
    let loser = if winner == "anna" { "bert" } else { "anna" };
    let again = start(b.store, b.clock);
    again.accounts.log_in(attempt(winner, "correct horse"), HERE).await.unwrap();
    let refused = again.accounts.log_in(attempt(loser, "correct horse"), HERE).await;
    assert!(matches!(refused, Err(Refusal::WrongCredentials)));
}

#[tokio::test]
async fn a_set_up_that_the_disk_refuses_leaves_nothing() {
    let b = new_box();
    b.store.set_disk_full(true);
    let refused = b.accounts.set_up(wish(&code(&b.accounts), "anna"), HERE).await;
    assert!(matches!(refused, Err(Refusal::Keep { .. })));
    assert!(!b.accounts.is_set_up());
    b.store.set_disk_full(false);
    b.accounts.set_up(wish(&code(&b.accounts), "anna"), HERE).await.unwrap();
}

#[tokio::test]
async fn the_fifth_wrong_code_shows_a_new_one() {
    let b = new_box();
    let old = code(&b.accounts);
    for left in [4, 3, 2, 1, 0] {
        let refused = b.accounts.set_up(wish("nonsense", "anna"), HERE).await;
        assert!(matches!(refused, Err(Refusal::WrongClaimCode { tries_left }) if tries_left == left));
    }
    let new = code(&b.accounts);
    assert_ne!(old, new);
    b.accounts.set_up(wish(&old, "anna"), HERE).await.unwrap_err();
    b.accounts.set_up(wish(&new, "anna"), HERE).await.unwrap();
}

#[tokio::test]
async fn the_right_password_waits_too_after_five_wrong_ones() {
    let b = new_box();
    b.accounts.set_up(wish(&code(&b.accounts), "anna"), HERE).await.unwrap();
    for _ in 0..5 {
        let refused = b.accounts.log_in(attempt("anna", "wrong password"), HERE).await;
        assert!(matches!(refused, Err(Refusal::WrongCredentials)));
    }
    let refused = b.accounts.log_in(attempt("anna", "correct horse"), HERE).await;
    assert!(matches!(refused, Err(Refusal::TooManyTries { .. })));
    b.clock.pass(30);
    b.accounts.log_in(attempt("anna", "correct horse"), HERE).await.unwrap();
}

#[tokio::test]
async fn logging_out_ends_the_session_for_good() {
    let b = new_box();
    let (token, _) = b.accounts.set_up(wish(&code(&b.accounts), "anna"), HERE).await.unwrap();
    b.accounts.log_out(&token).await.unwrap();
    assert!(b.accounts.who(&token).is_none());
    assert!(start(b.store, b.clock).accounts.who(&token).is_none());
}

#[tokio::test]
async fn idle_sessions_end_also_across_restarts() {
    let b = new_box();
    let (token, _) = b.accounts.set_up(wish(&code(&b.accounts), "anna"), HERE).await.unwrap();
    b.clock.pass(session::IDLE_SECONDS / 2);
    b.accounts.upkeep(false).await.unwrap();
    let again = start(b.store, b.clock);
    again.clock.pass(session::IDLE_SECONDS / 2 - 1);
    assert!(again.accounts.who(&token).is_some());
    again.clock.pass(session::IDLE_SECONDS);
    assert!(again.accounts.who(&token).is_none());
    again.accounts.upkeep(false).await.unwrap();
    assert!(start(again.store, again.clock).accounts.who(&token).is_none());
}

#[tokio::test]
async fn without_storage_nobody_is_let_in_and_no_code_is_shown() {
    let storage = Storage::Unavailable { reason: "no disk".to_owned() };
    let accounts = Accounts::new(storage, Loaded::default(), Arc::new(ManualClock::default())).unwrap();
    assert_eq!(accounts.ownership().borrow().claim_code, None);
    assert_eq!(accounts.ownership().borrow().host_name, None);
    let refused = accounts.set_up(wish("x", "anna"), HERE).await;
    assert!(matches!(refused, Err(Refusal::StorageUnavailable { .. })));
    assert_eq!(accounts.storage_problem(), Some("no disk"));
}

#[tokio::test]
async fn members_and_their_sessions_survive_a_restart_and_end_with_their_removal() {
    let b = new_box();
    b.accounts.set_up(wish(&code(&b.accounts), "anna"), HERE).await.unwrap();
    let (name, password): (UserName, Password) =
        ("berta".to_owned().try_into().unwrap(), "first password".to_owned().try_into().unwrap());
    let vault = record::make(&password).unwrap();
    b.accounts.add_member(&name, &password, &vault).await.unwrap();
    let (token, session) = b.accounts.log_in(attempt("berta", "first password"), HERE).await.unwrap();
    assert_eq!(session.role, Role::Member);

    let again = start(b.store, b.clock);
    assert_eq!(again.accounts.who(&token).unwrap().user, name);
    assert_eq!(again.accounts.users().len(), 2);
    let twice = again.accounts.add_member(&name, &password, &vault).await;
    assert!(matches!(twice, Err(Refusal::UserExists)));
    let member = again.accounts.member(&name).unwrap();
    again.accounts.remove_member(&member, &[]).await.unwrap();
    assert!(again.accounts.who(&token).is_none());
    let stale = again.accounts.replace_password(member, &password, None, None).await;
    assert!(matches!(stale, Err(Refusal::WrongCredentials)), "who was let go does not come back: {stale:?}");

    let last = start(again.store, again.clock);
    assert!(last.accounts.who(&token).is_none());
    let refused = last.accounts.log_in(attempt("berta", "first password"), HERE).await;
    assert!(matches!(refused, Err(Refusal::WrongCredentials)));
}

/// A disk that takes the bytes and never says that they are safe.
struct DoubtfulStore;

impl store::Store for DoubtfulStore {
    fn get(&self, _table: &str, _key: &[u8]) -> Result<Option<Vec<u8>>, store::ReadError> {
        Ok(None)
    }

    fn scan(&self, _table: &str) -> Result<Vec<store::KeyValue>, store::ReadError> {
        Ok(Vec::new())
    }

    fn commit(&self, _batch: store::Batch) -> Result<store::Generation, store::CommitError> {
        let source = std::io::ErrorKind::Other.into();
        Err(store::CommitError::Unconfirmed { file: "journal".to_owned(), source })
    }
}

#[tokio::test]
async fn a_store_that_stopped_is_a_storage_problem_with_a_reason() {
    let records = Records::new(Arc::new(DoubtfulStore));
    let clock = Arc::new(ManualClock::default());
    let accounts = Accounts::new(Storage::Usable(records), Loaded::default(), clock).unwrap();
    assert_eq!(accounts.storage_problem(), None);
    let refused = accounts.set_up(wish(&code(&accounts), "anna"), HERE).await;
    assert!(matches!(refused, Err(Refusal::Keep { .. })));
    assert!(!accounts.is_set_up());
    assert!(accounts.storage_problem().unwrap().contains("restart"));
    accounts.storage_stopped().await;
}

#[tokio::test]
async fn storage_that_works_does_not_stop() {
    let storage = Storage::Usable(Records::new(Arc::new(MemoryStore::new())));
    let accounts = Accounts::new(storage, Loaded::default(), Arc::new(ManualClock::default())).unwrap();
    accounts.set_up(wish(&code(&accounts), "anna"), HERE).await.unwrap();
    assert!(accounts.storage_stopped().now_or_never().is_none());
}
