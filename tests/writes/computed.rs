//! What the database makes of a row behind a write: columns that it computes, triggers, and views.

use std::sync::Arc;

use clearance::audit::Outcome;
use clearance::input::Assign;
use clearance::{Access, App, Dto, Entity, Error, Patch, Result, Viewer, Write, testing};

use crate::audit::Kept;
use crate::engines::{Engine, engine};
use crate::support::{Directory, Events, empty_directory, system};

#[derive(Debug, Clone, Viewer)]
struct Buyer {
    id: i64,
    limit: i64,
}

const BUYER: Buyer = Buyer { id: 7, limit: 100 };

/// The rules of writes read what is set, those of reading and deleting what is computed. What a row
/// was may be asked of an update.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "orders",
    viewer = Buyer,
    read_if(row.total >= 0),
    create_if(row.price <= viewer.limit),
    update_if(row.buyer == viewer.id && row.total <= viewer.limit),
    updated_if(row.price <= viewer.limit && before.total <= row.price),
    delete_if(row.total <= viewer.limit)
)]
struct Order {
    #[entity(key)]
    id: i64,
    buyer: i64,
    price: i64,
    amount: i64,
    total: Option<i64>,
}

#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Order, default = visible)]
struct OrderView {
    id: i64,
    price: i64,
    total: Option<i64>,
}

/// `total` is computed on every engine.
const SCHEMA: &str = "
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, buyer INTEGER NOT NULL, price INTEGER NOT NULL, amount INTEGER NOT NULL,
        total INTEGER GENERATED ALWAYS AS (price * amount) STORED
    );
    INSERT INTO orders (id, buyer, price, amount) VALUES (1, 7, 10, 1);
    INSERT INTO orders (id, buyer, price, amount) VALUES (2, 7, 10, 20);
";

async fn writing<T>(work: impl AsyncFnOnce(Access<Write<Buyer>>) -> T) -> T {
    testing::as_viewer(BUYER)
        .scope(async { work(Access::<Write<Buyer>>::authenticated().await.unwrap()).await })
        .await
}

clearance::app! {
    static ORDERS = { viewer: Buyer, dtos: [OrderView], repositories: [] };
}

async fn refusal(directory: &Directory, app: &App<Buyer>) -> String {
    let error = directory.db.check(app).await.unwrap_err();
    assert!(error.is_configuration());
    error.to_string()
}

