//! An auction house: lots that can be bid for until they close, and sessions in each kind of store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clearance::entity::RowAction;
use clearance::input::Assign;
use clearance::repository::{Page, Reads, Writes};
use clearance::session::{MemorySessionStore, SessionsBuilder, Strategy};
use clearance::testing::ManualClock;
use clearance::{
    Access, Db, Dto, Entity, Field, Input, Key, Patch, Permission, RequestContext, Result, Secret,
    Sessions, SourceError, Subject, Untrusted, Viewer, ViewerSource, async_trait,
};
use futures_util::TryStreamExt as _;

use crate::support::{Directory, empty_directory, system};

#[derive(Debug, Clone, Viewer)]
pub struct Bidder {
    pub id: i64,
    pub clerk: bool,
}

/// A row as whoever owns it, or a clerk, may have it.
#[derive(Debug, Entity)]
#[entity(
    table = "lots",
    viewer = Bidder,
    read_if(row.owner == viewer.id || viewer.clerk),
    create_if(row.owner == viewer.id),
    update_if(row.owner == viewer.id),
    delete_if(row.owner == viewer.id)
)]
pub struct Piece {
    #[entity(key)]
    pub id: i64,
    pub owner: i64,
    #[entity(lookup)]
    pub name: String,
    pub price: i64,
    pub shown_from: DateTime<Utc>,
    pub closes: DateTime<Utc>,
    pub word: Secret<String>,
}

#[derive(Debug, Clone, PartialEq, Dto)]
#[dto(entity = Piece, default = visible)]
pub struct PieceView {
    pub id: i64,
    pub name: String,
    #[visible_if(viewer.clerk || row.owner == viewer.id)]
    pub price: Field<i64>,
    #[visible_if(viewer.clerk)]
    pub closes: Field<DateTime<Utc>>,
}

#[derive(Debug, Input)]
#[input(entity = Piece)]
#[preset(owner = viewer.id, shown_from = context.now, closes = context.now, word = Secret::new(String::new()))]
pub struct NewPiece {
    #[writable]
    pub id: i64,
    #[writable]
    pub name: String,
    #[writable]
    pub price: i64,
}

#[derive(Debug, Patch)]
#[patch(entity = Piece, reads = PieceView)]
pub struct EditPiece {
    #[writable]
    pub price: Assign<i64>,
}

/// The same row until it closes. What it costs is shown from an instant on.
#[derive(Debug, Entity)]
#[entity(
    table = "lots",
    viewer = Bidder,
    has_many(siblings: Lot, on(owner = owner)),
    read_if(row.closes > context.now),
    create_if(row.closes > context.now),
    update_if(row.closes > context.now),
    delete_if(row.closes > context.now)
)]
pub struct Lot {
    #[entity(key)]
    pub id: i64,
    pub owner: i64,
    #[entity(lookup)]
    pub name: String,
    pub price: i64,
    pub shown_from: DateTime<Utc>,
    pub closes: DateTime<Utc>,
    pub word: Secret<String>,
}

#[derive(Debug, Clone, PartialEq, Dto)]
#[dto(entity = Lot, default = visible)]
pub struct LotView {
    pub id: i64,
    pub name: String,
    #[visible_if(row.shown_from <= context.now)]
    pub price: Field<i64>,
}

#[derive(Debug, Input)]
#[input(entity = Lot)]
#[preset(owner = viewer.id, shown_from = context.now, word = Secret::new(String::new()))]
pub struct NewLot {
    #[writable]
    pub id: i64,
    #[writable]
    pub name: String,
    #[writable]
    pub price: i64,
    #[writable]
    pub closes: DateTime<Utc>,
}

#[derive(Debug, Patch)]
#[patch(entity = Lot, reads = LotView)]
pub struct EditLot {
    #[writable]
    pub name: Assign<String>,
}

const SCHEMA: &str = "CREATE TABLE lots (
    id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name KEYTEXT NOT NULL, price INTEGER NOT NULL,
    shown_from INSTANT NOT NULL, closes INSTANT NOT NULL, word TEXT NOT NULL
)";

pub fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub const MINUTE: Duration = Duration::from_secs(60);

/// One that closes in an hour.
pub fn lot(id: i64) -> Lot {
    Lot {
        id,
        owner: 1,
        name: format!("lot{id}"),
        price: 10 * id,
        shown_from: start(),
        closes: start() + 60 * MINUTE,
        word: Secret::new(format!("word{id}")),
    }
}

pub fn piece(id: i64) -> Piece {
    let Lot {
        id,
        owner,
        name,
        price,
        shown_from,
        closes,
        word,
    } = lot(id);
    Piece {
        id,
        owner,
        name,
        price,
        shown_from,
        closes,
        word,
    }
}

