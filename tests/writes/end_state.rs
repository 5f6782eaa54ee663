//! What a write may make of a row: W11 to W14.

use clearance::entity::Relation;
use clearance::policy::{Context, Truth, evaluate_update};
use clearance::{Access, Dto, Entity, Error, Result, Roles, TextEnum as _, Viewer, Write, testing};

use crate::support::{Directory, Statements, empty_directory, instant, system};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
enum Stage {
    Draft,
    Review,
    Public,
}

#[derive(Debug, Clone, Viewer)]
struct Author {
    id: i64,
    editor: bool,
}

/// Whoever owns an article may change it, and may not give it away.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(
    table = "articles",
    viewer = Author,
    rows = open,
    reason = "writes are under test",
    belongs_to(journal: Journal, by = journal_id),
    create_if(row.owner == viewer.id && exists(row.journal, |journal| journal.open)),
    update_if(row.owner == viewer.id || viewer.editor)
)]
struct Article {
    #[entity(key)]
    id: i64,
    owner: i64,
    journal_id: Option<i64>,
    title: String,
}

/// An article again, with a life of its own: forward only, and public by editors only.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(
    table = "stages",
    viewer = Author,
    rows = open,
    reason = "writes are under test",
    belongs_to(journal: Journal, by = journal_id),
    create_if(true),
    update_if(row.owner == viewer.id || viewer.editor),
    updated_if(before.stage <= row.stage && (row.stage < Stage::Public || viewer.editor)),
    updated_if(same(before.owner, row.owner) || viewer.editor),
    updated_unless(row.note.is_none() && before.note.is_some()),
    updated_if(exists(row.journal, |journal| journal.open))
)]
struct Staged {
    #[entity(key)]
    id: i64,
    owner: i64,
    stage: Stage,
    note: Option<String>,
    journal_id: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "journals", viewer = Author, rows = open, reason = "only rules read them")]
struct Journal {
    #[entity(key)]
    id: i64,
    open: bool,
}

/// A thread whose answers stand in the same table.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "messages",
    viewer = Author,
    rows = open,
    reason = "writes are under test",
    belongs_to(parent: Message, by = parent_id),
    create_if(row.parent_id.is_none() || exists(row.parent, |parent| !parent.closed))
)]
struct Message {
    #[entity(key)]
    id: i64,
    parent_id: Option<i64>,
    closed: bool,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Article, default = visible)]
struct ArticleView {
    owner: i64,
    journal_id: Option<i64>,
    title: String,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Staged, default = visible)]
struct StagedView {
    owner: i64,
    stage: Stage,
    note: Option<String>,
    journal_id: i64,
}

impl serde::Serialize for Stage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

const SCHEMA: &str = "
    CREATE TABLE journals (id INTEGER PRIMARY KEY, open BOOLEAN NOT NULL);
    CREATE TABLE articles (
        id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, journal_id INTEGER, title KEYTEXT NOT NULL UNIQUE
    );
    CREATE TABLE stages (
        id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, stage TEXT NOT NULL, note TEXT, journal_id INTEGER NOT NULL
    );
    CREATE TABLE messages (id INTEGER PRIMARY KEY, parent_id INTEGER, closed BOOLEAN NOT NULL);
";

fn article(id: i64, owner: i64, journal_id: Option<i64>) -> Article {
    Article {
        id,
        owner,
        journal_id,
        title: format!("article {id}"),
    }
}

fn staged() -> Staged {
    Staged {
        id: 1,
        owner: 7,
        stage: Stage::Review,
        note: Some("sent".into()),
        journal_id: 1,
    }
}

/// Journal 1 is open and journal 2 is not; article 1 is by 7.
async fn press() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    for (id, open) in [(1, true), (2, false)] {
        writer.insert(Journal { id, open }).await.unwrap();
    }
    writer.insert(article(1, 7, Some(1))).await.unwrap();
    writer.insert(staged()).await.unwrap();
    directory
}

fn author() -> Author {
    Author {
        id: 7,
        editor: false,
    }
}

fn editor() -> Author {
    Author {
        id: 1,
        editor: true,
    }
}

async fn writing<T>(who: Author, work: impl AsyncFnOnce(Access<Write<Author>>) -> T) -> T {
    testing::as_viewer(who)
        .scope(async { work(Access::<Write<Author>>::authenticated().await.unwrap()).await })
        .await
}

async fn owner_set(directory: &Directory, who: Author, owner: i64) -> Result<()> {
    writing(who, async |access| {
        let update = directory.db.writer(&access).update::<Article>(1);
        let update = update.set(Article::OWNER, owner).set(Article::TITLE, "new");
        update.execute().await
    })
    .await
}

async fn stored(directory: &Directory) -> ArticleView {
    let access = system();
    let query = ArticleView::select().lookup(Article::ID, 1);
    directory.db.reader(&access).one(query).await.unwrap()
}

#[tokio::test]
async fn w11_a_row_may_not_end_as_one_that_could_not_be_updated() {
    let directory = press().await;
    let (statements, _guard) = Statements::listen();
    let error = owner_set(&directory, author(), 8).await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
    // The viewer and what was asked are enough to tell, so that no row is asked.
    assert_eq!(statements.take(), [""; 0]);
    assert_eq!(stored(&directory).await.title, "article 1");

    owner_set(&directory, author(), 7).await.unwrap();
    owner_set(&directory, editor(), 8).await.unwrap();
    assert_eq!(stored(&directory).await.owner, 8);
}

