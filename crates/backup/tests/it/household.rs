use crate::world::NOON;
use crate::world::World;
use backup::BackupKey;
use backup::Control;
use backup::HouseholdId;
use backup::OpenError;
use backup::Owner;
use backup::Series;
use std::fs;

fn refusal(world: &World, owner: &Owner) -> OpenError {
    let before = crate::world::files(&world.at("repository"));
    let error = backup::list(owner, &world.target, &Series::Household, &Control::default()).unwrap_err();
    let request = world.request(NOON, None);
    backup::back_up(owner, &world.target, &request, &world.scratch(), &Control::default()).unwrap_err();
    assert_eq!(crate::world::files(&world.at("repository")), before, "something was written");
    error
}

#[test]
fn another_household_and_another_key_are_told_apart() {
    let world = World::new();
    world.back_up(NOON);
    let stranger =
        Owner { household: HouseholdId::new("birch").unwrap(), key: BackupKey::from_bytes([4; 32]) };
    let error = refusal(&world, &stranger);
    let OpenError::OtherHousehold { found, ours, .. } = error else { panic!("{error}") };
    assert_eq!((found.as_str(), ours.as_str()), ("maple", "birch"));
    let rotated = Owner { key: BackupKey::from_bytes([5; 32]), ..world.owner.clone() };
    let error = refusal(&world, &rotated);
    let OpenError::WrongKey { found, ours, .. } = error else { panic!("{error}") };
    assert_eq!((found, ours), (world.owner.key.fingerprint(), rotated.key.fingerprint()));
}

#[test]
fn no_repository_is_no_error_of_the_key() {
    let world = World::new();
    let error =
        backup::list(&world.owner, &world.target, &Series::Household, &Control::default()).unwrap_err();
    assert!(matches!(error, OpenError::Nothing { .. }), "{error}");
    fs::create_dir_all(world.at("repository/data")).unwrap();
    fs::write(world.at("repository/data/holiday.mp4"), "x").unwrap();
    assert!(matches!(refusal(&world, &world.owner), OpenError::Damaged { .. }));
}

#[test]
fn a_key_file_that_asks_for_all_memory_is_not_believed() {
    let world = World::new();
    world.back_up(NOON);
    let key = crate::world::files(&world.at("repository/keys")).remove(0);
    let greedy = fs::read_to_string(&key).unwrap().replace("\"r\":8", "\"r\":800000");
    fs::remove_file(&key).unwrap();
    let named = world.at("repository/keys").join(sha256(greedy.as_bytes()));
    fs::write(named, greedy).unwrap();
    let depth = backup::Depth::Structure;
    let found = backup::verify(&world.owner, &world.target, depth, &Control::default()).unwrap();
    assert_eq!(found.problem_count, 1, "{found:?}");
    // The next backup puts an honest one in its place.
    world.back_up(NOON + 1);
    let found = backup::verify(&world.owner, &world.target, depth, &Control::default()).unwrap();
    assert!(found.is_sound(), "{found:?}");
}

fn sha256(content: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
