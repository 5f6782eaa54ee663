//! What a row that one user wrote, or that nobody can read, does to who reads the others.

use clearance::dto::Grouping;
use clearance::repository::{Cursor, Page, Select};
use clearance::{Dto, Entity, Error, Field, TextEnum};
use futures_util::StreamExt as _;

use crate::engines::{Engine, engine};
use crate::support::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum)]
pub enum Level {
    Low,
    High,
}

impl serde::Serialize for Level {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "articles",
    viewer = Member,
    has_many(remarks: Remark, by = article),
    rows = open,
    reason = "which rows can be read is under test"
)]
pub struct Article {
    #[entity(key)]
    pub id: i64,
    #[entity(lookup)]
    pub slug: String,
    #[entity(lookup(many))]
    pub shelf: i64,
    pub title: String,
    pub level: Level,
    pub at: Option<chrono::DateTime<chrono::Utc>>,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "remarks", viewer = Member, rows = open, reason = "as above")]
pub struct Remark {
    #[entity(key)]
    pub id: i64,
    pub article: i64,
    pub level: Level,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Article, default = visible)]
pub struct ArticleView {
    pub id: i64,
    pub title: String,
}

/// What cannot be read is hidden.
#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Article, default = visible)]
pub struct Hiding {
    pub id: i64,
    #[visible_if(viewer.id > 0)]
    pub level: Field<Level>,
    #[visible_if(viewer.id > 0)]
    pub at: Field<Option<chrono::DateTime<chrono::Utc>>>,
    #[dto(related)]
    pub remarks: Vec<RemarkView>,
}

/// What cannot be read has no place.
#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Article, default = visible)]
pub struct Plain {
    pub id: i64,
    pub level: Level,
    pub at: Option<chrono::DateTime<chrono::Utc>>,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Remark, default = visible)]
pub struct RemarkView {
    pub id: i64,
    pub level: Level,
}

const SCHEMA: &str = "
    CREATE TABLE articles (
        id INTEGER PRIMARY KEY, slug KEYTEXT NOT NULL UNIQUE, shelf INTEGER NOT NULL, title TEXT NOT NULL,
        level TEXT NOT NULL, at INSTANT
    );
    CREATE TABLE remarks (id INTEGER PRIMARY KEY, article INTEGER NOT NULL, level TEXT NOT NULL);
";

fn article(id: i64, title: impl Into<String>) -> Article {
    Article {
        id,
        slug: format!("article-{id}"),
        shelf: 1,
        title: title.into(),
        level: Level::High,
        at: Some(instant(id)),
    }
}

async fn library(articles: impl IntoIterator<Item = Article>) -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    writer.insert_many(articles).await.unwrap();
    let remarks = (1..=3).map(|id| Remark {
        id,
        article: 1,
        level: Level::Low,
    });
    writer.insert_many(remarks).await.unwrap();
    directory
}

/// Titles of 12 KB that begin alike for longer or shorter, and short ones.
fn titles() -> Vec<String> {
    let long = |letter: &str| letter.repeat(12 * 1024 / letter.len());
    let mut titles = vec![
        long("a"),
        format!("{}b", long("a")),
        format!("{}b{}", "a".repeat(200), long("c")),
        format!("{}ä{}", "a".repeat(255), long("ö")),
        format!("{}ö{}", "a".repeat(255), long("ä")),
        long("\u{10ffff}"),
        long("z"),
        "a".to_owned(),
        "b".to_owned(),
        long("z"),
    ];
    titles.extend((0..4).map(|number| format!("{}{number}", "m".repeat(240 + number))));
    titles
}

async fn pages(
    directory: &Directory,
    query: impl Fn() -> Select<ArticleView>,
    mut between: impl AsyncFnMut(i64),
) -> (Vec<i64>, usize) {
    let (mut ids, mut longest) = (Vec::new(), 0);
    let mut after: Option<Cursor> = None;
    loop {
        let page = match &after {
            None => Page::first(1),
            Some(cursor) => Page::after(1, cursor),
        };
        let slice = as_viewer(stranger(), async {
            let access = read().await;
            directory.db.reader(&access).page(query(), page).await
        });
        let slice = slice.await.unwrap();
        ids.extend(slice.rows.iter().map(|row| row.id));
        let Some(next) = slice.next else {
            return (ids, longest);
        };
        longest = longest.max(next.as_str().len());
        between(ids.last().copied().unwrap()).await;
        after = Some(next);
        assert!(ids.len() < 100, "{ids:?}");
    }
}

