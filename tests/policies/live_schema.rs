//! What the check at start sees of a live schema: computed columns, schemas, views, spellings.

use clearance::{App, Db, Dto, Entity};

use crate::engines::{Engine, engine};
use crate::support::*;

#[derive(Debug, Entity)]
#[entity(table = "orders", viewer = Member, rows = open, reason = "only the check is under test")]
struct Order {
    #[entity(key)]
    id: i64,
    price: i64,
    note: Option<String>,
    total: Option<i64>,
}

#[derive(Debug, Dto)]
#[dto(entity = Order, default = visible)]
struct OrderView {
    id: i64,
    total: Option<i64>,
}

clearance::app! {
    static ORDERS = { viewer: Member, dtos: [OrderView], repositories: [] };
}

const TABLE: &str = "
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, price INTEGER NOT NULL, note TEXT,
        total INTEGER GENERATED ALWAYS AS (price * 2) STORED
    );
";

async fn difference(db: &Db, app: &App<Member>) -> String {
    let error = db.check(app).await.unwrap_err();
    assert!(error.is_configuration());
    error.to_string()
}

#[tokio::test]
async fn op_41_a_column_that_the_database_computes_is_there() {
    let directory = empty_directory(TABLE).await;
    directory.db.check(&ORDERS).await.unwrap();
    let virtually = TABLE.replace("STORED", "VIRTUAL");
    if engine() != Engine::Postgres {
        let directory = crate::engines::database(&virtually).await;
        directory.db.check(&ORDERS).await.unwrap();
    }
}

#[tokio::test]
async fn op_41_a_table_is_looked_for_where_a_query_looks_for_it() {
    if engine() != Engine::Postgres {
        return;
    }
    let directory = empty_directory("CREATE SCHEMA one; CREATE SCHEMA two").await;
    let url = &directory.url;
    let joined = if url.contains('?') { '&' } else { '?' };
    let path = format!("{url}{joined}options[search_path]=one,two");
    let db = Db::connect(&path).await.unwrap();
    let text = difference(&db, &ORDERS).await;
    assert!(
        text.contains("the table `orders` of `Order` is missing"),
        "{text}"
    );

    // In the later one, with the lints of the matrix looking there too.
    let sql = engine().schema(&TABLE.replace("TABLE orders", "TABLE two.orders"));
    directory.pool.execute(&sql).await;
    directory
        .pool
        .execute("CREATE INDEX by_price ON two.orders (price)")
        .await;
    db.check(&ORDERS).await.unwrap();
    let schema = db.schema(&ORDERS).await.unwrap();
    assert!(format!("{schema:?}").contains("by_price"), "{schema:?}");

    // What stands in an earlier one hides it.
    directory
        .pool
        .execute("CREATE TABLE one.orders (id BIGINT PRIMARY KEY)")
        .await;
    let text = difference(&db, &ORDERS).await;
    assert!(
        text.contains("the column `orders.price` of `Order::price` is missing"),
        "{text}"
    );
    // Elsewhere it is not seen.
    let text = difference(&directory.db, &ORDERS).await;
    assert!(
        text.contains("the table `orders` of `Order` is missing"),
        "{text}"
    );
}

#[tokio::test]
async fn op_41_a_view_is_not_asked_for_what_it_cannot_declare() {
    let directory = empty_directory(
        "CREATE TABLE prices (id INTEGER PRIMARY KEY, price INTEGER NOT NULL);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, price_id INTEGER NOT NULL, note TEXT);
         CREATE VIEW orders AS
            SELECT prices.id, COALESCE(prices.price, 0) AS price, note, prices.price AS total
            FROM prices LEFT JOIN notes ON notes.price_id = prices.id",
    )
    .await;
    directory.db.check(&ORDERS).await.unwrap();
    // A type that does not fit is named, and so is a column that is not there.
    directory.pool.execute("DROP VIEW orders").await;
    let view = "CREATE VIEW orders AS SELECT id, note AS price, note FROM notes";
    directory.pool.execute(view).await;
    let text = difference(&directory.db, &ORDERS).await;
    assert!(
        text.contains("the column `orders.price` is declared"),
        "{text}"
    );
    assert!(
        text.contains("the column `orders.total` of `Order::total` is missing"),
        "{text}"
    );
    // Of a table it is asked.
    directory.pool.execute("DROP VIEW orders").await;
    let table =
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, price INTEGER, note TEXT, total INTEGER)";
    directory.pool.execute(&engine().schema(table)).await;
    let text = difference(&directory.db, &ORDERS).await;
    assert!(
        text.contains("the column `orders.price` may be null"),
        "{text}"
    );
}

#[tokio::test]
async fn op_41_a_column_is_found_as_the_engine_finds_it() {
    let spelled = TABLE.replace("note TEXT", "\"Note\" TEXT");
    let spelled = match engine() {
        Engine::Sqlite | Engine::Postgres => spelled,
        Engine::Mysql => spelled.replace('"', "`"),
    };
    let directory = crate::engines::database(&spelled).await;
    let checked = directory.db.check(&ORDERS).await;
    match engine() {
        Engine::Sqlite | Engine::Mysql => checked.unwrap(),
        Engine::Postgres => {
            let text = checked.unwrap_err().to_string();
            assert!(
                text.contains("`orders.note` of `Order::note` is missing"),
                "{text}"
            );
        }
    }
}
