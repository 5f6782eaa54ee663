//! Rule time is the time of use: what rules read as `context.now`, however long a request lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clearance::entity::RowAction;
use clearance::policy::{Context, Truth};
use clearance::repository::Page;
use clearance::session::MemorySessionStore;
use clearance::{
    Access, Clock, Db, Dto, Field, Key, Read, RequestContext, Result, Sessions, Untrusted, Write,
    repository,
};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::lots::*;
use crate::support::{Statements, system};

const READS: [&str; 13] = [
    "one",
    "optional",
    "all",
    "page",
    "count",
    "aggregate",
    "distinct",
    "groups",
    "stream",
    "secret",
    "unguarded_sql",
    "explain",
    "project",
];

/// How much of the open lots is read in this way.
async fn read(db: &Db, access: &Access<Read<Bidder>>, form: &str) -> Result<usize> {
    let reader = db.reader(access);
    let query = || LotView::select().filter(LotView::ID.le(6));
    Ok(match form {
        "one" => match reader.one(query().lookup(Lot::ID, 1)).await {
            Err(error) if error.is_not_found() => 0,
            found => found.map(|_| 1)?,
        },
        "optional" => reader
            .optional(query().lookup(Lot::ID, 1))
            .await?
            .iter()
            .count(),
        "all" => reader.all(query()).await?.len(),
        "page" => reader.page(query(), Page::first(3)).await?.rows.len(),
        "count" => reader.count(query()).await?.try_into().unwrap(),
        "aggregate" => {
            let (sum,) = reader.aggregate(query(), (LotView::PRICE.sum(),)).await?;
            sum.unwrap_or_default().try_into().unwrap()
        }
        "distinct" => reader.distinct(query(), LotView::NAME).await?.len(),
        "groups" => reader.groups(query(), LotView::NAME, ()).await?.len(),
        "stream" => {
            let rows: Vec<LotView> = reader.stream(query()).await?.try_collect().await?;
            rows.len()
        }
        "secret" => reader.secret(Lot::WORD, Lot::ID, 1).await?.iter().count(),
        "unguarded_sql" => {
            let query = reader.unguarded_sql::<Lot>("a test", "SELECT * FROM lots WHERE id <= 6");
            query.project::<LotView>().await?.len()
        }
        "explain" => {
            let explanation = access.explain::<LotView>(&lot(1)).await?;
            let read = explanation.rows(RowAction::Read).unwrap().outcome();
            usize::from(read.unwrap() == Truth::True)
        }
        "project" => access.project::<LotView>([lot(1)]).await?.len(),
        other => panic!("no way to read `{other}`"),
    })
}

const WRITES: [&str; 10] = [
    "insert",
    "input",
    "returning",
    "insert_many",
    "update",
    "patch",
    "permitted",
    "all",
    "upsert",
    "delete",
];

