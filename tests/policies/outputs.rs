//! What stands in place of a hidden value: R17, X3, DT-05.

use clearance::{Dto, Field};
use serde_json::{Value, json};

use crate::support::*;

fn shout(phone: Option<String>) -> Option<String> {
    phone.map(|phone| format!("{} characters", phone.chars().count()))
}

#[derive(Dto)]
#[dto(entity = Person, default = visible)]
#[serde(rename_all = "camelCase")]
struct Outputs {
    id: i64,
    /// Left out.
    #[visible_if(row.team == "red")]
    salary: Field<i64>,
    /// Null.
    #[visible_if(row.team == "red")]
    #[dto(hidden = null)]
    published_at: Field<Option<chrono::DateTime<chrono::Utc>>>,
    /// Null as well, of a column that never is.
    #[visible_if(row.team == "red")]
    slug: Option<String>,
    /// Left out though it is an Option.
    #[visible_if(row.team == "red")]
    #[dto(hidden = omit)]
    username: Option<String>,
    /// A part of it.
    #[visible_if(row.team == "red")]
    #[dto(mask = domain)]
    #[serde(rename = "mail")]
    email: Option<String>,
    /// What a function makes of it.
    #[visible_if(row.team == "red")]
    #[dto(mask_in_process = shout)]
    phone: Option<String>,
}

async fn outputs(people: Vec<Person>) -> (Value, String) {
    let directory = directory_of(people).await;
    let (statements, _guard) = Statements::listen();
    let rows = as_viewer(stranger(), async {
        let access = read().await;
        let query = Outputs::select().order(Outputs::ID.asc());
        directory.db.reader(&access).all(query).await
    })
    .await
    .unwrap();
    (serde_json::to_value(&rows).unwrap(), statements.one())
}

#[tokio::test]
async fn x3_dt_05_each_output_of_a_hidden_value() {
    let (json, _) = outputs(vec![person(1, Some("red")), person(2, Some("blue"))]).await;
    assert_eq!(
        json[0],
        json!({
            "id": 1,
            "salary": 1_000,
            "publishedAt": "2026-01-02T00:00:00Z",
            "slug": "person-1",
            "username": "user1",
            "mail": "user1@example.org",
            "phone": "+49 30 555001",
        })
    );
    assert_eq!(
        json[1],
        json!({
            "id": 2,
            "publishedAt": null,
            "slug": null,
            "mail": "***@example.org",
            "phone": "13 characters",
        })
    );
}

#[tokio::test]
async fn r17_masks_are_cut_by_the_database() {
    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Masks {
        id: i64,
        #[visible_if(viewer.role >= Role::Admin)]
        #[dto(mask = last4)]
        phone: Option<String>,
        #[visible_if(viewer.role >= Role::Admin)]
        #[dto(mask = domain)]
        email: Option<String>,
        #[visible_if(viewer.role >= Role::Admin)]
        #[dto(mask = initial)]
        username: String,
    }

    let texts = [
        "",
        "1",
        "1234567",
        "12345678",
        "\u{1f980}\u{1f980}\u{1f980}\u{1f980}abcd\u{1f980}",
        "a@b@c",
        "@",
        "none",
        "\u{e4}\u{f6}",
    ];
    let mut people: Vec<_> = texts
        .iter()
        .zip(1..)
        .map(|(text, id)| Person {
            username: (*text).to_owned(),
            phone: Some((*text).to_owned()),
            email: Some((*text).to_owned()),
            ..person(id, None)
        })
        .collect();
    people.push(Person {
        phone: None,
        email: None,
        ..person(99, None)
    });
    let count = people.len();
    let copies = people
        .iter()
        .map(|person| Person {
            username: person.username.clone(),
            phone: person.phone.clone(),
            email: person.email.clone(),
            ..crate::support::person(person.id, None)
        })
        .collect::<Vec<_>>();
    let directory = directory_of(people).await;
    let (statements, _guard) = Statements::listen();
    let (selected, projected) = as_viewer(stranger(), async {
        let access = read().await;
        let query = Masks::select().order(Masks::ID.asc());
        (
            directory.db.reader(&access).all(query).await.unwrap(),
            access.project::<Masks>(copies).await.unwrap(),
        )
    })
    .await;
    assert_eq!(selected.len(), count);
    assert_eq!(
        serde_json::to_value(&selected).unwrap(),
        serde_json::to_value(&projected).unwrap()
    );
    let shown: Vec<_> = selected
        .iter()
        .map(|row| {
            (
                row.phone.as_deref(),
                row.email.as_deref(),
                row.username.as_str(),
            )
        })
        .collect();
    assert_eq!(shown[0], (Some("****"), Some("***"), "***"));
    assert_eq!(shown[2], (Some("****"), Some("***"), "1***"));
    assert_eq!(shown[3], (Some("****5678"), Some("***"), "1***"));
    assert_eq!(shown[4].0, Some("****bcd\u{1f980}"));
    assert_eq!(shown[5].1, Some("***@b@c"));
    assert_eq!(shown[8].2, "\u{e4}***");
    assert_eq!(shown[9], (None, None, "u***"));
    // The whole value is never a result column.
    let sql = statements.one();
    for column in ["phone", "email", "username"] {
        assert!(
            !sql.contains(&format!("\"t0\".\"{column}\" AS \"")),
            "{sql}"
        );
    }
}

