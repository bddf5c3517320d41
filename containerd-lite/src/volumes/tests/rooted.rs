mod begins;
mod covered;

use super::*;

#[test]
fn owners_are_kept_and_volumes_are_of_the_users_of_images() {
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes { has_owners: true, ..Volumes::own(folder.path()) };
    write(&volumes, "one");
    let rows = volumes.folder(&app()).join("db/rows");
    std::os::unix::fs::chown(&rows, Some(8), Some(9)).unwrap();
    volumes.snapshot(&app(), &name("x")).unwrap();
    volumes.restore(&app(), &name("x")).unwrap();
    let image = IMAGE_IDS;
    let owner = |path: &Path| (fs::metadata(path).unwrap().uid(), fs::metadata(path).unwrap().gid());
    assert_eq!((owner(&rows), owner(rows.parent().unwrap())), ((8, 9), (image, image)));
}