async fn write(db: &Db, access: &Access<Write<Bidder>>, form: &str, id: i64) -> Result<()> {
    let writer = db.writer(access);
    let found = || LotView::select().filter(LotView::ID.eq(id));
    match form {
        "insert" => writer.insert(lot(id + 1)).await,
        "input" => {
            let (next, closes) = (id + 1, lot(1).closes.to_rfc3339());
            let body = format!(r#"{{"id":{next},"name":"new","price":7,"closes":"{closes}"}}"#);
            let body = Untrusted::<NewLot>::json(body);
            writer.create(body.open(access)?).execute().await.map(drop)
        }
        "returning" => writer
            .create(lot(id + 1))
            .returning::<LotView>()
            .await
            .map(drop),
        "insert_many" => writer.insert_many([lot(id + 1)]).await,
        "update" => writer.update::<Lot>(id).set(Lot::PRICE, 7).execute().await,
        "patch" => {
            let body = Untrusted::<EditLot>::json(r#"{"name":"patched"}"#);
            let update = writer.update::<Lot>(id).patch(body.open(access)?);
            update.returning::<LotView>().await.map(drop)
        }
        "permitted" => {
            let update = writer.update_many(found()).set(Lot::PRICE, 7);
            update.execute_permitted().await.map(drop)
        }
        "all" => {
            let update = writer.update_many(found()).set(Lot::PRICE, 7);
            update.execute_all().await.map(drop)
        }
        "upsert" => {
            let update = writer.update::<Lot>(id).set(Lot::PRICE, 7);
            update.or_create(writer.create(lot(id))).await.map(drop)
        }
        "delete" => writer.delete::<Lot>(id).await,
        other => panic!("no way to write `{other}`"),
    }
}

async fn reading() -> Access<Read<Bidder>> {
    Access::<Read<Bidder>>::authenticated().await.unwrap()
}

async fn writing() -> Access<Write<Bidder>> {
    Access::<Write<Bidder>>::authenticated().await.unwrap()
}

/// What is stored of a row and of the one next to it.
async fn stored(house: &House, id: i64) -> Vec<(i64, String, i64)> {
    let access = system();
    let query = PieceView::select().filter(PieceView::ID.ge(id).and(PieceView::ID.lt(id + 10)));
    let rows = house.db().reader(&access).all(query).await.unwrap();
    let each = |row: PieceView| (row.id, row.name, *row.price.visible().unwrap());
    rows.into_iter().map(each).collect()
}

#[tokio::test]
async fn rf_25_each_use_of_an_access_has_an_instant_of_its_own() {
    for kept in STORES {
        let house = House::of(kept).await;
        let request = house.request().await;
        request
            .scope(async {
                let access = reading().await;
                for form in READS {
                    let seen = read(house.db(), &access, form).await.unwrap();
                    assert!(seen > 0, "{kept:?}, {form}");
                }
                house.clock.advance(61 * MINUTE);
                for form in READS {
                    let seen = read(house.db(), &access, form).await.unwrap();
                    assert_eq!(seen, 0, "{kept:?}, {form}");
                }
                // The access tells the instant of its guard.
                assert_eq!(access.context().now, start());
                assert_eq!(request.rule_context().now, start() + 61 * MINUTE);
            })
            .await;
    }
}

#[tokio::test]
async fn rf_25_each_write_has_an_instant_of_its_own() {
    for kept in [Kept::Memory, Kept::Beside] {
        let house = House::of(kept).await;
        for form in WRITES {
            house.clock.set(start());
            let (open, closed) = (house.new_row().await, house.new_row().await);
            let before = stored(&house, closed).await;
            let request = house.request().await;
            request
                .scope(async {
                    let access = writing().await;
                    write(house.db(), &access, form, open).await.unwrap();
                    house.clock.advance(61 * MINUTE);
                    let late = write(house.db(), &access, form, closed).await;
                    let finds_none = ["permitted", "all"].contains(&form);
                    assert_eq!(late.is_ok(), finds_none, "{kept:?}, {form}: {late:?}");
                })
                .await;
            let row = (open, format!("lot{open}"), 10 * open);
            assert_ne!(stored(&house, open).await, [row], "{kept:?}, {form}");
            assert_eq!(stored(&house, closed).await, before, "{kept:?}, {form}");
        }
    }
}

#[tokio::test]
async fn rf_25_what_is_preset_to_the_time_is_the_time_of_the_write() {
    let house = House::of(Kept::Memory).await;
    let request = house.request().await;
    request
        .scope(async {
            let access = writing().await;
            for id in [200, 201] {
                house.clock.advance(MINUTE);
                let closes = lot(1).closes.to_rfc3339();
                let body = format!(r#"{{"id":{id},"name":"new","price":7,"closes":"{closes}"}}"#);
                let body = Untrusted::<NewLot>::json(body).open(&access).unwrap();
                let writer = house.db().writer(&access);
                let shown = writer.create(body).returning::<ShownFrom>().await.unwrap();
                assert_eq!(shown.shown_from, clock_of(&house));
            }
        })
        .await;
}

fn clock_of(house: &House) -> DateTime<Utc> {
    house.clock.now()
}

#[derive(Debug, Dto)]
#[dto(entity = Lot, default = visible)]
struct ShownFrom {
    shown_from: DateTime<Utc>,
}

#[tokio::test]
async fn rf_25_forks_and_tasks_see_the_time_of_their_use() {
    let house = House::of(Kept::Memory).await;
    let request = house.request().await;
    let fork = request.fork();
    let db = house.db().clone();
    let count = async || {
        let access = reading().await;
        read(&db, &access, "all").await.unwrap()
    };
    assert_eq!(fork.scope(count()).await, 6);
    let task = request.sync_scope(|| {
        let (clock, db) = (house.clock.clone(), house.db().clone());
        clearance::spawn(async move {
            let access = reading().await;
            let before = read(&db, &access, "all").await.unwrap();
            clock.advance(61 * MINUTE);
            (before, read(&db, &access, "all").await.unwrap())
        })
    });
    assert_eq!(task.unwrap().await.unwrap(), (6, 0));
    assert_eq!(fork.scope(count()).await, 0);
}

/// A clock that goes on whenever it is looked at.
#[derive(Debug, Clone)]
struct Ticking(Arc<AtomicI64>);

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        start() + TimeDelta::milliseconds(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

#[tokio::test]
async fn rf_25_one_answer_has_one_instant_with_the_rows_that_are_nested_in_it() {
    let house = House::of(Kept::Memory).await;
    let mut seen = [0, 0];
    for closes in 1..60 {
        let closes = start() + TimeDelta::milliseconds(closes);
        let access = system();
        let update = house.db().writer(&access).update::<Lot>(1);
        update.set(Lot::CLOSES, closes).execute().await.unwrap();
        drop(access);
        let ticking = Ticking(Arc::default());
        let key = Key::generate().unwrap();
        let sessions = Sessions::builder(key, MemorySessionStore::new(), house.bidders.clone())
            .app_url("https://app.example")
            .clock(ticking)
            .build()
            .unwrap();
        let request = request_of(&sessions).await;
        let found = request.scope(async {
            let access = reading().await;
            let query = Family::select().lookup(Lot::ID, 1);
            house.db().reader(&access).optional(query).await.unwrap()
        });
        match found.await {
            None => seen[0] += 1,
            Some(family) => {
                seen[1] += 1;
                // It is its own sibling.
                assert!(family.siblings.iter().any(|lot| lot.id == 1), "{closes}");
            }
        }
    }
    assert!(seen.iter().all(|seen| *seen > 0), "{seen:?}");
}

async fn request_of(sessions: &Sessions<Bidder>) -> RequestContext {
    let session = sessions.create(&subject()).await.unwrap();
    let cookie = session.into_set_cookies().remove(0);
    let pair = cookie.to_str().unwrap().split(';').next().unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::COOKIE, pair.parse().unwrap());
    RequestContext::new(sessions, &headers)
}

/// Lot n closes after n minutes. What 6 costs is shown after 5.
async fn closing_one_by_one(house: &House) {
    let access = system();
    let writer = house.db().writer(&access);
    for id in 1..=6 {
        let update = writer.update::<Lot>(id);
        let update = update.set(Lot::CLOSES, start() + TimeDelta::minutes(id.into()));
        update.execute().await.unwrap();
    }
    let update = writer
        .update::<Lot>(6)
        .set(Lot::SHOWN_FROM, start() + 5 * MINUTE);
    update.execute().await.unwrap();
}

#[tokio::test]
async fn rf_26_a_stream_judges_each_row_when_it_is_handed_out() {
    let house = House::of(Kept::Memory).await;
    closing_one_by_one(&house).await;
    let request = house.request().await;
    request
        .scope(async {
            let access = reading().await;
            let reader = house.db().reader(&access);
            let shown = |row: LotView| (row.id, row.price);
            let mut rows = reader.stream(LotView::select()).await.unwrap();
            assert_eq!(
                shown(rows.next().await.unwrap().unwrap()),
                (1, Field::Visible(10))
            );
            // 2 and 3 close before anybody takes them.
            house.clock.advance(3 * MINUTE);
            assert_eq!(
                shown(rows.next().await.unwrap().unwrap()),
                (4, Field::Visible(40))
            );
            house.clock.advance(MINUTE);
            assert_eq!(
                shown(rows.next().await.unwrap().unwrap()),
                (5, Field::Visible(50))
            );
            let mut others = reader.stream(LotView::select()).await.unwrap();
            others.next().await.unwrap().unwrap();
            assert_eq!(
                shown(others.next().await.unwrap().unwrap()),
                (6, Field::Hidden)
            );
            house.clock.advance(MINUTE);
            assert_eq!(
                shown(rows.next().await.unwrap().unwrap()),
                (6, Field::Visible(60))
            );
            assert!(rows.next().await.is_none());
        })
        .await;
}

fn in_the_first_minute(_: &Bidder, _: &Piece, context: &Context) -> bool {
    context.now < start() + MINUTE
}

#[derive(Debug, Dto)]
#[dto(entity = Piece)]
struct Whispered {
    #[visible]
    id: i64,
    #[visible_if(opaque(in_the_first_minute))]
    price: Field<i64>,
}

#[tokio::test]
async fn rf_26_a_function_of_the_application_sees_the_instant_of_each_row() {
    let house = House::of(Kept::Memory).await;
    let request = house.request().await;
    request
        .scope(async {
            let access = reading().await;
            let reader = house.db().reader(&access);
            let mut rows = reader.stream(Whispered::select()).await.unwrap();
            assert!(!rows.next().await.unwrap().unwrap().price.is_hidden());
            house.clock.advance(MINUTE);
            assert!(rows.next().await.unwrap().unwrap().price.is_hidden());
        })
        .await;
}

#[derive(Debug, Dto)]
#[dto(entity = Lot)]
struct Contested {
    #[visible_if(exists(row.siblings, |sibling| sibling.closes > context.now))]
    price: Field<i64>,
}

#[tokio::test]
async fn rf_26_a_stream_refuses_what_it_cannot_judge_again() {
    let house = House::of(Kept::Memory).await;
    let request = house.request().await;
    request
        .scope(async {
            let access = reading().await;
            let reader = house.db().reader(&access);
            let error = reader.stream(Contested::select()).await.unwrap_err();
            assert!(error.is_misuse(), "{error}");
            assert!(error.to_string().contains("use pages"), "{error}");
            assert_eq!(reader.all(Contested::select()).await.unwrap().len(), 6);
        })
        .await;
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Catalogue {
    db: Db,
}

#[repository(viewer = Bidder)]
impl Catalogue {
    #[authenticated(access)]
    #[memo]
    async fn open(&self) -> Result<usize> {
        Ok(self.db.reader(&access).all(LotView::select()).await?.len())
    }

    #[authenticated(access)]
    #[memo]
    async fn pieces(&self) -> Result<usize> {
        Ok(self
            .db
            .reader(&access)
            .all(PieceView::select())
            .await?
            .len())
    }

    /// What is made of another answer.
    #[authenticated(access)]
    #[memo]
    async fn twice_open(&self) -> Result<usize> {
        drop(access);
        Ok(2 * self.open().await?)
    }

    #[authorize(access, if context.now < start() + 60 * MINUTE)]
    async fn before_noon(&self) -> Result<usize> {
        drop(access);
        Ok(1)
    }

    #[authenticated(access)]
    #[memo]
    async fn early(&self) -> Result<bool> {
        drop(access);
        Ok(self.before_noon().await.is_ok())
    }

    #[authenticated(access)]
    #[memo]
    async fn whispered(&self) -> Result<usize> {
        let rows = self.db.reader(&access).all(Whispered::select()).await?;
        Ok(rows.iter().filter(|row| !row.price.is_hidden()).count())
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn rf_27_an_answer_by_rules_that_read_the_time_is_kept_for_less_than_a_second() {
    let house = House::of(Kept::Memory).await;
    closing_one_by_one(&house).await;
    let catalogue = Catalogue {
        db: house.db().clone(),
    };
    let (statements, _guard) = Statements::listen();
    let request = house.request().await;
    request
        .scope(async {
            assert_eq!(catalogue.open().await.unwrap(), 6);
            assert_eq!(catalogue.pieces().await.unwrap(), 6);
            assert_eq!(catalogue.whispered().await.unwrap(), 6);
            statements.take();
            house.clock.advance(SECOND - Duration::from_micros(1));
            assert_eq!(catalogue.open().await.unwrap(), 6);
            // What is made of it is as old as it.
            assert_eq!(catalogue.twice_open().await.unwrap(), 12);
            assert_eq!(catalogue.pieces().await.unwrap(), 6);
            assert_eq!(catalogue.whispered().await.unwrap(), 6);
            assert_eq!(statements.take(), [""; 0]);
            house.clock.advance(Duration::from_micros(1));
            assert_eq!(catalogue.twice_open().await.unwrap(), 12);
            assert_eq!(statements.take().len(), 1);
            // What does not read the time is kept for the request.
            assert_eq!(catalogue.pieces().await.unwrap(), 6);
            assert_eq!(statements.take(), [""; 0]);
            house.clock.advance(MINUTE);
            assert_eq!(catalogue.twice_open().await.unwrap(), 10);
            assert_eq!(catalogue.open().await.unwrap(), 5);
            assert_eq!(catalogue.whispered().await.unwrap(), 0);
            assert!(statements.take().len() >= 2);
            // A clock that is set back keeps nothing for longer.
            house.clock.set(start());
            assert_eq!(catalogue.open().await.unwrap(), 6);
        })
        .await;
}

#[tokio::test]
async fn rf_25_rf_27_a_condition_of_a_method_reads_the_instant_of_its_call() {
    let house = House::of(Kept::Memory).await;
    let catalogue = Catalogue {
        db: house.db().clone(),
    };
    let request = house.request().await;
    request
        .scope(async {
            assert!(catalogue.before_noon().await.is_ok());
            assert!(catalogue.early().await.unwrap());
            house.clock.advance(60 * MINUTE);
            assert!(catalogue.before_noon().await.unwrap_err().is_forbidden());
            assert!(!catalogue.early().await.unwrap());
        })
        .await;
}
