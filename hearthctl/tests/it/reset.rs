//! Making the box new.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;

fn logged_in() -> (Household, Person) {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(home.login().iter().map(String::as_str), &["yes", PASSWORD]).well();
    (home, person)
}

#[test]
fn nothing_is_erased_by_another_name_a_wrong_password_or_nobody() {
    let (_home, person) = logged_in();
    let another = person.types(["factory-reset"], &["another", PASSWORD]);
    assert!(another.complained.contains("nobody can bring it back"), "{another:?}");
    assert!(another.failure().contains("not the name of this box"));
    let wrong = person.types(["factory-reset"], &["hearth", "wrong password"]).failure();
    assert!(wrong.contains("not your password"), "{wrong}");
    let nobody = person.pipes(["factory-reset"], PASSWORD).failure();
    assert!(nobody.contains("--box-name"), "{nobody}");
    // init is asked last, and no init listens here.
    let right = person.types(["factory-reset"], &["hearth", PASSWORD]).failure();
    assert!(right.contains("init"), "{right}");
    let program =
        person.pipes(["factory-reset", "--box-name", "hearth", "--password-stdin"], PASSWORD).failure();
    assert!(program.contains("init"), "{program}");
    assert!(person.store.load().unwrap().is_some(), "the box was forgotten, and nothing was erased");
}
