//! Every kind of column, written with and without a value in every form of a statement.

use chrono::{DateTime, Utc};
use clearance::input::Assign;
use clearance::{
    Access, Dto, Entity, Error, Input, Patch, TextEnum, Untrusted, Viewer, Write, testing,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::support::{Directory, empty_directory, instant, system};

#[derive(Debug, Clone, Viewer)]
struct Filer {
    id: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum, Serialize, Deserialize)]
enum Colour {
    Red,
    Blue,
}

/// The rules read a row of another table, so that values stand in `INSERT .. SELECT`.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "kinds",
    viewer = Filer,
    rows = open,
    reason = "writes are under test",
    belongs_to(folder: Folder, by = folder_id),
    create_if(exists(row.folder, |folder| folder.open)),
    update_if(exists(row.folder, |folder| folder.open))
)]
struct Filed {
    #[entity(key)]
    id: i64,
    folder_id: i64,
    flag: Option<bool>,
    small: Option<i16>,
    number: Option<i64>,
    real: Option<f64>,
    text: Option<String>,
    colour: Option<Colour>,
    bytes: Option<Vec<u8>>,
    uuid: Option<Uuid>,
    instant: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "folders", viewer = Filer, rows = open, reason = "only rules read them")]
struct Folder {
    #[entity(key)]
    id: i64,
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Dto)]
#[dto(entity = Filed, default = visible)]
struct FiledView {
    flag: Option<bool>,
    small: Option<i16>,
    number: Option<i64>,
    real: Option<f64>,
    text: Option<String>,
    colour: Option<Colour>,
    bytes: Option<Vec<u8>>,
    uuid: Option<Uuid>,
    instant: Option<DateTime<Utc>>,
}

#[derive(Input)]
#[input(entity = Filed)]
#[preset(folder_id = 1)]
struct NewFiled {
    #[writable]
    flag: Option<bool>,
    #[writable]
    small: Option<i16>,
    #[writable]
    number: Option<i64>,
    #[writable]
    real: Option<f64>,
    #[writable]
    text: Option<String>,
    #[writable]
    colour: Option<Colour>,
    #[writable]
    bytes: Option<Vec<u8>>,
    #[writable]
    uuid: Option<Uuid>,
    #[writable]
    instant: Option<DateTime<Utc>>,
}

#[derive(Patch)]
#[patch(entity = Filed, reads = FiledView)]
struct EditFiled {
    #[writable]
    flag: Assign<Option<bool>>,
    #[writable]
    small: Assign<Option<i16>>,
    #[writable]
    number: Assign<Option<i64>>,
    #[writable]
    real: Assign<Option<f64>>,
    #[writable]
    text: Assign<Option<String>>,
    #[writable]
    colour: Assign<Option<Colour>>,
    #[writable]
    bytes: Assign<Option<Vec<u8>>>,
    #[writable]
    uuid: Assign<Option<Uuid>>,
    #[writable]
    instant: Assign<Option<DateTime<Utc>>>,
}

const SCHEMA: &str = "
    CREATE TABLE folders (id INTEGER PRIMARY KEY, open BOOLEAN NOT NULL);
    CREATE TABLE kinds (
        id AUTOKEY, folder_id INTEGER NOT NULL, flag BOOLEAN, small SMALLINT, number INTEGER,
        real FLOAT8, text TEXT, colour TEXT, bytes BYTES, uuid ID16, instant INSTANT
    );
";

async fn cabinet() -> Directory {
    // `real` is a word of MySQL's.
    let schema = match crate::engines::engine() {
        crate::engines::Engine::Mysql => SCHEMA.replace(" real FLOAT8", " `real` FLOAT8"),
        _ => SCHEMA.to_owned(),
    };
    let directory = empty_directory(Box::leak(schema.into_boxed_str())).await;
    let access = system();
    let folder = Folder { id: 1, open: true };
    directory.db.writer(&access).insert(folder).await.unwrap();
    directory
}

async fn writing<T>(work: impl AsyncFnOnce(Access<Write<Filer>>) -> T) -> T {
    testing::as_viewer(Filer { id: 1 })
        .scope(async { work(Access::<Write<Filer>>::authenticated().await.unwrap()).await })
        .await
}

async fn file(directory: &Directory, body: &str) -> Result<(i64, FiledView), Error> {
    let body = Untrusted::<NewFiled>::json(body);
    writing(async |access| {
        let writer = directory.db.writer(&access);
        let key = writer.create(body.open(&access)?).execute().await?;
        let query = FiledView::select().lookup(Filed::ID, key);
        Ok((key, writer.one(query).await?))
    })
    .await
}

async fn refile(directory: &Directory, id: i64, body: &str) -> Result<FiledView, Error> {
    let body = Untrusted::<EditFiled>::json(body);
    writing(async |access| {
        let update = directory.db.writer(&access).update::<Filed>(id);
        update.patch(body.open(&access)?).returning().await
    })
    .await
}

const FULL: &str = r#"{
    "flag": true, "small": -3, "number": 9007199254740993, "real": 0.5, "text": "Übung 🦀",
    "colour": "Red", "bytes": [0, 255], "uuid": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
    "instant": "2026-01-02T00:00:00Z"
}"#;
const EMPTY: &str = r#"{
    "flag": null, "small": null, "number": null, "real": null, "text": null,
    "colour": null, "bytes": null, "uuid": null, "instant": null
}"#;

fn full() -> FiledView {
    FiledView {
        flag: Some(true),
        small: Some(-3),
        number: Some(9_007_199_254_740_993),
        real: Some(0.5),
        text: Some("Übung 🦀".into()),
        colour: Some(Colour::Red),
        bytes: Some(vec![0, 255]),
        uuid: Some("7d444840-9dc0-11d1-b245-5ffdce74fad2".parse().unwrap()),
        instant: Some(instant(1)),
    }
}

fn empty() -> FiledView {
    FiledView {
        flag: None,
        small: None,
        number: None,
        real: None,
        text: None,
        colour: None,
        bytes: None,
        uuid: None,
        instant: None,
    }
}

#[tokio::test]
async fn n11_n13_every_kind_is_written_and_nulled_in_every_form() {
    let directory = cabinet().await;
    let (key, shown) = file(&directory, FULL).await.unwrap();
    assert_eq!(shown, full());
    assert_eq!(refile(&directory, key, EMPTY).await.unwrap(), empty());
    assert_eq!(refile(&directory, key, FULL).await.unwrap(), full());
    let (key, shown) = file(&directory, EMPTY).await.unwrap();
    assert_eq!(shown, empty());
    assert_eq!(refile(&directory, key, FULL).await.unwrap(), full());
    // An empty text is no null.
    let shown = refile(&directory, key, r#"{"text":""}"#).await.unwrap();
    assert_eq!(shown.text.as_deref(), Some(""));
}

#[tokio::test]
async fn n11_what_is_out_of_range_is_refused_before_the_database_sees_it() {
    let directory = cabinet().await;
    let (key, _) = file(&directory, EMPTY).await.unwrap();
    for body in [
        r#"{"small":32768}"#,
        r#"{"number":9223372036854775808}"#,
        r#"{"number":1.5}"#,
        r#"{"flag":"true"}"#,
        r#"{"colour":"Green"}"#,
        r#"{"bytes":[256]}"#,
        r#"{"uuid":"7d444840"}"#,
        r#"{"instant":"tomorrow"}"#,
        r#"{"text":7}"#,
    ] {
        let error = refile(&directory, key, body).await.unwrap_err();
        assert!(error.is_unprocessable(), "{body}: {error}");
    }
}
