//! The text of representative statements in the dialects of servers, which are not asked here: the
//! MySQL text is all that stands for MySQL 8 where only MariaDB runs.

use std::time::Duration;

use clearance::dto::Aggregate;
use clearance::repository::{Page, Select};
use clearance::{Dto, Field};

use crate::blog::{Post, Title, post, reader};
use crate::support::*;

#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
struct Entry {
    id: i64,
    username: String,
    #[visible_if(rule = same_team_or_admin)]
    #[dto(mask = last4)]
    phone: Option<String>,
    #[visible_if(rule = same_team_or_admin)]
    email: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin)]
    salary: Field<i64>,
    status: Status,
    #[visible_if(rule = same_team_or_admin)]
    published_at: Field<Option<chrono::DateTime<chrono::Utc>>>,
}

/// Each statement that the queries come to. There is no server, so all of them fail.
async fn texts(db: clearance::Db) -> String {
    let (events, _guard) = AllEvents::listen();
    let mut texts = String::new();
    let mut heading = |title: &str| {
        let statements = events.take().into_iter().filter_map(|event| {
            let statement = event.strip_prefix("clearance::sql statement=")?;
            Some(format!("{statement}\n"))
        });
        texts.extend(statements);
        texts.push_str(&format!("\n# {title}\n"));
    };
    as_viewer(editor(), async {
        let access = write().await;
        let writer = db.writer(&access);
        let unanswered = async |select: Select<Entry>| {
            assert!(writer.all(select).await.unwrap_err().is_unavailable());
        };
        heading("row rules, masks and cuts");
        unanswered(Entry::select()).await;
        heading("a lookup");
        unanswered(Entry::select().lookup(Person::SLUG, "ada")).await;
        heading("a filter and an order on cut fields");
        let filter = Entry::EMAIL
            .ends_with("@example.org")
            .or(Entry::USERNAME.starts_with("a_%"))
            .and(Entry::PUBLISHED_AT.is_not_null())
            .and(Entry::STATUS.ne(Status::Left))
            .and(!Entry::ID.is_in([1, 2]));
        let query = Entry::select().filter(filter);
        unanswered(query.order(Entry::EMAIL.desc()).limit(20)).await;
        heading("in constant time");
        let query = Entry::select().filter(Entry::EMAIL.eq("ada@example.org"));
        unanswered(query.constant_time()).await;
        heading("a search");
        unanswered(Entry::select().search("ada")).await;
        heading("a long list");
        unanswered(Entry::select().filter(Entry::ID.is_in(0..2_000))).await;
        heading("a page");
        let query = Entry::select().order(Entry::PUBLISHED_AT.asc());
        assert!(writer.page(query, Page::first(10)).await.is_err());
        heading("a count");
        assert!(writer.count(Entry::select()).await.is_err());
        heading("groups");
        let wanted = (
            Aggregate::<Entry, _>::rows(),
            Entry::SALARY.sum(),
            Entry::PUBLISHED_AT.max(),
        );
        let groups = writer.groups(Entry::select(), Entry::STATUS, wanted);
        assert!(groups.await.is_err());
        heading("an insert");
        let row = Person {
            author: editor().id,
            ..person(9, Some("red"))
        };
        assert!(writer.insert(row).await.is_err());
        heading("an update");
        let update = writer
            .update::<Person>(1)
            .set(Person::USERNAME, "b".to_owned());
        assert!(update.execute().await.is_err());
        heading("a delete");
        assert!(writer.delete::<Person>(1).await.is_err());
    })
    .await;
    let request = clearance::testing::as_viewer(reader(7, Some("red")));
    request
        .scope(async {
            let access = clearance::Access::<clearance::Write<_>>::authenticated();
            let access = access.await.unwrap();
            let writer = db.writer(&access);
            heading("rules over relations");
            assert!(writer.all(Title::select()).await.is_err());
            heading("an update by a rule over a relation");
            let title = post(1, None, None).title;
            let update = writer.update::<Post>(1).set(Post::TITLE, title);
            assert!(update.execute().await.is_err());
        })
        .await;
    heading("end");
    texts.trim_start().to_owned()
}

#[tokio::test]
async fn n7_t_2_the_text_for_mysql() {
    let pool = sqlx::mysql::MySqlPoolOptions::new()
        .acquire_timeout(Duration::from_millis(1))
        .connect_lazy("mysql://nobody@127.0.0.1:1/nothing")
        .unwrap();
    let db = clearance::Db::unguarded_pool(pool, "the text is all that is asked");
    insta::assert_snapshot!(texts(db).await);
}

#[tokio::test]
async fn n7_t_2_the_text_for_postgresql() {
    let pool = sqlx::postgres::PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(1))
        .connect_lazy("postgres://nobody@127.0.0.1:1/nothing")
        .unwrap();
    let db = clearance::Db::unguarded_pool(pool, "the text is all that is asked");
    insta::assert_snapshot!(texts(db).await);
}
