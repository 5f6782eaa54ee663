//! What the viewer decides before the query, and what that leaves of it: P and X rows.

use clearance::{Dto, Field};

use crate::support::*;

#[tokio::test]
async fn p1_x1_a_rule_that_the_viewer_fulfils_gives_the_raw_column() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(admin(), async {
        let access = read().await;
        directory.db.reader(&access).all(Profile::select()).await
    })
    .await
    .unwrap();
    let sql = statements.one();
    assert!(!sql.contains("CASE"), "{sql}");
    // The admin passes the row rule as well, so no predicate is left.
    assert!(!sql.contains("WHERE"), "{sql}");
    assert!(sql.contains(r#""t0"."salary" AS "salary""#), "{sql}");
}

#[tokio::test]
async fn p2_x1_a_rule_that_the_viewer_fails_takes_the_column_out_of_the_text() {
    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    as_viewer(editor(), async {
        let access = read().await;
        directory.db.reader(&access).all(Profile::select()).await
    })
    .await
    .unwrap();
    let sql = statements.one();
    assert!(!sql.contains("salary"), "{sql}");
    // What depends on the row is masked where it lies.
    assert!(
        sql.contains(r#"THEN "t0"."phone" END) AS "phone""#),
        "{sql}"
    );
    assert!(!sql.contains(r#""t0"."phone" AS"#), "{sql}");
}

#[tokio::test]
async fn p3_what_is_true_or_more_is_not_asked_and_what_is_false_and_more_needs_no_query() {
    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Card {
        id: i64,
        #[visible_if(viewer.role >= Role::Admin || row.team == "red")]
        salary: Field<i64>,
    }

    let directory = directory().await;
    let (statements, _guard) = Statements::listen();
    let rows = as_viewer(admin(), async {
        let access = read().await;
        directory.db.reader(&access).all(Card::select()).await
    })
    .await
    .unwrap();
    assert_eq!(rows[0].id, 1);
    assert!(rows.iter().all(|row| !row.salary.is_hidden()));
    assert!(!statements.one().contains("team"));

    // Nobody may delete but an admin: the statement is not even sent.
    let error = as_viewer(editor(), async {
        let access = write().await;
        directory.db.writer(&access).delete::<Person>(1).await
    })
    .await
    .unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(statements.take(), [""; 0]);
}

#[tokio::test]
async fn p5_a_condition_on_the_viewer_is_asked_once_in_a_request() {
    thread_local! {
        static ASKED: Counter = Counter::default();
    }
    fn counted(viewer: &Member) -> bool {
        ASKED.with(Counter::increment);
        viewer.role >= Role::Admin
    }

    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Card {
        id: i64,
        #[visible_if(counted(viewer) || row.team == "red")]
        salary: Field<i64>,
    }

    let directory = directory_of((1..=50).map(|id| person(id, Some("red"))).collect()).await;
    as_viewer(editor(), async {
        for _ in 0..3 {
            let access = read().await;
            let rows = directory
                .db
                .reader(&access)
                .all(Card::select())
                .await
                .unwrap();
            assert_eq!(rows.len(), 50);
            assert!(rows.iter().all(|row| !row.salary.is_hidden() && row.id > 0));
            let many = (1..=50).map(|id| person(id, Some("blue")));
            let projected = access.project::<Card>(many).await.unwrap();
            assert!(projected.iter().all(|row| row.salary.is_hidden()));
        }
    })
    .await;
    assert_eq!(ASKED.with(Counter::count), 1);
}

#[tokio::test]
async fn p6_what_depends_on_the_row_is_decided_for_each_row() {
    let directory = directory().await;
    let (first, second) = as_viewer(editor(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let find = |slug: &str| Profile::select().lookup(Person::SLUG, slug);
        (
            reader.one(find("person-1")).await.unwrap(),
            reader.one(find("person-3")).await.unwrap(),
        )
    })
    .await;
    assert!(!first.phone.is_hidden());
    assert!(second.phone.is_hidden());
    // And in memory, in one call.
    let mixed = vec![person(1, Some("blue")), person(2, Some("red"))];
    let shown = as_viewer(editor(), async {
        read().await.project::<Profile>(mixed).await.unwrap()
    })
    .await;
    assert!(shown[0].phone.is_hidden());
    assert!(!shown[1].phone.is_hidden());
}

#[tokio::test]
async fn p7_decisions_are_not_shared_between_viewers() {
    let directory = directory().await;
    let see = async |viewer: Member| {
        as_viewer(viewer, async {
            // Both requests are under way at once.
            let access = read().await;
            tokio::task::yield_now().await;
            let rows = directory
                .db
                .reader(&access)
                .all(Profile::select())
                .await
                .unwrap();
            tokio::task::yield_now().await;
            rows.iter().filter(|row| !row.salary.is_hidden()).count()
        })
        .await
    };
    for _ in 0..20 {
        let (admin, editor, again) = tokio::join!(see(admin()), see(editor()), see(admin()));
        assert_eq!((admin, editor, again), (6, 0, 6));
    }
}

#[tokio::test]
async fn a_dto_without_a_visible_field_still_tells_that_the_row_is_there() {
    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Pay {
        #[visible_if(viewer.role >= Role::Admin)]
        salary: Field<i64>,
    }

    let directory = directory().await;
    let rows = as_viewer(editor(), async {
        let access = read().await;
        directory.db.reader(&access).all(Pay::select()).await
    })
    .await
    .unwrap();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row.salary.is_hidden()));
}

#[tokio::test]
async fn t_2_p1_exact_comparison_keeps_the_index_on_sqlite() {
    use sqlx::Row as _;

    #[derive(clearance::Entity)]
    #[entity(table = "notes", viewer = Member, read_if(same(viewer.team, row.team)))]
    struct Note {
        #[entity(key)]
        id: i64,
        #[entity(lookup)]
        slug: String,
        team: Option<String>,
    }

    #[derive(Dto)]
    #[dto(entity = Note, default = visible)]
    struct NoteCard {
        id: i64,
    }

    let directory = empty_directory(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, slug TEXT NOT NULL COLLATE NOCASE, team TEXT);
         CREATE INDEX notes_by_slug ON notes (slug);
         CREATE INDEX notes_by_team ON notes (team);
         INSERT INTO notes VALUES (1, 'a', 'red'), (2, 'A', 'red'), (3, 'b', 'RED')",
    )
    .await;
    let (statements, _guard) = Statements::listen();
    let ids = |cards: Vec<NoteCard>| cards.iter().map(|card| card.id).collect::<Vec<_>>();
    let by_rule = as_viewer(editor(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        reader.all(NoteCard::select()).await.unwrap()
    })
    .await;
    assert_eq!(ids(by_rule), [1, 2]);
    // The column of the lookup ignores case, and the lookup does not.
    let access = system();
    let by_lookup = NoteCard::select().lookup(Note::SLUG, "A");
    let by_lookup = directory.db.reader(&access).all(by_lookup).await.unwrap();
    assert_eq!(ids(by_lookup), [2]);

    for (sql, index) in statements
        .take()
        .into_iter()
        .zip(["notes_by_team", "notes_by_slug"])
    {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        #[expect(
            clippy::disallowed_methods,
            reason = "a test asks the engine for its plan"
        )]
        let plan = sqlx::query(explain)
            .fetch_one(directory.pool.sqlite())
            .await
            .unwrap();
        let plan: String = plan.get("detail");
        assert!(
            plan.starts_with("SEARCH") && plan.contains(index),
            "{sql}: {plan}"
        );
    }
}
