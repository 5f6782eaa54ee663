//! The entity of the test: a column of every kind, on collations that compare otherwise than
//! Rust does, and rows that are chosen to fall between them.

use chrono::{DateTime, Utc};
use clearance::dto::ShapeBuilder;
use clearance::{Entity, Roles, TextEnum, Viewer};
use proptest::prelude::*;
use uuid::Uuid;

use crate::engines::{Database, TestPool};
use crate::rules::RuleSpec;

#[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum)]
pub enum Status {
    Draft,
    InReview,
    Published,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
pub enum Rank {
    Guest,
    Member,
    Owner,
}

/// The viewer: a few values of each kind for rules to compare with.
#[derive(Debug, Clone, Viewer)]
pub struct Probe {
    pub id: i64,
    pub flags: [bool; 2],
    pub texts: [Option<String>; 3],
    pub numbers: [Option<i64>; 3],
    pub instants: [Option<DateTime<Utc>>; 2],
    pub uuids: [Option<Uuid>; 2],
    pub status: Option<Status>,
    pub rank: Option<Rank>,
    pub text_list: Vec<Option<String>>,
    pub number_list: Vec<i64>,
    pub status_list: Vec<Status>,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "samples",
    viewer = Probe,
    belongs_to(parent: Sample, by = parent_id),
    has_many(children: Sample, by = parent_id),
    read_if(
        viewer.flags[0]
            || row.sure
            || exists(row.parent, |parent| same(viewer.texts[0], parent.nocase) || parent.count > 0)
    ),
    read_unless(exists(row.children, |child| child.count == 1 && same(child.text, viewer.texts[1]))),
    create_if(true)
)]
pub struct Sample {
    #[entity(key)]
    pub id: i64,
    pub parent_id: Option<i64>,
    pub plain: Option<String>,
    pub nocase: Option<String>,
    pub rtrim: Option<String>,
    pub text: String,
    pub number: Option<i64>,
    pub count: i64,
    pub maybe: Option<bool>,
    pub sure: bool,
    pub instant: Option<DateTime<Utc>>,
    pub uuid: Option<Uuid>,
    pub status: Option<Status>,
    pub rank: Rank,
}

/// Where the key and the parent stand among the columns.
pub const ID: usize = 0;
pub const PARENT: usize = 1;

/// How many fields carry a random rule.
pub const FIELDS: usize = 12;

pub fn ruled_fields() -> [&'static str; FIELDS] {
    [
        "plain", "nocase", "rtrim", "text", "number", "count", "maybe", "sure", "instant", "uuid",
        "status", "rank",
    ]
}

pub fn with_rules(shape: ShapeBuilder<Sample>, rules: &[RuleSpec]) -> ShapeBuilder<Sample> {
    shape
        .visible_if(Sample::PLAIN, rules[0].rule())
        .visible_if(Sample::NOCASE, rules[1].rule())
        .visible_if(Sample::RTRIM, rules[2].rule())
        .visible_if(Sample::TEXT, rules[3].rule())
        .visible_if(Sample::NUMBER, rules[4].rule())
        .visible_if(Sample::COUNT, rules[5].rule())
        .visible_if(Sample::MAYBE, rules[6].rule())
        .visible_if(Sample::SURE, rules[7].rule())
        .visible_if(Sample::INSTANT, rules[8].rule())
        .visible_if(Sample::UUID, rules[9].rule())
        .visible_if(Sample::STATUS, rules[10].rule())
        .visible_if(Sample::RANK, rules[11].rule())
}

/// The table, with collations that each overlook something else.
pub async fn database() -> Database {
    let database = crate::engines::database("").await;
    let (plain, nocase, rtrim, text) = match &database.pool {
        TestPool::Sqlite(_) => ("", "NOCASE", "RTRIM", "NOCASE"),
        TestPool::Postgres(_) => ("\"C\"", "nocase", "\"und-x-icu\"", "nocase"),
        TestPool::Mysql(pool) => {
            if is_mariadb(pool).await {
                (
                    "utf8mb4_general_ci",
                    "utf8mb4_uca1400_ai_ci",
                    "utf8mb4_uca1400_nopad_ai_ci",
                    "utf8mb4_uca1400_ai_ci",
                )
            } else {
                (
                    "utf8mb4_general_ci",
                    "utf8mb4_0900_ai_ci",
                    "utf8mb4_bin",
                    "utf8mb4_0900_ai_ci",
                )
            }
        }
    };
    let quote = match &database.pool {
        TestPool::Sqlite(_) | TestPool::Postgres(_) => '"',
        TestPool::Mysql(_) => '`',
    };
    let collate = |collation: &str| match collation {
        "" => String::new(),
        collation => format!("COLLATE {collation}"),
    };
    let (plain, nocase) = (collate(plain), collate(nocase));
    let (rtrim, text) = (collate(rtrim), collate(text));
    let schema = format!(
        "CREATE TABLE samples (
            id INTEGER PRIMARY KEY,
            parent_id INTEGER,
            ~plain~ KEYTEXT8 {plain},
            ~nocase~ KEYTEXT8 {nocase},
            ~rtrim~ KEYTEXT8 {rtrim},
            ~text~ KEYTEXT8 {text} NOT NULL,
            ~number~ INTEGER,
            ~count~ INTEGER NOT NULL,
            ~maybe~ BOOLEAN,
            ~sure~ BOOLEAN NOT NULL,
            ~instant~ INSTANT,
            ~uuid~ ID16,
            ~status~ KEYTEXT8 {nocase},
            ~rank~ KEYTEXT8 NOT NULL
        )"
    );
    let schema = crate::engines::engine()
        .schema(&schema)
        .replace('~', &quote.to_string());
    database.pool.execute(&schema).await;
    database
}

