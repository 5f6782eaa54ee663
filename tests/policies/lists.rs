//! Lists of any length mean the same.

use clearance::{Access, Db, Dto, Entity, Field, Read, Viewer, testing};

use crate::support::{Directory, empty_directory, system};

#[derive(Debug, Clone, Viewer)]
struct Holder {
    id: i64,
    numbers: Vec<i64>,
    texts: Vec<String>,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "things", viewer = Holder, rows = open, reason = "the rules under test are on fields")]
struct Thing {
    #[entity(key)]
    id: i64,
    number: Option<i64>,
    text: Option<String>,
}

#[derive(Debug, Dto)]
#[dto(entity = Thing, default = visible)]
struct ThingView {
    id: i64,
    #[visible_if(viewer.numbers.contains(&row.number))]
    number: Field<Option<i64>>,
    #[visible_if(!viewer.texts.contains(&row.text))]
    text: Field<Option<String>>,
}

const SCHEMA: &str =
    "CREATE TABLE things (id INTEGER PRIMARY KEY, number INTEGER, text KEYTEXT8 COLLATE NOCASE)";

async fn things() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    for (id, number, text) in [
        (1, Some(3), Some("t3")),
        (2, Some(-3), Some("T3")),
        (3, None, None),
        (4, Some(i64::MAX), Some("t3 ")),
        (5, Some(69_999), Some("t69999")),
    ] {
        let text = text.map(str::to_owned);
        writer.insert(Thing { id, number, text }).await.unwrap();
    }
    directory
}

async fn shown(db: &Db, holder: Holder) -> (Vec<i64>, Vec<i64>) {
    testing::as_viewer(holder)
        .scope(async {
            let access = Access::<Read<Holder>>::authenticated().await.unwrap();
            let query = ThingView::select().order(ThingView::ID.asc());
            let rows = db.reader(&access).all(query).await.unwrap();
            let ids = |shown: fn(&ThingView) -> bool| {
                let rows = rows.iter().filter(|row| shown(row));
                rows.map(|row| row.id).collect::<Vec<_>>()
            };
            (
                ids(|row| !row.number.is_hidden()),
                ids(|row| !row.text.is_hidden()),
            )
        })
        .await
}

/// A holder of so many numbers and texts, 3 and `t3` among them.
fn holder(length: usize) -> Holder {
    let numbers = 3..3 + i64::try_from(length).unwrap();
    Holder {
        id: 1,
        texts: numbers.clone().map(|number| format!("t{number}")).collect(),
        numbers: numbers.collect(),
    }
}

#[tokio::test]
async fn n14_a_list_in_a_rule_means_the_same_however_long_it_is() {
    let Directory { db, .. } = &things().await;
    for length in [1, 10, 11, 1_000, 1_001, 2_000] {
        let (numbers, texts) = shown(db, holder(length)).await;
        assert_eq!(numbers, [1], "{length}");
        // Not `t3`, and not unknown; `T3` and `t3 ` are others.
        assert_eq!(texts, [2, 4, 5], "{length}");
    }
}

#[tokio::test]
async fn n14_a_list_longer_than_a_statement_has_parameters_means_the_same() {
    let Directory { db, .. } = &things().await;
    let (numbers, texts) = shown(db, holder(70_000)).await;
    assert_eq!(numbers, [1, 5]);
    assert_eq!(texts, [2, 4]);
}

