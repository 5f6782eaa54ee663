//! The text of a query that is remembered, and the two ways in which it can compare.

use clearance::repository::{Select, Shown};
use clearance::{Dto, Entity, Field};

use crate::engines::{Engine, engine};
use crate::queries::found;
use crate::support::*;

/// People without a rule on rows, so that two viewers differ in a field alone.
#[derive(clearance::Entity)]
#[entity(table = "people", viewer = Member, rows = open, reason = "a field is under test")]
struct Earner {
    #[entity(key)]
    id: i64,
    salary: i64,
}

#[derive(clearance::Dto)]
#[dto(entity = Earner, default = visible)]
struct Earnings {
    id: i64,
    #[visible_if(viewer.role >= Role::Admin)]
    salary: clearance::Field<i64>,
}

#[tokio::test]
async fn p7_r5_a_text_is_not_remembered_for_a_viewer_with_other_fields() {
    let directory = directory().await;
    for _ in 0..2 {
        for (viewer, hidden) in [(admin(), false), (stranger(), true)] {
            let rows = as_viewer(viewer, async {
                let access = read().await;
                let reader = directory.db.reader(&access);
                reader.all(Earnings::select()).await.unwrap()
            })
            .await;
            assert!(rows.iter().all(|row| row.salary.is_hidden() == hidden));
        }
    }
}

#[tokio::test]
async fn p7_n11_a_remembered_text_takes_the_values_of_each_viewer_and_query() {
    let directory = directory().await;
    let of_team = |team: &str| Member {
        team: Some(team.to_owned()),
        ..editor()
    };
    let (statements, _guard) = Statements::listen();
    let mut texts = std::collections::BTreeSet::new();
    // One structure, and values that differ each time: the viewer's own, the filter's, the limit.
    for (team, low, high, limit, ids) in [
        ("red", 0, 9, 9, vec![1, 2]),
        ("blue", 0, 9, 9, vec![3]),
        ("blue", 4, 9, 9, vec![]),
        ("red", 2, 9, 9, vec![2]),
        ("red", 0, 1, 9, vec![1]),
        ("red", 0, 9, 3, vec![1, 2]),
    ] {
        let query = Profile::select()
            .filter(Profile::ID.ge(low).and(Profile::ID.le(high)))
            .filter(Profile::PHONE.starts_with("+49"))
            .limit(limit);
        assert_eq!(found(&directory, of_team(team), query).await, ids);
        texts.extend(statements.take());
    }
    assert_eq!(texts.len(), 1, "{texts:#?}");
    // A true and a false have no mark of their own, so they are two texts.
    let flagged = |wanted| {
        Profile::select()
            .filter(Profile::ID.eq(1))
            .filter(if wanted {
                Profile::PHONE.is_null()
            } else {
                Profile::PHONE.is_not_null()
            })
    };
    assert_eq!(found(&directory, admin(), flagged(true)).await, [0; 0]);
    assert_eq!(found(&directory, admin(), flagged(false)).await, [1]);
}

/// So many people that an index is worth while, and all that the engine wants to know of them.
/// A table `many` of the numbers from 100 to 12,000, for the engine of this run.
fn many() -> &'static str {
    match engine() {
        Engine::Sqlite => {
            "(WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) SELECT i FROM n) AS many"
        }
        Engine::Postgres => "(SELECT i FROM generate_series(100, 12000) AS i) AS many",
        Engine::Mysql => "(SELECT seq AS i FROM seq_100_to_12000) AS many",
    }
}

/// Has the engine count what is in a table.
async fn analyze(directory: &Directory, table: &str) {
    let words = match engine() {
        Engine::Sqlite | Engine::Postgres => "ANALYZE",
        Engine::Mysql => "ANALYZE TABLE",
    };
    directory.pool.execute(&format!("{words} {table}")).await;
}

async fn many_people(directory: &Directory) {
    let text = |prefix: &str| match engine() {
        Engine::Mysql => format!("CONCAT('{prefix}', i)"),
        Engine::Sqlite | Engine::Postgres => format!("'{prefix}' || i"),
    };
    let (slug, phone) = (text("s"), text("+1 "));
    let fill = format!(
        "INSERT INTO people (id, slug, username, phone, salary, team, status, suspended, author, password_hash)
         SELECT i, {slug}, 'many', {phone}, 1, 'other', 'active', FALSE, 1, '' FROM {}",
        many()
    );
    directory.pool.execute(&fill).await;
    directory
        .pool
        .execute("CREATE INDEX people_phone ON people (phone)")
        .await;
    analyze(directory, "people").await;
}

/// How the engine calls the index of the key.
fn index_of_the_key() -> &'static str {
    match engine() {
        Engine::Sqlite => "INTEGER PRIMARY KEY",
        Engine::Postgres => "people_pkey",
        Engine::Mysql => "\"PRIMARY\"",
    }
}

/// Whether the answer reads the index of phones: MySQL names an index too that it does not use.
fn uses_the_phones(plan: &str) -> bool {
    match engine() {
        Engine::Sqlite | Engine::Postgres => plan.contains("people_phone"),
        Engine::Mysql => plan.contains("\"key\": \"people_phone\""),
    }
}

/// How the engine would answer the editor.
async fn plan_of<D>(directory: &Directory, select: Select<D>) -> String
where
    D: Shown,
    D::Entity: Entity<Viewer = Member>,
{
    as_viewer(editor(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        reader.__explain(select).await.unwrap().unwrap()
    })
    .await
}