/// The ids in the order of the titles. MySQL orders by their first 256 characters.
fn in_order(titles: &[String], descending: bool) -> Vec<i64> {
    let mut order: Vec<(Vec<u8>, i64)> = titles
        .iter()
        .zip(1..)
        .map(|(title, id)| match engine() {
            Engine::Sqlite | Engine::Postgres => (title.clone().into_bytes(), id),
            Engine::Mysql => (title.chars().take(256).collect::<String>().into_bytes(), id),
        })
        .collect();
    order.sort_by(|(one, first), (other, second)| {
        let by_title = if descending {
            other.cmp(one)
        } else {
            one.cmp(other)
        };
        by_title.then(first.cmp(second))
    });
    order.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn av_08_a_page_that_ends_at_a_long_text_goes_on_behind_it_and_its_cursor_is_short() {
    let titles = titles();
    let articles = titles.iter().zip(1..).map(|(title, id)| article(id, title));
    let directory = library(articles).await;
    let ascending = || ArticleView::select().order(ArticleView::TITLE.asc());
    let descending = || ArticleView::select().order(ArticleView::TITLE.desc());
    let (ids, longest) = pages(&directory, ascending, async |_| {}).await;
    assert_eq!(ids, in_order(&titles, false));
    assert!(longest < 1_024, "{longest}");
    let (ids, _) = pages(&directory, descending, async |_| {}).await;
    assert_eq!(ids, in_order(&titles, true));
}

#[tokio::test]
async fn av_08_a_row_that_is_gone_or_another_has_the_next_page_skip_none() {
    let titles = titles();
    let all = || titles.iter().zip(1..).map(|(title, id)| article(id, title));
    for descending in [false, true] {
        let directory = library(all()).await;
        let query = || {
            let order = ArticleView::TITLE;
            ArticleView::select().order(if descending {
                order.desc()
            } else {
                order.asc()
            })
        };
        let access = system();
        let writer = directory.db.writer(&access);
        // Each row changes or goes as soon as a page has shown it, and where it stood is forgotten.
        let (ids, _) = pages(&directory, query, async |id| {
            if id % 2 == 0 {
                writer.delete::<Article>(id).await.unwrap();
            } else {
                // Where the order ends: who went on from there would skip the rest.
                let edge = if descending {
                    String::new()
                } else {
                    "\u{10ffff}".repeat(4_000)
                };
                let update = writer.update::<Article>(id).set(Article::TITLE, edge);
                update.execute().await.unwrap();
            }
        })
        .await;
        let mut seen = ids.clone();
        seen.sort_unstable();
        seen.dedup();
        let everybody: Vec<i64> = all().map(|article| article.id).collect();
        assert_eq!(seen, everybody, "{ids:?}");
    }
}

/// A value that another program wrote, or a later version of this one.
async fn spoil(directory: &Directory) {
    execute(
        &directory.pool,
        "UPDATE articles SET level = 'Vip' WHERE id = 2",
    )
    .await;
    execute(
        &directory.pool,
        "UPDATE remarks SET level = 'Vip' WHERE id = 2",
    )
    .await;
    let at = match engine() {
        Engine::Sqlite => "UPDATE articles SET at = 9223372036854775807 WHERE id IN (3, 4)",
        Engine::Postgres => "UPDATE articles SET at = 'infinity' WHERE id IN (3, 4)",
        // Its columns hold no other instants than those of the years that there are.
        Engine::Mysql => "UPDATE articles SET level = 'Vip' WHERE id IN (3, 4)",
    };
    execute(&directory.pool, at).await;
}

#[tokio::test]
async fn av_10_a_value_that_cannot_be_read_hides_its_field_or_leaves_its_row_out() {
    let directory = library((1..=6).map(|id| article(id, "x"))).await;
    spoil(&directory).await;
    as_viewer(stranger(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let (events, _guard) = AllEvents::listen();
        let rows = reader
            .all(Hiding::select().order(Hiding::ID.asc()))
            .await
            .unwrap();
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[0].level, Field::Visible(Level::High));
        assert_eq!(rows[1].level, Field::Hidden);
        assert_eq!(rows[1].at, Field::Visible(Some(instant(2))));
        let hidden = [rows[2].level == Field::Hidden, rows[2].at == Field::Hidden];
        assert_eq!(
            hidden,
            [engine() == Engine::Mysql, engine() != Engine::Mysql]
        );
        let remarks: Vec<i64> = rows[0].remarks.iter().map(|remark| remark.id).collect();
        assert_eq!(remarks, [1, 3]);
        let told = events.take();
        let told = |what: &str| told.iter().any(|event| event.contains(what));
        assert!(told("entity=Article field=level key=2"));
        assert!(told("entity=Remark field=level key=2"));
        assert!(!told("Vip"));

        let ids = |rows: Vec<Plain>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        let by_id = || Plain::select().order(Plain::ID.asc());
        assert_eq!(ids(reader.all(by_id()).await.unwrap()), [1, 5, 6]);
        let streamed = reader.stream(by_id()).await.unwrap();
        let streamed: Vec<_> = streamed.map(|row| row.unwrap()).collect().await;
        assert_eq!(ids(streamed), [1, 5, 6]);
        // Who asks for one row is told, and not that it is not there.
        for id in [2, 3] {
            let one = reader.one(Plain::select().lookup(Article::ID, id)).await;
            assert_eq!(one.unwrap_err().status(), 500);
            let optional = reader
                .optional(Plain::select().lookup(Article::ID, id))
                .await;
            assert_eq!(optional.unwrap_err().status(), 500);
        }
        assert_eq!(
            reader
                .one(Plain::select().lookup(Article::ID, 1))
                .await
                .unwrap()
                .id,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn av_10_pages_go_on_past_values_that_cannot_be_read() {
    let directory = library((1..=6).map(|id| article(id, "x"))).await;
    spoil(&directory).await;
    for (orders, expected) in [
        (vec![Plain::AT.asc()], vec![1, 5, 6]),
        (vec![Plain::AT.desc()], vec![6, 5, 1]),
        (vec![Plain::LEVEL.asc(), Plain::AT.desc()], vec![6, 5, 1]),
    ] {
        let query = || {
            orders
                .iter()
                .fold(Plain::select(), |query, order| query.order(*order))
        };
        let found = as_viewer(stranger(), async {
            let access = read().await;
            let reader = directory.db.reader(&access);
            let mut ids = Vec::new();
            let mut page = Page::first(1);
            for _ in 0..10 {
                let slice = reader.page(query(), page).await.unwrap();
                ids.extend(slice.rows.iter().map(|row| row.id));
                match slice.next {
                    Some(cursor) => page = Page::after(1, &cursor),
                    None => return ids,
                }
            }
            panic!("the pages have no end: {ids:?}");
        });
        assert_eq!(found.await, expected);
    }
}

#[tokio::test]
async fn av_10_aggregates_are_made_of_what_can_be_read() {
    let directory = library((1..=6).map(|id| article(id, "x"))).await;
    execute(
        &directory.pool,
        "UPDATE articles SET level = 'Vip' WHERE id = 2",
    )
    .await;
    let infinite = engine() == Engine::Postgres;
    if infinite {
        let sql = "UPDATE articles SET at = CASE id WHEN 3 THEN '-infinity' ELSE 'infinity' END::timestamptz \
                   WHERE id IN (3, 4)";
        execute(&directory.pool, sql).await;
    }
    as_viewer(stranger(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let wanted = (
            Plain::AT.min(),
            Plain::AT.max(),
            Plain::AT.count(),
            Plain::LEVEL.count(),
        );
        let (least, greatest, instants, levels) =
            reader.aggregate(Plain::select(), wanted).await.unwrap();
        let value = |id| clearance::policy::Value::Timestamp(instant(id).timestamp_micros());
        assert_eq!((least, greatest), (value(1), value(6)));
        assert_eq!((instants, levels), (if infinite { 4 } else { 6 }, 5));
        let groups = reader
            .groups(Plain::select(), Grouping::by([Plain::AT]), ())
            .await;
        assert_eq!(groups.unwrap().len(), if infinite { 5 } else { 6 });
    })
    .await;
}

clearance::app! {
    pub static LIBRARY = {
        viewer: Member,
        dtos: [ArticleView, RemarkView],
        repositories: [],
    };
}

#[tokio::test]
async fn av_11_a_lookup_for_one_row_wants_a_unique_index() {
    let directory = library([]).await;
    directory.db.check(&LIBRARY).await.unwrap();

    let schema = "
        CREATE TABLE articles (
            id INTEGER PRIMARY KEY, slug KEYTEXT NOT NULL, shelf INTEGER NOT NULL, title TEXT NOT NULL,
            level TEXT NOT NULL, at INSTANT
        );
        CREATE TABLE remarks (id INTEGER PRIMARY KEY, article INTEGER NOT NULL, level TEXT NOT NULL);
        CREATE INDEX articles_by_slug ON articles (slug);
    ";
    let directory = empty_directory(schema).await;
    let error = directory.db.check(&LIBRARY).await.unwrap_err();
    assert!(error.is_configuration());
    let text = error.to_string();
    assert!(
        text.contains("the column `articles.slug` of `Article::slug`"),
        "{text}"
    );
    assert!(!text.contains("shelf"), "{text}");
    // Another column beside it may be what tells the rows apart.
    execute(
        &directory.pool,
        "CREATE UNIQUE INDEX articles_of_shelf ON articles (shelf, slug)",
    )
    .await;
    directory.db.check(&LIBRARY).await.unwrap();
}

#[tokio::test]
async fn av_11_a_lookup_of_many_is_for_lists() {
    let directory = library((1..=2).map(|id| article(id, "x"))).await;
    as_viewer(stranger(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let shelf = |number: i64| ArticleView::select().lookup(Article::SHELF, number);
        assert_eq!(reader.all(shelf(1)).await.unwrap().len(), 2);
        // However few rows there are now, so that it is noticed before there are more.
        for number in [1, 2] {
            let error: Error = reader.one(shelf(number)).await.unwrap_err();
            assert!(error.is_misuse(), "{error}");
            assert!(
                reader
                    .optional(shelf(number))
                    .await
                    .unwrap_err()
                    .is_misuse()
            );
        }
        let both = shelf(1).lookup(Article::SLUG, "article-2");
        assert_eq!(reader.one(both).await.unwrap().id, 2);
    })
    .await;
}