#[tokio::test]
async fn w11_what_no_rule_reads_costs_no_second_condition() {
    let directory = press().await;
    let (statements, _guard) = Statements::listen();
    writing(author(), async |access| {
        let update = directory.db.writer(&access).update::<Article>(1);
        update.set(Article::TITLE, "new").execute().await.unwrap();
    })
    .await;
    insta::assert_snapshot!(
        statements.one(),
        @r#"UPDATE "articles" AS "t0" SET "title" = ? WHERE "t0"."id" = ? AND "t0"."owner" = ?"#
    );
}

/// What an update of the staged article comes to, and what the evaluator says to each of its rules.
async fn stage_set(
    who: Author,
    change: impl Fn(&mut Staged) + Send + Sync,
) -> (std::result::Result<StagedView, Error>, bool) {
    let directory = press().await;
    let (before, mut after) = (staged(), staged());
    change(&mut after);
    let context = Context::new(instant(0));
    let rules = Staged::__table().rows().updated.as_ref().unwrap();
    // The last reads a journal, which the evaluator does not have: they all stay in the open one.
    let allowed = match rules {
        clearance::entity::Operation::Rules(rules) => rules.iter().take(3).all(|rule| {
            let truth = evaluate_update(rule, Some(&who), &before, &after, &context);
            truth == Ok(Truth::True)
        }),
        other => panic!("{other:?}"),
    };
    let outcome = writing(who, async |access| {
        let update = directory.db.writer(&access).update::<Staged>(1);
        let update = update.set(Staged::OWNER, after.owner);
        let update = update.set(Staged::STAGE, after.stage);
        let update = match after.note {
            Some(note) => update.set(Staged::NOTE, Some(note)),
            None => update.clear(Staged::NOTE),
        };
        update.execute().await
    })
    .await;
    let access = system();
    let query = StagedView::select().lookup(Staged::ID, 1);
    let stored = directory.db.reader(&access).one(query).await.unwrap();
    (outcome.map(|()| stored), allowed)
}

#[tokio::test]
async fn w12_a_new_value_is_compared_with_the_old_one() {
    for (who, stage, owner, note, allowed) in [
        (author(), Stage::Review, 7, Some("again"), true),
        (author(), Stage::Draft, 7, Some("back"), false),
        (author(), Stage::Public, 7, Some("out"), false),
        (editor(), Stage::Public, 7, Some("out"), true),
        (editor(), Stage::Draft, 7, Some("back"), false),
        (author(), Stage::Review, 8, Some("given away"), false),
        (editor(), Stage::Review, 8, Some("given away"), true),
        (author(), Stage::Review, 7, None, false),
    ] {
        let (outcome, in_rust) = stage_set(who, |row| {
            row.stage = stage;
            row.owner = owner;
            row.note = note.map(Into::into);
        })
        .await;
        assert_eq!(
            outcome.is_ok(),
            allowed,
            "{stage:?} {owner} {note:?} {outcome:?}"
        );
        assert_eq!(in_rust, allowed, "{stage:?} {owner} {note:?}");
        if let Ok(stored) = outcome {
            assert_eq!((stored.stage, stored.owner), (stage, owner));
        }
    }
}

#[tokio::test]
async fn w18_w11_a_key_of_another_row_is_checked_where_it_will_lead() {
    let directory = press().await;
    let moved = async |journal: i64| {
        writing(author(), async |access| {
            let update = directory.db.writer(&access).update::<Staged>(1);
            update.set(Staged::JOURNAL_ID, journal).execute().await
        })
        .await
    };
    // Closed, and not there at all.
    assert!(moved(2).await.unwrap_err().is_not_found());
    assert!(moved(9).await.unwrap_err().is_not_found());
    moved(1).await.unwrap();
    let join = Staged::__table().relations().first().map(Relation::name);
    assert_eq!(join, Some("journal"));
}

#[tokio::test]
async fn w14_creation_reads_related_rows_in_the_statement_that_inserts() {
    let directory = press().await;
    let (statements, _guard) = Statements::listen();
    writing(author(), async |access| {
        let writer = directory.db.writer(&access);
        writer.insert(article(2, 7, Some(1))).await.unwrap();
        assert_eq!(statements.take().len(), 1);
        for refused in [
            article(3, 7, Some(2)),
            article(3, 7, Some(9)),
            article(3, 7, None),
            article(3, 8, Some(1)),
        ] {
            let error = writer.insert(refused).await.unwrap_err();
            assert!(error.is_forbidden(), "{error}");
        }
    })
    .await;
    let access = system();
    let reader = directory.db.reader(&access);
    assert_eq!(reader.count(ArticleView::select()).await.unwrap(), 2);
}

#[tokio::test]
async fn w19_the_rule_speaks_before_a_unique_key() {
    let directory = press().await;
    writing(author(), async |access| {
        let writer = directory.db.writer(&access);
        let twin = |journal_id| Article {
            title: "article 1".into(),
            ..article(2, 7, journal_id)
        };
        let error = writer.insert(twin(Some(2))).await.unwrap_err();
        assert!(error.is_forbidden(), "{error}");
        let error = writer.insert(twin(Some(1))).await.unwrap_err();
        assert!(error.is_conflict(), "{error}");
    })
    .await;
}

#[tokio::test]
async fn w14_a_row_may_be_created_by_a_rule_over_its_own_table() {
    let directory = press().await;
    writing(author(), async |access| {
        let writer = directory.db.writer(&access);
        let message = |id, parent_id, closed| Message {
            id,
            parent_id,
            closed,
        };
        writer.insert(message(1, None, false)).await.unwrap();
        writer.insert(message(2, Some(1), true)).await.unwrap();
        let error = writer.insert(message(3, Some(2), false)).await.unwrap_err();
        assert!(error.is_forbidden(), "{error}");
    })
    .await;
}
