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
            access.project::<Masks>(copies).unwrap(),
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
            !sql.contains(&format!("\"people\".\"{column}\" AS")),
            "{sql}"
        );
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