#[derive(Dto)]
#[dto(entity = Person, default = visible)]
struct Masked {
    id: i64,
    #[visible_if(viewer.role >= Role::Admin)]
    #[dto(mask = last4)]
    phone: Option<String>,
    #[visible_if(viewer.role >= Role::Admin)]
    #[dto(mask = domain)]
    email: Option<String>,
    #[visible_if(viewer.role >= Role::Admin)]
    #[dto(mask = initial)]
    username: String,
}

/// Engines do not agree on where a text with a NUL in it ends.
#[tokio::test]
async fn n21_a_mask_over_a_nul_shows_the_same_in_sql_and_in_rust() {
    let texts = [
        "\0",
        "\x001234567890",
        "1234567890\0",
        "1234\x00567890@b",
        "a@b\0c",
        "\0@",
        "1234567\x0089",
        "\u{e4}\0\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}@",
        // Without one, for the other side.
        "1234567890@b",
    ];
    let people = || {
        let texts = texts.iter().map(|text| crate::engines::storable(text));
        let people = texts.zip(1..).map(|(text, id)| Person {
            username: text.clone(),
            phone: Some(text.clone()),
            email: Some(text),
            ..person(id, None)
        });
        people.collect::<Vec<_>>()
    };
    let directory = directory_of(people()).await;
    let (selected, projected) = as_viewer(stranger(), async {
        let access = read().await;
        let query = Masked::select().order(Masked::ID.asc());
        (
            directory.db.reader(&access).all(query).await.unwrap(),
            access.project::<Masked>(people()).await.unwrap(),
        )
    })
    .await;
    for (row, projected) in selected.iter().zip(&projected) {
        let [row, projected] = [row, projected].map(|row| serde_json::to_value(row).unwrap());
        assert_eq!(row, projected);
    }
    let last = selected.last().unwrap();
    assert_eq!(last.phone.as_deref(), Some("****90@b"));
    assert_eq!(last.email.as_deref(), Some("***@b"));
    assert_eq!(last.username, "1***");
    if crate::engines::storable("\0") == "\0" {
        let shown = &selected[3];
        assert_eq!(shown.phone.as_deref(), Some("****"));
        assert_eq!(shown.email.as_deref(), Some("***"));
        assert_eq!(shown.username, "***");
    }
}

#[derive(Debug, Clone, clearance::Entity)]
#[entity(table = "probes", viewer = Member, rows = open, reason = "numbers are under test")]
struct Probe {
    #[entity(key)]
    id: i64,
    value: f64,
    spare: Option<f64>,
}

type Measured = f64;

#[derive(Debug, Dto)]
#[dto(entity = Probe, default = visible)]
struct ProbeView {
    id: i64,
    value: Measured,
    #[visible_if(viewer.role >= Role::Admin)]
    #[dto(hidden = null)]
    spare: Field<Option<f64>>,
}

#[derive(Debug, Dto)]
#[dto(entity = Probe, default = visible)]
struct SpareView {
    id: i64,
    #[visible_if(viewer.role >= Role::Admin)]
    spare: Option<f64>,
}

