//! A schema of the search path in which somebody has made operators and functions of their own.

use clearance::dto::Aggregate;
use clearance::repository::Select;
use clearance::{Dto, Entity, Field};

use crate::engines::{Engine, engine};
use crate::support::*;

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "guests",
    viewer = Member,
    rows = open,
    reason = "comparisons are under test",
    belongs_to(host: Host, by = host_name)
)]
struct Guest {
    #[entity(key)]
    id: i64,
    team: String,
    name: String,
    host_name: String,
    a: i64,
    b: i64,
    c: i64,
    d: i64,
}

/// Joined by a text.
#[derive(Debug, Clone, Entity)]
#[entity(table = "hosts", viewer = Member, rows = open, reason = "as above")]
struct Host {
    #[entity(key)]
    name: String,
    team: String,
}

#[derive(Debug, Clone, PartialEq, Dto)]
#[dto(entity = Guest, default = visible)]
struct GuestView {
    id: i64,
    #[visible_if(row.team == viewer.team)]
    #[dto(mask = last4)]
    name: String,
    team: String,
    #[visible_if(row.team != viewer.team)]
    a: Field<i64>,
    #[visible_if(row.team < "m")]
    b: Field<i64>,
    #[visible_if(["red", "green"].contains(&row.team))]
    c: Field<i64>,
    #[visible_if(row.name == row.host_name)]
    d: Field<i64>,
}

#[derive(Debug, Clone, PartialEq, Dto)]
#[dto(entity = Guest, default = visible)]
struct Hosted {
    id: i64,
    #[visible_if(exists(row.host, |host| host.team == viewer.team))]
    #[dto(mask = initial)]
    name: String,
    team: String,
}

const SCHEMA: &str = "
    CREATE TABLE guests (
        id BIGINT PRIMARY KEY, team VARCHAR(20) NOT NULL, name VARCHAR(20) NOT NULL, host_name VARCHAR(20) NOT NULL,
        a BIGINT NOT NULL, b BIGINT NOT NULL, c BIGINT NOT NULL, d BIGINT NOT NULL);
    CREATE TABLE hosts (name VARCHAR(20) PRIMARY KEY, team VARCHAR(20) NOT NULL);
    INSERT INTO hosts VALUES ('ada lovelace', 'red'), ('grace hopper', 'blue');
    INSERT INTO guests VALUES
        (1, 'red', 'ada lovelace', 'ada lovelace', 1, 1, 1, 1),
        (2, 'blue', 'grace hopper', 'ada lovelace', 2, 2, 2, 2),
        (3, 'green', 'al@kindi', 'grace hopper', 3, 3, 3, 3);
";

/// What a role that may create in the schema could have made, for each pair of types that is not the engine's.
fn shadows() -> String {
    let mut sql = String::from(
        "CREATE FUNCTION yes(varchar, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
         CREATE FUNCTION yes(text, varchar) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
         CREATE FUNCTION yes(varchar, varchar) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
         CREATE FUNCTION all_of(varchar, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''shown''';
         CREATE OPERATOR || (LEFTARG = varchar, RIGHTARG = text, FUNCTION = all_of);
         CREATE FUNCTION strpos(varchar, text) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
         CREATE FUNCTION char_length(varchar) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 100';
         CREATE FUNCTION \"right\"(varchar, integer) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''shown''';
         CREATE FUNCTION \"left\"(varchar, integer) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''shown''';
         CREATE FUNCTION substr(varchar, integer) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''shown''';
         CREATE FUNCTION first(varchar, varchar) RETURNS varchar LANGUAGE sql IMMUTABLE AS 'SELECT ''shown''';
         CREATE AGGREGATE max(varchar) (SFUNC = first, STYPE = varchar);",
    );
    for operator in ["=", "<>", "<", "<=", ">", ">=", "^@"] {
        for (left, right) in [
            ("varchar", "text"),
            ("text", "varchar"),
            ("varchar", "varchar"),
        ] {
            sql.push_str(&format!(
                "CREATE OPERATOR {operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = yes);"
            ));
        }
    }
    sql
}

/// What the viewer is told, in every form.
async fn told(directory: &Directory) -> Vec<String> {
    let viewer = Member {
        team: Some("red".into()),
        ..editor()
    };
    as_viewer(viewer, async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let all = async |select: Select<GuestView>| {
            format!("{:?}", reader.all(select.order(GuestView::ID.asc())).await)
        };
        let mut told = vec![
            all(GuestView::select()).await,
            all(GuestView::select().filter(GuestView::TEAM.eq("red"))).await,
            all(GuestView::select().filter(GuestView::TEAM.ne("red"))).await,
            all(GuestView::select().filter(GuestView::TEAM.lt("c"))).await,
            all(GuestView::select().filter(GuestView::TEAM.ge("c"))).await,
            all(GuestView::select().filter(GuestView::TEAM.is_in(["red", "blue"]))).await,
            all(GuestView::select().filter(!GuestView::TEAM.is_in(["red"]))).await,
            all(GuestView::select().filter(GuestView::TEAM.starts_with("re"))).await,
            all(GuestView::select().filter(GuestView::TEAM.ends_with("ed"))).await,
            all(GuestView::select().filter(GuestView::TEAM.contains("ee"))).await,
        ];
        let many: Vec<_> = (0..2_000).map(|number| format!("team {number}")).collect();
        told.push(all(GuestView::select().filter(GuestView::TEAM.is_in(many))).await);
        let hosted = Hosted::select().order(Hosted::ID.asc());
        told.push(format!("{:?}", reader.all(hosted).await));
        let ordered = Hosted::select().order(Hosted::TEAM.desc());
        told.push(format!("{:?}", reader.all(ordered).await));
        let wanted = (Aggregate::<Hosted, _>::rows(), Hosted::TEAM.max());
        let groups = reader.groups(Hosted::select(), Hosted::TEAM, wanted).await;
        told.push(format!("{groups:?}"));
        told
    })
    .await
}

#[tokio::test]
async fn t_32_operators_and_functions_of_a_schema_are_not_taken_for_those_of_the_engine() {
    if engine() != Engine::Postgres {
        // The others have neither.
        return;
    }
    let directory = empty_directory("").await;
    directory.pool.execute(SCHEMA).await;
    let before = told(&directory).await;
    directory.pool.execute(&shadows()).await;
    let after = told(&directory).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert!(
        before.iter().all(|told| told.starts_with("Ok(")),
        "{before:?}"
    );
}
