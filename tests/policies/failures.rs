//! What a failure of the database is for whoever asked: each kind of it is raised by a real server, where the
//! server lets one raise it.

use clearance::{Dto, Entity, Error};

use crate::engines::{Database, Engine, database, engine};
use crate::support::{Member, as_viewer, editor, write};

#[derive(Debug, Entity)]
#[entity(
    table = "faults",
    viewer = Member,
    rows = open,
    reason = "only failures are under test",
    create_if(true)
)]
struct Fault {
    #[entity(key)]
    id: i64,
    code: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Fault, default = visible)]
struct FaultView {
    id: i64,
    code: String,
}

const SCHEMA: &str = "CREATE TABLE faults (id INTEGER PRIMARY KEY, code TEXT NOT NULL)";

/// A table whose trigger raises what the code of a row says.
async fn faults() -> Database {
    let database = database(SCHEMA).await;
    let trigger = match engine() {
        Engine::Sqlite => {
            "CREATE TRIGGER fails BEFORE INSERT ON faults WHEN NEW.code <> ''
             BEGIN SELECT RAISE(ABORT, 'a secret'); END"
        }
        Engine::Postgres => {
            "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'a secret' USING ERRCODE = NEW.code; END $$;
             CREATE TRIGGER fails BEFORE INSERT ON faults
             FOR EACH ROW WHEN (NEW.code <> '') EXECUTE FUNCTION fails()"
        }
        Engine::Mysql => {
            "CREATE TRIGGER fails BEFORE INSERT ON faults FOR EACH ROW
             BEGIN
                DECLARE number INT DEFAULT CAST(CONCAT('0', NEW.code) AS SIGNED);
                IF number > 0 THEN
                    SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = number, MESSAGE_TEXT = 'a secret';
                END IF;
             END"
        }
    };
    database.pool.execute(trigger).await;
    database
}

fn kind(error: &Error) -> &'static str {
    match error {
        error if error.is_invalid() => "invalid",
        error if error.is_conflict() => "conflict",
        error if error.is_forbidden() => "forbidden",
        error if error.is_retryable() => "contended",
        error if error.is_unavailable() => "unavailable",
        error if error.is_misuse() => "misuse",
        _ => "internal",
    }
}

const POSTGRES: &[(&str, &[&str])] = &[
    // Values that do not fit, among them a text that is too long for an index.
    (
        "invalid",
        &["22001", "22003", "22008", "22021", "22P05", "54000"],
    ),
    // What a trigger of the application raises is a constraint of its own.
    (
        "conflict",
        &[
            "23000", "23001", "23502", "23503", "23505", "23514", "23P01", "P0001",
        ],
    ),
    ("forbidden", &["42501", "44000"]),
    // Those that speak of a prepared statement are tried again once, and raised again.
    ("contended", &["26000", "40001", "40P01", "42P05", "55P03"]),
    (
        "unavailable",
        &[
            "08000", "08006", "25006", "25P03", "25P04", "28000", "28P01", "3D000", "40003",
            "53100", "53200", "53300", "53400", "55006", "57014", "57P01", "57P02", "57P03",
            "57P05", "58030",
        ],
    ),
    ("misuse", &["428C9"]),
    // 55000 is for what is asked of an object that is not for it, such as a write to a view of many tables.
    (
        "internal",
        &[
            "0A000", "21000", "25P02", "42601", "42703", "42804", "42P01", "55000", "55P04",
            "XX000",
        ],
    ),
];

const MYSQL: &[(&str, &[&str])] = &[
    (
        "invalid",
        &[
            "1118", "1153", "1264", "1265", "1292", "1300", "1366", "1406", "1441", "1690", "1713",
            "1977", "3854", "3988",
        ],
    ),
    (
        "conflict",
        &["1048", "1062", "1451", "1452", "1644", "3819", "4025"],
    ),
    ("forbidden", &["1142", "1143", "1227", "1369", "1370"]),
    ("contended", &["1020", "1205", "1213", "1243", "1615"]),
    (
        "unavailable",
        &[
            "1021", "1030", "1036", "1037", "1038", "1040", "1041", "1044", "1045", "1049", "1053",
            "1114", "1129", "1130", "1135", "1194", "1203", "1206", "1223", "1226", "1290", "1317",
            "1461", "1792", "1836", "1927", "1969", "3024", "4031",
        ],
    ),
    ("misuse", &["1906", "3105"]),
    ("internal", &["1054", "1064", "1146", "1271"]),
];