#[tokio::test]
async fn x2_a_comparison_keeps_the_index_and_in_constant_time_does_not() {
    let directory = directory().await;
    many_people(&directory).await;
    let mut filters = vec![
        Profile::PHONE.eq("+49 30 555001"),
        Profile::PHONE.is_in(["+49 30 555001", "x"]),
    ];
    // MySQL orders text by no collation that compares bytes.
    if engine() != Engine::Mysql {
        filters.push(Profile::PHONE.gt("+49 30 555001"));
        filters.push(Profile::PHONE.starts_with("+49 30 555001"));
    }
    for filter in filters {
        let query = Profile::select().filter(filter);
        let default = plan_of(&directory, query.clone()).await;
        assert!(uses_the_phones(&default), "{query:?} {default}");
        let constant = plan_of(&directory, query.clone().constant_time()).await;
        assert!(!uses_the_phones(&constant), "{constant}");
        // The answers are the same in both modes, for whoever asks.
        for viewer in [admin, editor, stranger] {
            let one = found(&directory, viewer(), query.clone()).await;
            let other = found(&directory, viewer(), query.clone().constant_time()).await;
            assert_eq!(one, other);
        }
    }
    // The rule of the rows stands before the filter too.
    let open = Profile::select().filter(Profile::ID.eq(1)).constant_time();
    let rows_depend = plan_of(&directory, open).await;
    assert!(!rows_depend.contains(index_of_the_key()), "{rows_depend}");
}

/// The same people, whose rows are open, so that the rule of the field stands alone.
#[derive(Entity)]
#[entity(table = "people", viewer = Member, rows = open, reason = "a test of one field's rule")]
pub struct Open {
    #[entity(key)]
    pub id: i64,
    pub team: Option<String>,
    pub phone: Option<String>,
}

#[derive(Debug, Dto)]
#[dto(entity = Open, default = visible)]
pub struct OpenPhone {
    pub id: i64,
    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]
    pub phone: Field<Option<String>>,
}

#[tokio::test]
async fn x2_in_constant_time_the_rule_of_a_field_is_worked_out_before_its_value_is_compared() {
    let directory = directory().await;
    many_people(&directory).await;
    let query = || OpenPhone::select().filter(OpenPhone::PHONE.eq("+49 30 555001"));
    let default = plan_of(&directory, query()).await;
    assert!(uses_the_phones(&default), "{default}");
    let constant = plan_of(&directory, query().constant_time()).await;
    assert!(!uses_the_phones(&constant), "{constant}");
    // Where nothing is hidden there is nothing to protect, and the index stays.
    let by_key = OpenPhone::select()
        .filter(OpenPhone::ID.eq(1))
        .constant_time();
    let plan = plan_of(&directory, by_key).await;
    assert!(plan.contains(index_of_the_key()), "{plan}");
}

#[tokio::test]
async fn x2_s2_negations_are_the_same_in_constant_time() {
    let directory = directory().await;
    for filter in [
        !Profile::PHONE.eq("+49 30 555001"),
        Profile::PHONE.is_null(),
        !Profile::PHONE.is_null(),
        Profile::PHONE.lt("5").or(!Profile::PHONE.lt("5")),
        !(Profile::PHONE.contains("1").and(Profile::ID.gt(0))),
        Profile::SALARY.gt(0).or(Profile::ID.eq(1)),
    ] {
        for viewer in [admin, editor, stranger] {
            let query = Profile::select().filter(filter.clone());
            let one = found(&directory, viewer(), query.clone()).await;
            let other = found(&directory, viewer(), query.constant_time()).await;
            assert_eq!(one, other);
        }
    }
}

#[derive(clearance::Entity)]
#[entity(table = "papers", viewer = Member, read_if(row.team == viewer.team))]
struct Paper {
    #[entity(key)]
    id: i64,
    team: String,
    body: String,
}

#[derive(clearance::Dto)]
#[dto(entity = Paper, default = visible)]
struct PaperCard {
    id: i64,
    body: String,
}

#[tokio::test]
async fn t_2_the_first_rows_of_a_rule_over_text_are_not_looked_for_among_all() {
    let directory = empty_directory(
        "CREATE TABLE papers (id INTEGER PRIMARY KEY, team KEYTEXT8 NOT NULL, body TEXT NOT NULL);
         CREATE INDEX papers_of_a_team ON papers (team, id)",
    )
    .await;
    // Long enough that a page of the table holds a few of them.
    let body = "a text ".repeat(100);
    let fill = format!(
        "INSERT INTO papers (id, team, body)
         SELECT i, CASE i % 40 WHEN 0 THEN 'red' WHEN 1 THEN 'blue' ELSE 'grey' END, '{body}' FROM {}",
        many()
    );
    directory.pool.execute(&fill).await;
    analyze(&directory, "papers").await;

    let query = PaperCard::select().order(PaperCard::ID.asc()).limit(10);
    let plan = plan_of(&directory, query).await;
    assert!(plan.contains("papers_of_a_team"), "{plan}");
    let sorts = ["Sort", "TEMP B-TREE", "filesort"];
    assert!(!sorts.iter().any(|sort| plan.contains(sort)), "{plan}");
    // What it expects decides how it would go about larger tables and joins.
    if engine() == Engine::Postgres {
        let expected = plan.lines().next().unwrap();
        assert!(expected.contains(" rows=10 "), "{plan}");
    }
}