/// Each entity of a table, in an application of its own.
macro_rules! refused {
    ($directory:ident, $entity:ident $($rest:tt)*) => {{
        clearance::app! {
            static ONE = { viewer: Buyer, entities: [$entity], dtos: [], repositories: [] };
        }
        let text = refusal(&$directory, &ONE).await;
        let column = concat!(stringify!($entity), "::", $($rest)*);
        for part in [column, "the column `orders.", "updated_if"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(text.matches("\n- ").count(), 1, "{text}");
    }};
}

#[tokio::test]
async fn w31_a_rule_of_what_is_written_over_a_computed_column_is_refused_at_start() {
    #[derive(Debug, Entity)]
    #[entity(table = "orders", viewer = Buyer, rows = open, reason = "a test")]
    #[entity(update_if(row.buyer == viewer.id && row.total <= viewer.limit))]
    struct Updated {
        #[entity(key)]
        id: i64,
        buyer: i64,
        total: Option<i64>,
    }

    #[derive(Debug, Entity)]
    #[entity(table = "orders", viewer = Buyer, rows = open, reason = "a test")]
    #[entity(update_if(row.buyer == viewer.id), updated_unless(row.total > viewer.limit))]
    struct Becomes {
        #[entity(key)]
        id: i64,
        buyer: i64,
        total: Option<i64>,
    }

    #[derive(Debug, Entity)]
    #[entity(table = "orders", viewer = Buyer, rows = open, reason = "a test")]
    #[entity(create_if(row.buyer == viewer.id && (row.sum.is_none() || row.buyer == 1)))]
    struct Created {
        #[entity(key)]
        id: i64,
        buyer: i64,
        #[entity(column = "total")]
        sum: Option<i64>,
    }

    #[derive(Debug, Entity)]
    #[entity(table = "orders", viewer = Buyer, tenant_if(row.total == viewer.limit))]
    #[entity(read_if(row.buyer == viewer.id), create_if(row.buyer == viewer.id))]
    struct OfTenant {
        #[entity(key)]
        id: i64,
        buyer: i64,
        total: Option<i64>,
    }

    #[derive(Debug, Entity)]
    #[entity(table = "orders", viewer = Buyer, rows = open, reason = "a test")]
    #[entity(belongs_to(parent: Joined, by = total))]
    #[entity(create_if(exists(row.parent, |parent| parent.buyer == viewer.id)))]
    struct Joined {
        #[entity(key)]
        id: i64,
        buyer: i64,
        total: Option<i64>,
    }

    let directory = empty_directory(SCHEMA).await;
    refused!(directory, Updated "total");
    refused!(directory, Becomes "total");
    refused!(directory, Created "sum");
    refused!(directory, OfTenant "total");
    refused!(directory, Joined "total");
    directory.db.check(&ORDERS).await.unwrap();
}

#[tokio::test]
async fn w31_so_is_the_rule_of_a_field_that_a_client_sends() {
    #[derive(Debug, Patch)]
    #[patch(entity = Order, reads = OrderView)]
    struct Cheaper {
        #[writable_if(row.total <= viewer.limit)]
        price: Assign<i64>,
    }

    #[derive(Debug, Patch)]
    #[patch(entity = Order, reads = OrderView)]
    struct Fewer {
        #[writable(blind)]
        #[writable_if(before.total <= viewer.limit)]
        amount: Assign<i64>,
    }

    clearance::app! {
        static SENT = { viewer: Buyer, dtos: [OrderView], inputs: [Cheaper, Fewer], repositories: [] };
    }
    let directory = empty_directory(SCHEMA).await;
    let text = refusal(&directory, &SENT).await;
    assert!(text.contains("`Order::total`"), "{text}");
    assert_eq!(text.matches("\n- ").count(), 1, "{text}");
}

/// It is read as it is stored.
#[tokio::test]
async fn w31_a_related_row_may_be_asked_for_what_is_computed() {
    #[derive(Debug, Entity)]
    #[entity(table = "orders", viewer = Buyer, rows = open, reason = "a test")]
    #[entity(belongs_to(parent: Child, by = buyer))]
    #[entity(update_if(exists(row.parent, |parent| parent.total <= viewer.limit)))]
    struct Child {
        #[entity(key)]
        id: i64,
        buyer: i64,
        total: Option<i64>,
    }

    clearance::app! {
        static CHILDREN = { viewer: Buyer, entities: [Child], dtos: [], repositories: [] };
    }
    let directory = empty_directory(SCHEMA).await;
    directory.db.check(&CHILDREN).await.unwrap();
}

#[tokio::test]
async fn w31_a_column_that_each_update_sets_is_one_for_updates() {
    #[derive(Debug, Entity)]
    #[entity(table = "visits", viewer = Buyer, rows = open, reason = "a test")]
    #[entity(create_if(row.seen_at <= context.now), update_if(row.seen_at <= context.now))]
    struct Visit {
        #[entity(key)]
        id: i64,
        seen_at: chrono::DateTime<chrono::Utc>,
    }

    clearance::app! {
        static VISITS = { viewer: Buyer, entities: [Visit], dtos: [], repositories: [] };
    }
    if engine() != Engine::Mysql {
        return;
    }
    let plain = "CREATE TABLE visits (id INTEGER PRIMARY KEY, seen_at INSTANT NOT NULL)";
    let directory = empty_directory(plain).await;
    directory.db.check(&VISITS).await.unwrap();
    let touched = "CREATE TABLE visits (
        id INTEGER PRIMARY KEY, seen_at INSTANT NOT NULL DEFAULT NOW(6) ON UPDATE NOW(6)
    )";
    let text = refusal(&empty_directory(touched).await, &VISITS).await;
    assert!(text.contains("at each update"), "{text}");
    assert_eq!(text.matches("\n- ").count(), 1, "{text}");
}