/// A null would be what a hidden value may be.
#[tokio::test]
async fn dt_31_a_number_that_json_does_not_have_is_an_error_of_its_field_and_not_null() {
    let rows = || {
        [
            (1, 0.5, Some(1.5)),
            (2, f64::INFINITY, Some(f64::MAX)),
            (3, -0.0, Some(f64::NAN)),
            (4, 1e300, None),
        ]
        .map(|(id, value, spare)| Probe { id, value, spare })
        .to_vec()
    };
    let written = async |viewer| {
        as_viewer(viewer, async {
            let access = read().await;
            let views = access.project::<ProbeView>(rows()).await.unwrap();
            let spares = access.project::<SpareView>(rows()).await.unwrap();
            let views = views.iter().map(serde_json::to_value);
            let spares = spares.iter().map(serde_json::to_value);
            let text = |written: serde_json::Result<Value>| match written {
                Ok(value) => value.to_string(),
                Err(error) => error.to_string(),
            };
            (
                views.map(text).collect::<Vec<_>>(),
                spares.map(text).collect::<Vec<_>>(),
            )
        })
        .await
    };
    let none = "a field holds a number that JSON cannot represent";
    let (views, spares) = written(admin()).await;
    assert_eq!(
        views,
        [
            r#"{"id":1,"spare":1.5,"value":0.5}"#,
            none,
            none,
            r#"{"id":4,"spare":null,"value":1e+300}"#,
        ]
    );
    assert_eq!(spares[2], none);
    assert_eq!(spares[3], r#"{"id":4,"spare":null}"#);
    // What is hidden is null, whatever it holds.
    let (views, spares) = written(stranger()).await;
    assert_eq!(views[2], r#"{"id":3,"spare":null,"value":-0.0}"#);
    assert_eq!(views[1], none);
    assert_eq!(spares[2], r#"{"id":3,"spare":null}"#);

    let shape = clearance::dto::Shape::<Probe>::builder("probe")
        .visible(Probe::VALUE)
        .build()
        .unwrap();
    if crate::engines::engine() == crate::engines::Engine::Postgres {
        let schema =
            "CREATE TABLE probes (id INTEGER PRIMARY KEY, value FLOAT8 NOT NULL, spare FLOAT8)";
        let directory = empty_directory(schema).await;
        let access = system();
        let writer = directory.db.writer(&access);
        writer.insert_many(rows()).await.unwrap();
        let records = writer.all(shape.select()).await.unwrap();
        let written = records.iter().map(serde_json::to_string);
        assert_eq!(written.filter(Result::is_err).count(), 1);
    }
}

#[tokio::test]
async fn x3_the_error_output_refuses_the_read() {
    #[derive(Debug, Dto)]
    #[dto(entity = Person, default = visible)]
    struct Payroll {
        id: i64,
        #[visible_if(same(viewer.team, row.team))]
        #[dto(hidden = error)]
        salary: i64,
    }

    let directory = directory().await;
    let find = async |slug: &str| {
        let access = read().await;
        directory
            .db
            .reader(&access)
            .one(Payroll::select().lookup(Person::SLUG, slug))
            .await
    };
    let own = as_viewer(editor(), find("person-1")).await.unwrap();
    assert_eq!((own.id, own.salary), (1, 1_000));
    let error = as_viewer(editor(), find("person-3")).await.unwrap_err();
    assert!(error.is_forbidden());
}

#[tokio::test]
async fn t_3_an_opaque_rule_hides_in_rust_what_sql_cannot_decide() {
    fn odd(_: &Member, row: &Person, _: &clearance::policy::Context) -> bool {
        row.id % 2 == 1
    }

    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Card {
        id: i64,
        #[visible_if(viewer.role >= Role::Admin || opaque(odd))]
        salary: Field<i64>,
        #[visible_if(opaque(odd))]
        #[dto(mask = domain)]
        email: Option<String>,
    }

    let directory = directory_of((1..=4).map(|id| person(id, None)).collect()).await;
    let (statements, _guard) = Statements::listen();
    let rows = async || {
        let access = read().await;
        let query = Card::select().order(Card::ID.asc());
        directory.db.reader(&access).all(query).await.unwrap()
    };
    let stranger = as_viewer(stranger(), rows()).await;
    let shown: Vec<_> = stranger
        .iter()
        .map(|row| (row.id, row.salary.into_visible(), row.email.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            (1, Some(1_000), Some("user1@example.org")),
            (2, None, Some("***@example.org")),
            (3, Some(3_000), Some("user3@example.org")),
            (4, None, Some("***@example.org")),
        ]
    );
    statements.take();
    let admin = as_viewer(admin(), rows()).await;
    assert!(admin.iter().all(|row| !row.salary.is_hidden()));
}
