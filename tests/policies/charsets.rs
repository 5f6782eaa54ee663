//! Columns of narrower character sets than UTF-8: what is compared with them may be more than they hold.

use clearance::dto::{Aggregate, FieldName};
use clearance::repository::Page;
use clearance::{Access, Dto, Entity, Field, Viewer, Write, testing};

use crate::engines::{Database, Engine, database, engine};
use crate::support::system;

#[derive(Debug, Clone, Viewer)]
struct Reader {
    id: i64,
    word: String,
    words: Vec<String>,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "words",
    viewer = Reader,
    rows = open,
    reason = "the rules under test are on fields and on writes",
    create_if(true),
    update_if(row.plain != viewer.word && !viewer.words.contains(&row.old)),
    delete_if(row.plain == viewer.word || viewer.words.contains(&row.old)),
    has_many(alike: Word, on(wide = old))
)]
struct Word {
    #[entity(key)]
    id: i64,
    #[entity(lookup(many))]
    wide: Option<String>,
    #[entity(lookup(many))]
    old: Option<String>,
    #[entity(lookup(many))]
    plain: Option<String>,
    #[entity(lookup(many))]
    wide_bin: Option<String>,
    #[entity(lookup(many))]
    old_bin: Option<String>,
}

#[derive(Debug, Clone, Dto)]
#[dto(entity = Word, default = visible)]
struct Line {
    id: i64,
    wide: Option<String>,
    old: Option<String>,
    plain: Option<String>,
    wide_bin: Option<String>,
    old_bin: Option<String>,
}

#[derive(Debug, Dto)]
#[dto(entity = Word, default = visible)]
struct Seen {
    id: i64,
    #[visible_if(row.plain == viewer.word)]
    plain: Field<Option<String>>,
    #[visible_if(!viewer.words.contains(&row.old))]
    old: Field<Option<String>>,
    #[visible_if(viewer.words.contains(&row.wide))]
    wide: Field<Option<String>>,
}

#[derive(Debug, Dto)]
#[dto(entity = Word, default = visible)]
struct Family {
    id: i64,
    #[dto(related)]
    alike: Vec<Line>,
}

const TEXTS: [&str; 10] = [
    "", "a", "a ", "A", "az", "é", "aé", "\u{ffff}", "😀", "a😀z",
];