#[tokio::test]
async fn w32_a_trigger_on_a_table_whose_rules_of_writes_read_the_row_is_named() {
    /// Its rules of writes ask nothing of the row.
    #[derive(Debug, Entity)]
    #[entity(table = "orders", viewer = Buyer, read_if(row.buyer == viewer.id))]
    #[entity(update_if(viewer.limit > 50), delete_if(row.buyer == viewer.id))]
    struct Unasked {
        #[entity(key)]
        id: i64,
        buyer: i64,
    }

    clearance::app! {
        static UNASKED = { viewer: Buyer, entities: [Unasked], dtos: [], repositories: [] };
    }
    let directory = empty_directory(SCHEMA).await;
    let events = Events::of("clearance::check");
    directory.db.check(&ORDERS).await.unwrap();
    assert_eq!(events.take(), [""; 0]);
    directory.pool.execute(doubling()).await;
    directory.db.check(&ORDERS).await.unwrap();
    let [event] = &events.take()[..] else {
        panic!("one trigger is named");
    };
    for part in ["WARN", "Order", "orders", "doubling"] {
        assert!(event.contains(part), "{event}");
    }
    directory.db.check(&UNASKED).await.unwrap();
    assert_eq!(events.take(), [""; 0]);
}

/// A trigger that doubles the price behind each update.
fn doubling() -> &'static str {
    match engine() {
        Engine::Sqlite => {
            "CREATE TRIGGER doubling AFTER UPDATE ON orders BEGIN
                UPDATE orders SET price = NEW.price * 2 WHERE id = NEW.id;
            END"
        }
        Engine::Postgres => {
            "CREATE FUNCTION double() RETURNS trigger LANGUAGE plpgsql
                AS 'BEGIN NEW.price = NEW.price * 2; RETURN NEW; END';
            CREATE TRIGGER doubling BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION double();
            CREATE TRIGGER none BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION double()"
        }
        Engine::Mysql => {
            "CREATE TRIGGER doubling BEFORE UPDATE ON orders FOR EACH ROW SET NEW.price = NEW.price * 2;
            CREATE TRIGGER none BEFORE DELETE ON orders FOR EACH ROW SET @deleted = OLD.id"
        }
    }
}

fn order(id: i64) -> Order {
    Order {
        id,
        buyer: 7,
        price: 1,
        amount: 1,
        total: Some(5),
    }
}

#[tokio::test]
async fn w33_a_value_for_a_computed_column_is_a_mistake_of_the_program_and_says_so() {
    let directory = empty_directory(SCHEMA).await;
    let told = |outcome: Result<(), Error>| {
        let error = outcome.unwrap_err();
        assert!(error.is_misuse(), "{error}");
        assert!(error.to_string().contains("computes"), "{error}");
    };
    writing(async |access| {
        let writer = directory.db.writer(&access);
        told(writer.create(order(3)).execute().await.map(|_| ()));
        told(
            writer
                .create(order(3))
                .returning::<OrderView>()
                .await
                .map(|_| ()),
        );
        told(writer.insert(order(3)).await);
        told(writer.insert_many([order(3), order(4)]).await);
        let update = || writer.update::<Order>(1).set(Order::TOTAL, 5);
        told(update().execute().await);
        told(update().returning::<OrderView>().await.map(|_| ()));
        // What the database computes it from may be set.
        let update = writer.update::<Order>(1).set(Order::PRICE, 30);
        assert_eq!(
            update.returning::<OrderView>().await.unwrap().total,
            Some(30)
        );
        // The total that it was is beyond the limit.
        let update = writer.update::<Order>(2).set(Order::PRICE, 30);
        assert!(update.execute().await.unwrap_err().is_not_found());
    })
    .await;
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "cheap",
    viewer = Buyer,
    read_if(row.buyer == viewer.id),
    create_if(row.buyer == viewer.id),
    update_if(row.buyer == viewer.id),
    delete_if(row.buyer == viewer.id)
)]
struct Cheap {
    #[entity(key)]
    id: i64,
    buyer: i64,
    price: i64,
}

#[derive(Debug, Dto, PartialEq)]
#[dto(entity = Cheap, default = visible)]
struct CheapView {
    id: i64,
    price: i64,
}

clearance::app! {
    static CHEAP = { viewer: Buyer, dtos: [CheapView], repositories: [] };
}

const VIEW_ON_SQLITE: &str = "
    CREATE TABLE things (id INTEGER PRIMARY KEY, buyer INTEGER NOT NULL, price INTEGER NOT NULL);
    INSERT INTO things VALUES (1, 7, 10);
    CREATE VIEW cheap AS SELECT * FROM things WHERE price < 50;
    CREATE TRIGGER created INSTEAD OF INSERT ON cheap BEGIN
        INSERT INTO things VALUES (NEW.id, NEW.buyer, NEW.price);
    END;
    CREATE TRIGGER updated INSTEAD OF UPDATE ON cheap BEGIN
        UPDATE things SET price = NEW.price WHERE id = NEW.id;
    END;
    CREATE TRIGGER deleted INSTEAD OF DELETE ON cheap BEGIN
        DELETE FROM things WHERE id = OLD.id;
    END;