/// Where sessions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Memory,
    /// In the database of the rows.
    Beside,
    /// In another database.
    Elsewhere,
    Stateless,
}

pub const STORES: [Kept; 4] = [Kept::Memory, Kept::Beside, Kept::Elsewhere, Kept::Stateless];

/// Bidders, who are clerks until the test says otherwise.
#[derive(Clone, Default)]
pub struct Bidders {
    pub demoted: Arc<AtomicBool>,
    pub gone: Arc<AtomicBool>,
    pub loads: Arc<AtomicI64>,
}

#[async_trait]
impl ViewerSource<Bidder> for Bidders {
    async fn load(&self, subject: &Subject) -> Result<Option<Bidder>, SourceError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        Ok((!self.gone.load(Ordering::SeqCst)).then(|| Bidder {
            id: subject.parse().unwrap(),
            clerk: !self.demoted.load(Ordering::SeqCst),
        }))
    }
}

pub struct House {
    pub directory: Directory,
    pub clock: ManualClock,
    pub bidders: Bidders,
    pub sessions: Sessions<Bidder>,
    next: AtomicI64,
    _elsewhere: Option<Directory>,
}

pub fn subject() -> Subject {
    Subject::new(1)
}

impl House {
    /// With lots 1 to 6.
    pub async fn of(kept: Kept) -> Self {
        let directory = empty_directory(SCHEMA).await;
        let elsewhere = empty_directory("").await;
        let bidders = Bidders::default();
        let key = Key::generate().unwrap();
        let builder: SessionsBuilder<Bidder> = match kept {
            Kept::Memory | Kept::Stateless => {
                Sessions::builder(key, MemorySessionStore::new(), bidders.clone())
            }
            Kept::Beside => {
                directory.db.migrate().await.unwrap();
                Sessions::builder(key, directory.db.session_store(), bidders.clone())
            }
            Kept::Elsewhere => {
                elsewhere.db.migrate().await.unwrap();
                Sessions::builder(key, elsewhere.db.session_store(), bidders.clone())
            }
        };
        let builder = match kept {
            Kept::Stateless => builder.strategy(Strategy::Stateless),
            Kept::Memory | Kept::Beside | Kept::Elsewhere => builder,
        };
        let clock = ManualClock::at(start());
        let house = Self {
            sessions: builder
                .app_url("https://app.example")
                .clock(clock.clone())
                .build()
                .unwrap(),
            directory,
            clock,
            bidders,
            next: AtomicI64::new(100),
            _elsewhere: Some(elsewhere),
        };
        let access = system();
        let writer = house.db().writer(&access);
        writer.insert_many((1..=6).map(lot)).await.unwrap();
        house
    }

    pub const fn db(&self) -> &Db {
        &self.directory.db
    }

    /// A request with a new session.
    pub async fn request(&self) -> RequestContext {
        let session = self.sessions.create(&subject()).await.unwrap();
        let cookie = session.into_set_cookies().remove(0);
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::COOKIE, pair.parse().unwrap());
        RequestContext::new(&self.sessions, &headers)
    }

    /// The key of a new row, whose successor is free.
    pub async fn new_row(&self) -> i64 {
        let id = self.next.fetch_add(10, Ordering::SeqCst);
        let access = system();
        let writer = self.db().writer(&access);
        writer.insert(piece(id)).await.unwrap();
        id
    }

    /// What is stored of that row and of its successor.
    pub async fn stored(&self, id: i64) -> Vec<(i64, i64)> {
        let access = system();
        let query = PieceView::select().filter(PieceView::ID.ge(id).and(PieceView::ID.lt(id + 10)));
        let rows = self.db().reader(&access).all(query).await.unwrap();
        let price = |row: &PieceView| *row.price.visible().unwrap();
        rows.iter().map(|row| (row.id, price(row))).collect()
    }
}

pub const READS: [&str; 17] = [
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
    "can_see",
    "can_set",
    "can",
    "explain",
    "project",
    "forbidden",
];

