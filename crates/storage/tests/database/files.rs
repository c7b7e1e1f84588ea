//! SQLite files: early versions, unusual paths, damage.

use std::fs;

use sqlx::{AnyConnection, Connection as _};
use turnpike_storage::{Database, StorageError};

use crate::{
    fixture::{CHAIN, append, input, open},
    place::Place,
};

pub(crate) async fn database_of_an_early_version_is_refused(place: Place) {
    sqlx::any::install_default_drivers();
    let path = place.folder.path().join("role.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut raw = AnyConnection::connect(&url).await.expect("connects");
    sqlx::query("CREATE TABLE reorganisations (epoch BIGINT)").execute(&mut raw).await.expect("ok");
    raw.close().await.expect("closes");
    let opened = Database::open(&place.location(), CHAIN).await;
    let Err(error @ StorageError::OldLayout(_)) = opened else {
        panic!("the database must not open")
    };
    assert!(error.to_string().contains("earlier version"), "{error}");
}

pub(crate) async fn path_may_contain_any_character(place: Place) {
    let folder = place.folder.path().join("a b?c=d#e%20f&g:h@é");
    let location = folder.join("role.db").into();
    let database = Database::open(&location, CHAIN).await.expect("opens");
    append(&database, &input(1, &[])).await;
    let mut names: Vec<_> = fs::read_dir(&folder)
        .expect("lists")
        .map(|file| file.expect("a file").file_name().into_string().expect("a name"))
        .filter(|name| name.ends_with(".db"))
        .collect();
    names.sort();
    assert_eq!(names, ["role.db", "role.index.db"]);
}

/// A way to damage a file, and the resulting error message.
type Damage = (fn(&mut Vec<u8>), &'static str);

pub(crate) async fn torn_file_is_an_error(place: Place) {
    let database = open(&place).await;
    for number in 1..=100 {
        append(&database, &input(number, &[&[u8::try_from(number).expect("fits 8 bits"); 500]]))
            .await;
    }
    database.close().await;
    drop(database);
    let path = place.folder.path().join("role.db");
    let whole = fs::read(&path).expect("reads");
    let damages: [Damage; 3] = [
        (|bytes| bytes.truncate(bytes.len() / 2), "is damaged: restore a copy"),
        (
            |bytes| {
                let length = bytes.len();
                bytes[length / 2..length / 2 + 8_192].fill(0xff);
            },
            "is damaged",
        ),
        (|bytes| bytes.fill(b'x'), "not a database"),
    ];
    for (damage, said) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&path, bytes).expect("writes");
        let read = match Database::open(&place.location(), CHAIN).await {
            Ok(database) => database.rows(0, 1_000).await.map(|rows| rows.len()),
            Err(error) => Err(error),
        };
        let error = read.expect_err("is damaged");
        let text = error.to_string();
        assert!(text.contains(said), "{text}");
    }
    fs::write(&path, whole).expect("writes");
    assert_eq!(open(&place).await.rows(0, 1_000).await.expect("reads").len(), 200);
}
