//! The tables themselves.

use clearance::account::{Adapter, NewUser};
use clearance::testing::as_viewer;
use clearance::{Db, Dto, Entity, Result, Viewer, repository};

use super::{count, kit, now, texts};
use crate::engines::{Engine, TestPool, database, engine};

/// Columns, indexes and foreign keys of the library's tables whose names are like `like`, in the
/// words of the engine.
async fn schema(pool: &TestPool, like: &str) -> String {
    let queries = match engine() {
        Engine::Sqlite => [
            "SELECT t.name || '.' || c.name || ' ' || c.type
                    || CASE WHEN c.\"notnull\" THEN ' NOT NULL' ELSE '' END
                    || COALESCE(' DEFAULT ' || c.dflt_value, '')
                    || CASE WHEN c.hidden THEN ' GENERATED' ELSE '' END
             FROM sqlite_schema t, pragma_table_xinfo(t.name) c
             WHERE t.type = 'table' AND t.name LIKE '{}' ORDER BY t.name, c.cid",
            "SELECT t.name || CASE WHEN i.\"unique\" THEN ' UNIQUE (' ELSE ' INDEX (' END
                    || (SELECT group_concat(name, ', ') FROM pragma_index_info(i.name)) || ')'
             FROM sqlite_schema t, pragma_index_list(t.name) i
             WHERE t.type = 'table' AND t.name LIKE '{}' ORDER BY 1",
            "SELECT t.name || '.' || f.\"from\" || ' REFERENCES ' || f.\"table\"
                    || ' ON DELETE ' || f.on_delete
             FROM sqlite_schema t, pragma_foreign_key_list(t.name) f
             WHERE t.type = 'table' AND t.name LIKE '{}' ORDER BY 1",
        ],
        Engine::Postgres => [
            "SELECT table_name || '.' || column_name || ' ' || data_type
                    || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
                    || COALESCE(' DEFAULT ' || column_default, '')
                    || CASE is_generated WHEN 'ALWAYS' THEN ' GENERATED' ELSE '' END
             FROM information_schema.columns WHERE table_name LIKE '{}'
             ORDER BY table_name, ordinal_position",
            "SELECT tablename || regexp_replace(indexdef,
                    '^CREATE (UNIQUE )?INDEX .* USING btree ', ' \\1INDEX ')
             FROM pg_indexes WHERE tablename LIKE '{}' ORDER BY 1",
            "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid)
             FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text LIKE '{}' ORDER BY 1",
        ],
        Engine::Mysql => [
            "SELECT CAST(CONCAT(table_name, '.', column_name, ' ', REPLACE(column_type, '(20)', ''),
                    CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END,
                    CASE REPLACE(column_default, '''', '') WHEN 'viewer' THEN ' DEFAULT viewer' ELSE '' END,
                    CASE WHEN extra LIKE '%GENERATED%' THEN ' GENERATED' ELSE '' END) AS CHAR)
             FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name LIKE '{}'
             ORDER BY table_name, ordinal_position",
            "SELECT CAST(CONCAT(table_name, CASE non_unique WHEN 0 THEN ' UNIQUE (' ELSE ' INDEX (' END,
                    GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')') AS CHAR)
             FROM information_schema.statistics
             WHERE table_schema = DATABASE() AND table_name LIKE '{}'
             GROUP BY table_name, index_name, non_unique ORDER BY 1",
            "SELECT CAST(CONCAT(table_name, ' REFERENCES ', referenced_table_name,
                    ' ON DELETE ', delete_rule) AS CHAR)
             FROM information_schema.referential_constraints
             WHERE constraint_schema = DATABASE() AND table_name LIKE '{}' ORDER BY 1",
        ],
    };
    let mut lines = Vec::new();
    for query in queries {
        lines.extend(texts(pool, &query.replace("{}", like)).await);
    }
    lines.join("\n")
}

fn named(name: &str) -> String {
    let engine = match engine() {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
        Engine::Mysql => "mysql",
    };
    format!("{name}_{engine}")
}

#[tokio::test]
async fn ad_01_rb_07_the_table_of_users() {
    let (database, _adapter) = kit().await;
    let schema = schema(&database.pool, "clearance_users").await;
    insta::assert_snapshot!(named("users"), schema);
}

#[tokio::test]
async fn ad_02_ad_03_ad_06_the_table_of_accounts() {
    let (database, _adapter) = kit().await;
    let schema = schema(&database.pool, "clearance_accounts").await;
    insta::assert_snapshot!(named("accounts"), schema);
}

#[tokio::test]
async fn ad_05_the_table_of_verification_tokens() {
    let (database, _adapter) = kit().await;
    let schema = schema(&database.pool, "clearance_verification_tokens").await;
    insta::assert_snapshot!(named("verification_tokens"), schema);
}

/// A session is found by its id, whose it is stands in it, it ends, and of what opens it there is a
/// hash and nothing else.
#[tokio::test]
async fn ad_04_the_table_of_sessions_has_a_hash_of_what_opens_one() {
    let (database, _adapter) = kit().await;
    let schema = schema(&database.pool, "clearance_sessions").await;
    for column in ["id", "secret_hash", "subject", "expires_at"] {
        assert!(
            schema.contains(&format!("clearance_sessions.{column} ")),
            "{schema}"
        );
    }
    let unique = schema.lines().find(|line| line.contains("UNIQUE"));
    assert!(unique.unwrap().contains("(id)"), "{schema}");
    assert!(!schema.contains("token"), "{schema}");
}

#[tokio::test]
async fn ad_01_nobody_has_the_tables_who_does_not_ask_for_them() {
    let database = database("").await;
    database.db.migrate().await.unwrap();
    let with_the_kit = kit().await.0;
    for table in ["users", "accounts", "verification_tokens"] {
        let table = format!("clearance_{table}");
        assert_eq!(schema(&database.pool, &table).await, "");
        assert_eq!(count(&with_the_kit.pool, &table).await, 0);
    }
}

#[tokio::test]
async fn ad_01_a_table_of_the_same_name_is_a_configuration_error() {
    let database = database("CREATE TABLE clearance_users (id INTEGER)").await;
    let error = database.db.migrate_accounts().await.unwrap_err();
    assert!(error.is_configuration(), "{error}");
    // It stands in nobody's way who has no use for the kit.
    database.db.migrate().await.unwrap();
}

#[derive(Debug, Clone, Viewer)]
struct Clerk {
    id: String,
}

#[derive(Debug, Entity)]
#[entity(table = "clearance_users", viewer = Clerk, read_if(row.id == viewer.id))]
#[entity(update_if(row.id != viewer.id))]
struct Person {
    #[entity(key)]
    id: String,
    name: Option<String>,
    email: Option<String>,
    email_verified_at: Option<i64>,
    role: String,
    created_at: i64,
}

#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
struct PersonView {
    name: Option<String>,
    role: String,
}

struct People {
    db: Db,
}

#[repository(viewer = Clerk)]
impl People {
    #[authenticated(access: Write)]
    pub async fn promote(&self, id: &str) -> Result<()> {
        let update = self.db.writer(&access).update::<Person>(id.to_owned());
        update.set(Person::ROLE, "editor").execute().await
    }

    #[authenticated(access)]
    pub async fn own(&self, id: &str) -> Result<PersonView> {
        let own = PersonView::select().lookup(Person::ID, id);
        self.db.reader(&access).one(own).await
    }
}

clearance::app! {
    static APP = { viewer: Clerk, dtos: [PersonView], repositories: [People] };
}

/// What a page shows of users, and who gives them a role, goes through an entity.
#[tokio::test]
async fn ad_01_rb_07_an_entity_over_the_users_guards_what_is_shown_and_who_has_a_role() {
    let (database, adapter) = kit().await;
    database.db.check(&APP).await.unwrap();
    let user = adapter
        .create_user(&NewUser::default(), now())
        .await
        .unwrap();
    let id = user.id.as_str();
    let people = People {
        db: database.db.clone(),
    };
    let themselves = as_viewer(Clerk { id: id.to_owned() });
    let refused = themselves.scope(people.promote(id)).await.unwrap_err();
    assert!(refused.is_not_found());
    assert_eq!(
        themselves.scope(people.own(id)).await.unwrap().role,
        "viewer"
    );
    let another = as_viewer(Clerk { id: "1".to_owned() });
    another.scope(people.promote(id)).await.unwrap();
    assert_eq!(
        adapter.get_user(&user.id).await.unwrap().unwrap().role,
        "editor"
    );
    assert!(
        another
            .scope(people.own(id))
            .await
            .unwrap_err()
            .is_not_found()
    );
}