#[expect(clippy::disallowed_methods, reason = "a test asks who it talks to")]
async fn is_mariadb(pool: &sqlx::MySqlPool) -> bool {
    let version = sqlx::query_scalar::<_, String>("SELECT VERSION()");
    version.fetch_one(pool).await.unwrap().contains("MariaDB")
}

/// Whether a statement may change a table that a rule in it reads again. MySQL refuses that.
pub async fn may_read_what_it_writes(database: &Database) -> bool {
    match &database.pool {
        TestPool::Sqlite(_) | TestPool::Postgres(_) => true,
        TestPool::Mysql(pool) => is_mariadb(pool).await,
    }
}

/// Puts text that is no status where some rows have none: to a rule the two are the same.
pub async fn spoil(database: &Database) {
    let sql = "UPDATE samples SET status = 'DRAFT' WHERE status IS NULL AND id % 2 = 1";
    database.pool.execute(sql).await;
}

pub async fn fill(database: &Database, rows: &[Sample]) {
    database.pool.execute("DELETE FROM samples").await;
    let access = crate::system();
    let writer = database.db.writer(&access);
    for row in rows {
        writer.insert(row.clone()).await.unwrap();
    }
}

/// Texts that differ only in what some collation or padding rule overlooks, or that a pattern
/// or a literal would misread.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "", " ", "a", "A", "a ", "a  ", "\u{e4}", "a\u{308}", "\u{c4}", "ss", "\u{df}", "i",
            "I", "\u{131}", "\u{130}", "%", "_", "\\", "[a]", "'", "\"", "NULL", "0", "1", "01",
            "1.0", "true", "draft", "Draft", "\u{1f980}", "\u{200d}", "\u{feff}a", "z", "Z",
            "\u{ffff}", "\u{10ffff}", "\u{e000}", "tea", "TEA", "t\u{e9}a",
        ])
        .prop_map(str::to_owned),
        1 => "[^\u{0}]{0,6}",
    ]
}

/// Also what no column of some engine can hold.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => text(),
        1 => proptest::sample::select(vec!["\0", "a\0", "a\0b", "tea\0"]).prop_map(str::to_owned),
    ]
}

fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![
        5 => instant(),
        1 => proptest::sample::select(vec![DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC]),
    ]
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => -2..3_i64,
        1 => proptest::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, 1 << 53, (1 << 53) + 1]),
    ]
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    proptest::sample::select(vec![
        0_i64,
        -1,
        1,
        1_767_225_600_000_000,
        1_767_225_600_000_001,
        253_402_300_799_999_999,
        -62_135_596_800_000_000,
    ])
    .prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
}

fn uuid() -> impl Strategy<Value = Uuid> {
    proptest::sample::select(vec![0_u128, 1, u128::MAX, 1 << 127]).prop_map(Uuid::from_u128)
}

fn status() -> impl Strategy<Value = Status> {
    proptest::sample::select(vec![Status::Draft, Status::InReview, Status::Published])
}

fn rank() -> impl Strategy<Value = Rank> {
    proptest::sample::select(vec![Rank::Guest, Rank::Member, Rank::Owner])
}

fn maybe<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.75, strategy)
}

prop_compose! {
    pub fn row()(
        parent_id in maybe(0..30_i64),
        (plain, nocase, rtrim, text) in (maybe(text()), maybe(text()), maybe(text()), text()),
        (number, count) in (maybe(number()), number()),
        (maybe_flag, sure) in (maybe(any::<bool>()), any::<bool>()),
        (instant, uuid) in (maybe(instant()), maybe(uuid())),
        (status, rank) in (maybe(status()), rank()),
    ) -> Sample {
        Sample {
            id: 0, parent_id, plain, nocase, rtrim, text, number, count, maybe: maybe_flag, sure, instant,
            uuid, status, rank,
        }
    }
}

prop_compose! {
    pub fn probe()(
        flags in any::<[bool; 2]>(),
        texts in proptest::array::uniform3(maybe(any_text())),
        numbers in proptest::array::uniform3(maybe(number())),
        instants in proptest::array::uniform2(maybe(any_instant())),
        uuids in proptest::array::uniform2(maybe(uuid())),
        (status_value, rank_value) in (maybe(status()), maybe(rank())),
        text_list in proptest::collection::vec(maybe(any_text()), 0..4),
        number_list in proptest::collection::vec(number(), 0..4),
        status_list in proptest::collection::vec(status(), 0..3),
    ) -> Probe {
        Probe {
            id: 1, flags, texts, numbers, instants, uuids, status: status_value, rank: rank_value,
            text_list, number_list, status_list,
        }
    }
}