#[tokio::test]
async fn av_45_each_failure_of_an_engine_is_of_its_kind() {
    let faults = faults().await;
    let table = match engine() {
        Engine::Sqlite => &[("conflict", ["what a trigger raises"].as_slice())],
        Engine::Postgres => POSTGRES,
        Engine::Mysql => MYSQL,
    };
    as_viewer(editor(), async {
        let access = write().await;
        let writer = faults.db.writer(&access);
        let mut wrong = Vec::new();
        for (wanted, codes) in table {
            for code in *codes {
                let id = 1;
                let code = (*code).to_owned();
                let error = writer
                    .insert(Fault {
                        id,
                        code: code.clone(),
                    })
                    .await
                    .unwrap_err();
                assert!(!error.to_string().contains("secret"));
                if kind(&error) != *wanted {
                    wrong.push(format!("{code} is {} and not {wanted}", kind(&error)));
                }
            }
        }
        assert_eq!(wrong, [""; 0]);
        // Nothing of it stays, and the connections serve on.
        let code = String::new();
        writer.insert(Fault { id: 1, code }).await.unwrap();
        assert_eq!(writer.count(FaultView::select()).await.unwrap(), 1);
    })
    .await;
}

/// What a server does itself when it is asked to be read only, as a standby is.
#[tokio::test]
async fn av_45_a_server_that_is_read_only_is_an_outage() {
    if engine() != Engine::Postgres {
        return;
    }
    let faults = faults().await;
    let name = faults
        .url
        .rsplit('/')
        .next()
        .unwrap()
        .split('?')
        .next()
        .unwrap();
    let only = format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = on");
    faults.pool.execute(&only).await;
    let db = clearance::Db::connect(&faults.url).await.unwrap();
    as_viewer(editor(), async {
        let access = write().await;
        let code = String::new();
        let error = db
            .writer(&access)
            .insert(Fault { id: 1, code })
            .await
            .unwrap_err();
        assert_eq!(kind(&error), "unavailable", "{error:?}");
    })
    .await;
}

/// A value of more bytes than the server takes in one packet: it says so and closes, or only closes.
#[tokio::test]
async fn av_45_a_value_that_is_larger_than_a_packet_is_the_callers() {
    if engine() != Engine::Mysql {
        return;
    }
    let faults = faults().await;
    as_viewer(editor(), async {
        let access = write().await;
        let writer = faults.db.writer(&access);
        for megabytes in [17, 40] {
            let code = "0".repeat(megabytes << 20);
            let error = writer
                .insert(Fault {
                    id: 1,
                    code: code.clone(),
                })
                .await
                .unwrap_err();
            assert_eq!(kind(&error), "invalid", "{megabytes} {error:?}");
            let query = FaultView::select().filter(FaultView::CODE.eq(code));
            let error = writer.all(query).await.unwrap_err();
            assert_eq!(kind(&error), "invalid", "{megabytes} {error:?}");
        }
        let code = String::new();
        writer.insert(Fault { id: 1, code }).await.unwrap();
    })
    .await;
}

/// An index of PostgreSQL holds no text of more than a third of its page.
#[tokio::test]
async fn av_45_a_text_that_is_too_long_for_an_index_is_the_callers() {
    if engine() != Engine::Postgres {
        return;
    }
    let faults =
        database("CREATE TABLE faults (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE)").await;
    as_viewer(editor(), async {
        let access = write().await;
        // Random, so that it is not compressed.
        let code = (0..1_000)
            .map(|_| uuid::Uuid::new_v4().to_string())
            .collect();
        let error = faults
            .db
            .writer(&access)
            .insert(Fault { id: 1, code })
            .await
            .unwrap_err();
        assert_eq!(kind(&error), "invalid", "{error:?}");
    })
    .await;
}