/// Reads in this way, and tells how much was seen.
pub async fn read<P: Reads<Bidder>>(db: &Db, access: &Access<P>, form: &str) -> Result<usize> {
    let reader = db.reader(access);
    let query = || PieceView::select().filter(PieceView::ID.le(6));
    Ok(match form {
        "one" => reader.one(query().lookup(Piece::ID, 1)).await.map(|_| 1)?,
        "optional" => reader
            .optional(query().lookup(Piece::ID, 1))
            .await?
            .iter()
            .count(),
        "all" => reader.all(query()).await?.len(),
        "page" => reader.page(query(), Page::first(3)).await?.rows.len(),
        "count" => reader.count(query()).await?.try_into().unwrap(),
        "aggregate" => {
            let (sum,) = reader.aggregate(query(), (PieceView::PRICE.sum(),)).await?;
            sum.unwrap().try_into().unwrap()
        }
        "distinct" => reader.distinct(query(), PieceView::NAME).await?.len(),
        "groups" => reader.groups(query(), PieceView::NAME, ()).await?.len(),
        "stream" => {
            let rows: Vec<PieceView> = reader.stream(query()).await?.try_collect().await?;
            rows.len()
        }
        "secret" => reader
            .secret(Piece::WORD, Piece::ID, 1)
            .await?
            .iter()
            .count(),
        "unguarded_sql" => {
            let query = reader.unguarded_sql::<Piece>("a test", "SELECT * FROM lots WHERE id <= 6");
            query.project::<PieceView>().await?.len()
        }
        "can_see" => {
            let fields = access.can_see::<PieceView>().await?;
            usize::from(fields.rows(RowAction::Read) != Permission::No)
        }
        "can_set" => {
            let set = access.can_set::<EditPiece>().await?;
            usize::from(set.row() != Permission::No)
        }
        "can" => usize::from(access.can::<Piece>(RowAction::Read).await? != Permission::No),
        "explain" => {
            let explanation = access.explain::<PieceView>(&piece(1)).await?;
            usize::from(explanation.rows(RowAction::Read).is_some())
        }
        "project" => access.project::<PieceView>([piece(1)]).await?.len(),
        "forbidden" => {
            let query = query().lookup(Piece::ID, 1).forbidden_if_denied();
            reader.one(query).await.map(|_| 1)?
        }
        other => panic!("no way to read `{other}`"),
    })
}

pub const WRITES: [&str; 18] = [
    "insert",
    "create",
    "returning",
    "input",
    "open",
    "insert_many",
    "update",
    "update_returning",
    "patch",
    "permitted",
    "all",
    "upsert",
    "upsert_new",
    "delete",
    "begin",
    "explain_update",
    "explain_create",
    "explain_delete",
];

/// Writes in this way, to the row with this key or next to it.
pub async fn write<P: Writes<Bidder>>(
    db: &Db,
    access: &Access<P>,
    form: &str,
    id: i64,
) -> Result<()> {
    let writer = db.writer(access);
    let found = || PieceView::select().filter(PieceView::ID.eq(id));
    let body = || {
        let next = id + 1;
        Untrusted::<NewPiece>::json(format!(r#"{{"id":{next},"name":"new","price":7}}"#))
    };
    match form {
        "insert" => writer.insert(piece(id + 1)).await,
        "create" => writer.create(piece(id + 1)).execute().await.map(drop),
        "returning" => writer
            .create(piece(id + 1))
            .returning::<PieceView>()
            .await
            .map(drop),
        "input" => {
            let create = writer.create(body().open(access)?);
            create.returning_if_visible::<PieceView>().await.map(drop)
        }
        "open" => writer.open(body()).await.map(drop),
        "insert_many" => writer.insert_many((id + 1..id + 3).map(piece)).await,
        "update" => {
            writer
                .update::<Piece>(id)
                .set(Piece::PRICE, 7)
                .execute()
                .await
        }
        "update_returning" => {
            let update = writer.update::<Piece>(id).set(Piece::PRICE, 7);
            update.returning::<PieceView>().await.map(drop)
        }
        "patch" => {
            let body = Untrusted::<EditPiece>::json(r#"{"price":7}"#);
            let update = writer.update::<Piece>(id).patch(body.open(access)?);
            update.execute().await
        }
        "permitted" => {
            let update = writer.update_many(found()).set(Piece::PRICE, 7);
            update.execute_permitted().await.map(drop)
        }
        "all" => {
            let update = writer.update_many(found()).set(Piece::PRICE, 7);
            update.execute_all().await.map(drop)
        }
        "upsert" | "upsert_new" => {
            let key = if form == "upsert" { id } else { id + 1 };
            let update = writer.update::<Piece>(key).set(Piece::PRICE, 7);
            update.or_create(writer.create(piece(key))).await.map(drop)
        }
        "delete" => writer.delete::<Piece>(id).await,
        "begin" => db.begin(access).await.map(drop),
        "explain_update" => {
            let update = writer.update::<Piece>(id).set(Piece::PRICE, 7);
            update.explain().await.map(drop)
        }
        "explain_create" => writer.create(piece(id + 1)).explain().await.map(drop),
        "explain_delete" => writer.explain_delete::<Piece>(id).await.map(drop),
        other => panic!("no way to write `{other}`"),
    }
}

/// A lot with those of the same owner.
#[derive(Debug, Clone, PartialEq, Dto)]
#[dto(entity = Lot)]
pub struct Family {
    #[visible]
    pub id: i64,
    #[visible]
    #[dto(related)]
    pub siblings: Vec<LotView>,
}