";

#[tokio::test]
async fn w34_a_view_whose_writes_are_not_counted_is_refused_at_start_on_sqlite() {
    let directory = empty_directory(VIEW_ON_SQLITE).await;
    let text = refusal(&directory, &CHEAP).await;
    assert!(text.contains("`cheap` of `Cheap` is a view"), "{text}");
    assert_eq!(text.matches("\n- ").count(), 1, "{text}");

    /// It may be read.
    #[derive(Debug, Entity)]
    #[entity(table = "cheap", viewer = Buyer, read_if(row.buyer == viewer.id))]
    struct Shown {
        #[entity(key)]
        id: i64,
        buyer: i64,
    }
    clearance::app! {
        static SHOWN = { viewer: Buyer, entities: [Shown], dtos: [], repositories: [] };
    }
    directory.db.check(&SHOWN).await.unwrap();
}

#[tokio::test]
async fn w34_a_write_to_it_changes_nothing_and_is_not_recorded_as_denied_on_sqlite() {
    let directory = empty_directory(VIEW_ON_SQLITE).await;
    let kept = Arc::new(Kept::default());
    let db = directory.db.audited(Arc::clone(&kept));
    let new = |id| Cheap {
        id,
        buyer: 7,
        price: 3,
    };
    let shown = async || {
        writing(async |access| {
            let rows = db.writer(&access).all(CheapView::select()).await.unwrap();
            rows.into_iter()
                .map(|row| (row.id, row.price))
                .collect::<Vec<_>>()
        })
        .await
    };
    let told = |outcome: Result<(), Error>| {
        let error = outcome.unwrap_err();
        assert!(error.is_misuse(), "{error}");
    };
    let program = system();
    writing(async |access| {
        for db in [&db, &directory.db] {
            let writer = db.writer(&access);
            let update = || writer.update::<Cheap>(1).set(Cheap::PRICE, 20);
            told(update().execute().await);
            told(update().returning::<CheapView>().await.map(|_| ()));
            told(update().or_create(writer.create(new(1))).await.map(|_| ()));
            let many = || {
                writer
                    .update_many(CheapView::select())
                    .set(Cheap::PRICE, 20)
            };
            told(many().execute_permitted().await.map(|_| ()));
            told(many().execute_all().await.map(|_| ()));
            told(writer.create(new(2)).execute().await.map(|_| ()));
            told(writer.insert(new(2)).await);
            told(writer.insert_many([new(2), new(3)]).await);
            told(writer.delete::<Cheap>(1).await);
            told(db.writer(&program).insert(new(2)).await);
        }
    })
    .await;
    assert_eq!(shown().await, [(1, 10)]);
    let denied = |event: &clearance::audit::AuditEvent| event.outcome() == Outcome::Denied;
    let events = kept.take();
    assert!(!events.iter().any(denied), "{events:#?}");
}

/// PostgreSQL counts what a trigger in place of the write returns.
#[tokio::test]
async fn w34_where_they_are_counted_a_view_is_written_to() {
    if engine() != Engine::Postgres {
        return;
    }
    let directory = empty_directory(
        "CREATE TABLE things (id INTEGER PRIMARY KEY, buyer INTEGER NOT NULL, price INTEGER NOT NULL);
         INSERT INTO things VALUES (1, 7, 10);
         CREATE VIEW cheap AS SELECT * FROM things WHERE price < 50;
         CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN UPDATE things SET price = NEW.price WHERE id = NEW.id; RETURN NEW; END';
         CREATE TRIGGER changed INSTEAD OF UPDATE ON cheap FOR EACH ROW EXECUTE FUNCTION change()",
    )
    .await;
    directory.db.check(&CHEAP).await.unwrap();
    let kept = Arc::new(Kept::default());
    let db = directory.db.audited(Arc::clone(&kept));
    writing(async |access| {
        let update = db.writer(&access).update::<Cheap>(1).set(Cheap::PRICE, 20);
        assert_eq!(update.returning::<CheapView>().await.unwrap().price, 20);
    })
    .await;
    let events = kept.take();
    assert_eq!((events.len(), events[0].outcome()), (1, Outcome::Allowed));
}