/// A column, which texts it can hold, and its cell in a row.
type Column = (&'static str, fn(char) -> bool, fn(&Line) -> Option<&str>);

const COLUMNS: [Column; 5] = [
    ("wide", |_| true, |line| line.wide.as_deref()),
    (
        "old",
        |letter| letter <= '\u{ffff}',
        |line| line.old.as_deref(),
    ),
    (
        "plain",
        |letter| letter.is_ascii(),
        |line| line.plain.as_deref(),
    ),
    ("wide_bin", |_| true, |line| line.wide_bin.as_deref()),
    (
        "old_bin",
        |letter| letter <= '\u{ffff}',
        |line| line.old_bin.as_deref(),
    ),
];

fn schema() -> String {
    let kind = |set: &str| match engine() {
        Engine::Mysql => format!("VARCHAR(40) CHARACTER SET {set}"),
        Engine::Sqlite | Engine::Postgres => "TEXT".to_owned(),
    };
    format!(
        "CREATE TABLE words (id INTEGER PRIMARY KEY, wide {}, old {}, plain {}, wide_bin {}, old_bin {});
         CREATE INDEX words_by_old ON words (old); CREATE INDEX words_by_plain ON words (plain);
         CREATE INDEX words_by_wide ON words (wide)",
        kind("utf8mb4 COLLATE utf8mb4_unicode_ci"),
        kind("utf8mb3"),
        kind("ascii"),
        kind("utf8mb4 COLLATE utf8mb4_bin"),
        kind("utf8mb3 COLLATE utf8mb3_bin"),
    )
}

/// A row for each text, in every column that can hold it, and one without any.
async fn words() -> Database {
    let database = database(&schema()).await;
    let access = system();
    let rows = (1..)
        .zip(TEXTS.map(Some).into_iter().chain([None]))
        .map(|(id, text)| {
            let held = |column: usize| {
                let (_, holds, _) = COLUMNS.get(column).unwrap();
                text.filter(|text| text.chars().all(holds))
                    .map(str::to_owned)
            };
            Word {
                id,
                wide: held(0),
                old: held(1),
                plain: held(2),
                wide_bin: held(3),
                old_bin: held(4),
            }
        });
    database.db.writer(&access).insert_many(rows).await.unwrap();
    database
}

fn token(name: &str) -> FieldName<Line> {
    FieldName::named(name).unwrap()
}

/// Every comparison that a filter has, and what it comes to.
type Test = (
    &'static str,
    fn(FieldName<Line>, &str) -> clearance::dto::Filter<Line>,
    fn(&str, &str) -> bool,
);

const TESTS: [Test; 11] = [
    ("=", |token, text| token.eq(text), |held, text| held == text),
    (
        "!=",
        |token, text| token.ne(text),
        |held, text| held != text,
    ),
    ("<", |token, text| token.lt(text), |held, text| held < text),
    (
        "<=",
        |token, text| token.le(text),
        |held, text| held <= text,
    ),
    (">", |token, text| token.gt(text), |held, text| held > text),
    (
        ">=",
        |token, text| token.ge(text),
        |held, text| held >= text,
    ),
    (
        "in",
        |token, text| token.is_in([text, "az"]),
        |held, text| held == text || held == "az",
    ),
    (
        "not in",
        |token, text| token.is_not_in([text, "az"]),
        |held, text| held != text && held != "az",
    ),
    (
        "starts",
        |token, text| token.starts_with(text),
        |held, text| held.starts_with(text),
    ),
    (
        "ends",
        |token, text| token.ends_with(text),
        |held, text| held.ends_with(text),
    ),
    (
        "contains",
        |token, text| token.contains(text),
        |held, text| held.contains(text),
    ),
];

#[tokio::test]
async fn n23_a_text_that_a_column_cannot_hold_is_compared_exactly() {
    let words = words().await;
    let access = system();
    let reader = words.db.reader(&access);
    let all: Vec<Line> = reader.all(Line::select()).await.unwrap();
    let mut wrong = Vec::new();
    for (column, _, cell) in COLUMNS {
        for text in TEXTS {
            for (name, filter, holds) in TESTS {
                let wanted: Vec<i64> = all
                    .iter()
                    .filter(|line| cell(line).is_some_and(|held| holds(held, text)))
                    .map(|line| line.id)
                    .collect();
                let query = Line::select().filter(filter(token(column), text));
                match reader.all(query).await {
                    Ok(lines) => {
                        let mut found: Vec<i64> = lines.iter().map(|line| line.id).collect();
                        found.sort_unstable();
                        if found != wanted {
                            wrong.push(format!(
                                "{column} {name} {text:?}: {found:?} for {wanted:?}"
                            ));
                        }
                    }
                    Err(error) => wrong.push(format!("{column} {name} {text:?}: {error:?}")),
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn n23_orders_pages_groups_and_lookups_of_such_columns_are_those_of_bytes() {
    let words = words().await;
    let access = system();
    let reader = words.db.reader(&access);
    for (column, _, cell) in COLUMNS {
        let query = Line::select().order(token(column).asc());
        let all = reader.all(query.clone()).await.unwrap();
        let held: Vec<&str> = all.iter().filter_map(cell).collect();
        assert!(held.is_sorted(), "{column} {held:?}");
        let mut paged = Vec::new();
        let mut page = Page::first(1);
        loop {
            let slice = reader.page(query.clone(), page).await.unwrap();
            paged.extend(slice.rows.iter().map(|line| line.id));
            match slice.next {
                Some(next) => page = Page::after(1, &next),
                None => break,
            }
        }
        assert_eq!(
            paged,
            all.iter().map(|line| line.id).collect::<Vec<_>>(),
            "{column}"
        );
        let rows = (Aggregate::<Line, _>::rows(),);
        let groups = reader
            .groups(Line::select(), token(column), rows)
            .await
            .unwrap();
        assert_eq!(groups.len(), held.len() + 1, "{column}");
    }
    for text in TEXTS {
        let found = async |query| reader.count(query).await.unwrap();
        let is_old = u64::from(text.chars().all(|letter| letter <= '\u{ffff}'));
        assert_eq!(
            found(Line::select().lookup(Word::OLD, text)).await,
            is_old,
            "{text}"
        );
        let is_plain = u64::from(text.is_ascii());
        assert_eq!(
            found(Line::select().lookup(Word::PLAIN, text)).await,
            is_plain,
            "{text}"
        );
        assert_eq!(
            found(Line::select().lookup(Word::WIDE, text)).await,
            1,
            "{text}"
        );
    }
    // What joins rows is compared so, too.
    let families = reader.all(Family::select()).await.unwrap();
    let related = families
        .iter()
        .filter(|family| !family.alike.is_empty())
        .count();
    assert_eq!(
        related,
        TEXTS
            .iter()
            .filter(|text| text.chars().all(|letter| letter <= '\u{ffff}'))
            .count()
    );
}

#[tokio::test]
async fn n23_what_the_viewer_holds_may_be_more_than_a_column_does() {
    let words = words().await;
    for text in TEXTS {
        let viewer = Reader {
            id: 1,
            word: text.to_owned(),
            words: vec!["az".to_owned(), text.to_owned()],
        };
        testing::as_viewer(viewer)
            .scope(async {
                let access = Access::<Write<Reader>>::authenticated().await.unwrap();
                let writer = words.db.writer(&access);
                let lines: Vec<Line> = writer.all(Line::select()).await.unwrap();
                let seen: Vec<Seen> = writer.all(Seen::select()).await.unwrap();
                for (line, seen) in lines.iter().zip(&seen) {
                    assert_eq!(line.id, seen.id);
                    let listed = |held: &str| held == text || held == "az";
                    let plain = line.plain.as_deref().is_some_and(|held| held == text);
                    assert_eq!(!seen.plain.is_hidden(), plain, "{text} {line:?}");
                    let old = line.old.as_deref().is_some_and(|held| !listed(held));
                    assert_eq!(!seen.old.is_hidden(), old, "{text} {line:?}");
                    let wide = line.wide.as_deref().is_some_and(listed);
                    assert_eq!(!seen.wide.is_hidden(), wide, "{text} {line:?}");
                }
                // Row 4 is `A` in every column: its own rules, and those of a row that is not there.
                let update = writer
                    .update::<Word>(4)
                    .set(Word::WIDE, Some("A".to_owned()));
                assert_eq!(update.execute().await.is_ok(), text != "A", "{text}");
                let listed =
                    Line::select().filter(Line::OLD.is_in([text, "az"]).and(Line::ID.ne(4)));
                let update = writer.update_many(listed.clone()).set(Word::WIDE_BIN, None);
                update.execute_permitted().await.unwrap();
                let update = writer.update_many(listed).set(Word::WIDE_BIN, None);
                match update.execute_all().await {
                    Ok(_) => {}
                    Err(error) => assert!(error.is_forbidden(), "{text} {error:?}"),
                }
                if text != "A" {
                    let refused = writer.delete::<Word>(4).await.unwrap_err();
                    assert!(refused.status() < 500, "{text} {refused:?}");
                }
                // Within a transaction, which goes on.
                let transaction = words.db.begin(&access).await.unwrap();
                let db = transaction.db();
                let query = Line::select().filter(Line::PLAIN.eq(text));
                let found = db.reader(&access).all(query).await.unwrap();
                assert_eq!(found.len(), usize::from(text.is_ascii()), "{text}");
                transaction.commit().await.unwrap();
            })
            .await;
    }
}

#[tokio::test]
async fn n23_a_text_that_a_column_cannot_hold_is_not_written_to_it() {
    if engine() != Engine::Mysql {
        return;
    }
    let words = words().await;
    let access = system();
    let writer = words.db.writer(&access);
    for (column, text) in [
        (Word::OLD, "😀"),
        (Word::PLAIN, "é"),
        (Word::PLAIN, "😀"),
        (Word::OLD_BIN, "a😀"),
    ] {
        let update = writer.update::<Word>(1).set(column, Some(text.to_owned()));
        assert!(update.execute().await.unwrap_err().is_invalid(), "{text}");
    }
}

/// The index of a narrower column serves what it can hold, and so does that of a wide one for every text.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test asks the engine for its plan"
)]
async fn n23_an_index_serves_texts_that_its_column_holds() {
    use sqlx::Row as _;

    let words = words().await;
    let crate::engines::TestPool::Mysql(pool) = &words.pool else {
        return;
    };
    words
        .pool
        .execute("INSERT INTO words (id, wide, old, plain) SELECT seq, seq, seq, seq FROM seq_100_to_2000")
        .await;
    let viewer = Reader {
        id: 1,
        word: String::new(),
        words: Vec::new(),
    };
    let texts = testing::as_viewer(viewer)
        .scope(async {
            let access = Access::<Write<Reader>>::authenticated().await.unwrap();
            let reader = words.db.reader(&access);
            let text = |filter| {
                reader
                    .__text(Line::select().filter(filter))
                    .unwrap()
                    .unwrap()
            };
            [
                (text(Line::OLD.eq("a")), "a", "words_by_old"),
                (text(Line::OLD.eq("é")), "é", "words_by_old"),
                (text(Line::PLAIN.eq("a")), "a", "words_by_plain"),
                (text(Line::WIDE.eq("é")), "é", "words_by_wide"),
                (text(Line::WIDE.eq("😀")), "😀", "words_by_wide"),
            ]
        })
        .await;
    for (sql, text, index) in texts {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN {sql}"));
        let plan = sqlx::query(explain)
            .bind(text)
            .bind(text)
            .fetch_one(pool)
            .await
            .unwrap();
        let key: Option<String> = plan.get("key");
        assert_eq!(key.as_deref(), Some(index), "{sql} {text}");
    }
}

clearance::app! {
    static WORDS = { viewer: Reader, dtos: [Line], repositories: [] };
}

#[tokio::test]
async fn n23_op_44_the_check_refuses_what_could_not_be_exact_and_says_what_to_do() {
    let words = words().await;
    words.db.check(&WORDS).await.unwrap();
    if engine() != Engine::Mysql {
        return;
    }
    for set in ["latin1", "ucs2", "utf16", "utf32", "cp1252", "binary"] {
        let change = match set {
            "cp1252" => "ALTER TABLE words MODIFY old VARCHAR(40) CHARACTER SET cp1251".to_owned(),
            "binary" => "ALTER TABLE words MODIFY old VARBINARY(40)".to_owned(),
            set => format!("ALTER TABLE words MODIFY old VARCHAR(40) CHARACTER SET {set}"),
        };
        words.pool.execute("UPDATE words SET old = NULL").await;
        words.pool.execute(&change).await;
        let error = words.db.check(&WORDS).await.unwrap_err().to_string();
        assert!(error.contains("`words.old`"), "{set} {error}");
        assert!(
            error.contains("declare it CHARACTER SET utf8mb4"),
            "{set} {error}"
        );
    }
    words
        .pool
        .execute("ALTER TABLE words MODIFY old TEXT CHARACTER SET utf8mb3")
        .await;
    words.db.check(&WORDS).await.unwrap();
    words
        .pool
        .execute("ALTER TABLE words MODIFY id BIGINT UNSIGNED")
        .await;
    let error = words.db.check(&WORDS).await.unwrap_err().to_string();
    assert!(
        error.contains("`words.id`") && error.contains("declare it BIGINT"),
        "{error}"
    );
}