#[tokio::test]
async fn n14_n3_a_list_in_a_filter_means_the_same_however_long_it_is() {
    let Directory { db, .. } = &things().await;
    let access = system();
    let reader = db.reader(&access);
    for length in [1, 10, 11, 1_000, 1_001, 70_000_i64] {
        let texts = || (3..3 + length).map(|number| format!("t{number}"));
        let found = async |filter| {
            let query = ThingView::select()
                .filter(filter)
                .order(ThingView::ID.asc());
            let rows = reader.all(query).await.unwrap();
            rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let last = length == 70_000;
        let among = if last { vec![1, 5] } else { vec![1] };
        let others = if last { vec![2, 4] } else { vec![2, 4, 5] };
        assert_eq!(found(ThingView::TEXT.is_in(texts())).await, among);
        assert_eq!(found(ThingView::TEXT.is_not_in(texts())).await, others);
        let numbers = || 3..3 + length;
        assert_eq!(found(ThingView::NUMBER.is_in(numbers())).await, among);
        assert_eq!(found(!ThingView::NUMBER.is_in(numbers())).await, others);
    }
}

#[tokio::test]
async fn n14_ids_and_instants_are_looked_for_in_long_lists_too() {
    #[derive(Debug, Clone, Entity)]
    #[entity(table = "events", viewer = Holder, rows = open, reason = "a test of lists", create_if(true))]
    struct Event {
        #[entity(key)]
        id: uuid::Uuid,
        at: chrono::DateTime<chrono::Utc>,
    }
    #[derive(Debug, Dto)]
    #[dto(entity = Event, default = visible)]
    struct EventView {
        id: uuid::Uuid,
        at: chrono::DateTime<chrono::Utc>,
    }
    let directory =
        empty_directory("CREATE TABLE events (id ID16 PRIMARY KEY, at INSTANT NOT NULL)").await;
    let access = system();
    let writer = directory.db.writer(&access);
    let at = |second: i64| chrono::DateTime::from_timestamp_micros(second * 1_000_001).unwrap();
    for id in 1..=3_u8 {
        let event = Event {
            id: uuid::Uuid::from_u128(id.into()),
            at: at(id.into()),
        };
        writer.insert(event).await.unwrap();
    }
    let ids = (2..2_000_u128).map(uuid::Uuid::from_u128);
    let query = EventView::select().filter(EventView::ID.is_in(ids));
    assert_eq!(writer.all(query).await.unwrap().len(), 2);
    let query = EventView::select().filter(EventView::AT.is_in((3..2_000).map(at)));
    let found = writer.all(query).await.unwrap();
    assert_eq!((found.len(), found[0].at), (1, at(3)));
}

/// Instants of years that RFC 3339 does not have: before the first one, and of five digits.
#[tokio::test]
async fn n22_instants_of_far_years_are_looked_for_in_long_lists_as_in_short_ones() {
    use chrono::{DateTime, TimeZone as _, Utc};

    #[derive(Debug, Clone, Entity)]
    #[entity(table = "epochs", viewer = Holder, rows = open, reason = "a test of lists", create_if(true))]
    struct Epoch {
        #[entity(key)]
        id: i64,
        at: Option<DateTime<Utc>>,
    }
    #[derive(Debug, Dto)]
    #[dto(entity = Epoch, default = visible)]
    struct EpochView {
        id: i64,
        at: Option<DateTime<Utc>>,
    }
    let far = [-4700, -1, 0, 1, 999, 1970, 9999, 10_000, 99_999, 260_000].map(|year| {
        let start = Utc.with_ymd_and_hms(year, 3, 4, 5, 6, 7).unwrap();
        start + chrono::TimeDelta::microseconds(89)
    });
    let directory =
        empty_directory("CREATE TABLE epochs (id INTEGER PRIMARY KEY, at INSTANT)").await;
    let access = system();
    let writer = directory.db.writer(&access);
    for (id, at) in (1..).zip(far) {
        // MySQL has the years 1 to 9999.
        let storable =
            crate::engines::engine() != crate::engines::Engine::Mysql || (4..=7).contains(&id);
        let at = Some(at).filter(|_| storable);
        writer.insert(Epoch { id, at }).await.unwrap();
    }
    let beyond = [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC];
    let mut answers = Vec::new();
    for fill in [0, 2_000_i64] {
        let near = || (0..fill).map(|second| DateTime::from_timestamp(second, 0).unwrap());
        let list = || {
            far.into_iter()
                .skip(1)
                .step_by(2)
                .chain(beyond)
                .chain(near())
        };
        let found = async |filter| {
            let query = EpochView::select()
                .filter(filter)
                .order(EpochView::ID.asc());
            let rows = writer.all(query).await.unwrap();
            rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        answers.push((
            found(EpochView::AT.is_in(list())).await,
            found(EpochView::AT.is_not_in(list())).await,
        ));
    }
    assert_eq!(answers[0], answers[1]);
    let (among, others) = &answers[0];
    match crate::engines::engine() {
        crate::engines::Engine::Mysql => {
            assert_eq!((&among[..], &others[..]), (&[4, 6][..], &[5, 7][..]))
        }
        _ => assert_eq!(
            (&among[..], &others[..]),
            (&[2, 4, 6, 8, 10][..], &[1, 3, 5, 7, 9][..])
        ),
    }
}
